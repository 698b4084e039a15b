// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ncgate doctor`: everything that ncgate needs of a host, one line each, and the
 * hazards of its parts. Needs no daemon and, but for a few lines, no privilege.
 * Owns the list of checks while it runs; changes nothing that stays.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>

#include "cleanup.h"
#include "cli.h"
#include "hazard_json.h"
#include "hazards.h"
#include "host.h"
#include "json.h"
#include "kernel_change.h"
#include "log.h"
#include "names.h"
#include "policy_file.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* How a check ended. */
enum state { FOUND, MISSING, FAILED, WARNING, UNKNOWN, STATE_NR };

static const struct {
	const char *name;
	enum ncg_colour colour;
	bool finding;
} states[STATE_NR] = {
	[FOUND] = { "found", NCG_COLOUR_GREEN, false },
	[MISSING] = { "missing", NCG_COLOUR_RED, true },
	[FAILED] = { "failed", NCG_COLOUR_RED, true },
	[WARNING] = { "warning", NCG_COLOUR_YELLOW, true },
	[UNKNOWN] = { "not known", NCG_COLOUR_YELLOW, false },
};

struct doctor {
	const struct ncg_cli *cli;
	const char *root;
	char *sysfs; /* <root>/sys */
	json_t *checks;
	bool findings;
	bool hopeless; /* ncgated cannot run here at all */
	/* What later checks build on. */
	int change_error;	/* of change; -EAGAIN: it may turn out to be more */
	enum ncg_change change; /* NCG_CHANGE_NR: not known at all */
	struct ncg_devices *devices;
	struct ncg_policy *policy; /* NULL: none that is good */
	json_t *status;		   /* the daemon's; NULL: it does not run */
};

/*
 * Adds a line: the state, what was seen and, after a tab in the text, what follows
 * from it. error is a -errno or 0.
 */
__attribute__((format(printf, 5, 6))) static void line(struct doctor *d, const char *check,
						       enum state state, int error,
						       const char *format, ...)
{
	ncg_autofree char *text = NULL;
	char *follows;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0) {
		text = NULL;
		return;
	}
	follows = strchr(text, '\t');
	if (follows)
		*follows++ = '\0';
	d->findings |= states[state].finding;
	json_array_append_new(
		d->checks,
		json_pack("{s:s, s:s, s:o, s:o, s:s?}", "check", check, "state",
			  states[state].name, "detail", ncg_json_string(text), "follows",
			  follows ? ncg_json_string(follows) : json_null(), "errno",
			  error ? ncg_log_errno_name(-error) : NULL));
}

/* ---------------------------------------------------------------------- kernel */

static void check_kernel(struct doctor *d)
{
	char release[NCG_HOST_TEXT_LEN], machine[NCG_HOST_TEXT_LEN];

	ncg_host_release(d->root, release);
	ncg_host_machine(d->root, machine);
	if (strcmp(machine, "aarch64")) {
		line(d, "kernel", *machine ? FAILED : UNKNOWN, 0,
		     "%s on %s\tncgate is about stage 2 of arm64", release, machine);
		d->hopeless |= *machine;
		return;
	}
	line(d, "kernel", FOUND, 0, "%s, %ld KiB pages", release, sysconf(_SC_PAGESIZE) / 1024);
}

static bool vfio_built_in(const char *root)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/sys", root) < (int)sizeof(path) &&
	       ncg_kernel_vfio_built_in(path) > 0;
}

static void check_btf(struct doctor *d)
{
	if (ncg_host_has(d->root, "/sys/kernel/btf/vmlinux")) {
		line(d, "BTF", FOUND, 0, "/sys/kernel/btf/vmlinux");
	} else {
		line(d, "BTF", MISSING, -ENOENT, "/sys/kernel/btf/vmlinux\tno program can be "
		     "loaded, ncgated does not start: CONFIG_DEBUG_INFO_BTF");
		d->hopeless = true;
	}
	if (ncg_host_has(d->root, "/sys/kernel/btf/vfio_pci_core"))
		line(d, "module BTF", FOUND, 0, "/sys/kernel/btf/vfio_pci_core");
	else if (vfio_built_in(d->root))
		line(d, "module BTF", FOUND, 0, "vfio-pci-core is built into the kernel");
	else if (ncg_host_has(d->root, "/sys/module/vfio_pci_core"))
		line(d, "module BTF", MISSING, -ENOENT, "/sys/kernel/btf/vfio_pci_core\tno "
		     "program can be attached to vfio-pci-core: "
		     "CONFIG_DEBUG_INFO_BTF_MODULES");
	else
		line(d, "module BTF", UNKNOWN, 0, "vfio-pci-core is not loaded\tlook again after "
		     "`modprobe vfio-pci`");
}

