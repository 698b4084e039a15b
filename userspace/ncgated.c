// SPDX-License-Identifier: GPL-2.0-only
/*
 * ncgated: the daemon. Puts the policy in force, attaches the programs, keeps
 * the audit trail and serves /metrics. Owns the event loop; every module's state
 * is in struct daemon and used by this one thread. Another one reads a policy that
 * is to be put in force (policy_load.h), and shares nothing with it.
 *
 * A bad policy or a missing KVM ends it before it touches the kernel. Then the gate
 * comes first: an audit log, metrics address or control socket that cannot be had is
 * tried again every second and ends nothing. Ending the daemon, by a signal or by a
 * crash, ends nothing in the kernel: pinned programs go on deciding and events wait for
 * the next start.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "audit.h"
#include "cleanup.h"
#include "control.h"
#include "events.h"
#include "exit_status.h"
#include "forget.h"
#include "gate.h"
#include "hazard_watch.h"
#include "http.h"
#include "inventory.h"
#include "json.h"
#include "kernel_change.h"
#include "log.h"
#include "loop.h"
#include "map_watch.h"
#include "mapped.h"
#include "mismatch.h"
#include "missing.h"
#include "name_watch.h"
#include "names.h"
#include "pins.h"
#include "policy_load.h"
#include "programs.h"
#include "verdict.h"
#include "view.h"
#include "walk.h"

struct options {
	const char *config;
	struct ncg_audit_options audit;
	const char *listen;
	const char *control;
	const char *hazards;
	const char *names;
	double walk_share; /* percent of one CPU */
	bool remove_state;
	bool verbose;
};

/* How often guests are looked at when nobody asks, seconds. */
#define LOOK_AT_GUESTS_S 10

struct daemon {
	struct options options;
	struct ncg_loop *loop;
	struct ncg_audit *audit;
	struct ncg_programs *programs;
	struct ncg_inventory *inventory;
	struct ncg_events *events;
	struct ncg_walk *walk;
	struct ncg_hazard_watch *hazards;
	struct ncg_name_watch *names;
	struct ncg_policy_load *load;
	bool reload_again; /* it was asked for while one was on its way */
	struct ncg_mismatch_watch *mismatches;
	struct ncg_guest_cache *identities;
	struct ncg_http *http;	     /* NULL while its address cannot be had */
	struct ncg_control *control; /* the same */
	int http_error, control_error; /* -errno of the last attempt, said once */
	struct ncg_sources sources;
	int signals;
	int timer;
	unsigned int seconds; /* of the timer */
	int walk_timer;
	struct ncg_forget forget;
	struct ncg_missing missing;
	struct ncg_map_watch *map_watch;
};

enum {
	OPTION_REMOVE_STATE = 256,
	OPTION_CONTROL,
	OPTION_HAZARDS,
	OPTION_NAMES,
	OPTION_WALK_SHARE,
	OPTION_AUDIT_MAX_SIZE,
	OPTION_AUDIT_MAX_AGE,
	OPTION_AUDIT_KEEP,
	OPTION_AUDIT_KEEP_AGE,
	OPTION_AUDIT_KEEP_SIZE,
	OPTION_AUDIT_REMOVE_AGE,
	OPTION_NO_JOURNAL,
	OPTION_NO_KERNEL_AUDIT,
};

