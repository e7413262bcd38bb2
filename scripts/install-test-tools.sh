#!/usr/bin/env bash
# Installs what the tests need and this machine lacks: Debian packages, and the npm and PyPI clients that are tested
# against. Running it again does nothing. Services that come with a package are neither started nor enabled: the
# tests start servers of their own, on free ports and in temporary folders.
set -euo pipefail
cd "$(dirname "$0")/.."

have() { command -v "$1" >/dev/null 2>&1; }

missing=()
need() { # need PACKAGE CHECK…: the package, unless the check passes
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

# A compiler for the C in SQLite and ring.
need gcc have cc
need postgresql compgen -G '/usr/lib/postgresql/*/bin/initdb'
need redis-server have redis-server
need ffmpeg have ffmpeg
need chromium have chromium
need nodejs have node
need npm have npm
need python3-venv python3 -c 'import venv, ensurepip'

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
    if ! have apt-get || { [ "$(id -u)" != 0 ] && ! have sudo; }; then
        echo "The tests need these Debian packages, or the same from elsewhere: ${missing[*]}" >&2
        echo "Install them by hand and run this again." >&2
        exit 1
    fi
    echo "Installing: ${missing[*]}"
    # Debian asks this script whether a package may start its service; 101 is no.
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    as_root apt-get -q update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
    if [ -d /run/systemd/system ]; then
        local package
        for package in "${missing[@]}"; do
            case $package in postgresql | redis-server) as_root systemctl disable --now "$package" || true ;; esac
        done
    fi
}

[ ${#missing[@]} = 0 ] || install_packages

# The stamps say which list was installed last, so that a second run costs nothing.
node_stamp=tests/interop/node_modules/.installed
if ! cmp -s tests/interop/package-lock.json "$node_stamp"; then
    (cd tests/interop && npm ci --no-fund --no-audit --loglevel=error)
    cp tests/interop/package-lock.json "$node_stamp"
fi

if ! cmp -s tests/interop/requirements.txt .venv/installed.txt; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -r tests/interop/requirements.txt
    cp tests/interop/requirements.txt .venv/installed.txt
fi

echo "Everything the tests need is here."
