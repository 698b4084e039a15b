// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ncgate check`: reads policies exactly as the daemon does, up to the compiled
 * form, and says what came of it. Needs neither daemon nor privilege, and owns no
 * state. Fails closed: what the daemon would refuse, or what cannot be read, is
 * an error here.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cli.h"
#include "cli_table.h"
#include "json.h"
#include "log.h"
#include "names.h"
#include "policy_compile.h"
#include "policy_file.h"
#include "policy_review.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const char *const without_hook_names[] = {
	[NCG_WITHOUT_HOOK_AUDIT] = "audit",
	[NCG_WITHOUT_HOOK_TRAP] = "trap",
};
static_assert(ARRAY_SIZE(without_hook_names) == NCG_WITHOUT_HOOK_NR,
	      "a value of without-hook has no name");

/* ---------------------------------------------------------------------- errors */

/* Where there is only a sentence about a line; 0: about the file as a whole. */
static json_t *entry_of(const char *file, __u32 line, const char *sentence)
{
	return json_pack("{s:o, s:I, s:i, s:s, s:n, s:n, s:o}", "file", ncg_json_string(file),
			 "line", (json_int_t)line, "column", 0, "text", "", "expected", "nearest",
			 "message", ncg_json_string(sentence));
}

/* What is no error says so. */
static int add_warning(json_t *list, const char *file, __u32 line, const char *sentence)
{
	json_t *entry = entry_of(file, line, sentence);

	json_object_set_new(entry, "severity", json_string("warning"));
	return json_array_append_new(list, entry) ? -ENOMEM : 0;
}

static int add_sentence(json_t *list, const char *file, const char *sentence)
{
	return json_array_append_new(list, entry_of(file, 0, sentence)) ? -ENOMEM : 0;
}

static int add_error(json_t *list, const struct ncg_policy_error *error)
{
	ncg_autofree char *message = ncg_policy_error_format(error);
	json_t *entry;

	if (!message)
		return -ENOMEM;
	entry = json_pack("{s:o, s:I, s:I, s:o, s:s?, s:s?, s:o}", "file",
			  ncg_json_string(error->file), "line", (json_int_t)error->line,
			  "column", (json_int_t)error->column, "text",
			  ncg_json_string(error->text), "expected", error->expected, "nearest",
			  error->nearest, "message", ncg_json_string(message));
	return json_array_append_new(list, entry) ? -ENOMEM : 0;
}

static int add_errors(json_t *list, const char *file, const struct ncg_policy_errors *errors)
{
	char sentence[64];
	int r;

	for (size_t i = 0; i < errors->count; i++) {
		r = add_error(list, &errors->list[i]);
		if (r)
			return r;
	}
	if (!errors->more)
		return 0;
	snprintf(sentence, sizeof(sentence), "%zu more errors are not shown", errors->more);
	return add_sentence(list, file, sentence);
}

/* With list, into it; else to standard error. */
static int tell_errors(json_t *list, const char *file, const struct ncg_policy_errors *errors)
{
	ncg_autofree char *lines = NULL;

	if (list)
		return add_errors(list, file, errors);
	lines = ncg_policy_errors_format(errors);
	if (!lines)
		return -ENOMEM;
	fputs(lines, stderr);
	return 0;
}

static int tell_sentence(json_t *list, const char *file, const char *sentence)
{
	if (list)
		return add_sentence(list, file, sentence);
	fprintf(stderr, "%s\n", sentence);
	return 0;
}

/* ------------------------------------------------------------------- a good one */

/* A field of a hex id, or * where nothing of it counts. */
static void write_field(FILE *out, int digits, __u64 value, __u64 mask)
{
	if (mask)
		fprintf(out, "%0*llx", digits, value);
	else
		fputc('*', out);
}

/* Quoted where it must be. */
static void write_cgroup(FILE *out, const char *path)
{
	if (!strpbrk(path, " \t\"")) {
		fprintf(out, "cgroup=%s ", path);
		return;
	}
	fputs("cgroup=\"", out);
	for (; *path; path++)
		fprintf(out, *path == '"' ? "\"\"" : "%c", *path);
	fputs("\" ", out);
}

