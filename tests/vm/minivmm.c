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
 * With --remap there is no guest: {"result":"remapped","count":N} says how often
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
#include <linux/vfio.h>
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
#include <time.h>
#include <unistd.h>

#define MAX_BARS	16
#define MAX_GROUPS	16
#define MIB		(1ULL << 20)
#define BLOCK		(2 * MIB)	/* stage-1 level 2 block, 4 KiB granule */

/* Guest RAM, as offsets from its start. */
#define OFF_CODE	0x0
#define OFF_PARAMS	0x10000
#define OFF_TABLES	0x20000
#define OFF_TABLES_END	BLOCK
#define OFF_TOUCH	BLOCK
#define MIN_RAM_MIB	4

#define EXEC_FD		10

/* A guest-physical page with nothing behind it: the guest's reports. */
#define REPORT_IPA	0x09000000ULL
enum report {
	REPORT_RESULT	= 0x00,		/* 0 equal, 1 not */
	REPORT_HOLDING	= 0x08,
	REPORT_OFF	= 0x10,
	REPORT_FAR	= 0x18,		/* these two come before ESR */
	REPORT_ELR	= 0x20,
	REPORT_ESR	= 0x28,
	REPORT_BEGIN	= 0x30,		/* around the counted accesses */
	REPORT_END	= 0x38,
};

enum {
	EXIT_OK		= 0,
	EXIT_SETUP	= 1,
	EXIT_USAGE	= 2,
	EXIT_MISMATCH	= 10,
	EXIT_FAULT	= 11,
	EXIT_KVM	= 12,
};

/* What the guest reads; its code below knows the offsets. */
struct params {
	uint64_t report;	/* 0x00 */
	uint64_t store_offset;	/* 0x08: within each BAR; 0 is "no store" */
	uint64_t touch_pages;	/* 0x10 */
	uint64_t touch_stride;	/* 0x18 */
	uint64_t touch_ram;	/* 0x20: address, 0 is "no touching" */
	uint64_t touch_ram_end;	/* 0x28 */
	uint64_t hold;		/* 0x30 */
	uint64_t bar_count;	/* 0x38 */
	uint64_t accesses;	/* 0x40 */
	uint64_t zero;
	struct {
		uint64_t ipa;
		uint64_t size;
	} bars[MAX_BARS];	/* 0x50 */
};
_Static_assert(offsetof(struct params, hold) == 0x30, "guest code");
_Static_assert(offsetof(struct params, bars) == 0x50, "guest code");

/*
 * The guest. x0 is the address of the parameters from the start on; the
 * vectors use it as well. Every exception, from whatever level, comes to the
 * same report. The labels are global because the linker does not tell local
 * ones of one section apart in the GOT.
 */
