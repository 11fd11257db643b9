# SPDX-License-Identifier: Apache-2.0
"""Are the stacks of stopped threads the same by our rows as by others' unwinders?

By libunwind: `slowburn dump --verify`, on the program while it works, again and again; both unwind what was read while a
thread was stopped. By elfutils: the program is stopped as a whole (SIGSTOP), asked by `dump --verify` and by eu-stack, one
after the other, and goes on. eu-stack guesses where a file has no unwind information; what it finds behind our end is not
compared, nor what we have from our first frame on that was found by frame pointer, which is a guess of ours.
"""
import collections
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

ROUNDS, STOPS = int(os.environ.get("ROUNDS", "30")), int(os.environ.get("STOPS", "5"))
MOST_PROCESSES, MOST_SHOWN = 4, 3
STOPPED_S = 2.0  # for all threads to be in the stop
HEADER = ("| program | threads | frames | differ | libunwind ends early | our rows end early | threads, eu-stack | frames | differ"
          " | eu-stack ends early | our rows end early |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")


def complain(text):
    print(text, file=sys.stderr, flush=True)


def pids_of(comm, session):
    """Those that the program started, not others of that name: us, for one."""
    found = []
    for pid in (int(p) for p in os.listdir("/proc") if p.isdigit()):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            if file.read().strip() == comm and os.getsid(pid) == session:
                found.append(pid)
    return found[:MOST_PROCESSES]


def dump(slowburn, pids):
    """The threads of these processes that could be stopped and unwound, as they are in the JSON object."""
    run = subprocess.run([slowburn, "dump", "--verify", "--json", *map(str, pids)], check=False, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    with contextlib.suppress(ValueError):
        return [t for p in json.loads(run.stdout)["processes"] for t in p["threads"] if "rows" in t]
    return []


def with_libunwind(slowburn, pids, counted):
    for thread in dump(slowburn, pids):
        theirs, ours = thread["stack"], thread["rows"]
        counted["threads"] += 1
        counted["frames"] += min(len(theirs["frames"]), len(ours["frames"]))
        counted["differ"] += thread["differ"]
        counted["theirs early"] += not theirs["whole"]
        counted["ours early"] += not ours["whole"]
        counted[f"ours: {ours['end']}"] += not ours["whole"]
        if thread["differ"] and counted["differ"] <= MOST_SHOWN:
            complain(f"  DIFFERS: {json.dumps(thread)}")


def states_of(pid):
    states = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/stat", encoding="utf-8", errors="replace") as file:
            states.append(file.read().rpartition(")")[2].split()[0])
    return states


@contextlib.contextmanager
def stopped(pid):
    """All of its threads, in the stop; yields False if some aren't in time."""
    os.kill(pid, signal.SIGSTOP)
    try:
        end = time.monotonic() + STOPPED_S
        while set(states_of(pid)) != {"T"} and time.monotonic() < end:
            time.sleep(0.01)
        yield set(states_of(pid)) == {"T"}
    finally:
        os.kill(pid, signal.SIGCONT)


def eu_stack(pid):
    """{tid: (addresses, leaf first, whether it said that it can't go on)}"""
    run = subprocess.run(["eu-stack", "-n", "0", "-q", "-p", str(pid)], check=False, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, timeout=30)
    out, tid = {}, None
    for line in run.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("TID "):
            tid = int(line[4:].rstrip(":"))
            out[tid] = ([], False)
        elif line.startswith("#") and tid:
            out[tid][0].append(int(re.match(r"#\d+\s+0x([0-9a-f]+)", line)[1], 16))
        elif tid and out[tid][0]:
            out[tid] = (out[tid][0], True)
    return out


def ours_until_guess(thread):
    """(addresses, whether they end at the outermost frame)"""
    frames = thread["rows"]["frames"]
    known = next((i for i, frame in enumerate(frames) if frame.get("guessed")), len(frames))
    return [int(f["address"], 16) for f in frames[:known]], thread["rows"]["whole"] and known == len(frames)


def compare(thread, theirs, early, counted):
    ours, whole = ours_until_guess(thread)
    both = min(len(ours), len(theirs))
    differ = sum(a != b for a, b in zip(ours, theirs))
    # Longer than ours although ours reached the end: then one of us went too far, or not far enough.
    if whole and not early and len(ours) != len(theirs):
        differ += abs(len(ours) - len(theirs))
    counted["stopped threads"] += 1
    counted["stopped frames"] += both
    counted["stopped differ"] += differ
    counted["stopped theirs early"] += early
    counted["stopped ours early"] += not whole
    if differ and counted["stopped differ"] <= MOST_SHOWN * 5:
        complain(f"  DIFFERS: ours {' '.join(map(hex, ours))}\n           eu-stack {' '.join(map(hex, theirs))}"
                 f"\n           named {json.dumps(thread['rows'])}")


def with_elfutils(slowburn, pids, counted):
    for pid in pids[:1]:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired), stopped(pid) as all_of_it:
            if not all_of_it:
                continue
            before, theirs, after = dump(slowburn, [pid]), eu_stack(pid), dump(slowburn, [pid])
            again = {t["tid"]: t["rows"] for t in after}
            for thread in before:
                # Whoever moved between the two can't be compared.
                if thread["tid"] in theirs and again.get(thread["tid"]) == thread["rows"]:
                    compare(thread, *theirs[thread["tid"]], counted)


def look(slowburn, program, session):
    """The row of a program that works, in a session of its own."""
    counted = collections.Counter()
    for _ in range(ROUNDS):
        with_libunwind(slowburn, pids_of(program.comm, session), counted)
        time.sleep(0.05)
    for _ in range(STOPS if shutil.which("eu-stack") else 0):
        with_elfutils(slowburn, pids_of(program.comm, session), counted)
        time.sleep(0.1)
    complain(f"{program.name}: " + ", ".join(f"{what} {n}" for what, n in counted.items() if what.startswith("ours:")))
    columns = ["threads", "frames", "differ", "theirs early", "ours early"]
    cells = [f"{counted[c]:,}" for c in columns]
    cells += [f"{counted['stopped ' + c]:,}" if counted["stopped threads"] else "–" for c in columns]
    return f"| {program.name} | " + " | ".join(cells) + " |", counted
