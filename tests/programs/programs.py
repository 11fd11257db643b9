# SPDX-License-Identifier: Apache-2.0
"""The programs whose stacks are looked at: how each is made and set to work, as a shell script in a folder of its own.

A script prepares, prints "ready" and then works until it is killed; what it started dies with its process group.
`comm` is the name of the processes that count, not those that drive them.
"""
import os
import textwrap
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
CSOURCE = os.path.join(os.path.dirname(HERE), "bench", "csource.py")


@dataclass(frozen=True)
class Program:
    name: str
    comm: str
    script: str
    needs: tuple
    files: tuple = ()


def program(name, comm, needs, script, **files):
    text = textwrap.dedent(script).replace("CSOURCE", CSOURCE)
    return Program(name, comm, text, tuple(needs.split()), tuple((k.replace("_", "."), textwrap.dedent(v)) for k, v in files.items()))


POSTGRES = """
    bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
    chown postgres . && chmod 755 .
    as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
    as "$bin/initdb" -D "$PWD/data" > initdb.log
    as "$bin/postgres" -D "$PWD/data" -k "$PWD" -c listen_addresses= -c fsync=off > postgres.log 2>&1 &
    until "$bin/pg_isready" -q -h "$PWD"; do sleep 0.1; done
    pgbench -q -i -s 5 -h "$PWD" -U postgres postgres > pgbench.log 2>&1
    echo ready
    exec pgbench -c 4 -T 600 -h "$PWD" -U postgres postgres > /dev/null
"""

REDIS = """
    redis-server --port 0 --unixsocket "$PWD/socket" --save '' > /dev/null &
    until [ -S socket ]; do sleep 0.1; done
    echo ready
    while :; do redis-benchmark -s "$PWD/socket" -q -n 200000 -t set,get,incr,lpush,lrange_100,zadd,hset > /dev/null; done
"""

NGINX = """
    mkdir logs && head -c 20000 /dev/zero > index.html && chmod 755 . && chmod 644 index.html
    nginx -p "$PWD" -e "$PWD/logs/error" -c "$PWD/nginx.conf" &
    sleep 1
    echo ready
    while :; do ab -q -k -c 8 -n 100000 http://127.0.0.1:18080/index.html > /dev/null; done
"""

NGINX_CONF = """
    daemon off; worker_processes 2; user root; pid nginx.pid;
    events { }
    http {
        access_log logs/access; gzip on; gzip_types application/octet-stream text/html; types { text/html html; }
        server { listen 127.0.0.1:18080; root .; }
    }
"""

PYTHON = """
    import json, re, threading
    def turn(n):
        words = [f"w{i * 7919 % 4093}" for i in range(200)]
        text = json.dumps([{"key": w, "value": [n] * 7} for w in words])
        data = sorted(json.loads(text), key=lambda d: d["key"])
        return sum(len(re.findall(r"[0-9]+", d["key"])) for d in data) + max([n - 1], key=lambda m: turn(m) if m % 9 else 0)
    threading.Thread(target=lambda: [turn(n) for n in range(10**9)]).start()
    for n in range(10**9):
        turn(n)
"""

NODE = """
    const words = Array.from({length: 500}, (_, i) => `w${i * 7919 % 4093}`);
    const tree = (depth, seed) => depth === 0 ? {v: seed} : {l: tree(depth - 1, seed * 2), r: tree(depth - 1, seed * 3 + 1)};
    const sum = t => t.v !== undefined ? t.v % 7 : sum(t.l) + sum(t.r);
    for (let turn = 0, total = 0; ; turn++) {
      const data = JSON.parse(JSON.stringify(words.map(w => ({key: w, value: [turn, turn + 1]})))).sort((a, b) => a.key < b.key ? -1 : 1);
      total += sum(tree(12, turn)) + data.map(d => d.key.replace(/[0-9]/g, "")).join("").length;
    }
"""

GO = """
    package main

    import (
        "crypto/sha256"
        "encoding/json"
        "fmt"
        "sort"
        "strings"
    )

    func walk(depth int, seen map[string]int) int {
        key := fmt.Sprintf("k%d", depth%997)
        seen[key]++
        if depth == 0 {
            text, _ := json.Marshal(seen)
            sum := sha256.Sum256(text)
            return len(strings.ToUpper(string(text))) + int(sum[0])
        }
        return walk(depth-1, seen) + 1
    }

    func work(results chan int) {
        for n := 0; ; n++ {
            seen := map[string]int{}
            total := walk(40, seen)
            keys := make([]string, 0, len(seen))
            for k := range seen {
                keys = append(keys, k)
            }
            sort.Strings(keys)
            results <- total + len(keys)
        }
    }

    func main() {
        results := make(chan int)
        for i := 0; i < 4; i++ {
            go work(results)
        }
        total := 0
        for {
            total += <-results
        }
    }
"""

RUST = """
    use std::collections::{BTreeMap, HashMap};
    fn walk(depth: u64, seen: &mut HashMap<String, u64>) -> u64 {
        *seen.entry(format!("k{}", depth % 97)).or_insert(0) += depth;
        if depth == 0 {
            let sorted: BTreeMap<_, _> = seen.iter().collect();
            return sorted.values().map(|v| **v).sum();
        }
        walk(depth - 1, seen).wrapping_mul(31) + 1
    }
    fn main() {
        let work = || loop {
            let mut seen = HashMap::new();
            let mut all: Vec<u64> = (0..400).map(|n| walk(n % 40, &mut seen)).collect();
            all.sort_by(|a, b| b.cmp(a));
            std::hint::black_box(all);
        };
        std::thread::spawn(work);
        work();
    }
"""

