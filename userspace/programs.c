// SPDX-License-Identifier: GPL-2.0-only
/*
 * See programs.h. Below NCG_PROGRAMS_DIR stand
 *	maps/NAME	shared by all programs, pinned by libbpf
 *	links/NAME	one for each attached program
 *	layout		one map that says which ABI and which build made the rest
 */
#include "programs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gnutls/crypto.h>
#include <linux/magic.h>

#include "cleanup.h"
#include "kernel_change.h"
#include "log.h"
#include "maps.skel.h"
#include "observe.skel.h"
#include "policy.skel.h"

#define LINKS_DIR NCG_PROGRAMS_DIR "/links"
#define LAYOUT_PIN NCG_PROGRAMS_DIR "/layout"
#define PIN_LEN 128

enum object { OBJECT_MAPS, OBJECT_POLICY, OBJECT_OBSERVE, OBJECT_NR };

static const struct {
	const char *name;
	const char *target;
	const char *module; /* the target's, or one whose types it needs; NULL: none */
	const char *lost;
	enum object object;
} table[NCG_PROGRAM_NR] = {
	[NCG_PROGRAM_DECIDE_HOOK] = {
		"decide_hook", "vfio_pci_uncached_policy", "vfio_pci_core",
		"a denied device is not mapped Device-nGnRE", OBJECT_POLICY },
	[NCG_PROGRAM_DECIDE_TRAP] = {
		"decide_trap", "bpf_lsm_mmap_file", "vfio_pci_core",
		"a denied device's BAR mmaps are not refused", OBJECT_POLICY },
	[NCG_PROGRAM_DECIDE_ONLY] = {
		"decide_only", "vfio_device_fops_mmap", "vfio_pci_core",
		"no decisions are recorded", OBJECT_POLICY },
	[NCG_PROGRAM_BAR_MMAP] = {
		"bar_mmap", "vfio_device_fops_mmap", "vfio_pci_core",
		"mmaps of BARs are not recorded", OBJECT_OBSERVE },
	[NCG_PROGRAM_STAGE2_MAP] = {
		"stage2_map", "kvm_pgtable_stage2_map", NULL,
		"stage-2 maps are not counted as they happen", OBJECT_OBSERVE },
	[NCG_PROGRAM_VM_CREATE] = {
		"vm_create", "kvm_arch_init_vm", NULL,
		"the start of VMs is not recorded", OBJECT_OBSERVE },
	[NCG_PROGRAM_VM_DESTROY] = {
		"vm_destroy", "kvm_arch_destroy_vm", NULL,
		"the end of VMs is not recorded", OBJECT_OBSERVE },
};

/*
 * Those that decide, the best first: each BAR mmap is decided by exactly one, and by
 * the first of them that can be attached.
 */
static const enum ncg_program deciders[] = {
	NCG_PROGRAM_DECIDE_HOOK, NCG_PROGRAM_DECIDE_TRAP, NCG_PROGRAM_DECIDE_ONLY,
};
#define DECIDERS_NR (sizeof(deciders) / sizeof(deciders[0]))

static const char *const maps[] = { "policy", "events", "sequences", "counters", "bars",
				    "regions", "opened", "vm_ids", "uses", "recorded",
				    "vm_notes", "kept", "decided" };
#define MAPS_NR (sizeof(maps) / sizeof(maps[0]))

/* What `layout` holds. Its own form must never change. */
struct layout {
	__u32 layout;
	__u32 zero;
	__u8 build[NCG_SHA256_LEN]; /* of the programs' code */
};

struct ncg_programs {
	struct ncg_program_status status[NCG_PROGRAM_NR];
	struct bpf_link *links[NCG_PROGRAM_NR];
	int maps[MAPS_NR];
	bool same_build; /* the pins are of this very build */
	bool trap_wanted;
	int vfio_built_in; /* 1, 0, or -1: not looked at yet */
};

/* ----------------------------------------------------------------- objects */

static const void *object_bytes(enum object kind, size_t *ret_size)
{
	switch (kind) {
	case OBJECT_MAPS:
		return maps_bpf__elf_bytes(ret_size);
	case OBJECT_POLICY:
		return policy_bpf__elf_bytes(ret_size);
	case OBJECT_OBSERVE:
		return observe_bpf__elf_bytes(ret_size);
	case OBJECT_NR:
		break;
	}
	return NULL;
}

