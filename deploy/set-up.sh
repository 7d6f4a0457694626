#!/usr/bin/env bash
# Make the virtual environment that every make target uses.
set -euo pipefail
venv=$1
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }

if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
    say "agentruns needs Python 3.11 to 3.13, and '$python' is not one. Name one: make setup PYTHON=python3.12"
    exit 2
fi

missing=()
# Debian keeps this part of Python in a package of its own.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    missing+=("$("$python" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))')")
fi
# The mongod that we install needs it; a mongod of the machine's own brings what it needs.
if ! command -v "${AGENTRUNS_MONGOD:-mongod}" >/dev/null &&
    ! "$python" -c 'import ctypes; ctypes.CDLL("libcurl.so.4")' 2>/dev/null; then
    missing+=(libcurl4)
fi

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "This machine lacks ${missing[*]} (as Debian calls it). Install it, then try again: sudo apt-get install ${missing[*]}"
        exit 2
    fi
    say "Installing what this machine lacks: apt-get install ${missing[*]} ..."
    export DEBIAN_FRONTEND=noninteractive
    if ! said=$(apt-get update -qq 2>&1 && apt-get install -y -qq "${missing[@]}" 2>&1); then
        say "$said"
        say "apt-get could not install ${missing[*]}. Install it by hand, then try again."
        exit 2
    fi
fi

say "Installing the locked packages into $venv (1 to 3 minutes the first time) ..."
"$python" -m venv "$venv"
# The lock names every package, and the pip of Python 3.11 trips over those that are wanted with extras.
"$venv/bin/pip" install --quiet --no-deps --require-hashes -r requirements/dev.txt
"$venv/bin/pip" install --quiet --no-deps --no-build-isolation --editable .
