// SPDX-License-Identifier: GPL-2.0-only
/*
 * minivmm: the smallest VMM that shows which memory type KVM gives a
 * passed-through BAR at stage 2, for arm64 Linux hosts.
 *
 * One VM, one vCPU, no interrupt controller. The guest's stage 1 is on from
 * its first instruction (tables written here, into guest RAM): RAM is Normal
 * Write-Back, every BAR is Normal Non-cacheable. The guest touches pages,
 * stores 8 bytes into each BAR and reads them back. A store that is not
 * aligned works on Normal memory and faults on Device memory, so the outcome
 * tells what stage 2 made of the guest's wish. (QEMU's TCG, as host, enforces
 * that only with two or more CPUs and no -icount.)
 *
 * A BAR whose mmap is refused is trapped, as QEMU does it: every access of the
 * guest is carried out here, by pread and pwrite on the device. A line of JSON
 * before the outcome names it: {"trapped":"DDDD:BB:DD.F","bar":N,"errno":N}.
 *
 * Outcome: one line of JSON on stdout and the exit status
 *	0   {"result":"ok"}		stored and read back equal
 *	10  {"result":"mismatch"}	read back something else
 *	11  {"result":"guest-fault",…}	the guest's own exception vector ran
 *	12  {"result":"kvm-error",…}	KVM_RUN failed; errno 14 is what a
 *					Device stage 2 gives an unaligned store
 * and for what went wrong earlier, with a message on stderr that names the
 * call and errno
 *	1   setup failed		2   wrong usage
 *
 * With --el2 the guest is a hypervisor: it runs at EL2, its MMU off. With --nested it
 * enters a guest of its own, which is the one above, behind stage-2 tables that map all
 * it needs to itself; KVM makes shadows of those. Both need kvm-arm.mode=nested.
 *
 * With --inherit this process maps the BARs and leaves the VM to a child that fork()
 * makes, under another uid: {"child":PID} before all else of the guest. It waits for the
 * child, ends it when asked to end, and ends with its status.
 *
 * With --remap or --vms there is no guest: {"result":"remapped","count":N} says how often
 * the BARs were mapped once more.
 *
 * With --hold the guest spins after that until SIGTERM or SIGINT; "holding"
 * on stdout says that it has got there. Without --hold and without a result
 * there is no time limit here: whoever starts this sets one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/mman.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "minivmm_guest.h"
#include "minivmm_vfio.h"

#define EXEC_FD		10

/* What guest RAM is made of. */
enum backing {
	BACKING_ANY,		/* as the host likes */
	BACKING_PAGE,		/* single pages */
	BACKING_THP,		/* what sizes of huge pages the host gives on request */
	BACKING_HUGETLB,	/* pages of one size from the host's pool */
};

enum level {
	LEVEL_EL1,
	LEVEL_EL2,	/* the guest is at EL2 */
	LEVEL_NESTED,	/* it is within a guest, at EL1 */
};

struct options {
	struct bar bars[MAX_BARS];
	unsigned int bar_count;
	uint64_t ram_ipa, ram_size, bar_ipa;
	enum level level;
	enum backing backing;
	uint64_t hugetlb_size;
	uint64_t touch_pages, touch_stride;
	uint64_t store_offset;
	uint64_t accesses;
	uint64_t alias;		/* bytes; 0: RAM is memory of its own */
	unsigned int ipa_bits;
	unsigned int idle_vms;	/* besides the one that runs */
	bool inherit;		/* by a child with this uid: */
	uid_t uid;
	bool move;
	bool remap;
	uint64_t remap_count;	/* 0: until asked to end */
	uint64_t vms;		/* made and ended, without a guest */
	bool hold;
	bool time;
	bool split;
	bool gicv2;
	char **exec;		/* NULL: run a guest */
};

static struct kvm_run *run;
static volatile sig_atomic_t asked_to_end;
static volatile pid_t child; /* that has the VM; 0: this process has */

void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("minivmm: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(status);
}

/* KVM_RUN returns at once when immediate_exit is set, so no signal is lost. */
static void on_signal(int signal)
{
	(void)signal;
	asked_to_end = 1;
	if (run)
		run->immediate_exit = 1;
	if (child)
		kill(child, SIGTERM);
}