static const struct argp_option option_table[] = {
	{ "config", 'c', "FILE", 0, "Policy file (/etc/ncgate/policy.conf)", 0 },
	{ "audit", 'a', "FILE", 0, "Audit trail (/var/log/ncgate/audit.jsonl)", 0 },
	{ "audit-max-size", OPTION_AUDIT_MAX_SIZE, "SIZE", 0,
	  "Begin another file before it is larger: bytes, or with K, M, G; 0: never (64M)", 0 },
	{ "audit-max-age", OPTION_AUDIT_MAX_AGE, "AGE", 0,
	  "Begin another file when it is older: seconds, or with m, h, d; 0: never (0)", 0 },
	{ "audit-keep", OPTION_AUDIT_KEEP, "N", 0,
	  "Older files that are kept; 0: all (16)", 0 },
	{ "audit-keep-age", OPTION_AUDIT_KEEP_AGE, "AGE", 0,
	  "More are kept while they are younger: seconds, or with m, h, d (0)", 0 },
	{ "audit-keep-size", OPTION_AUDIT_KEEP_SIZE, "SIZE", 0,
	  "And not more than so much of them: bytes, or with K, M, G; 0: no bound (0)", 0 },
	{ "audit-remove-age", OPTION_AUDIT_REMOVE_AGE, "AGE", 0,
	  "Remove older files when they are older; 0: never (0)", 0 },
	{ "no-journal", OPTION_NO_JOURNAL, NULL, 0, "No audit records to the journal", 0 },
	{ "no-kernel-audit", OPTION_NO_KERNEL_AUDIT, NULL, 0,
	  "No audit records to the kernel's audit subsystem", 0 },
	{ "listen", 'l', "ADDRESS:PORT", 0, "Where to serve /metrics (127.0.0.1:9188)", 0 },
	{ "control", OPTION_CONTROL, "SOCKET", 0,
	  "Socket for ncgate (" NCG_CONTROL_PATH ")", 0 },
	{ "hazards", OPTION_HAZARDS, "FILE", 0, "Table of known hazards (" NCG_HAZARDS_PATH ")",
	  0 },
	{ "names", OPTION_NAMES, "FILE", 0,
	  "Where is kept what names of devices stand for (" NCG_POLICY_KNOWN_PATH ")", 0 },
	{ "walk-share", OPTION_WALK_SHARE, "PERCENT", 0,
	  "Share of one CPU for reading stage-2 tables (1)", 0 },
	{ "remove-state", OPTION_REMOVE_STATE, NULL, 0,
	  "Detach all programs, remove the pinned state and exit", 0 },
	{ "verbose", 'v', NULL, 0, "Say more", 0 },
	{ 0 },
};

const char *argp_program_version = "ncgated " NCG_VERSION;

