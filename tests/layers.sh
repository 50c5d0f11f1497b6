#!/bin/sh
# SPDX-License-Identifier: MIT
#
# layers.sh - the folders of src are layers: nobody includes what stands below him.
#
# usage: layers.sh ROOT
#
# The table of modules in ROOT/src/README.md is the configuration.  A file may include only files
# of its own row and of rows above it, and the public header.  The table names every source file
# exactly once, has its rows numbered in order and its folders together, and the C files of
# CMakeLists.txt's source list come in its order.
set -u
LC_ALL=C
export LC_ALL
[ $# -eq 1 ] && cd "$1" || { echo "usage: layers.sh ROOT" >&2; exit 2; }

folders='base stack sched sync time ctx io debug'
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# number, folder, file: a line for each file of the table
sed -n 's/`//g; s/^| *\([0-9][0-9]*\) *|[^|]*|\([^|]*\)| *\([a-z]*\) *|.*/\1|\3|\2/p' src/README.md |
	awk -F'|' '{ n = split($3, f, " "); for (i = 1; i <= n; i++) print $1, $2, f[i] }' >"$tmp/table"
[ -s "$tmp/table" ] || { echo "FAIL: src/README.md has no table of modules"; exit 1; }

find src -name '*.[chS]' | sort >"$tmp/files"
awk '/^set\(sources/ { on = 1 } on { print } on && /\)/ { exit }' CMakeLists.txt |
	tr ' \t()' '\n\n\n\n' | grep '^src/.*\.c$' >"$tmp/sources"

# file, line, what it includes
xargs awk -F'"' '/^[ \t]*#[ \t]*include[ \t]*"/ { print FILENAME, FNR, $2 }' <"$tmp/files" >"$tmp/includes"

awk -v folders="$folders" '
function fail(text) {
	print "FAIL: " text
	failures++
}
function clean(path,	part, n, i, out, k) {	# a/b/../c: a/c
	n = split(path, part, "/")
	for (i = 1; i <= n; i++)
		if (part[i] == ".." && k > 0)
			k--
		else if (part[i] != ".")
			out[++k] = part[i]
	path = out[1]
	for (i = 2; i <= k; i++)
		path = path "/" out[i]
	return path
}
BEGIN {
	n = split(folders, f, " ")
	for (i = 1; i <= n; i++)
		rank[f[i]] = i
}
FILENAME ~ /table$/ {
	path = "src/" $2 "/" $3
	if ($1 != last && $1 != last + 1)
		fail("src/README.md: row " $1 " follows row " last)
	if (!($2 in rank))
		fail("src/README.md: row " $1 ": there is no folder " $2)
	else if (rank[$2] < at)
		fail("src/README.md: row " $1 ": the folder " $2 " belongs further up")
	else
		at = rank[$2]
	if (path in row)
		fail("src/README.md: " path " stands in it twice")
	last = $1
	row[path] = $1
	order[++norder] = path
	next
}
FILENAME ~ /files$/ {
	exists[$1] = 1
	if (!($1 in row))
		fail($1 " is missing in the table of src/README.md")
	next
}
FILENAME ~ /sources$/ {
	built[$1] = 1
	if ($1 in row && row[$1] < before)
		fail("CMakeLists.txt: " $1 " of row " row[$1] " comes after row " before)
	else
		before = row[$1]
	next
}
{
	dir = $1
	sub("/[^/]*$", "", dir)
	path = clean(dir "/" $3)
	includes++
	if (path == "include/goro.h")
		next
	if (!(path in row))
		fail($1 ":" $2 ": includes " $3 ", which is not in the table")
	else if ($1 in row && row[path] > row[$1])
		fail($1 ":" $2 ": row " row[$1] " includes " $3 " of row " row[path])
}
END {
	for (i = 1; i <= norder; i++) {
		if (!(order[i] in exists))
			fail("src/README.md: there is no " order[i])
		else if (order[i] ~ /\.c$/ && !(order[i] in built))
			fail("CMakeLists.txt: " order[i] " is not built")
	}
	printf "%d rows, %d files, %d includes, %d failures\n", last, norder, includes, failures
	exit failures > 0 || includes == 0
}' "$tmp/table" "$tmp/files" "$tmp/sources" "$tmp/includes"
