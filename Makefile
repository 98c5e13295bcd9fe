# SPDX-License-Identifier: MIT
# make, make check, make install … : `make help` lists the targets.

VERSION := 0.1.0
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
comma := ,
B ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
CC ?= gcc
CPU ?= $(shell $(CC) -dumpmachine | cut -d- -f1)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wvla -Wformat=2 $(WERROR)
CFLAGS ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DMR_VERSION='"$(VERSION)"'
HARDEN := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
LIBS := $(if $(STATIC),-Wl$(comma)-Bstatic) -ldw -lelf -ljansson $(if $(STATIC),-lz -llzma -lbz2 -Wl$(comma)-Bdynamic)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)

ATTACH_SRC := $(wildcard attach/*.c)
INJECT_SRC := $(filter-out inject/cpu_%.c,$(wildcard inject/*.c)) inject/cpu_$(CPU).c
OBJ := $(patsubst %.c,$(B)/%.o,$(ATTACH_SRC) $(INJECT_SRC)) $(B)/payload/embed.o
PY := $(wildcard payload/*.py payload/module_reloader/*.py)

all: $(B)/mr-attach

$(B)/mr-attach: $(OBJ)
	$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $^ $(LIBS)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARN) $(HARDEN) $(CPPFLAGS) $(CFLAGS) $(SANFLAGS) -MMD -MP -c -o $@ $<

# What runs over there: freestanding, no data, no relocations (the linker script refuses them), taken as plain bytes.
STUBFLAGS := -std=gnu11 $(WARN) -Os -ffreestanding -fPIC -fno-stack-protector -fcf-protection=none -fno-builtin \
	-fno-asynchronous-unwind-tables -fno-jump-tables -mgeneral-regs-only -fvisibility=hidden -U_FORTIFY_SOURCE
PYTHON_INCLUDES ?= $(shell /usr/bin/python3-config --includes)

$(B)/payload/stub.o $(B)/payload/stage.o: $(B)/payload/%.o: payload/%.c payload/request.h payload/syscall_$(CPU).h
	@mkdir -p $(@D)
	$(CC) $(STUBFLAGS) -include payload/syscall_$(CPU).h -isystem $(subst -I,,$(firstword $(PYTHON_INCLUDES))) -c -o $@ $<

$(B)/payload/%.elf: payload/%.lds
	$(CC) -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-T,payload/$*.lds -o $@ $(filter %.o,$^)

$(B)/payload/%.o: payload/%.S payload/request.h
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<

$(B)/payload/stub.elf: $(B)/payload/entry_$(CPU).o $(B)/payload/stub.o
$(B)/payload/stage.elf: $(B)/payload/stage_$(CPU).o $(B)/payload/stage.o

$(B)/payload/%.bin: $(B)/payload/%.elf
	objcopy -O binary -j .text $< $@

# The Python sources as one stretch of bytes: "name size\n" and the source, for each file. exec and run need the base only.
PACK = sh -c 'for f; do printf "%s %s\n" "$$(basename "$$f" .py)" "$$(wc -c < "$$f")"; cat "$$f"; done' pack
BASE := payload/trouble.py payload/escapes.py payload/execute.py payload/module_reloader/handlers.py

$(B)/payload/base.bin: $(BASE)
	@mkdir -p $(@D)
	@$(PACK) $(BASE) > $@
$(B)/payload/engine.bin: $(filter-out $(BASE),$(filter payload/module_reloader/%,$(PY)))
	@mkdir -p $(@D)
	@$(PACK) $(sort $^) > $@

# And compiled: in a process of one of these Pythons nothing has to be compiled. `make PYTHONS=` sends source only.
PYTHONS ?= python3
$(B)/payload/code.bin: payload/boot.py payload/compile.py $(B)/payload/base.bin $(B)/payload/engine.bin $(B)/payload/pythons
	{ $(PACK) payload/boot.py && cat $(B)/payload/base.bin $(B)/payload/engine.bin; } > $(@D)/all.bin
	for python in $(PYTHONS); do $$python -ISc "$$(cat payload/compile.py)" < $(@D)/all.bin || exit; done > $@
$(B)/payload/pythons: FORCE
	@mkdir -p $(@D)
	@echo '$(PYTHONS)' | cmp -s - $@ || echo '$(PYTHONS)' > $@
FORCE:

$(B)/payload/embed.o: payload/embed.S $(addprefix $(B)/payload/,stub.bin stage.bin base.bin engine.bin code.bin) payload/boot.py
	$(CC) -I$(B)/payload -Ipayload -c -o $@ $<

# --- tests ----------------------------------------------------------------------------------------------------------
# What `make check` and `make demo` lack is installed first, hence the second make: it must see the new headers.

DEPS := tests/support/deps.sh
CHECK := B=$(B) SAN=$(SAN) python3 tests/support/check.py
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
UNIT_HELP := $(patsubst %.c,$(B)/%.o,$(filter-out tests/unit/test_%.c,$(wildcard tests/unit/*.c)))
SHIM := $(B)/sweep/shim.so
STORM := $(B)/storm/helper.so
EMBEDDING := $(B)/live/embedding
JUDGE := $(B)/judge/judge
BETWEEN := $(B)/judge/between.so
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

check:
	@$(DEPS) check
	@$(MAKE) --no-print-directory -s all tests fuzz-replay
	@$(CHECK) check

check-all:
	@$(DEPS) check
	@$(MAKE) --no-print-directory -s all tests fuzz-replay
	@$(CHECK) all

check-fuzz:
	@$(DEPS) check
	@$(MAKE) --no-print-directory -s fuzz-replay
	@$(CHECK) check fuzz

check-unit check-py check-live check-storm check-sweep: check-%:
	@$(DEPS) check
	@$(MAKE) --no-print-directory -s all tests
	@$(CHECK) check $*

sweep:
	@$(DEPS) check
	@$(MAKE) --no-print-directory all tests
	@$(CHECK) all sweep

check-vm:
	@$(DEPS) vm
	@$(MAKE) --no-print-directory -s all
	@B=$(B) python3 tests/vm/check.py $(ONLY)

storm:
	@$(DEPS) build
	@$(MAKE) --no-print-directory -s all $(STORM)
	@B=$(B) python3 tests/storm/storm.py

storm-gdb:
	@$(DEPS) bench
	@$(MAKE) --no-print-directory -s all $(STORM)
	@B=$(B) TOOL=gdb python3 tests/storm/storm.py

# The corpora are replayed under gcc's sanitizers; to search on from them needs clang's libFuzzer.
fuzz-replay:
	@$(MAKE) --no-print-directory -s B=build/san-address-undefined SAN=address,undefined fuzz-programs

SECONDS ?= 60
fuzz-c:
	@$(DEPS) fuzz
	@$(MAKE) --no-print-directory -s B=build/fuzz CC=clang CPU=$(CPU) SAN=fuzzer-no-link,address,undefined \
		FUZZ_MAIN=-fsanitize=fuzzer fuzz-programs
	@B=build/fuzz tests/fuzz/fuzz.sh $(SECONDS) $(ONLY)

fuzz-programs: $(FUZZ)

SEED ?= $(shell date +%s)

fuzz:
	@python3 -B tests/py/fuzz_reload.py --seed $(SEED) --seconds $(SECONDS)

bench:
	@$(DEPS) bench
	@$(MAKE) --no-print-directory -s all
	@$(MAKE) --no-print-directory -s B=$(B)/bench PYTHONS="python3 $$(python3 tests/pythons/pythons.py wrap $(B)/pythons sid3.14 trixie3.13)" all
	@B=$(B) python3 tests/bench/bench.py

bench-tail:
	@$(DEPS) build
	@$(MAKE) --no-print-directory -s all
	@B=$(B) python3 tests/bench/tail.py

demo:
	@$(DEPS) build
	@echo 'Building $(B)/mr-attach'
	@$(MAKE) --no-print-directory -s all
	@B=$(B) tests/demo/demo.sh

pythons-extra:
	@tests/pythons/pythons.py extra

tests: $(UNIT) $(SHIM) $(JUDGE) $(BETWEEN) $(STORM) $(EMBEDDING)

# Everything but main() as an archive: a test may put a fake in the place of any object.
$(B)/mr-attach.a: $(filter-out $(B)/attach/main.o,$(OBJ))
	@rm -f $@
	ar rcs $@ $^

$(B)/tests/unit/%.o: CPPFLAGS += -I.
$(B)/unit/%: $(B)/tests/unit/%.o $(UNIT_HELP) $(B)/mr-attach.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -pie -o $@ $^ -lcriterion $(LIBS)

$(JUDGE): $(B)/tests/judge/judge.o $(B)/mr-attach.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -pie -o $@ $^ $(LIBS)

# A main() of ours, or libFuzzer's; and a memory of ours for those that read a tracee.
FUZZ_MAIN ?= $(B)/tests/fuzz/replay.o
$(B)/fuzz/image $(B)/fuzz/block: $(B)/tests/fuzz/fake_memory.o
$(B)/fuzz/%: $(B)/tests/fuzz/fuzz_%.o $(filter %.o,$(FUZZ_MAIN)) $(B)/mr-attach.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -pie -o $@ $(filter %.o,$^) $(filter-out %.o,$(FUZZ_MAIN)) \
		$(filter %.a,$^) $(LIBS)

$(SHIM): tests/sweep/shim.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARN) $(CPPFLAGS) -O2 -g -fPIC -shared -o $@ $< -ldl

$(BETWEEN): tests/judge/between.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARN) $(CPPFLAGS) -O2 -g -fPIC -shared -o $@ $< -ldl

$(EMBEDDING): tests/live/embedding.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARN) $(CPPFLAGS) -O2 -g -rdynamic -o $@ $< -ldl

$(STORM): $(wildcard tests/storm/*.[ch])
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARN) $(CPPFLAGS) -O2 -g -fPIC -shared -o $@ $(filter %.c,$^) -lpthread -ldl

# --- lint -----------------------------------------------------------------------------------------------------------

C_FILES := $(wildcard attach/*.c inject/*.c payload/*.c)
LINT_OBJ = $(filter-out $(B)/payload/embed.o,$(OBJ)) $(B)/payload/stub.o $(UNIT:$(B)/unit/%=$(B)/tests/unit/%.o) $(UNIT_HELP)

lint:
	@$(DEPS) lint
	@$(MAKE) --no-print-directory lint-gcc lint-clang lint-tidy lint-cppcheck lint-layers lint-python
	@echo 'lint: clean'

lint-gcc lint-clang: lint-%:
	@$(MAKE) --no-print-directory -s B=build/lint-$* CC=$* CPU=$(CPU) WERROR=-Werror lint-objects
lint-objects: $(LINT_OBJ)

lint-tidy:
	@printf '%s\n' $(filter-out payload/%,$(C_FILES)) | xargs -P "$$(nproc)" -n 1 sh -c \
		'clang-tidy --quiet "$$@" -- -std=gnu11 -I. $(subst ','\'',$(CPPFLAGS)) 2>/dev/null' tidy

lint-cppcheck:
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem --suppress=comparePointers --include=tests/support/cppcheck.h $(CPPFLAGS) -D__$(CPU)__ $(C_FILES)

lint-layers:
	@python3 tests/support/layers.py

lint-python:
	@python3 tests/support/lint_python.py
	@python3 docs/man.py --check

FORMATTED = $(wildcard attach/*.[ch] inject/*.[ch] payload/*.[ch] tests/*/*.[ch])

