// SPDX-License-Identifier: GPL-2.0-only
/* A policy on its way into force: what comes of it, and that a loop goes on meanwhile. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "policy_load.h"
#include "tree.h"

static int set_up(void **state)
{
	(void)state;
	tree_make();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

/* Trust asks for root's files: elsewhere every policy is refused. */
static void as_root(void)
{
	if (getuid())
		skip();
}

/* So many rules, each for another device. */
static void write_policy(unsigned int rules)
{
	FILE *out = fopen(tree_path("policy.conf"), "w");

	assert_non_null(out);
	for (unsigned int i = 0; i < rules; i++)
		fprintf(out, "allow %04x:%04x\n", i >> 8, i & 0xff);
	assert_int_equal(fclose(out), 0);
}

static void test_now(void **state)
{
	ncg_cleanup(ncg_policy_loaded_done) struct ncg_policy_loaded loaded = { 0 };

	(void)state;
	as_root();
	tree_file("policy.conf", "allow 1:2\nallow 1:2\n");
	ncg_policy_load_now(tree_path("policy.conf"), NULL, &loaded);
	assert_int_equal(loaded.error, 0);
	assert_null(loaded.refusal);
	assert_int_equal(loaded.policy->rule_count, 2);
	assert_int_equal(loaded.compiled->elements[0].head.rules, 1);
	assert_int_equal(loaded.findings->count, 1);
	ncg_policy_loaded_done(&loaded);
	assert_null(loaded.policy);
}

static void expect_refusal(int error, const char *refusal)
{
	ncg_cleanup(ncg_policy_loaded_done) struct ncg_policy_loaded loaded = { 0 };

	ncg_policy_load_now(tree_path("policy.conf"), NULL, &loaded);
	assert_int_equal(loaded.error, error);
	assert_int_equal(!loaded.refusal, !refusal);
	if (refusal && !strstr(loaded.refusal, refusal))
		fail_msg("no '%s' in %s", refusal, loaded.refusal);
	assert_null(loaded.compiled);
	assert_null(loaded.findings);
}

static void test_refusals(void **state)
{
	(void)state;
	as_root();
	expect_refusal(-ENOENT, NULL);
	tree_file("policy.conf", "alow 1:2\n");
	expect_refusal(-EINVAL, "policy.conf:1:1: 'alow' is not a statement");
	assert_int_equal(chmod(tree_path("policy.conf"), 0666), 0);
	expect_refusal(-EINVAL, "can be written by others than root");
	assert_int_equal(chmod(tree_path("policy.conf"), 0644), 0);
	write_policy(NCG_RULES_MAX + 1);
	expect_refusal(-E2BIG, "has more than 65536 rules");
}

/* ------------------------------------------------------------------ in a loop */

struct world {
	struct ncg_loop *loop;
	struct ncg_policy_load *load;
	unsigned int results;
	unsigned int again; /* loads to be begun from done() */
	size_t rules;	    /* of the last result */
	int error;
	int busy; /* always ready: what else the loop has to do */
	unsigned int turns;
};

static void on_busy(void *arg, uint32_t events)
{
	struct world *world = arg;

	(void)events;
	world->turns++;
}

static void begin(struct world *world)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s", tree_path("policy.conf"));
	assert_int_equal(ncg_policy_load_begin(world->load, path, NULL), 0);
	assert_true(ncg_policy_load_runs(world->load));
}

static void on_done(void *arg, struct ncg_policy_loaded *loaded)
{
	struct world *world = arg;

	assert_false(ncg_policy_load_runs(world->load));
	world->results++;
	world->error = loaded->error;
	world->rules = loaded->policy ? loaded->policy->rule_count : 0;
	if (world->again) {
		world->again--;
		begin(world);
	} else {
		ncg_loop_stop(world->loop);
	}
}

static void open_world(struct world *world)
{
	assert_int_equal(ncg_loop_new(&world->loop), 0);
	assert_int_equal(ncg_policy_load_open(world->loop, on_done, world, &world->load), 0);
	world->busy = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(world->busy >= 0);
	assert_int_equal(ncg_loop_add(world->loop, world->busy, EPOLLIN, on_busy, world), 0);
}

static void close_world(struct world *world)
{
	ncg_policy_load_close(world->load);
	ncg_loop_free(world->loop);
	close(world->busy);
}

/* The loop deals with other things until there is a result. */
static void test_loop_goes_on(void **state)
{
	struct world world = { 0 };

	(void)state;
	as_root();
	write_policy(NCG_RULES_MAX);
	open_world(&world);
	begin(&world);
	assert_int_equal(world.results, 0);
	assert_int_equal(ncg_loop_run(world.loop), 0);
	assert_int_equal(world.results, 1);
	assert_int_equal(world.error, 0);
	assert_int_equal(world.rules, NCG_RULES_MAX);
	assert_true(world.turns > 0);
	close_world(&world);
}

static void test_one_after_another(void **state)
{
	struct world world = { .again = 20 };

	(void)state;
	as_root();
	write_policy(3);
	open_world(&world);
	begin(&world);
	assert_int_equal(ncg_loop_run(world.loop), 0);
	assert_int_equal(world.results, 21);
	assert_int_equal(world.rules, 3);
	/* A bad one is a result as well. */
	tree_file("policy.conf", "alow 1:2\n");
	begin(&world);
	assert_int_equal(ncg_loop_run(world.loop), 0);
	assert_int_equal(world.results, 22);
	assert_int_equal(world.error, -EINVAL);
	close_world(&world);
}

/* Nobody hears of a result that comes after the end. */
static void test_close_while_it_runs(void **state)
{
	struct world world = { 0 };

	(void)state;
	as_root();
	write_policy(NCG_RULES_MAX);
	open_world(&world);
	begin(&world);
	close_world(&world);
	assert_int_equal(world.results, 0);
	ncg_policy_load_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_now),
		TEST(test_refusals),
		TEST(test_loop_goes_on),
		TEST(test_one_after_another),
		TEST(test_close_while_it_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
