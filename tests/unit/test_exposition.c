// SPDX-License-Identifier: GPL-2.0-only
/*
 * The metrics writer: its text to the byte, and its errors. With an argument the
 * program runs no test, but writes an output with every family to that file, for
 * `promtool check metrics`.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exposition.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static struct ncg_exposition *make(size_t limit)
{
	struct ncg_exposition *exposition = NULL;

	assert_int_equal(ncg_exposition_new(limit, &exposition), 0);
	return exposition;
}

static void check_text(struct ncg_exposition *exposition, const char *want)
{
	ncg_autofree char *text = NULL;
	size_t size = 0;

	assert_int_equal(ncg_exposition_finish(exposition, &text, &size), 0);
	assert_string_equal(text, want);
	assert_int_equal(size, strlen(want));
}

static void nothing(void **state)
{
	ncg_autoexposition struct ncg_exposition *e = make(0);

	(void)state;
	check_text(e, "");
	ncg_exposition_free(NULL);
}

static void families_come_in_fixed_order(void **state)
{
	ncg_autoexposition struct ncg_exposition *e = make(0);

	(void)state;
	/* Added guest by guest, as a daemon meets them. */
	ncg_exposition_u64(e, NCG_MF_GUEST_STAGE2_LEAVES, 512,
			   NCG_LABELS("7-100", "normal_wb", "4096"));
	ncg_exposition_u64(e, NCG_MF_GUEST_INFO, 1,
			   NCG_LABELS("7-100", "7", "vm", NULL, "qemu", "/a"));
	ncg_exposition_u64(e, NCG_MF_GUEST_STAGE2_LEAVES, 1,
			   NCG_LABELS("8-200", "normal_nc", "2097152"));
	ncg_exposition_u64(e, NCG_MF_GUESTS, 2, NCG_LABELS());
	check_text(e,
		   "# HELP ncgate_guests Virtual machines that exist now.\n"
		   "# TYPE ncgate_guests gauge\n"
		   "ncgate_guests 2\n"
		   "# HELP ncgate_guest_info Identity of a guest's virtual machine monitor; "
		   "always 1.\n"
		   "# TYPE ncgate_guest_info gauge\n"
		   "ncgate_guest_info{guest=\"7-100\",pid=\"7\",name=\"vm\",uuid=\"\","
		   "vmm=\"qemu\",cgroup=\"/a\"} 1\n"
		   "# HELP ncgate_guest_stage2_leaves Leaf entries in a guest's stage-2 tables, "
		   "by memory type and size in bytes.\n"
		   "# TYPE ncgate_guest_stage2_leaves gauge\n"
		   "ncgate_guest_stage2_leaves{guest=\"7-100\",type=\"normal_wb\","
		   "size=\"4096\"} 512\n"
		   "ncgate_guest_stage2_leaves{guest=\"8-200\",type=\"normal_nc\","
		   "size=\"2097152\"} 1\n");
}

