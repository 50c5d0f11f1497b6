#!/bin/sh
# SPDX-License-Identifier: MIT
#
# orders.sh - every atomic operation stronger than relaxed says with which other one it pairs.
#
# usage: orders.sh ROOT
#
# In ROOT/src such an operation carries a tag, [like-this], in a comment on its line or on the one
# above.  Each tag stands at least twice at such operations, once where it releases and once where
# it acquires.  A tag whose comment says "with itself" may do both at one place.  Operations of
# the compiler's (__atomic_...) are for atomic.h alone, where the names are made.
set -u
LC_ALL=C
export LC_ALL
[ $# -eq 1 ] && cd "$1" || { echo "usage: orders.sh ROOT" >&2; exit 2; }

find src -name '*.[ch]' ! -path src/base/atomic.h | sort | xargs awk '
function fail(text) {
	print "FAIL: " text
	failures++
}
# Splits $0 into the globals code and comment; inside: we are in a comment of several lines
function split_line(	rest, i) {
	code = comment = ""
	rest = $0
	while (rest != "") {
		i = index(rest, inside ? "*/" : "/*")
		if (i == 0) {
			if (inside)
				comment = comment " " rest
			else
				code = code rest
			return
		}
		if (inside)
			comment = comment " " substr(rest, 1, i - 1)
		else
			code = code substr(rest, 1, i - 1)
		rest = substr(rest, i + 2)
		inside = !inside
	}
}
# The tags of a comment, into tag[1..]; returns how many
function tags_of(text,	n) {
	while (match(text, /\[[a-z][a-z0-9]*(-[a-z0-9]+)*\]/)) {
		tag[++n] = substr(text, RSTART, RLENGTH)
		if (substr(text, RSTART + RLENGTH) ~ /^,? *(pairs )?with itself/)
			alone[tag[n]] = 1
		text = substr(text, RSTART + RLENGTH)
	}
	return n
}
function side(op) {
	if (op ~ /^(load_acq|load_sc|xchg_acq|cas_acq)$/)
		return "acquire"
	if (op ~ /^(store_rel|store_sc|xchg_rel|add_rel|sub_rel|cas_rel)$/)
		return "release"
	return "both"
}
FNR == 1 {
	inside = 0
	above = ""
}
{
	split_line()
	if (code ~ /__atomic_|__sync_|atomic_[a-z]*_explicit/)
		fail(FILENAME ":" FNR ": an atomic operation that atomic.h does not name")
	rest = " " code
	while (match(rest, /[^a-z0-9_]((load|store|xchg|cas|add|sub|or|and)_(acq|rel|ar|sc)|fence_sc)\(/)) {
		op = substr(rest, RSTART + 1, RLENGTH - 2)
		rest = substr(rest, RSTART + RLENGTH)
		ops++
		n = tags_of(comment)
		if (n == 0)
			n = tags_of(above)
		if (n == 0)
			fail(FILENAME ":" FNR ": " op " has no tag")
		for (i = 1; i <= n; i++) {
			count[tag[i]]++
			seen[tag[i], side(op)]++
			where[tag[i]] = FILENAME ":" FNR
		}
	}
	above = comment
}
END {
	for (t in count) {
		tags++
		if (t in alone)
			continue
		if (count[t] < 2)
			fail(where[t] ": " t " stands at this place only")
		else if (!((t, "both") in seen) && !((t, "release") in seen))
			fail(where[t] ": " t " is never on a releasing side")
		else if (!((t, "both") in seen) && !((t, "acquire") in seen))
			fail(where[t] ": " t " is never on an acquiring side")
	}
	printf "%d operations, %d tags, %d failures\n", ops, tags, failures
	exit failures > 0 || ops == 0
}'
