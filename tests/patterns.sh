#!/bin/sh
# SPDX-License-Identifier: MIT
#
# patterns.sh - runs every program of examples/patterns on each number of Ps (default: 1, 2, 8) and
# compares what it prints with what it has to.  They check themselves, too, and that no goroutine
# is left.
#
# usage: patterns.sh EXAMPLES [PS...]
#
# EXAMPLES is the directory of the built examples.  GORO_EMULATOR, if set, is the command to run
# them with.
set -u
LC_ALL=C
export LC_ALL
unset GORO_TRACEBACK
TSAN_OPTIONS="atexit_sleep_ms=0 ${TSAN_OPTIONS:-}" # or each run takes a second longer
export TSAN_OPTIONS
[ $# -ge 1 ] || { echo "usage: patterns.sh EXAMPLES [PS...]" >&2; exit 2; }
bin=$(cd "$1" && pwd) && sources=$(cd "$(dirname "$0")/../examples/patterns" && pwd) || exit 2
shift
[ $# -gt 0 ] || set -- 1 2 8
emulator=${GORO_EMULATOR:-}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
cd "$tmp" || exit 2
failures=0
count=0

failed()
{
	failures=$((failures + 1))
	echo "FAIL: GORO_PROCS=$GORO_PROCS $pattern: $1"
	for f in out err want; do
		echo "  $f:"
		[ ! -f $f ] || head -n 60 $f | cut -c 1-300 | sed 's/^/    /'
	done
}

# prints PATTERN TEXT: it must print these lines, nothing on stderr, and succeed
prints()
{
	pattern=$1
	printf '%s\n' "$2" >want
	: >"seen_$pattern"
	count=$((count + 1))
	timeout -k 10 300 $emulator "$bin/$pattern" >out 2>err
	status=$?
	[ $status -eq 0 ] || failed "exit status $status, not 0"
	cmp -s want out || failed 'stdout is not what is wanted'
	[ ! -s err ] || failed 'stderr is not empty'
}

check_sharing()
{
	prints worker_pool '100 answers; the longest: 168 steps from 1055'
	prints fan_out '1229 of the 9998 numbers are primes'
	prints fan_in '50 in order from source 0
50 in order from source 1
50 in order from source 2'
	prints semaphore '200 tasks, never more than 3 at a time'
	prints bounded '100 files, never more than 4 units at a time: 39e633baf38c86e8'
	prints rate_limit 'steady: 10 requests, the last not before 10 periods
bursty: 4 requests at once, 10 more not before 10 periods'
	prints queue 'wait a while: 1 2 3, 5 lost
drop newest:  1 2 3, 5 lost
drop oldest:  6 7 8, 5 lost
wait:         1000 through a queue for 3, 0 lost'
}

check_channels()
{
	prints signals '5 runners started and stopped; the result is 42'
	prints or_channel 'any of 5 signals is heard, and so is stop'
	prints or_done 'called away from an endless source: 5050
all of a finite one: 6'
	prints tee '1 to 15: sum 120, product 1307674368000'
	prints bridge '1 2 3 4 5 6 7 8 9 10 11 12'
	prints publish 'all: 1 2 3 4 5
slow: 1 2
left early: 1 2 3
lost: 3'
}

check_ends()
{
	prints cancel '1 9 25 49 81 and then: context canceled'
	prints timeouts 'after: 42
after: no answer in time
context: 84
context: context deadline exceeded'
	prints errors 'fail fast: Input/output error
collect: 1900 bytes
collect: part 0: Permission denied
collect: part 3: Permission denied
collect: part 6: Permission denied'
	prints stop_worker 'all that was accepted is finished, what came later is refused'
}

check_care()
{
	prints heartbeat 'healthy: 3 of 3 results
sick: 0 of 3 results, then no sign of life'
	prints supervisor '  file closed
  panic: job -3 makes no sense
  file closed
  panic: job -5 makes no sense
  file closed
5 jobs done, 2 panics
  file closed
  panic: job -2 makes no sense
  file closed
  panic: job -3 makes no sense
  file closed
  panic: job -4 makes no sense
  file closed
  panic: job -5 makes no sense
1 jobs done, 4 panics, given up'
	prints fire_and_forget '8 sent, 2 failed'
	prints count_log 'alarm: more than 10 goroutines'
}

check_state()
{
	prints counter '10000 calls, average 250, greatest 10000'
	prints safe_map '960 960 /
960 960 /about
960 960 /blog
960 960 /contact
960 960 /shop'
	prints reload '100 versions, in use: 100'
	prints singleton '50 asked for "stock", opened 1 time'
}

# All are tested above and in the README; and each must notice that it cannot print.
check_all()
{
	for pattern in "$sources"/*.c; do
		pattern=$(basename "$pattern" .c)
		[ -f "seen_$pattern" ] || failed 'not tested here'
		grep -q "^|.*\`$pattern\`" "$sources/../README.md" ||
			failed 'not in examples/README.md'
		count=$((count + 1))
		rm -f out want
		timeout -k 10 300 $emulator "$bin/$pattern" >/dev/full 2>err
		status=$?
		[ $status -eq 1 ] || failed "on a full disk: exit status $status, not 1"
		grep -qx "$pattern: standard output: No space left on device" err ||
			failed 'does not say that the disk is full'
	done
}

for GORO_PROCS; do
	export GORO_PROCS
	check_sharing
	check_channels
	check_ends
	check_care
	check_state
done
check_all
echo "$count runs of patterns, $failures failures"
[ $failures -eq 0 ]
