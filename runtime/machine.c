#include "runtime/machine.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 8192 };

/* The rest of the first line that starts with `key`, without separators. False: no such line. */
static int find_line(const char *path, const char *key, char *text, size_t n)
{
    FILE *f = fopen(path, "re");
    char *line = malloc(LINE);
    int found = 0;
    while (f && line && !found && fgets(line, LINE, f)) {
        if (strncmp(line, key, strlen(key))) continue;
        const char *rest = line + strlen(key);
        rest += strspn(rest, " \t:");
        snprintf(text, n, "%.*s", (int)strcspn(rest, "\n"), rest);
        found = 1;
    }
    free(line);
    if (f) fclose(f);
    return found;
}

static int read_number(const char *dir, const char *file, size_t *v_p)
{
    char path[2 * PATH_MAX + 32], text[64];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    if (!find_line(path, "", text, sizeof text) || text[0] < '0' || text[0] > '9')
        return 0; /* "max": no limit */
    *v_p = (size_t)strtoull(text, NULL, 10);
    return 1;
}

/* Room in one control group: limit - use, where page cache counts as free. */
static size_t group_room(const char *dir, const char *limit_file, const char *use_file)
{
    size_t limit, use, cache;
    if (!read_number(dir, limit_file, &limit) || !read_number(dir, use_file, &use)) return SIZE_MAX;
    char path[2 * PATH_MAX + 32], text[64];
    snprintf(path, sizeof path, "%s/memory.stat", dir);
    cache = find_line(path, "file ", text, sizeof text) || find_line(path, "cache ", text, sizeof text)
                ? (size_t)strtoull(text, NULL, 10)
                : 0;
    use -= cache < use ? cache : use;
    return limit > use ? limit - use : 0;
}

/* The smallest room from the process's own group up to the root. */
static size_t groups_room(const char *root, const char *group, const char *limit, const char *use)
{
    char dir[2 * PATH_MAX];
    size_t room = SIZE_MAX, n = strlen(root);
    snprintf(dir, sizeof dir, "%s%s", root, group);
    for (;;) {
        size_t r = group_room(dir, limit, use);
        if (r < room) room = r;
        char *slash = strrchr(dir, '/');
        if (!slash || (size_t)(slash - dir) < n) return room;
        *slash = 0;
    }
}

size_t ivl_machine_memory(void)
{
    char text[PATH_MAX];
    size_t room = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE), r = SIZE_MAX;
    if (find_line("/proc/meminfo", "MemAvailable", text, sizeof text))
        r = (size_t)strtoull(text, NULL, 10) * 1024;
    if (r < room) room = r;
    if (find_line("/proc/self/cgroup", "0::", text, sizeof text)) {
        r = groups_room("/sys/fs/cgroup", text, "memory.max", "memory.current");
        if (r < room) room = r;
    }
    r = group_room("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes");
    return r < room ? r : room;
}

void ivl_machine_flags(char *text, size_t n)
{
    text[0] = 0;
    if (!find_line("/proc/cpuinfo", "flags", text, n)) find_line("/proc/cpuinfo", "Features", text, n);
}

static int has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = text; (p = strstr(p, word)); p += n)
        if ((p == text || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return 1;
    return 0;
}

const char *ivl_machine_arch(void)
{
    char flags[LINE];
    ivl_machine_flags(flags, sizeof flags);
    return has_word(flags, "avx512f") ? "cpu-avx512"
           : has_word(flags, "avx2")  ? "cpu-avx2"
           : has_word(flags, "asimd") ? "cpu-neon"
                                      : "cpu";
}