JAVA = """
    import java.util.*;
    public class Work {
        static long walk(int depth, Map<String, Integer> seen) {
            seen.merge("k" + depth % 97, 1, Integer::sum);
            return depth == 0 ? seen.values().stream().mapToLong(v -> v).sum() : walk(depth - 1, seen) * 31 + 1;
        }
        static void work() {
            long total = 0;
            for (int n = 0; ; n++) {
                Map<String, Integer> seen = new HashMap<>();
                List<Long> all = new ArrayList<>();
                for (int i = 0; i < 200; i++) all.add(walk(i % 40, seen));
                Collections.sort(all);
                total += all.get(n % 200);
                if (total == 42) System.out.println(total);
            }
        }
        public static void main(String[] args) {
            new Thread(Work::work).start();
            work();
        }
    }
"""

C = """
    #include <math.h>
    #include <pthread.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    static int less(const void *a, const void *b)
    {
        return strcmp(*(char *const *)a, *(char *const *)b);
    }
    static double walk(int depth, char **all)
    {
        char text[64];
        snprintf(text, sizeof(text), "%f %d", sin(depth), depth);
        free(all[depth]);
        all[depth] = strdup(text);
        double sum = depth ? walk(depth - 1, all) : 0;
        return sum + strtod(all[depth], NULL);
    }
    static void *work(void *arg)
    {
        for (;;) {
            char *all[50] = { 0 };
            double sum = walk(49, all);
            qsort(all, 50, sizeof(*all), less);
            for (int i = 0; i < 50; i++)
                free(all[i]);
            if (sum == 42)
                puts("42");
        }
        return arg;
    }
    int main(void)
    {
        pthread_t thread;
        pthread_create(&thread, NULL, work, NULL);
        work(NULL);
    }
"""


def c_program(name, comm, compiler, options, needs="gcc"):
    return program(name, comm, needs, f"""
        {compiler} -O2 -o {comm} work.c {options} -lm -lpthread
        echo ready
        exec ./{comm}
    """, work_c=C)


PROGRAMS = [
    program("postgres (pgbench)", "postgres", "pgbench", POSTGRES),
    program("redis (redis-benchmark)", "redis-server", "redis-server redis-benchmark", REDIS),
    program("nginx (ab)", "nginx", "nginx ab", NGINX, nginx_conf=NGINX_CONF),
    program("python3, two threads", "python3", "/usr/bin/python3", "echo ready\nexec /usr/bin/python3 work.py\n", work_py=PYTHON),
    program("node", "node", "node", "echo ready\nexec node work.js\n", work_js=NODE),
    program("gcc -O2", "cc1", "gcc", """
        python3 CSOURCE --functions 300 > large.c
        echo ready
        while :; do gcc -O2 -w -c -o /dev/null large.c; done
    """),
    program("g++ -O2", "cc1plus", "g++", """
        printf '#include <regex>\\n#include <map>\\nint f(const char *s){ std::map<std::string,int> m; return m[s] + std::regex_match(s, std::regex("a+b"));}\\n' > large.cc
        echo ready
        while :; do g++ -O2 -w -c -o /dev/null large.cc; done
    """),
    program("clang -O2", "clang", "clang", """
        python3 CSOURCE --functions 300 > large.c
        echo ready
        while :; do clang -O2 -w -c -o /dev/null large.c; done
    """),
    program("ffmpeg, x264", "ffmpeg", "ffmpeg", """
        echo ready
        exec ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=1280x720:rate=30 -t 3600 -vf scale=640:360 -c:v libx264 -f null -
    """),
    program("openssl speed", "openssl", "openssl", """
        echo ready
        while :; do
            openssl speed -seconds 1 -bytes 4096 sha256 aes-256-cbc rsa2048 ecdsap256 ecdhx25519 > /dev/null 2>&1
            openssl speed -seconds 1 -bytes 4096 -evp aes-256-gcm > /dev/null 2>&1
            openssl speed -seconds 1 -bytes 4096 -evp chacha20-poly1305 > /dev/null 2>&1
        done
    """),
    program("a Go program", "gowork", "go", """
        export HOME=$PWD GOCACHE=$PWD/cache GOFLAGS=-mod=mod GO111MODULE=off
        go build -o gowork work.go
        echo ready
        exec ./gowork
    """, work_go=GO),
    program("a Rust program", "rustwork", "rustc", """
        rustc -O -o rustwork work.rs
        echo ready
        exec ./rustwork
    """, work_rs=RUST),
    program("java -XX:+PreserveFramePointer", "java", "java javac", """
        javac Work.java
        echo ready
        exec java -XX:+PreserveFramePointer -Xmx256m Work
    """, Work_java=JAVA),
    program("java, as it comes", "java", "java javac", """
        javac Work.java
        echo ready
        exec java -Xmx256m Work
    """, Work_java=JAVA),
    c_program("C, static-pie", "cstaticpie", "gcc", "-static-pie"),
    c_program("C, static", "cstatic", "gcc", "-static -no-pie"),
    c_program("C, musl static", "cmusl", "musl-gcc", "-static", "musl-gcc"),
]
