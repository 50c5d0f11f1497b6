// SPDX-License-Identifier: MIT

package main

import "sync"

const (
	selectChannels = 4
	pollsPerItem   = 10
)

// select: one goroutine selects over 4 unbuffered channels, each with its producer; ns an item.
// And one case with a default, on a channel where nothing ever comes, which is a select with default
// and Go's way to try; ns an attempt.
func selects(args []string) {
	n := size(args, 1_000_000, selectChannels)
	each("select_4", fanIn, n)
	each("select_default", pollEmpty, n*pollsPerItem)
	each("tryrecv", pollEmpty, n*pollsPerItem)
}

func fanIn(n int) {
	var wg sync.WaitGroup
	var c [selectChannels]chan int
	share := n / selectChannels
	for i := range c {
		c[i] = make(chan int)
		wg.Go(func() { produce(c[i], share) })
	}
	sum := 0
	for range share * selectChannels {
		var v int
		select {
		case v = <-c[0]:
		case v = <-c[1]:
		case v = <-c[2]:
		case v = <-c[3]:
		}
		sum += v
	}
	wg.Wait()
	check(sum == selectChannels*(share*(share-1)/2), "select: the sum of all items")
}

func pollEmpty(n int) {
	c := make(chan int)
	received := 0
	for range n {
		select {
		case <-c:
			received++
		default:
		}
	}
	check(received == 0, "select_default: nobody sent anything")
}