format:
	@$(DEPS) format
	clang-format -i $(FORMATTED)

format-check:
	@$(DEPS) format
	@clang-format --dry-run --Werror $(FORMATTED)

# --- install --------------------------------------------------------------------------------------------------------

BASH_COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS ?= $(PREFIX)/share/zsh/site-functions
FISH_COMPLETIONS ?= $(PREFIX)/share/fish/vendor_completions.d

install: all
	install -D -m 755 $(B)/mr-attach $(DESTDIR)$(BINDIR)/mr-attach
	install -D -m 644 docs/mr-attach.1 $(DESTDIR)$(MANDIR)/man1/mr-attach.1
	install -D -m 644 docs/completions/mr-attach.bash $(DESTDIR)$(BASH_COMPLETIONS)/mr-attach
	install -D -m 644 docs/completions/mr-attach.zsh $(DESTDIR)$(ZSH_COMPLETIONS)/_mr-attach
	install -D -m 644 docs/completions/mr-attach.fish $(DESTDIR)$(FISH_COMPLETIONS)/mr-attach.fish

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/mr-attach $(DESTDIR)$(MANDIR)/man1/mr-attach.1
	rm -f $(DESTDIR)$(BASH_COMPLETIONS)/mr-attach $(DESTDIR)$(ZSH_COMPLETIONS)/_mr-attach
	rm -f $(DESTDIR)$(FISH_COMPLETIONS)/mr-attach.fish

