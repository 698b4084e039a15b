// SPDX-License-Identifier: GPL-2.0-only
/*
 * baseline empty|linear|empty_map RULES: attaches one of baseline.bpf.c's programs, with
 * that many rules of which the last one fits the tests' ivshmem, and says `attached`. On
 * SIGTERM it prints what the kernel's statistics say of the program, as JSON, and ends;
 * nothing of it stays.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "baseline.h"
#include "baseline.skel.h"

static void fill(struct baseline_rule *rules, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		rules[i] = (struct baseline_rule){
			.value = i + 1 < count ? BASELINE_IDS(0x8086, i) :
						 BASELINE_IDS(0x1af4, 0x1110),
			.mask = ~0u,
			.answer = 1,
		};
}

int main(int argc, char **argv)
{
	unsigned int count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct bpf_prog_info info = { 0 };
	struct bpf_program *program, *each;
	struct baseline_bpf *baseline;
	__u32 size = sizeof(info);
	sigset_t signals;
	int signal, r;

	if (!count || count > BASELINE_RULES_MAX) {
		fputs("usage: baseline empty|linear|empty_map RULES\n", stderr);
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	baseline = baseline_bpf__open();
	program = baseline ? bpf_object__find_program_by_name(baseline->obj, argv[1]) : NULL;
	if (!program) {
		fprintf(stderr, "baseline: no program '%s'\n", argv[1]);
		return 2;
	}
	bpf_object__for_each_program(each, baseline->obj)
		bpf_program__set_autoload(each, each == program);
	if (baseline_bpf__load(baseline)) {
		perror("baseline: cannot be loaded");
		return 1;
	}
	fill(baseline->bss->rules, count);
	baseline->bss->rule_count = count;
	if (!bpf_program__attach(program)) {
		perror("baseline: cannot be attached");
		return 1;
	}
	puts("attached");
	fflush(stdout);
	sigwait(&signals, &signal);

	r = bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &size);
	if (r) {
		fprintf(stderr, "baseline: no statistics: %s\n", strerror(-r));
		return 1;
	}
	printf("{\"name\":\"%s\",\"rules\":%u,\"run_cnt\":%llu,\"run_time_ns\":%llu}\n", argv[1],
	       count, info.run_cnt, info.run_time_ns);
	return 0;
}
