// SPDX-License-Identifier: Apache-2.0

package main

// extern void goCallback(int);
// static int spin_c(int n) { volatile int s = 0; for (int i = 0; i < 200000; i++) s += i ^ n; return s; }
// static int call_back(int n) { goCallback(n); return spin_c(n) + 1; }
import "C"

//export goCallback
func goCallback(n C.int) {
	sink += spin() + int(n)
}

//go:noinline
func calls() {
	sink += int(C.call_back(C.int(sink & 7)))
}
