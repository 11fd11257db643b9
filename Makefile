# SPDX-License-Identifier: Apache-2.0
#
# One Makefile, not recursive. Sources are found by wildcard, so that a new file needs no line
# here; a new folder needs one line in the table of layers below. `make help` lists the targets.
#
#   V=1                     show the commands
#   DEVELOPER=1             strict warnings, and warnings are errors
#   SAN=address,undefined   sanitizers (also thread), in a build folder of their own
#   ONLY=base_map           with check-unit, check-fuzz, check-cli, check-e2e: only these
#   TIME=60                 with fuzz-NAME: seconds
#   KERNELS=6.1             with kernels: only these of tests/kernels/list
#   TESTS=e2e/stacks        with kernels: only these ("none": the programs are loaded, no more)
#   DESTDIR=, PREFIX=       with install and uninstall

VERSION := 0.1.0

# ---- settings ------------------------------------------------------------------------------

SAN ?=
DEVELOPER ?=
ONLY ?=
TIME ?= 60
V ?=
PREFIX ?= /usr/local
DESTDIR ?=

empty :=
comma := ,
space := $(empty) $(empty)

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
LLVM_STRIP ?= llvm-strip
# Debian keeps bpftool in a folder that is not in every user's PATH.
BPFTOOL ?= PATH="$$PATH:/usr/sbin:/sbin" bpftool
PROTOC_C ?= protoc-c
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
SHELLCHECK ?= shellcheck

BUILD ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))

# Parallel, unless the caller said otherwise; one target's output stays together.
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
endif
MAKEFLAGS += --no-builtin-rules --output-sync=target --no-print-directory

Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-7s %s\n' "$(1)" "$(2)")

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.DEFAULT_GOAL := all

# When sudo started us in a tree of the invoking user's, what is built is theirs, so that a later
# `make` without sudo works.
as_user = $(if $(SUDO_USER),$(if $(filter $(SUDO_USER),$(shell stat -c %U .)),runuser -u $(SUDO_USER) --))

# ---- layers --------------------------------------------------------------------------------
#
# The one table of who knows whom. It decides what an archive and a unit test are linked with, and
# what `make layers` lets their #include lines name. Every layer stands left of those it uses.

LAYERS := command server web reader storekeeper dump agent tables symbolizer opener role cache decode encode query store model aggregate process collect base

folder = $(if $(filter symbolizer web,$(1)),$(1),profiler/$(1))

# What each may include beside itself: layers, "bpf" (the ABI headers), or single files.
uses_base       := bpf/counters.h
uses_symbolizer := base bpf role
uses_collect    := base bpf
uses_process    := base
uses_aggregate  := base process
uses_model      := base
uses_query      := base model
uses_encode     := base model query
uses_decode     := base model encode
uses_store      := base model
uses_cache      := base
uses_role       := base cache
uses_opener     := base process role
uses_tables     := base bpf collect process symbolizer/protocol.h
uses_agent      := base bpf cache symbolizer opener collect process tables aggregate model encode store role profiler/storekeeper/protocol.h
uses_dump       := base bpf symbolizer opener process role agent model
uses_reader     := base role model query encode decode store agent
uses_storekeeper := base store role
uses_web        := base role query reader
uses_server     := base cache role store storekeeper reader agent web/control.h web/figures.h
uses_command    := base cache symbolizer opener collect process aggregate model query encode role agent dump reader store storekeeper server

# The libraries it is linked with: pkg-config's names, and those that pkg-config doesn't know.
pkgs_base       := libxxhash
pkgs_symbolizer := liblzma zlib libzstd
libs_symbolizer := -liberty -lZydis
libs_encode     := -lm
pkgs_role       := libcap libseccomp
pkgs_collect    := libbpf libelf zlib libzstd
libs_collect    := -lm
pkgs_dump       := libunwind-generic
pkgs_encode     := libprotobuf-c libdeflate
pkgs_decode     := libprotobuf-c libdeflate
pkgs_query      := libpcre2-8
libs_query      := -lm
pkgs_store      := libzstd libxxhash
pkgs_web        := libmicrohttpd libdeflate

