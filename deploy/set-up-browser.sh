#!/usr/bin/env bash
# The tests look at pages with Chromium; where it cannot be had, they say so and are skipped.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

for name in chromium google-chrome chromium-browser; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "No Chromium here: the tests that look at pages are skipped (sudo apt-get install chromium)."
    exit 0
fi
say "Installing Chromium for the tests that look at pages: apt-get install chromium (1 to 2 minutes, once) ..."
export DEBIAN_FRONTEND=noninteractive
if ! said=$(apt-get update -qq 2>&1 && apt-get install -y -qq --no-install-recommends chromium 2>&1); then
    say "$said"
    say "apt-get could not install it: the tests that look at pages are skipped."
fi
