/* Tar files written by hand, honest and otherwise. */
#ifndef IVL_TESTS_DATA_TARS_H
#define IVL_TESTS_DATA_TARS_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* A ustar header; call tar_sum after changing a field. */
static inline void tar_sum(unsigned char h[512])
{
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++) sum += h[i];
    char text[8];
    snprintf(text, sizeof text, "%06o", sum & 0777777);
    memcpy(h + 148, text, 7);
}

static inline void tar_header(unsigned char h[512], const char *name, size_t bytes, char type)
{
    char size[24];
    memset(h, 0, 512);
    memcpy(h, name, strnlen(name, 100));
    memcpy(h + 100, "0000644", 7);
    snprintf(size, sizeof size, "%011zo", bytes);
    memcpy(h + 124, size, 12);
    h[156] = (unsigned char)type;
    memcpy(h + 257, "ustar\0" "00", 8);
    tar_sum(h);
}

static inline void tar_pad(FILE *f, size_t bytes)
{
    static const char zero[512];
    fwrite(zero, 1, (512 - bytes % 512) % 512, f);
}

static inline void tar_add_type(FILE *f, const char *name, const void *data, size_t bytes, char type)
{
    unsigned char h[512];
    tar_header(h, name, bytes, type);
    fwrite(h, 1, 512, f);
    fwrite(data, 1, bytes, f);
    tar_pad(f, bytes);
}

static inline void tar_add(FILE *f, const char *name, const void *data, size_t bytes)
{
    tar_add_type(f, name, data, bytes, '0');
}

static inline void tar_text(FILE *f, const char *name, const char *text)
{
    tar_add(f, name, text, strlen(text));
}

static inline void tar_end(FILE *f)
{
    static const char zero[1024];
    fwrite(zero, 1, sizeof zero, f);
    fclose(f);
}

#endif