# The headers (beginnings of names) that nobody else may include, but who has the same line.
only_bpf        := bpf/bpf_helpers.h bpf/bpf_tracing.h bpf/bpf_core_read.h bpf/bpf_endian.h
only_collect    := bpf/libbpf.h bpf/bpf.h bpf/btf.h bpf/sampler.skel.h zstd.h
only_symbolizer := libelf.h gelf.h dwarf.h elfutils/ libdwfl demangle.h libiberty/ lzma.h zlib.h zstd.h Zydis/
only_dump       := libunwind
only_encode     := libdeflate.h protobuf-c/ profiler/encode/pprof.pb-c.h
only_decode     := libdeflate.h protobuf-c/ profiler/encode/pprof.pb-c.h
only_web        := libdeflate.h microhttpd.h
only_query      := pcre2.h
only_store      := zstd.h
only_role       := seccomp.h sys/capability.h

# What a single unit test needs beside its layers.
pkgs_test_symbolizer_unwind_oracle := libdw libelf

# ---- sources -------------------------------------------------------------------------------

MAIN      := $(wildcard profiler/command/main.c)
WEB_MAIN  := $(wildcard web/main.c)
PROTO     := $(wildcard profiler/encode/*.proto)
PROTO_C   := $(PROTO:%.proto=$(BUILD)/%.pb-c.c)
PROTO_H   := $(PROTO:%.proto=$(BUILD)/%.pb-c.h)
SAMPLER   := $(wildcard bpf/sampler.bpf.c)
SKEL      := $(SAMPLER:%.bpf.c=$(BUILD)/%.skel.h)
STOPWATCH := $(wildcard tests/bench/stopwatch.bpf.c)

sources    = $(filter-out $(MAIN) $(WEB_MAIN),$(wildcard $(call folder,$(1))/*.c))
objects    = $(patsubst %.c,$(BUILD)/%.o,$(call sources,$(1))) $(if $(filter encode,$(1)),$(PROTO_C:.c=.o))
EXISTING  := $(foreach l,$(LAYERS),$(if $(strip $(call objects,$(l))),$(l)))
archive    = $(BUILD)/lib/$(1).a
# What slowburn itself is made of: web is a program of its own, so that its libraries are in no other process.
WITHIN    := $(filter-out web,$(EXISTING))

# The layers that $(1) stands on, itself included, in an order in which a linker finds everything.
below_any  = $(1) $(foreach u,$(filter $(LAYERS),$(uses_$(1))),$(call below_any,$(u)))
below      = $(filter $(call below_any,$(1)),$(EXISTING))

wanted     = $(if $(ONLY),$(filter $(ONLY),$(1)),$(1))
# What unit tests have in common; all others of that form are tests.
shared_role_sandbox      := role_attempts role_confined
shared_role_capabilities := role_attempts role_confined
shared_agent_unwind_live := agent_scenarios agent_filler
SHARED    := $(sort $(foreach v,$(filter shared_%,$(.VARIABLES)),$($(v))))
UNIT      := $(call wanted,$(filter-out $(SHARED),$(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*_*.c))))
FUZZ      := $(call wanted,$(filter-out replay,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*_*.c))))
# What these bound is time, memory or chance, which are others with a sanitizer; or they wait for minutes, and run no code that
# no other runs. Left out then, if not asked for.
MEASURING := agreement budget checks code ends filters go lockstep runtimes saturation shares shortlived stacks
WAITING   := attack doctor fuse pins verifier
left_out  := $(if $(SAN),$(if $(ONLY),,$(MEASURING) $(WAITING)))
CLI       := $(call wanted,$(filter-out $(left_out),$(patsubst tests/cli/%.bats,%,$(wildcard tests/cli/*.bats))))
E2E       := $(call wanted,$(filter-out $(left_out),$(patsubst tests/e2e/%.bats,%,$(wildcard tests/e2e/*.bats))))
WORKLOAD  := $(patsubst tests/workload/%.c,%,$(wildcard tests/workload/*.c))

PROGRAM   := $(if $(MAIN),$(BUILD)/slowburn) $(if $(WEB_MAIN),$(BUILD)/slowburn-web)
UNIT_BIN  := $(UNIT:%=$(BUILD)/tests/unit/%)
FUZZ_BIN  := $(FUZZ:%=$(BUILD)/tests/fuzz/%)
WORK_BIN  := $(WORKLOAD:%=$(BUILD)/tests/workload/%)

OUR_C     := $(wildcard $(foreach l,$(LAYERS),$(call folder,$(l))/*.c) tests/unit/*.c tests/fuzz/*.c tests/hostile/*.c tests/web/*.c)
OUR_H     := $(wildcard $(foreach l,$(LAYERS),$(call folder,$(l))/*.h) tests/unit/*.h tests/fuzz/*.h tests/hostile/*.h)
BPF_C     := $(wildcard bpf/*.bpf.c)
BPF_H     := $(wildcard bpf/*.bpf.h)
ABI_H     := $(filter-out $(BPF_H),$(wildcard bpf/*.h))
KERNELS_C := $(wildcard tests/kernels/*.c)
BENCH_C   := $(wildcard tests/bench/*.c)
BENCH_H   := $(wildcard tests/bench/*.h)
WORK_C    := $(wildcard tests/workload/*.c tests/chains/*.c)
WORK_H    := $(wildcard tests/workload/*.h tests/chains/*.h)
SCRIPTS   := $(wildcard tests/check tests/layers tests/headers tests/cover tests/bench/run tests/programs/run tests/kernels/run tests/kernels/guest deploy/install-packages .ci/run)

# ---- flags ---------------------------------------------------------------------------------

CFLAGS ?= -O2 -g
LDFLAGS ?=
BANNED := $(wildcard profiler/base/banned.h)

WARN_PLAIN := -Wall -Wextra -Wno-unused-parameter
WARN := $(WARN_PLAIN)
ifneq ($(DEVELOPER),)
WARN += -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wimplicit-fallthrough \
	-Wredundant-decls -Wnested-externs -Winit-self
endif

ifeq ($(SAN),)
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2
HARDEN_LD := -Wl,-z,relro -Wl,-z,now
else
# Sanitizers bring their own checks of memory, and don't see through the fortified calls.
HARDEN := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE
HARDEN_LD := -fsanitize=$(SAN)
endif

CPPFLAGS_ALL := -I. -I$(BUILD) -D_GNU_SOURCE $(CPPFLAGS)
CFLAGS_ALL := -std=gnu11 -fPIE $(HARDEN) $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,--as-needed $(HARDEN_LD) $(LDFLAGS)

ARCH := $(shell uname -m)
BPF_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(ARCH)))
BPF_FLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -I. -idirafter /usr/include/$(ARCH)-linux-gnu \
	-D__TARGET_ARCH_$(BPF_ARCH) -Wall -Wextra -Wno-unused-parameter $(if $(DEVELOPER),-Werror)

# pkg-config is asked when it is needed, not when this file is read: it may not be there before
# `make deps`. $(1) are layers.
pkg_libs = $(if $(strip $(foreach l,$(1),$(pkgs_$(l)))),$(shell pkg-config --libs $(sort $(foreach l,$(1),$(pkgs_$(l)))))) \
	$(foreach l,$(1),$(libs_$(l)))
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(sort $(foreach l,$(EXISTING),$(pkgs_$(l))))))$(PKG_CFLAGS)

# ---- what is built -------------------------------------------------------------------------

.PHONY: all archives
all: archives $(PROGRAM) ## the program (default)
archives: $(foreach l,$(EXISTING),$(call archive,$(l)))

# A stamp is rewritten only if its text changes: then what was built with other flags is rebuilt.
.PHONY: FORCE
FORCE:

define stamp
@mkdir -p $(@D)
@printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) > $@
endef

$(BUILD)/flags: FORCE
	$(call stamp,'$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(WARN) $(LDFLAGS_ALL)')

$(BUILD)/flags.bpf: FORCE
	$(call stamp,'$(CLANG) $(BPF_FLAGS)')

# "version.h" has SLOWBURN_VERSION: the version, and the commit where there is one.
git_version = $(shell GIT_CONFIG_GLOBAL=/dev/null git -c safe.directory='$(CURDIR)' rev-parse --short=10 HEAD 2>/dev/null)
$(BUILD)/version.h: FORCE
	$(call stamp,'#define SLOWBURN_VERSION "$(VERSION)$(addprefix +,$(git_version))"')

GENERATED := $(BUILD)/version.h

$(BUILD)/%.o: %.c $(BUILD)/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) $(WARN) $(if $(BANNED),-include $(BANNED)) \
		-MMD -MP -c -o $@ $<

# Generated code is not ours to warn about.
$(BUILD)/%.pb-c.o: $(BUILD)/%.pb-c.c $(BUILD)/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) -w -MMD -MP -c -o $@ $<

$(BUILD)/%.pb-c.c $(BUILD)/%.pb-c.h &: %.proto
	@mkdir -p $(@D)
	$(call say,PROTO,$<)
	$(Q)$(PROTOC_C) --c_out=$(BUILD) $<

# A static rule: else the one for user space's objects would take it.
$(SAMPLER:%.c=$(BUILD)/%.o) $(STOPWATCH:%.c=$(BUILD)/%.o): $(BUILD)/%.bpf.o: %.bpf.c $(BUILD)/flags.bpf
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(BPF_FLAGS) -MMD -MP -c -o $@ $<
	$(Q)$(LLVM_STRIP) -g $@

# What bpftool writes is not ours to warn about either.
$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q){ printf '#pragma GCC system_header\n/* NOLINTBEGIN */\n' && \
		$(BPFTOOL) gen skeleton $< name $(*F) && echo '/* NOLINTEND */'; } > $@

define archive_rule
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach l,$(EXISTING),$(eval $(call archive_rule,$(l))))