/* Where a variable stands in its section (".rodata", ".bss"), or -errno. */
static int variable_offset(const struct bpf_object *object, const char *section_name,
			   const char *name, size_t size)
{
	const struct btf *btf = bpf_object__btf(object);
	int id = btf__find_by_name_kind(btf, section_name, BTF_KIND_DATASEC);
	const struct btf_type *section;

	if (id < 0)
		return id;
	section = btf__type_by_id(btf, id);
	for (int i = 0; i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *info = btf_var_secinfos(section) + i;
		const struct btf_type *var = btf__type_by_id(btf, info->type);

		if (!strcmp(btf__name_by_offset(btf, var->name_off), name))
			return info->size == size ? (int)info->offset : -EINVAL;
	}
	return -ENOENT;
}

/* Sets a 32-bit constant of an object that is open but not loaded. */
static int set_constant(struct bpf_object *object, const char *name, __u32 value)
{
	int offset = variable_offset(object, ".rodata", name, sizeof(value));
	const struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	size_t size = 0;
	char *data = map ? bpf_map__initial_value(map, &size) : NULL;

	if (offset < 0)
		return offset;
	if (!data || offset + sizeof(value) > size)
		return -EINVAL;
	memcpy(data + offset, &value, sizeof(value));
	return 0;
}

/*
 * Loads an object with only the programs of a set (bit p stands for program p).
 * The pinned maps are used where they exist and made where not.
 */
static int object_load(enum object kind, unsigned int set, struct bpf_object **ret_object)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = NCG_PROGRAMS_MAPS_DIR);
	struct bpf_object *object;
	struct bpf_program *program;
	size_t size;
	const void *bytes = object_bytes(kind, &size);
	int r = 0;

	object = bpf_object__open_mem(bytes, size, &opts);
	if (!object)
		return -errno;
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, false);
	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++)
		if (set & 1U << p)
			bpf_program__set_autoload(
				bpf_object__find_program_by_name(object, table[p].name), true);
	if (set)
		r = set_constant(object, "page_shift", __builtin_ctzl(sysconf(_SC_PAGESIZE)));
	if (!r)
		r = bpf_object__load(object);
	if (r) {
		bpf_object__close(object);
		return r;
	}
	*ret_object = object;
	return 0;
}

/* Makes every shared map that is not pinned yet. */
static int make_maps(void)
{
	struct bpf_object *object;
	int r = object_load(OBJECT_MAPS, 0, &object);

	if (!r)
		bpf_object__close(object);
	return r;
}

static int build_digest(__u8 ret_digest[NCG_SHA256_LEN])
{
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256))
		return -EIO;
	for (enum object kind = 0; kind < OBJECT_NR; kind++) {
		size_t size;
		const void *bytes = object_bytes(kind, &size);

		gnutls_hash(hash, bytes, size);
	}
	gnutls_hash_deinit(hash, ret_digest);
	return 0;
}

/* ------------------------------------------------------------------ layout */

static int make_dir(const char *path)
{
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

static int check_bpffs(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs))
		return ncg_log_error(-errno, "/sys/fs/bpf cannot be looked at");
	if (fs.f_type != BPF_FS_MAGIC)
		return ncg_log_error(-ENODEV, "no BPF file system is mounted at /sys/fs/bpf "
					      "(mount -t bpf bpf /sys/fs/bpf)");
	return 0;
}

/* Writes the layout of this build over the one that is there. */
static int write_layout(const struct layout *layout)
{
	__u32 zero = 0;
	ncg_autoclose int fd = bpf_obj_get(LAYOUT_PIN);

	if (fd < 0) {
		fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ncg_layout", sizeof(zero),
				    sizeof(*layout), 1, NULL);
		if (fd < 0)
			return -errno;
		if (bpf_obj_pin(fd, LAYOUT_PIN))
			return -errno;
	}
	return bpf_map_update_elem(fd, &zero, layout, BPF_ANY) ? -errno : 0;
}

