# Sets up what ./run needs: only what is missing, one line of progress for each step. Sourced, with $root set.
# The machine's own settings of apt, pip and uv hold: nothing here names a mirror or an index.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # root is set by ./run, SUDO_GID by sudo

state="$root/.loopyard"
uv="$state/tools/bin/uv"
worked=""

say() { printf '%s\n' "run: $*" >&2; }

fail() {
    say "$@"
    exit 1
}

# Runs a step with its output in a log; shows one line, and the end of the log when it fails.
step() {
    local name=$1 begun=$SECONDS
    shift
    mkdir -p "$state"
    say "$name ..."
    if ! "$@" >"$state/setup.log" 2>&1 </dev/null; then
        tail -n 25 "$state/setup.log" >&2
        fail "$name: failed (the whole log is $state/setup.log)"
    fi
    worked=yes
    say "$name: done in $((SECONDS - begun)) s"
}

# Continues as root: by itself, else through sudo, keeping the settings of the caller's environment.
as_root() {
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null || fail "sandboxes need root: run this as root, or install sudo"
    XDG_CONFIG_HOME=${XDG_CONFIG_HOME:-$HOME/.config} exec sudo -E -H -- "$root/run" "$@"
}

# Prepares these parts, one after another. A second set-up in the same checkout waits for this one.
prepare() {
    local part
    mkdir -p "$state"
    exec 9>"$state/setup.lock"
    flock 9
    for part in "$@"; do
        "prepare_$part"
    done
    exec 9>&-
    [ -z "$worked" ] || [ -z "${SUDO_UID:-}" ] || give_back
}

# What sudo made in someone's checkout belongs to them, so that the commands that need no root work without it.
give_back() {
    local path
    chown -h "$SUDO_UID:$SUDO_GID" "$state" "$state"/setup.*
    for path in "$state/tools" "$state/console" "$root/.venv" "$root/src/loopyard/console/vendor"; do
        [ ! -e "$path" ] || chown -hR "$SUDO_UID:$SUDO_GID" "$path"
    done
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    local install=(apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=600)
    # The lists on the machine may be missing, or older than the packages they name.
    "${install[@]}" "$@" || { apt-get update && "${install[@]}" "$@"; }
}

# Installs packages under a step's line.
packages() {
    command -v apt-get >/dev/null || fail "install these by hand, as there is no apt-get here: $*"
    [ "$(id -u)" -eq 0 ] || fail "these packages are missing: $*. Run ./run setup as root first."
    step "system packages ($*)" apt_install "$@"
}

# What each program that the sandboxes need comes from: program:package.
sandbox_programs=(
    crun:crun catatonit:catatonit mmdebstrap:mmdebstrap mkfs.btrfs:btrfs-progs nft:nftables ip:iproute2 mount:mount
    update-ca-certificates:ca-certificates buildah:buildah
)

prepare_sandboxes() {
    local pair missing=()
    for pair in "${sandbox_programs[@]}"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} -eq 0 ] || packages "${missing[@]}"
}

# PostgreSQL's programs for the tests and the benchmark, without a server that starts with the machine.
prepare_postgresql() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null && return
    local settings=/etc/postgresql-common/createcluster.d/loopyard.conf
    mkdir -p "${settings%/*}"
    echo 'create_main_cluster = false' >"$settings"
    packages postgresql
    rm -f "$settings"
}

