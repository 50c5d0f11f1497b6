// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"sync"
)

const (
	forkjoinCutOff  = 10
	forkjoinLargest = 90
)

// forkjoin: Fibonacci numbers the slow way; down to n = 10 both calls are goroutines joined by a
// WaitGroup, below it all is sequential; ms, warm.
func forkjoin(args []string) {
	n := size(args, 30, 1)
	if n > forkjoinLargest {
		fmt.Fprintf(os.Stderr, "forkjoin: size must be at most %d\n", forkjoinLargest)
		os.Exit(2)
	}
	warm("forkjoin", runForkjoin, n)
}

func sequential(n int) int {
	if n < 2 {
		return n
	}
	return sequential(n-1) + sequential(n-2)
}

func fib(n int) int {
	if n < forkjoinCutOff {
		return sequential(n)
	}
	var wg sync.WaitGroup
	var a, b int
	wg.Go(func() { a = fib(n - 1) })
	wg.Go(func() { b = fib(n - 2) })
	wg.Wait()
	return a + b
}

func runForkjoin(n int) {
	a, b := 0, 1
	for range n {
		a, b = b, a+b
	}
	check(fib(n) == a, "forkjoin: the Fibonacci number")
}