static void label_values(void **state)
{
	static const struct {
		const char *value, *text;
	} rows[] = {
		{ "", "" },
		{ "plain 1.0", "plain 1.0" },
		{ "a\\b", "a\\\\b" },
		{ "a\"b", "a\\\"b" },
		{ "a\nb", "a\\\\x0ab" },
		{ "\\\"\n", "\\\\\\\"\\\\x0a" },
		{ "{}=,# ", "{}=,# " },
		/* what could steer a terminal */
		{ "\033[2J\xe2\x80\xae", "\\\\x1b[2J\\\\u202e" },
		/* UTF-8 of two, three and four bytes passes */
		{ "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		  "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		/* stray, short, overlong, surrogate, too high */
		{ "a\xff" "b", "a\xef\xbf\xbd" "b" },
		{ "\x80", "\xef\xbf\xbd" },
		{ "a\xc3", "a\xef\xbf\xbd" },
		{ "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xc3\"", "\xef\xbf\xbd\\\"" },
		{ "\xe2\x82\n", "\xef\xbf\xbd\xef\xbf\xbd\\\\x0a" },
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf5", "\xef\xbf\xbd" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ncg_autoexposition struct ncg_exposition *e = make(0);
		char want[512];

		ncg_exposition_u64(e, NCG_MF_BUILD_INFO, 1, NCG_LABELS(rows[i].value));
		snprintf(want, sizeof(want),
			 "# HELP ncgate_build_info The version of the running ncgated, as a "
			 "label; always 1.\n"
			 "# TYPE ncgate_build_info gauge\n"
			 "ncgate_build_info{version=\"%s\"} 1\n",
			 rows[i].text);
		check_text(e, want);
	}
}

static void numbers(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ -2.5, "-2.5" },
		{ 0.1, "0.1" },
		{ 0.30000000000000004, "0.30000000000000004" },
		{ 1763880000.25, "1763880000.25" },
		{ 1e300, "1e+300" },
		{ NAN, "NaN" },
		{ INFINITY, "+Inf" },
		{ -INFINITY, "-Inf" },
	};
	static const char head[] =
		"# HELP ncgate_walk_seconds_total Processor time spent walking stage-2 tables.\n"
		"# TYPE ncgate_walk_seconds_total counter\n";
	char want[512];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ncg_autoexposition struct ncg_exposition *e = make(0);

		ncg_exposition_double(e, NCG_MF_WALK_SECONDS_TOTAL, rows[i].value, NCG_LABELS());
		snprintf(want, sizeof(want), "%sncgate_walk_seconds_total %s\n", head,
			 rows[i].text);
		check_text(e, want);
	}

	ncg_autoexposition struct ncg_exposition *e = make(0);

	ncg_exposition_u64(e, NCG_MF_WALK_SECONDS_TOTAL, UINT64_MAX, NCG_LABELS());
	snprintf(want, sizeof(want), "%sncgate_walk_seconds_total 18446744073709551615\n", head);
	check_text(e, want);
}

static void counters(void **state)
{
	static const char *const lines[NCG_CTR_NR] = {
		[NCG_CTR_DECISIONS_ALLOW] = "\nncgate_decisions_total{verdict=\"allow\"} 100\n",
		[NCG_CTR_DECISIONS_DENY] = "\nncgate_decisions_total{verdict=\"deny\"} 101\n",
		[NCG_CTR_DECISIONS_NONE] = "\nncgate_decisions_total{verdict=\"none\"} 102\n",
		[NCG_CTR_BAR_MMAPS_GRANTED] =
			"\nncgate_bar_mmaps_total{result=\"granted\"} 103\n",
		[NCG_CTR_BAR_MMAPS_WITHHELD] =
			"\nncgate_bar_mmaps_total{result=\"withheld\"} 104\n",
		[NCG_CTR_BAR_MMAPS_FAILED] = "\nncgate_bar_mmaps_total{result=\"failed\"} 105\n",
		[NCG_CTR_STAGE2_MAPS_NORMAL_WB] =
			"\nncgate_stage2_maps_total{type=\"normal_wb\"} 106\n",
		[NCG_CTR_STAGE2_MAPS_NORMAL_NC] =
			"\nncgate_stage2_maps_total{type=\"normal_nc\"} 107\n",
		[NCG_CTR_STAGE2_MAPS_DEVICE_nGnRE] =
			"\nncgate_stage2_maps_total{type=\"device_nGnRE\"} 108\n",
		[NCG_CTR_STAGE2_MAP_FAILURES] = "\nncgate_stage2_map_failures_total 109\n",
		[NCG_CTR_VMS_CREATED] = "\nncgate_vms_created_total 110\n",
		[NCG_CTR_VMS_DESTROYED] = "\nncgate_vms_destroyed_total 111\n",
		[NCG_CTR_EVENTS_LOST] = "\nncgate_events_lost_total 112\n",
		[NCG_CTR_FULL_BARS] = "\nncgate_map_full_total{map=\"bars\"} 113\n",
		[NCG_CTR_FULL_REGIONS] = "\nncgate_map_full_total{map=\"regions\"} 114\n",
		[NCG_CTR_FULL_OPENED] = "\nncgate_map_full_total{map=\"opened\"} 115\n",
		[NCG_CTR_FULL_VM_IDS] = "\nncgate_map_full_total{map=\"vm_ids\"} 116\n",
		[NCG_CTR_FULL_DECIDED] = "\nncgate_map_full_total{map=\"decided\"} 117\n",
		[NCG_CTR_FULL_USES] = "\nncgate_map_full_total{map=\"uses\"} 118\n",
	};
	ncg_autoexposition struct ncg_exposition *e = make(0);
	ncg_autofree char *text = NULL;
	__u64 values[NCG_CTR_NR];
	size_t i;

	(void)state;
	for (i = 0; i < NCG_CTR_NR; i++)
		values[i] = 100 + i;
	ncg_exposition_counters(e, values);
	assert_int_equal(ncg_exposition_finish(e, &text, NULL), 0);
	for (i = 0; i < NCG_CTR_NR; i++) {
		assert_non_null(lines[i]);
		assert_non_null(strstr(text, lines[i]));
	}
}

