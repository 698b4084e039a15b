/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Known hazards: parts on which one memory type is unsafe, and drivers that map
 * regions without asking the hook. Which there are is a file (hazards.conf), so
 * that a new erratum needs no new build; what this host has is read from sysfs.
 *
 * A table is owned by who read it; matching writes into it, after that it may be
 * shared. A file with an error is refused whole. Advice only: nothing here changes
 * a decision, and a host without the file is a host whose hazards are not known.
 */
#ifndef NCGATE_HAZARDS_H
#define NCGATE_HAZARDS_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"
#include "cleanup.h"
#include "device.h"

#ifndef NCG_DATADIR
#define NCG_DATADIR "/usr/share/ncgate"
#endif
#define NCG_HAZARDS_PATH NCG_DATADIR "/hazards.conf"

#define NCG_HAZARD_IDS_MAX 16 /* PCI ids or devices of one hazard */

/* A device, or one BAR of it. */
struct ncg_hazard_id {
	__u16 vendor;
	__u16 device;
	__u8 bars; /* bit b stands for BAR b; 0: every BAR */
};

struct ncg_hazard {
	char *id;
	__u32 line;
	enum ncg_verdict hurts; /* ALLOW: Normal-NC is unsafe; DENY: Device is */
	char *because;		/* what goes wrong */
	char *instead;		/* what to do */
	char *source;
	/* Conditions; all that are given must hold. */
	char *soc_id;		/* as /sys/bus/soc shows it */
	__u32 revision_below;	/* 0: any revision of soc_id */
	bool has_midr;
	__u8 implementer;	/* MIDR_EL1[31:24] */
	__u16 part;		/* MIDR_EL1[15:4] */
	struct ncg_hazard_id pci[NCG_HAZARD_IDS_MAX]; /* one of them is in this host */
	size_t pci_count;
	struct ncg_hazard_id devices[NCG_HAZARD_IDS_MAX]; /* the hazard is theirs alone */
	size_t device_count;
	char *unless; /* the id of a hazard that goes before this one */
	/* After ncg_hazards_match(): */
	bool looked; /* at CPUs and SoC, which stay as they are */
	bool fits;   /* them */
	bool present;
};

/* A VFIO driver of a PCI device, by its name in sysfs. */
struct ncg_hazard_driver {
	char *name;
	__u32 line;
	bool asks; /* each of its BAR mmaps comes by the hook */
	char *because;
	char *source;
};

struct ncg_hazards {
	struct ncg_hazard *list;
	size_t count;
	struct ncg_hazard_driver *drivers;
	size_t driver_count;
};

/*
 * Reads the table from text, which is called name in errors. 0, or -EINVAL with
 * one sentence "name:line: …" or "name:line:column: …" in *ret_error (the caller frees
 * it), or -ENOMEM. Accepted text is UTF-8 without a character that cannot be seen.
 * *ret_hazards is the caller's: ncg_hazards_free().
 */
int ncg_hazards_parse(const char *name, const char *text, size_t size,
		      struct ncg_hazards **ret_hazards, char **ret_error);

/* The same from a file; also -errno of reading it, *ret_error is then NULL. */
int ncg_hazards_read(const char *path, struct ncg_hazards **ret_hazards, char **ret_error);

void ncg_hazards_free(struct ncg_hazards *hazards); /* takes NULL */

NCG_DEFINE_CLEANUP(struct ncg_hazards *, ncg_hazards_free)
#define ncg_autohazards ncg_cleanup(ncg_hazards_free_cleanup)

/*
 * Finds out which hazards this host has: CPUs and SoC by sysfs (NULL: /sys), once,
 * and its PCI devices. To be called again when devices came or went.
 */
void ncg_hazards_match(struct ncg_hazards *hazards, const char *sysfs,
		       const struct ncg_devices *devices);

/* Whether a hazard is about that BAR. */
bool ncg_hazards_concern(const struct ncg_hazard *hazard, const struct ncg_device *device,
			 unsigned int bar);

/* NULL for a driver that the table does not have. */
const struct ncg_hazard_driver *ncg_hazards_driver(const struct ncg_hazards *hazards,
						   const char *name);

/* The memory type that is unsafe: "normal_nc" or "device_nGnRE". */
const char *ncg_hazards_unsafe(const struct ncg_hazard *hazard);

/* What contradicts a hazard that this host has. */
enum ncg_hazard_cause {
	NCG_HAZARD_BAR,	    /* the policy's verdict on a BAR */
	NCG_HAZARD_DEFAULT, /* the policy's verdict where no rule matches */
	NCG_HAZARD_KERNEL,  /* the kernel's own default, which nothing overrules */
	NCG_HAZARD_CAUSE_NR,
};

struct ncg_hazard_conflict {
	const struct ncg_hazard *hazard;
	enum ncg_hazard_cause cause;
	const struct ncg_device *device; /* of NCG_HAZARD_BAR, else NULL */
	unsigned int bar;
	struct ncg_decision decision; /* of NCG_HAZARD_BAR */
};

/* Against what the hazards are held. */
struct ncg_hazard_policy {
	/* Decides about a BAR, for a process of root. */
	void (*decide)(void *arg, const struct ncg_device *device, unsigned int bar,
		       struct ncg_decision *ret_decision);
	void *arg;
	enum ncg_verdict fallback; /* NONE: no policy */
	bool enforced;		   /* verdicts reach the kernel */
	enum ncg_verdict kernel;   /* its own default; NONE: not known */
};

/*
 * All conflicts, by hazard, in *ret_list, which the caller frees; returns their
 * number or -ENOMEM. What it points to is hazards' and devices'.
 */
ssize_t ncg_hazards_check(const struct ncg_hazards *hazards, const struct ncg_devices *devices,
			  const struct ncg_hazard_policy *policy,
			  struct ncg_hazard_conflict **ret_list);

/*
 * One conflict as a sentence without a newline; the caller frees it. NULL when
 * there is no memory.
 */
char *ncg_hazards_format(const struct ncg_hazard_conflict *conflict);

/* "bar", "default" or "kernel default". */
const char *ncg_hazards_cause(enum ncg_hazard_cause cause);

#endif
