// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"time"
)

// memory: goroutines blocked in a receive; bytes of RSS and of page tables each, and ms from the
// first spawn until the last of them has started.
func memory(args []string) {
	n := size(args, 100_000, 1)
	rss := status("VmRSS:")
	pte := status("VmPTE:")
	start := time.Now()
	var started, ended sync.WaitGroup
	gate := make(chan int)
	parked := func() {
		started.Done()
		<-gate
	}
	for range n {
		started.Add(1)
		ended.Go(parked)
	}
	started.Wait()
	elapsed := time.Since(start)
	time.Sleep(50 * time.Millisecond) // the last ones are still on their way into the receive
	report("memory_rss", (status("VmRSS:")-rss)/float64(n), "B")
	report("memory_pte", (status("VmPTE:")-pte)/float64(n), "B")
	report("memory_create", milliseconds(elapsed), "ms")
	close(gate)
	ended.Wait()
}