static int check_layout(struct ncg_programs *programs)
{
	struct layout ours = { .layout = NCG_LAYOUT }, theirs = {};
	struct bpf_map_info info = {};
	__u32 zero = 0, info_len = sizeof(info);
	int r = build_digest(ours.build);
	ncg_autoclose int fd = -1;

	if (r)
		return ncg_log_error(r, "the programs' digest cannot be computed");
	fd = bpf_obj_get(LAYOUT_PIN);
	if (fd >= 0) {
		if (bpf_obj_get_info_by_fd(fd, &info, &info_len) ||
		    info.value_size != sizeof(theirs) ||
		    bpf_map_lookup_elem(fd, &zero, &theirs) || theirs.layout != NCG_LAYOUT)
			return ncg_log_error(-EPROTO,
					     "%s holds state of layout %u, this ncgated knows "
					     "layout %u; run the version that made it, or end its "
					     "decisions with `ncgated --remove-state`",
					     NCG_PROGRAMS_DIR, theirs.layout, NCG_LAYOUT);
		programs->same_build = !memcmp(theirs.build, ours.build, sizeof(ours.build));
	} else if (errno != ENOENT) {
		return ncg_log_error(-errno, "%s cannot be opened", LAYOUT_PIN);
	} else if (!access(NCG_PROGRAMS_MAPS_DIR, F_OK)) {
		/* The layout is written first: without it nobody knows what the rest is. */
		return ncg_log_error(-EPROTO,
				     "%s holds state without a layout; remove it with "
				     "`ncgated --remove-state`", NCG_PROGRAMS_DIR);
	}
	return 0;
}

/* ------------------------------------------------------------------ attach */

static void link_pin(enum ncg_program p, char path[PIN_LEN])
{
	snprintf(path, PIN_LEN, "%s/%s", LINKS_DIR, table[p].name);
}

/* Loaded, or built into the kernel, which has no initstate; asked once, for it takes long. */
static bool module_is_there(struct ncg_programs *programs, const char *module)
{
	char path[PIN_LEN];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", module);
	if (!access(path, F_OK))
		return true;
	if (programs->vfio_built_in < 0)
		programs->vfio_built_in = ncg_kernel_vfio_built_in(NULL) > 0;
	return programs->vfio_built_in;
}

/*
 * The kernel attaches a program of type LSM also where BPF is no LSM of it, and never
 * asks it then. So ask for an mmap and see. The program tells vfio's files by their
 * module; what is built in has none (and no initstate). Returns 0 or -errno, logged.
 */
static int check_trap_works(const struct bpf_object *object)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, ".bss");
	int offset = variable_offset(object, ".bss", "trap_asked", sizeof(bool));
	ncg_autofree char *values = map ? calloc(1, bpf_map__value_size(map)) : NULL;
	ncg_autofree char *lsms = NULL;
	ncg_autofclose FILE *list = NULL;
	size_t page = sysconf(_SC_PAGESIZE), room = 0;
	__u32 zero = 0;
	void *at;

	if (access("/sys/module/vfio/initstate", F_OK))
		return ncg_log_error(-EOPNOTSUPP, "`without-hook trap` needs vfio as a module, "
						  "not built into the kernel");
	if (offset < 0 || !values)
		return ncg_log_error(offset < 0 ? offset : -ENOMEM, "decide_trap has no sign");
	at = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED || munmap(at, page) ||
	    bpf_map_lookup_elem(bpf_map__fd(map), &zero, values))
		return ncg_log_error(-errno, "decide_trap cannot be tried");
	if (values[offset])
		return 0;
	list = fopen("/sys/kernel/security/lsm", "re");
	if (list)
		getline(&lsms, &room, list);
	return ncg_log_error(-EOPNOTSUPP,
			     "`without-hook trap` needs bpf among the kernel's LSMs, which are "
			     "%s; name it in lsm= on the kernel's command line",
			     lsms ? lsms : "not known (/sys/kernel/security is not mounted)");
}

/*
 * Attaches a loaded program and pins it under its name. A link that an older
 * build left is replaced by one rename: both are attached for a moment, never
 * none.
 */
static int attach_one(struct ncg_programs *programs, const struct bpf_object *object,
		      enum ncg_program p)
{
	char pin[PIN_LEN], fresh[PIN_LEN + 8];
	struct bpf_link *link;
	int r;

	link_pin(p, pin);
	snprintf(fresh, sizeof(fresh), "%s_new", pin);

	link = bpf_program__attach(bpf_object__find_program_by_name(object, table[p].name));
	r = link ? 0 : -errno;
	if (!r && p == NCG_PROGRAM_DECIDE_TRAP)
		r = check_trap_works(object);
	if (!r) {
		unlink(fresh);
		r = bpf_link__pin(link, fresh);
	}
	if (!r && rename(fresh, pin))
		r = -errno;
	if (r) {
		bpf_link__destroy(link);
		unlink(fresh);
		return r;
	}
	bpf_link__destroy(programs->links[p]);
	programs->links[p] = link;
	return 0;
}

