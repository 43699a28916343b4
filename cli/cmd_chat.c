/* ivl chat: questions and answers, about pictures where the model sees. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/decode_args.h"
#include "runtime/file.h"
#include "train/talk.h"

enum { MAX_TURNS = 256, MAX_IMAGES = 64 };

typedef struct options {
    const char *model, *device, *image[MAX_IMAGES];
    char *question;
    int n_images;
    ivl_talk_options talk;
} options;

static const struct argp_option rows[] = {
    { "model", 'm', "DIR|F.gguf", 0, "InternVL-Chat folder, or a LLaMA-type language model: a folder or a GGUF file",
      0 },
    { "image", 'p', "FILE", 0, "A picture the first question is about; may be repeated", 0 },
    { "compute", 'c', "TYPE", 0, "Storage of weights and activations: fp32 (default), bf16, fp16", 0 },
    { "template", 't', "NAME", 0, "vicuna, plain or chatml (the model's own, else vicuna)", 0 },
    { "system", 's', "TEXT", 0, "System message (the model's own, or the template's)", 0 },
    { 0 },
};

static void add_word(options *o, const char *word, struct argp_state *state)
{
    size_t n = strlen(word) + (o->question ? strlen(o->question) : 0) + 2;
    char *joined = malloc(n);
    if (!joined) argp_failure(state, CLI_FAILED, 0, "out of memory");
    snprintf(joined, n, "%s%s%s", o->question ? o->question : "", o->question ? " " : "", word);
    free(o->question);
    o->question = joined;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->device, state->child_inputs[1] = &o->talk.decode; break;
    case 'm': o->model = arg; break;
    case 'p':
        if (o->n_images == MAX_IMAGES) cli_usage(state, "more than %d pictures", MAX_IMAGES);
        o->image[o->n_images++] = arg;
        break;
    case 'c': o->talk.compute = cli_storage(state, arg, "--compute"); break;
    case 't': o->talk.form = arg; break;
    case 's': o->talk.system = arg; break;
    case ARGP_KEY_ARG: add_word(o, arg, state); break;
    case ARGP_KEY_END:
        if (!o->model) cli_usage(state, "which model? Give its folder or GGUF file as --model");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_DEVICE_CHILD, CLI_DECODE_CHILD, { 0 } };
static const struct argp argp = {
    rows,
    parse,
    "[QUESTION]",
    "Answers a question, about pictures if there are any.\v"
    "Without a QUESTION it asks for one after the other, until the end of input; a line \"/image FILE\" shows a "
    "picture "
    "with the next question, \"/new\" begins again.",
    children,
    NULL,
    NULL,
};

static void say(void *ctx, const char *piece)
{
    (void)ctx;
    fputs(piece, stdout);
    fflush(stdout);
}

static ivl_status show(ivl_talk *t, const char *path)
{
    char *bytes = NULL;
    ivl_picture p = { .name = path };
    IVL_TRY(ivl_read_file(path, (size_t)1 << 30, &bytes, &p.n));
    p.bytes = bytes;
    ivl_status s = ivl_talk_show(t, &p);
    free(bytes);
    return s;
}

/* A question with the marks of the pictures shown with it. */
static char *with_marks(const char *question, int pictures)
{
    static const char mark[] = "<image>\n";
    char *text = malloc(strlen(question) + (size_t)pictures * strlen(mark) + 1);
    if (text) *text = 0;
    for (int i = 0; text && i < pictures; i++) strcat(text, mark);
    return text ? strcat(text, question) : NULL;
}

/* streams: answers are told piece by piece; beams know theirs only at the end. */
typedef struct chat { ivl_talk *t; ivl_turn turn[MAX_TURNS]; int n, pictures; bool streams; } chat;

static void forget(chat *c)
{
    for (int i = 0; i < c->n; i++)
        free((char *)(uintptr_t)c->turn[i].question), free((char *)(uintptr_t)c->turn[i].answer);
    c->n = c->pictures = 0;
    ivl_talk_clear(c->t);
}

static ivl_status ask(chat *c, const char *question)
{
    char *answer = NULL, *text = with_marks(question, c->pictures);
    IVL_CHECK(text, IVL_ENOMEM, "out of memory");
    IVL_CHECK(c->n < MAX_TURNS, IVL_EINVAL, "more than %d questions: begin again with /new", MAX_TURNS);
    c->turn[c->n++] = (ivl_turn){ text, NULL };
    ivl_status s = ivl_talk_answer(c->t, c->turn, c->n, c->streams ? say : NULL, NULL, &answer);
    if (s == IVL_OK) printf("%s\n", c->streams ? "" : answer);
    c->turn[c->n - 1].answer = answer;
    if (s != IVL_OK) {
        free(text);
        c->n--;
    } else {
        c->pictures = 0;
    }
    return s;
}

/* One line of a conversation; what fails is said, and the conversation goes on. */
static void hear_line(chat *c, char *line)
{
    line[strcspn(line, "\r\n")] = 0;
    ivl_status s = IVL_OK;
    if (!*line) return;
    if (!strcmp(line, "/new")) {
        forget(c);
    } else if (!strncmp(line, "/image ", 7)) {
        s = show(c->t, line + 7);
        c->pictures += s == IVL_OK;
    } else {
        s = ask(c, line);
    }
    if (s != IVL_OK) cli_failed();
}

static void converse(chat *c)
{
    bool person = isatty(STDIN_FILENO);
    char *line = NULL;
    size_t room = 0;
    for (;;) {
        if (person) fputs("> ", stderr);
        if (getline(&line, &room, stdin) < 0) break;
        hear_line(c, line);
    }
    free(line);
}

int cmd_chat(int argc, char **argv)
{
    options o = { .talk = { .decode = ivl_decode_defaults() } };
    ivl_device *dev = NULL;
    chat c = { 0 };
    o.talk.decode.max_new = 256;
    cli_parse(&argp, argc, argv, &o);
    ivl_status s = cli_open_device(o.device, &dev);
    if (s == IVL_OK) s = ivl_talk_open(o.model, dev, &o.talk, &c.t);
    for (int i = 0; i < o.n_images && s == IVL_OK; i++) s = show(c.t, o.image[i]);
    c.pictures = o.n_images, c.streams = o.talk.decode.beams == 1;
    if (s == IVL_OK && o.question) s = ask(&c, o.question);
    else if (s == IVL_OK) converse(&c);
    int status = s == IVL_OK ? cli_done() : cli_failed();
    if (c.t) forget(&c);
    ivl_talk_close(c.t);
    ivl_device_close(dev);
    free(o.question);
    return status;
}
