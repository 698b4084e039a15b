// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies from real files, in a folder of this run under $TMPDIR or /tmp that
 * the group's teardown removes.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy_file.h"

static char folder[256];

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static const char *file_write(const char *name, const char *text, size_t size)
{
	const char *path = path_of(name);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, size, out), size);
	assert_int_equal(fclose(out), 0);
	return path;
}

static void expect_sha256(const struct ncg_policy *policy, const char *expected)
{
	char hex[2 * NCG_SHA256_LEN + 1];

	for (size_t i = 0; i < NCG_SHA256_LEN; i++)
		sprintf(hex + 2 * i, "%02x", policy->sha256[i]);
	assert_string_equal(hex, expected);
}

static int setup(void **state)
{
	const char *base = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/test_policy_file.XXXXXX", base ? base : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "good", "abc", "empty", "bad", "long", "exact" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlink(path_of(names[i]));
	return rmdir(folder);
}

static void test_good(void **state)
{
	const char text[] = "mode enforce\nallow 10de:2330 bar=0\n";
	const char *path = file_write("good", text, strlen(text));
	struct ncg_policy_errors *errors = (void *)1;
	struct ncg_policy *policy;

	(void)state;
	assert_int_equal(ncg_policy_file_load(path, &policy, &errors), 0);
	assert_null(errors);
	assert_int_equal(policy->mode, NCG_MODE_ENFORCE);
	assert_int_equal(policy->rule_count, 1);
	assert_int_equal(policy->rules[0].line, 2);
	assert_int_equal(policy->file_count, 1);
	assert_string_equal(policy->files[0], path);
	ncg_policy_free(policy);
	assert_int_equal(ncg_policy_file_load(path, &policy, NULL), 0);
	ncg_policy_free(policy);
}

/* FIPS 180-2: SHA-256 of "" (RFC 6234's test vectors too); the text as it is. */
static void test_sha256(void **state)
{
	struct ncg_policy *policy;

	(void)state;
	assert_int_equal(ncg_policy_file_load(file_write("empty", "", 0), &policy, NULL), 0);
	expect_sha256(policy, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(policy->mode, NCG_MODE_AUDIT);
	ncg_policy_free(policy);

	/* printf '#abc\r\n' | sha256sum */
	assert_int_equal(ncg_policy_file_load(file_write("abc", "#abc\r\n", 6), &policy, NULL), 0);
	expect_sha256(policy, "f8fb7de795130551345b078526a9d5752f25e1ee7226c35f8034588deb821b66");
	ncg_policy_free(policy);
}

static void test_io_errors(void **state)
{
	struct ncg_policy_errors *errors = (void *)1;
	struct ncg_policy *policy = (void *)1;

	(void)state;
	assert_int_equal(ncg_policy_file_load(path_of("absent"), &policy, &errors), -ENOENT);
	assert_null(policy);
	assert_null(errors);
	assert_int_equal(ncg_policy_file_load(folder, &policy, &errors), -EISDIR);
	assert_null(policy);
	assert_null(errors);
	assert_int_equal(ncg_policy_file_load("", &policy, NULL), -ENOENT);
}

static void test_bad(void **state)
{
	const char text[] = "mode audit\n alow 10de:2330\n";
	const char *path = file_write("bad", text, strlen(text));
	struct ncg_policy_errors *errors;
	struct ncg_policy *policy = (void *)1;
	char expected[512], *all;

	(void)state;
	assert_int_equal(ncg_policy_file_load(path, &policy, &errors), -EINVAL);
	assert_null(policy);
	snprintf(expected, sizeof(expected),
		 "%s:2:2: 'alow' is not a statement; expected mode, default, without-hook, "
		 "include, allow or deny (did you mean 'allow'?)\n", path);
	all = ncg_policy_errors_format(errors);
	assert_string_equal(all, expected);
	free(all);
	ncg_policy_errors_free(errors);
	assert_int_equal(ncg_policy_file_load(path, &policy, NULL), -EINVAL);
}

static void test_size_cap(void **state)
{
	struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy = NULL;
	char expected[512], *all, *text = malloc(NCG_POLICY_SIZE_MAX + 1);
	const char *path;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', NCG_POLICY_SIZE_MAX + 1);

	path = file_write("exact", text, NCG_POLICY_SIZE_MAX);
	assert_int_equal(ncg_policy_file_load(path, &policy, &errors), 0);
	ncg_policy_free(policy);

	path = file_write("long", text, NCG_POLICY_SIZE_MAX + 1);
	assert_int_equal(ncg_policy_file_load(path, &policy, &errors), -EINVAL);
	assert_null(policy);
	snprintf(expected, sizeof(expected),
		 "%s: the policy is too long; expected at most 16 MiB\n", path);
	all = ncg_policy_errors_format(errors);
	assert_string_equal(all, expected);
	free(all);
	free(text);
	ncg_policy_errors_free(errors);
}

/* What has no end must not be read for ever; the cap ends it. */
static void test_endless(void **state)
{
	struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy = NULL;
	char *all;

	(void)state;
	assert_int_equal(ncg_policy_file_load("/dev/zero", &policy, &errors), -EINVAL);
	all = ncg_policy_errors_format(errors);
	assert_string_equal(all, "/dev/zero: the policy is too long; expected at most 16 MiB\n");
	free(all);
	ncg_policy_errors_free(errors);
}

/* A pipe has no size and gives its text in pieces. */
static void test_pipe(void **state)
{
	struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy = NULL;
	char path[64];
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "allow *:*", 9), 9);
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	assert_int_equal(ncg_policy_file_load(path, &policy, &errors), 0);
	assert_int_equal(policy->rule_count, 1);
	ncg_policy_free(policy);
	close(ends[0]);
}

/* The policy that is shipped changes nothing, and parses. NCG_TOP: its folder. */
static void test_shipped(void **state)
{
	const char *top = getenv("NCG_TOP");
	struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy = NULL;
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s/policy.conf", top ? top : ".");
	if (access(path, F_OK) && !top)
		skip();
	assert_int_equal(ncg_policy_file_load(path, &policy, &errors), 0);
	assert_int_equal(policy->mode, NCG_MODE_AUDIT);
	assert_int_equal(policy->fallback, NCG_VERDICT_DENY);
	assert_int_equal(policy->without_hook, NCG_WITHOUT_HOOK_AUDIT);
	assert_int_equal(policy->rule_count, 0);
	ncg_policy_free(policy);
}

/* Its examples are commented out; an operator who uncomments one has a policy. */
static void test_shipped_examples(void **state)
{
	const char *top = getenv("NCG_TOP");
	struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy = NULL;
	char path[512], line[1024], *text;
	size_t size;
	FILE *in, *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	snprintf(path, sizeof(path), "%s/policy.conf", top ? top : ".");
	in = fopen(path, "r");
	if (!in && !top)
		skip();
	assert_non_null(in);
	while (fgets(line, sizeof(line), in))
		if (!strncmp(line, "#allow", 6) || !strncmp(line, "#deny", 5))
			fputs(line + 1, out);
	fclose(in);
	fclose(out);
	assert_int_equal(ncg_policy_parse_text("examples", text, size, &policy, &errors), 0);
	assert_int_equal(policy->rule_count, 9);
	ncg_policy_free(policy);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_io_errors),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_size_cap),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_shipped_examples),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