clean:
	rm -rf build $(B)

help:
	@echo 'make               build $(B)/mr-attach'
	@echo 'make demo          see it at work: a live service, an edit, a reload'
	@echo 'make check         the tests, within 15 minutes; check-unit, -fuzz, -py, -live, -sweep run a part'
	@echo 'make check-all     the whole matrix: every CPython, every way of waiting'
	@echo 'make check-vm      what needs a kernel or processor of its own, in virtual machines; ONLY="yama nfs"'
	@echo 'make sweep         kill mr-attach before each of its calls, delay it, fail it in every way, on every kind of target'
	@echo 'make storm         many attaches against targets under stress, some killed midway: SECONDS= RUNS= SEED= KINDS= KILLS='
	@echo 'make storm-gdb     the same with three calls of gdb instead'
	@echo 'make fuzz-c        libFuzzer on every parser of foreign bytes, SECONDS=60 each; ONLY="proc image"'
	@echo 'make fuzz          random edits, and whether a reload does what a fresh import does; SEED=n, SECONDS=60'
	@echo 'make bench         how fast, beside gdb and sys.remote_exec'
	@echo 'make bench-tail    the longest stops, with 512 threads and 300 libraries, on each CPython'
	@echo 'make lint          warnings (gcc, clang), clang-tidy, cppcheck, the rules of the layers'
	@echo 'make format        clang-format; format-check only looks'
	@echo 'make install       below PREFIX=$(PREFIX); DESTDIR, BINDIR and MANDIR are honoured; uninstall takes it away'
	@echo 'make pythons-extra build a musl and a free-threaded CPython for check-all (takes minutes)'
	@echo 'make clean         remove build/'
	@echo 'STATIC=1 links all but libc into the program: one file to copy; it needs libbz2-dev and liblzma-dev'
	@echo 'PYTHONS="python3 …" those whose processes get compiled code; all others compile the source that they get'
	@echo 'SAN=address,undefined builds and tests with sanitizers in a folder of its own'

.PHONY: FORCE all check-vm check-fuzz fuzz-replay fuzz-c fuzz-programs check check-all check-unit check-py check-live check-storm check-sweep sweep storm storm-gdb fuzz bench bench-tail demo pythons-extra tests
.PHONY: lint lint-gcc lint-clang lint-objects lint-tidy lint-cppcheck lint-layers lint-python format format-check
.PHONY: install uninstall clean help
.SECONDARY:
.DELETE_ON_ERROR:
-include $(OBJ:.o=.d) $(wildcard $(B)/tests/unit/*.d $(B)/tests/fuzz/*.d $(B)/tests/judge/*.d)
