/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ncgate's BPF programs: loads, attaches and pins them, and takes over what an
 * earlier daemon pinned. Owns the links and maps; their folder is pins.h's.
 *
 * Programs and maps outlive the daemon: what is attached goes on deciding when
 * it is killed. Each program is loaded and attached by itself, so what one
 * kernel lacks costs that program alone; whether something is supported is known
 * by having done it, and the errno is kept. What another build attached stays until
 * this build's program has taken its place, or where that cannot be attached.
 */
#ifndef NCGATE_PROGRAMS_H
#define NCGATE_PROGRAMS_H

#include <stdbool.h>

#include "abi.h"

enum ncg_program {
	NCG_PROGRAM_DECIDE_HOOK,
	NCG_PROGRAM_DECIDE_TRAP,
	NCG_PROGRAM_DECIDE_ONLY,
	NCG_PROGRAM_BAR_MMAP,
	NCG_PROGRAM_STAGE2_MAP,
	NCG_PROGRAM_VM_CREATE,
	NCG_PROGRAM_VM_DESTROY,
	NCG_PROGRAM_NR,
};

enum ncg_program_state {
	NCG_PROGRAM_WAITING,  /* its module is not loaded yet */
	NCG_PROGRAM_ATTACHED,
	NCG_PROGRAM_FAILED,   /* error says why */
	NCG_PROGRAM_NOT_NEEDED, /* another program does its work on this kernel */
	NCG_PROGRAM_STATE_NR,
};

struct ncg_program_status {
	const char *name;   /* the program's, as bpftool shows it */
	const char *target; /* the kernel function */
	const char *lost;   /* what is not to be had without it */
	enum ncg_program_state state;
	int error;    /* -errno of the last attempt; 0 when attached by it */
	bool adopted; /* was attached already when this daemon started */
	bool older_build; /* attached is another build's, for this one's could not be */
};

struct ncg_programs;

/*
 * Opens the pinned state, or makes it; it is this daemon's alone until it is closed.
 * Nothing is attached yet. Returns 0; -EPROTO when the pins are of another layout; -EBUSY
 * when another daemon has them; or another negative errno. All are logged with what is
 * missing. *ret_programs is the caller's.
 */
int ncg_programs_open(struct ncg_programs **ret_programs);

/* Closes this daemon's handles. What is pinned stays. Takes NULL. */
void ncg_programs_close(struct ncg_programs *programs);

/*
 * Whether a denied device's BAR mmaps are to be refused where the kernel has no hook
 * (`without-hook trap`), and in enforce mode until it is known whether it has one: while
 * vfio-pci-core is not loaded. Neither at first. Holds from the next
 * ncg_programs_attach() on.
 */
void ncg_programs_follow(struct ncg_programs *programs, const struct ncg_phead *head);

/* What could not be attached is tried once more by the next ncg_programs_attach(). */
void ncg_programs_retry(struct ncg_programs *programs);

/*
 * Attaches what is not attached and can be: at the start, and again when a
 * module may have come. Cheap when nothing is to do. Returns true when any
 * program's state changed.
 */
bool ncg_programs_attach(struct ncg_programs *programs);

const struct ncg_program_status *ncg_programs_status(const struct ncg_programs *programs,
						     enum ncg_program program);
const char *ncg_programs_state_name(enum ncg_program_state state);

/* The grade of enforcement that the attached programs amount to. */
enum ncg_grade ncg_programs_grade(const struct ncg_programs *programs);

/* Whether any program decides. */
bool ncg_programs_decide(const struct ncg_programs *programs);

/* Whether decisions go on when this daemon ends: what decides is still pinned. */
bool ncg_programs_outlive(const struct ncg_programs *programs);

/*
 * How many mappings of BARs were there before the program that decides now was
 * attached, by this daemon or an earlier one. The count is the caller's to make and to
 * note once ncg_programs_decide(); it stands until another kind of program decides.
 * Returns 0; -ENODATA while it is to be made; or another negative errno.
 */
int ncg_programs_before_gate(const struct ncg_programs *programs, __u64 *ret_count);
int ncg_programs_note_before_gate(const struct ncg_programs *programs, __u64 count);

/*
 * A pinned map by its name in maps.bpf.h; the descriptor stays the programs' own.
 * -ENOENT when there is none.
 */
int ncg_programs_map(const struct ncg_programs *programs, const char *name);

/* Sums a per-CPU counter map. Returns 0 or -errno. */
int ncg_programs_counters(const struct ncg_programs *programs, __u64 ret_counters[NCG_CTR_NR]);

#endif
