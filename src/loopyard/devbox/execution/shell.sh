# Read by every command of a named shell before it begins. What the shell was when its last command ended is taken up
# from four files, and written again when this command ends.
#
# $2: the folder of the shell's state, below the first of the folders here that can be written to
# $3: the shell's name
# $4: the command
for __loopyard_folder in /var/tmp /tmp "$HOME"; do
    [[ -d $__loopyard_folder && -w $__loopyard_folder ]] && break
done
__loopyard_folder=$__loopyard_folder/.loopyard-shells/$2
__loopyard_name=$3 __loopyard_command=$4 __loopyard_status=0 __loopyard_saved= __loopyard_left= __loopyard_options=
__loopyard_ready= __loopyard_exit=
set --
[[ -d $__loopyard_folder ]] || mkdir -p -m 0700 -- "$__loopyard_folder"

__loopyard_say() { printf 'loopyard: the shell "%s" %s\n' "$__loopyard_name" "$1" >&2; }

# The file `open` tells how the shell ended, if the command before did not come to write its state.
__loopyard_fate=
[[ -s $__loopyard_folder/open ]] && read -r __loopyard_fate <"$__loopyard_folder/open"
if [[ $__loopyard_fate ]]; then
    __loopyard_say "$__loopyard_fate; this is a new one, without its directory, variables, functions and options"
elif [[ -e $__loopyard_folder/state ]]; then
    mapfile -t __loopyard_names < <(compgen -e)
    unset -v "${__loopyard_names[@]}"
    . "$__loopyard_folder/state" >/dev/null 2>&1
    . "$__loopyard_folder/functions" >/dev/null 2>&1
    builtin cd -- "$__loopyard_directory" 2>/dev/null || {
        builtin cd
        __loopyard_say "cannot go back to its directory; it is in $PWD now"
    }
    OLDPWD=$__loopyard_before __loopyard_options=1
fi
{ builtin echo 'died during the command before' >|"$__loopyard_folder/open"; } 2>/dev/null ||
    __loopyard_say 'cannot keep its state; is the disk full?'

# The traps are written by the caller: a function does not see all of them.
# Arguments: the command's exit status, then the shell's positional parameters.
__loopyard_save() {
    __loopyard_status=$1
    [[ $__loopyard_saved$__loopyard_left ]] && return "$1"
    builtin set +o >|"$__loopyard_folder/options"
    # A command whose first line bash cannot read has not come to take these up.
    [[ $__loopyard_errexit && ! $__loopyard_ready ]] && builtin echo 'set -o errexit' >>"$__loopyard_folder/options"
    {
        builtin shopt -p
        builtin set +eufnvxCT +o posix
        builtin shopt -u extdebug nocasematch
        builtin declare -f
        builtin declare -F
        builtin alias -p
    } >|"$__loopyard_folder/functions"
    builtin unset -f alias compgen declare mapfile printf read shift umask ulimit
    __loopyard_saved=1
    if [[ $__loopyard_ready ]]; then
        # A trap on EXIT is for the end of the shell, not for that of this command.
        read -r -d '' __loopyard_exit <"$__loopyard_folder/exit.now"
        case $__loopyard_exit in
        *__loopyard_save*) ;;
        *) printf '%s' "$__loopyard_exit" >|"$__loopyard_folder/exit" ;;
        esac
        builtin trap - EXIT
    fi
    mapfile -t __loopyard_names < <(compgen -v)
    # Variables that have attributes, but no value so far.
    mapfile -t __loopyard_rows < <(declare -p)
    for __loopyard_name in "${__loopyard_rows[@]}"; do
        [[ $__loopyard_name =~ ^declare\ -[A-Za-z]+\ ([A-Za-z_][A-Za-z0-9_]*)$ ]] || continue
        [[ -v ${BASH_REMATCH[1]} ]] || __loopyard_names+=("${BASH_REMATCH[1]}")
    done
    {
        for __loopyard_name in "${__loopyard_names[@]}"; do
            case $__loopyard_name in
            __loopyard_* | BASH | BASHOPTS | BASHPID | BASH_[A-DL-X]* | BASH_EXECUTION_STRING | COMP_* | DIRSTACK | \
                EPOCH* | EUID | FUNCNAME | GROUPS | HISTCMD | LINENO | OLDPWD | PIPESTATUS | PPID | PWD | RANDOM | \
                SECONDS | SHELLOPTS | SRANDOM | UID | _) ;;
            *) declare -p -- "$__loopyard_name" ;;
            esac
        done
        for __loopyard_name in c d f l m n s t u v; do
            printf 'ulimit -S%s ' "$__loopyard_name"
            ulimit -S"$__loopyard_name"
        done
        umask -p
        printf '__loopyard_directory=%q __loopyard_before=%q __loopyard_status=%q\n' "$PWD" "$OLDPWD" "$1"
        printf 'export PWD OLDPWD\n'
        for ((__loopyard_name = ${#DIRSTACK[@]} - 1; __loopyard_name > 0; __loopyard_name--)); do
            printf 'pushd -n -- %q\n' "${DIRSTACK[__loopyard_name]}"
        done
        shift
        printf 'set --'
        (($#)) && printf ' %q' "$@"
        printf '\n'
    } >|"$__loopyard_folder/state" && : >|"$__loopyard_folder/open"
    return "$__loopyard_status"
}

# `exit` ends the shell. A command that `set -e`, `set -u` or a signal ends early does not.
exit() {
    { __loopyard_status=$?; } 2>/dev/null
    if ((BASH_SUBSHELL == 0)); then
        { __loopyard_left=1 && builtin echo 'was ended by exit' >|"$__loopyard_folder/open"; } 2>/dev/null
        [[ $__loopyard_exit ]] && builtin eval "$__loopyard_exit"
    fi
    builtin exit "${@:-$__loopyard_status}"
}

# What stands before the command, in its first line: these take effect from there on, and not for what is done here.
__loopyard_prefix= __loopyard_errexit= __loopyard_traps= __loopyard_debug=
if [[ $__loopyard_options ]]; then
    . "$__loopyard_folder/options" >/dev/null 2>&1
    {
        [[ $- == *e* ]] && __loopyard_errexit=1
        [[ $- == *x* ]] && __loopyard_command="set -x
$__loopyard_command"
        set +ex
        . "$__loopyard_folder/traps"
        __loopyard_debug=$(builtin trap -p DEBUG)
        builtin trap - DEBUG
        __loopyard_traps=$(builtin trap -p ERR RETURN)
        builtin trap - ERR RETURN
        [[ -s $__loopyard_folder/exit ]] && read -r -d '' __loopyard_exit <"$__loopyard_folder/exit"
    } >/dev/null 2>&1
    [[ $__loopyard_traps ]] && __loopyard_prefix+='builtin eval "$__loopyard_traps"; '
    [[ $__loopyard_errexit ]] && __loopyard_prefix+='builtin set -e; '
    # `$?` is as the command before left it; where there is a trap on DEBUG, whether it failed.
    ((__loopyard_status)) && __loopyard_prefix+='(builtin exit "$__loopyard_status") && :; '
    if [[ $__loopyard_debug ]]; then
        ((__loopyard_status)) && __loopyard_prefix+='! '
        __loopyard_prefix+='builtin eval "$__loopyard_debug"; '
    fi
fi
if [[ $__loopyard_traps$__loopyard_errexit$__loopyard_debug ]]; then
    __loopyard_prefix="__loopyard_ready=1; $__loopyard_prefix"
else
    __loopyard_ready=1
fi
