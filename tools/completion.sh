#!/bin/sh
# completion.sh COMMANDS.DEF: prints the bash completion of ivl. Commands come from the table; what a command takes
# comes from its own --help when it is asked for.
cat <<EOF
# bash completion of ivl (made by tools/completion.sh)
_ivl() {
    local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} help path=() i
    local commands="$(sed -n 's/^COMMAND(\([a-z]*\),.*/\1/p' "$1" | tr '\n' ' ')"
EOF
cat <<'EOF'
    for ((i = 1; i < COMP_CWORD && i < 3; i++)); do
        [[ ${COMP_WORDS[i]} =~ ^[a-z]+$ ]] || break
        path+=("${COMP_WORDS[i]}")
    done
    if ((${#path[@]} == 0)); then
        COMPREPLY=($(compgen -W "$commands --help --version" -- "$word"))
        return
    fi
    # a command with commands of its own lists them with two blanks in front; anything else after the first is a file
    help=$("${COMP_WORDS[0]}" "${path[0]}" --help 2>/dev/null)
    if [[ $help == *" COMMAND "* ]]; then
        if ((${#path[@]} == 1)); then
            COMPREPLY=($(compgen -W "$(sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' <<<"$help") --help" -- "$word"))
            return
        fi
        help=$("${COMP_WORDS[0]}" "${path[@]}" --help 2>/dev/null)
    fi
    case $before in
        --device | -d) COMPREPLY=($(compgen -W "host opencl cuda check:host check:opencl" -- "$word")); return ;;
        --compute) COMPREPLY=($(compgen -W "fp32 bf16 fp16" -- "$word")); return ;;
    esac
    case $word in
        -*) COMPREPLY=($(compgen -W "$(grep -o -e '--[a-z][a-z-]*' <<<"$help" | sort -u)" -- "$word")) ;;
        *) COMPREPLY=($(compgen -f -- "$word")) ;;
    esac
}
complete -o filenames -F _ivl ivl
EOF
