#!/bin/sh
# SPDX-License-Identifier: MIT
#
# reject.sh - what the compiler makes of the public header.
#
# reject/*.c and reject/*.cpp hold one mistake each and must not compile, even without -Wall (but
# GCC checks the arguments of go_panic only with -Wformat, and results only when it generates
# code).  With -DACCEPT the mistake is replaced by what was meant, which must compile without a
# warning: so none is refused for a reason of its own.  A line "says: TEXT" in a file is what the
# compiler must say.
# header.c and header.cpp must compile under every standard, with each of the header's switches.
#
# Compilers: $CC and $CXX, by default cc and c++; CXX=none leaves C++ out.
set -u
cd "$(dirname "$0")" || exit 1
CC=${CC:-cc}
CXX=${CXX:-c++}
common='-Werror -I../include'
lenient='-Wformat -S -o /dev/null'
strict='-fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wvla -fno-common'
unused='-Wno-unused-parameter -Wno-unused-but-set-parameter'
failures=0
count=0

failed()
{
	failures=$((failures + 1))
	echo "FAIL: $1"
	[ -z "${2:-}" ] || printf '%s\n' "$2" | head -n 20 | sed 's/^/    /'
}

# accepts WHAT COMMAND...: it must succeed
accepts()
{
	what=$1
	shift
	count=$((count + 1))
	output=$("$@" 2>&1) || failed "$what is not accepted" "$output"
}

# rejects COMPILER FILE: it must fail, and say what the file wants it to say
rejects()
{
	count=$((count + 1))
	# shellcheck disable=SC2086
	if output=$(LC_ALL=C $1 $common $lenient "$2" 2>&1); then
		failed "$1 accepts $2"
		return
	fi
	says=$(sed -n 's|^/\* says: \(.*\) \*/$|\1|p' "$2")
	case $output in
	*"$says"*) ;;
	*) failed "$1 rejects $2, but not with \"$says\"" "$output" ;;
	esac
}

# language COMPILER SUFFIX EXTRA STANDARD...
language()
{
	compiler=$1 suffix=$2 extra=$3
	shift 3
	for file in reject/*."$suffix"; do
		rejects "$compiler" "$file"
		# shellcheck disable=SC2086
		accepts "$file with -DACCEPT by $compiler" \
			$compiler $common $strict $unused -DACCEPT "$file"
	done
	for standard; do
		for switch in -DPLAIN -DGORO_NO_GO -DGORO_SHORT_NAMES; do
			# shellcheck disable=SC2086
			accepts "header.$suffix with $standard $switch by $compiler" \
				$compiler $common $strict $extra $standard $switch header.$suffix
		done
	done
}

language "$CC" c '-Wstrict-prototypes -Wmissing-prototypes' \
	-std=c11 -std=c17 -std=c2x -std=gnu11 -std=gnu17 -std=gnu2x
[ "$CXX" = none ] ||
	language "$CXX" cpp '' -std=c++11 -std=c++14 -std=c++17 -std=c++20 -std=gnu++20
echo "$count compilations, $failures failures"
[ "$failures" -eq 0 ] && [ "$count" -gt 0 ]