/*
 * Puts the same `size` bytes, over and over, behind all RAM that the guest only
 * touches: a guest's tables can then be as large as one likes. This process has
 * it all mapped from the start, so that a fault of the guest is a stage-2 map
 * and no more.
 */
static void alias(char *ram, uint64_t ram_size, uint64_t size)
{
	int file = must(memfd_create("ram", MFD_CLOEXEC), "memfd_create");
	uint64_t at, part;

	must(ftruncate(file, size), "ftruncate of guest RAM");
	for (at = OFF_TOUCH; at < ram_size; at += part) {
		part = size < ram_size - at ? size : ram_size - at;
		if (mmap(ram + at, part, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
			die(EXIT_SETUP, "mmap of guest RAM once more: errno=%d (%s)",
			    errno, strerror(errno));
	}
	must(madvise(ram + OFF_TOUCH, ram_size - OFF_TOUCH, MADV_POPULATE_WRITE),
	     "MADV_POPULATE_WRITE of guest RAM");
	close(file);
}

/* --- KVM -------------------------------------------------------------- */

static char *map_ram(const struct options *opt)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, advice = 0;
	char *ram;

	if (opt->backing == BACKING_HUGETLB)
		flags |= MAP_HUGETLB | __builtin_ctzll(opt->hugetlb_size) << MAP_HUGE_SHIFT;
	if (opt->backing == BACKING_PAGE)
		advice = MADV_NOHUGEPAGE;
	if (opt->backing == BACKING_THP)
		advice = MADV_HUGEPAGE;
	/* No kernel's block is larger, but for those of whole host memories. */
	ram = mmap(reserve(opt->ram_size, opt->backing == BACKING_ANY ? BLOCK : GIB),
		   opt->ram_size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (ram == MAP_FAILED)
		die(EXIT_SETUP, "mmap of guest RAM: errno=%d (%s)", errno,
		    strerror(errno));
	if (advice)
		must(madvise(ram, opt->ram_size, advice), "madvise of guest RAM");
	if (opt->alias)
		alias(ram, opt->ram_size, opt->alias);
	return ram;
}

static void vm_set_memory(int vm, unsigned int slot, void *memory,
			  uint64_t ipa, uint64_t size, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = ipa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		die(EXIT_SETUP, "KVM_SET_USER_MEMORY_REGION 0x%" PRIx64 "+0x%"
		    PRIx64 ": errno=%d (%s)", ipa, size, errno,
		    strerror(errno));
}

static void vm_add_memory(int vm, unsigned int slot, void *memory,
			  uint64_t ipa, uint64_t size)
{
	vm_set_memory(vm, slot, memory, ipa, size, 0);
}

/*
 * Has KVM split what it maps in blocks once a slot's dirty pages are logged, which
 * makes leaves without a fault for each. Before the VM has memory.
 */
static void vm_prepare_split(int vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE,
		.args = { BLOCK },
	};

	must(ioctl(vm, KVM_ENABLE_CAP, &cap),
	     "KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE");
}

static void vcpu_set(int vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	if (ioctl(vcpu, KVM_SET_ONE_REG, &reg) < 0)
		die(EXIT_SETUP, "KVM_SET_ONE_REG 0x%" PRIx64 ": errno=%d (%s)",
		    id, errno, strerror(errno));
}

#define CORE_REG(name) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | \
			KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(name))

/* In linux/kvm.h from 6.x on. */
#ifndef KVM_ARM_VCPU_HAS_EL2
#define KVM_ARM_VCPU_HAS_EL2 7
#endif

