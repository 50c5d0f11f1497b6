// SPDX-License-Identifier: MIT

// The benches of ../*.c in Go: the same work, the same sizes, the same output.
//
//	bench NAME [size]
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

var benches = map[string]func(args []string){
	"buffered": buffered,
	"forkjoin": forkjoin,
	"memory":   memory,
	"mutex":    mutex,
	"pingpong": pingpong,
	"ring":     ring,
	"select":   selects,
	"sieve":    sieve,
	"skynet":   skynet,
	"sleepers": sleepers,
	"spawn":    spawn,
	"timer":    timer,
	"yield":    yield,
}

func main() {
	if len(os.Args) > 1 {
		if bench, ok := benches[os.Args[1]]; ok {
			bench(os.Args[2:])
			return
		}
	}
	var names []string
	for name := range benches {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(os.Stderr, "usage: %s NAME [size]\nNAME: %s\n", os.Args[0], strings.Join(names, " "))
	os.Exit(2)
}
