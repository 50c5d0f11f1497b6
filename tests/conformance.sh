#!/bin/sh
# SPDX-License-Identifier: MIT
#
# conformance.sh - the tests that tests/README.md says retell Go's are there.
#
# usage: conformance.sh ROOT
#
# In the tables under "What Go tests" the second column is `program`: `test`, `test`; and so on, or
# "none" with the reason.  Each program is a file of ROOT/tests and has these tests; `reject/` is
# the directory and has these files.
set -u
LC_ALL=C
export LC_ALL
[ $# -eq 1 ] && cd "$1" || { echo "usage: conformance.sh ROOT" >&2; exit 2; }

sed -n '/^## What Go tests/,$p' tests/README.md | awk -F'|' '
function fail(text) {
	print "FAIL: tests/README.md: " text
	failures++
}
function source(program,	path, line, i, n, suffix) {
	n = split(".c .cpp .sh", suffix, " ")
	for (i = 1; i <= n; i++) {
		path = "tests/" program suffix[i]
		if ((getline line <path) > 0) {
			close(path)
			return path
		}
	}
	return ""
}
function read(program,	path, line) {
	if (program in known)
		return
	known[program] = 1
	path = source(program)
	if (path == "")
		fail("there is no test program " program)
	while (path != "" && (getline line <path) > 0)
		while (match(line, /[a-z][a-z0-9_]*/)) {
			has[program, substr(line, RSTART, RLENGTH)] = 1
			line = substr(line, RSTART + RLENGTH)
		}
	if (path != "")
		close(path)
}
function there(program, test,	line, path) {
	if (program != "reject/") {
		read(program)
		return (program, test) in has
	}
	path = "tests/reject/" test
	return (getline line <path) > 0
}
/^### / { part = substr($0, 5); next }
!/^\|/ || /^\|---/ || $2 ~ /^ Go $/ { next }
{
	rows++
	program = ""
	rest = $3
	if (rest ~ /^ *none/) {
		if (rest !~ /none[^:]*: .../)
			fail(part ":" $2 "has no test and no reason")
		next
	}
	if (rest !~ /`/)
		fail(part ":" $2 "names no test")
	while (match(rest, /`[^`]*`:?/)) {
		word = substr(rest, RSTART + 1, RLENGTH - 2)
		is_program = sub(/`$/, "", word)	# it ended in "`:"
		rest = substr(rest, RSTART + RLENGTH)
		if (is_program) {
			program = word
			continue
		}
		tests++
		if (!there(program, word))
			fail(part ":" $2 ": " program " has no test " word)
	}
}
END {
	printf "%d rows, %d tests, %d failures\n", rows, tests, failures
	exit failures > 0 || rows == 0
}'