static void write_matches(FILE *out, const struct ncg_policy_rule *rule)
{
	const struct ncg_tuple *value = &rule->value, *mask = &rule->mask;
	const char *separator = "bar=";

	if (mask->subvendor || mask->subdevice) {
		fputs("subsystem=", out);
		write_field(out, 4, value->subvendor, mask->subvendor);
		fputc(':', out);
		write_field(out, 4, value->subdevice, mask->subdevice);
		fputc(' ', out);
	}
	if (mask->class_code) {
		/* As many digits as count: the base class, its sub, its interface. */
		int missing = __builtin_ctz(mask->class_code) / 4;

		fprintf(out, "class=%0*x ", 6 - missing, value->class_code >> 4 * missing);
	}
	if (mask->domain || mask->bus || mask->devfn) {
		fputs("slot=", out);
		write_field(out, 4, value->domain, mask->domain);
		fputc(':', out);
		write_field(out, 2, value->bus, mask->bus);
		fputc(':', out);
		write_field(out, 2, value->devfn >> 3, mask->devfn >> 3);
		fputc('.', out);
		write_field(out, 1, value->devfn & 7, mask->devfn & 7);
		fputc(' ', out);
	}
	for (unsigned int bar = 0; bar < NCG_POLICY_BARS; bar++) {
		if (!(rule->bars & 1u << bar))
			continue;
		fprintf(out, "%s%u", separator, bar);
		separator = ",";
	}
	if (rule->bars)
		fputc(' ', out);
	if (mask->uid)
		fprintf(out, "uid=%llu ", value->uid);
	if (rule->cgroup)
		write_cgroup(out, rule->cgroup);
	if (rule->audit)
		fputs("audit ", out);
}

/* The rule's conditions in the policy language's own words; the caller frees it. */
static char *format_matches(const struct ncg_policy_rule *rule)
{
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return NULL;
	write_field(out, 4, rule->value.vendor, rule->mask.vendor);
	fputc(':', out);
	write_field(out, 4, rule->value.device, rule->mask.device);
	fputc(' ', out);
	write_matches(out, rule);
	if (fclose(out)) {
		free(line);
		return NULL;
	}
	line[size - 1] = '\0'; /* the last blank */
	return line;
}

/*
 * A rule's conditions, and as a comment what its ids stand for: vendor and device, the
 * vendor alone, or nothing where pci.ids does not know it.
 */
static void add_matches(struct ncg_cli_table *table, const char *matches,
			const struct ncg_policy_rule *rule, struct ncg_pci_names *names)
{
	char vendor[NCG_DEVICE_NAME_LEN], device[NCG_DEVICE_NAME_LEN];
	const char *of_vendor = NULL, *of_device = NULL;

	if (rule->mask.vendor)
		of_vendor = ncg_pci_names_get(names, rule->value.vendor, -1, vendor,
					      sizeof(vendor));
	if (of_vendor && rule->mask.device)
		of_device = ncg_pci_names_get(names, rule->value.vendor, rule->value.device,
					      device, sizeof(device));
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s%s%s%s%s", matches,
			  of_vendor ? "  # " : "", of_vendor ? of_vendor : "",
			  of_device ? " " : "", of_device ? of_device : "");
}

static int print_rules(const struct ncg_cli *cli, const struct ncg_policy *policy,
		       struct ncg_pci_names *names)
{
	static const struct ncg_cli_column columns[] = {
		{ "RULE", false }, { "VERDICT", false }, { "MATCHES", false },
	};
	ncg_autotable struct ncg_cli_table *table =
		ncg_cli_table_new(columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[i];
		ncg_autofree char *matches = format_matches(rule);

		if (!matches)
			return -ENOMEM;
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%.*s:%u", NCG_PATH_LEN,
				  policy->files[rule->file], rule->line);
		ncg_cli_table_add(table, rule->verdict == NCG_VERDICT_ALLOW ? NCG_COLOUR_GREEN
									    : NCG_COLOUR_RED,
				  "%s", ncg_names_verdict(rule->verdict));
		add_matches(table, matches, rule, names);
	}
	return ncg_cli_table_print(table, stdout, cli->colours, 2);
}

