# SPDX-License-Identifier: Apache-2.0
"""The mixed load: gcc, python3, openssl and node in two lanes, some 26 s of CPU time in 13 to 14 s on two CPUs.

load.py FILE.c      the file for gcc to compile

Work is fixed (openssl's is by time), so that every profiler meets the same. Prints a JSON line: what each
program took.
"""
import json
import os
import subprocess
import sys
import threading
import time

PYTHON = """
import json, re
words = [f"w{i * 7919 % 4093}" for i in range(400)]
for turn in range(3800):
    text = json.dumps([{"key": w, "value": [turn] * 7, "flag": turn % 3} for w in words])
    data = sorted(json.loads(text), key=lambda d: (d["flag"], d["key"]))
    counts = {}
    for d in data:
        for m in re.findall(r"\\d+", d["key"]):
            counts[m] = counts.get(m, 0) + sum(d["value"])
"""

NODE = """
const words = Array.from({length: 500}, (_, i) => `w${i * 7919 % 4093}`);
let total = 0;
function tree(depth, seed) {
  return depth === 0 ? {v: seed} : {l: tree(depth - 1, seed * 2), r: tree(depth - 1, seed * 3 + 1)};
}
function sum(t) { return t.v !== undefined ? t.v % 7 : sum(t.l) + sum(t.r); }
for (let turn = 0; turn < 16000; turn++) {
  const text = JSON.stringify(words.map(w => ({key: w, value: [turn, turn + 1], flag: turn % 3})));
  const data = JSON.parse(text).sort((a, b) => a.key < b.key ? -1 : 1);
  total += sum(tree(12, turn)) + data.map(d => d.key.replace(/\\d/g, "")).join("").length;
}
"""


def run(said, name, *command):
    begin = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    said[name] = {"cpu_s": round(usage.ru_utime + usage.ru_stime, 3), "wall_s": round(time.monotonic() - begin, 3),
                  "status": process.returncode}


def main():
    said = {}

    def first():
        run(said, "gcc", "gcc", "-O2", "-c", "-o", "/dev/null", sys.argv[1])
        run(said, "python3", "python3", "-c", PYTHON)

    def second():
        run(said, "openssl", "openssl", "speed", "-seconds", "3", "-bytes", "4096", "sha256", "aes-128-cbc")
        run(said, "node", "node", "-e", NODE)

    lanes = [threading.Thread(target=lane) for lane in (first, second)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    said["cpu_s"] = round(sum(s["cpu_s"] for s in said.values()), 3)
    print(json.dumps(said))
    return any(s["status"] for s in said.values() if isinstance(s, dict))


if __name__ == "__main__":
    sys.exit(main())
