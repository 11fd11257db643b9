#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What slowburn query and diff make of a file, beside go tool pprof: every function's flat and cumulative value.

	query.py SLOWBURN FILE [--focus REGEX ...]
	query.py SLOWBURN --diff BEFORE AFTER
"""
import json
import re
import subprocess
import sys
from collections import Counter

ROW = re.compile(r"^\s*(-?[\d.]+)(?:ns)?\s+\S+%\s+\S+%\s+(-?[\d.]+)(?:ns)?\s+\S+%\s+(.*)$")


def go(*arguments):
    """{name: [flat, cum]} by go tool pprof."""
    command = ["go", "tool", "pprof", "-symbolize=none", "-top", "-nodecount=10000000", "-nodefraction=0",
               "-edgefraction=0", "-unit=nanoseconds", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = {}
    for line in run.stdout.splitlines():
        found = ROW.match(line)
        if not found:
            continue
        name = re.sub(r" \((partial-)?inline\)$", "", found[3])
        rows[name] = [round(float(found[1])), round(float(found[2]))]
    if run.returncode != 0 and "matched no samples" not in run.stderr:
        raise SystemExit(f"{' '.join(command)}: {run.stderr}")
    return {name: row for name, row in rows.items() if row != [0, 0]}


def ours(slowburn, file, *options):
    """The same from the stacks of our JSON: functions of one name are one, as pprof has it."""
    text = subprocess.run([slowburn, "query", file, "--format", "json", *options], capture_output=True, check=True)
    answer = json.loads(text.stdout)
    names = [f["name"] for f in answer["functions"]]
    flat, cum = Counter(), Counter()
    for stack in answer["stacks"]:
        frames = [names[i] for i in stack["functions"]]
        if frames:
            flat[frames[0]] += stack["value"]
        for name in set(frames):
            cum[name] += stack["value"]
    if answer["lost_samples"] and not options:
        lost = answer["lost_samples"] * answer["period"]
        flat["[lost samples]"] += lost
        cum["[lost samples]"] += lost
    return flat, cum


def compare(theirs, flat, cum):
    """Exits unless all figures are equal: how many functions they are."""
    mine = {name: [flat[name], cum[name]] for name in cum if flat[name] or cum[name]}
    theirs = {name: row for name, row in theirs.items() if row != [0, 0]}
    odd = {name: (mine.get(name), theirs.get(name)) for name in mine.keys() | theirs.keys()
           if mine.get(name) != theirs.get(name)}
    if odd:
        raise SystemExit(f"{len(odd)} of {len(theirs)} functions differ: {dict(list(odd.items())[:5])}")
    print(f"{len(theirs)} functions are equal")


def main():
    slowburn, *rest = sys.argv[1:]
    if rest[0] == "--diff":
        flat, cum = ours(slowburn, rest[2])
        old_flat, old_cum = ours(slowburn, rest[1])
        flat.subtract(old_flat)
        cum.subtract(old_cum)
        theirs = go(f"-diff_base={rest[1]}", rest[2])
        compare(theirs, flat, cum)
        file = f"{rest[2]}.diff.pb.gz"
        subprocess.run([slowburn, "diff", rest[1], rest[2], "-o", file], check=True, stdout=subprocess.DEVNULL)
        again = go(file)
        for name in ("[lost samples]",):  # a difference has none
            theirs.pop(name, None)
            again.pop(name, None)
        if again != theirs:
            raise SystemExit("our --format pprof differs from go tool pprof -diff_base")
    else:
        file, *options = rest
        theirs = go(*[("-" + o[2:].replace("-", "_")) if o.startswith("--") else o for o in join(options)], file)
        if options:  # whose the lost ones were nobody knows
            theirs.pop("[lost samples]", None)
        compare(theirs, *ours(slowburn, file, *options))


def join(options):
    """--focus X → -focus=X"""
    return [f"{name}={value}" for name, value in zip(options[::2], options[1::2])]


if __name__ == "__main__":
    main()
