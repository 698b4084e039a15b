// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements programs.h: which program answers where, and when each is attached. Where
 * they are pinned is pins.h's.
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
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gnutls/crypto.h>

#include "cleanup.h"
#include "kernel_change.h"
#include "log.h"
#include "map_sizes.h"
#include "maps.skel.h"
#include "observe.skel.h"
#include "pins.h"
#include "policy.skel.h"
#include "text_file.h"

enum object { OBJECT_MAPS, OBJECT_POLICY, OBJECT_OBSERVE, OBJECT_NR };

static const struct {
	const char *name;
	const char *target;
	const char *module; /* that must be there first; NULL: none */
	/*
	 * Its types are in the program, which does not hold it: another one that comes later
	 * may have others. NULL: none, or what it is attached to keeps the module.
	 */
	const char *types;
	const char *lost;
	enum object object;
} table[NCG_PROGRAM_NR] = {
	[NCG_PROGRAM_DECIDE_HOOK] = {
		"decide_hook", "vfio_pci_uncached_policy", "vfio_pci_core", NULL,
		"a denied device is not mapped Device-nGnRE", OBJECT_POLICY },
	[NCG_PROGRAM_DECIDE_TRAP] = {
		"decide_trap", "bpf_lsm_mmap_file", NULL, "vfio",
		"a denied device's BAR mmaps are not refused", OBJECT_POLICY },
	[NCG_PROGRAM_DECIDE_ONLY] = {
		"decide_only", "vfio_device_fops_mmap", "vfio_pci_core", NULL,
		"no decisions are recorded", OBJECT_POLICY },
	[NCG_PROGRAM_BAR_MMAP] = {
		"bar_mmap", "vfio_device_fops_mmap", "vfio_pci_core", NULL,
		"mmaps of BARs are not recorded", OBJECT_OBSERVE },
	[NCG_PROGRAM_STAGE2_MAP] = {
		"stage2_map", "kvm_pgtable_stage2_map", NULL, NULL,
		"stage-2 maps are not counted as they happen", OBJECT_OBSERVE },
	[NCG_PROGRAM_VM_CREATE] = {
		"vm_create", "kvm_arch_init_vm", NULL, NULL,
		"the start of VMs is not recorded", OBJECT_OBSERVE },
	[NCG_PROGRAM_VM_DESTROY] = {
		"vm_destroy", "kvm_arch_destroy_vm", NULL, NULL,
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
				    "vm_notes", "kept", "decided", "shares" };
#define MAPS_NR (sizeof(maps) / sizeof(maps[0]))

struct ncg_programs {
	struct ncg_pins *pins;
	struct ncg_program_status status[NCG_PROGRAM_NR];
	struct bpf_link *links[NCG_PROGRAM_NR];
	__u64 tried_with[NCG_PROGRAM_NR]; /* the module there at the last attempt; 0: none */
	int maps[MAPS_NR];
	bool tidy; /* nothing of another build is pinned, and that is noted */
	bool trap_wanted;	  /* where the kernel has no hook */
	bool trap_until_hook;	  /* while it may still come with its module */
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
 * The pinned maps are used where they exist and made where not, of sizes for those needs.
 */
static int object_load(enum object kind, unsigned int set, const struct ncg_map_needs *needs,
		       struct bpf_object **ret_object)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = NCG_PINS_MAPS_DIR);
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
		r = ncg_map_sizes_set(object, NCG_PINS_MAPS_DIR, needs);
	if (!r)
		r = bpf_object__load(object);
	if (r) {
		bpf_object__close(object);
		return r;
	}
	*ret_object = object;
	return 0;
}

