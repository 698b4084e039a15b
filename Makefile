# SPDX-License-Identifier: GPL-2.0-only
# ncgate. `make help` lists what can be made.
#
# On an arm64 host with the packages that README.md names, `make && make install`
# builds natively. Everything that needs an emulated host or Debian 13's tools
# (demo, check, check-vm, bench, fuzz) runs in a tool root that it makes itself;
# see tests/toolroot.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash

VERSION := 0.1.0

# Which machine the result is for: the one at hand, or ARCH=arm64 from anywhere.
HOST_ARCH := $(shell uname -m | sed 's/aarch64/arm64/;s/x86_64/x86/')
ARCH ?= $(HOST_ARCH)
OUT := build/$(ARCH)

ifneq ($(ARCH),$(HOST_ARCH))
CROSS_COMPILE ?= aarch64-linux-gnu-
PKG_CONFIG ?= PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig pkg-config
endif
CC := $(CROSS_COMPILE)gcc
AR := $(CROSS_COMPILE)ar
PKG_CONFIG ?= pkg-config
CLANG ?= $(firstword $(shell command -v clang-19 clang-20 clang))
BPFTOOL ?= bpftool
# The kernel whose types vmlinux.h shows. CO-RE adapts the result to others.
VMLINUX_BTF ?= /sys/kernel/btf/vmlinux

PREFIX ?= /usr
DESTDIR ?=
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
# Where each shell looks by itself; zsh of Debian below /usr and below /usr/local.
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

LIBS := libbpf libmicrohttpd gnutls jansson libpci libsystemd
CFLAGS ?= -O2 -g
# Asked for only when something is compiled.
ALL_CFLAGS = -std=gnu11 -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes \
	-D_GNU_SOURCE -DNCG_VERSION='"$(VERSION)"' \
	-DNCG_DATADIR='"$(DATADIR)"' -Ibpf -Iuserspace -I$(OUT)/bpf \
	$(shell $(PKG_CONFIG) --cflags $(LIBS)) $(CFLAGS)
ALL_LIBS = $(shell $(PKG_CONFIG) --libs $(LIBS))
# The programs are for arm64 whatever machine the rest is built for.
BPF_CFLAGS := -g -O2 -mcpu=v3 -target bpf -D__TARGET_ARCH_arm64 \
	-Wall -Werror -Wno-unused-function -Ibpf -I$(OUT)/bpf

BPF_OBJECTS := maps policy observe walk mapped
MAINS := ncgated ncgate
MODULES := $(filter-out $(MAINS),$(basename $(notdir $(wildcard userspace/*.c))))
SKELETONS := $(BPF_OBJECTS:%=$(OUT)/bpf/%.skel.h)

.PHONY: all
all: $(MAINS:%=$(OUT)/bin/%)

.PHONY: help
help:
	@echo 'make                 build ncgated and ncgate for this arm64 host'
	@echo 'make install         install them (DESTDIR=, PREFIX=)'
	@echo 'make demo            the main job on an emulated arm64 host'
	@echo 'make check           all tests'
	@echo 'make check-long      storms, thousands of guests and chance, in full (30 minutes)'
	@echo 'make check-kernel    the patches, DKMS and the kernel with the whole series'
	@echo 'make kernel          BASE=v6.8 SRC=path: a series and its options into your kernel tree'
	@echo 'make check-unit      the tests that need no emulated host'
	@echo 'make check-vm        KERNEL=6.12|6.12-16k|6.12-64k|7.3|6.1|6.1-series|series CPU=max GIC=3 CASES= SEED='
	@echo 'make deb-dkms        build/ncgate-dkms_VERSION_all.deb'
	@echo 'make bench           CASE=programs|trap|B1|B2|B3|B5: what ncgate costs, in counted instructions'
	@echo 'make fuzz            FUZZ_SECONDS=60 for each fuzzer'
	@echo 'make clean           remove build/'

# ---------------------------------------------------------------- BPF

$(OUT)/bpf/vmlinux.h: $(VMLINUX_BTF)
	$(call say,BTF,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) btf dump file $< format c > $@

$(OUT)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) $(OUT)/bpf/vmlinux.h
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@.tmp
	$(Q)$(BPFTOOL) gen object $@ $@.tmp
	@rm -f $@.tmp

$(OUT)/bpf/%.skel.h: $(OUT)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# ---------------------------------------------------------------- userspace

$(OUT)/obj/%.o: userspace/%.c $(wildcard userspace/*.h bpf/abi.h bpf/decide.h) $(SKELETONS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

# The mains know where data is; another PREFIX= is another place.
DATADIR := $(PREFIX)/share/ncgate

$(OUT)/datadir: FORCE
	@mkdir -p $(@D)
	@[ "$$(cat $@ 2>/dev/null)" = '$(DATADIR)' ] || echo '$(DATADIR)' > $@

$(MAINS:%=$(OUT)/obj/%.o): $(OUT)/datadir

.PHONY: FORCE
FORCE:

$(OUT)/libncg.a: $(MODULES:%=$(OUT)/obj/%.o)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(OUT)/bin/%: $(OUT)/obj/%.o $(OUT)/libncg.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $^ $(ALL_LIBS) -o $@

.PRECIOUS: $(OUT)/obj/%.o $(OUT)/bpf/%.bpf.o $(OUT)/bpf/%.skel.h

.PHONY: install
install: all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin $(OUT)/bin/ncgated
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(OUT)/bin/ncgate
	install -D -m 644 packaging/systemd/ncgated.service \
		$(DESTDIR)$(UNITDIR)/ncgated.service
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 docs/man/ncgated.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 docs/man/ncgate.1
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 docs/man/ncgate-policy.conf.5
	[ -e $(DESTDIR)$(SYSCONFDIR)/ncgate/policy.conf ] || \
		install -D -m 644 policy.conf $(DESTDIR)$(SYSCONFDIR)/ncgate/policy.conf
	install -D -m 644 -t $(DESTDIR)$(DATADIR) hazards.conf docs/audit.schema.json
	install -D -m 644 packaging/completions/ncgate.bash $(DESTDIR)$(BASHCOMPDIR)/ncgate
	install -D -m 644 -t $(DESTDIR)$(ZSHCOMPDIR) packaging/completions/_ncgate
	install -D -m 644 -t $(DESTDIR)$(FISHCOMPDIR) packaging/completions/ncgate.fish
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/ncgate/policy.d
	install -d -m 750 $(DESTDIR)/var/log/ncgate
	install -d -m 700 $(DESTDIR)/var/lib/ncgate

# A series of kernel-patch/ and a configuration fragment into a kernel source tree.
.PHONY: kernel
kernel:
	@kernel-patch/apply '$(BASE)' '$(SRC)'

.PHONY: clean
clean:
	rm -rf build

# ---------------------------------------------------------------- tests

include tests/tests.mk
include packaging/packaging.mk
