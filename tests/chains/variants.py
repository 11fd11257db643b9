# SPDX-License-Identifier: Apache-2.0
"""The variants of the chain: how each is built, how it is run, and which stacks it can have.

A chain is written leaf first. A word stands for one frame: a function's name, or NAME@FILE with two regular
expressions for a function and the file that it is in (an unnamed one is "?"). Behind a word, "/?" is for a frame
that may be missing, "/*" for any number of them.

A stack is an unbroken part of the chain from any of its frames to the outermost one. What may lie over it (a signal
handler, the C library) is a "top": with one, too, the stack begins anywhere in the chain.
"""
from dataclasses import dataclass, field

CHAIN = "echo delta charlie bravo alpha chain main"

# Who calls main. glibc's __libc_start_call_main is a local function: without .symtab it has no name.
GLIBC = r"(\?|__libc_start_call_main)@libc\.so\.6 __libc_start_main.*@libc\.so\.6 _start"
STATIC = r"__libc_start_call_main __libc_start_main.*@.* _start"
THREAD = r"thread (\?|start_thread)@.* (\?|(__)?clone3?)@.*"
CONTEXT = r"(\?|__start_context)@.*"

RESTORE = r"(\?|__restore_rt)@(libc\.so\.6|.*)"  # what a signal handler returns to
RUNTIME = r".*@(libc\.so\.6|ld-linux-x86-64\.so\.2|libgcc_s\.so\.1|libstdc\+\+\.so\.6.*)/*"
# What the linker puts into a library, and the dynamic linker calls.
BEGIN_AND_END = r"(_init|_fini|frame_dummy|(de)?register_tm_clones|__do_global_dtors_aux)@.*\.so/*"
VDSO = r".*@\[vdso\]/*"

# Until the process has tables in the kernel, some drains after its first sample.
NEW = "while a program is new its stacks are followed in copies, which don't reach {}"
FULL = "the copies of a thread's stack are whole ones, and at 2 kHz there is no room for all"


@dataclass
class Variant:
    name: str  # of the program: at most 15 bytes, as it is told apart by
    build: str  # command; {src} and {out} are folders; {exe} is the program
    chains: list = field(default_factory=lambda: [f"{CHAIN} {GLIBC}"])
    tops: list = field(default_factory=list)
    run: str = "{exe}"  # by a shell; {exe} its program, {dir} a folder of its own, {out} as above
    early: str = ""  # complete stacks aren't always possible; why
    least: float = 0  # then: the least share of those that are exact
    end: str = ""  # then: why most of them end, if there is one reason
    names_from: str = ""  # a file with the names, if the program has none


VARIANTS = []


def variant(name, build, *arguments, **more):
    assert len(name) <= 15, name
    VARIANTS.append(Variant(name, build, *arguments, **more))


def chain(flags, cc="gcc"):
    return f"{cc} -std=gnu11 -D_GNU_SOURCE -o {{exe}} {{src}}/chain.c {flags}"


# ---- compilers, levels, linkers

for compiler in ("gcc", "clang"):
    for level in "0123s":
        variant(f"{compiler}-O{level}", chain(f"-O{level}", compiler))
    variant(f"{compiler}-omit-O0", chain("-O0 -fomit-frame-pointer", compiler))
    variant(f"{compiler}-keep-O2", chain("-O2 -fno-omit-frame-pointer", compiler))
    variant(f"{compiler}-alloca", chain("-O2 -DALLOCA", compiler))
    variant(f"{compiler}-realign", chain("-O2 -DREALIGNED", compiler))
    variant(f"{compiler}-realign-k", chain("-O2 -DREALIGNED -fno-omit-frame-pointer", compiler))
    variant(f"{compiler}-big", chain("-O2 -DBIG", compiler), early=NEW.format("across a frame of 2 MB"), least=0.4,
            end="beyond the copied stack")
    variant(f"{compiler}-noret", chain("-O2 -DNORETURN", compiler),
            [f"{way} delta_for_ever charlie bravo alpha chain main {GLIBC}" for way in ("echo", r"_[eE]xit@libc\.so\.6")])
    variant(f"{compiler}-tail", chain("-O2 -DTAIL", compiler),
            [f"echo delta bravo alpha chain main {GLIBC}", f"charlie bravo alpha chain main {GLIBC}"])
    variant(f"{compiler}-signal", chain("-O2 -DSIGNAL", compiler), tops=[f"hotel handler {RESTORE}"])
    variant(f"{compiler}-altstack", chain("-O1 -DSIGNAL=2", compiler), tops=[f"hotel handler {RESTORE}"],
            early=NEW.format("from one stack to another"), least=0.4, end="beyond the copied stack")
    variant(f"{compiler}-threads", chain("-O2 -DTHREADS", compiler), [f"{CHAIN[:-5]} {THREAD}"], early=FULL, least=0.6)