static int vcpu_create(int vm, uint64_t ram_ipa, enum level level)
{
	const char *entry = level == LEVEL_NESTED ? guest_el2 : guest_entry;
	struct kvm_vcpu_init init;
	int vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");

	must(ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init),
	     "KVM_ARM_PREFERRED_TARGET");
	if (level != LEVEL_EL1)
		init.features[0] |= 1U << KVM_ARM_VCPU_HAS_EL2;
	must(ioctl(vcpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
	vcpu_set(vcpu, ARM64_SYS_REG(3, 0, 10, 2, 0), MAIR);	/* MAIR_EL1 */
	vcpu_set(vcpu, ARM64_SYS_REG(3, 0, 2, 0, 2), TCR);	/* TCR_EL1 */
	vcpu_set(vcpu, ARM64_SYS_REG(3, 0, 2, 0, 0),		/* TTBR0_EL1 */
		 ram_ipa + OFF_TABLES);
	vcpu_set(vcpu, ARM64_SYS_REG(3, 0, 12, 0, 0),		/* VBAR_EL1 */
		 ram_ipa + OFF_CODE);
	vcpu_set(vcpu, ARM64_SYS_REG(3, 0, 1, 0, 0), SCTLR);	/* SCTLR_EL1 */
	vcpu_set(vcpu, CORE_REG(regs.regs[0]), ram_ipa + OFF_PARAMS);
	vcpu_set(vcpu, CORE_REG(regs.regs[1]), ram_ipa + OFF_NESTED);
	vcpu_set(vcpu, CORE_REG(regs.regs[2]), NESTED_VTCR);
	vcpu_set(vcpu, CORE_REG(regs.regs[3]), NESTED_HCR);
	vcpu_set(vcpu, CORE_REG(regs.pc), ram_ipa + OFF_CODE + (entry - guest_start));
	return vcpu;
}

/*
 * An in-kernel GIC at the addresses of QEMU's virt board. Of a GICv2 KVM maps, at the
 * vCPU's first run, the host's virtual CPU interface at GICV2_CPU. A guest at EL2 must
 * have a GICv3: before it is there, its vCPU does not run (EAGAIN).
 */
#define GIC_DIST 0x08000000ULL
#define GICV2_CPU 0x08010000ULL
#define GICV3_REDIST 0x080a0000ULL

static void gic_address(int gic, uint64_t type, uint64_t address)
{
	struct kvm_device_attr attr = {
		.group = KVM_DEV_ARM_VGIC_GRP_ADDR,
		.attr = type,
		.addr = (uintptr_t)&address,
	};

	must(ioctl(gic, KVM_SET_DEVICE_ATTR, &attr), "address of the GIC");
}

static void gic_create(int vm, unsigned int version)
{
	struct kvm_create_device device = {
		.type = version == 2 ? KVM_DEV_TYPE_ARM_VGIC_V2 : KVM_DEV_TYPE_ARM_VGIC_V3,
	};
	struct kvm_device_attr init = {
		.group = KVM_DEV_ARM_VGIC_GRP_CTRL,
		.attr = KVM_DEV_ARM_VGIC_CTRL_INIT,
	};

	must(ioctl(vm, KVM_CREATE_DEVICE, &device), "KVM_CREATE_DEVICE of the GIC");
	if (version == 2) {
		gic_address(device.fd, KVM_VGIC_V2_ADDR_TYPE_DIST, GIC_DIST);
		gic_address(device.fd, KVM_VGIC_V2_ADDR_TYPE_CPU, GICV2_CPU);
	} else {
		gic_address(device.fd, KVM_VGIC_V3_ADDR_TYPE_DIST, GIC_DIST);
		gic_address(device.fd, KVM_VGIC_V3_ADDR_TYPE_REDIST, GICV3_REDIST);
	}
	must(ioctl(device.fd, KVM_SET_DEVICE_ATTR, &init), "GIC init");
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Does what the guest wanted to do to a BAR that is not mapped. */
static void vfio_access(const struct bar *bar)
{
	uint64_t at = bar->offset + (run->mmio.phys_addr - bar->ipa);
	ssize_t length = run->mmio.len, done;

	done = run->mmio.is_write ?
		       pwrite(bar->fd, run->mmio.data, length, at) :
		       pread(bar->fd, run->mmio.data, length, at);
	if (done != length)
		die(EXIT_SETUP, "%s BAR %d: access of %zd bytes at 0x%" PRIx64
		    ": errno=%d (%s)", bar->slot, bar->index, length,
		    at - bar->offset, errno, strerror(errno));
}

/* The BAR at a guest-physical address, or NULL. */
static const struct bar *bar_at(const struct options *opt, uint64_t ipa)
{
	for (unsigned int i = 0; i < opt->bar_count; i++)
		if (ipa - opt->bars[i].ipa < opt->bars[i].size)
			return &opt->bars[i];
	return NULL;
}

/* Runs the guest until it has switched off or was asked to end. */
static int vcpu_run(int vm, int vcpu, void *ram, const struct options *opt)
{
	uint64_t value, far = 0, elr = 0, begin = 0;
	const struct bar *bar;
	int status = EXIT_OK;

	while (!asked_to_end) {
		if (ioctl(vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				continue;
			printf("{\"result\":\"kvm-error\",\"errno\":%d}\n",
			       errno);
			return EXIT_KVM;
		}
		bar = run->exit_reason == KVM_EXIT_MMIO ?
			      bar_at(opt, run->mmio.phys_addr) : NULL;
		if (bar) {
			vfio_access(bar);
			continue;
		}
		if (run->exit_reason != KVM_EXIT_MMIO || !run->mmio.is_write ||
		    (run->mmio.phys_addr & ~0xfffULL) != REPORT_IPA)
			die(EXIT_SETUP, "KVM_RUN: exit reason %u, MMIO address "
			    "0x%llx: not a report", run->exit_reason,
			    run->exit_reason == KVM_EXIT_MMIO ?
			    run->mmio.phys_addr : 0ULL);
		memcpy(&value, run->mmio.data, sizeof(value));
		switch ((enum report)(run->mmio.phys_addr & 0xfff)) {
		case REPORT_RESULT:
			status = value ? EXIT_MISMATCH : EXIT_OK;
			say(value ? "{\"result\":\"mismatch\"}" :
				    "{\"result\":\"ok\"}");
			break;
		case REPORT_HOLDING:
			if (opt->split)
				vm_set_memory(vm, 0, ram, opt->ram_ipa,
					      opt->ram_size,
					      KVM_MEM_LOG_DIRTY_PAGES);
			say("holding");
			break;
		case REPORT_OFF:
			return status;
		case REPORT_BEGIN:
			begin = now_ns(CLOCK_MONOTONIC);
			break;
		case REPORT_END:
			printf("{\"accesses\":%" PRIu64 ",\"ns\":%" PRIu64
			       "}\n", opt->accesses,
			       now_ns(CLOCK_MONOTONIC) - begin);
			break;
		case REPORT_FAR:
			far = value;
			break;
		case REPORT_ELR:
			elr = value;
			break;
		case REPORT_ESR:
			printf("{\"result\":\"guest-fault\",\"esr\":%" PRIu64
			       ",\"far\":%" PRIu64 ",\"elr\":%" PRIu64 "}\n",
			       value, far, elr);
			return EXIT_FAULT;
		default:
			die(EXIT_SETUP, "the guest reported nonsense");
		}
	}
	return status;
}

/* Maps every BAR again and again, in place of itself, and runs no guest. */
static int vfio_remap(struct options *opt)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < opt->bar_count; i++)
		vfio_map_bar(&opt->bars[i]);
	while (!asked_to_end && (!opt->remap_count || count < opt->remap_count)) {
		for (unsigned int i = 0; i < opt->bar_count; i++)
			if (!vfio_mmap_bar(&opt->bars[i]))
				die(EXIT_SETUP, "%s BAR %d: mmap: errno=%d (%s)",
				    opt->bars[i].slot, opt->bars[i].index, errno,
				    strerror(errno));
		count++;
	}
	printf("{\"result\":\"remapped\",\"count\":%" PRIu64 "}\n", count);
	return EXIT_OK;
}

/* Makes VMs and ends them, one after the other, and runs no guest. */
static int make_vms(const struct options *opt)
{
	int kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "open /dev/kvm");

	for (uint64_t i = 0; i < opt->vms; i++)
		close(must(ioctl(kvm, KVM_CREATE_VM, KVM_VM_TYPE_ARM_IPA_SIZE(opt->ipa_bits)),
			   "KVM_CREATE_VM"));
	printf("{\"result\":\"made\",\"count\":%" PRIu64 "}\n", opt->vms);
	return EXIT_OK;
}