static int print_policy(const struct ncg_cli *cli, const char *file,
			const struct ncg_policy *policy, struct ncg_pci_names *names)
{
	char sha256[NCG_SHA256_TEXT_LEN];

	ncg_cli_say("%s: mode %s, default %s, without-hook %s, %zu rule%s", file,
		    ncg_names_mode(policy->mode), ncg_names_verdict(policy->fallback),
		    without_hook_names[policy->without_hook], policy->rule_count,
		    policy->rule_count == 1 ? "" : "s");
	ncg_json_sha256_text(policy->sha256, sha256);
	printf("  sha256 %s\n", sha256);
	return policy->rule_count ? print_rules(cli, policy, names) : 0;
}

/* ------------------------------------------------------------------- warnings */

/* How the file was read: who else can change it. */
static int tell_warnings(json_t *list, const char *file, const struct ncg_policy *policy)
{
	int r = 0;

	for (size_t i = 0; !r && i < policy->warning_count; i++) {
		if (list)
			r = add_warning(list, file, 0, policy->warnings[i]);
		else
			ncg_warning("%s", policy->warnings[i]);
	}
	return r;
}

/* What to write in the place of a rule with a name. The caller frees it; NULL: no memory. */
static char *format_by_ids(const struct ncg_policy_rule *rule)
{
	ncg_autofree char *matches = format_matches(rule);
	char *line;

	if (!matches || asprintf(&line, "%s %s  # %s", ncg_names_verdict(rule->verdict), matches,
				 rule->name) < 0)
		return NULL;
	return line;
}

/* Of one rule with a name. 0 or -ENOMEM. */
static int tell_name(json_t *list, const struct ncg_policy *policy,
		     const struct ncg_policy_rule *rule)
{
	ncg_autofree char *instead = format_by_ids(rule), *sentence = NULL;
	int r = 0;

	if (!instead || asprintf(&sentence, "%.*s:%u: %s; write: %s", NCG_PATH_LEN,
				 policy->files[rule->file], rule->line,
				 rule->gone ? "pci.ids has lost its name, and ncgated goes on with "
					      "the ids of before" :
					      "an update of pci.ids may change what its name stands for",
				 instead) < 0) {
		sentence = NULL;
		return -ENOMEM;
	}
	if (list)
		r = add_warning(list, policy->paths[rule->file], rule->line, sentence);
	else
		ncg_warning("%s", sentence);
	return r;
}

#define NAMES_MAX NCG_POLICY_FINDINGS_MAX /* told; the rest are only counted */

/* 1: there are rules with names, what they say depends on pci.ids; 0: none; -ENOMEM. */
static int tell_names(json_t *list, const struct ncg_policy *policy)
{
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; !r && i < policy->rule_count; i++)
		if (policy->rules[i].name && count++ < NAMES_MAX)
			r = tell_name(list, policy, &policy->rules[i]);
	if (!r && count > NAMES_MAX && !list)
		ncg_warning("%zu more rules have names", count - NAMES_MAX);
	return r ? r : count > 0;
}

/*
 * 1: there are rules that can never decide; 0: none; -ENOMEM. That a device is not in
 * this host is a note for humans, and no finding.
 */
