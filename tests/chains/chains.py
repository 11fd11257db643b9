# SPDX-License-Identifier: Apache-2.0
"""Known call chains (variants.py), and whether a profile has them, without one wrong frame.

    chains.py build FOLDER [NAME...]            what isn't built yet; what no compiler is there for is passed over
    chains.py run FOLDER [NAME...]              each variant once, as many at a time as there are CPUs
    chains.py check FOLDER PROFILE [NAME...]    every stack of theirs
    chains.py selftest                          is the judge one?

A stack is exact if it is what its variant's chains say, up to its outermost frame; early if it is their beginning,
at the leaf, and says that it ends there, and why ("[truncated: too deep]"); and wrong otherwise. One wrong stack is a
failure; so is a variant most of whose early stacks give another reason than it has.

Not judged: stacks of what main does before and after (none of the program's own functions is in them, or it sets a
timer), and how early those end that begin in
warm_up(). They may not be wrong, either.
"""
import collections
import concurrent.futures
import os
import re
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "e2e"))

from profiles import Symbols, read_profile  # noqa: E402
from variants import RESTORE, RUNTIME, VARIANTS  # noqa: E402

EXACT_SHARE = 0.99
MIN_SAMPLES = 100
SLOW = bool(os.environ.get("SAN"))  # under a sanitizer tables come late: only what is wrong is judged
TRUNCATED = "[truncated: "


def places(variant, out):
    folder = os.path.abspath(os.path.join(out, variant.name))
    return {"src": here, "out": os.path.abspath(out), "dir": folder, "exe": os.path.join(folder, variant.name)}


def chosen(names):
    unknown = set(names) - {v.name for v in VARIANTS}
    if unknown:
        raise SystemExit(f"no such variant: {' '.join(sorted(unknown))}")
    return [v for v in VARIANTS if not names or v.name in names]


# ---------------------------------------------------------------- build, run


def newest_source():
    return max(os.stat(os.path.join(here, name)).st_mtime for name in os.listdir(here) if not name.startswith("__"))


def build(variant, out):
    """None, or why not."""
    where = places(variant, out)
    stamp = os.path.join(where["dir"], "command")
    command = variant.build.format(**where)
    try:
        with open(stamp, encoding="utf-8") as file:
            if file.read() == command and os.stat(stamp).st_mtime >= newest_source():
                return None
    except FileNotFoundError:
        pass
    os.makedirs(where["dir"], exist_ok=True)
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        return done.stdout.strip() or f"status {done.returncode}"
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(command)
    return None


