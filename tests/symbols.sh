#!/bin/sh
# SPDX-License-Identifier: MIT
#
# symbols.sh - what the libraries export and what they want from others.
#
# usage: symbols.sh SHARED ARCHIVE HEADER
#
# Both define, for all to see, the functions that HEADER declares with GO_API and nothing else.
# They want what libc has; what may be absent (a sanitizer, the C++ runtime) is weak.  The stack
# is not executable, nothing has to be relocated in the code, and symbols are bound at the start:
# a goroutine's stack may have no room for the dynamic linker.
# Tools: $NM and $READELF, by default nm and readelf.
set -u
LC_ALL=C
export LC_ALL
[ $# -eq 3 ] || { echo "usage: symbols.sh SHARED ARCHIVE HEADER" >&2; exit 2; }
shared=$1 archive=$2 header=$3
nm=${NM:-nm} readelf=${READELF:-readelf}

tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# Each check leaves a line in checks, a failed one also in failures: some run in subshells.
: >"$tmp/checks"
: >"$tmp/failures"

# nothing WHAT: standard input must be empty
nothing()
{
	echo "$1" >>"$tmp/checks"
	cat >"$tmp/found"
	[ -s "$tmp/found" ] || return 0
	echo "$1" >>"$tmp/failures"
	echo "FAIL: $1:"
	sed 's/^/    /' "$tmp/found"
}

# must_have WHAT COMMAND...: it must succeed
must_have()
{
	what=$1
	shift
	echo "$what" >>"$tmp/checks"
	"$@" >/dev/null && return
	echo "$what" >>"$tmp/failures"
	echo "FAIL: $what"
}

# A parameter may be a function pointer, so a declaration's first name before a parenthesis counts.
sed -n 's/(.*/(/; s/^GO_API .*[ *]\(go_[a-z0-9_]*\)($/\1/p' "$header" | sort >"$tmp/api"
[ "$(wc -l <"$tmp/api")" -eq "$(grep -c '^GO_API ' "$header")" ] && [ -s "$tmp/api" ] ||
	{ echo "FAIL: $header: some line of GO_API is not one function"; exit 1; }

$nm -D --defined-only "$shared" >"$tmp/dynamic" || exit 2
$nm -D --undefined-only "$shared" >"$tmp/wanted" || exit 2
$nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' | sort >"$tmp/archived" || exit 2
$nm -u "$archive" | awk 'NF == 2 && $1 == "U" { print $2 }' | sort >"$tmp/archive_wants" || exit 2
$readelf -lW "$shared" >"$tmp/segments" || exit 2
$readelf -dW "$shared" >"$tmp/tags" || exit 2

# --- What is exported ---------------------------------------------------------------------

awk '$2 != "A" { sub("@.*", "", $3); print $3 }' "$tmp/dynamic" | sort >"$tmp/exported"
comm -13 "$tmp/exported" "$tmp/api" | nothing "declared, but not exported by $shared"
comm -23 "$tmp/exported" "$tmp/api" | nothing "exported by $shared, but not declared"
comm -13 "$tmp/archived" "$tmp/api" | nothing "declared, but not in $archive"
comm -23 "$tmp/archived" "$tmp/api" | nothing "global in $archive, but not declared"
awk '$2 != "A" && $3 !~ /@@GORO_[0-9.]+$/' "$tmp/dynamic" | nothing "exported without a version"

# --- What is wanted -----------------------------------------------------------------------

awk '$1 == "U" && $2 !~ /@GLIBC_/' "$tmp/wanted" | nothing "wanted by $shared from who knows whom"
{
	awk '$1 == "U" { sub("@.*", "", $2); print $2 }' "$tmp/wanted"
	printf '%s\n' _GLOBAL_OFFSET_TABLE_ atexit pthread_atfork # in libc's static part
	echo __popcountdi2 # in libgcc.a, as the compiler likes
} | sort -u >"$tmp/libc"
comm -23 "$tmp/archive_wants" "$tmp/libc" | nothing "wanted by $archive, but not by $shared"
sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' "$tmp/tags" |
	grep -Ev '^(libc\.so\.6|libpthread\.so\.0|ld-linux.*\.so\.[0-9])$' | nothing "libraries needed"

# --- How it is linked -----------------------------------------------------------------------

must_have "$shared: no SONAME libgoro.so.0" grep -q '(SONAME).*\[libgoro\.so\.0\]' "$tmp/tags"
must_have "$shared: not bound at start" grep -Eq 'BIND_NOW|FLAGS.*NOW' "$tmp/tags"
must_have "$shared: no RELRO" grep -q GNU_RELRO "$tmp/segments"
grep TEXTREL "$tmp/tags" | nothing "$shared: relocations in the code"
must_have "$shared: no GNU_STACK" grep -q GNU_STACK "$tmp/segments"
grep 'GNU_STACK.*RWE' "$tmp/segments" | nothing "$shared: an executable stack"
awk '$1 == "LOAD" && /RWE/' "$tmp/segments" | nothing "$shared: memory both writable and executable"
$readelf -SW "$archive" >"$tmp/sections" || exit 2
must_have "$archive: no .note.GNU-stack" grep -q 'note\.GNU-stack' "$tmp/sections"
grep 'note\.GNU-stack.* X ' "$tmp/sections" | nothing "$archive: an executable stack"

echo "$(wc -l <"$tmp/api") functions, $(wc -l <"$tmp/checks") checks, $(wc -l <"$tmp/failures") failures"
[ ! -s "$tmp/failures" ]
