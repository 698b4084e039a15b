/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What BPF and user space say to each other: the compiled policy, the events,
 * the counters and the walk's requests. The one shared header; it needs only
 * fixed-width types, so it compiles against vmlinux.h, against <linux/types.h>
 * and natively in unit tests.
 *
 * Every structure here is part of the pinned state. A change of any of them
 * raises NCG_LAYOUT, and a daemon that finds pins of another layout refuses
 * them instead of reading them wrong.
 */
#ifndef NCGATE_ABI_H
#define NCGATE_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define NCG_LAYOUT 5

#define NCG_PATH_LEN 64 /* policy file names in events, NUL included */
#define NCG_COMM_LEN 16 /* TASK_COMM_LEN */
#define NCG_SHA256_LEN 32

/* ------------------------------------------------------------ memory types */

/*
 * What a stage-2 leaf allows, from its MemAttr field: Arm ARM (DDI 0487),
 * "Stage 2 memory type and Cacheability attributes". NCG_MT_OTHER is every
 * encoding that KVM does not use (mixed inner and outer, reserved).
 */
enum ncg_memtype {
	NCG_MT_NORMAL_WB,
	NCG_MT_NORMAL_NC,
	NCG_MT_NORMAL_WT,
	NCG_MT_DEVICE_nGnRnE,
	NCG_MT_DEVICE_nGnRE,
	NCG_MT_DEVICE_nGRE,
	NCG_MT_DEVICE_GRE,
	NCG_MT_OTHER,
	NCG_MT_NR,
};

/* ------------------------------------------------------------------ policy */

enum ncg_verdict {
	NCG_VERDICT_NONE,  /* no policy loaded: abstain */
	NCG_VERDICT_ALLOW, /* Normal-NC may be mapped */
	NCG_VERDICT_DENY,  /* Device-nGnRE only */
	NCG_VERDICT_NR,
};

enum ncg_reason {
	NCG_REASON_NO_POLICY, /* nothing loaded: the kernel's default holds */
	NCG_REASON_RULE,
	NCG_REASON_DEFAULT, /* no rule matched: the policy's `default` */
	NCG_REASON_NR,
};

enum ncg_mode {
	NCG_MODE_AUDIT, /* decide, record, abstain */
	NCG_MODE_ENFORCE,
	NCG_MODE_NR,
};

/* What becomes of a denied device where vfio-pci-core has no hook. */
enum ncg_without_hook {
	NCG_WITHOUT_HOOK_AUDIT, /* it is recorded */
	NCG_WITHOUT_HOOK_TRAP,  /* its BAR mmaps are refused */
	NCG_WITHOUT_HOOK_NR,
};

enum ncg_grade {
	NCG_GRADE_NONE, /* decided and recorded only */
	NCG_GRADE_TRAP, /* BAR mmap refused, the VMM traps accesses */
	NCG_GRADE_HOOK, /* vfio_pci_uncached_policy() answered */
	NCG_GRADE_NR,
};

/*
 * All that a rule can match, as one value of whole 64-bit words. A rule is a
 * value and a mask; rules with the same mask share one hash look-up. In a mask
 * every bit that counts is 1, so the value is ANDed with it word by word. A new
 * kind of match is a new member here and nothing else in the decider.
 */
struct ncg_tuple {
	__u16 vendor;
	__u16 device;
	__u16 subvendor;
	__u16 subdevice;
	__u32 class_code; /* base, sub, interface: bits 23..0 */
	__u32 bar;        /* region index, 0 to 5 */
	__u32 domain;
	__u8 bus;
	__u8 devfn; /* PCI_DEVFN(): slot 7..3, function 2..0 */
	__u16 zero; /* keeps the words whole; always 0 */
	__u64 uid;  /* of the task that maps, in the initial user namespace */
	/*
	 * Which of the cgroups that rules name the task is in: the deepest one's
	 * code. Each level of folders has bits of its own, the topmost the highest,
	 * and there the folder's number among its siblings, from 1; so the codes of
	 * all its ancestors are this one under shorter masks. Set by the decider.
	 */
	__u64 cgroup;
};

