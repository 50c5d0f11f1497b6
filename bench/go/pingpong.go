// SPDX-License-Identifier: MIT

package main

import "sync"

// pingpong: a value goes to a goroutine and back over unbuffered channels; ns a round trip.
func pingpong(args []string) {
	each("pingpong", runPingpong, size(args, 1_000_000, 1))
}

func echo(ping <-chan int, pong chan<- int) {
	for v := range ping {
		pong <- v
	}
}

func runPingpong(n int) {
	var wg sync.WaitGroup
	ping := make(chan int)
	pong := make(chan int)
	wg.Go(func() { echo(ping, pong) })
	for i := range n {
		ping <- i
		check(<-pong == i, "pingpong: another value came back")
	}
	close(ping)
	wg.Wait()
}
