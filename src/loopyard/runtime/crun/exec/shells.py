"""Commands that are written for bash, in images that may lack it."""

from collections.abc import Sequence

_BASH = "/bin/bash"
_EITHER = '[ ! -x /bin/bash ] || exec /bin/bash "$@"; exec /bin/sh "$@"'


def without_bash(argv: Sequence[str]) -> Sequence[str]:
    """Program and arguments that run a command by bash if it has been installed meanwhile, else by the image's sh."""
    if argv[0] != _BASH:
        return argv
    return ["/bin/sh", "-c", _EITHER, "sh", *argv[1:]]