/*
 * Returns in a child with the uid, which has inherited what was mapped. Who calls waits
 * for it and ends with its status.
 */
static void hand_down(uid_t uid)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = must(fork(), "fork");
	if (!pid) {
		must(setresuid(uid, uid, uid), "setresuid");
		/* After that, which takes it away. */
		must(prctl(PR_SET_PDEATHSIG, SIGTERM), "PR_SET_PDEATHSIG");
		printf("{\"child\":%d}\n", getpid());
		fflush(stdout);
		return;
	}
	child = pid;
	if (asked_to_end)
		kill(child, SIGTERM);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die(EXIT_SETUP, "waitpid: errno=%d (%s)", errno, strerror(errno));
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SETUP);
}

/* --- options ---------------------------------------------------------- */

static const char usage[] =
"usage: minivmm [--device DDDD:BB:DD.F --bar N [--bar N]...]... [OPTION]...\n"
"  --store unaligned|aligned|none  what to do to each BAR (unaligned)\n"
"  --touch-pages N     touch N pages of RAM and of each BAR (0)\n"
"  --touch-stride N    bytes from one to the next (the host's page size)\n"
"  --accesses N        make N stores to the first BAR and say how long they\n"
"                      took: {\"accesses\":N,\"ns\":N} before the result\n"
"  --ram-mib N         guest RAM (16)\n"
"  --alias N           behind all RAM but its first 2 MiB: the same N MiB, again\n"
"                      and again, all of it mapped before the guest runs\n"
"  --ram-ipa ADDR      where, guest-physical (0x40000000)\n"
"  --backing page|thp|KIB  what RAM is made of: single pages, what huge pages\n"
"                      the host gives, or pages of so many KiB of hugetlb's pool\n"
"  --bar-ipa ADDR      where the first BAR goes (0x8000000000); the others\n"
"                      follow, each aligned to its size\n"
"  --ipa-bits N        size of the guest-physical space (40)\n"
"  --idle-vms N        make N VMs besides, which run nothing (0)\n"
"  --el2               run the guest at EL2\n"
"  --nested            run it within a guest\n"
"  --iommufd           open devices by their own files, not by their groups\n"
"  --gicv2             give the guest a GICv2, whose CPU interface KVM maps\n"
"  --inherit UID       map the BARs, fork, and run the guest in the child as UID\n"
"  --move              move each BAR's mapping elsewhere before the guest has it\n"
"  --remap N           no guest: map the BARs N more times; 0: until SIGTERM\n"
"  --vms N             no guest: make N VMs and end them\n"
"  --time              say what processor time the guest's run took, in the end:\n"
"                      {\"run_ns\":N}\n"
"  --split             once the guest holds, have KVM map its RAM in pages where\n"
"                      it was mapped in blocks\n"
"  --hold              spin after the result until SIGTERM\n"
"  --exec -- PROGRAM ARG...  no guest: become PROGRAM with the first device open\n"
"                      as descriptor 10, no BAR mapped\n"
"  -name X, -uuid X    ignored: for who looks at the command line\n";