#define NCG_TUPLE_WORDS (sizeof(struct ncg_tuple) / sizeof(__u64))

/*
 * One compiled policy is one array of elements of one size, so that one pointer
 * swap replaces it whole and a look-up is an indexed load. In this order:
 *   the head
 *   head.masks masks, by the first rule that has them
 *   head.files names of policy files
 *   head.slots slots of a hash table, where each key is in one of two places
 */
struct ncg_phead {
	__u64 generation; /* 1 for the first policy ever loaded, then rising */
	__u32 masks;
	__u32 rules; /* in the table; each BAR of a list is one */
	__u32 slots;
	__u32 first_slot; /* index of the first */
	__u32 seed;       /* of the table's hash */
	__u8 mode;         /* enum ncg_mode */
	__u8 fallback;     /* the `default` line: enum ncg_verdict */
	__u8 without_hook; /* enum ncg_without_hook */
	__u8 cgroups;      /* 1: some rule names a cgroup */
	__u8 sha256[NCG_SHA256_LEN]; /* of the policy's text, files in order read */
};

struct ncg_pmask {
	struct ncg_tuple bits;
	__u32 first_order; /* no rule under this mask stands before it */
	__u32 zero[5];
};

/*
 * What the table is searched by: a tuple under the mask of that number, or a part
 * of a folder's name among the children of a node, which is a cgroup or a part of
 * a name itself. Names are cut into parts of NCG_NAME_PART_LEN bytes, zero-filled;
 * one that is shorter, or empty, ends the name. Nothing is cut off, so names are
 * compared whole however long they are.
 */
#define NCG_SPACE_MASK(number) (1U + (number))
#define NCG_SPACE_NODE(number) (1U << 31 | (number)) /* 0: the root cgroup */
#define NCG_NAME_PART_LEN (sizeof(struct ncg_tuple) - 1)

struct ncg_pkey {
	union {
		struct ncg_tuple tuple;
		char part[sizeof(struct ncg_tuple)];
	};
	__u32 space; /* 0: the slot is empty */
	__u32 zero;
};

#define NCG_PKEY_WORDS (sizeof(struct ncg_pkey) / sizeof(__u64))

struct ncg_prule {
	__u32 order; /* position in the policy, first is 0: the least wins */
	__u32 line;
	__u16 file;   /* its name is element 1 + head.masks + file */
	__u8 verdict; /* enum ncg_verdict */
	__u8 audit;   /* 1: the rule's verdict is recorded, and not acted on */
	__u32 zero;
};

struct ncg_pnode {
	__u64 code; /* for ncg_tuple.cgroup; 0 where a name goes on */
	__u32 node;
	__u32 zero;
};

struct ncg_pslot {
	struct ncg_pkey key;
	union {
		struct ncg_prule rule;
		struct ncg_pnode node;
	};
};

union ncg_pelement {
	struct ncg_phead head;
	struct ncg_pmask mask;
	char file[NCG_PATH_LEN];
	struct ncg_pslot slot;
};

/* The first two bound the decider's loops; a policy beyond any is refused. */
#define NCG_MASKS_MAX 64
#define NCG_CGROUP_PARTS_MAX 64 /* of the names in one path */
#define NCG_RULES_MAX 65536
#define NCG_NODES_MAX 65536
#define NCG_FILES_MAX 256

/* What was decided, and why. Names the policy by itself, not by reference. */
struct ncg_decision {
	__u64 generation;
	__u32 verdict; /* enum ncg_verdict */
	__u32 reason;  /* enum ncg_reason */
	__u32 mode;    /* enum ncg_mode */
	__u32 grade;   /* enum ncg_grade */
	__u32 line;    /* 0 unless reason is RULE */
	__u32 audit;   /* 1: the rule says `audit`, so the mode is as good as audit */
	__u8 sha256[NCG_SHA256_LEN];
	char file[NCG_PATH_LEN]; /* empty unless reason is RULE */
};

