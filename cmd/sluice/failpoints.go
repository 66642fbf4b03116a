//go:build failpoints

package main

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// failpoint kills this process, as kill -9 does, when it comes to the point
// that SLUICE_FAILPOINT names for the n-th time ("K5" or "K5:3"). "K5:3:freeze"
// stops it there, as a paused machine is, until a SIGCONT lets it go on.
// "K5:3:panic" panics there, that time and every time after it: a bug in what
// is stored does not go away by itself. A point may be that of one profile,
// source or status only: "K6/shop.staging".
var failpoint = func() func(string) {
	point, rest, _ := strings.Cut(os.Getenv("SLUICE_FAILPOINT"), ":")
	times, how, _ := strings.Cut(rest, ":")
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
		if left--; left > 0 || left < 0 && how != "panic" {
			return
		}
		switch how {
		case "panic":
			panic("a bug at " + here)
		case "freeze":
			raise(syscall.SIGSTOP)
		default:
			raise(syscall.SIGKILL)
			select {} // the signal is on its way
		}
		time.Sleep(100 * time.Millisecond) // so is this one: nothing may happen before it is here
	}
}()

func raise(signal syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), signal); err != nil {
		panic(err)
	}
}
