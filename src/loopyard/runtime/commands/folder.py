"""The folder that a command starts in, entered as its user: who starts it may have rights that the user has not."""

from collections.abc import Sequence

ENTER = """
[ -d "$0" ] || { echo "$0: no such file or directory" >&2; exit 126; }
cd -- "$0" 2>/dev/null || { echo "$0: permission denied" >&2; exit 126; }
exec "$@"
"""


def entering(folder: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` in a folder, or tells as a shell would why it cannot be entered."""
    return ["/bin/sh", "-c", ENTER, folder, *argv]