# Headers that are made must be there before what may include them is compiled the first time.
$(call objects,collect) $(patsubst %,$(BUILD)/tests/unit/%.o,$(filter collect_%,$(UNIT))): | $(SKEL)
$(call objects,encode) $(call objects,decode) $(patsubst %,$(BUILD)/tests/unit/%.o,$(filter encode_% decode_%,$(UNIT))): | $(PROTO_H)

link = $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@

$(BUILD)/slowburn: $(MAIN:%.c=$(BUILD)/%.o) $(foreach l,$(WITHIN),$(call archive,$(l)))
	$(call say,LINK,$@)
	$(Q)$(link) $^ $(call pkg_libs,$(WITHIN)) -lpthread

# slowburn with a symbolizer that lies: its symbolizer_serve() is found before the archive's.
$(BUILD)/tests/liar: $(BUILD)/tests/hostile/liar.o $(MAIN:%.c=$(BUILD)/%.o) $(foreach l,$(WITHIN),$(call archive,$(l)))
	$(call say,LINK,$@)
	$(Q)$(link) $^ $(call pkg_libs,$(WITHIN)) -lpthread

$(BUILD)/slowburn-web: $(WEB_MAIN:%.c=$(BUILD)/%.o) $(foreach l,$(call below,web),$(call archive,$(l)))
	$(call say,LINK,$@)
	$(Q)$(link) $^ $(call pkg_libs,$(call below,web)) -lpthread

