#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples.sh - runs every example on 1, 2 and 8 Ps and compares what it prints with what it has to.
#
# usage: examples.sh EXAMPLES HELPERS
#
# EXAMPLES is the directory of the built examples, HELPERS that of helper_wordfreq_plain, a plain
# single-threaded count that wordfreq must agree with.  GORO_EMULATOR, if set, is the command to
# run them with.
set -u
LC_ALL=C
export LC_ALL
unset GORO_TRACEBACK POSIXLY_CORRECT
TSAN_OPTIONS="atexit_sleep_ms=0 ${TSAN_OPTIONS:-}" # or each run takes a second longer
export TSAN_OPTIONS
[ $# -eq 2 ] || { echo "usage: examples.sh EXAMPLES HELPERS" >&2; exit 2; }
bin=$(cd "$1" && pwd) && helpers=$(cd "$2" && pwd) || exit 2
emulator=${GORO_EMULATOR:-}
for f in "$bin/hello" "$bin/primes" "$bin/pipeline" "$bin/workers" "$bin/select" "$bin/timeout" \
	 "$bin/wordfreq" "$helpers/helper_wordfreq_plain"; do
	[ -x "$f" ] || { echo "examples.sh: $f is not there" >&2; exit 2; }
done
tmp=$(mktemp -d) || exit 2
trap 'chmod -R u+rwx "$tmp"; rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$tmp"
cd "$tmp" || exit 2
failures=0
count=0
all=999999999

# --- Checking -----------------------------------------------------------------------------

failed()
{
	failures=$((failures + 1))
	echo "FAIL: GORO_PROCS=$GORO_PROCS $what: $1"
	for f in out err want; do
		echo "  $f:"
		[ ! -f $f ] || head -n 30 $f | cut -c 1-300 | sed 's/^/    /'
	done
}

# run STATUS EXAMPLE ARGUMENT...: leaves its output in the files out and err
run()
{
	want_status=$1 what="$2" example=$2
	shift 2
	for arg; do what="$what '$(printf %s "$arg" | tail -c 60)'"; done
	count=$((count + 1))
	rm -f want
	timeout -k 10 300 $emulator "$bin/$example" "$@" >out 2>err
	status=$?
	[ $status -eq "$want_status" ] || failed "exit status $status, not $want_status"
}

# out TEXT, err TEXT: what was printed must be these lines; nothing at all for no TEXT
out() { same out "$@"; }
err() { same err "$@"; }
same()
{
	if [ $# -gt 1 ]; then printf '%s\n' "$2" >want; else : >want; fi
	cmp -s want "$1" || failed "std$1 is not what is wanted"
}

# has FILE PATTERN: some line must match
has() { grep -q -- "$2" "$1" || failed "no line of std$1 matches '$2'"; }

# --- One function per example ---------------------------------------------------------------

# What all have in common: help, wrong options, an output that cannot be written
check_common()
{
	for example in hello primes pipeline workers select timeout wordfreq; do
		run 0 $example -h </dev/null
		err
		head -n 1 out | grep -q "^usage: $example \[-h\]" || failed 'no usage'
		run 2 $example -Z </dev/null
		out
		has err "^usage: $example "
	done
	full hello
	full primes
	full pipeline <text
	full workers 12
	full select 'echo x'
	full timeout -t 100 /
	full wordfreq
}

# full EXAMPLE ARGUMENT...: on a full disk it must say so and fail
full()
{
	example=$1
	what="$* >/dev/full"
	shift
	count=$((count + 1))
	: >out
	timeout -k 10 300 $emulator "$bin/$example" "$@" >/dev/full 2>err
	status=$?
	[ $status -eq 1 ] || failed "exit status $status, not 1"
	err "$example: standard output: No space left on device"
}

check_hello()
{
	run 0 hello
	out 'Hello, world!'
	err
	set --
	for i in 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29; do
		set -- "$@" "number $i"
	done
	run 0 hello "$@"
	sort out >sorted && mv sorted out
	out "$(for name; do echo "Hello, $name!"; done)"
	err
}

check_primes()
{
	run 0 primes
	out "$(seq 2 97 | factor | awk 'NF == 2 { print $2 }')"
	err
	run 0 primes 300
	out "$(seq 2 1987 | factor | awk 'NF == 2 { print $2 }')"
	err
	run 0 primes 0
	out
	err
	for n in '' x 1x 100000 -1; do
		run 2 primes "$n"
		out
		has err '^usage: primes '
	done
	run 2 primes 1 2
	has err '^usage: primes '
}

check_pipeline()
{
	for size in 0 1 9 65535 65536 65537 131072 1000000 3000001; do
		head -c $size text >input
		run 0 pipeline <input
		cmp -s input out || failed 'output differs from input'
		crc=$(gzip -nc input | tail -c 8 | od -An -tx1 | awk '{ print $4 $3 $2 $1 }')
		err "$crc  $size bytes"
	done
	printf 123456789 >input
	run 0 pipeline <input
	err 'cbf43926  9 bytes'

	{ printf 1234; sleep 0.3; printf 56789; } | { run 0 pipeline; err 'cbf43926  9 bytes'
		echo $failures >failures; }
	failures=$(cat failures)
	count=$((count + 1))
	run 1 pipeline <.
	out
	err 'pipeline: standard input: Is a directory
00000000  0 bytes'

	what='pipeline | true'
	count=$((count + 1))
	{ timeout -k 10 300 $emulator "$bin/pipeline" <text 2>err; echo $? >status; } | true
	[ "$(cat status)" -eq 1 ] || failed "exit status is $(cat status), not 1"
	err 'pipeline: standard output: Broken pipe'
}

check_workers()
{
	set -- $(seq 0 200) 600851475143 1000036000099 4294967291 9223372036854775808 \
		18446744073709551615 4294967296 1000000007 $(seq 1000000 1000050)
	run 0 workers "$@"
	out "$(factor "$@")"
	err
	run 0 workers -j 1 12 97
	out '12: 2 2 3
97: 97'
	run 0 workers -j 100 12
	out '12: 2 2 3'
	run 1 workers 12 x 18446744073709551616 184467440737095516150 '' 5 7.5
	out '12: 2 2 3
5: 5'
	err 'workers: x: not a whole number below 2^64
workers: 18446744073709551616: not a whole number below 2^64
workers: 184467440737095516150: not a whole number below 2^64
workers: : not a whole number below 2^64
workers: 7.5: not a whole number below 2^64'
	for j in 0 -1 x 10000 18446744073709551617; do
		run 2 workers -j $j 12
		out
		has err '^usage: workers '
	done
	run 2 workers
	has err '^usage: workers '
}

check_select()
{
	run 1 select 'for i in 1 2 3; do echo "a $i"; done' 'echo b; echo "  b 2"; printf end' \
		'exit 3' 'kill -KILL $$' 'true' 'yes 2>&1 | head -n 1'
	sort -s -k 1,1 out >sorted && mv sorted out # the order within each command stays
	out '1: a 1
1: a 2
1: a 3
2: b
2:   b 2
2: end
6: y'
	sort err >sorted && mv sorted err
	err 'select: 3: exit status 3
select: 4: killed by signal 9'

	run 0 select 'seq 2000' 'seq 2000' 'seq 2000'
	for i in 1 2 3; do
		sed -n "s/^$i: //p" out >lines
		seq 2000 | cmp -s - lines || failed "lines of command $i are missing or in disorder"
	done
	[ "$(wc -l <out)" -eq 6000 ] || failed 'not 6000 lines'
	err

	run 0 select -q 0.2 'sleep 2; echo late'
	out '1: late'
	has err '^select: 1 still at work$'
	for q in 0 -1 x 1x '' nan; do
		run 2 select -q "$q" true
		out
		has err '^usage: select '
	done
	run 2 select
	has err '^usage: select '
}

check_timeout()
{
	[ -p silent ] || mkfifo silent served
	exec 9<>served
	run 1 timeout -t 2 / text missing silent served /dev/null text/x
	exec 9>&-
	out '/: answers
text: answers
served: answers
/dev/null: answers'
	err 'timeout: missing: No such file or directory
timeout: silent: no answer within 2 s
timeout: text/x: Not a directory'
	run 0 timeout -t 100 / text
	out '/: answers
text: answers'
	err
	for t in 0 -1 x 1x '' inf; do
		run 2 timeout -t "$t" /
		out
		has err '^usage: timeout '
	done
	run 2 timeout
	has err '^usage: timeout '
}

# --- wordfreq -------------------------------------------------------------------------------

# plain STATUS ROOT...: what the single-threaded count makes of it must be what the last run of
# wordfreq -n $all has printed, but for the line about time
plain()
{
	want_status=$1
	shift
	$emulator "$helpers/helper_wordfreq_plain" "$@" >want 2>plain_err
	[ $? -eq "$want_status" ] || failed "helper_wordfreq_plain: $(cat plain_err)"
	tail -n 1 out >time
	sed '$d' out >counts
	cmp -s want counts || failed 'differs from the plain count'
	speed='[0-9.]+ s, ([0-9.]+|inf) MB/s'
	grep -Eqx "$speed, $GORO_PROCS workers, [0-9]+ goroutines, [0-9]+ steals" time ||
		failed "the last line is not as it should be"
	[ "$(sed 's/.*workers, \([0-9]*\) .*/\1/' time)" -ge $((GORO_PROCS + 2)) ] ||
		failed 'too few goroutines'
	[ "$(wc -l <plain_err)" -eq "$(wc -l <err)" ] || failed 'not as many complaints'
}

make_text()
{
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do
		cat /usr/share/common-licenses/GPL-? /usr/share/common-licenses/LGPL-?
	done >text
	while [ "$(wc -c <text)" -lt 3100000 ]; do
		cat text text >text2 && mv text2 text
	done
}

make_tree()
{
	mkdir small tree tree/many tree/empty 'tree/with space' tree/a
	printf 'The cat. the CAT'\''s don'\''t 3x42y-z\nA caf\303\251\000nul' >small/one
	printf the >small/two

	: >tree/nothing
	cp "$bin/wordfreq" tree/binary
	for i in 0 1 2 3; do
		for j in 0 1 2 3 4 5 6 7; do
			for k in 0 1 2 3 4 5 6 7; do printf "\\$i$j$k"; done
		done
	done >tree/bytes
	printf 'no newline at the end' >tree/a/unfinished
	printf '\n' >tree/a/newline
	for n in 65529 65530 65535 65536 65537 131067 131072 196608; do # words across buffers
		{ head -c $n /dev/zero; printf 'Boundary%s' word; } >tree/a/at$n
		{ head -c $n /dev/zero | tr '\0' x; printf ' end'; } >tree/a/long$n
	done
	head -c 1000003 /dev/zero | tr '\0' Q >tree/a/one_word
	cp text tree/large
	awk 'BEGIN {
		for (i = 0; i < 2000; i++) {
			f = "tree/many/f" i
			printf "%s small file of few words\n", i % 2 ? "Odd" : "Even" >f
			close(f)
		}
	}'
	d=tree/deep
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
		mkdir $d
		echo "level of depth" >$d/file
		d=$d/d
	done
	for name in 'name with spaces' 'new
line' -n '*' "$(printf 'caf\351')" "it's" .hidden; do
		echo "odd names are names" >"tree/with space/$name"
	done

	ln -s large tree/link # none of these is followed, opened, or complained of
	ln -s .. tree/loop
	ln -s many tree/linked
	ln -s nowhere tree/dangling
	mkfifo tree/fifo
	perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) or die;
		bind(S, sockaddr_un("tree/socket")) or die' ||
		echo 'SKIP: no socket in the tree, it takes perl'

	mkdir beyond # deeper than a path can be long
	echo 'near words' >beyond/near
	(
		cd beyond || exit
		d=$(head -c 200 /dev/zero | tr '\0' d)
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
			mkdir $d && cd -P ./$d || exit
			echo 'far words' >far
		done
	) 2>/dev/null
}