static void check_change(struct doctor *d)
{
	static const char *const follows[NCG_CHANGE_NR] = {
		[NCG_CHANGE_NONE] = "every guest has Device-nGnRE on every device, whatever the "
				    "policy says",
		[NCG_CHANGE_CORE] = "every guest may have Normal-NC on every vfio-pci device",
		[NCG_CHANGE_HOOK] = "the policy decides for each device",
	};

	d->change = NCG_CHANGE_NR;
	d->change_error = ncg_kernel_change_read(d->sysfs, &d->change);
	if (d->change_error == -EAGAIN)
		line(d, "change", UNKNOWN, 0, "core change; the hook is not known until "
		     "vfio-pci-core is loaded\tlook again after `modprobe vfio-pci`");
	else if (d->change_error)
		line(d, "change", UNKNOWN, d->change_error, "the kernel's types cannot be read");
	else
		line(d, "change", FOUND, 0, "%s\t%s", ncg_kernel_change_text(d->change),
		     follows[d->change]);
}

/* The kernel's own default, where it can be set, belongs to the hook. */
static void check_hook(struct doctor *d)
{
	enum ncg_verdict kernel = ncg_kernel_default(d->sysfs, d->change);

	if (d->change_error)
		line(d, "hook", UNKNOWN, 0, "vfio_pci_uncached_policy()");
	else if (d->change == NCG_CHANGE_HOOK)
		line(d, "hook", FOUND, 0, "vfio_pci_uncached_policy()");
	else if (d->change == NCG_CHANGE_CORE)
		line(d, "hook", MISSING, 0, "vfio_pci_uncached_policy()\ta denied device is "
		     "recorded, not kept from Normal-NC; ncgate-dkms brings the hook, "
		     "`without-hook trap` does without");
	else
		line(d, "hook", MISSING, 0, "vfio_pci_uncached_policy()\tthere is nothing that "
		     "it could grant on this kernel");
	if (kernel == NCG_VERDICT_NONE)
		line(d, "hook default", UNKNOWN, 0, "what the kernel does when nobody decides");
	else if (ncg_host_has(d->root, "/sys/module/vfio_pci_core/parameters/uncached_default"))
		line(d, "hook default", FOUND, 0, "uncached_default=%s\twhat holds in mode audit "
		     "and when no program is attached", ncg_names_verdict(kernel));
	else
		line(d, "hook default", FOUND, 0, "%s, not to be changed\twhat holds whenever "
		     "nothing else decides", ncg_names_verdict(kernel));
}

static bool may_use_bpf(const struct doctor *d)
{
	const uint64_t needed = 1ULL << CAP_BPF | 1ULL << CAP_PERFMON;
	uint64_t have;

	return ncg_host_capabilities(d->root, &have) && (have & needed) == needed;
}

static void check_trampolines(struct doctor *d)
{
	enum ncg_answer built = ncg_host_trampolines(d->root);
	const char *step;
	int r;

	if (built == NCG_YES)
		line(d, "trampolines", FOUND, 0, "built into the kernel");
	else if (built == NCG_NO)
		line(d, "trampolines", MISSING, 0, "no CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS; "
		     "arm64 has it from v6.4\tno decisions and no events; the tables are still "
		     "read");
	else
		line(d, "trampolines", UNKNOWN, 0, "the kernel's types cannot be read");
	if (*d->root) {
		line(d, "attaching", UNKNOWN, 0, "not tried for another root");
		return;
	}
	r = ncg_host_try_trampoline(&step);
	if (!r)
		line(d, "attaching", FOUND, 0, "a program was attached and taken away again");
	else if ((r == -EPERM || r == -EACCES) && !may_use_bpf(d))
		line(d, "attaching", UNKNOWN, r, "%s\ttry as root", step);
	else
		line(d, "attaching", FAILED, r, "%s\tno decisions and no events; the tables are "
		     "still read", step);
}

