# SPDX-License-Identifier: Apache-2.0
"""What a profile says, held against what is known to be true.

Reads a profile, either pprof (FILE.pb.gz, a wire reader of our own: nothing to install) or `perf record`
output (FILE.perf, through `perf script`), and a workload's own account of its CPU time (JSON lines, see
tests/workload/truth.h), and decides whether they agree. Both kinds of profile go through the same
checks: that is how a check is seen to fail, e.g. `lockstep` on perf's single 99 Hz timer.

Statistics
    A sample is a look at a random moment. Of n samples in a process, the number k in a function that has the share
    p of the process's CPU time is binomial: mean n·p, standard error sqrt(n·p·(1-p)). Without a known n (the number
    of samples in all), k is Poisson: mean T·F for T seconds of CPU time at F Hz, standard error sqrt(T·F).
    z is (k - mean) / standard error. Timers that tick regularly do better than that as long as the work is not in
    step with them, since a regular grid can't cluster: the true error is smaller than the one assumed here, so
    these checks are generous to a good sampler, but never wrong about a bad one. LIMIT_Z = 4.5 is passed
    by chance alone once in 150,000 times, which leaves the suite quiet with some hundred such comparisons in it.
    The error of a workload's own measurement is not counted: it is the clock's, and about 0.1 %.
    A count of so few samples that its standard error is under MIN_SE can't tell right from wrong, and fails
    as such: silence from too little data is no proof. A share next to 0 or 1 of many samples is another matter: its
    error is small because it is well known, and is taken as MIN_SE, below which k isn't bell-shaped any more.

    Two profiles of the same time: k1 of n1 and k2 of n2; z = (p1 - p2) / sqrt(p (1-p) (1/n1 + 1/n2)), p pooled.

    rms z over runs: 1 for a random sampler, below for a regular one, and tens for one that is caught in step.

Exit status: 0 as claimed, 1 not so (the table says where), 2 the question makes no sense.
"""
import argparse
import collections
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field

from profiles import HZ, Symbols, is_placeholder, read_perf, read_pprof, read_profile  # noqa: F401

LIMIT_Z = 4.5
MIN_SE = 2.5
MIN_N = 50


# ---------------------------------------------------------------- what a workload said


@dataclass
class Truth:
    functions: dict
    threads: dict
    tids: dict
    kernel_ns: int
    process_ns: int
    pid: int
    name: str


def read_truth(path):
    truth = Truth({}, {}, {}, 0, 0, 0, "")
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if not line.startswith("{"):
                continue
            said = json.loads(line)
            if said["what"] == "function":
                truth.functions[said["name"]] = said["cpu_ns"]
            elif said["what"] == "thread":
                truth.threads[said["name"]] = truth.threads.get(said["name"], 0) + said["cpu_ns"]
                truth.tids[said["tid"]] = said["cpu_ns"]
            elif said["what"] == "kernel":
                truth.kernel_ns = said["cpu_ns"]
            elif said["what"] == "process":
                truth.process_ns, truth.pid, truth.name = said["cpu_ns"], said["pid"], said["name"]
    if not truth.process_ns:
        raise SystemExit(f"{path}: the workload didn't finish: no line about its process")
    return truth