/*
 * What was last decided for a process and a BAR, for as long as the process runs: so
 * that a mapping found in its guest's tables can be told from one that nobody decided.
 */
struct ncg_decided_key {
	__u64 start_boot_ns; /* of the thread group leader, CLOCK_BOOTTIME */
	__u32 pid;	     /* thread group id, initial pid namespace */
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u16 bar;
	__u32 zero;
};

struct ncg_decided {
	__u64 generation; /* of the policy; 0: none was loaded */
	__u8 verdict;	  /* enum ncg_verdict */
	__u8 grade;	  /* enum ncg_grade */
	__u8 acts;	  /* 1: by the policy, the verdict is acted on */
	__u8 zero[5];
};

/* ------------------------------------------------------------------ events */

enum ncg_event_type {
	NCG_EVENT_DECISION = 1, /* struct ncg_event_decision */
	NCG_EVENT_BAR_MMAP,     /* struct ncg_event_bar_mmap */
	NCG_EVENT_STAGE2_FIRST, /* struct ncg_event_stage2: first map by type */
	NCG_EVENT_VM_CREATE,    /* struct ncg_event_vm */
	NCG_EVENT_VM_DESTROY,   /* struct ncg_event_vm */
	NCG_EVENT_STAGE2_CHANGE, /* struct ncg_event_stage2: the type is not that before */
};

/*
 * seq rises by one for each event, lost ones included: a jump is a loss, and
 * its size is how many.
 */
struct ncg_event {
	__u64 seq;
	__u64 boot_ns; /* CLOCK_BOOTTIME */
	__u32 type;    /* enum ncg_event_type */
	__u32 size;    /* of the whole event, in bytes */
};

struct ncg_task {
	__u32 pid; /* thread group id, initial pid namespace */
	__u32 uid; /* initial user namespace */
	__u64 start_boot_ns; /* of the thread group leader, CLOCK_BOOTTIME */
	__u64 cgroup_id;     /* cgroup v2 */
	char comm[NCG_COMM_LEN];
};

struct ncg_pci {
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u8 revision;
	__u8 zero;
	__u16 vendor;
	__u16 device;
	__u16 subvendor;
	__u16 subdevice;
	__u32 class_code;
	__u32 bar;
	__u64 bar_start; /* host-physical, bytes */
	__u64 bar_size;  /* bytes; 0 where the BAR is unassigned */
};

struct ncg_event_decision {
	struct ncg_event event;
	struct ncg_task task;
	struct ncg_pci pci;
	struct ncg_decision decision;
	__u64 offset; /* of the mapping within the BAR, bytes */
	__u64 length; /* of the mapping, bytes */
};

/* What the driver's mmap did; sees every vfio-pci BAR, hook or no hook. */
struct ncg_event_bar_mmap {
	struct ncg_event event;
	struct ncg_task task;
	struct ncg_pci pci;
	__u64 offset;
	__u64 length;
	__s32 result;  /* 0 or -errno */
	__u32 granted; /* 1: the VMA carries VM_ALLOW_ANY_UNCACHED */
};

/*
 * The first successful map of one memory type in one BAR for one VM, or one whose
 * type is not that of the VM's latest map of the BAR; a map that is both makes two
 * events. RAM (NCG_MT_NORMAL_WB) makes none.
 */
struct ncg_event_stage2 {
	struct ncg_event event;
	struct ncg_task task;
	__u64 vm;   /* an opaque id, equal for all events of one VM */
	__u64 where; /* as in struct ncg_use_key */
	__u64 ipa;  /* guest-physical, bytes */
	__u64 phys; /* host-physical, bytes */
	__u64 size; /* bytes */
	__u32 memtype; /* enum ncg_memtype */
	__u32 before;  /* of the VM's latest map of the BAR; NCG_MT_NR: there was none */
};

struct ncg_event_vm {
	struct ncg_event event;
	struct ncg_task task;
	__u64 vm;
};