/* ------------------------------------------------------------------------- KVM */

static enum ncg_answer fwb_of_guests(const struct ncg_cli *cli)
{
	enum ncg_answer answer = NCG_UNKNOWN;
	const json_t *guest, *fwb;
	json_t *reply = NULL;
	size_t i;

	if (ncg_cli_ask_if_there(cli, "guests", &reply) || !reply)
		return NCG_UNKNOWN;
	json_array_foreach(json_object_get(reply, "guests"), i, guest) {
		fwb = json_object_get(guest, "fwb");
		if (json_is_boolean(fwb))
			answer = json_is_true(fwb) ? NCG_YES : NCG_NO;
	}
	json_decref(reply);
	return answer;
}

static void check_kvm(struct doctor *d)
{
	struct ncg_host_boot boot;
	const char *name;

	if (ncg_host_has(d->root, "/dev/kvm")) {
		line(d, "KVM", FOUND, 0, "/dev/kvm");
	} else {
		line(d, "KVM", MISSING, -ENOENT, "/dev/kvm\tthere are no guests, ncgated does "
		     "not start");
		d->hopeless = true;
	}
	ncg_host_boot(d->root, &boot);
	name = ncg_host_kvm_mode_name(boot.kvm_mode);
	if (boot.kvm_mode == NCG_KVM_UNKNOWN)
		line(d, "KVM mode", UNKNOWN, boot.log_error, "%s",
		     boot.log_error ? "the kernel's log cannot be read"
				    : "the kernel's log does not say it any more");
	else if (boot.mode_by_command_line)
		line(d, "KVM mode", FOUND, 0, "%s, as the kernel's command line asks", name);
	else
		line(d, "KVM mode", FOUND, 0, "%s%s", name,
		     boot.kvm_mode == NCG_KVM_PROTECTED ?
			     "\tthe tables of protected guests are not the host's to read" : "");
	if (boot.fwb == NCG_UNKNOWN)
		boot.fwb = fwb_of_guests(d->cli);
	if (boot.fwb == NCG_UNKNOWN)
		line(d, "FWB", UNKNOWN, boot.log_error, "neither the kernel's log nor a guest "
		     "tells\tboth encodings are read");
	else
		line(d, "FWB", FOUND, 0, "%s\tboth encodings are read",
		     boot.fwb == NCG_YES ? "yes" : "no");
}

/* ------------------------------------------------------------------------ VFIO */

static void check_iommu(struct doctor *d)
{
	int groups = ncg_host_iommu_groups(d->root);

	if (groups > 0)
		line(d, "IOMMU", FOUND, 0, "%d group%s", groups, groups == 1 ? "" : "s");
	else
		line(d, "IOMMU", MISSING, 0, "no groups\tno device can be passed to a guest "
		     "(vfio's unsafe no-IOMMU mode aside)");
}

/* Drivers that map regions by themselves, each with the devices that it has. */
static void check_drivers(struct doctor *d, const struct ncg_hazards *hazards)
{
	unsigned int bound = 0, odd = 0;

	for (size_t i = 0; i < d->devices->count; i++) {
		const struct ncg_device *device = &d->devices->list[i];
		const struct ncg_hazard_driver *driver;

		if (!strstr(device->driver, "vfio"))
			continue;
		bound++;
		driver = hazards ? ncg_hazards_driver(hazards, device->driver) : NULL;
		if (driver && driver->asks)
			continue;
		odd++;
		if (driver)
			line(d, "drivers", WARNING, 0, "%s is bound to %s, which does not always "
			     "ask the hook\t%s", device->address, driver->name,
			     driver->because ? driver->because : "");
		else if (hazards)
			line(d, "drivers", UNKNOWN, 0, "%s is bound to %s, which is not in the "
			     "table of drivers\twhether it asks the hook for every BAR is not "
			     "known", device->address, device->driver);
	}
	if (!bound)
		line(d, "drivers", FOUND, 0, "no device is bound to a VFIO driver");
	else if (!odd)
		line(d, "drivers", FOUND, 0, "%u device%s bound to drivers that ask the hook",
		     bound, bound == 1 ? "" : "s");
}