#define GUEST_SYMBOL	extern const char __attribute__((visibility("hidden")))
GUEST_SYMBOL guest_start[];
GUEST_SYMBOL guest_entry[];
GUEST_SYMBOL guest_end[];
__asm__(
"	.pushsection .rodata.guest, \"a\"\n"
"	.globl	guest_start, guest_entry, guest_end\n"
"	.balign	2048\n"
"guest_start:\n"
"	.rept	16\n"
"	b	guest_vector\n"
"	.balign	128\n"
"	.endr\n"
"guest_entry:\n"
"	ldr	x20, [x0, #0x00]\n"	/* report */
"	ldr	x2, [x0, #0x10]\n"	/* pages left to touch */
"	ldr	x3, [x0, #0x18]\n"	/* stride */
"	ldr	x4, [x0, #0x20]\n"
"	ldr	x5, [x0, #0x28]\n"
"	cbz	x4, 2f\n"
"1:	cbz	x2, 2f\n"		/* RAM: store */
"	cmp	x4, x5\n"
"	b.hs	2f\n"
"	str	x2, [x4]\n"
"	add	x4, x4, x3\n"
"	sub	x2, x2, #1\n"
"	b	1b\n"
"2:	add	x6, x0, #0x50\n"	/* BARs: load only */
"	ldr	x7, [x0, #0x38]\n"
"3:	cbz	x7, 6f\n"
"	ldr	x2, [x0, #0x10]\n"
"	ldp	x4, x5, [x6], #16\n"
"	add	x5, x5, x4\n"
"4:	cbz	x2, 5f\n"
"	cmp	x4, x5\n"
"	b.hs	5f\n"
"	ldr	x8, [x4]\n"
"	add	x4, x4, x3\n"
"	sub	x2, x2, #1\n"
"	b	4b\n"
"5:	sub	x7, x7, #1\n"
"	b	3b\n"
"6:	ldr	x2, [x0, #0x40]\n"	/* counted stores to the first BAR */
"	cbz	x2, 13f\n"
"	ldr	x4, [x0, #0x50]\n"
"	str	x2, [x4, #0x1000]\n"	/* the one that maps it */
"	dsb	sy\n"
"	str	x2, [x20, #0x30]\n"	/* REPORT_BEGIN */
"12:	str	x2, [x4, #0x1000]\n"
"	sub	x2, x2, #1\n"
"	cbnz	x2, 12b\n"
"	dsb	sy\n"
"	str	x2, [x20, #0x38]\n"	/* REPORT_END */
"13:	mov	x10, #0\n"		/* result */
"	ldr	x1, [x0, #0x08]\n"
"	cbz	x1, 9f\n"
"	add	x6, x0, #0x50\n"
"	ldr	x7, [x0, #0x38]\n"
"	ldr	x8, =0x1122334455667788\n"
"7:	cbz	x7, 9f\n"
"	ldp	x4, x5, [x6], #16\n"
"	add	x4, x4, x1\n"
"	add	x8, x8, x7\n"		/* another value for each BAR */
"	str	x8, [x4]\n"
"	dsb	sy\n"
"	ldr	x9, [x4]\n"
"	cmp	x8, x9\n"
"	b.eq	8f\n"
"	mov	x10, #1\n"
"8:	sub	x7, x7, #1\n"
"	b	7b\n"
"9:	str	x10, [x20, #0x00]\n"	/* REPORT_RESULT */
"	ldr	x1, [x0, #0x30]\n"
"	cbz	x1, 11f\n"
"	str	x1, [x20, #0x08]\n"	/* REPORT_HOLDING */
"10:	nop\n"
"	b	10b\n"
"11:	str	x1, [x20, #0x10]\n"	/* REPORT_OFF */
"	b	11b\n"
"guest_vector:\n"
"	ldr	x20, [x0, #0x00]\n"
"	mrs	x1, far_el1\n"
"	str	x1, [x20, #0x18]\n"	/* REPORT_FAR */
"	mrs	x1, elr_el1\n"
"	str	x1, [x20, #0x20]\n"	/* REPORT_ELR */
"	mrs	x1, esr_el1\n"
"	str	x1, [x20, #0x28]\n"	/* REPORT_ESR */
"	b	11b\n"
"	.ltorg\n"
"guest_end:\n"
"	.popsection\n");

struct bar {
	char slot[16];		/* DDDD:BB:DD.F */
	int index;
	void *memory;		/* NULL: trapped */
	int fd;			/* of the device */
	uint64_t offset;	/* of the BAR in it */
	uint64_t size;		/* of the mapping, whole host pages */
	uint64_t ipa;
};

struct options {
	struct bar bars[MAX_BARS];
	unsigned int bar_count;
	uint64_t ram_ipa, ram_size, bar_ipa;
	uint64_t touch_pages, touch_stride;
	uint64_t store_offset;
	uint64_t accesses;
	uint64_t alias;		/* bytes; 0: RAM is memory of its own */
	unsigned int ipa_bits;
	bool remap;
	uint64_t remap_count;	/* 0: until asked to end */
	bool hold;
	bool time;
	bool split;
	bool gicv2;
	char **exec;		/* NULL: run a guest */
};

static struct kvm_run *run;
static volatile sig_atomic_t asked_to_end;

__attribute__((noreturn, format(printf, 2, 3)))
static void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("minivmm: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(status);
}

/* For a system call that must not fail. */
static int must(int result, const char *what)
{
	if (result < 0)
		die(EXIT_SETUP, "%s: errno=%d (%s)", what, errno,
		    strerror(errno));
	return result;
}

/* KVM_RUN returns at once when immediate_exit is set, so no signal is lost. */
static void on_signal(int signal)
{
	(void)signal;
	asked_to_end = 1;
	if (run)
		run->immediate_exit = 1;
}

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

/*
 * Address space of `size` bytes, aligned so that host and guest-physical
 * addresses agree in their low bits and KVM may use block mappings. The
 * caller maps over it.
 */
