// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"time"
)

// sleepers: goroutines sleep a random 0 to 1000 ms; ms of wall clock until all are back (hardly
// less than 1000), ms of CPU, and the greatest RSS.
func sleepers(args []string) {
	n := size(args, 30_000, 1)
	state := uint64(1)
	before := cpu()
	start := time.Now()
	var wg sync.WaitGroup
	for range n {
		delay := nextDelay(&state)
		wg.Go(func() { time.Sleep(delay) })
	}
	wg.Wait()
	elapsed := time.Since(start)
	report("sleepers_wall", milliseconds(elapsed), "ms")
	report("sleepers_cpu", milliseconds(cpu()-before), "ms")
	report("sleepers_rss", status("VmHWM:")/(1024*1024), "MiB")
}

// nextDelay gives the same sequence as in C; microseconds, 0 to 1,000,000.
func nextDelay(state *uint64) time.Duration {
	*state = *state*6364136223846793005 + 1442695040888963407
	return time.Duration((*state>>33)%1000001) * time.Microsecond
}
