"""Named shells: what a command of one is run as.

Each command is a process by itself, with streams, a time and an end of its own, that begins where the shell's last
command ended: in its directory, with its variables, functions, aliases, options, traps, umask, soft limits and `$?`.
It writes all that down in the devbox when it ends (`shell.sh`). So a shell needs no process while it is idle, survives
the server and a suspended devbox, and what its commands do to it harms no one else.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

_PRELUDE = Path(__file__).with_name("shell.sh").read_text()

_SAVE = (
    "{{ __loopyard_status={status}; [[ $__loopyard_saved || ! $__loopyard_ready ]] || "
    '{{ builtin trap -p >|"$__loopyard_folder/traps"; builtin trap -p EXIT >|"$__loopyard_folder/exit.now"; }}; '
    'builtin trap - DEBUG ERR RETURN; __loopyard_save "$__loopyard_status" "$@"; }} >/dev/null 2>&1'
)
# One line, so that the line numbers in bash's messages are those of the command. With `!`, bash does not take the end
# of `eval` for one more failure; the status is told by PIPESTATUS.
_RUN = (
    f"eval \"$1\"; trap '{_SAVE.format(status='$?')}' EXIT; "
    '! eval "$__loopyard_prefix$__loopyard_command"; '
    f"{_SAVE.format(status='${PIPESTATUS[0]}')}"
)


def argv(devbox_id: str, shell_name: str, command: str) -> Sequence[str]:
    """Program and arguments that run a command in a named shell of a devbox. A devbox made from a snapshot of it has
    shells of its own: the id is part of where the state is."""
    key = hashlib.blake2b(shell_name.encode(), digest_size=16).hexdigest()
    return ["/bin/bash", "-c", _RUN, "bash", _PRELUDE, f"{devbox_id}/{key}", shell_name, command]