static void note(struct ncg_programs *programs, enum ncg_program p, int error)
{
	struct ncg_program_status *status = &programs->status[p];

	status->error = error;
	status->state = error ? NCG_PROGRAM_FAILED : NCG_PROGRAM_ATTACHED;
	status->adopted = false;
}

/*
 * Loads and attaches a set of programs of one object. Reading the kernel's types
 * is most of the cost, so they are loaded together; where that fails each is
 * tried by itself, to know which one it is.
 */
static void attach_set(struct ncg_programs *programs, enum object kind, unsigned int set)
{
	struct bpf_object *object;
	int r = set ? object_load(kind, set, &object) : 0;

	if (!set)
		return;
	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		if (!(set & 1U << p))
			continue;
		if (!r)
			note(programs, p, attach_one(programs, object, p));
		else if (set == 1U << p)
			note(programs, p, r);
		else
			attach_set(programs, kind, 1U << p);
	}
	/* The links hold the programs, the pins hold the maps. */
	if (!r)
		bpf_object__close(object);
}

/* The id of the program behind a pinned link; 0 for none. */
static __u32 attached_program(const char *pin)
{
	ncg_autoclose int fd = bpf_obj_get(pin);
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	return fd < 0 || bpf_link_get_info_by_fd(fd, &info, &size) ? 0 : info.prog_id;
}

/*
 * The kernel detaches in its own time once the last name of a link is gone, and
 * lets the program go after that: wait for it, so that who asked for the end of its
 * decisions may rely on it.
 */
static int wait_until_gone(const __u32 *ids, size_t count)
{
	for (int tries = 0; tries < 1000; tries++) {
		size_t left = 0;

		for (size_t i = 0; i < count; i++) {
			ncg_autoclose int fd = ids[i] ? bpf_prog_get_fd_by_id(ids[i]) : -1;

			left += fd >= 0;
		}
		if (!left)
			return 0;
		usleep(10000);
	}
	return -ETIMEDOUT;
}

static void detach_one(struct ncg_programs *programs, enum ncg_program p)
{
	char pin[PIN_LEN];
	__u32 id;
	int r;

	link_pin(p, pin);
	id = attached_program(pin);
	unlink(pin);
	bpf_link__destroy(programs->links[p]);
	programs->links[p] = NULL;
	r = wait_until_gone(&id, 1);
	if (r)
		ncg_log_error(r, "%s is not gone yet", table[p].name);
}

/* Takes over the link that an earlier daemon of this build pinned. */
static bool adopt(struct ncg_programs *programs, enum ncg_program p)
{
	struct ncg_program_status *status = &programs->status[p];
	char pin[PIN_LEN];

	if (!programs->same_build)
		return false;
	link_pin(p, pin);
	programs->links[p] = bpf_link__open(pin);
	if (!programs->links[p])
		return false;
	status->state = NCG_PROGRAM_ATTACHED;
	status->adopted = true;
	return true;
}

/* Whether a program is to be attached now; a missing module makes it wait. */
static bool due(struct ncg_programs *programs, enum ncg_program p)
{
	struct ncg_program_status *status = &programs->status[p];

	if (status->state == NCG_PROGRAM_ATTACHED)
		return false;
	if (table[p].module && !module_is_there(programs, table[p].module)) {
		status->state = NCG_PROGRAM_WAITING;
		status->error = -ENOENT;
		return false;
	}
	/* A function does not appear in a loaded module or kernel later on. */
	return status->state != NCG_PROGRAM_FAILED;
}

/* The number as the map holds it. */
static int set_before_gate(const struct ncg_programs *programs, __u64 value)
{
	int fd = ncg_programs_map(programs, "sequences");
	__u32 which = NCG_SEQUENCE_BEFORE_GATE;

	return bpf_map_update_elem(fd, &which, &value, BPF_ANY) ? -errno : 0;
}

/*
 * Attaches a decider. What is mapped when a decider comes that was not there before
 * is to be counted, so the count is forgotten first: ended in between, this daemon
 * leaves the next one a count to make, not one to believe.
 */
static void attach_decider(struct ncg_programs *programs, enum ncg_program p)
{
	char pin[PIN_LEN];
	__u64 count;
	int r;

	link_pin(p, pin);
	if (!access(pin, F_OK)) {
		attach_set(programs, OBJECT_POLICY, 1U << p);
		return;
	}
	r = ncg_programs_before_gate(programs, &count);
	set_before_gate(programs, 0);
	attach_set(programs, OBJECT_POLICY, 1U << p);
	if (programs->status[p].state != NCG_PROGRAM_ATTACHED && !r)
		ncg_programs_note_before_gate(programs, count);
}