def with_placeholders(text):
    """A name with what a terminal or pprof can't take replaced, to compare names through their escaping."""
    return re.sub(r"[^0-9A-Za-z]+", "?", re.sub(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\[0-7]{3}|\\[a-z]", "?", text)).strip("?")


# ---------------------------------------------------------------- comparing


class Table:
    """Rows of (what, expected, seen, standard error); fails if one is too far off."""

    def __init__(self, title, limit=LIMIT_Z):
        self.title, self.limit, self.rows, self.complaints = ascii(title)[1:-1], limit, [], []

    def compare(self, what, expected, seen, se, note=""):
        z = (seen - expected) / se if se > 0 else math.inf
        bad = abs(z) > self.limit
        if se < MIN_SE:
            bad, note = True, f"standard error under {MIN_SE} samples: too few to tell"
        self.rows.append((what, expected, seen, se, z, "FAIL" if bad else "ok", note))
        return z

    def binomial(self, what, share, n, seen):
        self.require(n >= MIN_N, f"{what}: {n} samples are too few for shares")
        return self.compare(what, n * share, seen, max(math.sqrt(max(n * share * (1 - share), 0)), MIN_SE))

    def poisson(self, what, cpu_ns, seen, hz):
        return self.compare(what, cpu_ns * hz / 1e9, seen, math.sqrt(cpu_ns * hz / 1e9))

    def require(self, true, complaint):
        if not true:
            self.complaints.append(complaint)

    def done(self):
        print(f"{self.title} (limit |z| <= {self.limit:.2f})")
        for what, expected, seen, se, z, verdict, note in self.rows:
            print(f"  {verdict:4} {what:34} expected {expected:9.1f} seen {seen:7g}  se {se:6.1f}  z {z:+6.2f}  {note}")
        for complaint in self.complaints:
            print(f"  FAIL {complaint}")
        if not self.rows and not self.complaints:
            print("  FAIL nothing was compared")
        ok = self.rows and not self.complaints and all(r[5] == "ok" for r in self.rows)
        return 0 if ok else 1


def count(samples):
    return sum(s.count for s in samples)


def profile_hz(profile, hz):
    return hz or (1e9 / profile.period_ns if profile.period_ns else HZ)


def of_workload(profile, truth, comm=None):
    """The workload's samples: by its pid, or with a comm by that (its children included)."""
    if comm:
        return profile.of(lambda s: s.comm == comm)
    return profile.of(lambda s: s.pid == truth.pid)


def unnamed_in(sample, module):
    """The innermost user frame is in this file and has no name."""
    user = next((f for f in sample.frames if not f.kernel), None)
    return user is not None and not user.named and os.path.basename(user.module) == module


def check_functions(args):
    """Functions' shares of the workload's time, and the workload's time itself."""
    profile, truth = read_profile(args.profile), read_truth(args.truth)
    samples = of_workload(profile, truth, args.comm)
    n, table = count(samples), Table(f"{truth.name}: shares of functions, {args.profile}")
    table.poisson("all of it", truth.process_ns, n, profile_hz(profile, args.hz))
    for name, cpu_ns in truth.functions.items():
        if name.startswith("("):  # code without a symbol
            seen = count(s for s in samples if unnamed_in(s, args.module or truth.name))
        elif args.leaf:
            seen = count(s for s in samples if s.leaf.name == name)
        else:
            seen = count(s for s in samples if s.has(name))
        table.binomial(name, cpu_ns / truth.process_ns, n, seen)
    return table.done()


def check_threads(args):
    """Threads' shares, by name and by tid."""
    profile, truth = read_profile(args.profile), read_truth(args.truth)
    samples = of_workload(profile, truth, args.comm)
    n, table = count(samples), Table(f"{truth.name}: shares of threads, {args.profile}")
    table.poisson("all of it", truth.process_ns, n, profile_hz(profile, args.hz))
    for name, cpu_ns in truth.threads.items():
        want = with_placeholders(name)
        seen = count(s for s in samples if with_placeholders(s.thread) == want)
        table.binomial(f"thread {ascii(name)}", cpu_ns / truth.process_ns, n, seen)
    for tid, cpu_ns in truth.tids.items():
        table.binomial(f"tid {tid}", cpu_ns / truth.process_ns, n, count(s for s in samples if s.tid == tid))
    return table.done()


def check_kernel(args):
    """The kernel's share of the workload."""
    profile, truth = read_profile(args.profile), read_truth(args.truth)
    samples = of_workload(profile, truth, args.comm)
    n, table = count(samples), Table(f"{truth.name}: kernel and user, {args.profile}")
    share = truth.kernel_ns / truth.process_ns
    table.binomial("kernel", share, n, count(s for s in samples if s.kernel))
    table.binomial("user", 1 - share, n, count(s for s in samples if not s.kernel))
    return table.done()


def check_module(args):
    """All user time of a workload is in the file MODULE: by name where --named, by the file only where not."""
    profile, truth = read_profile(args.profile), read_truth(args.truth)
    samples = of_workload(profile, truth, args.comm)
    n, table = count(samples), Table(f"{truth.name}: leaf in {args.module}, {args.profile}")
    want = with_placeholders(args.module)
    # its own frame is the innermost user frame; a system call or an interrupt may be above it
    inside = [s for s in samples if any(
        with_placeholders(os.path.basename(f.module)).startswith(want) for f in [f for f in s.frames if not f.kernel][:1])]
    table.poisson("all of it", truth.process_ns, n, profile_hz(profile, args.hz))
    # Nearly all: only the process's start and end are elsewhere, a few samples. For so few a Poisson number is
    # lopsided: its upper limit is taken as mean + 4.5 sqrt(mean + 1).
    elsewhere = n * (1 - sum(truth.functions.values()) / truth.process_ns)
    most = elsewhere + LIMIT_Z * math.sqrt(elsewhere + 1)
    table.require(n - count(inside) <= most, f"{n - count(inside)} of {n} samples not in {args.module}, more than {most:.1f}")
    if args.unnamed:
        wrong = collections.Counter()
        for s in inside:
            user = next(f for f in s.frames if not f.kernel)
            if user.named and with_placeholders(os.path.basename(user.module)).startswith(want):
                wrong[user.name] += s.count
        table.require(not wrong, f"names for code that has none: {dict(wrong)}")
    return table.done()


def rms(values):
    values = list(values)
    return math.sqrt(sum(v * v for v in values) / len(values)) if values else math.inf


def chi_limit(n, quantile=3.719):
    """The rms of n standard normal numbers that chance exceeds once in 10,000 times (Wilson-Hilferty, good to 2 %)."""
    k = 2 / (9 * n)
    return math.sqrt((1 - k + quantile * math.sqrt(k)) ** 3)


def lockstep_z(profile, truth, hz=HZ):
    out = {}
    samples = of_workload(profile, truth)
    for name, cpu_ns in truth.functions.items():
        expected = cpu_ns * hz / 1e9
        out[name] = (count(s for s in samples if s.has(name)) - expected) / math.sqrt(expected)
    return out


def check_lockstep(args):
    """rms z of the functions of bursts over pairs of PROFILE TRUTH.

    Without --limit: what a random sampler exceeds once in 10,000 times with that many numbers, so that two runs
    can be judged as well as ten. The bench runs ten against the goal of 1.3."""
    if len(args.pairs) % 2:
        raise SystemExit("PROFILE TRUTH pairs are needed")
    zs = []
    for profile, truth in zip(args.pairs[::2], args.pairs[1::2]):
        one = lockstep_z(read_profile(profile), read_truth(truth))
        print("  " + "  ".join(f"{name} z {z:+.2f}" for name, z in one.items()))
        zs += one.values()
    limit = args.limit or chi_limit(len(zs))
    verdict = rms(zs) <= limit
    print(f"{'ok' if verdict else 'FAIL'}: rms z {rms(zs):.2f} over {len(zs)} (limit {limit:.2f})")
    return 0 if verdict else 1


def is_lost(sample):
    """Stands for lost samples, which have neither labels nor roots."""
    return sample.leaf.name == "[lost samples]"


def lost_in(profile):
    """Samples lost, as slowburn's comments say ("lost: 3 samples …", nothing if none); None: not its file.

    The same number must be in the profile as "[lost samples]": if not, it is doubted, and None as well."""
    if not any(c.startswith("slowburn: ") for c in profile.comments):
        return None
    said = [int(m[1]) for m in (re.match(r"lost: (\d+) samples", c) for c in profile.comments) if m]
    lost = said[0] if said else 0
    return lost if lost == count(filter(is_lost, profile.samples)) else None


def check_saturated(args):
    """cpu-nanoseconds = CPUs x time, within --within; nothing lost."""
    profile = read_profile(args.profile)
    cpu_ns = sum(s.cpu_ns for s in profile.samples)
    could = args.cpus * profile.duration_ns - args.steal_ns
    ratio = cpu_ns / could if could else math.inf
    lost = lost_in(profile)
    ok = abs(ratio - 1) <= args.within and lost == 0
    print(f"{'ok' if ok else 'FAIL'}: cpu {cpu_ns / 1e9:.3f} s of {args.cpus} x {profile.duration_ns / 1e9:.3f} s"
          f" - {args.steal_ns / 1e9:.3f} s stolen = {ratio:.4f} (within {args.within}), samples {count(profile.samples)}, lost {lost}")
    return 0 if ok else 1


def said(profile, what):
    """The number that the comments have of "N WHAT", 0 if none of them does."""
    return next((int(c.split()[0]) for c in profile.comments if c.partition(" ")[2] == what), 0)


# Counters that tests ask for, by what profiler/base/counter.h says of them.
COUNTED = {
    "symbolizer": "requests on which the symbolizer died, hung or lied",
    "opener": "requests on which the opener died, hung or lied",
    "unfetched": "binaries on slow file systems that could not be copied in time",
    "unopened": "binaries that could not be opened",
    "bad": "binaries that are no usable ELF file",
    "debug-missing": "stripped binaries whose debug file is not on this machine",
    "lines-unread": "binaries whose source lines could not be read: too large, or reading them failed",
    "lines-late": "binaries whose source lines took too long to read",
    "debug-refused": "stripped binaries whose debug file is another build's, another owner's or no ELF file",
    "debug-unread": "stripped binaries whose debug file could not be read in time",
}


def check_whole(args):
    """The samples are those received and those known to be lost, received what the kernel handed over; each at one
    period. What is handed over before all timers run, and after the time is up until all are stopped, doesn't count:
    --slack-ms, more on a machine that keeps us waiting."""
    profile = read_profile(args.profile)
    seen, cpu_ns = count(profile.samples), sum(s.cpu_ns for s in profile.samples)
    received, handed = said(profile, "samples received"), said(profile, "samples handed to user space")
    lost = lost_in(profile)
    slack = 8 + args.slack_ms * 1e6 / profile.period_ns * os.cpu_count()
    failed = said(profile, "requests on which the symbolizer died, hung or lied")
    ok = (received > 0 and lost is not None and seen == received + lost and cpu_ns == seen * profile.period_ns
          and 0 <= handed - received <= slack and args.failed[0] <= failed <= args.failed[1])
    print(f"{'ok' if ok else 'FAIL'}: {seen} samples of {received} received and {handed} handed over, cpu {cpu_ns} ns at "
          f"{profile.period_ns} ns each, lost {lost}, {failed} requests failed ({args.failed[0]} to {args.failed[1]})")
    for what, least, most in args.counted:
        n = said(profile, COUNTED[what])
        good = int(least) <= n <= int(most)
        ok = ok and good
        print(f"{'ok' if good else 'FAIL'}: {n} {COUNTED[what]} ({least} to {most})")
    return 0 if ok else 1


def check_names(args):
    """Of the files --named each innermost user frame has a name, of --nameless none has; --seen are there, either way;
    of FILE --mostly NAME 95 % have that name."""
    profile, complaints, seen = read_profile(args.profile), [], collections.Counter()
    named, names = collections.Counter(), collections.defaultdict(collections.Counter)
    for s in profile.samples:
        user = next((f for f in s.frames if not f.kernel), None)
        if user is None or (args.comm and s.comm != args.comm):
            continue
        file = os.path.basename(user.module).removesuffix(" (deleted)")
        seen[file] += s.count
        named[file] += s.count if user.named else 0
        names[file][user.name] += s.count
    files = [(f, "all") for f in args.named] + [(f, "none") for f in args.nameless] + [(f, "any") for f in args.seen]
    for file, want in files:
        n = seen[file]
        # Now and then a sample is in one of the linker's stubs, whose names count as none.
        good = {"all": n - named[file] <= n // 50, "none": named[file] == 0, "any": True}[want]
        if n < args.min or not good:
            complaints.append(f"{ascii(file)}: {named[file]} of {n} samples named, not {want} of at least {args.min}")
    for file, name in args.mostly:
        files.append((file, name))
        if seen[file] < args.min or names[file][name] < 0.95 * seen[file]:
            complaints.append(f"{ascii(file)}: of {seen[file]} samples not 95 % are {name}: {names[file].most_common(5)}")
    print(f"{'FAIL' if complaints else 'ok'}: " + ", ".join(f"{ascii(f)} {named[f]}/{seen[f]}" for f, _ in files))
    for complaint in complaints:
        print(f"    {complaint}")
    return 1 if complaints else 0


TRUNCATED = re.compile(r"\[truncated: (.*)\]")


def why_truncated(sample):
    """The words of the outermost frame, None if the stack is whole."""
    said_there = TRUNCATED.fullmatch(sample.frames[-1].name) if sample.frames else None
    return said_there[1] if said_there else None


def check_ends(args):
    """--share of the stacks of COMM end by --why, in --within if that is said; if it is "", they are whole. And of all
    stacks, the comments have as many by each reason as there are."""
    profile, ends, there = read_profile(args.profile), collections.Counter(), collections.Counter()
    for s in profile.samples:
        why = why_truncated(s)
        there[why] += s.count
        if s.comm == args.comm:
            ends[why or "", s.frames[-2].name if why and len(s.frames) > 1 else ""] += s.count
    n, right = sum(ends.values()), sum(k for (why, place), k in ends.items() if why == args.why and place == (args.within or place))
    ok = n >= args.min and right >= args.share * n
    print(f"{'ok' if ok else 'FAIL'}: of {n} stacks of {args.comm} (at least {args.min}) {right} end by \"{args.why}\""
          f" (at least {100 * args.share:.0f} %)")
    for (why, place), k in ends.most_common(5):
        print(f"    {k:5} \"{why}\" {ascii(place)}")
    for why, k in there.items():
        counted_there = said(profile, f"user stacks truncated: {why}") if why else k
        if counted_there != k:
            ok = False
            print(f"FAIL: {k} stacks end by \"{why}\", the comments say {counted_there}")
    if sum(k for why, k in there.items() if why) != said(profile, "user stacks that end before their outermost frame"):
        ok = False
        print("FAIL: the reasons don't add up to the truncated stacks")
    return 0 if ok else 1


def check_only(args):
    """Every sample is as the options say, and there are at least --min of them."""
    profile = read_profile(args.profile)
    wrong = collections.Counter()
    for s in profile.samples:
        why = None
        if args.comm and s.comm not in args.comm:
            why = f"comm {s.comm!r}"
        elif args.absent and s.comm in args.absent:
            why = f"comm {s.comm!r}"
        elif args.pid and s.pid not in args.pid:
            why = f"pid {s.pid} ({s.comm})"
        elif args.tid and s.tid not in args.tid:
            why = f"tid {s.tid} ({s.comm})"
        elif args.user and any(f.kernel for f in s.frames):
            why = f"kernel frame {s.leaf.name}"
        elif args.kernel and not s.kernel:
            why = f"user leaf {s.leaf.name}"
        if why:
            wrong[why] += s.count
    total = count(profile.samples)
    ok = not wrong and total >= args.min
    print(f"{'ok' if ok else 'FAIL'}: {total} samples (at least {args.min}); not as asked: {dict(wrong) or 'none'}")
    return 0 if ok else 1


# ---------------------------------------------------------------- how much of a storm was caught


@dataclass
class Completeness:
    samples: int = 0
    with_binary: int = 0
    nameable: int = 0  # leaf in a place that a symbol covers
    named: int = 0
    unknown: dict = field(default_factory=collections.Counter)

    @property
    def complete(self):
        """Samples with their binary and, where it has symbols, their leaf function."""
        return self.with_binary - (self.nameable - self.named)

    @property
    def share(self):
        return self.complete / self.samples if self.samples else 0.0


def completeness(profile, comms):
    """Of the samples of these programs, how many have their binary and, where that has symbols, their leaf.

    The binary: every sample that isn't all kernel must have its innermost user frame in a named file. (A sample of exec or
    exit has no user part to ask about.) The leaf: a kernel leaf always has a name to be found; a user leaf has one if a
    symbol of that file covers it, which is looked up here in the file itself."""
    out = Completeness()
    for s in profile.samples:
        if s.comm not in comms:
            continue
        out.samples += s.count
        user = next((f for f in s.frames if not f.kernel), None)
        known = s.frames and (user is None or not (user.module in ("", "//anon") or user.module.startswith(("[unknown", "[anon"))))
        if known:
            out.with_binary += s.count
        else:
            out.unknown[f"{s.comm}: no binary ({s.leaf.name or '?'})"] += s.count
            continue
        leaf = s.leaf
        could = leaf.kernel or (leaf.file_off >= 0 and bool(Symbols.of(leaf.module).name_at(leaf.file_off)))
        if leaf.named or could:
            out.nameable += s.count
            out.named += s.count if leaf.named else 0
            if not leaf.named:
                out.unknown[f"{s.comm}: {os.path.basename(leaf.module)}: no name for "
                            f"{'kernel' if leaf.kernel else Symbols.of(leaf.module).name_at(leaf.file_off)}"] += s.count
    return out


def check_complete(args):
    profile = read_profile(args.profile)
    result = completeness(profile, set(args.comm))
    ok = result.samples >= args.min and result.share >= args.share
    print(f"{'ok' if ok else 'FAIL'}: of {result.samples} samples (at least {args.min}) {100 * result.share:.2f} % complete"
          f" (at least {100 * args.share:.0f} %): {result.with_binary} with their binary,"
          f" {result.named} of {result.nameable} nameable leaves named")
    for what, n in result.unknown.most_common(10):
        print(f"    {n:5} {what}")
    return 0 if ok else 1


def is_chain(frames, chain):
    """From its innermost function to the outermost: exactly these, and below them a bottom that was reached."""
    names = [f.name for f in frames if not f.kernel]
    return names[:len(chain)] == chain and not any(n.startswith("[truncated") for n in names)


def judge_stacks(args, samples, what, is_right, is_wrong=lambda sample: False):
    """There are --min samples, --share of them are right, and none is wrong; what the others look like."""
    n, right, wrong = count(samples), count(s for s in samples if is_right(s)), count(s for s in samples if is_wrong(s))
    ok = n >= args.min and right >= args.share * n and not wrong
    print(f"{'ok' if ok else 'FAIL'}: of {n} samples (at least {args.min}) {100 * right / max(n, 1):.2f} % {what}"
          f" (at least {100 * args.share:.0f} %); {wrong} are wrong")
    others = collections.Counter()
    for s in samples:
        if is_wrong(s) or not is_right(s):
            others["WRONG " * is_wrong(s) + " < ".join(f.name or os.path.basename(f.module) for f in s.frames if not f.kernel)] += s.count
    for stack, times in others.most_common(5):
        print(f"    {times:5} {ascii(stack)[:400]}")
    return 0 if ok else 1


def check_chain(args):
    """The samples in a function have the call chain that the program is known to have."""
    chain = [name for link in args.chain for name in link.split("*")[0].split("+") * int((link.split("*") + ["1"])[1])]
    here = read_profile(args.profile).of(lambda s: s.comm == args.comm and s.has(chain[0]))
    return judge_stacks(args, here, f"have the {len(chain)} callers that there are", lambda s: is_chain(s.frames, chain))


def reaches_bottom(sample):
    """The outermost user frame is where programs begin. Without user frames there is nothing to reach (exec); a sample
    of exit has its last system call's."""
    user = [f for f in sample.frames if not f.kernel]
    if not user or (sample.kernel and len(user) == 1):
        return not any(f.name.startswith("[truncated") for f in user)
    if user[-1].name.startswith("[truncated"):
        return False
    return (os.path.basename(user[-1].module).startswith("ld-linux") or user[-1].name == "_start"
            or any(f.name.startswith(("__libc_start_", "__clone", "clone", "start_thread")) for f in user))


def check_bottom(args):
    """Stacks of these programs end where programs begin."""
    here = read_profile(args.profile).of(lambda s: s.comm in args.comm)
    return judge_stacks(args, here, "reach the bottom", reaches_bottom)


def skips_main(sample):
    """It has reached _start, but not by the program's one main."""
    user = [f for f in sample.frames if not f.kernel]
    names, own = [f.name for f in user], [f.name for f in user if os.path.basename(f.module) == sample.comm]
    return names[-1] == "_start" and (names[-2:-1] != ["__libc_start_main"] or own[-2:-1] != ["main"] or names.count("main") != 1)


def check_stacks(args):
    """Stacks of these programs reach _start, and each that does so does it by main."""
    here = read_profile(args.profile).of(lambda s: s.comm in args.comm and any(not f.kernel for f in s.frames))
    return judge_stacks(args, here, "are whole", lambda s: [f for f in s.frames if not f.kernel][-1].name == "_start", skips_main)


# ---------------------------------------------------------------- two profilers, one machine, one time


def bare(name, module):
    """A function's name without what tools differ in: parameters, templates, clones; the file for the nameless."""
    if is_placeholder(name):
        m = re.fullmatch(r"(.*)\+0x[0-9a-f]+", name)
        file = m[1] if m else name.strip("[]") if name.startswith("[") and name != "[unknown]" else module
        return f"[{os.path.basename(file).strip('[]')}]"
    name = re.sub(r"\.(part|constprop|isra|cold|lto_priv|llvm|localalias)\b.*$", "", name)
    name = name.replace("(anonymous namespace)", "{anon}").replace("operator()", "operator{}")
    name = re.sub(r"\s*\[clone .*$", "", re.sub(r"\(.*$", "", name))
    while True:
        shorter = re.sub(r"(?<!operator)(?<!operator<)<[^<>]*>", "", name)
        if shorter == name:
            break
        name = shorter
    return name.split(" ")[-1] if " " in name and "operator" not in name else name


def kernel_aliases():
    by_address, out = collections.defaultdict(set), {}
    try:
        with open("/proc/kallsyms", encoding="utf-8", errors="replace") as file:
            for line in file:
                parts = line.split()
                if parts[1] in "tTwW" and int(parts[0], 16):
                    by_address[parts[0]].add(parts[2])
    except OSError:
        return out
    for names in by_address.values():
        for name in names:
            out[name] = min(names)
    return out


def canonical_names(frames):
    """name -> one name for all symbols at the same address, over every file in sight."""
    out = kernel_aliases()
    for module in {f.module for f in frames if not f.kernel and f.module.startswith("/")}:
        out.update({name: alias for name, alias in Symbols.of(module).aliases.items() if name not in out})
    return {bare(name, ""): bare(alias, "") for name, alias in out.items() if name != alias}


def go_pprof(*arguments):
    run = subprocess.run(["go", "tool", "pprof", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         check=False, env={**os.environ, "PPROF_BINARY_PATH": "/nonexistent", "HOME": "/tmp"})
    if run.returncode:
        raise SystemExit(f"go tool pprof {' '.join(arguments)}: {run.stderr.decode(errors='replace')}")
    return run.stdout.decode("utf-8", "surrogateescape")


GO_TOP = ["-top", "-nodecount=1000000", "-nodefraction=0", "-edgefraction=0", "-sample_index=samples", "-compact_labels=false"]


def go_top(path, *arguments):
    """{name: (flat, cum)} in samples, by `go tool pprof -top`."""
    out = {}
    text = go_pprof(*GO_TOP, *arguments, path)
    body = text[text.index("flat%") :].split("\n")[1:]
    for line in body:
        m = re.match(r"\s*(\S+)\s+\S+%?\s+\S+%\s+(\S+)\s+\S+%\s+(.*)$", line)
        if m:
            name = m[3].removesuffix(" (inline)").removesuffix(" (partial-inline)")
            flat, cum = out.get(name, (0, 0))
            out[name] = (flat + int(m[1]), cum + int(m[2]))
    return out


def leaves(profile, comms, aliases, fileless_stubs=False):
    """Samples by leaf function; a stub of the linker is nameless, and as pprof -top prints names only, in no file for that."""
    out = collections.Counter()
    for s in profile.samples:
        if s.comm in comms:
            fileless = fileless_stubs and s.leaf.name.endswith("@plt")
            name = bare(s.leaf.name, "" if fileless else s.leaf.module)
            out[aliases.get(name, name)] += s.count
    return out


def go_leaves(path, comms, aliases):
    """Leaf functions of these programs as `go tool pprof -top -tagfocus` has them."""
    out = collections.Counter()
    focus = "comm=" + ",".join(f"^{re.escape(c)}$" for c in sorted(comms))
    for name, (flat, _) in go_top(path, f"-tagfocus={focus}").items():
        name = bare(name, "")
        out[aliases.get(name, name)] += flat
    return +out


def two_sample(table, what, first, second, floor):
    """Shares of two samplings of the same thing, each key with enough to compare; the rest in one heap."""
    n1, n2 = sum(first.values()), sum(second.values())
    table.require(n1 >= 100 and n2 >= 100, f"{what}: {n1} and {n2} samples: too few")
    if not n1 or not n2:
        return
    rest = [0, 0]
    for key in sorted(set(first) | set(second), key=lambda k: -first[k] - second[k]):
        k1, k2 = first[key], second[key]
        if (k1 + k2) / (n1 + n2) < floor:
            rest[0] += k1
            rest[1] += k2
            continue
        compare_shares(table, f"{what} {ascii(key)[1:-1]}", k1, n1, k2, n2)
    if sum(rest) / (n1 + n2) >= floor:
        compare_shares(table, f"{what} (all others)", rest[0], n1, rest[1], n2)


def compare_shares(table, what, k1, n1, k2, n2):
    p = (k1 + k2) / (n1 + n2)
    se = math.sqrt(p * (1 - p) * (1 / n1 + 1 / n2)) * n1
    table.compare(what[:34], n1 * k2 / n2, k1, se, f"{100 * k1 / n1:.1f} % and {100 * k2 / n2:.1f} %")


def without_names(profile, other, comms):
    """{name: stand-in} of files of which the other has no name, somewhere: it doesn't look for debug files."""
    def stand_in(sample):
        return f"[{os.path.basename(sample.leaf.module)}]"

    unnamed = {stand_in(s) for s in other.samples if s.comm in comms and bare(s.leaf.name, s.leaf.module) == stand_in(s)}
    return {bare(s.leaf.name, s.leaf.module): stand_in(s) for p in (profile, other) for s in p.samples
            if s.comm in comms and stand_in(s) in unnamed}


def check_agree(args):
    """PROFILE and PERF of the same time agree on the shares of programs and of leaf functions.

    The first is read by `go tool pprof` (-tagroot=comm for the programs, -top for the functions), which also
    proves that it can be, and by our own reader, which must see the same."""
    comms = set(args.comm)
    other = read_profile(args.perf)
    table = Table(f"{args.profile} and {args.perf}")
    profile = read_profile(args.profile)
    frames = [s.leaf for p in (profile, other) for s in p.samples if s.comm in comms]
    aliases = canonical_names(frames) | without_names(profile, other, comms)
    mine = leaves(profile, comms, aliases)
    programs = collections.Counter({c: count(s for s in profile.samples if s.comm == c) for c in comms})
    if not args.profile.endswith(".perf"):
        rooted = go_top(args.profile, "-tagroot=comm")
        by_go = collections.Counter({c: rooted.get(c, (0, 0))[1] for c in comms})
        table.require(by_go == programs, f"go tool pprof -tagroot=comm has {dict(by_go)}, our reader {dict(programs)}")
        by_go, by_us = go_leaves(args.profile, comms, aliases), leaves(profile, comms, aliases, fileless_stubs=True)
        odd = {k: (by_go[k], by_us[k]) for k in set(by_go) | set(by_us) if by_go[k] != by_us[k]}
        table.require(not odd, f"go tool pprof -top and our reader differ: {dict(list(odd.items())[:5])}")
        mine = by_go
    theirs = collections.Counter({c: count(s for s in other.samples if s.comm == c) for c in comms})
    table.require(all(theirs[c] for c in comms), f"not all of {sorted(comms)} are in perf's profile: {dict(theirs)}")
    two_sample(table, "program", programs, theirs, 0.02)
    two_sample(table, "leaf", mine, leaves(other, comms, aliases), 0.02)
    return table.done()


def check_strings(args):
    """What every consumer may rely on: valid UTF-8, no control characters in names, mappings as promised."""
    profile = read_profile(args.profile)
    complaints = []
    for s in profile.strings:
        try:
            text = s.decode("utf-8")
        except UnicodeDecodeError:
            complaints.append(f"not UTF-8: {s!r}")
            continue
        if not args.controls and re.search(r"[\x00-\x1f\x7f-\x9f]", text):
            complaints.append(f"control characters: {s!r}")
    for m in profile.raw["mappings"].values():
        if not m["has_functions"]:
            complaints.append(f"mapping {m['file']!r} without has_functions: pprof would look for the file")
        if m["limit"] <= m["start"]:
            complaints.append(f"mapping {m['file']!r} is empty")
    for what in ("duration_ns", "period_ns", "time_ns"):
        if getattr(profile, what) <= 0:
            complaints.append(f"{what} is {getattr(profile, what)}")
    for s in profile.samples:
        if not is_lost(s) and not (s.comm and s.pid and s.frames):
            complaints.append(f"a sample without comm, pid or frames: {s}")
            break
    print(f"{'FAIL' if complaints else 'ok'}: {len(profile.strings)} strings, {len(profile.raw['mappings'])} mappings")
    for complaint in complaints[:10]:
        print(f"    {complaint}")
    return 1 if complaints else 0


def stack_key(sample, frames):
    return (sample.comm, sample.thread, sample.pid, sample.tid, tuple((f.name, f.module) for f in frames))


def counted(samples, key):
    out = collections.Counter()
    for s in samples:
        out[key(s)] += s.count
    return out


def report_same(what, first, second):
    odd = [(k, first[k], second[k]) for k in set(first) | set(second) if first[k] != second[k]]
    total, other = sum(first.values()), sum(second.values())
    ok = not odd and total > 0
    print(f"{'ok' if ok else 'FAIL'}: {what}: {total} and {other} samples, {len(odd)} of {len(first)} stacks differ")
    for key, a, b in odd[:5]:
        print(f"    {a} and {b}: {ascii(key)}")
    return 0 if ok else 1


def check_same(args):
    """Two files are the same profile: the same stacks under the same labels, the same facts."""
    first, second = read_profile(args.profile), read_profile(args.other)
    bad = report_same("stacks", *(counted(p.samples, lambda s: stack_key(s, s.frames)) for p in (first, second)))
    for what in ("duration_ns", "period_ns", "time_ns"):
        if getattr(first, what) != getattr(second, what):
            print(f"FAIL: {what} is {getattr(first, what)} and {getattr(second, what)}")
            bad = 1
    return bad


def check_collapsed(args):
    """A collapsed file has the stacks of a profile, the comm as root."""
    profile = read_profile(args.profile)
    seen = collections.Counter()
    with open(args.other, encoding="utf-8") as file:
        for line in file.read().splitlines():
            stack, _, n = line.rpartition(" ")
            if seen[stack]:
                print(f"FAIL: twice: {line}")
                return 1
            seen[stack] += int(n)

    def line_of(sample):
        frames = [f.name.replace(";", ":") + ("_[k]" if f.kernel else "") for f in reversed(sample.frames)]
        return ";".join(([sample.comm.replace(";", ":")] if sample.comm else []) + frames)

    return report_same("collapsed", counted(profile.samples, line_of), seen)


def check_rooted(args):
    """OTHER is PROFILE with the labels KEYS as its outermost frames."""
    first, second = read_profile(args.profile), read_profile(args.other)
    n = len(args.keys)
    for s in second.samples:
        want = [f"{k}: {s.labels.get(k, '-')}" for k in args.keys]
        if not is_lost(s) and [f.name for f in reversed(s.frames[-n:])] != want:
            print(f"FAIL: not {want}: {[f.name for f in s.frames]}")
            return 1

    def below(s):
        return stack_key(s, s.frames if is_lost(s) else s.frames[:-n])

    return report_same("below the roots", counted(first.samples, lambda s: stack_key(s, s.frames)),
                       counted(second.samples, below))


def check_go(args):
    """`go tool pprof` reads the file and counts what we count."""
    profile = read_profile(args.profile)
    flat = sum(f for f, _ in go_top(args.profile).values())
    header = go_pprof("-top", "-nodecount=1", args.profile).split("\n")
    ok = flat == count(profile.samples) and any(line.startswith("Type: cpu") for line in header)
    print("\n".join(header[:12]))
    print(f"{'ok' if ok else 'FAIL'}: go counts {flat} samples, our reader {count(profile.samples)}; type cpu by default")
    return 0 if ok else 1


def show(args):
    profile = read_profile(args.profile)
    print(f"samples {count(profile.samples)} stacks {len(profile.samples)} cpu {sum(s.cpu_ns for s in profile.samples) / 1e9:.3f} s"
          f" duration {profile.duration_ns / 1e9:.3f} s period {profile.period_ns} ns")
    print("\n".join(f"# {c}" for c in profile.comments))
    for comm, n in collections.Counter({c: count(profile.of(lambda s, c=c: s.comm == c)) for c in {s.comm for s in profile.samples}}).most_common(20):
        print(f"  {n:7} {ascii(comm)}")
    leaf = collections.Counter()
    for s in profile.samples:
        leaf[f"{s.leaf.name} ({s.leaf.module})"] += s.count
    for name, n in leaf.most_common(args.n):
        print(f"  {n:7} {ascii(name)}")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    commands = parser.add_subparsers(required=True)

    def command(name, function, truth=True):
        sub = commands.add_parser(name, help=function.__doc__)
        sub.set_defaults(run=function)
        if truth:
            sub.add_argument("profile")
            sub.add_argument("truth")
            sub.add_argument("--comm", help="all processes of this name, not the one whose pid the truth has")
            sub.add_argument("--hz", type=float, help="sampling rate, by default 1 / the profile's period")
        return sub

    sub = command("functions", check_functions)
    sub.add_argument("--leaf", action="store_true")
    sub.add_argument("--module")
    sub = command("chain", check_chain, truth=False)
    sub.add_argument("profile")
    sub.add_argument("chain", nargs="+", metavar="NAME[+NAME...][*TIMES]", help="innermost first")
    sub.add_argument("--comm", required=True)
    sub.add_argument("--min", type=int, default=50)
    sub.add_argument("--share", type=float, default=0.95)
    command("threads", check_threads)
    command("kernel", check_kernel)
    sub = command("module", check_module)
    sub.add_argument("--module", required=True)
    sub.add_argument("--unnamed", action="store_true")
    sub = command("lockstep", check_lockstep, truth=False)
    sub.add_argument("pairs", nargs="+")
    sub.add_argument("--limit", type=float)
    for name, function in (("saturated", check_saturated), ("only", check_only), ("complete", check_complete),
                           ("bottom", check_bottom),
                           ("strings", check_strings), ("go", check_go), ("show", show), ("whole", check_whole),
                           ("names", check_names), ("stacks", check_stacks), ("ends", check_ends)):
        sub = command(name, function, truth=False)
        sub.add_argument("profile")
        if name == "saturated":
            sub.add_argument("--cpus", type=int, default=os.cpu_count())
            sub.add_argument("--steal-ns", type=int, default=0)
            sub.add_argument("--within", type=float, default=0.01)
        elif name == "only":
            sub.add_argument("--comm", nargs="+")
            sub.add_argument("--absent", nargs="+", help="no process of this name")
            sub.add_argument("--pid", type=int, nargs="+")
            sub.add_argument("--tid", type=int, nargs="+")
            sub.add_argument("--user", action="store_true")
            sub.add_argument("--kernel", action="store_true")
            sub.add_argument("--min", type=int, default=1)
        elif name in ("complete", "bottom", "stacks"):
            sub.add_argument("--comm", nargs="+", required=True)
            sub.add_argument("--min", type=int, default=20 if name == "stacks" else 100)
            sub.add_argument("--share", type=float, default=0.5 if name == "stacks" else 0.95)
        elif name == "ends":
            sub.add_argument("--comm", required=True)
            sub.add_argument("--why", required=True)
            sub.add_argument("--within", help="the function that they end in")
            sub.add_argument("--min", type=int, default=50)
            sub.add_argument("--share", type=float, default=0.8)
        elif name == "strings":
            sub.add_argument("--controls", action="store_true", help="control characters are allowed")
        elif name == "whole":
            sub.add_argument("--failed", type=int, nargs=2, default=(0, 0), help="failed requests, at least and at most")
            sub.add_argument("--slack-ms", type=float, default=40)
            sub.add_argument("--counted", nargs=3, action="append", default=[], metavar=("WHAT", "LEAST", "MOST"))
        elif name == "names":
            sub.add_argument("--named", nargs="+", default=[])
            sub.add_argument("--nameless", nargs="+", default=[])
            sub.add_argument("--seen", nargs="+", default=[])
            sub.add_argument("--mostly", nargs=2, action="append", default=[], metavar=("FILE", "NAME"))
            sub.add_argument("--comm", help="of this program only")
            sub.add_argument("--min", type=int, default=10, help="samples of each file")
        elif name == "show":
            sub.add_argument("-n", type=int, default=20)
    sub = command("agree", check_agree, truth=False)
    sub.add_argument("profile")
    sub.add_argument("perf")
    sub.add_argument("--comm", nargs="+", required=True)
    for name, function in (("same", check_same), ("collapsed", check_collapsed), ("rooted", check_rooted)):
        sub = command(name, function, truth=False)
        sub.add_argument("profile")
        sub.add_argument("other")
        if name == "rooted":
            sub.add_argument("--keys", nargs="+", required=True)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
