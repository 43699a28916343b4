#!/bin/sh
# man.sh IVL PAGE.1: one manual page from the program's own help; ivl-data-emoji.1 is of `ivl data emoji`. The line after
# the name is the one that the command above it lists. $HELP2MAN, $VERSION.
set -e
ivl=$1 page=$2
words=$(basename "$page" .1 | tr - ' ')
command=${words#ivl} above=${words% *} last=${words##* }
about="InternVL on any device"
[ "$words" = ivl ] || about=$("$ivl" ${above#ivl} --help | sed -n "s/^  $last  *//p" | head -1)
[ -n "$about" ] || { echo "man.sh: \`$above --help\` does not list $last" >&2; exit 1; }
"${HELP2MAN:-help2man}" --no-info --name="$about" --version-string="${VERSION:-}" --output="$page" "$ivl$command"