static void stand_back(struct ncg_programs *programs, enum ncg_program p)
{
	if (programs->status[p].state != NCG_PROGRAM_NOT_NEEDED)
		detach_one(programs, p);
	programs->status[p].state = NCG_PROGRAM_NOT_NEEDED;
	programs->status[p].error = 0;
}

/* First attaches who is to decide, then detaches the others: there is never none. */
static void attach_deciders(struct ncg_programs *programs)
{
	const struct ncg_program_status *trap = &programs->status[NCG_PROGRAM_DECIDE_TRAP];
	size_t chosen = 0;

	for (; chosen < DECIDERS_NR; chosen++) {
		struct ncg_program_status *status = &programs->status[deciders[chosen]];

		if (status == trap && !programs->trap_wanted)
			continue;
		if (status->state == NCG_PROGRAM_NOT_NEEDED)
			status->state = NCG_PROGRAM_WAITING;
		if (due(programs, deciders[chosen]))
			attach_decider(programs, deciders[chosen]);
		if (status->state == NCG_PROGRAM_ATTACHED)
			break;
	}
	if (!programs->trap_wanted)
		stand_back(programs, NCG_PROGRAM_DECIDE_TRAP);
	for (size_t i = chosen + 1; i < DECIDERS_NR; i++)
		stand_back(programs, deciders[i]);
}

void ncg_programs_want_trap(struct ncg_programs *programs, bool wanted)
{
	programs->trap_wanted = wanted;
}

bool ncg_programs_attach(struct ncg_programs *programs)
{
	enum ncg_program_state before[NCG_PROGRAM_NR];
	unsigned int observers = 0;
	bool changed = false;

	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		before[p] = programs->status[p].state;
		if (table[p].object == OBJECT_OBSERVE && due(programs, p))
			observers |= 1U << p;
	}
	/* The decision before the observation of it. */
	attach_deciders(programs);
	attach_set(programs, OBJECT_OBSERVE, observers);

	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		const struct ncg_program_status *s = &programs->status[p];

		if (s->state == before[p])
			continue;
		changed = true;
		if (s->state == NCG_PROGRAM_ATTACHED)
			ncg_info("%s attached to %s%s", s->name, s->target,
				 s->adopted ? " (taken over)" : "");
		else if (s->state == NCG_PROGRAM_FAILED)
			ncg_warning("%s cannot be attached to %s: %s (%s); %s", s->name, s->target,
				    strerror(-s->error), ncg_log_errno_name(-s->error), s->lost);
	}
	return changed;
}

/* --------------------------------------------------------------- open, close */

int ncg_programs_open(struct ncg_programs **ret_programs)
{
	struct ncg_programs *programs;
	struct layout ours = { .layout = NCG_LAYOUT };
	int r;

	r = check_bpffs();
	if (r)
		return r;
	programs = calloc(1, sizeof(*programs));
	if (!programs)
		return ncg_log_error(-ENOMEM, "no memory");
	programs->vfio_built_in = -1;
	for (size_t i = 0; i < MAPS_NR; i++)
		programs->maps[i] = -1;
	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		programs->status[p].name = table[p].name;
		programs->status[p].target = table[p].target;
		programs->status[p].lost = table[p].lost;
		programs->status[p].state = NCG_PROGRAM_WAITING;
	}

	r = make_dir(NCG_PROGRAMS_DIR);
	if (!r)
		r = check_layout(programs);
	else
		ncg_log_error(r, "%s cannot be made", NCG_PROGRAMS_DIR);
	if (r)
		goto fail;

	r = build_digest(ours.build);
	if (!r && !programs->same_build)
		r = write_layout(&ours);
	if (!r)
		r = make_dir(NCG_PROGRAMS_MAPS_DIR);
	if (!r)
		r = make_dir(LINKS_DIR);
	if (!r)
		r = make_maps();
	if (r) {
		ncg_log_error(r, "BPF cannot be used: %s",
			      r == -EPERM ? "CAP_BPF and CAP_PERFMON are needed" :
					    "the shared maps cannot be made");
		goto fail;
	}
	for (size_t i = 0; i < MAPS_NR; i++) {
		char pin[PIN_LEN];

		snprintf(pin, sizeof(pin), "%s/%s", NCG_PROGRAMS_MAPS_DIR, maps[i]);
		programs->maps[i] = bpf_obj_get(pin);
		if (programs->maps[i] < 0) {
			r = ncg_log_error(-errno, "%s cannot be opened", pin);
			goto fail;
		}
	}
	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++)
		adopt(programs, p);
	*ret_programs = programs;
	return 0;