/* ------------------------------------------------------ what VMs have mapped */

/*
 * What one VM has mapped of one BAR since it began, by memory type: the element of
 * the `uses` map. The programs add, the daemon takes it away once the VM's end is
 * in the audit trail.
 */
struct ncg_use_key {
	__u64 vm;    /* id */
	__u64 where; /* NCG_BAR_ID(), or for what is no BAR NCG_BLOCK_ID() */
};

struct ncg_use {
	__u64 types; /* bit t: memory type t was mapped */
	__u64 last;  /* 1 + memory type of the latest map; 0 before the first */
	__u64 first_ns[NCG_MT_NR]; /* CLOCK_BOOTTIME of the first map */
	__u64 maps[NCG_MT_NR];
	__u64 bytes[NCG_MT_NR]; /* of all maps; what is mapped again counts again */
	struct ncg_task task; /* that mapped a type first; of several any */
};

/*
 * What the daemon knows of a VM, in the `vm_notes` map: who it is, for the record
 * of its end, when the process is gone. Strings end in NUL and may be cut; a map's
 * element, not a structure of the daemon's, so that the next daemon has it too.
 */
#define NCG_NAME_LEN 256
#define NCG_UUID_LEN 40
#define NCG_CGROUP_LEN 512

struct ncg_vm_note {
	struct ncg_task task; /* that made the VM */
	__u64 began_ns;       /* CLOCK_BOOTTIME; 0: before anybody looked */
	__u64 counted;	      /* 1: beyond an allowance, its records are only counted */
	char vmm[NCG_NAME_LEN];
	char name[NCG_NAME_LEN];
	char uuid[NCG_UUID_LEN];
	char cgroup[NCG_CGROUP_LEN];
};

/*
 * Events that have no record of their own: repeats, and what is beyond an allowance. The
 * element of the `kept` map, which the daemon maps into its memory and writes alone, so
 * that the next one can tell what a daemon had counted that was killed.
 */
#define NCG_KEPT_KEYS 4096   /* of what has a record; four to a set */
#define NCG_KEPT_RANGES 4096 /* of event numbers */
#define NCG_KEPT_EXACT 32    /* kinds of events that are told apart by who and what */
#define NCG_KEPT_TYPES 8     /* then by type alone: one for each enum ncg_event_type */
#define NCG_KEPT_ENTRIES (NCG_KEPT_EXACT + NCG_KEPT_TYPES)

struct ncg_kept_range {
	__u64 first; /* inclusive, as is the last */
	__u64 last;
};

struct ncg_kept_entry {
	__u64 count; /* 0: free */
	__u64 key;
	__u64 since; /* CLOCK_BOOTTIME of the first and the last of them */
	__u64 until;
	__u64 why; /* enum ncg_fold_why */
	struct ncg_vm_note who;
	__u64 event[sizeof(struct ncg_event_decision) / sizeof(__u64)]; /* the last of them */
};

struct ncg_kept {
	__u64 range_count;
	__u64 keys[NCG_KEPT_KEYS];
	struct ncg_kept_range ranges[NCG_KEPT_RANGES];
	struct ncg_kept_entry entries[NCG_KEPT_ENTRIES];
};

/*
 * A mapping of a BAR that exists now; what the iterator of mapped.bpf.c writes,
 * one after the other.
 */
struct ncg_mapped {
	struct ncg_task task; /* cgroup_id is 0 */
	struct ncg_pci pci;
	__u64 offset; /* of the mapping within the BAR, bytes */
	__u64 length; /* of the mapping, bytes */
	__u32 granted; /* 1: the VMA carries VM_ALLOW_ANY_UNCACHED */
	__u32 zero;
};

/* ---------------------------------------------------------------- counters */