static void *reserve(uint64_t size)
{
	char *space = mmap(NULL, size + BLOCK, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (space == MAP_FAILED)
		die(EXIT_SETUP, "mmap of %" PRIu64 " bytes: errno=%d (%s)",
		    size, errno, strerror(errno));
	return (char *)round_up((uintptr_t)space, BLOCK);
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

/* --- VFIO ------------------------------------------------------------- */

static int vfio_container(void)
{
	static int container = -1;

	if (container >= 0)
		return container;
	container = must(open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC),
			 "open /dev/vfio/vfio");
	if (ioctl(container, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
		die(EXIT_SETUP, "VFIO_GET_API_VERSION: unknown version");
	return container;
}

/* The group's descriptor, opened and in the container. */
static int vfio_group(const char *slot)
{
	static struct {
		int number, fd;
	} groups[MAX_GROUPS];
	static unsigned int count;
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int container = vfio_container();
	char path[96], target[256];
	const char *base;
	ssize_t length;
	int number, fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 slot);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		die(EXIT_SETUP, "readlink %s: errno=%d (%s)", path, errno,
		    strerror(errno));
	target[length] = '\0';
	base = strrchr(target, '/');
	number = atoi(base ? base + 1 : target);
	for (unsigned int i = 0; i < count; i++)
		if (groups[i].number == number)
			return groups[i].fd;
	if (count == MAX_GROUPS)
		die(EXIT_SETUP, "more than %d groups", MAX_GROUPS);

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	fd = must(open(path, O_RDWR | O_CLOEXEC), path);
	must(ioctl(fd, VFIO_GROUP_GET_STATUS, &status),
	     "VFIO_GROUP_GET_STATUS");
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		die(EXIT_SETUP, "group %d of %s is not viable: not all of its "
		    "devices are bound to vfio-pci", number, slot);
	must(ioctl(fd, VFIO_GROUP_SET_CONTAINER, &container),
	     "VFIO_GROUP_SET_CONTAINER");
	if (!count)
		must(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU),
		     "VFIO_SET_IOMMU type1v2");
	groups[count].number = number;
	groups[count++].fd = fd;
	return fd;
}

/* The device's descriptor, with memory decoding switched on. */
static int vfio_device(const char *slot)
{
	static struct {
		char slot[16];
		int fd;
	} devices[MAX_BARS];
	static unsigned int count;
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command;
	int fd;

	for (unsigned int i = 0; i < count; i++)
		if (!strcmp(devices[i].slot, slot))
			return devices[i].fd;
	fd = must(ioctl(vfio_group(slot), VFIO_GROUP_GET_DEVICE_FD, slot),
		  "VFIO_GROUP_GET_DEVICE_FD");
	must(ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &config),
	     "VFIO_DEVICE_GET_REGION_INFO of the configuration space");
	/* PCI: the command register is at 4, bit 1 is memory decoding. */
	if (pread(fd, &command, 2, config.offset + 4) != 2)
		die(EXIT_SETUP, "pread of the PCI command register: errno=%d",
		    errno);
	command |= 1 << 1;
	if (pwrite(fd, &command, 2, config.offset + 4) != 2)
		die(EXIT_SETUP, "pwrite of the PCI command register: errno=%d",
		    errno);
	strcpy(devices[count].slot, slot);
	devices[count++].fd = fd;
	return fd;
}

/* Maps the BAR at its place in this process; false when that is refused. */
static bool vfio_mmap_bar(struct bar *bar)
{
	return mmap(bar->memory, bar->size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, bar->fd, bar->offset) != MAP_FAILED;
}

static void vfio_map_bar(struct bar *bar)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_BAR0_REGION_INDEX + bar->index,
	};

	bar->fd = vfio_device(bar->slot);
	must(ioctl(bar->fd, VFIO_DEVICE_GET_REGION_INFO, &info),
	     "VFIO_DEVICE_GET_REGION_INFO");
	if (!info.size)
		die(EXIT_SETUP, "%s has no BAR %d", bar->slot, bar->index);
	bar->offset = info.offset;
	bar->size = round_up(info.size, sysconf(_SC_PAGESIZE));
	bar->memory = reserve(bar->size);
	if (!vfio_mmap_bar(bar)) {
		printf("{\"trapped\":\"%s\",\"bar\":%d,\"errno\":%d}\n",
		       bar->slot, bar->index, errno);
		bar->memory = NULL;
	}
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

/* --- the guest's stage 1 ---------------------------------------------- */

