# SPDX-License-Identifier: Apache-2.0
"""Are these stacks of Go the ones that ran? usage: judge.py [--drop] PROFILE.pb.gz COMM BINARY

BINARY is the program that COMM ran, with symbols (COMM's own may be stripped). Of each frame but the leaf there has to be
a call just before where it goes on, and it has to call the function that the next frame is in, as far as the instruction
says which: that is asked of objdump. And main's functions have the callers that chains.go has. Prints what differs, how many
stacks are whole, and of how many what came out. With --drop a frame is taken out of each stack before: then it has to say
of most that they are wrong: calls by pointer, and interrupted frames, it can't tell.
"""
import bisect
import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../e2e"))
import profiles  # noqa: E402  pylint: disable=wrong-import-position

DEPTH = 200
# Where a stack may begin, and what a goroutine may begin with: functions behind a `go`.
BOTTOMS = {"runtime.goexit", "runtime.mstart", "runtime.mcall", "runtime.morestack", "runtime.rt0_go", "_rt0_amd64",
           "_rt0_amd64_linux", "_start", "clone3", "__clone3", "clone"}
STARTS = re.compile(r"^(runtime\.main|main\.main·?[.a-z0-9]*|main\.(grow|endless)|main\.main\.func\d|"
                    r"runtime\.(bgsweep|bgscavenge|forcegchelper|runfinq|gcBgMarkWorker|main\.func\d|init\.\d+|ensureSigM.*|"
                    r"gcenable.*|runFinalizers|schedinit.*)|os/signal\..*|main\.main\.\w+)(\.func\d+|\.gowrap\d+)?$")
# These were entered by the kernel or by a handler: what is below stood anywhere.
INTERRUPTS = {"runtime.sigpanic", "runtime.sigpanic0", "runtime.asyncPreempt", "runtime.sigreturn",
              "runtime.sigreturn__sigaction", "runtime.sigtramp", "__restore_rt"}
CALLERS = {
    "main.deep": {"main.deep", "main.grow"},
    "main.recovered": {"main.main"},
    "main.allocate": {"main.main"},
    "main.clock": {"main.main"},
    "main.calls": {"main.main"},
    "main.main": {"runtime.main"},
    "main.recovered.func1": {"runtime.deferCallSave", "runtime.gopanic", "runtime.panicmem", "runtime.reflectcall"},
    "main.spin": {"main.deep", "main.recovered.func1", "main.goCallback", "_cgoexp"},
    "runtime.main": {"runtime.goexit"},
    "spin_c": {"call_back"},
}

SHOWN = ("main.spin", "main.deep", "main.allocate", "main.recovered", "main.endless", "time.now", "runtime.systemstack",
         "runtime.asyncPreempt", "runtime.asmcgocall", "runtime.cgocallback", "runtime.sigreturn")
# In the first second the programs are new, and stacks end early: where, is in docs/UNWINDING.md.
WHOLE = 0.8


class Binary:
    """Functions and calls of an executable, by file offset."""

    def __init__(self, path):
        self.delta = self.segment(path)
        self.starts, self.names, self.calls, self.jumps = [], [], {}, collections.defaultdict(set)
        text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "-w", path], capture_output=True, text=True, check=True).stdout
        waiting, jumps = None, []
        for line in text.splitlines():
            head = re.match(r"^([0-9a-f]+) <(.*)>:$", line)
            if head:
                self.starts.append(int(head[1], 16) - self.delta)
                self.names.append(self.plain(head[2]))
                continue
            at = re.match(r"^\s*([0-9a-f]+):\s*(?:addr32 |data16 |rex\S* |bnd |notrack )*(\S+)\s*(\S*)", line)
            if not at:
                continue
            address = int(at[1], 16) - self.delta
            if waiting is not None:
                self.calls[address] = waiting
                waiting = None
            target = int(at[3], 16) - self.delta if re.match(r"^[0-9a-f]+$", at[3]) else -1
            if at[2].startswith("call"):
                waiting = target
            elif at[2].startswith("jmp"):
                jumps.append((address, target))
        for address, target in jumps:
            self.jumps[self.function(address)].add(self.function(target) if target >= 0 else "*")

    @staticmethod
    def segment(path):
        out = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            field = line.split()
            if field[:1] == ["LOAD"] and "E" in field[6:-1]:
                return int(field[2], 16) - int(field[1], 16)
        raise profiles.Wrong(f"no code in {path}")

    @staticmethod
    def plain(name):
        return re.sub(r"\.abi0$|\.abiinternal$", "", name)

    def function(self, offset):
        at = bisect.bisect(self.starts, offset) - 1
        return self.names[at] if at >= 0 else "?"

    def reaches(self, target, callee):
        """Does a call of `target` end up in `callee`: itself, or by jumps at its end?"""
        seen, todo = set(), [target]
        while todo:
            name = todo.pop()
            if name in (callee, "*"):
                return True
            if name not in seen:
                seen.add(name)
                todo += self.jumps[name]
        return False


