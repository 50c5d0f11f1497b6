// SPDX-License-Identifier: MIT

package main

import "time"

// sieve: the concurrent prime sieve, one filter goroutine for each prime on unbuffered channels;
// ms for the first primes, cold.
func sieve(args []string) {
	n := size(args, 2000, 1)
	start := time.Now()
	prime := nthPrime(n)
	elapsed := time.Since(start)
	check(isPrime(prime) && (n != 2000 || prime == 17389), "sieve: the last prime")
	report("sieve", milliseconds(elapsed), "ms")
}

func generate(out chan<- int) {
	for i := 2; ; i++ {
		out <- i
	}
}

func filter(in <-chan int, out chan<- int, prime int) {
	for v := range in {
		if v%prime != 0 {
			out <- v
		}
	}
}

func nthPrime(n int) int {
	c := make(chan int)
	go generate(c)
	prime := 0
	for range n {
		prime = <-c
		next := make(chan int)
		go filter(c, next, prime)
		c = next
	}
	return prime
}

func isPrime(v int) bool {
	for d := 2; d*d <= v; d++ {
		if v%d == 0 {
			return false
		}
	}
	return v >= 2
}