/*
 * Descriptors and registers by the Arm ARM, DDI 0487, D8.3 and the registers'
 * pages: bit 0 valid, bit 1 table, AttrIndx [4:2], SH [9:8], AF bit 10.
 */
#define PTE_VALID	(1ULL << 0)
#define PTE_TABLE	(1ULL << 1)
#define PTE_ATTR(index)	((uint64_t)(index) << 2)
#define PTE_INNER	(3ULL << 8)
#define PTE_AF		(1ULL << 10)
#define ATTR_WB		0
#define ATTR_NC		1
#define ATTR_DEVICE	2
#define MAIR		(0xffULL | 0x44ULL << 8 | 0x00ULL << 16)

/* T0SZ 16 (48 bits), Write-Back inner shareable walks, EPD1, IPS 48 bits. */
#define TCR		(16ULL | 1ULL << 8 | 1ULL << 10 | 3ULL << 12 | \
			 1ULL << 23 | 5ULL << 32)
/* The bits that are RES1 without later extensions, and I, C, M. */
#define SCTLR		(0x30d00800ULL | 1ULL << 12 | 1ULL << 2 | 1ULL << 0)

struct stage1 {
	char *ram;
	uint64_t ram_ipa;
	uint64_t next;		/* offset of the next free table page */
};

static uint64_t *stage1_table(struct stage1 *s1, uint64_t *entry)
{
	if (!(*entry & PTE_VALID)) {
		if (s1->next >= OFF_TABLES_END)
			die(EXIT_SETUP, "no room for the guest's page tables");
		*entry = (s1->ram_ipa + s1->next) | PTE_TABLE | PTE_VALID;
		s1->next += 0x1000;
	}
	return (uint64_t *)(s1->ram + (*entry & 0xfffffffff000ULL) -
			    s1->ram_ipa);
}

/* Maps [ipa, ipa + size) to itself, in blocks of 2 MiB. */
static void stage1_map(struct stage1 *s1, uint64_t ipa, uint64_t size,
		       int attr)
{
	uint64_t end = ipa + size;

	for (ipa &= ~(BLOCK - 1); ipa < end; ipa += BLOCK) {
		uint64_t *table = (uint64_t *)(s1->ram + OFF_TABLES);

		table = stage1_table(s1, &table[ipa >> 39 & 511]);
		table = stage1_table(s1, &table[ipa >> 30 & 511]);
		table[ipa >> 21 & 511] = ipa | PTE_AF | PTE_INNER |
					 PTE_ATTR(attr) | PTE_VALID;
	}
}

/* --- KVM -------------------------------------------------------------- */

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

