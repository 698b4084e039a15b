# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the scripts of this folder and of tests/vm: where the cache is,
# how a cached thing is named after what it was made from, and how a long step
# is announced. Owns nothing but the cache folder.

set -euo pipefail

NCG_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
NCG_CACHE=${NCG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ncgate}

ncg_say() { printf '== %s\n' "$*" >&2; }
ncg_die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# ncg_key FILE...: twelve hex digits of the SHA-256 over the files' texts.
ncg_key() { cat -- "$@" | sha256sum | cut -c1-12; }

# ncg_publish TMP FINAL: a cached thing appears under its name whole or not at
# all, so that an interrupted build is never taken for a finished one.
ncg_publish() { mv -T -- "$1" "$2"; }
