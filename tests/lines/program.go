// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

func main() {
	words := map[string]int{}
	for i := 0; i < 1000; i++ {
		words[strings.ToUpper(os.Args[i%len(os.Args)])+fmt.Sprint(i%7)] += i
	}
	keys := make([]string, 0, len(words))
	for k := range words {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	fmt.Println(len(keys), keys[0])
}