def name_of(binary, frame, path):
    return binary.function(frame.file_off) if frame.module == path else frame.name


def wrong_call(binary, callee, caller, after):
    """What is wrong with a frame of the binary that is said to have made a call; or None."""
    if after not in binary.calls:
        return f"{caller}: no call before {after:#x}"
    target = binary.calls[after]
    if target >= 0 and not binary.reaches(binary.function(target), callee):
        return f"{caller}: calls {binary.function(target)} at {after:#x}, not {callee}"
    return None


def judge(binary, frames, path):
    """[what is wrong], whole?"""
    names = [name_of(binary, f, path) for f in frames]
    whole = bool(names) and frames[-1].name != "[truncated]" and "[truncated]" not in (frames[-1].name, frames[-1].module)
    if not whole:
        frames, names = frames[:-1], names[:-1]
    wrong = []
    for i in range(1, len(frames)):
        if frames[i].module != path or names[i - 1] in INTERRUPTS:
            continue
        # goexit was never called: a goroutine begins with its address on the stack, and ends by its only call
        if names[i] == "runtime.goexit":
            if names[i - 1].removesuffix(".abi0") == "runtime.goexit1":
                continue
            if not STARTS.match(names[i - 1]):
                wrong.append(f"a goroutine that begins with {names[i - 1]}")
            continue
        bad = wrong_call(binary, names[i - 1], names[i], frames[i].file_off + 1)
        if bad and frames[i - 1].module == path:
            wrong.append(bad)
        callers = CALLERS.get(names[i - 1])
        if callers and not any(names[i].startswith(c) for c in callers):
            wrong.append(f"{names[i - 1]} called by {names[i]}")
    if whole and names[-1] not in BOTTOMS:
        wrong.append(f"begins with {names[-1]}")
    if whole and "main.spin" in names and "main.deep" in names and names.count("main.deep") != DEPTH + 1:
        wrong.append(f"{names.count('main.deep')} of {DEPTH + 1} calls of main.deep")
    return wrong, whole


def report(comm, count, whole, wrong, seen, cut):
    print(f"{comm}: {count} stacks, {whole} whole ({100 * whole / max(count, 1):.2f} %), {sum(wrong.values())} wrong")
    print("  " + ", ".join(f"{n} {name}" for name, n in seen.most_common() if n))
    for text, n in wrong.most_common(20):
        print(f"  wrong: {n} × {text}")
    for text, n in cut.most_common(5):
        print(f"  cut: {n} × {text}")


def main():
    drop = sys.argv[1] == "--drop"
    path, comm, unstripped = sys.argv[1 + drop:4 + drop]
    binary = Binary(unstripped)
    count, whole, found = 0, 0, 0
    wrong, seen, cut = collections.Counter(), collections.Counter(), collections.Counter()
    for s in profiles.read_profile(path).samples:
        frames = [f for f in s.frames if not f.kernel]
        module = next((f.module for f in frames if os.path.basename(f.module) == comm), None)
        if s.comm != comm or not module or (drop and len(frames) < 4):
            continue
        if drop:
            del frames[len(frames) // 2]
        bad, all_there = judge(binary, frames, module)
        count += s.count
        whole += s.count * all_there
        found += s.count * bool(bad)
        for b in bad:
            wrong[b] += s.count
        names = [name_of(binary, f, module) for f in frames]
        seen[names[-1] if all_there else "[truncated]"] += s.count
        if not all_there:
            cut[" < ".join(names[-4:])] += s.count
        for function in SHOWN:
            seen[function] += s.count * (function in names)
    if drop:
        print(f"{comm}: without a frame {found} of {count} are found wrong")
        return 0 if count and found >= 0.7 * count else 1
    report(comm, count, whole, wrong, seen, cut)
    return 0 if count >= 300 and whole >= WHOLE * count and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