check_wordfreq()
{
	run 0 wordfreq -n $all small
	err
	sed '$d' out >counts && mv counts out
	out '        3  the
        2  cat
        1  a
        1  caf
        1  don
        1  nul
        1  s
        1  t
        1  x
        1  y
        1  z
14 words, 11 different
2 files, 47 bytes'

	run 0 wordfreq
	err
	head -n 10 out >first
	run 0 wordfreq -n $all
	err
	plain 0
	head -n 10 out | cmp -s - first || failed 'the first ten are not the first ten'
	run 0 wordfreq -n 3 small/one
	[ "$(wc -l <out)" -eq 6 ] || failed 'not three words and three lines'
	run 0 wordfreq -n 0 tree/empty
	head -n 2 out >counts && mv counts out
	out '0 words, 0 different
0 files, 0 bytes'
	for n in -1 x 1x '' 1000000000; do
		run 2 wordfreq -n "$n" small
		out
		has err '^usage: wordfreq '
	done

	run 0 wordfreq -n $all tree
	err
	plain 0 tree
	run 0 wordfreq -n $all tree/linked/ tree/linked tree/link small/two tree/deep tree/deep
	err
	plain 0 tree/linked/ tree/linked tree/link small/two tree/deep tree/deep
}

# What cannot be read is named with the reason, everything else is counted
check_wordfreq_problems()
{
	set -- missing tree '' small/none tree/dangling small/one/x tree/fifo small
	run 1 wordfreq -n $all "$@"
	sort err >sorted && mv sorted err
	err 'wordfreq: : No such file or directory
wordfreq: missing: No such file or directory
wordfreq: small/none: No such file or directory
wordfreq: small/one/x: Not a directory
wordfreq: tree/dangling: No such file or directory
wordfreq: tree/fifo: Not a directory'
	plain 1 "$@"
	if [ -f /proc/self/mem ]; then
		run 1 wordfreq -n $all small /proc/self/mem
		err 'wordfreq: /proc/self/mem: Input/output error'
		plain 1 small /proc/self/mem
	fi
	run 1 wordfreq -n $all beyond
	[ "$(wc -l <err)" -eq 1 ] && has err '^wordfreq: beyond/d*/.*: File name too long$'
	has out '^ *[0-9]*  near$'
	has out '^ *[0-9]*  far$'
	plain 1 beyond

	nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'
	if [ "$(id -u)" -ne 0 ]; then
		run 1 wordfreq -n $all locked
	elif cp "$bin/wordfreq" . && $nobody $emulator ./wordfreq -h >/dev/null 2>&1; then
		what='wordfreq locked, by nobody'
		count=$((count + 1))
		timeout -k 10 300 $nobody $emulator ./wordfreq -n $all locked >out 2>err
		[ $? -eq 1 ] || failed 'exit status is not 1'
	else
		echo "SKIP: unreadable files: root reads all, and nobody cannot run wordfreq here"
		return
	fi
	sort err >sorted && mv sorted err
	err 'wordfreq: locked/dir: Permission denied
wordfreq: locked/file: Permission denied'
	sed '$d' out >counts && mv counts out
	out '        1  readable
1 words, 1 different
1 files, 8 bytes'
}