static void errors_stick(void **state)
{
	(void)state;
	{
		ncg_autoexposition struct ncg_exposition *e = make(0);
		char *text = NULL;

		ncg_exposition_u64(e, NCG_MF_GUESTS, 1, NCG_LABELS());
		ncg_exposition_u64(e, NCG_MF_GUESTS, 1, NCG_LABELS("too many"));
		ncg_exposition_u64(e, NCG_MF_GUESTS, 1, NCG_LABELS());
		assert_int_equal(ncg_exposition_finish(e, &text, NULL), -EINVAL);
		assert_int_equal(ncg_exposition_finish(e, &text, NULL), -EINVAL);
		assert_null(text);
	}
	{
		ncg_autoexposition struct ncg_exposition *e = make(0);
		char *text = NULL;

		ncg_exposition_u64(e, NCG_MF_GUEST_STAGE2_BYTES, 1, NCG_LABELS("too few"));
		assert_int_equal(ncg_exposition_finish(e, &text, NULL), -EINVAL);
	}
	{
		ncg_autoexposition struct ncg_exposition *e = make(0);
		char *text = NULL;

		ncg_exposition_u64(e, NCG_MF_NR, 1, NCG_LABELS());
		assert_int_equal(ncg_exposition_finish(e, &text, NULL), -EINVAL);
	}
	{
		/* The first error is the one reported. */
		ncg_autoexposition struct ncg_exposition *e = make(20);
		char *text = NULL;

		ncg_exposition_u64(e, NCG_MF_GUESTS, 1, NCG_LABELS());
		ncg_exposition_u64(e, NCG_MF_GUESTS, 1, NCG_LABELS());
		ncg_exposition_u64(e, NCG_MF_NR, 1, NCG_LABELS());
		assert_int_equal(ncg_exposition_finish(e, &text, NULL), -ENOMEM);
		assert_null(text);
	}
	{
		/* A limit that is just met is met. */
		ncg_autoexposition struct ncg_exposition *e = make(16);

		ncg_exposition_u64(e, NCG_MF_GUESTS, 1, NCG_LABELS());
		check_text(e, "# HELP ncgate_guests Virtual machines that exist now.\n"
			      "# TYPE ncgate_guests gauge\n"
			      "ncgate_guests 1\n");
	}
}

static void it_grows(void **state)
{
	ncg_autoexposition struct ncg_exposition *e = make(0);
	ncg_autofree char *text = NULL;
	char guest[32];
	size_t size = 0, i, lines = 0;

	(void)state;
	for (i = 0; i < 20000; i++) {
		snprintf(guest, sizeof(guest), "%zu-%zu", i, i);
		ncg_exposition_u64(e, NCG_MF_GUEST_STAGE2_BYTES, i, NCG_LABELS(guest, "other"));
	}
	assert_int_equal(ncg_exposition_finish(e, &text, &size), 0);
	for (i = 0; i < size; i++)
		lines += text[i] == '\n';
	assert_int_equal(lines, 20002);
}

