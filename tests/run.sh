#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - builds goro and runs all its tests, those that the arguments select (they go to ctest).
#
# Installs what is missing for that on Debian and its relatives: compilers for C and C++, CMake,
# make or ninja, pkg-config and cmocka.  If nothing is, it leaves apt-get alone.  Builds in build/
# or, if set, in $GORO_BUILD.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${GORO_BUILD:-$root/build}
. "$root/tests/packages.sh"

missing=
compiles "${CC:-cc}" || missing="$missing gcc libc6-dev"
"${CXX:-c++}" --version >/dev/null 2>&1 || missing="$missing g++"
has nm && has objcopy || missing="$missing binutils"
has cmake || missing="$missing cmake"
has ninja || has make || missing="$missing make"
has pkg-config || missing="$missing pkg-config"
pkg-config --exists cmocka 2>/dev/null || missing="$missing libcmocka-dev"
[ -z "$missing" ] || install $missing

echo "== building in $build" >&2
configure "$build" -DCMAKE_BUILD_TYPE=Release -DGORO_TESTS=ON -DGORO_EXAMPLES=ON -DGORO_BENCH=ON
quietly cmake --build "$build" --parallel "$(nproc)"

echo "== testing" >&2
cd "$build"
status=0
ctest -j2 --output-on-failure "$@" || status=$?
if [ $status -eq 0 ]; then
	echo "== all tests passed"
else
	echo "== some tests FAILED: their output is above, and in $build/Testing/Temporary/LastTest.log"
fi
exit $status