/* Indices of the `sequences` map. */
enum ncg_sequence {
	NCG_SEQUENCE_EVENT,   /* the last event number given out */
	NCG_SEQUENCE_VM,      /* the last VM id given out */
	NCG_SEQUENCE_DRAINED, /* the daemon has dealt with all events up to this */
	NCG_SEQUENCE_DRAINED_NS, /* when it had, CLOCK_BOOTTIME */
	NCG_SEQUENCE_TRAIL,	 /* inode of the audit trail's file then */
	NCG_SEQUENCE_TRAIL_SIZE, /* and its size, bytes */
	NCG_SEQUENCE_VM_FOUND,   /* the last VM id that the daemon gave out */
	/* No sequence: the clock's offset that the trail knows of (__s64); 0: none yet. */
	NCG_SEQUENCE_CLOCK,
	/*
	 * No sequence, but kept with them: 1 + the mappings of BARs that were there
	 * before the program that decides; 0: not counted yet.
	 */
	NCG_SEQUENCE_BEFORE_GATE,
	NCG_SEQUENCE_NR,
};

/* VM ids that the daemon gives to VMs which no program has seen lie above this. */
#define NCG_VM_FOUND (1ULL << 32)

/*
 * Host-physical address -> device and BAR. BARs are powers of two and aligned to
 * their size, so each is one prefix of a trie; the daemon fills it.
 */
struct ncg_bar_key {
	__u32 prefix;     /* bits */
	__u8 address[8]; /* big endian */
};

/* The trie's value: domain 63..32, bus 31..24, devfn 23..16, BAR 15..0. */
#define NCG_BAR_ID(domain, bus, devfn, bar) \
	((__u64)(domain) << 32 | (__u64)(bus) << 24 | (__u64)(devfn) << 16 | (__u64)(bar))

/*
 * Memory that a driver shows a guest as a BAR of its device, where PCI knows no BAR
 * (nvgrace-gpu): the element of the `regions` map, by the host-physical address of its
 * first byte. One for each place where an mmap of such a BAR begins.
 */
#define NCG_DRIVER_LEN 32

struct ncg_region {
	__u64 where; /* NCG_BAR_ID() */
	__u64 size;  /* bytes that are mapped from there on */
	char driver[NCG_DRIVER_LEN]; /* as sysfs names it; may be cut */
};

/* A file that vfio opened for a device, while it is open; kernel addresses. */
struct ncg_opened_key {
	__u64 k_file;
	__u64 k_operations; /* no other file at that address has them */
};

/*
 * The files of one device that are known, the oldest forgotten for the newest: the element
 * of `opened_rings`, by NCG_BAR_ID() of BAR 0.
 */
#define NCG_OPENED_PER_DEVICE 16

struct ncg_opened_ring {
	__u64 next; /* file number next % NCG_OPENED_PER_DEVICE is the oldest */
	struct ncg_opened_key files[NCG_OPENED_PER_DEVICE];
};

/* Where there is no BAR: the GiB of host-physical addresses. No domain is so high. */
#define NCG_BLOCK_ID(phys) (1ULL << 63 | (__u64)(phys) >> 30)

/*
 * What a place has taken of a map, or been given back of it: the element of `shares`, a
 * count. A map has room for the shares of 64 BARs at least, so that one cannot fill it.
 */
enum ncg_shared {
	NCG_SHARED_DECIDED,
	NCG_SHARED_USES,
	NCG_SHARED_REGIONS,
	NCG_SHARED_NR,
};

#define NCG_SHARE_MAX(map) ((map) == NCG_SHARED_REGIONS ? 64 : 1024)

struct ncg_share_key {
	__u64 where; /* as in struct ncg_use_key */
	__u32 map;   /* enum ncg_shared */
	__u32 given; /* 1: given back, the daemon's count; 0: taken, the programs' */
};

/*
 * Entries of the pinned maps at the least. The daemon makes those that BARs and devices
 * fill larger where the host has more of them (map_sizes.h).
 */
#define NCG_BARS_MIN 16384
#define NCG_DEVICES_MIN 256
#define NCG_SHARES_MIN 16384
#define NCG_REGIONS_MIN (64 * NCG_SHARE_MAX(NCG_SHARED_REGIONS))
#define NCG_USES_MIN (64 * NCG_SHARE_MAX(NCG_SHARED_USES))
#define NCG_VMS_KNOWN_MAX 65536