static uint64_t number(const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		die(EXIT_USAGE, "'%s' is not a number", text);
	return value;
}

static void parse_backing(const char *text, struct options *ret)
{
	if (!strcmp(text, "page")) {
		ret->backing = BACKING_PAGE;
	} else if (!strcmp(text, "thp")) {
		ret->backing = BACKING_THP;
	} else {
		ret->backing = BACKING_HUGETLB;
		ret->hugetlb_size = number(text) << 10;
		if (!ret->hugetlb_size || ret->hugetlb_size & (ret->hugetlb_size - 1))
			die(EXIT_USAGE, "--backing: '%s' is not page, thp or a power of two",
			    text);
	}
}

static void parse(int argc, char **argv, struct options *ret)
{
	enum { DEVICE = 1, BAR, RAM_MIB, ALIAS, RAM_IPA, BAR_IPA, IPA_BITS, HOLD,
	       TIME, SPLIT, STORE, TOUCH_PAGES, TOUCH_STRIDE, ACCESSES, GICV2,
	       REMAP, VMS, INHERIT, MOVE, EXEC, IOMMUFD, BACKING, EL2, NESTED, IDLE_VMS,
	       IGNORED };
	static const struct option table[] = {
		{ "device", required_argument, NULL, DEVICE },
		{ "bar", required_argument, NULL, BAR },
		{ "ram-mib", required_argument, NULL, RAM_MIB },
		{ "alias", required_argument, NULL, ALIAS },
		{ "ram-ipa", required_argument, NULL, RAM_IPA },
		{ "backing", required_argument, NULL, BACKING },
		{ "bar-ipa", required_argument, NULL, BAR_IPA },
		{ "ipa-bits", required_argument, NULL, IPA_BITS },
		{ "hold", no_argument, NULL, HOLD },
		{ "time", no_argument, NULL, TIME },
		{ "split", no_argument, NULL, SPLIT },
		{ "inherit", required_argument, NULL, INHERIT },
		{ "move", no_argument, NULL, MOVE },
		{ "remap", required_argument, NULL, REMAP },
		{ "vms", required_argument, NULL, VMS },
		{ "el2", no_argument, NULL, EL2 },
		{ "nested", no_argument, NULL, NESTED },
		{ "gicv2", no_argument, NULL, GICV2 },
		{ "iommufd", no_argument, NULL, IOMMUFD },
		{ "exec", no_argument, NULL, EXEC },
		{ "idle-vms", required_argument, NULL, IDLE_VMS },
		{ "store", required_argument, NULL, STORE },
		{ "touch-pages", required_argument, NULL, TOUCH_PAGES },
		{ "touch-stride", required_argument, NULL, TOUCH_STRIDE },
		{ "accesses", required_argument, NULL, ACCESSES },
		{ "name", required_argument, NULL, IGNORED },
		{ "uuid", required_argument, NULL, IGNORED },
		{ NULL, 0, NULL, 0 },
	};
	const char *device = NULL;
	bool device_used = true;
	struct bar *bar;
	int option;

	*ret = (struct options){
		.ram_ipa = 0x40000000,
		.ram_size = 16 * MIB,
		.bar_ipa = 0x8000000000,
		.ipa_bits = 40,
		.touch_stride = sysconf(_SC_PAGESIZE),
		.store_offset = 0x1001,
	};
	while ((option = getopt_long_only(argc, argv, "", table, NULL)) != -1) {
		switch (option) {
		case DEVICE:
			if (!device_used)
				die(EXIT_USAGE, "%s has no --bar", device);
			device = optarg;
			device_used = false;
			if (strlen(device) >= sizeof(bar->slot) ||
			    strchr(device, '/'))
				die(EXIT_USAGE, "'%s' is not DDDD:BB:DD.F",
				    device);
			break;
		case BAR:
			if (!device)
				die(EXIT_USAGE, "--bar without --device");
			if (ret->bar_count == MAX_BARS)
				die(EXIT_USAGE, "more than %d BARs", MAX_BARS);
			bar = &ret->bars[ret->bar_count++];
			strcpy(bar->slot, device);
			bar->index = number(optarg);
			if (bar->index < 0 || bar->index > 5)
				die(EXIT_USAGE, "'%s' is not a BAR (0 to 5)",
				    optarg);
			device_used = true;
			break;
		case RAM_MIB:
			ret->ram_size = number(optarg) * MIB;
			if (ret->ram_size < MIN_RAM_MIB * MIB)
				die(EXIT_USAGE, "--ram-mib: %d or more",
				    MIN_RAM_MIB);
			break;
		case ALIAS:
			ret->alias = number(optarg) * MIB;
			if (!ret->alias || ret->alias % BLOCK)
				die(EXIT_USAGE, "--alias: not a multiple of "
				    "2 MiB");
			break;
		case RAM_IPA:
			ret->ram_ipa = number(optarg);
			if (ret->ram_ipa % BLOCK)
				die(EXIT_USAGE, "--ram-ipa: not a multiple of "
				    "2 MiB");
			break;
		case BACKING:
			parse_backing(optarg, ret);
			break;
		case BAR_IPA:
			ret->bar_ipa = number(optarg);
			break;
		case IPA_BITS:
			ret->ipa_bits = number(optarg);
			if (ret->ipa_bits < 32 || ret->ipa_bits > 52)
				die(EXIT_USAGE, "--ipa-bits: 32 to 52");
			break;
		case HOLD:
			ret->hold = true;
			break;
		case TIME:
			ret->time = true;
			break;
		case SPLIT:
			ret->split = true;
			break;
		case INHERIT:
			ret->inherit = true;
			ret->uid = number(optarg);
			break;
		case MOVE:
			ret->move = true;
			break;
		case REMAP:
			ret->remap = true;
			ret->remap_count = number(optarg);
			break;
		case IDLE_VMS:
			ret->idle_vms = number(optarg);
			break;
		case VMS:
			ret->vms = number(optarg);
			break;
		case EL2:
			ret->level = LEVEL_EL2;
			break;
		case NESTED:
			ret->level = LEVEL_NESTED;
			break;
		case GICV2:
			ret->gicv2 = true;
			break;
		case IOMMUFD:
			vfio_use_iommufd = true;
			break;
		case EXEC:
			ret->exec = argv;
			break;
		case STORE:
			if (!strcmp(optarg, "unaligned"))
				ret->store_offset = 0x1001;
			else if (!strcmp(optarg, "aligned"))
				ret->store_offset = 0x1000;
			else if (!strcmp(optarg, "none"))
				ret->store_offset = 0;
			else
				die(EXIT_USAGE, "--store: '%s' is not "
				    "unaligned, aligned or none", optarg);
			break;
		case TOUCH_PAGES:
			ret->touch_pages = number(optarg);
			break;
		case ACCESSES:
			ret->accesses = number(optarg);
			break;
		case TOUCH_STRIDE:
			ret->touch_stride = number(optarg);
			if (!ret->touch_stride || ret->touch_stride % 8)
				die(EXIT_USAGE, "--touch-stride: not a "
				    "multiple of 8");
			break;
		case IGNORED:
			break;
		default:
			fputs(usage, stderr);
			exit(EXIT_USAGE);
		}
	}
	if (ret->accesses && !ret->bar_count)
		die(EXIT_USAGE, "--accesses without a --device");
	if (ret->exec && (optind == argc || !ret->bar_count))
		die(EXIT_USAGE, "--exec without a device or a program");
	if (ret->exec)
		ret->exec = argv + optind;
	else if (optind < argc)
		device_used = false;
	if (!device_used) {
		fputs(usage, stderr);
		exit(EXIT_USAGE);
	}
}