$(BUILD)/slowburn.8: $(BUILD)/slowburn
	$(Q)$< help --man > $@

# ---- tests ---------------------------------------------------------------------------------

# tests/unit/base_map.c tests base: it is linked with base and what base stands on, nothing else.
# Beside it torture.o, through which our allocations go so that a test can make them fail; with those
# that ask about damaged files mutant.o, which makes them.
layer_of = $(firstword $(subst _, ,$(1)))
TORTURE_LD := $(foreach f,malloc calloc realloc reallocarray strdup strndup free,-Wl,--wrap=$(f))

MUTANT_OBJ := $(BUILD)/tests/hostile/mutant.o $(BUILD)/tests/hostile/dwarf_fields.o

define unit_rule
$(BUILD)/tests/unit/$(1): $(BUILD)/tests/unit/$(1).o $(BUILD)/tests/unit/torture.o \
		$(if $(filter %_mutants,$(1)),$(MUTANT_OBJ)) $(if $(filter %_bombs,$(1)),$(BUILD)/tests/hostile/bomb.o) $(shared_$(1):%=$(BUILD)/tests/unit/%.o) \
		$(foreach l,$(call below,$(call layer_of,$(1))),$(call archive,$(l)))
	$$(call say,LINK,$$@)
	$$(Q)$$(link) $$(TORTURE_LD) $$^ $$(call pkg_libs,$(call below,$(call layer_of,$(1)))) $$(shell pkg-config --libs cmocka $(pkgs_test_$(1))) -lm
