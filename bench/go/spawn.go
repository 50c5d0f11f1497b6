// SPDX-License-Identifier: MIT

package main

import "sync"

const spawnBatch = 1000

// spawn: empty goroutines in batches of 1,000, each batch joined by a WaitGroup; ns a goroutine.
func spawn(args []string) {
	each("spawn", runSpawn, size(args, 1_000_000, spawnBatch))
}

func empty() {}

func runSpawn(n int) {
	for done := 0; done < n; done += spawnBatch {
		var wg sync.WaitGroup
		for range spawnBatch {
			wg.Go(empty)
		}
		wg.Wait()
	}
}