static void check_range(const char *what, uint64_t start, uint64_t size,
			unsigned int ipa_bits)
{
	if (start + size > 1ULL << ipa_bits || start + size < start)
		die(EXIT_USAGE, "%s 0x%" PRIx64 "+0x%" PRIx64
		    " does not fit in %u bits", what, start, size, ipa_bits);
	if (start < REPORT_IPA + BLOCK && REPORT_IPA < start + size)
		die(EXIT_USAGE, "%s covers 0x%llx, where the guest reports",
		    what, REPORT_IPA);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct tables s1 = { .next = OFF_TABLES + 0x1000, .end = OFF_TABLES_END };
	struct tables s2 = { .next = OFF_NESTED + 0x1000, .end = OFF_NESTED_END };
	struct options opt;
	struct params *params;
	int kvm, vm, vcpu, run_size, status;
	uint64_t ipa, begin;
	char *ram;

	parse(argc, argv, &opt);
	if (opt.exec) {
		must(dup2(vfio_device(opt.bars[0].slot), EXEC_FD), "dup2");
		execvp(opt.exec[0], opt.exec);
		die(EXIT_SETUP, "%s: errno=%d (%s)", opt.exec[0], errno,
		    strerror(errno));
	}
	check_range("RAM", opt.ram_ipa, opt.ram_size, opt.ipa_bits);
	must(sigaction(SIGTERM, &action, NULL), "sigaction SIGTERM");
	must(sigaction(SIGINT, &action, NULL), "sigaction SIGINT");
	if (opt.remap)
		return vfio_remap(&opt);
	if (opt.vms)
		return make_vms(&opt);

	kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "open /dev/kvm");
	if (opt.inherit) {
		for (unsigned int i = 0; i < opt.bar_count; i++)
			vfio_map_bar(&opt.bars[i]);
		hand_down(opt.uid);
	}
	run_size = must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
			"KVM_GET_VCPU_MMAP_SIZE");
	vm = must(ioctl(kvm, KVM_CREATE_VM,
			KVM_VM_TYPE_ARM_IPA_SIZE(opt.ipa_bits)),
		  "KVM_CREATE_VM");

	for (unsigned int i = 0; i < opt.idle_vms; i++)
		must(ioctl(kvm, KVM_CREATE_VM, KVM_VM_TYPE_ARM_IPA_SIZE(opt.ipa_bits)),
		     "KVM_CREATE_VM");

	ram = map_ram(&opt);
	if (opt.split)
		vm_prepare_split(vm);
	vm_add_memory(vm, 0, ram, opt.ram_ipa, opt.ram_size);

	memcpy(ram + OFF_CODE, guest_start, guest_end - guest_start);
	params = (struct params *)(ram + OFF_PARAMS);
	*params = (struct params){
		.report = REPORT_IPA,
		.store_offset = opt.store_offset,
		.touch_pages = opt.touch_pages,
		.touch_stride = opt.touch_stride,
		.touch_ram = opt.touch_pages ? opt.ram_ipa + OFF_TOUCH : 0,
		.touch_ram_end = opt.ram_ipa + opt.ram_size,
		.hold = opt.hold,
		.bar_count = opt.bar_count,
		.accesses = opt.accesses,
	};

	s1.ram = s2.ram = ram;
	s1.ram_ipa = s2.ram_ipa = opt.ram_ipa;
	stage1_map(&s1, opt.ram_ipa, opt.ram_size, ATTR_WB);
	stage1_map(&s1, REPORT_IPA, 0x1000, ATTR_DEVICE);
	if (opt.level == LEVEL_NESTED) {
		nested_map(&s2, opt.ram_ipa, opt.ram_size);
		nested_map(&s2, REPORT_IPA, 0x1000);
	}
	ipa = opt.bar_ipa;
	for (unsigned int i = 0; i < opt.bar_count; i++) {
		struct bar *bar = &opt.bars[i];

		if (!opt.inherit)
			vfio_map_bar(bar);
		if (opt.move)
			vfio_move_bar(bar);
		if (bar->size < 0x1001 + sizeof(uint64_t) &&
		    (opt.store_offset || opt.accesses))
			die(EXIT_USAGE, "%s BAR %d is too small for a store",
			    bar->slot, bar->index);
		bar->ipa = round_up(ipa, bar->size > BLOCK ? bar->size : BLOCK);
		ipa = bar->ipa + bar->size;
		check_range("BAR", bar->ipa, bar->size, opt.ipa_bits);
		if (bar->memory)
			vm_add_memory(vm, i + 1, bar->memory, bar->ipa,
				      bar->size);
		stage1_map(&s1, bar->ipa, bar->size, ATTR_NC);
		if (opt.level == LEVEL_NESTED)
			nested_map(&s2, bar->ipa, bar->size);
		params->bars[i].ipa = bar->ipa;
		params->bars[i].size = bar->size;
	}

	vcpu = vcpu_create(vm, opt.ram_ipa, opt.level);
	if (opt.gicv2)
		gic_create(vm, 2);
	else if (opt.level != LEVEL_EL1)
		gic_create(vm, 3);
	run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die(EXIT_SETUP, "mmap of the vCPU: errno=%d (%s)", errno,
		    strerror(errno));
	begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	status = vcpu_run(vm, vcpu, ram, &opt);
	if (opt.time)
		printf("{\"run_ns\":%" PRIu64 "}\n",
		       now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin);
	return status;
}
