#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - builds goro and runs the main example, wordfreq, with the arguments given.
#
# Installs what is missing for that on Debian and its relatives: a C compiler, CMake, and make or
# ninja.  If nothing is, it leaves apt-get alone.  Builds in build/ or, if set, in $GORO_BUILD.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${GORO_BUILD:-$root/build}

. "$root/tests/packages.sh"

missing=
compiles "${CC:-cc}" || missing="$missing gcc libc6-dev"
has cmake || missing="$missing cmake"
has ninja || has make || missing="$missing make"
[ -z "$missing" ] || install $missing

echo "== building in $build" >&2
options=
if ! [ -f "$build/CMakeCache.txt" ]; then # one that is there already keeps its other options
	options='-DGORO_TESTS=OFF -DGORO_BENCH=OFF'
fi
configure "$build" -DCMAKE_BUILD_TYPE=Release -DGORO_EXAMPLES=ON $options
quietly cmake --build "$build" --target examples_wordfreq --parallel "$(nproc)"

echo "== wordfreq${*:+ $*}" >&2
exec "$build/examples/wordfreq" "$@"
