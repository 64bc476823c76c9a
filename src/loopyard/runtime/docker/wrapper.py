"""Wrapper around a command inside the container: says which process it is, and tells what cannot be started as a shell
would."""

from collections.abc import Sequence
from typing import Literal

from loopyard.runtime.commands.folder import ENTER

NOT_RUN = (125, 126, 127, 128)
"""Messages of the engine on a command that it could not start."""

Whom = Literal["process", "group", "foreground"]

_TOLD = """
echo $$
read -r __ly_stat <"/proc/$$/stat"
__ly_leads() { [ "$3" = $$ ]; }
if ! __ly_leads ${__ly_stat##*) } && command -v setsid >/dev/null; then
    exec setsid /bin/sh -c "$0" "$@"
fi
exec /bin/sh -c "$0" "$@"
"""
"""Some engines start commands in a process group of others', where no signal to all of a command would reach it."""

_SIZED = """
trap '__ly_sized=yes' WINCH
echo $$
for __ly_wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -z "$__ly_sized" ] || break
    sleep 0.03
done
trap - WINCH
exec /bin/sh -c "$0" "$@"
"""
"""With a terminal: the program begins when it has its size, which an engine can give only to what runs."""

_SIGNAL = """
case $3 in
process) kill "-$2" "$1" ;;
group) kill "-$2" "-$1" ;;
foreground)
    read -r stat <"/proc/$1/stat"
    set -- "$2" ${stat##*) }
    kill "-$1" "-$7"
    ;;
esac
"""
"""In `stat`, the sixth word after the program's name is the group in the foreground of the process's terminal."""


def wrapped(argv: Sequence[str], cwd: str, *, terminal: bool = False) -> list[str]:
    """The command line that runs `argv` in the folder `cwd`. First it prints a line with its process id; with a
    terminal it then waits a moment for that to be given a size."""
    return ["/bin/sh", "-c", _SIZED if terminal else _TOLD, ENTER, cwd, *argv]


def first_line(said: bytes) -> tuple[int, bytes] | None:
    """Takes the first line apart: the process id inside, and what came after. None if it is not whole yet.

    Raises:
        ValueError: It is something else: the engine's word on why nothing was started.
    """
    line, newline, rest = said.partition(b"\n")
    if not newline:
        return None
    if not line.strip().isdigit():
        raise ValueError(said.decode(errors="replace").strip())
    return int(line), rest


def signalling(pid: int, number: int, whom: Whom) -> list[str]:
    """The command line, for root, that sends a signal to a process inside, to its group, or to the group in the
    foreground of its terminal."""
    return ["/bin/sh", "-c", _SIGNAL, "sh", str(pid), str(number), whom]
