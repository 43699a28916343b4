/* The program ivl: everything is in its commands. */
#include "cli/cli.h"

static const cli_command commands[] = {
#define COMMAND(name, help) { #name, help, cmd_##name },
#include "cli/commands.def"
#undef COMMAND
    { 0 },
};

int main(int argc, char **argv)
{
    return cli_dispatch(commands, "ivl",
                        "InternVL on any device: train, evaluate, embed and search pictures and texts.", argc,
                        argv);
}
