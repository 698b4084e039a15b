// SPDX-License-Identifier: GPL-2.0-only
/*
 * The compiler and the decider against a naive reading of the same rules, first
 * match wins, field by field. Input: a policy's text up to the first NUL byte,
 * then bytes that devices are made from; each is asked as it is, and bent towards
 * every rule, which it then meets or misses by one bit. Keeps no state between
 * inputs.
 */
#include <errno.h>

#include "fuzz.h"
#include "policy.h"
#include "policy_native.h"

#define GENERATION 42
#define DEVICES_MAX 8
#define BENT_RULES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(const char *cgroup, const char *ancestor)
{
	size_t length = strlen(ancestor);

	return !ancestor[1] || (!strncmp(cgroup, ancestor, length) &&
				(!cgroup[length] || cgroup[length] == '/'));
}

static bool matches(const struct ncg_policy_rule *rule, const struct ncg_tuple *t,
		    const char *cgroup)
{
	const struct ncg_tuple *v = &rule->value, *m = &rule->mask;

	return (t->vendor & m->vendor) == v->vendor && (t->device & m->device) == v->device &&
	       (t->subvendor & m->subvendor) == v->subvendor &&
	       (t->subdevice & m->subdevice) == v->subdevice &&
	       (t->class_code & m->class_code) == v->class_code &&
	       (t->domain & m->domain) == v->domain && (t->bus & m->bus) == v->bus &&
	       (t->devfn & m->devfn) == v->devfn && (t->uid & m->uid) == v->uid &&
	       (!rule->bars || (t->bar < NCG_POLICY_BARS && (rule->bars >> t->bar & 1))) &&
	       (!rule->cgroup || within(cgroup, rule->cgroup));
}

static void compare(const struct ncg_policy *policy, struct ncg_compiled *compiled,
		    const struct ncg_tuple *tuple, const char *cgroup)
{
	const struct ncg_policy_rule *rule = NULL;
	struct ncg_tuple t = *tuple;
	struct ncg_choice choice;
	struct ncg_decision d;

	for (size_t i = 0; i < policy->rule_count && !rule; i++)
		if (matches(&policy->rules[i], tuple, cgroup))
			rule = &policy->rules[i];

	memset(&d, 0xaa, sizeof(d));
	ncg_decide(compiled, &t, (void *)cgroup, &choice);
	ncg_choice_record(compiled, &choice, &d);
	check(d.verdict == (rule ? rule->verdict : policy->fallback));
	check(d.reason == (rule ? NCG_REASON_RULE : NCG_REASON_DEFAULT));
	check(d.line == (rule ? rule->line : 0));
	check(!strcmp(d.file, rule ? policy->files[rule->file] : ""));
	check(d.audit == (rule ? rule->audit : 0));
	check(d.mode == policy->mode);
	check(d.generation == GENERATION);
	check(!memcmp(d.sha256, policy->sha256, sizeof(d.sha256)));
}

/* The cgroup that the rule asks for, or one below, above or beside it. Freed. */
static char *bend_cgroup(const struct ncg_policy_rule *rule, uint8_t way)
{
	const char *path = rule->cgroup && rule->cgroup[1] ? rule->cgroup : "";
	const char *suffix = !(way & 1) ? "" : way & 2 && *path ? "x" : "/x";
	char *cgroup = NULL, *slash;

	if (asprintf(&cgroup, "%s%s", path, suffix) < 0)
		abort();
	if (way & 4 && *cgroup) {
		/* above */
		slash = strrchr(cgroup, '/');
		*slash = '\0';
	} else if (way & 8 && *cgroup) {
		/* another of that length */
		cgroup[strlen(cgroup) - 1] ^= 1;
		if (cgroup[strlen(cgroup) - 1] == '/' || strlen(cgroup) == 1)
			cgroup[0] = '\0';
	}
	if (!*cgroup) {
		free(cgroup);
		cgroup = strdup("/");
	}
	return cgroup;
}

/* The device with all that the rule asks for. */
static struct ncg_tuple bend(const struct ncg_tuple *device, const struct ncg_policy_rule *rule)
{
	struct ncg_tuple t = *device;
	uint8_t *to = (uint8_t *)&t;
	const uint8_t *value = (const void *)&rule->value, *mask = (const void *)&rule->mask;

	for (size_t i = 0; i < sizeof(t); i++)
		to[i] = (to[i] & ~mask[i]) | value[i];
	if (rule->bars)
		t.bar = __builtin_ctz(rule->bars);
	return t;
}

static void ask(const struct ncg_policy *policy, struct ncg_compiled *compiled,
		struct input *input)
{
	for (size_t n = 0; n < DEVICES_MAX && (!n || input->size); n++) {
		struct ncg_tuple device, t;
		uint8_t bit[2];

		input_take(input, &device, sizeof(device));
		input_take(input, bit, sizeof(bit));
		device.zero = 0;
		device.cgroup = 0;
		compare(policy, compiled, &device, "/");
		for (size_t i = 0; i < policy->rule_count && i < BENT_RULES_MAX; i++) {
			const struct ncg_policy_rule *rule = &policy->rules[i];
			char *cgroup = bend_cgroup(rule, bit[1] >> 3);

			t = bend(&device, rule);
			check(matches(rule, &t, rule->cgroup ? rule->cgroup : "/"));
			compare(policy, compiled, &t, rule->cgroup ? rule->cgroup : "/");
			compare(policy, compiled, &t, cgroup);
			((uint8_t *)&t)[bit[0] % offsetof(struct ncg_tuple, cgroup)] ^=
				1 << bit[1] % 8;
			t.zero = 0;
			compare(policy, compiled, &t, cgroup);
			free(cgroup);
		}
	}
}

/* Every key is where a look-up finds it, once. */
static void check_compiled(const struct ncg_compiled *compiled)
{
	const struct ncg_phead *head = &compiled->elements[0].head;
	__u32 rules = 0;

	check(compiled->count == head->first_slot + head->slots);
	check(head->masks <= NCG_MASKS_MAX && head->rules <= NCG_RULES_MAX);
	for (__u32 i = head->first_slot; i < compiled->count; i++) {
		const struct ncg_pslot *slot = &compiled->elements[i].slot;

		if (!slot->key.space)
			continue;
		check(ncg_policy_slot((void *)compiled, head, &slot->key) == slot);
		rules += slot->key.space <= NCG_SPACE_MASK(NCG_MASKS_MAX - 1);
	}
	check(rules == head->rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\0', size) : NULL;
	const size_t text = end ? (size_t)(end - data) : size;
	struct input input = { data + text, size - text };
	struct ncg_compiled *compiled;
	struct ncg_policy *policy;
	char *why;
	int r;

	if (ncg_policy_parse_text("policy.conf", (const char *)data, text, &policy, NULL))
		return 0;
	input_take(&input, policy->sha256, 1); /* the NUL */
	input_take(&input, policy->sha256, 1);

	r = ncg_policy_compile(policy, GENERATION, &compiled);
	why = ncg_policy_compile_explain(policy);
	check(r == 0 || r == -E2BIG);
	check(!why == (r == 0) && !compiled == (r != 0));
	if (!r) {
		check_compiled(compiled);
		ask(policy, compiled, &input);
	}
	free(why);
	ncg_policy_compile_free(compiled);
	ncg_policy_free(policy);
	return 0;
}
