// SPDX-License-Identifier: Apache-2.0

// Known stacks of Go: goroutines, recursion that makes a stack grow, the allocator and garbage collector on a thread's
// own stack, a panic out of a signal handler, loops that only a signal stops, the vDSO. Runs for so many seconds.
package main

import (
	"os"
	"strconv"
	"time"
)

const depth = 200

var sink int
var kept []*[100]int

//go:noinline
func spin() int {
	s := 0
	for i := 0; i < 20000; i++ {
		s += i ^ (s >> 3)
	}
	return s
}

//go:noinline
func deep(n int) int {
	var pad [64]int
	pad[n&63] = n
	if n == 0 {
		return spin()
	}
	return deep(n-1) + pad[(n*7)&63]
}

//go:noinline
func allocate() {
	var keep []*[100]int
	for i := 0; i < 200; i++ {
		keep = append(keep, new([100]int))
	}
	kept = keep
}

//go:noinline
func recovered() (r int) {
	defer func() {
		if recover() != nil {
			r = spin()
		}
	}()
	return *(*int)(nil)
}

//go:noinline
func clock() {
	for i := 0; i < 300; i++ {
		sink += time.Now().Nanosecond() & 1
	}
}

//go:noinline
func endless(from int) {
	for i := from; ; i++ {
		if i == 0 {
			return
		}
	}
}

//go:noinline
func grow(c chan int) {
	c <- deep(depth)
}

func main() {
	seconds, _ := strconv.Atoi(os.Args[1])
	until := time.Now().Add(time.Duration(seconds) * time.Second)
	c := make(chan int)
	go endless(1)
	for time.Now().Before(until) {
		go grow(c)
		sink += <-c
		allocate()
		sink += recovered()
		clock()
		calls()
	}
}
