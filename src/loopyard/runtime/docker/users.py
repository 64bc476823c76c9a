"""The users of a container, and how one that it lacks is added."""

from dataclasses import dataclass

from loopyard.runtime.protocol import User

_MOST_BYTES = 1 << 20

_ENSURE = """
name=$1 uid=$2 home=$3
if ! grep -q "^[^:]*:[^:]*:$uid:" /etc/passwd; then
    shell=/bin/sh
    [ ! -x /bin/bash ] || shell=/bin/bash
    for file in passwd group shadow; do
        [ -e "/etc/$file" ] || continue
        kept=$(grep -v "^$name:" "/etc/$file")
        printf '%s\\n' "$kept" >"/etc/$file"
    done
    echo "$name:x:$uid:$uid::$home:$shell" >>/etc/passwd
    echo "$name:x:$uid:" >>/etc/group
    [ ! -e /etc/shadow ] || echo "$name:*:19000:0:99999:7:::" >>/etc/shadow
    mkdir -p "$home" /etc/sudoers.d
    chown "$uid:$uid" "$home"
    echo "$name ALL=(ALL:ALL) NOPASSWD:ALL" >"/etc/sudoers.d/$name"
    chmod 440 "/etc/sudoers.d/$name"
fi
head -c 1000000 /etc/passwd
"""
"""The user is there by number afterwards, with a home and sudo without a password. Prints all users."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user with all that a process needs to run as them."""

    name: str
    uid: int
    home: str
    shell: str


def ensuring(user: User) -> list[str]:
    """The command line, for root, that sees to it that the user is there, and prints `/etc/passwd`."""
    return ["/bin/sh", "-c", _ENSURE, "sh", user.name, str(user.uid), user.home]


def find(passwd: str, user: User) -> Account:
    """The user as `/etc/passwd` knows them by name and number, else by number, else as they say themselves."""
    rows = [row for line in passwd[:_MOST_BYTES].splitlines() if len(row := line.split(":")) >= 7]
    numbered = [row for row in rows if row[2] == str(user.uid)]
    row = next((row for row in numbered if row[0] == user.name), next(iter(numbered), None))
    if row is None:
        return Account(user.name, user.uid, user.home, "/bin/sh")
    return Account(row[0], user.uid, row[5] or "/", row[6] or "/bin/sh")
