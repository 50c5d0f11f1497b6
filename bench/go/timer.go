// SPDX-License-Identifier: MIT

package main

import "time"

// timer: a timer is created and stopped before it fires; ns a timer.
func timer(args []string) {
	each("timer", runTimer, size(args, 2_000_000, 1))
}

func runTimer(n int) {
	stopped := 0
	for range n {
		t := time.NewTimer(time.Hour)
		if t.Stop() {
			stopped++
		}
	}
	check(stopped == n, "timer: stopped before it fired")
}