endef
$(foreach u,$(UNIT),$(eval $(call unit_rule,$(u))))
# What is damaged: small programs with DWARF.
$(BUILD)/tests/unit/symbolizer_lines_mutants $(BUILD)/tests/unit/agent_mutants: | $(BUILD)/tests/fuzz/corpus/symbolizer_dwarf/.built

# With libFuzzer in $(FUZZER) it fuzzes; without, it replays the files it is given.
FUZZER ?=
define fuzz_rule
$(BUILD)/tests/fuzz/$(1): $(BUILD)/tests/fuzz/$(1).o $(if $(FUZZER),,$(BUILD)/tests/fuzz/replay.o) \
		$(foreach l,$(call below,$(call layer_of,$(1))),$(call archive,$(l)))
	$$(call say,LINK,$$@)
	$$(Q)$$(link) $$(FUZZER) $$^ $$(call pkg_libs,$(call below,$(call layer_of,$(1))))
endef
$(foreach f,$(FUZZ),$(eval $(call fuzz_rule,$(f))))

# Workloads are what others' programs are: no hardening, no sanitizers, no banned calls. A line
# "// CFLAGS: ..." among a file's first five replaces the flags.
$(BUILD)/tests/workload/%: tests/workload/%.c $(WORK_H) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,WORK,$@)
	$(Q)flags=$$(sed -n '1,5s|^// CFLAGS: *||p' $<); \
	$(CC) $${flags:--O1 -fno-omit-frame-pointer -g} -std=gnu11 -D_GNU_SOURCE $(WARN_PLAIN) -I. -o $@ $< \
		-Wl,--as-needed -lpthread -lm -ldl