static int tell_review(json_t *list, const struct ncg_policy *policy,
		       const struct ncg_devices *devices)
{
	ncg_autofree struct ncg_policy_findings *findings = NULL;
	int r = ncg_policy_review(policy, devices, &findings), found = 0;

	for (size_t i = 0; !r && i < findings->count; i++) {
		const struct ncg_policy_finding *finding = &findings->list[i];
		const struct ncg_policy_rule *rule = &policy->rules[finding->rule];
		const bool note = finding->kind == NCG_POLICY_NO_DEVICE;
		ncg_autofree char *sentence = ncg_policy_finding_format(policy, finding);

		found |= !note;
		if (!sentence)
			r = -ENOMEM;
		else if (note && !list)
			ncg_cli_say("  note: %s", sentence);
		else if (!note && list)
			r = add_warning(list, policy->paths[rule->file], rule->line, sentence);
		else if (!note)
			ncg_warning("%s", sentence);
	}
	if (!r && findings->more && !list)
		printf("  note: %zu more are not shown\n", findings->more);
	return r ? r : found;
}

/* ---------------------------------------------------------------------- a file */

/*
 * 0; 1 when it is good and there are warnings of its rules; -EINVAL when the policy is
 * bad, and that was told; -ENOMEM.
 */
static int check_file(const struct ncg_cli *cli, const char *file,
		      const struct ncg_devices *devices, struct ncg_pci_names *names,
		      const struct ncg_policy_known *known, json_t *list)
{
	const struct ncg_policy_file_options options = { .known = known };
	ncg_cleanup(ncg_policy_errors_freep) struct ncg_policy_errors *errors = NULL;
	ncg_cleanup(ncg_policy_compile_freep) struct ncg_compiled *compiled = NULL;
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	ncg_autofree char *sentence = NULL;
	int r, told, found;

	r = ncg_policy_file_load_with(file, &options, &policy, &errors);
	if (r == -EINVAL && errors) {
		told = tell_errors(list, file, errors);
		return told ? told : r;
	}
	if (r == -ENOMEM)
		return r;
	if (r) {
		if (asprintf(&sentence, "%s: cannot be read: %s", file, strerror(-r)) < 0) {
			sentence = NULL;
			return -ENOMEM;
		}
		told = tell_sentence(list, file, sentence);
		return told ? told : -EINVAL;
	}
	r = ncg_policy_compile(policy, 1, &compiled);
	if (r == -E2BIG) {
		sentence = ncg_policy_compile_explain(policy);
		told = sentence ? tell_sentence(list, file, sentence) : -ENOMEM;
		return told ? told : -EINVAL;
	}
	if (!r && !list)
		r = print_policy(cli, file, policy, names);
	if (!r)
		r = tell_warnings(list, file, policy);
	if (r)
		return r;
	found = tell_names(list, policy);
	if (found < 0)
		return found;
	r = tell_review(list, policy, devices);
	return r ? r : found;
}

enum ncg_exit ncg_cli_check(const struct ncg_cli *cli, char *const *files, size_t count)
{
	json_t *list = cli->json ? json_array() : NULL;
	ncg_autopcinames struct ncg_pci_names *names = NULL;
	ncg_autodevices struct ncg_devices *devices = NULL;
	ncg_autoknown struct ncg_policy_known *known = ncg_cli_load_known(cli);
	enum ncg_exit status = NCG_EXIT_OK;
	ncg_autofree char *sysfs = NULL;
	int r = cli->json && !list ? -ENOMEM : 0;

	if (asprintf(&sysfs, "%s/sys", cli->root) < 0) {
		sysfs = NULL;
		r = -ENOMEM;
	}
	/* Where devices cannot be seen, none is missed. */
	if (!r && ncg_devices_read(sysfs, &devices))
		devices = NULL;
	if (!r)
		r = ncg_pci_names_open(NULL, &names);
	for (size_t i = 0; !r && i < count; i++) {
		r = check_file(cli, files[i], devices, names, known, list);
		if (r == -EINVAL) {
			status = NCG_EXIT_BAD_INPUT;
			r = 0;
		} else if (r > 0) {
			status = status ? status : NCG_EXIT_FINDINGS;
			r = 0;
		}
	}
	if (!r && list)
		r = ncg_cli_print_json(list);
	json_decref(list);
	if (r) {
		ncg_log_error(r, "the check was not finished");
		return NCG_EXIT_NOT_POSSIBLE;
	}
	return status;
}