/* Per-CPU sums, indices of the `counters` map. */
enum ncg_counter {
	NCG_CTR_DECISIONS_ALLOW,
	NCG_CTR_DECISIONS_DENY,
	NCG_CTR_DECISIONS_NONE,
	NCG_CTR_BAR_MMAPS_GRANTED,
	NCG_CTR_BAR_MMAPS_WITHHELD,
	NCG_CTR_BAR_MMAPS_FAILED,
	NCG_CTR_STAGE2_MAPS_NORMAL_WB,
	NCG_CTR_STAGE2_MAPS_NORMAL_NC,
	NCG_CTR_STAGE2_MAPS_DEVICE_nGnRE,
	NCG_CTR_STAGE2_MAP_FAILURES,
	NCG_CTR_VMS_CREATED,
	NCG_CTR_VMS_DESTROYED,
	NCG_CTR_EVENTS_LOST,
	/* Entries that a map had no room for, or that went beyond a place's share of it. */
	NCG_CTR_FULL_BARS,
	NCG_CTR_FULL_REGIONS,
	NCG_CTR_FULL_OPENED,
	NCG_CTR_FULL_VM_IDS,
	NCG_CTR_FULL_DECIDED,
	NCG_CTR_FULL_USES,
	NCG_CTR_NR,
};

/* -------------------------------------------------------------------- walk */

/*
 * One set of stage-2 tables as KVM keeps it: a VM's own, or one that shadows what
 * a hypervisor within the VM has made for a guest of its own. Addresses that start
 * with k_ are the kernel's and never leave the daemon.
 */
struct ncg_vm {
	__u64 k_kvm;
	__u64 k_root;        /* where KVM keeps pgd_phys; 0 there once the tables go */
	__u64 linear_offset; /* virtual = physical + this, for the linear map */
	__u64 pgd_phys;      /* 0: being made or taken down, or hidden */
	__u64 vtcr;          /* VTCR_EL2 as KVM keeps it */
	__u64 hcr;           /* HCR_EL2 of the first vCPU, or of another VM's; 0: none has run */
	__u64 id;            /* as in events; 0: not known */
	__u64 start_boot_ns; /* of the thread group that owns the address space */
	__u32 pid;           /* that thread group; 0: gone */
	__u32 ia_bits;       /* input (guest-physical) address size */
	__s32 start_level;   /* -1 to 2 */
	__u32 vcpus;         /* online */
	__u32 nested;        /* 0: the VM's own; else which shadow, from 1 */
	__u32 hidden;        /* 1: the hypervisor (pKVM) keeps the tables to itself */
};

#define NCG_VMS_MAX 4096

/*
 * A table page to be copied: user space writes requests 0..count-1 into the
 * `requests` map, BPF copies page i to element i of `pages`. The way is how the
 * table was found: the root's pointer in KVM's own structure, then the entry that
 * points to each next table. It is read again after the copy; where it changed,
 * the copy may be of a freed page and is marked so.
 */
struct ncg_walk_step {
	__u64 where;  /* virtual address */
	__u64 expect; /* what was there when it was read */
};

#define NCG_WALK_STEPS 5 /* a root and the entries of levels -1 to 2 */

struct ncg_walk_request {
	__u64 table;  /* virtual address of the table page */
	__s32 status; /* out: 0, -EFAULT (unreadable), -ESTALE, -ESRCH (the root is gone) */
	__u32 steps;  /* of the way */
	struct ncg_walk_step way[NCG_WALK_STEPS];
};

/*
 * Pages of one call, so that no call holds a CPU for long: 32768 entries at each
 * page size. The arrays are as long as the longest needs.
 */
#define NCG_WALK_BATCH 64
#define NCG_WALK_BATCH_BYTES (NCG_WALK_BATCH * 4096)

struct ncg_walk_batch {
	__u32 count;
	__u32 zero;
};

#endif
