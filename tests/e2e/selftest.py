# SPDX-License-Identifier: Apache-2.0
"""The checks of truth.py, checked: each passes on a profile that is right, and fails on one that is wrong in
the way it is there for. The profiles are written here, byte by byte. `selftest.py --go`: those that need go, too.
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile

from truth import bare, chi_limit

TRUTH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "truth.py")


def encode_varint(value):
    value &= 2**64 - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def encode(number, value):
    if isinstance(value, int):
        return encode_varint(number << 3) + encode_varint(value)
    return encode_varint(number << 3 | 2) + encode_varint(len(value)) + bytes(value)


def synthetic(path, samples, comments=("slowburn: the whole machine",), duration_ns=10**10, period_ns=10101010):
    """Writes a pprof file: samples are (count, comm, pid, tid, thread, [(function, file), …])."""
    strings, functions, mappings, locations, body = {"": 0}, {}, {}, {}, b""

    def s(text):
        return strings.setdefault(text, len(strings))

    for n, comm, pid, tid, thread, stack in samples:
        ids = b""
        for function, file in stack:
            mapping = mappings.setdefault(file, len(mappings) + 1)
            functions.setdefault(function, len(functions) + 1)
            ids += encode_varint(locations.setdefault((function, mapping), len(locations) + 1))
        one = encode(1, ids) + encode(2, encode_varint(n) + encode_varint(n * period_ns))
        for key, value in (("comm", comm), ("thread", thread)):
            one += encode(3, encode(1, s(key)) + encode(2, s(value)))
        for key, value in (("pid", pid), ("tid", tid)):
            one += encode(3, encode(1, s(key)) + encode(3, value))
        body += encode(2, one)
    for file, i in mappings.items():
        body += encode(3, encode(1, i) + encode(2, i << 32) + encode(3, (i << 32) + 2**20) + encode(5, s(file)) + encode(7, 1))
    for (function, mapping), i in locations.items():
        line = encode(1, functions[function])
        body += encode(4, encode(1, i) + encode(2, mapping) + encode(3, (mapping << 32) + i) + encode(4, line))
    for function, i in functions.items():
        body += encode(5, encode(1, i) + encode(2, s(function)))
    for kind, unit in (("samples", "count"), ("cpu", "nanoseconds")):
        body += encode(1, encode(1, s(kind)) + encode(2, s(unit)))
    body += encode(9, 10**18) + encode(10, duration_ns) + encode(11, encode(1, s("cpu")) + encode(2, s("nanoseconds")))
    body += encode(12, period_ns)
    for comment in comments:
        body += encode(13, s(comment))
    for text in strings:
        body += encode(6, text.encode("utf-8", "surrogateescape"))
    with gzip.open(path, "wb") as file:
        file.write(body)


def selftest(with_go):
    """Each check passes on a profile that is right and fails on one that is wrong in the way the check is there for."""
    failures = []
    with tempfile.TemporaryDirectory() as directory:
        def path(name):
            return os.path.join(directory, name)

        def truth(name, *lines, process_ns):
            with open(path(name), "w", encoding="utf-8") as file:
                for line in lines:
                    file.write(json.dumps(line) + "\n")
                file.write(json.dumps({"what": "process", "pid": 7, "name": "w", "cpu_ns": process_ns}) + "\n")
            return path(name)

        def functions(half, third, fifth, comm="w", module="/bin/w", pid=7):
            return [(n, comm, pid, pid, comm, [(f, module), ("main", module)])
                    for n, f in ((half, "half"), (third, "third"), (fifth, "fifth")) if n]

        def expect(status, *arguments):
            got = subprocess.run([sys.executable, TRUTH, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            said = got.stdout.decode(errors="replace")
            if got.returncode != status:
                failures.append(f"{' '.join(arguments)}: exit {got.returncode}, not {status}:\n{said}")
            elif "Traceback" in said:
                failures.append(f"{' '.join(arguments)}: crashed:\n{said}")

        def profile(name, samples, **options):
            synthetic(path(name), samples, **options)
            return path(name)

        shares = truth("shares.json", *({"what": "function", "pid": 7, "name": n, "cpu_ns": t * 10**8}
                       for n, t in (("half", 50), ("third", 30), ("fifth", 20))), process_ns=10**10)
        right = profile("right.pb.gz", functions(500, 292, 198))
        expect(0, "functions", right, shares)
        expect(0, "functions", right, shares, "--leaf")
        expect(1, "functions", profile("skewed.pb.gz", functions(600, 230, 160)), shares)
        expect(1, "functions", profile("half-lost.pb.gz", functions(250, 146, 99)), shares)
        expect(1, "functions", profile("swapped.pb.gz", functions(292, 500, 198)), shares)
        expect(1, "functions", profile("empty.pb.gz", []), shares)
        expect(1, "functions", profile("other-pid.pb.gz", functions(500, 292, 198, pid=8)), shares)
        few = truth("few.json", {"what": "function", "pid": 7, "name": "half", "cpu_ns": 5 * 10**7}, process_ns=10**8)
        expect(1, "functions", profile("few.pb.gz", functions(5, 5, 0)), few)
        nearly = truth("nearly.json", {"what": "function", "pid": 7, "name": "half", "cpu_ns": 199 * 10**7}, process_ns=2 * 10**9)
        expect(0, "functions", profile("nearly-all.pb.gz", functions(196, 2, 0)), nearly)
        expect(1, "functions", profile("not-nearly.pb.gz", functions(180, 18, 0)), nearly)

        threads = truth("threads.json", {"what": "thread", "pid": 7, "tid": 8, "name": "a", "cpu_ns": 4 * 10**9},
                        {"what": "thread", "pid": 7, "tid": 9, "name": "b\u001b[31m", "cpu_ns": 6 * 10**9}, process_ns=10**10)
        stack = [("work", "/bin/w")]
        expect(0, "threads", profile("threads.pb.gz", [(400, "w", 7, 8, "a", stack), (590, "w", 7, 9, "b\\x1b[31m", stack)]), threads)
        expect(1, "threads", profile("one-tid.pb.gz", [(400, "w", 7, 8, "a", stack), (590, "w", 7, 8, "b\\x1b[31m", stack)]), threads)
        expect(1, "threads", profile("one-name.pb.gz", [(400, "w", 7, 8, "w", stack), (590, "w", 7, 9, "w", stack)]), threads)

        kernel = truth("kernel.json", {"what": "kernel", "pid": 7, "name": "w", "cpu_ns": 75 * 10**8}, process_ns=10**10)
        deep = [("vfs_read", "[kernel.kallsyms]"), ("read_zero", "/bin/w")]
        expect(0, "kernel", profile("kernel.pb.gz", [(740, "w", 7, 7, "w", deep), (250, "w", 7, 7, "w", stack)]), kernel)
        expect(1, "kernel", profile("user.pb.gz", [(390, "w", 7, 7, "w", deep), (600, "w", 7, 7, "w", stack)]), kernel)

        bursts = truth("bursts.json", *({"what": "function", "pid": 7, "name": n, "cpu_ns": 45 * 10**7} for n in ("early", "late")),
                       process_ns=9 * 10**8)
        for status, early, late in ((0, 46, 42), (0, 52, 39), (1, 297, 0), (1, 0, 0)):
            one = profile(f"burst-{early}.pb.gz", [(n, "w", 7, 7, "w", [(f, "/bin/w")]) for n, f in ((early, "early"), (late, "late")) if n])
            expect(status, "lockstep", one, bursts, one, bursts)

        whole, lost = functions(990, 594, 396), [(3, "", 0, 0, "", [("[lost samples]", "")])]
        said = ("slowburn: the whole machine", "lost: 3 samples, here as [lost samples]")
        expect(0, "saturated", profile("sat.pb.gz", whole), "--cpus", "2")
        expect(1, "saturated", profile("sat-low.pb.gz", functions(970, 580, 390)), "--cpus", "2")
        expect(1, "saturated", profile("sat-lost.pb.gz", whole + lost, comments=said), "--cpus", "2")
        expect(1, "saturated", profile("sat-lost-hidden.pb.gz", whole + lost), "--cpus", "2")
        expect(1, "saturated", profile("sat-silent.pb.gz", whole, comments=()), "--cpus", "2")

        expect(0, "only", right, "--comm", "w", "--user", "--min", "900")
        expect(1, "only", right, "--comm", "w", "--min", "1000")
        expect(1, "only", profile("two.pb.gz", functions(5, 5, 5) + functions(1, 0, 0, comm="x")), "--comm", "w")
        expect(1, "only", right, "--absent", "w")
        expect(1, "only", path("kernel.pb.gz"), "--user")
        expect(1, "only", path("kernel.pb.gz"), "--kernel")
        expect(1, "only", right, "--tid", "6")

        named = [(95, "cc1", 7, 7, "cc1", [("f", "/bin/w")]), (5, "cc1", 7, 7, "cc1", [("[unknown]", "[unknown]")])]
        expect(0, "complete", profile("complete.pb.gz", named), "--comm", "cc1", "--min", "100", "--share", "0.95")
        named[1] = (6, *named[1][1:])
        expect(1, "complete", profile("incomplete.pb.gz", named), "--comm", "cc1", "--min", "100", "--share", "0.95")
        named = [(90, "cc1", 7, 7, "cc1", [("f", "/bin/w")]), (10, "cc1", 7, 7, "cc1", [("[kernel]", "[kernel.kallsyms]")])]
        expect(1, "complete", profile("kernel-nameless.pb.gz", named), "--comm", "cc1", "--min", "100", "--share", "0.95")

        start = [("_start", "/bin/w"), ("__libc_start_main", "/lib/libc.so.6"), ("[libc.so.6]", "/lib/libc.so.6"), ("main", "/bin/w")][::-1]
        half, whole = [(60, "w", 7, 7, "w", [("f", "/bin/w")])], [(60, "w", 7, 7, "w", [("f", "/bin/w"), *start])]
        expect(0, "stacks", profile("stacks.pb.gz", half + whole), "--comm", "w", "--share", "0.5")
        expect(1, "stacks", path("stacks.pb.gz"), "--comm", "w", "--share", "0.6")
        expect(1, "stacks", path("stacks.pb.gz"), "--comm", "v")
        for at in (0, 1, 2):
            bad = [(1, "w", 7, 7, "w", [("f", "/bin/w"), *start[:at], *start[at + 1:]]), (99, *whole[0][1:])]
            expect(0 if at == 1 else 1, "stacks", profile(f"stacks-{at}.pb.gz", bad), "--comm", "w")

        nameless = [(990, "w", 7, 7, "w", [("[w-stripped]", "/bin/w-stripped")])]
        expect(0, "module", profile("stripped.pb.gz", nameless), shares, "--module", "w-stripped", "--unnamed")
        expect(1, "module", profile("invented.pb.gz", functions(500, 292, 198, module="/bin/w-stripped")), shares,
               "--module", "w-stripped", "--unnamed")
        expect(1, "module", right, shares, "--module", "w-stripped")

        expect(0, "same", right, right)
        expect(1, "same", right, path("skewed.pb.gz"))
        expect(1, "same", right, profile("longer.pb.gz", functions(500, 292, 198), duration_ns=2 * 10**10))
        for status, text in ((0, "w;main;half 500\nw;main;third 292\nw;main;fifth 198\n"), (1, "w;main;half 990\n"),
                             (1, "w;main;half 500\nw;main;third 292\nw;main;fifth 190\nw;main;fifth 8\n"), (1, "")):
            with open(path("collapsed"), "w", encoding="utf-8") as file:
                file.write(text)
            expect(status, "collapsed", right, path("collapsed"))
        rooted = [(*s[:5], [*s[5], ("comm: w", "")]) for s in functions(500, 292, 198)]
        expect(0, "rooted", right, profile("rooted.pb.gz", rooted), "--keys", "comm")
        lost = [(3, "", 0, 0, "", [("[lost samples]", "")])]
        expect(0, "rooted", profile("some-lost.pb.gz", functions(500, 292, 198) + lost),
               profile("rooted-some-lost.pb.gz", rooted + lost), "--keys", "comm")
        expect(1, "rooted", right, right, "--keys", "comm")
        expect(1, "rooted", path("skewed.pb.gz"), path("rooted.pb.gz"), "--keys", "comm")

        told = ["slowburn: the whole machine", "1000 samples handed to user space", "990 samples received",
                "1 requests on which the symbolizer died, hung or lied"]
        everything = functions(500, 292, 198)
        expect(0, "whole", profile("told.pb.gz", everything, comments=told), "--failed", "1", "1")
        expect(1, "whole", path("told.pb.gz"))
        expect(1, "whole", path("told.pb.gz"), "--failed", "2", "9")
        expect(1, "whole", right)
        expect(1, "whole", profile("short.pb.gz", functions(500, 292, 197), comments=told), "--failed", "1", "1")
        expect(1, "whole", profile("few.pb.gz", everything, comments=[told[0], "1100 samples handed to user space", *told[2:]]),
               "--failed", "1", "1")
        expect(1, "whole", profile("doubted.pb.gz", everything, comments=[*told, "lost: 5 samples"]), "--failed", "1", "1")

        expect(0, "whole", path("told.pb.gz"), "--failed", "1", "1", "--counted", "symbolizer", "1", "1", "--counted", "opener", "0", "0")
        expect(1, "whole", path("told.pb.gz"), "--failed", "1", "1", "--counted", "opener", "1", "1")

        mixed = profile("mixed.pb.gz", [(20, "w", 7, 7, "w", [("f", "/bin/good")]), (20, "w", 7, 7, "w", [("[bad]", "/bin/bad")])])
        expect(0, "names", mixed, "--named", "good", "--nameless", "bad")
        expect(1, "names", mixed, "--named", "good", "bad")
        expect(1, "names", mixed, "--nameless", "good", "bad")
        expect(1, "names", mixed, "--nameless", "gone")
        expect(0, "names", mixed, "--seen", "good", "bad")
        expect(1, "names", mixed, "--seen", "gone")
        expect(0, "names", mixed, "--mostly", "good", "f", "--comm", "w")
        expect(1, "names", mixed, "--mostly", "bad", "f")
        expect(1, "names", mixed, "--mostly", "good", "f", "--comm", "x")
        expect(1, "names", mixed, "--named", "good", "--min", "21")

        expect(0, "strings", right)
        expect(1, "strings", profile("raw.pb.gz", functions(5, 5, 5, comm="a\udcff")))
        expect(1, "strings", profile("escape.pb.gz", functions(5, 5, 5, comm="a\033[2J")))

        with gzip.open(path("cut.pb.gz"), "wb") as file:
            with gzip.open(right) as whole:
                file.write(whole.read()[:-40])
        expect(1, "functions", path("cut.pb.gz"), shares)

        both = functions(500, 292, 198) + functions(300, 300, 300, comm="x", module="/bin/x", pid=8)
        pair = profile("both.pb.gz", both)
        if with_go:
            expect(0, "go", right)
            expect(0, "agree", pair, profile("near.pb.gz", functions(480, 310, 200) + functions(310, 290, 305, "x", "/bin/x", 8)),
                   "--comm", "w", "x")
            expect(1, "agree", pair, profile("far.pb.gz", functions(340, 450, 200) + functions(310, 290, 305, "x", "/bin/x", 8)),
                   "--comm", "w", "x")
            expect(1, "agree", pair, profile("absent.pb.gz", functions(480, 310, 200)), "--comm", "w", "x")
    assert_names(failures)
    for failure in failures:
        print(f"FAIL {failure}")
    print(f"{'FAIL' if failures else 'ok'}: {len(failures)} checks of the checks failed")
    return 1 if failures else 0


def assert_names(failures):
    for name, module, want in (
        ("foo", "", "foo"), ("foo.constprop.0", "", "foo"), ("ns::f(int, char*)", "", "ns::f"),
        ("v<int, a<b> >::push(int)", "", "v::push"), ("(anonymous namespace)::f()", "", "{anon}::f"),
        ("[libfoo.so.3]", "", "[libfoo.so.3]"), ("libfoo.so.3+0x12ab", "", "[libfoo.so.3]"), ("", "/lib/libfoo.so.3", "[libfoo.so.3]"),
        ("bool f<int>(int)", "", "f"), ("", "[kernel.kallsyms]", "[kernel.kallsyms]"),
    ):
        if bare(name, module) != want:
            failures.append(f"bare({name!r}, {module!r}) is {bare(name, module)!r}, not {want!r}")
    for n, want in ((4, 2.424), (20, 1.617), (1, 3.891)):
        if abs(chi_limit(n) - want) > 0.05 * want:
            failures.append(f"chi_limit({n}) is {chi_limit(n):.2f}, not {want}")


if __name__ == "__main__":
    sys.exit(selftest("--go" in sys.argv[1:]))
