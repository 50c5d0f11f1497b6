// SPDX-License-Identifier: MIT

package main

import "sync"

const ringMembers = 503

// ring: 503 goroutines pass a token round unbuffered channels; ns a hop.
func ring(args []string) {
	n := size(args, 2_000_000, 1)
	var wg sync.WaitGroup
	done := make(chan int)
	links := make([]chan int, ringMembers)
	for i := range links {
		links[i] = make(chan int)
	}
	for i := range links {
		wg.Go(func() { member(i, links[i], links[(i+1)%ringMembers], done) })
	}
	each("ring", func(n int) {
		links[0] <- n
		check(<-done == n%ringMembers, "ring: where the token ended")
	}, n)
	for _, link := range links {
		close(link)
	}
	wg.Wait()
}

// The token counts the hops left; whoever gets it with none left reports.
func member(number int, in <-chan int, out, done chan<- int) {
	for left := range in {
		if left == 0 {
			done <- number
		} else {
			out <- left - 1
		}
	}
}