# Each by the compilers that it is about; what none is there for is passed over, and said.
$(BUILD)/tests/chains/built: $(wildcard tests/chains/*)
	@mkdir -p $(@D)
	$(call say,WORK,$(@D))
	$(Q)python3 -B tests/chains/chains.py build $(@D)
	@touch $@

# What runs in a guest beside the tests: its first process, which has nothing to be linked with, and the tool
# that asks its verifier.
$(BUILD)/tests/kernels/init: tests/kernels/init.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 $(WARN) -static -o $@ $<

$(BUILD)/tests/kernels/verify: tests/kernels/verify.c $(SKEL) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu11 -O2 $(WARN) -o $@ $< $(shell pkg-config --libs libbpf)

# What times a profiler's ticks, ours and others', for the bench.
$(BUILD)/tests/bench/stopwatch: tests/bench/stopwatch.c tests/bench/stopwatch.h $(STOPWATCH:%.bpf.c=$(BUILD)/%.skel.h) $(BUILD)/flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu11 -O2 $(WARN) -o $@ $< $(shell pkg-config --libs libbpf)

# The compiler of unwind tables alone, for the bench.
$(BUILD)/tests/bench/compiler: tests/bench/compiler.c $(foreach l,$(call below,symbolizer),$(call archive,$(l))) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(WARN) $(LDFLAGS_ALL) -o $@ $< $(foreach l,$(call below,symbolizer),$(call archive,$(l))) \
		$(call pkg_libs,$(call below,symbolizer))

# Simulated days of a store, for the bench.
$(BUILD)/tests/bench/store: tests/bench/store.c $(foreach l,$(WITHIN),$(call archive,$(l))) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(WARN) $(LDFLAGS_ALL) -o $@ $< $(foreach l,$(WITHIN),$(call archive,$(l))) \
		$(call pkg_libs,$(WITHIN)) -lpthread

# Whom a web process speaks with, played; for the tests and the bench of it.
$(BUILD)/tests/web/stage: $(BUILD)/tests/web/stage.o $(foreach l,$(call below,web),$(call archive,$(l)))
	$(call say,LINK,$@)
	$(Q)$(link) $^ $(call pkg_libs,$(call below,web)) -lpthread

# The index of lines and inlined functions alone, and libdw for the same.
$(BUILD)/tests/bench/indexer: tests/bench/indexer.c $(foreach l,$(call below,symbolizer),$(call archive,$(l))) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(WARN) $(LDFLAGS_ALL) -o $@ $< $(foreach l,$(call below,symbolizer),$(call archive,$(l))) \
		$(call pkg_libs,$(call below,symbolizer))

$(BUILD)/tests/bench/libdw: tests/bench/libdw.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(WARN) $(LDFLAGS_ALL) -o $@ $< $(shell pkg-config --libs libdw)

# One unit with 30 MB of .debug_info: minutes of g++, once.
$(BUILD)/tests/bench/unit: tests/bench/cxxsource.py
	@mkdir -p $(@D)
	$(call say,WORK,$@)
	$(Q)python3 -B $< 172 > $@.cc && g++ -O2 -g -o $@ $@.cc

.PHONY: check profile bench programs kernels deps
.PHONY: check-build check-build-unit check-build-fuzz check-build-cli check-build-e2e
check-build: check-build-unit check-build-fuzz check-build-cli check-build-e2e
check-build-unit: $(UNIT_BIN) ; @:
check-build-fuzz: $(FUZZ_BIN) $(if $(filter symbolizer_dwarf,$(FUZZ)),$(BUILD)/tests/fuzz/corpus/symbolizer_dwarf/.built) ; @:
check-build-cli: all $(BUILD)/tests/bench/store $(BUILD)/tests/web/stage ; @:
check-build-e2e: all $(WORK_BIN) $(BUILD)/tests/liar $(BUILD)/tests/web/stage $(BUILD)/tests/chains/built $(BUILD)/tests/kernels/verify ; @:

# tests/check runs suites and sums them up. What it needs to know, it is told by its environment.
run_check = +@BUILD='$(BUILD)' SAN='$(SAN)' V='$(V)' MAKE='$(MAKE)' AS_USER='$(as_user)' \
	UNIT='$(UNIT)' FUZZ='$(FUZZ)' CLI='$(CLI)' E2E='$(E2E)' tests/check

check: ## install what is missing (as root), build, run every test
	$(run_check) unit fuzz cli e2e layers

.PHONY: check-unit check-fuzz check-cli check-e2e check-layers torture hostile
check-unit: ## unit tests
	$(run_check) unit
check-fuzz: ## every fuzz target over its corpus
	$(run_check) fuzz
check-cli: ## tests of the command line
	$(run_check) cli
check-e2e: ## end-to-end tests: real profiles, with root
	$(run_check) e2e
check-layers: ## who includes whom, as a test
	$(run_check) layers

TORTURED = $(patsubst tests/unit/%.c,%,$(shell grep -l tests/unit/torture.h $(wildcard tests/unit/*_*.c) /dev/null))
torture: ## every allocation fails once, under AddressSanitizer (those unit tests that do it)
	+@$(MAKE) SAN=address,undefined ONLY='$(TORTURED)' check-unit

# Files that aren't ELF files are passed over.
UNWIND_ORACLE_PATHS ?= /
.PHONY: unwind-oracle
unwind-oracle: $(BUILD)/tests/unit/symbolizer_unwind_oracle ## unwind rows of all ELF files of the machine, against libdw
	@find $(UNWIND_ORACLE_PATHS) -xdev -type f -size +0 \( -perm /111 -o -name '*.so*' \) > $(BUILD)/unwind-oracle.list 2>/dev/null || true
	@$< @$(BUILD)/unwind-oracle.list

# Each by the compilers that it is about; what none is there for is passed over, and said.
$(BUILD)/tests/lines/built: $(wildcard tests/lines/*)
	@mkdir -p $(@D)
	$(call say,WORK,$(@D))
	$(Q)python3 -B tests/lines/lines.py build $(@D)
	@touch $@

$(BUILD)/tests/fuzz/corpus/symbolizer_dwarf/.built: $(wildcard tests/lines/*)
	@mkdir -p $(@D)
	$(call say,WORK,$(@D))
	$(Q)python3 -B tests/lines/lines.py small $(@D)
	@touch $@

.PHONY: lines-oracle
lines-oracle: $(BUILD)/slowburn $(BUILD)/tests/lines/built ## lines and inlined functions of many compilers, beside llvm-symbolizer
	@BUILD='$(BUILD)' python3 -B tests/lines/lines.py compare $(BUILD)/tests/lines

hostile: ## 300,000 damaged ELF files, DWARF, indexes, perf maps under sanitizers, and 5,000 and the worst DWARF for the symbolizer in its sandbox
	+@MUTANTS=100000 TEST_LIMIT=3600 $(MAKE) SAN=address,undefined \
		ONLY='symbolizer_mutants symbolizer_lines_mutants symbolizer_code_mutants' check-unit
	+@MUTANTS=5000 BOMB_MIB=384 TEST_LIMIT=3600 $(MAKE) ONLY='agent_mutants agent_bombs' check-unit

profile: ## install what is missing (as root), build, profile this machine for 10 s
	+@deploy/install-packages --if-root build
	+@$(as_user) $(MAKE) all
	+@$(BUILD)/slowburn profile --duration 10s

bench: ## install what is missing (as root), build, measure beside perf and others
	+@deploy/install-packages --if-root build bench
	+@$(as_user) $(MAKE) all check-build-e2e $(BUILD)/tests/bench/stopwatch $(BUILD)/tests/bench/compiler \
		$(if $(filter names,$(or $(ONLY),names)),$(addprefix $(BUILD)/tests/bench/,indexer libdw unit)) $(BUILD)/tests/bench/store $(BUILD)/tests/web/stage
	+@BUILD='$(BUILD)' tests/bench/run

programs: ## install what is missing (as root), build, unwind real programs: how many stacks are whole
	+@deploy/install-packages --if-root build programs
	+@$(as_user) $(MAKE) all
	+@BUILD='$(BUILD)' tests/programs/run

KERNELS ?=
TESTS ?=
kernels: ## install what is missing (as root), build, test on other kernels, in qemu
	+@deploy/install-packages --if-root build check kernels
	+@$(as_user) $(MAKE) check-build-e2e check-build-unit $(BUILD)/tests/kernels/init $(BUILD)/tests/kernels/verify
	+@$(as_user) env BUILD='$(BUILD)' KERNELS='$(KERNELS)' TESTS='$(TESTS)' tests/kernels/run

GROUPS ?= build check
deps: ## install the Debian packages of GROUPS (build check; also: lint bench programs kernels), as root
	+@deploy/install-packages $(GROUPS)

# `make fuzz-base_map`: everything it needs is built again by clang with libFuzzer. What it finds
# stays in the build folder; a finding worth keeping is copied to tests/fuzz/corpus by hand.
fuzz-%: ## fuzz one target, for TIME seconds
	+@mkdir -p build/fuzz/found/$*
	+@$(MAKE) BUILD=build/fuzz CC='$(CLANG)' SAN=fuzzer-no-link,address,undefined \
		FUZZER=-fsanitize=fuzzer build/fuzz/tests/fuzz/$*
	+@build/fuzz/tests/fuzz/$* -max_total_time=$(TIME) -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix=build/fuzz/$*- -print_final_stats=1 \
		build/fuzz/found/$* $(wildcard tests/fuzz/corpus/$* build*/tests/fuzz/corpus/$*)