def run(variant, out):
    where = places(variant, out)
    if not os.path.exists(where["exe"]):
        return None
    environment = dict(os.environ, CHAIN_NAME=variant.name)
    done = subprocess.run(["sh", "-c", variant.run.format(**where)], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return f"status {done.returncode}: {done.stdout.strip()}" if done.returncode else None


def each(function, variants, out):
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for variant, why in zip(variants, pool.map(lambda v: function(v, out), variants)):
            if why:
                bad += 1
                print(f"{function.__name__} {variant.name}: {why}")
    return bad


# ---------------------------------------------------------------- what a stack may be


class Token:
    def __init__(self, text):
        self.optional, self.repeated = text.endswith(("/?", "/*")), text.endswith("/*")
        text = text[:-2] if self.optional else text
        self.pattern = re.compile(text if "@" in text else rf"(?:{text})(?:\.cold)?@.*")


class Grammar:
    """All stacks of a variant."""

    def __init__(self, variant):
        on_time = [Token(t) for t in f"on_time {RESTORE}".split()]
        tops = [[], on_time]
        for top in variant.tops:
            tokens = [Token(t) for t in top.split()]
            tops += [tokens] + [on_time + tokens[i:] for i in range(len(tokens))]  # it may interrupt these, too
        self.sequences = []
        for text in variant.chains:
            tokens = [Token(t) for t in text.split()]
            for k in range(len(tokens)):
                for top in tops:
                    self.sequences += [top[j:] + tokens[k:] for j in range(len(top) or 1)]
        warm = [Token(t) for t in variant.chains[0].split()]
        at = next(i for i, t in enumerate(variant.chains[0].split()) if t in ("alpha", "_start"))
        self.warm = [Token("warm_up"), *warm[at + 1 :]]
        for top in tops:
            for j in range(len(top) or 1):
                self.sequences += [top[j:] + self.warm, top[j:] + self.warm[1:]]
        self.cache = {}

    @staticmethod
    def closure(sequence, states):
        """Where one may be without a further frame."""
        out, todo = set(), list(states)
        while todo:
            at = todo.pop()
            if at not in out:
                out.add(at)
                if at < len(sequence) and sequence[at].optional:
                    todo.append(at + 1)
        return out

    def follow(self, sequence, stack):
        """Whether the stack goes along the sequence, and to its end."""
        states = self.closure(sequence, {0})
        for frame in stack:
            following = set()
            for at in states:
                if at < len(sequence) and sequence[at].pattern.fullmatch(frame):
                    following.add(at if sequence[at].repeated else at + 1)
            states = self.closure(sequence, following)
            if not states:
                return False, False
        return True, len(sequence) in states

    def judge(self, stack):
        """ "exact", "early" or "wrong" for NAME@FILE, leaf first."""
        if stack not in self.cache:
            truncated = bool(stack) and stack[-1].startswith(TRUNCATED)
            found = [self.follow(s, stack[:-1] if truncated else stack) for s in self.sequences]
            if truncated:
                verdict = "early" if any(alive for alive, _ in found) else "wrong"
            else:
                verdict = "exact" if any(complete for _, complete in found) else "wrong"
            self.cache[stack] = verdict
        return self.cache[stack]


OWN = re.compile(r"(alpha|bravo|charlie|delta|delta_for_ever|echo|foxtrot|asm_middle|golf\d|library_leaf|hotel|handler|warm_up|"
                 r"never_called|tiny|thrower|on_time|chain|main)@.*")


SETTING_UP = re.compile(r"(main|chain|timer|handle|signals_begin|milliseconds)@.*")
SYSTEM = re.compile(RUNTIME[:-2] + r"|[^?].*@(?!\[)[^.]*")  # the C library's, maybe in a static program


def is_setting_up(stack):
    """Something that main or chain asked the C library for, before the work or behind it."""
    first = next(i for i, s in enumerate(stack) if OWN.fullmatch(s) or SETTING_UP.fullmatch(s))
    return first > 0 and SETTING_UP.fullmatch(stack[first]) and all(SYSTEM.fullmatch(s) for s in stack[:first])


THROWING = re.compile(r".*@(libgcc_s|libstdc\+\+)\.so")  # no program starts or ends there


def describe(frame, names):
    """NAME@FILE."""
    if frame.name.startswith(TRUNCATED):
        return frame.name
    name, file = frame.name if frame.named else "", os.path.basename(frame.module)
    if not name and names:
        name = names.name_at(frame.file_off)
    return f"{name or '?'}@{file}"


# ---------------------------------------------------------------- return addresses


class Calls:
    """Is there a call before this place of a file?"""

    files = {}

    @classmethod
    def before(cls, path, off):
        if path not in cls.files:
            try:
                with open(path, "rb") as file:
                    cls.files[path] = file.read()
            except OSError:
                cls.files[path] = None
        data = cls.files[path]
        if data is None or off < 7 or off >= len(data):
            return True  # nobody can tell
        before = data[off - 6 : off + 1]  # `off` is in the call, at its last byte
        return before[-5] == 0xE8 or any(before[-n] == 0xFF and before[1 - n] >> 3 & 7 == 2 for n in (2, 3, 4, 6, 7))


def not_called(frames, stack):
    """The first caller that stands behind no call, or None. What a signal interrupted doesn't."""
    restore = re.compile(RESTORE)
    for i in range(1, len(stack)):
        interrupted = restore.fullmatch(stack[i - 1]) or restore.fullmatch(stack[i])
        if frames[i].file_off >= 0 and not interrupted and not Calls.before(frames[i].module, frames[i].file_off):
            return stack[i]
    return None


# ---------------------------------------------------------------- check


def check(variant, samples, out):
    grammar, counts, shown, ends = (Grammar(variant), *(collections.Counter() for _ in range(3)))
    offsets = os.environ.get("CHAINS_OFFSETS")
    names = Symbols(variant.names_from.format(**places(variant, out))) if variant.names_from else None
    for sample in samples:
        frames = [f for f in sample.frames if not f.kernel]
        stack = tuple(describe(f, names) for f in frames)
        if any(OWN.fullmatch(s) for s in stack) and not is_setting_up(stack):
            verdict = grammar.judge(stack)
        else:
            verdict = "early" if stack and stack[-1].startswith(TRUNCATED) and THROWING.match(stack[0]) else "other"
        bad = not_called(frames, stack) if verdict in ("exact", "early") else None
        if bad:
            verdict, stack = "wrong", (*stack, f"({bad} is behind no call)")
        if verdict == "early" and any(s.startswith("warm_up@") for s in stack):
            verdict = "early at first"
        counts[verdict] += sample.count
        if verdict == "early":
            ends[stack[-1][len(TRUNCATED) : -1]] += sample.count
        if verdict in ("wrong", "early"):
            shown[(verdict, stack if not offsets else tuple(f"{s}+{f.file_off:x}" for s, f in zip(stack, frames)))] += sample.count
    judged = counts["exact"] + counts["early"] + counts["wrong"]
    share = counts["exact"] / judged if judged else 0
    enough = SLOW or share >= (variant.least if variant.early else EXACT_SHARE)
    most = ends.most_common(1)[0][0] if ends else variant.end
    ok = not counts["wrong"] and judged >= MIN_SAMPLES and enough and variant.end in ("", most)
    print(f"{'ok  ' if ok else 'FAIL'} {variant.name:15} {judged:5} samples, {100 * share:6.2f} % exact,"
          f" {counts['early']} early{f' ({most})' if ends else ''}, {counts['wrong']} wrong; {counts['early at first']} early at first,"
          f" {counts['other']} others" + (f" ({variant.early})" if variant.early else ""))
    if not ok or os.environ.get("CHAINS_SHOW"):
        for (verdict, stack), n in sorted(shown.items(), key=lambda s: (s[0][0] == "early", -s[1]))[:12]:
            print(f"       {n:5} {verdict}: {' '.join(stack)}")
    return ok, counts


def check_all(variants, out, path):
    by_comm, total, ok = collections.defaultdict(list), collections.Counter(), True
    for sample in read_profile(path).samples:
        by_comm[sample.comm].append(sample)
    for variant in variants:
        if not os.path.exists(places(variant, out)["exe"]):
            print(f"none {variant.name:15} was not built")
            continue
        good, counts = check(variant, by_comm[variant.name], out)
        ok, total = ok and good, total + counts
    ok = ok and total["exact"] > 0  # else nothing was built
    print(f"{'ok' if ok else 'FAIL'}: {dict(total)}")
    return ok


def selftest():
    """What must be refused is refused."""
    by_name = {v.name: Grammar(v) for v in VARIANTS}
    bottom = "main@x ?@libc.so.6 __libc_start_main@libc.so.6 _start@x"
    cases = [
        ("gcc-O2", f"echo@x delta@x charlie@x bravo@x alpha@x chain@x {bottom}", "exact"),
        ("gcc-O2", f"bravo@x alpha@x chain@x {bottom}", "exact"),
        ("gcc-O2", f"on_time@x ?@libc.so.6 delta@x charlie@x bravo@x alpha@x chain@x {bottom}", "exact"),
        ("gcc-O2", "echo@x delta@x charlie@x [truncated: too deep]", "early"),
        ("gcc-O2", "echo@x [truncated: too deep]", "early"),
        ("gcc-O2", "echo@x [truncated]", "wrong"),  # it doesn't say why
        ("gcc-O2", "echo@x", "wrong"),  # it says that this is all
        ("gcc-O2", f"echo@x charlie@x bravo@x alpha@x chain@x {bottom}", "wrong"),
        ("gcc-O2", f"echo@x delta@x delta@x charlie@x bravo@x alpha@x chain@x {bottom}", "wrong"),
        ("gcc-O2", "echo@x delta@x ?@[unknown] [truncated: too deep]", "wrong"),
        ("gcc-O2", "echo@x bravo@x [truncated: too deep]", "wrong"),
        ("gcc-O2", f"?@libc.so.6 delta@x charlie@x bravo@x alpha@x chain@x {bottom}", "exact"),  # on the way out of on_time
        ("gcc-O2", f"never_called@x delta@x charlie@x bravo@x alpha@x chain@x {bottom}", "wrong"),
        ("gcc-tail", f"echo@x delta@x charlie@x bravo@x alpha@x chain@x {bottom}", "wrong"),
        ("gcc-tail", f"echo@x delta@x bravo@x alpha@x chain@x {bottom}", "exact"),
        ("gcc-signal", f"hotel@x handler@x ?@libc.so.6 charlie@x bravo@x alpha@x chain@x {bottom}", "exact"),
        ("gcc-signal", f"?@libc.so.6 handler@x ?@libc.so.6 echo@x delta@x charlie@x bravo@x alpha@x chain@x {bottom}", "exact"),
        ("gcc-signal", f"hotel@x ?@libc.so.6 charlie@x bravo@x alpha@x chain@x {bottom}", "wrong"),
        ("clock", f"__vdso_clock_gettime@[vdso] clock_gettime@libc.so.6 echo@x delta@x charlie@x bravo@x alpha@x chain@x {bottom}",
         "exact"),
        ("throw-gcc", f"?@libgcc_s.so.1 __cxa_throw@libstdc++.so.6.0.30 echo.cold@x delta@x charlie@x bravo@x alpha@x chain@x {bottom}",
         "exact"),
        ("throw-gcc", "_Unwind_Resume@libgcc_s.so.1 bravo@x ?@[unknown] [truncated: too deep]", "wrong"),
    ]
    bad = 0
    for name, stack, expected in cases:
        verdict = by_name[name].judge(tuple(re.findall(r"\[truncated.*|\S+", stack)))
        if verdict != expected:
            bad += 1
            print(f"FAIL {name}: {stack} is {verdict}, not {expected}")
    print(f"{len(cases)} stacks, {bad} judged wrongly")
    return 1 if bad else 0


def main():
    if sys.argv[1:] == ["selftest"]:
        return selftest()
    if len(sys.argv) < 3 or sys.argv[1] not in ("build", "run", "check"):
        raise SystemExit(__doc__)
    what, out, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    if what == "check":
        return 0 if check_all(chosen(rest[1:]), out, rest[0]) else 1
    bad = each(build if what == "build" else run, chosen(rest), out)
    return 1 if bad and what == "run" else 0


if __name__ == "__main__":
    sys.exit(main())
