// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
)

const skynetChildren = 10

// skynet: a tree of goroutines with ten children each; every leaf sends its number to its parent
// over an unbuffered channel, every parent the sum of what it got; ms, warm.
func skynet(args []string) {
	leaves := size(args, 1_000_000, skynetChildren)
	n := leaves
	for n%skynetChildren == 0 {
		n /= skynetChildren
	}
	if n != 1 {
		fmt.Fprintf(os.Stderr, "skynet: size must be a power of %d\n", skynetChildren)
		os.Exit(2)
	}
	warm("skynet", runSkynet, leaves)
}

func node(parent chan<- int, first, leaves int) {
	if leaves == 1 {
		parent <- first
		return
	}
	c := make(chan int)
	share := leaves / skynetChildren
	for i := range skynetChildren {
		go node(c, first+i*share, share)
	}
	sum := 0
	for range skynetChildren {
		sum += <-c
	}
	parent <- sum
}

func runSkynet(leaves int) {
	c := make(chan int)
	go node(c, 0, leaves)
	check(<-c == leaves*(leaves-1)/2, "skynet: the sum of all leaves")
}
