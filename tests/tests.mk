# SPDX-License-Identifier: GPL-2.0-only
# The stable test commands. Outside the tool root each enters it and calls itself
# again; inside it does the work.

KERNEL ?= 6.12
CPU ?= max
GIC ?= 3
CASES ?=

ENTER := tests/toolroot/enter

.PHONY: demo check check-long check-kernel check-unit check-vm bench fuzz arm64

ifneq ($(NCG_IN_TOOLROOT),1)

demo check check-long check-kernel check-unit check-vm bench fuzz arm64:
	@$(ENTER) make -s $@ KERNEL='$(KERNEL)' CPU='$(CPU)' GIC='$(GIC)' \
		HOOK='$(HOOK)' CASES='$(CASES)' FUZZ_SECONDS='$(FUZZ_SECONDS)' SEED='$(SEED)' CASE='$(CASE)' PARTS='$(PARTS)'

else

# ---- arm64 binaries for the emulated host

ARM64_BTF = $(firstword $(wildcard $(shell tests/vm/kernel 6.12)/usr/src/linux-headers-*/vmlinux))

arm64:
	@$(MAKE) -s ARCH=arm64 VMLINUX_BTF=$(ARM64_BTF) all arm64-tools

.PHONY: arm64-tools
arm64-tools: $(addprefix $(OUT)/bin/,minivmm vfiomap vfiomap32 vfio_pci_uncached_test \
		baseline bench-walk stage2_test crowd.bpf.o \
		foreign-grant.bpf.o foreign-withhold.bpf.o foreign-watch.bpf.o) \
	$(OUT)/guest/initrd

$(OUT)/bin/minivmm: tests/vm/minivmm_guest.c tests/vm/minivmm_guest.h \
	tests/vm/minivmm_vfio.c tests/vm/minivmm_vfio.h

$(OUT)/bin/minivmm $(OUT)/bin/vfiomap: $(OUT)/bin/%: tests/vm/%.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -g -Wall -Wextra -Werror -static $(filter %.c,$^) -o $@

$(OUT)/bin/stage2_test: tests/vm/stage2_test.c tests/fuzz/fuzz_stage2.c tests/fuzz/fuzz.h \
		$(OUT)/libncg.a
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/fuzz $< $(OUT)/libncg.a -static -o $@

$(OUT)/bin/crowd.bpf.o: tests/vm/crowd.bpf.c $(OUT)/bpf/vmlinux.h
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(OUT)/bin/vfiomap32: tests/vm/vfiomap32.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) --target=armv7-linux-gnueabi -marm -O2 -Wall -Wextra -Werror \
		-ffreestanding -fomit-frame-pointer -c $< -o $@.o
	$(Q)$(CROSS_COMPILE)ld -m armelf_linux_eabi -static -z max-page-size=0x10000 $@.o -o $@

$(OUT)/bench/%.bpf.o: tests/bench/%.bpf.c tests/bench/%.h $(OUT)/bpf/vmlinux.h
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(OUT)/bench/%.skel.h: $(OUT)/bench/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

.PRECIOUS: $(OUT)/bench/%.bpf.o $(OUT)/bench/%.skel.h

$(OUT)/bin/baseline: tests/bench/baseline.c tests/bench/baseline.h $(OUT)/bench/baseline.skel.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -I$(OUT)/bench $< $(ALL_LIBS) -o $@

$(OUT)/bin/bench-walk: tests/bench/walk.c tests/bench/read.h $(OUT)/bench/read.skel.h \
		$(OUT)/libncg.a
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -I$(OUT)/bench $< $(OUT)/libncg.a $(ALL_LIBS) -o $@

$(OUT)/bin/foreign-%.bpf.o: tests/vm/foreign.bpf.c $(OUT)/bpf/vmlinux.h
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -DFOREIGN_$* -c $< -o $@

# The series' kselftest, as its mail has it.
SELFTEST := $(firstword $(wildcard kernel-patch/v6.12/*-selftests-*.patch))

$(OUT)/bin/vfio_pci_uncached_test: $(SELFTEST) tests/vm/selftest
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)tests/vm/selftest $< $(CC) $@

$(OUT)/guest/store: tests/vm/guest/store.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -Wall -Wextra -Werror -static $< -o $@

$(OUT)/guest/initrd: $(OUT)/guest/store tests/vm/guest/build tests/vm/guest/init
	$(call say,CPIO,$@)
	$(Q)tests/vm/guest/build $(@D) $<

# ---- tests that run natively

UNIT := $(basename $(notdir $(wildcard tests/unit/test_*.c)))
BPFTESTS := $(basename $(notdir $(wildcard tests/bpf/test_*.c)))
# A program of a test is none.
BPFTESTS := $(filter-out %.bpf,$(BPFTESTS))

$(OUT)/tests/%: tests/unit/%.c $(wildcard tests/unit/*.h) $(OUT)/libncg.a
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(OUT)/libncg.a $(ALL_LIBS) -lcmocka -o $@

# Programs of theirs; test_losses and test_missing have those of test_events, and test_programs and test_views
# ncgate's own.
$(filter-out %/test_losses %/test_missing %/test_programs %/test_views,$(BPFTESTS:%=$(OUT)/tests/%)): %: %.bpf.o
$(OUT)/tests/test_losses $(OUT)/tests/test_missing: $(OUT)/tests/test_events.bpf.o

$(OUT)/tests/%: tests/bpf/%.c $(wildcard tests/unit/*.h tests/bpf/*.h) $(OUT)/libncg.a
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(OUT)/libncg.a $(ALL_LIBS) -lcmocka -o $@

$(OUT)/tests/%.bpf.o: tests/bpf/%.bpf.c $(wildcard bpf/*.h tests/bpf/*.h) $(OUT)/bpf/vmlinux.h
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -I/usr/include/x86_64-linux-gnu -c $< -o $@

# The tests load them.
.PRECIOUS: $(OUT)/tests/%.bpf.o

NATIVE_TESTS := $(UNIT:%=$(OUT)/tests/%) $(BPFTESTS:%=$(OUT)/tests/%)

.PHONY: native-tests
native-tests: $(NATIVE_TESTS) $(OUT)/bin/ncgate

check-unit:
	@$(MAKE) -s VMLINUX_BTF=$(ARM64_BTF) native-tests
	@NCG_BPF_DIR=$(OUT)/tests tests/run-native $(NATIVE_TESTS) tests/vm/test_oracle.py \
		tests/unit/test_completions.py tests/unit/test_audit_schema.py

fuzz:
	@tests/fuzz/run $(or $(FUZZ_SECONDS),60)

check-vm: arm64
	@tests/vm/run --kernel $(KERNEL) --cpu $(CPU) --gic $(GIC) \
		$(if $(filter no,$(HOOK)),--no-hook) $(if $(SEED),--seed $(SEED)) $(CASES)

check: arm64
	@tests/check $(PARTS)

check-long: arm64
	@tests/check $(or $(PARTS),--long)

check-kernel: arm64
	@tests/check $(or $(PARTS),--kernel)

demo: arm64
	@tests/demo

bench: arm64
	@tests/bench/run $(CASE)

endif