# On a terminal there is a line that says how far it is, and is gone at the end
check_wordfreq_progress()
{
	if ! script -qec true /dev/null </dev/null >/dev/null 2>&1; then
		echo "SKIP: progress line: it takes script(1)"
		return
	fi
	what='wordfreq on a terminal'
	count=$((count + 1))
	truncate -s 128M sparse
	timeout -k 10 300 script -qec "$emulator '$bin/wordfreq' missing sparse" /dev/null </dev/null >tty
	[ $? -eq 1 ] || failed 'exit status is not 1'
	tr '\r\033' '\n!' <tty >out
	: >err
	has out '^![[]K[0-9]* files, [0-9]* MB$'
	has out '^![[]Kwordfreq: missing: No such file or directory$'
	has out '^![[]K0 words, 0 different$'
	rm sparse
}

make_text
make_tree
mkdir locked locked/dir
printf readable >locked/readable
printf unreadable >locked/file
echo hidden >locked/dir/file
chmod 0 locked/dir locked/file

for GORO_PROCS in 1 2 8; do
	export GORO_PROCS
	check_hello
	check_primes
	check_pipeline
	check_workers
	check_select
	check_timeout
	check_wordfreq
	check_wordfreq_problems
done
check_common
check_wordfreq_progress
echo "$count runs of examples, $failures failures"
[ $failures -eq 0 ]
