#!/bin/sh
# SPDX-License-Identifier: MIT
#
# install.sh - what is installed can be used: by pkg-config, by CMake, shared and static.
#
# usage: install.sh ROOT
#
# Builds and installs the library of ROOT into a temporary prefix, without what its tests need, and
# then builds and runs a program with it in every way that the README shows.
# Tools: $CC and $CXX, by default cc and c++, and cmake and pkg-config.
set -u
LC_ALL=C
export LC_ALL
[ $# -eq 1 ] && root=$(cd "$1" && pwd) || { echo "usage: install.sh ROOT" >&2; exit 2; }
CC=${CC:-cc}
CXX=${CXX:-c++}
export CC CXX

tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
cd "$tmp" || exit 2
prefix=$tmp/prefix
failures=0
count=0

# step WHAT COMMAND...: it must succeed
step()
{
	what=$1
	shift
	count=$((count + 1))
	"$@" >log 2>&1 && return 0
	failures=$((failures + 1))
	echo "FAIL: $what: $*"
	tail -n 30 log | sed 's/^/    /'
	return 1
}

# says WHAT COMMAND...: it must greet, and its sum must be right
says()
{
	what=$1
	shift
	step "$what" timeout -k 10 60 "$@" || return
	[ "$(cat log)" = 'hello: 5050' ] && return
	failures=$((failures + 1))
	echo "FAIL: $what: $* says:"
	sed 's/^/    /' log
}

cat >hello.c <<'END'
#include <goro.h>
#include <stdio.h>
#include <string.h>

static void count(int from, int to, go_sender(int) out)
{
	int sum = 0;

	for (int i = from; i <= to; i++)
		sum += i;
	go_send(out, sum);
}
GO_TASK(count, int, int, go_sender(int));

static int app(int argc, char **argv)
{
	go_chan(int) sums = go_make(int, 0);
	int sum = 0, one = 0;

	(void)argv;
	if (argc > 1)
		return strcmp(go_version(), argv[1]) != 0;
	for (int i = 0; i < 10; i++)
		go(count, 10 * i + 1, 10 * i + 10, go_send_only(sums));
	for (int i = 0; i < 10; i++) {
		go_recv(sums, &one);
		sum += one;
	}
	go_unref(sums);
	printf("hello: %d\n", sum);
	return 0;
}
GO_MAIN(app)
END
cat >hello.cpp <<'END'
#include <goro.h>
#include <cstdio>

static int app(int, char **)
{
	auto sums = go_make(int, 0);
	int sum = 0, one = 0;

	for (int i = 0; i < 10; i++)
		go([=] {
			int part = 0;

			for (int k = 1; k <= 10; k++)
				part += 10 * i + k;
			go_send(sums, part);
		});
	for (int i = 0; i < 10; i++) {
		go_recv(sums, &one);
		sum += one;
	}
	go_unref(sums);
	std::printf("hello: %d\n", sum);
	return 0;
}
GO_MAIN(app)
END

# --- Installing -----------------------------------------------------------------------------

step configure cmake -S "$root" -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
	-DGORO_TESTS=OFF -DGORO_EXAMPLES=OFF -DGORO_BENCH=OFF || exit 1
step build cmake --build build --parallel 2 || exit 1
step install cmake --install build || exit 1
version=$(sed -n 's/^#define GORO_VERSION_[MP][A-Z]* \([0-9]*\)$/\1/p' "$root/include/goro.h" | paste -sd.)
(cd "$prefix" && find . ! -type d | sort) >installed
lib=$(cd "$prefix" && dirname "$(find . -name libgoro.a)")
cat >wanted <<END
./include/goro.h
$lib/cmake/goro/goroConfig.cmake
$lib/cmake/goro/goroConfigVersion.cmake
$lib/cmake/goro/goroTargets-release.cmake
$lib/cmake/goro/goroTargets.cmake
$lib/libgoro.a
$lib/libgoro.so
$lib/libgoro.so.0
$lib/libgoro.so.$version
$lib/pkgconfig/goro.pc
END
step 'the files installed' diff wanted installed
lib=$prefix/$lib

# --- pkg-config -------------------------------------------------------------------------------

PKG_CONFIG_PATH=$lib/pkgconfig
export PKG_CONFIG_PATH
step 'version of pkg-config' [ "$(pkg-config --modversion goro)" = "$version" ]
flags=$(pkg-config --cflags --libs goro) || flags=
step 'shared library, C' $CC -o shared hello.c $flags &&
	says 'shared library, C' env LD_LIBRARY_PATH="$lib" ./shared
step 'version of the library' env LD_LIBRARY_PATH="$lib" ./shared "$version"
if $CXX --version >/dev/null 2>&1; then
	step 'shared library, C++' $CXX -o cxx hello.cpp $flags &&
		says 'shared library, C++' env LD_LIBRARY_PATH="$lib" ./cxx
fi

# --- By hand ------------------------------------------------------------------------------------

step 'static library' $CC -o archived -I"$prefix/include" hello.c "$lib/libgoro.a" -pthread &&
	says 'static library' ./archived
step 'all static' $CC -static -o static -I"$prefix/include" hello.c -L"$lib" -lgoro -pthread &&
	says 'all static' ./static

# --- CMake --------------------------------------------------------------------------------------

mkdir package subproject
cat >package/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(hello LANGUAGES C)
find_package(goro 0.1 REQUIRED)
add_executable(hello_shared ../hello.c)
target_link_libraries(hello_shared PRIVATE goro::goro)
add_executable(hello_static ../hello.c)
target_link_libraries(hello_static PRIVATE goro::static)
END
cat >subproject/CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.20)
project(hello LANGUAGES C)
add_subdirectory($root goro)
add_executable(hello_shared ../hello.c)
target_link_libraries(hello_shared PRIVATE goro::goro)
add_executable(hello_static ../hello.c)
target_link_libraries(hello_static PRIVATE goro::static)
END
for way in package subproject; do
	step "CMake $way" cmake -S $way -B $way/build -DCMAKE_PREFIX_PATH="$prefix" &&
		step "CMake $way" cmake --build $way/build --parallel 2 || continue
	says "CMake $way, shared" $way/build/hello_shared
	says "CMake $way, static" $way/build/hello_static
done

echo "$count steps, $failures failures"
[ $failures -eq 0 ]