# ---- the tree ------------------------------------------------------------------------------

.PHONY: layers headers format format-check tidy cover

layers: ## who includes whom, against the table in the Makefile
	@{ $(foreach l,$(LAYERS),echo 'folder $(l) $(call folder,$(l))'; echo 'uses $(l) $(uses_$(l))';) \
	   $(foreach l,bpf $(LAYERS),echo 'only $(l) $(only_$(l))';) } | tests/layers

headers: $(GENERATED) $(SKEL) $(PROTO_H) ## each header compiles alone; each file says its license
	@CC='$(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) -std=gnu11 -O2 $(WARN) -Werror' \
	 BPF_CC='$(CLANG) $(BPF_FLAGS)' tests/headers $(OUR_H) $(ABI_H) $(BPF_H)

FORMATTED := $(OUR_C) $(OUR_H) $(KERNELS_C) $(BENCH_C) $(BENCH_H) $(BPF_C) $(BPF_H) $(ABI_H) $(WORK_C) $(WORK_H)

format: ## format the sources
	$(if $(FORMATTED),$(Q)$(CLANG_FORMAT) -i $(FORMATTED))

format-check: ## are the sources formatted?
	$(if $(FORMATTED),$(Q)$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED))

tidy: $(OUR_C:%.c=$(BUILD)/tidy/%.ok) $(if $(SCRIPTS),$(BUILD)/tidy/scripts.ok) ## clang-tidy and shellcheck; QUICK=1: without the analyzer, which takes most of the time

