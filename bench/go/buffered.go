// SPDX-License-Identifier: MIT

package main

import "sync"

const bufferedCapacity = 128

// buffered: producers and consumers on one channel of capacity 128, 1 + 1 and 4 + 4; ns an item.
func buffered(args []string) {
	n := size(args, 5_000_000, 4)
	each("buffered_1x1", func(n int) { transfer(1, n) }, n)
	each("buffered_4x4", func(n int) { transfer(4, n) }, n)
}

func produce(c chan<- int, n int) {
	for i := range n {
		c <- i
	}
}

func consume(c <-chan int, sum *int) {
	s := 0
	for v := range c {
		s += v
	}
	*sum = s
}

func transfer(pairs, n int) {
	var producers, consumers sync.WaitGroup
	c := make(chan int, bufferedCapacity)
	sums := make([]int, pairs)
	share := n / pairs
	for i := range pairs {
		consumers.Go(func() { consume(c, &sums[i]) })
		producers.Go(func() { produce(c, share) })
	}
	producers.Wait()
	close(c)
	consumers.Wait()
	total := 0
	for _, s := range sums {
		total += s
	}
	check(total == pairs*(share*(share-1)/2), "buffered: the sum of all items")
}