variant("lld", chain("-O2 -fuse-ld=lld", "clang"))
variant("lld-joined", chain("-O2 -fuse-ld=lld -Wl,--no-rosegment", "clang"))
variant("lld-gcc", chain("-O1 -fuse-ld=lld"))
variant("joined", chain("-O2 -Wl,-z,noseparate-code"))
variant("no-pie", chain("-O2 -no-pie"))

# ---- calls

plt = "gcc -shared -fPIC -O2 -o {dir}/libleaf.so {src}/leaf.c && " + chain("%s -O2 -DPLT -L{dir} -lleaf -Wl,-rpath,'$ORIGIN'", "%s")
for name, flags, compiler in (
    ("plt-lazy", "-fcf-protection=none -Wl,-z,lazy", "gcc"),
    ("plt-now", "-fcf-protection=none -Wl,-z,now", "gcc"),
    ("plt-cet", "-fcf-protection=full -Wl,-z,ibtplt -Wl,-z,lazy", "gcc"),
    ("plt-cet-now", "-fcf-protection=full -Wl,-z,ibtplt -Wl,-z,now", "gcc"),
    ("plt-lld", "-fuse-ld=lld -Wl,-z,lazy", "clang"),
    ("plt-lld-cet", "-fuse-ld=lld -fcf-protection=full -Wl,-z,force-ibt -Wl,-z,lazy", "clang"),
    ("no-plt", "-fno-plt", "gcc"),
):
    variant(name, plt % (compiler, flags),
            [f"{CHAIN} {GLIBC}", f"(\\?|tiny|.*plt.*)@({name}|libleaf.so) {CHAIN[5:]} {GLIBC}"])

variant("clock", chain("-O2 -DCLOCK"), [f"{VDSO} clock_gettime/? {CHAIN} {GLIBC}"])
variant("raise", chain("-O2 -DRAISE"), [f"hotel handler {RESTORE} {CHAIN} {GLIBC}"], [RUNTIME])
variant("context", chain("-O2 -DCONTEXT"), [f"{CHAIN[:-5]} {CONTEXT}"],
        early="what makecontext() returns to has no call frame information at its first byte")
dlopen = chain("-O2 -DDLOPEN=%d -Wl,-z,lazy") + "".join(
    f" && gcc -shared -fPIC -O2 -fomit-frame-pointer -DLIBRARY={n} -o {{dir}}/{library}.so {{src}}/leaf.c"
    for n, library in ((1, "first"), (2, "second")))
variant("dlopen", dlopen % 1, [f"golf1 library_leaf {CHAIN} {GLIBC}"], [f"{BEGIN_AND_END} {RUNTIME}"], run="CHAIN_LIBRARIES={dir} {exe}")
variant("dlopen-turns", dlopen % 2, [f"golf{n} library_leaf {CHAIN} {GLIBC}" for n in (1, 2)], [f"{BEGIN_AND_END} {RUNTIME}"],
        early="where a library is, another was a moment ago", run="CHAIN_LIBRARIES={dir} {exe}")

# ---- hand-written code

variant("asm", chain("-O2 -DASSEMBLY {src}/asm.S"), [f"foxtrot asm_middle {CHAIN} {GLIBC}"])
variant("asm-bare", chain("-O2 -DBARE {src}/asm.S"), [f"foxtrot asm_middle {CHAIN} {GLIBC}"])

# ---- C++

throw = "%s -o {exe} {src}/throw.cc %s"
for name, compiler, flags in (
    ("throw-gcc", "g++", "-O2"), ("throw-gcc-O0", "g++", "-O0"), ("throw-clang", "clang++", "-O2"),
):
    variant(name, throw % (compiler, flags), tops=[RUNTIME, r"Held::~Held\(\)"],
            early="libgcc writes another frame's registers over its own before it goes there", least=0.85)