/* A number that may have one of `units` behind it, which stand for `factors`. */
static uint64_t number(struct argp_state *state, const char *arg, const char *units,
		       const uint64_t *factors)
{
	unsigned long long value;
	uint64_t result = 0;
	const char *unit;
	char *end;

	errno = 0;
	value = strtoull(arg, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (*arg < '0' || *arg > '9' || errno || (*end && (!unit || end[1])) ||
	    __builtin_mul_overflow(value, unit ? factors[unit - units] : 1, &result) ||
	    result > INT64_MAX)
		argp_error(state, "'%s' is not a number%s%s", arg, *units ? ", or one with " : "",
			   units);
	return result;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	static const uint64_t sizes[] = { 1 << 10, 1 << 20, 1 << 30 };
	static const uint64_t ages[] = { 60, 3600, 86400 };
	struct options *options = state->input;
	char *end;

	switch (key) {
	case 'c':
		options->config = arg;
		return 0;
	case 'a':
		options->audit.path = arg;
		return 0;
	case OPTION_AUDIT_MAX_SIZE:
		options->audit.limits.max_size = number(state, arg, "KMG", sizes);
		return 0;
	case OPTION_AUDIT_MAX_AGE:
		options->audit.limits.max_age = number(state, arg, "mhd", ages);
		return 0;
	case OPTION_AUDIT_KEEP:
		options->audit.limits.keep = number(state, arg, "", NULL);
		return 0;
	case OPTION_AUDIT_KEEP_AGE:
		options->audit.limits.keep_age = number(state, arg, "mhd", ages);
		return 0;
	case OPTION_AUDIT_KEEP_SIZE:
		options->audit.limits.keep_size = number(state, arg, "KMG", sizes);
		return 0;
	case OPTION_AUDIT_REMOVE_AGE:
		options->audit.limits.remove_age = number(state, arg, "mhd", ages);
		return 0;
	case OPTION_NO_JOURNAL:
		options->audit.journal = false;
		return 0;
	case OPTION_NO_KERNEL_AUDIT:
		options->audit.kernel = false;
		return 0;
	case 'l':
		if (!ncg_http_address_ok(arg))
			argp_error(state, "'%s' is not an ADDRESS:PORT to listen on", arg);
		options->listen = arg;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case OPTION_CONTROL:
		options->control = arg;
		return 0;
	case OPTION_HAZARDS:
		options->hazards = arg;
		return 0;
	case OPTION_NAMES:
		options->names = arg;
		return 0;
	case OPTION_WALK_SHARE:
		options->walk_share = strtod(arg, &end);
		if (end == arg || *end || !(options->walk_share > 0) || options->walk_share > 100)
			argp_error(state, "'%s' is no percentage above 0", arg);
		return 0;
	case OPTION_REMOVE_STATE:
		options->remove_state = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not an option; ncgated takes no arguments", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* -------------------------------------------------------------------- policy */

/* Says why a policy is not put in force, all of it. */
static void tell_refusal(const struct daemon *d, const struct ncg_policy_loaded *loaded)
{
	ncg_autofree char *copy = loaded->refusal ? strdup(loaded->refusal) : NULL;
	char *rest = copy, *line;

	if (!copy)
		ncg_log_error(loaded->error, "the policy %s cannot be read", d->options.config);
	while (rest && (line = strsep(&rest, "\n")))
		if (*line)
			ncg_log_error(0, "%s", line);
}

#define REVIEW_LINES_MAX 10 /* what a policy is warned of; `ncgate check` has more */

/* Warns of rules that can never decide: the policy is good, and likely not meant so. */
static void warn_of_rules(const struct ncg_policy_loaded *loaded, const char *path)
{
	const struct ncg_policy_findings *findings = loaded->findings;
	size_t shown;

	if (!findings) {
		ncg_log_error(-ENOMEM, "the rules of %s are not reviewed", path);
		return;
	}
	shown = findings->count < REVIEW_LINES_MAX ? findings->count : REVIEW_LINES_MAX;
	for (size_t i = 0; i < shown; i++) {
		ncg_autofree char *sentence =
			ncg_policy_finding_format(loaded->policy, &findings->list[i]);

		ncg_warning("%s", sentence ? sentence : "no memory");
	}
	if (findings->count + findings->more > shown)
		ncg_warning("%zu more rules can never decide; see `ncgate check %s`",
			    findings->count + findings->more - shown, path);
}

/* Puts a policy in force and says so in the trail. */
static int enforce(struct daemon *d, const struct ncg_policy_loaded *loaded)
{
	const struct ncg_policy *policy = loaded->policy;
	struct ncg_phead head;
	bool changed;
	int r = ncg_gate_load_compiled(ncg_programs_map(d->programs, "policy"), loaded->compiled,
				       &head, &changed);

	if (r)
		return r;
	d->sources.policy_loaded = time(NULL);
	ncg_info("policy %s %s: generation %llu, mode %s, default %s, %u rules",
		 d->options.config, changed ? "in force" : "unchanged", head.generation,
		 ncg_names_mode(head.mode), ncg_names_verdict(head.fallback), head.rules);
	warn_of_rules(loaded, d->options.config);
	ncg_programs_follow(d->programs, &head);
	if (changed)
		ncg_audit_write_kept(d->audit, "policy_load",
				json_pack("{s:o, s:I, s:o, s:s, s:s, s:I, s:o*}", "file",
					  ncg_json_string(d->options.config), "generation",
					  (json_int_t)head.generation, "sha256",
					  ncg_json_sha256(head.sha256), "mode",
					  ncg_names_mode(head.mode), "default",
					  ncg_names_verdict(head.fallback), "rules",
					  (json_int_t)head.rules, "names",
					  policy->named_count ?
						  ncg_name_watch_names_json(policy) : NULL));
	ncg_name_watch_enforced(d->names, policy, d->options.config, &head, d->audit);
	ncg_audit_sync(d->audit);
	return 0;
}

/* A policy that is not taken, with what is wrong with it (NULL: error says it). */
static void record_refusal(struct daemon *d, int error, const char *refusal)
{
	ncg_audit_write_kept(d->audit, "policy_refused",
			json_pack("{s:o, s:s, s:o?}", "file",
				  ncg_json_string(d->options.config), "error",
				  ncg_log_errno_name(-error), "message",
				  refusal ? ncg_json_string(refusal) : NULL));
	ncg_audit_sync(d->audit);
}

/*
 * Looks, once for each program that comes to decide, at what was mapped before it, and
 * says so: such a BAR keeps its memory type whatever the policy says, until its guest
 * ends.
 */
static void count_before_gate(struct daemon *d)
{
	ncg_autofree struct ncg_mapped *mapped = NULL;
	enum ncg_grade grade = ncg_programs_grade(d->programs);
	__u64 known;
	ssize_t count;

	if (!ncg_programs_decide(d->programs) ||
	    ncg_programs_before_gate(d->programs, &known) != -ENODATA)
		return;
	count = ncg_mapped_read(&mapped);
	if (count > 0)
		ncg_warning("%zd mappings of BARs are older than the program that decides; they "
			    "keep their memory type until their guests end", count);
	ncg_events_gate(d->events, grade, mapped, count);
	if (count >= 0)
		ncg_programs_note_before_gate(d->programs, count);
}

static void decide_bar(void *arg, const struct ncg_device *device, unsigned int bar,
		       struct ncg_decision *ret_decision)
{
	struct daemon *d = arg;
	struct ncg_tuple tuple = ncg_verdict_tuple(device, bar, NULL);

	ncg_gate_decide(ncg_programs_map(d->programs, "policy"), &tuple, NULL, ret_decision);
}

static void decide_mapping(void *arg, const struct ncg_tuple *tuple, const char *cgroup,
			   struct ncg_decision *ret_decision)
{
	struct daemon *d = arg;

	ncg_gate_decide(ncg_programs_map(d->programs, "policy"), tuple, cgroup, ret_decision);
}

static bool find_decided(void *arg, const struct ncg_decided_key *key,
			 struct ncg_decided *ret_decided)
{
	struct daemon *d = arg;

	return !bpf_map_lookup_elem(ncg_programs_map(d->programs, "decided"), key, ret_decided);
}

/* Guests that run are held against the policy, and the maps against their room. */
static void look_at_guests(struct daemon *d)
{
	__u64 counters[NCG_CTR_NR];

	ncg_view_look(&d->sources);
	if (!ncg_programs_counters(d->programs, counters))
		ncg_map_watch_look(d->map_watch, counters,
				   ncg_inventory_bars(d->inventory).left_out);
}

/* Holds the policy in force against the hazards of this host; says what is new. */
static void look_at_hazards(struct daemon *d)
{
	struct ncg_phead head = { .fallback = NCG_VERDICT_NONE };
	struct ncg_hazard_policy policy = { .decide = decide_bar, .arg = d };

	ncg_gate_read(ncg_programs_map(d->programs, "policy"), &head);
	policy.fallback = head.fallback;
	policy.enforced = head.mode == NCG_MODE_ENFORCE &&
			  ncg_programs_grade(d->programs) != NCG_GRADE_NONE;
	policy.kernel = ncg_kernel_default(NULL, d->sources.change);
	ncg_hazard_watch_look(d->hazards, NULL, ncg_inventory_devices(d->inventory), &policy,
			      d->audit);
}

/* Whether an absent vfio-pci-core has the hook shows once it is loaded. */
static void look_at_kernel(struct daemon *d)
{
	d->sources.change_known = !ncg_kernel_change(&d->sources.change);
	if (d->sources.change_known)
		ncg_info("kernel: %s", ncg_kernel_change_text(d->sources.change));
}

static void attach(struct daemon *d)
{
	if (!ncg_programs_attach(d->programs))
		return;
	count_before_gate(d);
	look_at_kernel(d);
	look_at_hazards(d);
}

static void on_loaded(void *arg, struct ncg_policy_loaded *loaded);

/* Asks for the policy to be read; what comes of it is on_loaded()'s. */
static void reload(struct daemon *d)
{
	struct ncg_policy_loaded loaded = { 0 };

	/* logrotate's signal is the same one. */
	ncg_audit_reopen(d->audit);
	/* What is being read may be older than what was asked for now. */
	d->reload_again = ncg_policy_load_runs(d->load);
	if (d->reload_again)
		return;
	sd_notify(0, "RELOADING=1");
	loaded.error = ncg_policy_load_begin(d->load, d->options.config,
					     ncg_name_watch_known(d->names));
	if (loaded.error)
		on_loaded(d, &loaded);
}

static void on_loaded(void *arg, struct ncg_policy_loaded *loaded)
{
	struct daemon *d = arg;
	int r = loaded->error;

	if (r)
		tell_refusal(d, loaded);
	else
		r = enforce(d, loaded);
	ncg_programs_retry(d->programs);
	attach(d);
	d->sources.last_reload_ok = !r;
	if (r) {
		ncg_log_error(r, "the policy in force stays");
		record_refusal(d, r, loaded->refusal);
	}
	look_at_hazards(d);
	ncg_view_look(&d->sources);
	sd_notify(0, "READY=1");
	if (d->reload_again)
		reload(d);
}

/* ------------------------------------------------------------------ callbacks */

/* Has the walk go on in the background after so many nanoseconds, above 0. */
static void kick_walk(struct daemon *d, __u64 wait)
{
	const struct itimerspec next = {
		.it_value = { .tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000 },
	};

	timerfd_settime(d->walk_timer, 0, &next, NULL);
}

/* What a loss has hidden, or what was there before this daemon. */
static void look_for_missing(struct daemon *d)
{
	__u64 counters[NCG_CTR_NR], losses = ncg_audit_errors(d->audit);

	if (!ncg_programs_counters(d->programs, counters))
		losses += counters[NCG_CTR_EVENTS_LOST];
	if (ncg_missing_look(&d->missing, d->events, d->walk, d->inventory, losses))
		kick_walk(d, 1);
}

static void on_signal(void *arg, uint32_t ready)
{
	struct daemon *d = arg;
	struct signalfd_siginfo info;

	(void)ready;
	if (read(d->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		reload(d);
	else
		ncg_loop_stop(d->loop);
}

static void on_events(void *arg, uint32_t ready)
{
	struct daemon *d = arg;

	(void)ready;
	ncg_events_drain_some(d->events);
}

/* The walk's work in the background; it says when it wants to go on. */
static void on_walk_timer(void *arg, uint32_t ready)
{
	struct daemon *d = arg;
	uint64_t ticks;

	(void)ready;
	if (read(d->walk_timer, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	/* 0 would stop the timer. */
	kick_walk(d, ncg_walk_background(d->walk) + 1);
}

/* The whole BAR around an address, for the walk. */
static bool bar_extent(void *arg, __u64 phys, __u64 *ret_start, __u64 *ret_size)
{
	const struct ncg_device *device;
	unsigned int bar;

	device = ncg_devices_lookup(ncg_inventory_devices(arg), phys, &bar);
	if (!device)
		return false;
	*ret_start = device->bars[bar].start;
	*ret_size = device->bars[bar].size;
	return true;
}

static int render_metrics(void *arg, char **ret_text, size_t *ret_size)
{
	struct daemon *d = arg;

	/* What has happened before the scrape is in the trail before it is shown. */
	ncg_events_drain(d->events);
	look_at_hazards(d);
	return ncg_view_metrics(&d->sources, ret_text, ret_size);
}

static json_t *answer(void *arg, const char *request)
{
	struct daemon *d = arg;

	ncg_events_drain(d->events);
	if (!strcmp(request, "status")) {
		look_at_hazards(d);
		return ncg_view_status(&d->sources);
	}
	if (!strcmp(request, "guests"))
		return ncg_view_guests(&d->sources);
	if (!strncmp(request, "walk:", strlen("walk:")))
		return ncg_view_walk_guest(&d->sources, request + strlen("walk:"));
	if (!strcmp(request, "devices"))
		return ncg_view_devices(&d->sources);
	return json_pack("{s:s}", "error", "unknown request");
}

/* What an attempt to serve has led to; said when it is not what it was before. */
static void note_served(int error, int *last, const char *what, const char *where)
{
	if (error && error != *last)
		ncg_log_error(error, "%s cannot be served at %s; tried again every second", what,
			      where);
	else if (!error && *last)
		ncg_info("%s are served at %s now", what, where);
	*last = error;
}

/* Metrics and the command are served as soon as their sockets can be had. */
static void serve(struct daemon *d)
{
	int fd, r;

	if (!d->http) {
		r = ncg_http_listen(d->options.listen, &fd);
		if (!r)
			r = ncg_http_open(d->loop, fd, render_metrics, d, &d->http);
		note_served(r, &d->http_error, "metrics", d->options.listen);
	}
	if (!d->control) {
		r = ncg_control_listen(d->options.control, &fd);
		if (!r)
			r = ncg_control_open(d->loop, fd, answer, d, &d->control);
		note_served(r, &d->control_error, "the command's questions", d->options.control);
	}
}

static void on_timer(void *arg, uint32_t ready)
{
	struct daemon *d = arg;
	uint64_t ticks;

	(void)ready;
	if (read(d->timer, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	/* The loop turns: systemd need not restart a daemon that hangs. */
	sd_notify(0, "WATCHDOG=1");
	attach(d);
	serve(d);
	ncg_events_drain_some(d->events);
	ncg_events_settle(d->events);
	ncg_audit_tick(d->audit);
	look_for_missing(d);
	/* Processes that ended leave nothing in the maps. */
	ncg_forget_decided(&d->forget, ncg_programs_map(d->programs, "decided"),
			   ncg_programs_map(d->programs, "shares"), NULL);
	if (++d->seconds % LOOK_AT_GUESTS_S == 0)
		look_at_guests(d);
}

/* ---------------------------------------------------------------------- start */

static int open_signals(struct daemon *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->signals < 0)
		return -errno;
	return ncg_loop_add(d->loop, d->signals, EPOLLIN, on_signal, d);
}

static int open_timer(struct daemon *d)
{
	struct itimerspec every = { .it_interval.tv_sec = 1, .it_value.tv_sec = 1 };

	d->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (d->timer < 0 || timerfd_settime(d->timer, 0, &every, NULL))
		return -errno;
	return ncg_loop_add(d->loop, d->timer, EPOLLIN, on_timer, d);
}

static int open_walk_timer(struct daemon *d)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1 };

	if (!d->walk)
		return 0;
	d->walk_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (d->walk_timer < 0 || timerfd_settime(d->walk_timer, 0, &soon, NULL))
		return -errno;
	return ncg_loop_add(d->loop, d->walk_timer, EPOLLIN, on_walk_timer, d);
}

/* What the kernel must have at all. */
static int check_kernel(void)
{
	if (access("/dev/kvm", F_OK)) {
		ncg_log_error(-errno, "/dev/kvm is missing: there are no guests to look after; is "
				      "KVM in this kernel, and was it started at EL2?");
		return NCG_EXIT_NO_KVM;
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		ncg_log_error(-errno, "/sys/kernel/btf/vmlinux is missing: the BPF programs need "
				      "a kernel with CONFIG_DEBUG_INFO_BTF=y");
		return NCG_EXIT_NO_BTF;
	}
	return NCG_EXIT_OK;
}

/* Which boot of the host: event numbers and CLOCK_BOOTTIME begin anew with each. */
static void read_boot_id(char ret_id[37])
{
	ncg_autofclose FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || fscanf(file, "%36s", ret_id) != 1)
		*ret_id = '\0';
}

static json_t *start_fields(const struct daemon *d)
{
	json_t *programs = json_object(), *fields;
	struct ncg_phead head;
	char boot_id[37];

	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		const struct ncg_program_status *s = ncg_programs_status(d->programs, p);

		json_object_set_new(programs, s->name,
				    json_string(s->older_build ? "older-build" :
						ncg_programs_state_name(s->state)));
	}
	read_boot_id(boot_id);
	fields = json_pack("{s:s, s:i, s:s, s:s, s:o}", "version", NCG_VERSION, "pid",
			   (int)getpid(), "boot_id", boot_id, "grade",
			   ncg_names_grade(ncg_programs_grade(d->programs)), "programs", programs);
	if (!ncg_gate_read(ncg_programs_map(d->programs, "policy"), &head))
		json_object_set_new(fields, "policy",
				    json_pack("{s:I, s:o}", "generation",
					      (json_int_t)head.generation, "sha256",
					      ncg_json_sha256(head.sha256)));
	return fields;
}

static int open_events(struct daemon *d)
{
	const struct ncg_ledger_maps maps = {
		.vm_ids = ncg_programs_map(d->programs, "vm_ids"),
		.uses = ncg_programs_map(d->programs, "uses"),
		.recorded = ncg_programs_map(d->programs, "recorded"),
		.vm_notes = ncg_programs_map(d->programs, "vm_notes"),
		.kept = ncg_programs_map(d->programs, "kept"),
		.sequences = ncg_programs_map(d->programs, "sequences"),
		.bars = ncg_programs_map(d->programs, "bars"),
		.shares = ncg_programs_map(d->programs, "shares"),
	};

	return ncg_events_open(ncg_programs_map(d->programs, "events"), &maps, d->audit,
			       d->inventory, &d->events);
}

static int exit_status_of_open(int error)
{
	switch (error) {
	case -EPROTO:
		return NCG_EXIT_LAYOUT;
	case -EBUSY:
		return NCG_EXIT_TAKEN;
	default:
		return NCG_EXIT_BPF;
	}
}

static int open_map_watch(struct daemon *d)
{
	struct ncg_map_watch_maps maps = { .shares = ncg_programs_map(d->programs, "shares") };

	for (enum ncg_watched_map m = 0; m < NCG_WATCHED_NR; m++)
		maps.fds[m] = ncg_programs_map(d->programs, ncg_map_watch_name(m));
	return ncg_map_watch_open(&maps, &d->map_watch);
}

/* From a policy to a running daemon: the gate first. Returns an exit status. */
static int start(struct daemon *d, const struct ncg_policy_loaded *loaded)
{
	const struct ncg_inventory_maps maps_of_bars = {
		.bars = ncg_programs_map(d->programs, "bars"),
		.regions = ncg_programs_map(d->programs, "regions"),
		.shares = ncg_programs_map(d->programs, "shares"),
	};
	/* Programs that observe look BARs up, so they are known before those are attached. */
	bool observing = !ncg_inventory_open(&maps_of_bars, &d->inventory) && !open_events(d);

	/* The policy first: the first decision is already made by it. */
	if (enforce(d, loaded))
		return NCG_EXIT_BPF;
	ncg_programs_attach(d->programs);
	look_at_kernel(d);
	/* What is attached decides, whatever keeps this daemon from showing it. */
	if (!observing)
		return NCG_EXIT_BPF;

	if (ncg_hazard_watch_open(d->options.hazards, &d->hazards))
		return NCG_EXIT_INTERNAL;
	/* Without the walk the counters still count. */
	ncg_walk_open(&(struct ncg_walk_options){
			      .share = d->options.walk_share / 100,
			      .vm_ids_fd = ncg_programs_map(d->programs, "vm_ids"),
			      .extent = bar_extent,
			      .extent_arg = d->inventory,
		      },
		      &d->walk);

	if (ncg_mismatch_watch_open(&(struct ncg_mismatch_policy){ decide_mapping, find_decided, d },
				    d->audit, &d->mismatches))
		return NCG_EXIT_INTERNAL;
	/* Without it command lines are read at each look. */
	ncg_guest_cache_new(&d->identities);

	if (open_map_watch(d))
		return NCG_EXIT_INTERNAL;

	d->sources = (struct ncg_sources){
		.programs = d->programs,
		.walk = d->walk,
		.inventory = d->inventory,
		.identities = d->identities,
		.audit = d->audit,
		.hazards = d->hazards,
		.mismatches = d->mismatches,
		.map_watch = d->map_watch,
		.names = d->names,
		.policy_file = d->options.config,
		.audit_file = d->options.audit.path,
		.policy_loaded = d->sources.policy_loaded,
		.last_reload_ok = true,
		.change = d->sources.change,
		.change_known = d->sources.change_known,
	};
	ncg_audit_write_kept(d->audit, "daemon_start", start_fields(d));
	ncg_audit_sync(d->audit);
	/* Also for a program that another daemon attached and did not count for. */
	count_before_gate(d);
	look_at_hazards(d);
	ncg_events_drain(d->events);

	if (ncg_policy_load_open(d->loop, on_loaded, d, &d->load) || open_signals(d) ||
	    open_timer(d) || open_walk_timer(d) ||
	    ncg_loop_add(d->loop, ncg_events_fd(d->events), EPOLLIN, on_events, d)) {
		ncg_log_error(0, "the event loop cannot be set up");
		return NCG_EXIT_INTERNAL;
	}
	serve(d);
	return NCG_EXIT_OK;
}

static int run(struct daemon *d)
{
	ncg_cleanup(ncg_policy_loaded_done) struct ncg_policy_loaded loaded = { 0 };
	int status, r;

	/* Nothing in the kernel is touched before all this holds. */
	if (ncg_name_watch_open(d->options.names, &d->names))
		return NCG_EXIT_INTERNAL;
	ncg_policy_load_now(d->options.config, ncg_name_watch_known(d->names), &loaded);
	if (loaded.error) {
		tell_refusal(d, &loaded);
		ncg_log_error(0, "not started; a policy that is in force stays in force");
		/* Where there is a trail. To make one is not what this start is about. */
		if (!access(d->options.audit.path, F_OK) &&
		    !ncg_audit_open(&d->options.audit, &d->audit))
			record_refusal(d, loaded.error, loaded.refusal);
		return NCG_EXIT_BAD_INPUT;
	}
	status = check_kernel();
	if (status)
		return status;
	if (ncg_audit_open(&d->options.audit, &d->audit) || ncg_loop_new(&d->loop)) {
		ncg_log_error(-ENOMEM, "no memory");
		return NCG_EXIT_INTERNAL;
	}
	r = ncg_programs_open(&d->programs);
	if (r)
		return exit_status_of_open(r);
	status = start(d, &loaded);
	/* Megabytes, for a large policy. */
	ncg_policy_loaded_done(&loaded);
	if (status)
		return status;

	ncg_info("ncgated " NCG_VERSION " runs; metrics at http://%s/metrics%s; enforcement grade: "
		 "%s", d->options.listen, d->http ? "" : " once it can be had",
		 ncg_names_grade(ncg_programs_grade(d->programs)));
	sd_notify(0, "READY=1");
	r = ncg_loop_run(d->loop);

	sd_notify(0, "STOPPING=1");
	ncg_events_finish(d->events);
	ncg_audit_write(d->audit, "daemon_stop", 0, json_pack("{s:i}", "pid", (int)getpid()));
	ncg_audit_sync(d->audit);
	if (ncg_programs_outlive(d->programs))
		ncg_info("ncgated ends; what is attached goes on deciding");
	else
		ncg_warning("ncgated ends, and nothing decides any more: no program that does is "
			    "pinned");
	return r ? NCG_EXIT_INTERNAL : NCG_EXIT_OK;
}

static void release(struct daemon *d)
{
	ncg_policy_load_close(d->load);
	ncg_control_close(d->control);
	ncg_http_close(d->http);
	ncg_hazard_watch_close(d->hazards);
	ncg_mismatch_watch_close(d->mismatches);
	ncg_map_watch_close(d->map_watch);
	ncg_guest_cache_free(d->identities);
	ncg_name_watch_close(d->names);
	ncg_walk_close(d->walk);
	ncg_events_close(d->events);
	ncg_inventory_close(d->inventory);
	ncg_programs_close(d->programs);
	ncg_audit_close(d->audit);
	ncg_loop_free(d->loop);
	ncg_cleanup_close(&d->signals);
	ncg_cleanup_close(&d->timer);
	ncg_cleanup_close(&d->walk_timer);
}

static int remove_state(void)
{
	int r = ncg_pins_remove();

	return !r ? NCG_EXIT_OK : r == -EBUSY ? NCG_EXIT_TAKEN : NCG_EXIT_BPF;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = parse_option,
		.doc = "Decides per PCI device whether a guest may have its BARs mapped "
		       "Normal-NC, shows what every guest really has, and keeps the record.",
	};
	struct daemon d = {
		.options = {
			.config = "/etc/ncgate/policy.conf",
			.audit = {
				.path = "/var/log/ncgate/audit.jsonl",
				.limits = { .max_size = 64 << 20, .keep = 16 },
				.journal = true,
				.kernel = true,
			},
			.listen = "127.0.0.1:9188",
			.control = NCG_CONTROL_PATH,
			.walk_share = 1,
			.hazards = NCG_HAZARDS_PATH,
			.names = NCG_POLICY_KNOWN_PATH,
		},
		.signals = -1,
		.timer = -1,
		.walk_timer = -1,
	};
	int status;

	argp_err_exit_status = NCG_EXIT_BAD_INPUT;
	argp_parse(&argp, argc, argv, 0, NULL, &d.options);
	ncg_log_open("ncgated", d.options.verbose ? NCG_LOG_DEBUG : NCG_LOG_INFO);
	if (d.options.remove_state)
		return remove_state();
	status = run(&d);
	release(&d);
	return status;
}