static int vcpu_create(int vm, uint64_t ram_ipa)
{
	struct kvm_vcpu_init init;
	int vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");

	must(ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init),
	     "KVM_ARM_PREFERRED_TARGET");
	must(ioctl(vcpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
	vcpu_set(vcpu, ARM64_SYS_REG(3, 0, 10, 2, 0), MAIR);	/* MAIR_EL1 */
	vcpu_set(vcpu, ARM64_SYS_REG(3, 0, 2, 0, 2), TCR);	/* TCR_EL1 */
	vcpu_set(vcpu, ARM64_SYS_REG(3, 0, 2, 0, 0),		/* TTBR0_EL1 */
		 ram_ipa + OFF_TABLES);
	vcpu_set(vcpu, ARM64_SYS_REG(3, 0, 12, 0, 0),		/* VBAR_EL1 */
		 ram_ipa + OFF_CODE);
	vcpu_set(vcpu, ARM64_SYS_REG(3, 0, 1, 0, 0), SCTLR);	/* SCTLR_EL1 */
	vcpu_set(vcpu, CORE_REG(regs.regs[0]), ram_ipa + OFF_PARAMS);
	vcpu_set(vcpu, CORE_REG(regs.pc),
		 ram_ipa + OFF_CODE + (guest_entry - guest_start));
	return vcpu;
}

/*
 * An in-kernel GICv2 at the addresses of QEMU's virt board. At the vCPU's first
 * run KVM maps the host's virtual CPU interface at GICV2_CPU.
 */
#define GICV2_DIST 0x08000000ULL
#define GICV2_CPU 0x08010000ULL

static void gicv2_create(int vm)
{
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_ARM_VGIC_V2 };
	uint64_t address;
	struct kvm_device_attr attr = { .addr = (uintptr_t)&address };

	must(ioctl(vm, KVM_CREATE_DEVICE, &device), "KVM_CREATE_DEVICE (GICv2)");
	attr.group = KVM_DEV_ARM_VGIC_GRP_ADDR;
	attr.attr = KVM_VGIC_V2_ADDR_TYPE_DIST;
	address = GICV2_DIST;
	must(ioctl(device.fd, KVM_SET_DEVICE_ATTR, &attr), "GICv2 distributor");
	attr.attr = KVM_VGIC_V2_ADDR_TYPE_CPU;
	address = GICV2_CPU;
	must(ioctl(device.fd, KVM_SET_DEVICE_ATTR, &attr), "GICv2 CPU interface");
	attr = (struct kvm_device_attr){
		.group = KVM_DEV_ARM_VGIC_GRP_CTRL,
		.attr = KVM_DEV_ARM_VGIC_CTRL_INIT,
	};
	must(ioctl(device.fd, KVM_SET_DEVICE_ATTR, &attr), "GICv2 init");
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
"  --bar-ipa ADDR      where the first BAR goes (0x8000000000); the others\n"
"                      follow, each aligned to its size\n"
"  --ipa-bits N        size of the guest-physical space (40)\n"
"  --gicv2             give the guest a GICv2, whose CPU interface KVM maps\n"
"  --remap N           no guest: map the BARs N more times; 0: until SIGTERM\n"
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

static void parse(int argc, char **argv, struct options *ret)
{
	enum { DEVICE = 1, BAR, RAM_MIB, ALIAS, RAM_IPA, BAR_IPA, IPA_BITS, HOLD, TIME,
	       SPLIT, STORE, TOUCH_PAGES, TOUCH_STRIDE, ACCESSES, GICV2, REMAP,
	       EXEC, IGNORED };
	static const struct option table[] = {
		{ "device", required_argument, NULL, DEVICE },
		{ "bar", required_argument, NULL, BAR },
		{ "ram-mib", required_argument, NULL, RAM_MIB },
		{ "alias", required_argument, NULL, ALIAS },
		{ "ram-ipa", required_argument, NULL, RAM_IPA },
		{ "bar-ipa", required_argument, NULL, BAR_IPA },
		{ "ipa-bits", required_argument, NULL, IPA_BITS },
		{ "hold", no_argument, NULL, HOLD },
		{ "time", no_argument, NULL, TIME },
		{ "split", no_argument, NULL, SPLIT },
		{ "remap", required_argument, NULL, REMAP },
		{ "gicv2", no_argument, NULL, GICV2 },
		{ "exec", no_argument, NULL, EXEC },
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
		case BAR_IPA:
			ret->bar_ipa = number(optarg);
			break;
		case IPA_BITS:
			ret->ipa_bits = number(optarg);
			if (ret->ipa_bits < 32 || ret->ipa_bits > 48)
				die(EXIT_USAGE, "--ipa-bits: 32 to 48");
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
		case REMAP:
			ret->remap = true;
			ret->remap_count = number(optarg);
			break;
		case GICV2:
			ret->gicv2 = true;
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
	struct stage1 s1 = { .next = OFF_TABLES + 0x1000 };
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

	kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "open /dev/kvm");
	run_size = must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
			"KVM_GET_VCPU_MMAP_SIZE");
	vm = must(ioctl(kvm, KVM_CREATE_VM,
			KVM_VM_TYPE_ARM_IPA_SIZE(opt.ipa_bits)),
		  "KVM_CREATE_VM");

	ram = mmap(reserve(opt.ram_size), opt.ram_size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (ram == MAP_FAILED)
		die(EXIT_SETUP, "mmap of guest RAM: errno=%d (%s)", errno,
		    strerror(errno));
	if (opt.alias)
		alias(ram, opt.ram_size, opt.alias);
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

	s1.ram = ram;
	s1.ram_ipa = opt.ram_ipa;
	stage1_map(&s1, opt.ram_ipa, opt.ram_size, ATTR_WB);
	stage1_map(&s1, REPORT_IPA, 0x1000, ATTR_DEVICE);
	ipa = opt.bar_ipa;
	for (unsigned int i = 0; i < opt.bar_count; i++) {
		struct bar *bar = &opt.bars[i];

		vfio_map_bar(bar);
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
		params->bars[i].ipa = bar->ipa;
		params->bars[i].size = bar->size;
	}

	vcpu = vcpu_create(vm, opt.ram_ipa);
	if (opt.gicv2)
		gicv2_create(vm);
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