/* ------------------------------------------------------------------- BPF, daemon */

static void check_bpf(struct doctor *d)
{
	enum ncg_answer lsm = ncg_host_lsm(d->root, "bpf"), bpffs = ncg_host_bpffs(d->root);

	if (lsm == NCG_YES)
		line(d, "BPF LSM", FOUND, 0, "bpf in /sys/kernel/security/lsm");
	else
		line(d, "BPF LSM", lsm == NCG_NO ? MISSING : UNKNOWN, 0,
		     "bpf in /sys/kernel/security/lsm\t`without-hook trap` needs it: "
		     "CONFIG_BPF_LSM, and bpf in lsm= on the kernel's command line");
	if (bpffs == NCG_YES) {
		line(d, "bpffs", FOUND, 0, "/sys/fs/bpf");
	} else if (bpffs == NCG_NO) {
		line(d, "bpffs", MISSING, 0, "/sys/fs/bpf\tncgated does not start: `mount -t bpf "
		     "bpf /sys/fs/bpf`");
		d->hopeless = true;
	} else {
		line(d, "bpffs", UNKNOWN, 0, "/sys/fs/bpf");
	}
}

/* What ncgated's unit has; this process may stand for it. */
static void check_capabilities(struct doctor *d)
{
	static const struct {
		unsigned int number;
		const char *name;
	} needed[] = {
		{ CAP_BPF, "CAP_BPF" },
		{ CAP_PERFMON, "CAP_PERFMON" },
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
		{ CAP_SYSLOG, "CAP_SYSLOG" },
		{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE" },
		{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH" },
	};
	char lacking[160] = "";
	uint64_t have;

	if (!ncg_host_capabilities(d->root, &have)) {
		line(d, "capabilities", UNKNOWN, 0, "of this process");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!(have >> needed[i].number & 1)) {
			strcat(lacking, *lacking ? ", " : "");
			strcat(lacking, needed[i].name);
		}
	if (*lacking)
		line(d, "capabilities", MISSING, 0, "%s of this process\tncgated cannot be started "
		     "like this; its unit has them", lacking);
	else
		line(d, "capabilities", FOUND, 0, "all that ncgated needs");
}

static void check_daemon(struct doctor *d)
{
	const json_t *program;
	char list[256] = "";
	size_t i, used;

	if (!d->status && !*d->root && access(d->cli->control, W_OK) && errno == EACCES) {
		line(d, "ncgated", UNKNOWN, -EACCES, "%s\tonly root may ask", d->cli->control);
		return;
	}
	if (!d->status) {
		line(d, "ncgated", MISSING, 0, "nothing answers at %s\tnothing new is recorded "
		     "or served; programs that were attached go on deciding", d->cli->control);
		return;
	}
	json_array_foreach(json_object_get(d->status, "programs"), i, program) {
		if (!ncg_cli_is(program, "state", "failed"))
			continue;
		used = strlen(list);
		snprintf(list + used, sizeof(list) - used, "%s%s (%s)", used ? ", " : "",
			 ncg_cli_text(program, "name"), ncg_cli_text(program, "error"));
	}
	line(d, "ncgated", *list ? WARNING : FOUND, 0, "%s runs, grade %s%s%s",
	     ncg_cli_text(d->status, "version"), ncg_cli_text(d->status, "grade"),
	     *list ? "\tnot attached: " : "", list);
}

static void check_policy(struct doctor *d)
{
	ncg_cleanup(ncg_policy_errors_freep) struct ncg_policy_errors *errors = NULL;
	const json_t *loaded = json_object_get(d->status, "policy");
	char sha256[NCG_SHA256_TEXT_LEN];
	ncg_autoknown struct ncg_policy_known *known = ncg_cli_load_known(d->cli);
	const struct ncg_policy_file_options options = { .trusted = true, .known = known };
	int r = ncg_policy_file_load_with(d->cli->policy, &options, &d->policy, &errors);
	size_t gone = 0;

	if (r) {
		line(d, "policy", FAILED, r, "%s\tsee `ncgate check %s`", d->cli->policy,
		     d->cli->policy);
		return;
	}
	for (size_t i = 0; i < d->policy->named_count; i++)
		gone += d->policy->rules[d->policy->named[i]].gone;
	ncg_json_sha256_text(d->policy->sha256, sha256);
	if (json_is_object(loaded) && !ncg_cli_is(loaded, "sha256", sha256))
		line(d, "policy", WARNING, 0, "%s is not the policy in force (%s, generation "
		     "%lld)\t`systemctl reload ncgated` puts it in force", d->cli->policy,
		     ncg_cli_text(loaded, "file"), ncg_cli_number(loaded, "generation"));
	else if (gone)
		line(d, "policy", WARNING, 0, "pci.ids has lost %zu name%s of %s, which go on "
		     "standing for the ids of before\tsee `ncgate check %s`", gone,
		     gone == 1 ? "" : "s", d->cli->policy, d->cli->policy);
	else
		line(d, "policy", FOUND, 0, "%s: mode %s, default %s, %zu rule%s", d->cli->policy,
		     ncg_names_mode(d->policy->mode), ncg_names_verdict(d->policy->fallback),
		     d->policy->rule_count, d->policy->rule_count == 1 ? "" : "s");
}

/* --------------------------------------------------------------------- hazards */

static void decide(void *arg, const struct ncg_device *device, unsigned int bar,
		   struct ncg_decision *ret_decision)
{
	ncg_verdict_bar(arg, device, bar, NULL, ret_decision);
}

/* Whether a verdict of this policy would reach the kernel on this host. */
static bool enforced(const struct doctor *d)
{
	if (!d->policy || d->policy->mode != NCG_MODE_ENFORCE)
		return false;
	if (d->status)
		return !ncg_cli_is(d->status, "grade", "none");
	return (!d->change_error && d->change == NCG_CHANGE_HOOK) ||
	       (d->policy->without_hook == NCG_WITHOUT_HOOK_TRAP &&
		ncg_host_lsm(d->root, "bpf") == NCG_YES);
}

static void say_hazard(struct doctor *d, const struct ncg_hazard *hazard,
		       const struct ncg_hazard_conflict *conflicts, size_t count)
{
	ncg_autofree char *first = count ? ncg_hazards_format(conflicts) : NULL;
	char more[48] = "";

	if (!count) {
		line(d, "hazard", FOUND, 0, "%s: %s is unsafe here, and the policy heeds it",
		     hazard->id, ncg_hazards_unsafe(hazard));
		return;
	}
	if (count > 1)
		snprintf(more, sizeof(more), " (and %zu more, see --json)", count - 1);
	line(d, "hazard", WARNING, 0, "%s: %s is unsafe here, but %s%s\t%s; instead: %s",
	     hazard->id, ncg_hazards_unsafe(hazard), first ? first : "", more, hazard->because,
	     hazard->instead);
}

/* Adds the hazards that this host has to list, and a line for each. */
static enum ncg_exit check_hazards(struct doctor *d, struct ncg_hazards *hazards, json_t *list)
{
	ncg_autofree struct ncg_hazard_conflict *conflicts = NULL;
	struct ncg_hazard_policy policy = {
		.decide = decide,
		.arg = d->policy,
		.fallback = d->policy ? d->policy->fallback : NCG_VERDICT_NONE,
		.enforced = enforced(d),
		.kernel = ncg_kernel_default(d->sysfs, d->change),
	};
	size_t present = 0, at = 0;
	ssize_t count;

	ncg_hazards_match(hazards, d->sysfs, d->devices);
	count = ncg_hazards_check(hazards, d->devices, &policy, &conflicts);
	if (count < 0)
		return ncg_cli_fail(count);
	for (size_t i = 0; i < hazards->count; i++) {
		const struct ncg_hazard *hazard = &hazards->list[i];
		size_t own = 0;

		if (!hazard->present)
			continue;
		present++;
		while (at + own < (size_t)count && conflicts[at + own].hazard == hazard)
			own++;
		say_hazard(d, hazard, conflicts + at, own);
		json_array_append_new(list, ncg_hazard_json(hazard, conflicts + at, own));
		at += own;
	}
	if (!present)
		line(d, "hazard", FOUND, 0, "none of the %zu known ones", hazards->count);
	return NCG_EXIT_OK;
}

static struct ncg_hazards *load_hazards(struct doctor *d)
{
	struct ncg_hazards *hazards = NULL;
	ncg_autofree char *error = NULL;
	int r = ncg_hazards_read(d->cli->hazards, &hazards, &error);

	if (r)
		line(d, "hazard", FAILED, r, "%s\thazards of this host are not known",
		     error ? error : d->cli->hazards);
	return hazards;
}

/* -------------------------------------------------------------------- the whole */

static enum ncg_exit examine(struct doctor *d, json_t *hazard_list)
{
	ncg_autohazards struct ncg_hazards *hazards = NULL;
	enum ncg_exit status = ncg_cli_load_devices(d->cli, &d->devices);

	/* A host without PCI has a doctor as well. */
	if (status)
		d->devices = calloc(1, sizeof(*d->devices));
	if (!d->devices)
		return ncg_cli_fail(-ENOMEM);
	status = ncg_cli_ask_if_there(d->cli, "status", &d->status);
	if (status)
		d->status = NULL;

	check_kernel(d);
	check_change(d);
	check_btf(d);
	check_hook(d);
	check_trampolines(d);
	check_kvm(d);
	check_iommu(d);
	check_bpf(d);
	check_capabilities(d);
	check_daemon(d);
	check_policy(d);
	hazards = load_hazards(d);
	check_drivers(d, hazards);
	return hazards ? check_hazards(d, hazards, hazard_list) : NCG_EXIT_OK;
}

static int print_checks(const struct doctor *d)
{
	static const struct ncg_cli_column columns[] = {
		{ "CHECK", false }, { "STATE", false }, { "FINDING", false },
	};
	ncg_autotable struct ncg_cli_table *table =
		ncg_cli_table_new(columns, ARRAY_SIZE(columns));
	const json_t *check;
	size_t i;

	json_array_foreach(d->checks, i, check) {
		const char *error = ncg_cli_text(check, "errno"), *colon = "";
		enum ncg_colour colour = NCG_COLOUR_NONE;

		for (enum state s = 0; s < STATE_NR; s++)
			if (ncg_cli_is(check, "state", states[s].name))
				colour = states[s].colour;
		if (*ncg_cli_text(check, "follows"))
			colon = "; ";
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(check, "check"));
		ncg_cli_table_add(table, colour, "%s", ncg_cli_text(check, "state"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s%s%s%s%s%s",
				  ncg_cli_text(check, "detail"), *error ? " (" : "", error,
				  *error ? ")" : "", colon, ncg_cli_text(check, "follows"));
	}
	return ncg_cli_table_print(table, stdout, d->cli->colours, 0);
}

static int print_json(const struct doctor *d, json_t *hazards)
{
	json_t *document = json_pack(
		"{s:s?, s:O, s:O}", "change",
		d->change_error ? NULL : ncg_kernel_change_name(d->change), "checks", d->checks,
		"hazards", hazards);
	int r = document ? ncg_cli_print_json(document) : -ENOMEM;

	json_decref(document);
	return r;
}

enum ncg_exit ncg_cli_doctor(const struct ncg_cli *cli)
{
	struct doctor d = { .cli = cli, .root = cli->root, .checks = json_array() };
	json_t *hazards = json_array();
	enum ncg_exit status;
	int r;

	if (asprintf(&d.sysfs, "%s/sys", cli->root) < 0)
		d.sysfs = NULL;
	status = d.sysfs && d.checks && hazards ? examine(&d, hazards) : ncg_cli_fail(-ENOMEM);
	if (!status) {
		r = cli->json ? print_json(&d, hazards) : print_checks(&d);
		if (r)
			status = ncg_cli_fail(r);
		else if (d.hopeless)
			status = NCG_EXIT_NOT_POSSIBLE;
		else if (d.findings)
			status = NCG_EXIT_FINDINGS;
	}
	json_decref(d.checks);
	json_decref(hazards);
	json_decref(d.status);
	ncg_devices_free(d.devices);
	ncg_policy_free(d.policy);
	free(d.sysfs);
	return status;
}