/* Makes every shared map that is not pinned yet, as large as this host needs it. */
static int make_maps(void)
{
	struct ncg_map_needs needs = {};
	struct ncg_devices *devices;
	struct bpf_object *object;
	int r = ncg_devices_read(NULL, &devices);

	/* A host without PCI, or that does not show it: the least will do. */
	if (!r) {
		needs = ncg_map_needs_of(devices);
		ncg_devices_free(devices);
	}
	r = object_load(OBJECT_MAPS, 0, &needs, &object);
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

/* ------------------------------------------------------------------ attach */

/* Built into the kernel: always the same one. */
#define BUILT_IN UINT64_MAX

static bool vfio_built_in(struct ncg_programs *programs)
{
	if (programs->vfio_built_in < 0)
		programs->vfio_built_in = ncg_kernel_vfio_built_in(NULL) > 0;
	return programs->vfio_built_in;
}

/*
 * Which module of that name there is, by the inode of its folder, which no other one has
 * or had; 0: none, or one that is still coming or going, to which nothing can be attached
 * yet. What is built into the kernel has no initstate.
 */
static __u64 module_instance(struct ncg_programs *programs, const char *module)
{
	ncg_autofree char *state = NULL;
	char path[NCG_PINS_PATH_LEN];
	struct stat st;
	size_t size;

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", module);
	if (ncg_text_file_read(path, 64, &state, &size))
		return vfio_built_in(programs) ? BUILT_IN : 0;
	if (strcmp(state, "live\n"))
		return 0;
	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return stat(path, &st) ? 0 : st.st_ino;
}

/*
 * The kernel attaches a program of type LSM also where BPF is no LSM of it, and never
 * asks it then. So ask for an mmap and see. The program tells vfio's files by their
 * module; what is built in has none (and no initstate). Returns 0 or -errno, logged.
 */
static int check_trap_works(struct ncg_programs *programs, const struct bpf_object *object)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, ".bss");
	int offset = variable_offset(object, ".bss", "trap_asked", sizeof(bool));
	ncg_autofree char *values = map ? calloc(1, bpf_map__value_size(map)) : NULL;
	ncg_autofree char *lsms = NULL;
	ncg_autofclose FILE *list = NULL;
	size_t page = sysconf(_SC_PAGESIZE), room = 0;
	__u32 zero = 0;
	void *at;

	if (access("/sys/module/vfio/initstate", F_OK) && vfio_built_in(programs))
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
			     "refusing the mmaps of BARs (`without-hook trap`, and until "
			     "vfio-pci-core is loaded) needs bpf among the kernel's LSMs, which are "
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
	char pin[NCG_PINS_PATH_LEN], fresh[NCG_PINS_PATH_LEN + 8];
	struct bpf_link *link;
	int r;

	ncg_pins_link(table[p].name, pin);
	snprintf(fresh, sizeof(fresh), "%s_new", pin);

	link = bpf_program__attach(bpf_object__find_program_by_name(object, table[p].name));
	r = link ? 0 : -errno;
	if (!r && p == NCG_PROGRAM_DECIDE_TRAP)
		r = check_trap_works(programs, object);
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

/*
 * What became of an attempt. What was attached before it, by an older build or to another
 * module, stays where the new one cannot be attached: it decides and observes on, and is
 * shown as what it is.
 */
static void note(struct ncg_programs *programs, enum ncg_program p, int error)
{
	struct ncg_program_status *status = &programs->status[p];
	char pin[NCG_PINS_PATH_LEN];

	status->error = error;
	status->adopted = false;
	if (!error)
		status->older_build = false;
	if (error && !programs->links[p]) {
		ncg_pins_link(table[p].name, pin);
		programs->links[p] = bpf_link__open(pin);
		status->older_build = programs->links[p];
	}
	status->state = programs->links[p] ? NCG_PROGRAM_ATTACHED : NCG_PROGRAM_FAILED;
}

/*
 * Loads and attaches a set of programs of one object. Reading the kernel's types
 * is most of the cost, so they are loaded together; where that fails each is
 * tried by itself, to know which one it is.
 */
