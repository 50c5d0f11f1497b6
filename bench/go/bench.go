// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	benchRuns = 5 // runs in one process, for what is reported warm
	benchCold = 2 // the first of them, which do not count
)

// size is the first argument, else standard: a positive multiple of unit.
func size(args []string, standard, unit int) int {
	n := standard
	if len(args) > 0 {
		var err error
		if n, err = strconv.Atoi(args[0]); err != nil {
			n = 0
		}
	}
	if len(args) > 1 || n <= 0 || n%unit != 0 {
		fmt.Fprintf(os.Stderr, "size: a positive multiple of %d (default %d)\n", unit, standard)
		os.Exit(2)
	}
	return n
}

func report(name string, value float64, unit string) {
	fmt.Printf("%s %.3f %s %d\n", name, value, unit, runtime.GOMAXPROCS(0))
}

// check ends a bench that computed something wrong.
func check(ok bool, what string) {
	if !ok {
		fmt.Fprintf(os.Stderr, "bench: wrong result: %s\n", what)
		os.Exit(1)
	}
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1e6
}

// each reports nanoseconds an operation: run(n) does n of them, after a tenth as many untimed.
func each(name string, run func(n int), n int) {
	run(n / 10)
	start := time.Now()
	run(n)
	report(name, float64(time.Since(start).Nanoseconds())/float64(n), "ns")
}

// warm reports milliseconds for run(n): the median of the runs after the cold ones.
func warm(name string, run func(n int), n int) {
	var ms []float64
	for range benchRuns {
		start := time.Now()
		run(n)
		ms = append(ms, milliseconds(time.Since(start)))
	}
	ms = ms[benchCold:]
	slices.Sort(ms)
	report(name, ms[len(ms)/2], "ms")
}

// status is a field of /proc/self/status in bytes.
func status(field string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	check(err == nil, field)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			check(err == nil, field)
			return kib * 1024
		}
	}
	check(false, field)
	return 0
}

// cpu is the user and system time of all threads so far.
func cpu() time.Duration {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil, "getrusage")
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
