// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// sleepers: goroutines sleep a random 0 to 1000 ms; ms of wall clock until all are back (hardly
// less than 1000), ms of CPU, by how many ms the latest overslept, and the greatest RSS.
func sleepers(args []string) {
	n := size(args, 30_000, 1)
	state := uint64(1)
	before := cpu()
	start := time.Now()
	var wg sync.WaitGroup
	var latest atomic.Int64
	for range n {
		delay := nextDelay(&state)
		wg.Go(func() { sleeper(delay, &latest) })
	}
	wg.Wait()
	elapsed := time.Since(start)
	report("sleepers_wall", milliseconds(elapsed), "ms")
	report("sleepers_cpu", milliseconds(cpu()-before), "ms")
	report("sleepers_late", milliseconds(time.Duration(latest.Load())), "ms")
	report("sleepers_rss", status("VmHWM:")/(1024*1024), "MiB")
}

func sleeper(delay time.Duration, latest *atomic.Int64) {
	start := time.Now()
	time.Sleep(delay)
	late := int64(time.Since(start) - delay)
	for most := latest.Load(); late > most && !latest.CompareAndSwap(most, late); {
		most = latest.Load()
	}
}

// nextDelay gives the same sequence as in C; microseconds, 0 to 1,000,000.
func nextDelay(state *uint64) time.Duration {
	*state = *state*6364136223846793005 + 1442695040888963407
	return time.Duration((*state>>33)%1000001) * time.Microsecond
}
