"""The shell that somebody gets who logs in to a devbox, by a terminal session or by SSH."""

from collections.abc import Sequence

_PROFILE = """
unset PROMPT_COMMAND
__loopyard_given=$(export -p)
[ ! -r /etc/profile ] || . /etc/profile
__loopyard_path=$PATH
eval "$__loopyard_given"
IFS=: __loopyard_more=$__loopyard_path
for __loopyard_folder in $__loopyard_more; do
    case :$PATH: in *:"$__loopyard_folder":*) ;; *) PATH=$PATH:$__loopyard_folder ;; esac
done
unset IFS __loopyard_given __loopyard_path __loopyard_more __loopyard_folder
if [ -n "$BASH_VERSION" ] && [ -r ~/.bash_profile ]; then
    . ~/.bash_profile
elif [ -n "$BASH_VERSION" ] && [ -r ~/.bash_login ]; then
    . ~/.bash_login
elif [ -r ~/.profile ]; then
    . ~/.profile
fi
"""
"""Profile that a login shell reads at its start; but /etc/profile, which most images' distributions write, does not
take away what the image and the devbox set: their variables are as for a command, and PATH has their folders first."""

_LOGIN = """
if [ -n "$BASH_VERSION" ]; then
    if [ -t 0 ]; then
        export PROMPT_COMMAND="$1"
    else
        eval "$1"
    fi
    exec -a -bash /bin/bash --noprofile
fi
eval "$1"
exec /bin/sh
"""
"""A shell at a terminal reads it before its first prompt, so that functions and aliases are its own."""

LOGIN_SHELL: Sequence[str] = ("/bin/bash", "-c", _LOGIN, "bash", _PROFILE)
"""The command line of a login shell."""
