// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
)

// yield: two goroutines yield to each other; ns a yield.
func yield(args []string) {
	each("yield", runYield, size(args, 10_000_000, 2))
}

func runYield(n int) {
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range n / 2 {
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
}
