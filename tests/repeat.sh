#!/bin/sh
# SPDX-License-Identifier: MIT
#
# repeat.sh - runs test programs again and again, to find what fails once in a hundred times.
#
# usage: repeat.sh [-n TIMES] [-p "PROCS..."] [-j JOBS] BUILD [PROGRAM...]
#
# BUILD is a build directory with the tests in it.  PROGRAMs are names of test programs, patterns
# allowed ('go_*'); by default all but million, which wants the machine for itself.  Each runs
# TIMES times (20) with each of the numbers of Ps ("1 2 8 64"), JOBS (2) at a time.  Output of
# those that failed is kept in BUILD/repeat.  GORO_TEST_SLOW=10 makes loops ten times shorter.
set -u
times=20 procs='1 2 8 64' jobs=2
while getopts n:p:j: option; do
	case $option in
	n) times=$OPTARG ;;
	p) procs=$OPTARG ;;
	j) jobs=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] && [ -d "$1/tests" ] || { echo "usage: repeat.sh [-n TIMES] [-p PROCS] [-j JOBS] BUILD [PROGRAM...]" >&2; exit 2; }
build=$(cd "$1" && pwd)
shift
cd "$build/tests" || exit 2
[ $# -gt 0 ] || set -- '*'

programs=
for pattern; do
	found=
	for f in $pattern; do
		case $f in
		helper_* | million) continue ;;
		esac
		[ -f "$f" ] && [ -x "$f" ] && found="$found $f"
	done
	[ -n "$found" ] || { echo "repeat.sh: no test program $pattern in $build/tests" >&2; exit 2; }
	programs="$programs$found"
done
kept=$build/repeat
rm -rf "$kept"
mkdir -p "$kept"

# one PROGRAM PROCS NUMBER: a run, whose output is kept if it fails
export kept
one='
	log=$kept/$1.p$2.$3
	GORO_PROCS=$2 timeout 600 ./$1 >"$log" 2>&1
	status=$?
	if [ $status -eq 0 ]; then
		rm -f "$log"
	else
		echo "exit status $status" >>"$log"
		echo "FAIL: $1 with $2 Ps: status $status, see $log"
	fi'

i=0
while [ $i -lt "$times" ]; do
	i=$((i + 1))
	for f in $programs; do
		case $f in
		unit_*) echo "$f 1 $i" ;;
		*) for p in $procs; do echo "$f $p $i"; done ;;
		esac
	done
done | xargs -P "$jobs" -n 3 sh -c "$one" run
failed=$(find "$kept" -type f | wc -l)
runs=$(for f in $programs; do case $f in unit_*) echo 1 ;; *) echo $procs | wc -w ;; esac; done |
	awk -v times="$times" '{ n += $1 * times } END { print n }')
echo "$((runs - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
