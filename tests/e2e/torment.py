# SPDX-License-Identifier: Apache-2.0
"""Does harm to the processes that `slowburn profile` has started, at random moments.

usage: torment.py SEED CAPTURES AT-ONCE MOMENTS OUT-FOLDER PROGRAM

Takes CAPTURES captures of half a second, each tormented at MOMENTS moments: half of them anywhere in its life, half
about its end, where names are asked for. At each, one of its processes, if there is one just then, is killed, or stopped, or has its limit on memory lowered to what it has. A line for each capture says what was done; one for each deed
that hit, too, so that a seed can be told to have done anything at all.

Leaves OUT-FOLDER/N.pb.gz; exit status 1 if a capture failed, or took longer than is allowed.
"""
import concurrent.futures
import os
import random
import signal
import subprocess
import sys
import time

SECONDS = 0.5
# What an answer may take: the capture; 3 s for a symbolizer that is stopped, 1 s for an opener; and a busy machine.
LIMIT = 15

ROLES = ("symbolizer", "opener", "fetcher")
DEEDS = ("kill", "kill", "kill", "memory", "memory", "stop")


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(p) for p in file.read().split()]
    except (OSError, ValueError):
        return []


def victims(supervisor):
    """(role, pid) of its children that may fail, whichever there are."""
    out = []
    for pid in children(supervisor):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[0] == b"slowburn" and words[1].decode() in ROLES:
            out.append((words[1].decode(), pid))
    return sorted(out)


def lower_memory(pid):
    """As its own user: to do it to others takes CAP_SYS_RESOURCE, which root in a container lacks."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    uid, gid = (status[who].split()[0] for who in ("Uid", "Gid"))
    data = int(status["VmData"].split()[0]) << 10
    subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "prlimit", f"--pid={pid}", f"--data={data}"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def do(deed, pid):
    """True if it was done."""
    try:
        if deed == "kill":
            os.kill(pid, signal.SIGKILL)
        elif deed == "stop":
            os.kill(pid, signal.SIGSTOP)
        else:
            lower_memory(pid)
    except (OSError, ValueError, KeyError, subprocess.CalledProcessError):
        return False
    return True


def plan(rng, moments):
    """(when, whom of those there are then, deed) in order. A stopped process costs a deadline: one in a capture is enough."""
    out, stops = [], 0
    for i in range(moments):
        late = i % 2 == 1
        when = rng.uniform(SECONDS, SECONDS + 0.5) if late else rng.uniform(0, SECONDS)
        deed = rng.choice(DEEDS)
        if deed == "stop":
            stops += 1
            deed = deed if stops == 1 else "kill"
        out.append((when, rng.random(), deed))
    return sorted(out)


def capture(number, seed, moments, folder, program):
    """(ended well, what was said of it, deeds that hit)"""
    rng = random.Random(f"{seed}-{number}")
    out = os.path.join(folder, f"{number}.pb.gz")
    done = []
    with open(out + ".log", "wb") as log:
        start = time.monotonic()
        with subprocess.Popen([program, "profile", "--duration", f"{SECONDS}s", "-F", "499", "--format", "pprof", "-o", out],
                              stdout=log, stderr=log, stdin=subprocess.DEVNULL) as profile:
            for when, whom, deed in plan(rng, moments):
                time.sleep(max(0, start + when - time.monotonic()))
                there = victims(profile.pid)
                if not there:
                    continue
                role, pid = there[int(whom * len(there))]
                if do(deed, pid):
                    done.append(f"{role} {deed} at {time.monotonic() - start:.3f}")
            try:
                status = profile.wait(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                profile.kill()
                status = f"none after {LIMIT} s"
    took = time.monotonic() - start
    with open(out + ".log", encoding="utf-8", errors="replace") as log:
        said = log.read().strip()
    text = f"{number}: exit status {status}, {took:.2f} s: " + ("; ".join(done) or "nothing hit")
    return status == 0, text if status == 0 else f"FAIL {text}\n{said}", len(done)


def main():
    seed, captures, at_once, moments = (int(a) for a in sys.argv[1:5])
    folder, program = sys.argv[5:7]
    hits, ok = 0, True
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for good, text, n in pool.map(lambda i: capture(i, seed, moments, folder, program), range(1, captures + 1)):
            print(text)
            ok, hits = ok and good, hits + n
    print(f"{hits} of {captures * moments} moments found somebody")
    return 0 if ok and hits * 3 >= captures * moments else 1


if __name__ == "__main__":
    sys.exit(main())