static void attach_set(struct ncg_programs *programs, enum object kind, unsigned int set)
{
	struct bpf_object *object;
	int r = set ? object_load(kind, set, NULL, &object) : 0;

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

static void detach_one(struct ncg_programs *programs, enum ncg_program p)
{
	char pin[NCG_PINS_PATH_LEN];
	__u32 id;
	int r;

	ncg_pins_link(table[p].name, pin);
	id = ncg_pins_program(pin);
	unlink(pin);
	bpf_link__destroy(programs->links[p]);
	programs->links[p] = NULL;
	r = ncg_pins_wait_until_gone(&id, 1);
	if (r)
		ncg_log_error(r, "%s is not gone yet", table[p].name);
}

/* The module that a program depends on; NULL: none. */
static const char *depends_on(enum ncg_program p)
{
	return table[p].module ? table[p].module : table[p].types;
}

/* Takes over the link that an earlier daemon of this build pinned. */
static void adopt(struct ncg_programs *programs, enum ncg_program p)
{
	struct ncg_program_status *status = &programs->status[p];
	const char *module = depends_on(p);
	char pin[NCG_PINS_PATH_LEN];

	if (!ncg_pins_of_this_build(programs->pins))
		return;
	ncg_pins_link(table[p].name, pin);
	programs->links[p] = bpf_link__open(pin);
	if (!programs->links[p])
		return;
	status->state = NCG_PROGRAM_ATTACHED;
	status->adopted = true;
	if (module)
		programs->tried_with[p] = module_instance(programs, module);
}

/*
 * Whether a program is to be attached now; the caller then tries. A missing module makes
 * it wait. What failed is tried again once another module is there: a function does not
 * appear in one that is loaded, nor in a kernel that runs.
 */
static bool due(struct ncg_programs *programs, enum ncg_program p)
{
	struct ncg_program_status *status = &programs->status[p];
	const char *module = depends_on(p);
	__u64 instance = module ? module_instance(programs, module) : 0;
	bool another = instance && instance != programs->tried_with[p];

	if (table[p].module && !instance && status->state != NCG_PROGRAM_ATTACHED) {
		status->state = NCG_PROGRAM_WAITING;
		status->error = -ENOENT;
		return false;
	}
	if ((status->state == NCG_PROGRAM_ATTACHED && !(table[p].types && another)) ||
	    (status->state == NCG_PROGRAM_FAILED && !another))
		return false;
	programs->tried_with[p] = instance;
	return true;
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
	char pin[NCG_PINS_PATH_LEN];
	__u64 count;
	int r;

	ncg_pins_link(table[p].name, pin);
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

/*
 * Where the kernel has no hook and the policy says so; and while the module that may have
 * it is not loaded, so that a VMM which loads it by itself is not ahead of the gate.
 */
static bool trap_is_due(const struct ncg_programs *programs)
{
	return programs->trap_wanted ||
	       (programs->trap_until_hook &&
		programs->status[NCG_PROGRAM_DECIDE_HOOK].state == NCG_PROGRAM_WAITING);
}

/* First attaches who is to decide, then detaches the others: there is never none. */
static void attach_deciders(struct ncg_programs *programs)
{
	size_t chosen = 0;

	for (; chosen < DECIDERS_NR; chosen++) {
		struct ncg_program_status *status = &programs->status[deciders[chosen]];

		if (deciders[chosen] == NCG_PROGRAM_DECIDE_TRAP && !trap_is_due(programs))
			continue;
		if (status->state == NCG_PROGRAM_NOT_NEEDED)
			status->state = NCG_PROGRAM_WAITING;
		if (due(programs, deciders[chosen]))
			attach_decider(programs, deciders[chosen]);
		if (status->state == NCG_PROGRAM_ATTACHED)
			break;
	}
	if (!trap_is_due(programs))
		stand_back(programs, NCG_PROGRAM_DECIDE_TRAP);
	for (size_t i = chosen + 1; i < DECIDERS_NR; i++)
		stand_back(programs, deciders[i]);
}

void ncg_programs_follow(struct ncg_programs *programs, const struct ncg_phead *head)
{
	programs->trap_wanted = head->without_hook == NCG_WITHOUT_HOOK_TRAP;
	programs->trap_until_hook = head->mode == NCG_MODE_ENFORCE;
}

void ncg_programs_retry(struct ncg_programs *programs)
{
	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		struct ncg_program_status *status = &programs->status[p];

		if (status->state == NCG_PROGRAM_FAILED || status->older_build)
			status->state = NCG_PROGRAM_WAITING;
	}
}

/*
 * Once something decides: takes out what an older build, or a daemon that was killed,
 * has left behind; and when nothing of another build stays, this one is noted.
 */
static void tidy_pins(struct ncg_programs *programs)
{
	const char *names[NCG_PROGRAM_NR];
	bool all_ours = true;
	int swept;

	if (programs->tidy || !ncg_programs_decide(programs))
		return;
	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		names[p] = table[p].name;
		all_ours &= !programs->status[p].older_build;
	}
	swept = ncg_pins_sweep_links(names, NCG_PROGRAM_NR);
	if (swept > 0)
		ncg_info("%d programs of an older build were detached", swept);
	programs->tidy = all_ours && swept >= 0 &&
			 (ncg_pins_of_this_build(programs->pins) ||
			  !ncg_pins_note_build(programs->pins));
}

static void say_what_changed(const struct ncg_program_status *s)
{
	if (s->state == NCG_PROGRAM_ATTACHED && s->older_build)
		ncg_warning("%s cannot be attached to %s: %s (%s); the one of another build stays "
			    "attached in its place", s->name, s->target, strerror(-s->error),
			    ncg_log_errno_name(-s->error));
	else if (s->state == NCG_PROGRAM_ATTACHED)
		ncg_info("%s attached to %s%s", s->name, s->target,
			 s->adopted ? " (taken over)" : "");
	else if (s->state == NCG_PROGRAM_FAILED)
		ncg_warning("%s cannot be attached to %s: %s (%s); %s", s->name, s->target,
			    strerror(-s->error), ncg_log_errno_name(-s->error), s->lost);
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
		say_what_changed(s);
	}
	tidy_pins(programs);
	return changed;
}

/* --------------------------------------------------------------- open, close */

int ncg_programs_open(struct ncg_programs **ret_programs)
{
	struct ncg_programs *programs;
	__u8 build[NCG_SHA256_LEN];
	int r;

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

	r = build_digest(build);
	if (r)
		ncg_log_error(r, "the programs' digest cannot be computed");
	else
		r = ncg_pins_open(build, &programs->pins);
	if (r)
		goto fail;
	r = make_maps();
	if (r) {
		ncg_log_error(r, "BPF cannot be used: %s",
			      r == -EPERM ? "CAP_BPF and CAP_PERFMON are needed" :
					    "the shared maps cannot be made");
		goto fail;
	}
	for (size_t i = 0; i < MAPS_NR; i++) {
		char pin[NCG_PINS_PATH_LEN];

		snprintf(pin, sizeof(pin), "%s/%s", NCG_PINS_MAPS_DIR, maps[i]);
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
	ncg_pins_close(programs->pins);
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

bool ncg_programs_outlive(const struct ncg_programs *programs)
{
	char pin[NCG_PINS_PATH_LEN];

	for (size_t i = 0; i < DECIDERS_NR; i++) {
		ncg_pins_link(table[deciders[i]].name, pin);
		if (programs->links[deciders[i]] && !access(pin, F_OK))
			return true;
	}
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