# The clients that the tests of SSH use, and what they make small images of.
prepare_clients() {
    local missing=()
    command -v ssh >/dev/null || missing+=(openssh-client)
    command -v rsync >/dev/null || missing+=(rsync)
    [ -x /bin/busybox ] || missing+=(busybox-static)
    command -v musl-gcc >/dev/null || missing+=(musl-tools)
    [ ${#missing[@]} -eq 0 ] || packages "${missing[@]}"
}

# Docker for the tests of the provider that uses it: they start one of their own, so no service is to start or to stay.
prepare_docker() {
    ! command -v dockerd >/dev/null || return 0
    (
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap 'rm -f "$policy"' EXIT
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod 755 "$policy"
        fi
        packages docker.io
        ! command -v systemctl >/dev/null || systemctl disable docker.service docker.socket containerd.service || true
    ) || exit
    worked=yes
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Prints the Python to build on: 3.11 if it is there, else a newer one.
find_python() {
    local name
    for name in python3.11 python3.12 python3.13 python3.14 python3; do
        ! new_enough "$name" || { command -v "$name" && return; }
    done
    return 1
}

prepare_uv() {
    [ ! -x "$uv" ] || return 0
    local python version
    python=$(find_python) || { packages python3.11 && python=$(find_python); } || fail "Python 3.11 or newer is missing"
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    # Debian's Python makes environments only with a package of its own.
    "$python" -c 'import ensurepip' 2>/dev/null || packages "$version-venv"
    step "uv" install_uv "$python"
}

# From the package index that pip is set to, with the version and hashes of the lock.
install_uv() {
    rm -rf "$state/tools" &&
        "$1" -m venv "$state/tools.new" &&
        sed -n '/^uv==/,/[^\\]$/p' "$root/requirements.lock" >"$state/uv.lock" &&
        "$state/tools.new/bin/python" -m pip install --require-hashes -r "$state/uv.lock" &&
        mv "$state/tools.new" "$state/tools"
}

# Makes .venv what requirements.lock says, and nothing else. A stamp tells when that is already so.
prepare_environment() {
    prepare_uv
    local stamp="$root/.venv/loopyard-stamp" wanted
    wanted=$(cd "$root" && sha256sum requirements.lock pyproject.toml && echo "$root")
    [ "$wanted" = "$(cat "$stamp" 2>/dev/null)" ] && [ -x "$root/.venv/bin/python" ] && return
    # Programs in an environment name its folder: one that was moved is made anew.
    [ ! -e "$stamp" ] || grep -qxF "$root" "$stamp" || rm -rf "$root/.venv"
    step "Python environment" fill_environment
    echo "$wanted" >"$stamp"
}

fill_environment() {
    local python index
    python=$(find_python)
    export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true}
    # uv does not read pip's settings: where only pip is told of an index, tell uv the same.
    if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
        index=${PIP_INDEX_URL:-$("$state/tools/bin/python" -m pip config get global.index-url 2>/dev/null || true)}
        [ -z "$index" ] || export UV_DEFAULT_INDEX=$index
    fi
    new_enough "$root/.venv/bin/python" || "$uv" venv --clear --python "$python" "$root/.venv" || return
    local install=("$uv" pip install --python "$root/.venv/bin/python")
    "$uv" pip sync --python "$root/.venv/bin/python" --require-hashes "$root/requirements.lock" &&
        "${install[@]}" --no-deps --no-build-isolation --editable "$root"
}

# The scripts and styles of others that the console's pages load: fetched once, checked by hash, never committed.
prepare_console() {
    local stamp="$state/console/loopyard-stamp" wanted
    wanted=$(cd "$root" && sha256sum scripts/console/package-lock.json src/loopyard/console/vendor.json)
    [ "$wanted" = "$(cat "$stamp" 2>/dev/null)" ] && [ -d "$root/src/loopyard/console/vendor" ] && return
    step "scripts and styles of the console" "$root/.venv/bin/python" "$root/scripts/console/fetch.py"
    echo "$wanted" >"$stamp"
}

# Debian's browser, with a font, for the tests of the console.
prepare_browser() {
    local missing=()
    command -v chromium >/dev/null || missing+=(chromium)
    compgen -G '/usr/share/fonts/truetype/dejavu/*' >/dev/null || missing+=(fonts-dejavu-core)
    [ ${#missing[@]} -eq 0 ] || packages "${missing[@]}"
}

# The base image of the sandboxes, made once, and shared by all that ./run starts in this checkout.
prepare_image() {
    local link="$LOOPYARD_RUNTIME__IMAGES/base"
    if [ -e "$link" ]; then # it may be of another recipe: the program knows
        "$root/.venv/bin/loopyard" image base >/dev/null || fail "the base image of the sandboxes: failed"
    else
        step "base image of the sandboxes" "$root/.venv/bin/loopyard" image base
    fi
}