# ---- kinds of files

variant("static", chain("-O2 -static"), [f"{CHAIN} {STATIC}"])
variant("static-pie", chain("-O2 -static-pie"), [f"{CHAIN} {STATIC}"])
variant("static-signal", chain("-O2 -static -DSIGNAL"), [f"{CHAIN} {STATIC}"], [f"hotel handler {RESTORE}"])
variant("static-threads", chain("-O2 -static -DTHREADS"), [f"{CHAIN[:-5]} {THREAD}"], early=FULL, least=0.6)
variant("static-nohdr", chain("-O2 -static -Wl,--no-eh-frame-hdr"), [f"{CHAIN} {STATIC}"])
variant("nohdr", chain("-O2 -Wl,--no-eh-frame-hdr"))
for compiler in ("gcc", "clang"):
    for level in "0123s":
        variant(f"{compiler}-bare-O{level}", chain(f"-O{level} -fno-asynchronous-unwind-tables -fno-unwind-tables", compiler))
    for name, flags in (("alloca", "-DALLOCA"), ("realign", "-DREALIGNED"), ("noret", "-DNORETURN"), ("tail", "-DTAIL")):
        variant(f"{compiler}-b-{name}", chain(f"-O2 {flags} -fno-asynchronous-unwind-tables -fno-unwind-tables", compiler),
                {"noret": [f"{way} delta_for_ever charlie bravo alpha chain main {GLIBC}" for way in ("echo", r"_[eE]xit@libc\.so\.6")],
                 "tail": [f"echo delta bravo alpha chain main {GLIBC}", f"charlie bravo alpha chain main {GLIBC}"]}
                .get(name, [f"{CHAIN} {GLIBC}"]))
variant("debug-frame", chain("-O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables"))
variant("only-debug", chain("-O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables")
        + " && objcopy -R .eh_frame -R .eh_frame_hdr {exe}")
variant("no-sections", chain("-O2") + " && cp {exe} {dir}/named && python3 {src}/no_sections.py {exe}",
        names_from="{dir}/named")
# No call frame information, and tail calls between: _start's frame calls _start_c.
MUSL = r"libc_start_main_stage2 __libc_start_main/? _start_c/? (\?|_start)@.*"
for name, flags in (("musl", "-O2"), ("musl-O0", "-O0"), ("musl-signal", "-O2 -DSIGNAL")):
    variant(name, chain(f"{flags} -static", "musl-gcc"), [f"{CHAIN} {MUSL}"],
            [f"hotel handler {RESTORE}"] if "signal" in name else [])
variant("musl-stripped", chain("-O2 -DSIGNAL -static -fno-asynchronous-unwind-tables", "musl-gcc")
        + " && cp {exe} {dir}/named && strip {exe}", [f"{CHAIN} {MUSL}"], [f"hotel handler {RESTORE}"],
        names_from="{dir}/named")

# ---- where they run

variant("memfd", chain("-O2"), run="python3 {src}/memfd.py {exe}")
variant("deleted", plt % ("gcc", "-DDELETE"),
        [f"{CHAIN} {GLIBC}", f"(\\?|tiny|.*plt.*)@.* {CHAIN[5:]} {GLIBC}"],
        run="rm -rf {dir}-gone && cp -r {dir} {dir}-gone && {dir}-gone/deleted {dir}-gone/deleted {dir}-gone/libleaf.so")
variant("namespaces", plt % ("gcc", ""),
        [f"{CHAIN} {GLIBC}", f"(\\?|tiny|.*plt.*)@.* {CHAIN[5:]} {GLIBC}"],
        run="unshare --fork --pid --mount --mount-proc {exe}")
variant("chroot", chain("-O2"), run="""
    for f in {exe} /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6
    do install -D $f {dir}/root$f; done
    exec chroot {dir}/root {exe}""")
variant("chroot-static", chain("-O2 -static"), [f"{CHAIN} {STATIC}"],
        run="mkdir -p {dir}/root && cp {exe} {dir}/root/ && exec chroot {dir}/root /chroot-static")
variant("narrow", "gcc -m32 -O2 -nostdlib -static -fno-pie -o {exe} {src}/narrow.c", ["echo delta _start"],
        early="32-bit", end="32-bit process")
