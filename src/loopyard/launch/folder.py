"""Makes a folder in a devbox for its user, with the parents that are missing."""

from loopyard.runtime.protocol import User

_SCRIPT = """
set -e
[ -d "$1" ] && exit 0
top=$1
while parent=$(dirname -- "$top"); [ ! -e "$parent" ]; do top=$parent; done
mkdir -p -- "$1"
group=$4
if [ -z "$group" ]; then
    who=$2
    [ "$(id -u "$3" 2>/dev/null)" != "$2" ] || who=$3
    group=$(id -g "$who" 2>/dev/null) || group=$2
fi
chown -R -- "$2:$group" "$top"
"""
"""Arguments: the folder; number and name of the user whom it and the parents that were missing are to belong to;
and the number of their group, or nothing for the one that the account files say. Some `id` know users only by name."""


def make_folder(path: str, user: User) -> list[str]:
    """The command, to be run by root. The group is that of the user's commands, so that what they make there is like
    the folder itself."""
    return ["/bin/sh", "-c", _SCRIPT, "sh", path, str(user.uid), user.name, "" if user.gid is None else str(user.gid)]
