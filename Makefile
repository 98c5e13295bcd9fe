# SPDX-License-Identifier: MIT
# make, make check, make install … : `make help` lists the targets.

VERSION := 0.1.0
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
B ?= build
CC ?= gcc
CPU ?= $(shell $(CC) -dumpmachine | cut -d- -f1)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wvla -Wformat=2
CFLAGS ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DMR_VERSION='"$(VERSION)"'
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LIBS := -ldw -lelf -ljansson
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)

ATTACH_SRC := $(wildcard attach/*.c)
INJECT_SRC := $(filter-out inject/cpu_%.c,$(wildcard inject/*.c)) inject/cpu_$(CPU).c
OBJ := $(patsubst %.c,$(B)/%.o,$(ATTACH_SRC) $(INJECT_SRC)) $(B)/payload/embed.o
PY := payload/boot.py $(wildcard payload/module_reloader/*.py)

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

$(B)/payload/stub.o: payload/stub.c payload/request.h
	@mkdir -p $(@D)
	$(CC) $(STUBFLAGS) -isystem $(subst -I,,$(firstword $(PYTHON_INCLUDES))) -c -o $@ $<

$(B)/payload/%.elf: payload/%.lds
	$(CC) -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-T,payload/$*.lds -o $@ $(filter %.o,$^)

$(B)/payload/%.o: payload/%.S payload/request.h
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<

$(B)/payload/stub.elf: $(B)/payload/entry_$(CPU).o $(B)/payload/stub.o
$(B)/payload/stage.elf: $(B)/payload/stage_$(CPU).o

$(B)/payload/%.bin: $(B)/payload/%.elf
	objcopy -O binary -j .text $< $@

# The Python package as one stretch of bytes: "name size\n" and the source, for each file.
$(B)/payload/package.bin: $(PY) Makefile
	@mkdir -p $(@D)
	for f in $(sort $(filter payload/module_reloader/%,$(PY))); do \
		printf '%s %s\n' "$$(basename $$f .py)" "$$(wc -c < $$f)"; cat "$$f"; done > $@

$(B)/payload/embed.o: payload/embed.S $(B)/payload/stub.bin $(B)/payload/stage.bin $(B)/payload/package.bin payload/boot.py
	$(CC) -I$(B)/payload -Ipayload -c -o $@ $<

clean:
	rm -rf $(B)

.PHONY: all clean
.DELETE_ON_ERROR:
-include $(OBJ:.o=.d)
