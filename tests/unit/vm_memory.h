/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs with stage-2 tables in this process's memory, as a source for a walk: pages of 4 KiB,
 * three levels, FWB. What a test writes into a table is what the walk finds; a page is
 * copied as the kernel's program copies one, its way down read again. Included by one .c
 * file each.
 */
#ifndef NCGATE_TEST_VM_MEMORY_H
#define NCGATE_TEST_VM_MEMORY_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "walk.h"

#define MEMORY_PAGE 4096UL
#define MEMORY_VMS 64
#define MEMORY_BATCH 8
#define MEMORY_TABLES 256 /* of one VM */

/* The descriptors' low bits: a table or page; a block. MemAttr[2:0] with FWB at bits 4:2. */
#define MEMORY_TABLE 3ULL
#define MEMORY_WB (6ULL << 2 | 1ULL << 10)
#define MEMORY_NC (5ULL << 2 | 1ULL << 10)
#define MEMORY_DEVICE (1ULL << 2 | 1ULL << 10)

struct memory_vm {
	struct ncg_vm vm;
	__u64 root_pointer; /* as KVM keeps pgd_phys */
	__u64 (*tables)[512];
	size_t table_count;
	bool gone; /* from the list */
};

struct memory_host {
	struct memory_vm vms[MEMORY_VMS];
	size_t count;
	struct ncg_walk_request requests[MEMORY_BATCH];
	char *pages;
	size_t copies; /* calls */
	size_t lists;
};

/* A VM of 39 bits of addresses: a root of level 1. */
static struct memory_vm *memory_vm(struct memory_host *host, __u32 pid)
{
	struct memory_vm *m = &host->vms[host->count];

	*m = (struct memory_vm){ .tables = aligned_alloc(MEMORY_PAGE, MEMORY_TABLES * MEMORY_PAGE) };
	memset(m->tables, 0, MEMORY_TABLES * MEMORY_PAGE);
	m->table_count = 1;
	m->root_pointer = (__u64)m->tables;
	m->vm = (struct ncg_vm){
		.k_kvm = 0xffff000000000000ULL + ++host->count * 4096,
		.k_root = (__u64)&m->root_pointer,
		/* physical is virtual here, and not to be 0 */
		.linear_offset = MEMORY_PAGE,
		.hcr = NCG_HCR_FWB,
		.vtcr = 0x80000000 | 2ULL << 16 /* 40 bits PA */ | 1 << 6 /* SL0 */ | 25,
		.id = host->count,
		.pid = pid,
		.start_boot_ns = 1000000000ULL * host->count,
		.ia_bits = 39,
		.start_level = 1,
		.vcpus = 1,
	};
	m->vm.pgd_phys = (__u64)m->tables - MEMORY_PAGE;
	m->root_pointer = m->vm.pgd_phys;
	return m;
}

/* The entry of a level for an address, its tables made. */
static __u64 *memory_entry(struct memory_vm *m, int level, __u64 ipa)
{
	__u64 *table = m->tables[0];

	for (int l = 1; l < level; l++) {
		__u64 *entry = &table[ipa >> (39 - 9 * l) & 511];

		if (!*entry)
			*entry = ((__u64)m->tables[m->table_count++] - MEMORY_PAGE) | MEMORY_TABLE;
		table = (__u64 *)((*entry & 0xfffffffff000ULL) + MEMORY_PAGE);
	}
	return &table[ipa >> (39 - 9 * level) & 511];
}

/* Maps pages one by one. */
static void memory_map(struct memory_vm *m, __u64 ipa, __u64 phys, __u64 size, __u64 attributes)
{
	for (__u64 at = 0; at < size; at += MEMORY_PAGE)
		*memory_entry(m, 3, ipa + at) = (phys + at) | attributes | 3;
}

static ssize_t memory_list(void *arg, struct ncg_vm **ret_vms)
{
	struct memory_host *host = arg;
	struct ncg_vm *list = calloc(host->count + 1, sizeof(*list));
	size_t count = 0;

	host->lists++;
	/* Newest first, as KVM has them. */
	for (size_t i = host->count; i-- > 0;)
		if (!host->vms[i].gone)
			list[count++] = host->vms[i].vm;
	*ret_vms = list;
	return count;
}

static bool memory_still_there(void *arg, const struct ncg_vm *vm)
{
	struct memory_host *host = arg;

	for (size_t i = 0; i < host->count; i++)
		if (host->vms[i].vm.k_kvm == vm->k_kvm && host->vms[i].vm.id == vm->id)
			return !host->vms[i].gone;
	return false;
}

static bool memory_truncated(void *arg)
{
	(void)arg;
	return false;
}

static void memory_close(void *arg)
{
	(void)arg;
}

static int memory_copy(void *arg, uint32_t count)
{
	struct memory_host *host = arg;

	host->copies++;
	for (uint32_t i = 0; i < count; i++) {
		struct ncg_walk_request *request = &host->requests[i];

		memcpy(host->pages + i * MEMORY_PAGE, (void *)request->table, MEMORY_PAGE);
		request->status = 0;
		for (__u32 s = 0; s < request->steps; s++)
			if (*(__u64 *)request->way[s].where != request->way[s].expect)
				request->status = s ? -ESTALE : -ESRCH;
	}
	return 0;
}

static struct ncg_walk_source memory_source(struct memory_host *host)
{
	host->pages = aligned_alloc(MEMORY_PAGE, MEMORY_BATCH * MEMORY_PAGE);
	return (struct ncg_walk_source){
		.list = memory_list, .still_there = memory_still_there,
		.truncated = memory_truncated, .close = memory_close, .arg = host,
		.copier = {
			.copy = memory_copy, .arg = host, .requests = host->requests,
			.pages = host->pages, .page_size = MEMORY_PAGE, .batch = MEMORY_BATCH,
		},
	};
}

static void memory_free(struct memory_host *host)
{
	for (size_t i = 0; i < host->count; i++)
		free(host->vms[i].tables);
	free(host->pages);
}

#endif