static void the_table_is_whole(void **state)
{
	size_t i, j, k;

	(void)state;
	for (i = 0; i < NCG_MF_NR; i++) {
		const struct ncg_family_desc *f = ncg_exposition_family(i);
		bool total;

		assert_non_null(f);
		assert_non_null(f->name);
		assert_non_null(f->help);
		assert_null(strpbrk(f->help, "\\\n"));
		assert_memory_equal(f->name, "ncgate_", 7);
		assert_true(strlen(f->name) > 6);
		total = !strcmp(f->name + strlen(f->name) - 6, "_total");
		assert_int_equal(total, f->type == NCG_FAMILY_COUNTER);
		for (j = 0; j < i; j++)
			assert_string_not_equal(f->name, ncg_exposition_family(j)->name);
		for (j = 0; f->labels[j]; j++)
			for (k = 0; k < j; k++)
				assert_string_not_equal(f->labels[j], f->labels[k]);
		assert_true(j <= NCG_FAMILY_LABELS_MAX);
	}
	assert_null(ncg_exposition_family(NCG_MF_NR));
}

/* Every family, with values that are hard to write. */
static int write_sample(const char *path)
{
	ncg_autoexposition struct ncg_exposition *e = NULL;
	ncg_autofree char *text = NULL;
	ncg_autofclose FILE *file = NULL;
	const char *labels[NCG_FAMILY_LABELS_MAX];
	size_t size, i, j;

	if (ncg_exposition_new(0, &e))
		return 1;
	for (i = 0; i < NCG_MF_NR; i++) {
		const struct ncg_family_desc *f = ncg_exposition_family(i);

		for (j = 0; f->labels[j]; j++)
			labels[j] = "quote \" backslash \\ newline \n bad \xff good \xc3\xa9";
		ncg_exposition_u64(e, i, UINT64_MAX, labels, j);
		if (!j)
			continue;
		labels[0] = "second";
		ncg_exposition_double(e, i, 0.30000000000000004, labels, j);
	}
	if (ncg_exposition_finish(e, &text, &size))
		return 1;
	file = fopen(path, "w");
	if (!file || fwrite(text, 1, size, file) != size)
		return 1;
	return fclose(ncg_take_ptr(file)) ? 1 : 0;
}

/* docs/metrics.md has a row for each family, with its type. */
static void the_reference_is_whole(void **state)
{
	const char *top = getenv("NCG_TOP");
	ncg_autofree char *path = NULL, *text = NULL;
	ncg_autofclose FILE *file = NULL;
	size_t room = 0;

	(void)state;
	assert_return_code(asprintf(&path, "%s/docs/metrics.md", top ? top : "."), 0);
	file = fopen(path, "r");
	assert_non_null(file);
	/* No NUL in it: the whole file is one "line". */
	assert_true(getdelim(&text, &room, '\0', file) > 0);
	for (enum ncg_family f = 0; f < NCG_MF_NR; f++) {
		const struct ncg_family_desc *family = ncg_exposition_family(f);
		ncg_autofree char *row = NULL;

		assert_return_code(asprintf(&row, "| `%s` | %s |", family->name,
					    family->type == NCG_FAMILY_GAUGE ? "gauge" :
									       "counter"), 0);
		if (!strstr(text, row))
			fail_msg("docs/metrics.md has no row %s", row);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(families_come_in_fixed_order),
		cmocka_unit_test(label_values),
		cmocka_unit_test(numbers),
		cmocka_unit_test(counters),
		cmocka_unit_test(errors_stick),
		cmocka_unit_test(it_grows),
		cmocka_unit_test(the_table_is_whole),
		cmocka_unit_test(the_reference_is_whole),
	};

	if (argc > 1)
		return write_sample(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