fail:
	ncg_programs_close(programs);
	return r;
}

void ncg_programs_close(struct ncg_programs *programs)
{
	if (!programs)
		return;
	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++)
		bpf_link__destroy(programs->links[p]);
	for (size_t i = 0; i < MAPS_NR; i++)
		ncg_cleanup_close(&programs->maps[i]);
	free(programs);
}

/* -------------------------------------------------------------------- facts */

const struct ncg_program_status *ncg_programs_status(const struct ncg_programs *programs,
						     enum ncg_program program)
{
	return &programs->status[program];
}

const char *ncg_programs_state_name(enum ncg_program_state state)
{
	static const char *const names[] = {
		[NCG_PROGRAM_WAITING] = "waiting",
		[NCG_PROGRAM_ATTACHED] = "attached",
		[NCG_PROGRAM_FAILED] = "failed",
		[NCG_PROGRAM_NOT_NEEDED] = "not-needed",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == NCG_PROGRAM_STATE_NR,
		       "a name for every state");
	return names[state];
}

enum ncg_grade ncg_programs_grade(const struct ncg_programs *programs)
{
	if (programs->status[NCG_PROGRAM_DECIDE_HOOK].state == NCG_PROGRAM_ATTACHED)
		return NCG_GRADE_HOOK;
	return programs->status[NCG_PROGRAM_DECIDE_TRAP].state == NCG_PROGRAM_ATTACHED ?
		       NCG_GRADE_TRAP : NCG_GRADE_NONE;
}

bool ncg_programs_decide(const struct ncg_programs *programs)
{
	for (size_t i = 0; i < DECIDERS_NR; i++)
		if (programs->status[deciders[i]].state == NCG_PROGRAM_ATTACHED)
			return true;
	return false;
}

int ncg_programs_map(const struct ncg_programs *programs, const char *name)
{
	for (size_t i = 0; i < MAPS_NR; i++)
		if (!strcmp(maps[i], name))
			return programs->maps[i];
	return -ENOENT;
}

int ncg_programs_before_gate(const struct ncg_programs *programs, __u64 *ret_count)
{
	__u32 which = NCG_SEQUENCE_BEFORE_GATE;
	__u64 value;

	if (bpf_map_lookup_elem(ncg_programs_map(programs, "sequences"), &which, &value))
		return -errno;
	if (!value)
		return -ENODATA;
	*ret_count = value - 1;
	return 0;
}

int ncg_programs_note_before_gate(const struct ncg_programs *programs, __u64 count)
{
	return set_before_gate(programs, count + 1);
}

int ncg_programs_counters(const struct ncg_programs *programs, __u64 ret_counters[NCG_CTR_NR])
{
	int cpus = libbpf_num_possible_cpus(), fd = ncg_programs_map(programs, "counters");
	ncg_autofree __u64 *values = NULL;

	if (cpus < 0)
		return cpus;
	values = calloc(cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (__u32 c = 0; c < NCG_CTR_NR; c++) {
		ret_counters[c] = 0;
		if (bpf_map_lookup_elem(fd, &c, values))
			return -errno;
		for (int cpu = 0; cpu < cpus; cpu++)
			ret_counters[c] += values[cpu];
	}
	return 0;
}

/* ------------------------------------------------------------------- remove */

static int remove_files(const char *dir)
{
	ncg_autoclosedir DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0))
			return -errno;
	}
	return rmdir(dir) ? -errno : 0;
}

int ncg_programs_remove(void)
{
	__u32 ids[NCG_PROGRAM_NR];
	int r = check_bpffs();

	if (r)
		return r;
	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		char pin[PIN_LEN];

		link_pin(p, pin);
		ids[p] = attached_program(pin);
	}
	/* Links first: nothing may decide by maps that are going. */
	r = remove_files(LINKS_DIR);
	if (!r)
		r = wait_until_gone(ids, NCG_PROGRAM_NR);
	if (!r)
		r = remove_files(NCG_PROGRAMS_MAPS_DIR);
	if (!r)
		r = remove_files(NCG_PROGRAMS_DIR);
	return r ? ncg_log_error(r, "%s cannot be removed", NCG_PROGRAMS_DIR) : 0;
}