$(BUILD)/tidy/%.ok: %.c .clang-tidy $(OUR_H) $(ABI_H) | $(GENERATED) $(SKEL) $(PROTO_H)
	@mkdir -p $(@D)
	$(call say,TIDY,$<)
	$(Q)$(CLANG_TIDY) --quiet --warnings-as-errors='*' $(if $(QUICK),--checks='-clang-analyzer-*') $< -- $(CPPFLAGS_ALL) \
		$(PKG_CFLAGS) -std=gnu11 $(if $(BANNED),-include $(BANNED)) -Wall -Wextra -Wno-unused-parameter 2> $@.log || \
		{ cat $@.log; exit 1; }
	@touch $@

$(BUILD)/tidy/scripts.ok: $(SCRIPTS)
	@mkdir -p $(@D)
	$(call say,SHELL,$^)
	$(Q)$(SHELLCHECK) -x -S warning $^
	@touch $@

cover: ## how much of each folder the tests run (build/cover/index.html)
	+@$(as_user) $(MAKE) BUILD=build/cover CFLAGS='-O0 -g --coverage -fprofile-update=atomic' check-build
	+@find build/cover -name '*.gcda' -delete
	+@$(MAKE) BUILD=build/cover CFLAGS='-O0 -g --coverage -fprofile-update=atomic' check || true
	+@tests/cover build/cover

# ---- installation --------------------------------------------------------------------------

.PHONY: install uninstall clean help

BINDIR := $(DESTDIR)$(PREFIX)/bin
MANDIR := $(DESTDIR)$(PREFIX)/share/man/man8
DOCDIR := $(DESTDIR)$(PREFIX)/share/doc/slowburn

install: $(BUILD)/slowburn $(BUILD)/slowburn-web $(BUILD)/slowburn.8 ## copy to DESTDIR/PREFIX
	$(Q)install -D -m 755 $(BUILD)/slowburn $(BINDIR)/slowburn
	$(Q)install -D -m 755 $(BUILD)/slowburn-web $(BINDIR)/slowburn-web
	$(Q)install -D -m 644 $(BUILD)/slowburn.8 $(MANDIR)/slowburn.8
	$(Q)install -D -m 644 LICENSE $(DOCDIR)/LICENSE
	$(Q)install -D -m 644 bpf/LICENSE-GPL-2.0 $(DOCDIR)/LICENSE-GPL-2.0

uninstall: ## remove what install copied
	$(Q)rm -f $(BINDIR)/slowburn $(BINDIR)/slowburn-web $(MANDIR)/slowburn.8 $(DOCDIR)/LICENSE $(DOCDIR)/LICENSE-GPL-2.0
	$(Q)rmdir --ignore-fail-on-non-empty $(DOCDIR) 2>/dev/null || true

clean: ## remove what was built (in BUILD)
	$(Q)rm -rf '$(BUILD)'

help: ## this list
	@sed -n 's/^\([a-z0-9%-]*\):[^#]*## /\1\t/p' Makefile | sed 's/^fuzz-%/fuzz-NAME/' | \
		awk -F'\t' '{ printf "  %-14s %s\n", $$1, $$2 }'
	@echo; sed -n '/^#   [A-Z]/s/^# *//p' Makefile | sed 's/^/  /'

OBJECTS := $(foreach l,$(EXISTING),$(call objects,$(l))) $(MAIN:%.c=$(BUILD)/%.o) $(WEB_MAIN:%.c=$(BUILD)/%.o) $(SAMPLER:%.c=$(BUILD)/%.o) \
	$(STOPWATCH:%.c=$(BUILD)/%.o) $(patsubst %.c,$(BUILD)/%.o,$(filter tests/%,$(OUR_C)))
-include $(OBJECTS:.o=.d)
