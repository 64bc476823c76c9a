"""Repositories to be cloned: where they are, and how. The token is never an argument, a variable, or a file that
stays."""

from dataclasses import dataclass

from loopyard.launch.mounts import CodeMountParameters

CLONE = r"""
set -eu
url=$1 folder=$2 ref=$3
IFS= read -r token || :
exec < /dev/null
credentials=()
if [ -n "$token" ]; then
    file=$(mktemp -p /dev/shm)
    printf 'username=x-access-token\npassword=%s\n' "$token" > "$file"
    exec 3< "$file"
    rm -f -- "$file"
    credentials=(-c credential.helper= -c 'credential.helper=!f() { [ "$1" != get ] || cat /proc/self/fd/3; }; f')
fi
unset token
export GIT_TERMINAL_PROMPT=0
git "${credentials[@]}" clone --quiet -- "$url" "$folder"
[ -z "$ref" ] || git -C "$folder" checkout --quiet "$ref" --
"""
"""Arguments: the URL, the folder, and what to check out, or nothing for the default branch. The first line of standard
input is the token, or empty. Only git's own children can read it, from a file in memory that has no name any more."""


def token_place(index: int) -> str:
    """Key under which the token of a code mount is held, by its place among them."""
    return f"code.{index}"


@dataclass(frozen=True, slots=True)
class CodeHost:
    """URL above the repositories: `{url}/{owner}/{name}.git`."""

    url: str

    def repository(self, mount: CodeMountParameters) -> str:
        return f"{self.url.rstrip('/')}/{mount.repo_owner}/{mount.repo_name}.git"
