"""Applies patches in a devbox."""

APPLY_PATCH = r"""apply_patch() {
    local below tried
    command -v git >/dev/null || { patch --batch --strip=1 <"$1"; return; }
    below=$(git rev-parse --show-prefix 2>/dev/null)
    if [ -z "$below" ] || { tried=$(LC_ALL=C git apply --check --verbose "$1" 2>&1) &&
        ! grep -q '^Skipped patch ' <<<"$tried"; }; then
        git apply --verbose "$1"
    elif tried=$(git apply --check --directory="$below" "$1" 2>&1); then
        git apply --verbose --directory="$below" "$1"
    elif ! (cd "./$(git rev-parse --show-cdup)" && git apply --verbose "$1"); then
        printf 'and from %s:\n%s\n' "$PWD" "$tried" >&2
        return 1
    fi
}"""
"""Bash that defines `apply_patch FILE`. It ends with status 0 only if the whole patch was applied.

Paths of the patch begin at the top of the work tree, or in the working directory below it. `git apply` alone, run
below the top, passes over all that is not named from the top, and ends with status 0."""
