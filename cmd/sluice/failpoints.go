//go:build failpoints

package main

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// failpoint kills this process, as kill -9 does, when it comes to the point
// that SLUICE_FAILPOINT names for the n-th time ("K5" or "K5:3").
var failpoint = func() func(string) {
	point, times, _ := strings.Cut(os.Getenv("SLUICE_FAILPOINT"), ":")
	left, err := strconv.Atoi(times)
	if err != nil {
		left = 1
	}
	var mu sync.Mutex
	return func(here string) {
		mu.Lock()
		defer mu.Unlock()
		if point == "" || here != point {
			return
		}
		if left--; left == 0 {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				panic(err)
			}
			select {} // the signal is on its way
		}
	}
}()
