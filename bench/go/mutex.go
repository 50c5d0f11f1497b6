// SPDX-License-Identifier: MIT

package main

import "sync"

// mutex: lock, increment, unlock, by 8 goroutines at once and by one alone; ns an operation.
func mutex(args []string) {
	n := size(args, 10_000_000, 8)
	each("mutex_8", func(n int) { together(8, n) }, n)
	each("mutex_alone", func(n int) { together(1, n) }, n)
}

var (
	lock    sync.Mutex
	counter int
)

func increment(n int) {
	for range n {
		lock.Lock()
		counter++
		lock.Unlock()
	}
}

func together(goroutines, n int) {
	var wg sync.WaitGroup
	counter = 0
	for range goroutines {
		wg.Go(func() { increment(n / goroutines) })
	}
	wg.Wait()
	check(counter == n/goroutines*goroutines, "mutex: the count")
}
