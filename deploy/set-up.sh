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

if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    # Debian keeps this part of Python in a package of its own.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing python3-venv, which this Python lacks ..."
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    else
        say "This Python cannot make virtual environments. Install the part it lacks: sudo apt-get install python3-venv"
        exit 2
    fi
fi

say "Installing the locked packages into $venv (1 to 3 minutes the first time) ..."
"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --require-hashes -r requirements/dev.txt
"$venv/bin/pip" install --quiet --no-deps --no-build-isolation --editable .
