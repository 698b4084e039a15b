// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMs of this host's KVM and copies of their table pages, by the programs of
 * walk.bpf.c. Owns the loaded programs and the buffers that they share. Takes no lock in
 * the kernel; where something cannot be had, who asks is told.
 */
#include "vms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cleanup.h"
#include "log.h"
#include "walk.skel.h"

struct vms {
	struct walk_bpf *skel;
	int vm_ids_fd;
	bool by_files; /* VMs are found by their files; one may be there twice */
	const struct ncg_vm *list;
};

static void *map_array(const struct bpf_map *map, bool write)
{
	/* The kernel rounds elements up to 8 bytes, and the whole up to a page. */
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = bpf_map__max_entries(map) * ((bpf_map__value_size(map) + 7) & ~7UL);
	void *at = mmap(NULL, (size + page - 1) & ~(page - 1),
			PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

/* What the program returned, or -errno where it could not be run. */
static int run_program(const struct bpf_program *program, void *context, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = context, .ctx_size_in = size);

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		return -errno;
	return (int)opts.retval;
}

static int copy_tables(void *arg, uint32_t count)
{
	struct vms *vms = arg;
	struct ncg_walk_batch batch = { .count = count };

	return run_program(vms->skel->progs.copy_tables, &batch, sizeof(batch));
}

static int load(struct vms *vms, struct ncg_scan_copier *ret_copier)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	__u32 batch = NCG_WALK_BATCH_BYTES / page_size;
	struct walk_bpf *skel = walk_bpf__open();
	int r;

	if (!skel)
		return ncg_log_error(-errno, "the walk programs cannot be opened");
	vms->skel = skel;
	skel->rodata->page_size = page_size;
	r = bpf_map__set_value_size(skel->maps.pages, page_size);
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.pages, batch);
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.requests, batch);
	if (!r && vms->vm_ids_fd >= 0)
		r = bpf_map__reuse_fd(skel->maps.vm_ids, vms->vm_ids_fd);
	if (!r)
		r = walk_bpf__load(skel);
	if (r)
		return ncg_log_error(r, "the walk programs cannot be loaded; "
					"stage-2 tables are not visible");
	vms->list = map_array(skel->maps.vms, false);
	*ret_copier = (struct ncg_scan_copier){
		.copy = copy_tables,
		.arg = vms,
		.requests = map_array(skel->maps.requests, true),
		.pages = map_array(skel->maps.pages, false),
		.page_size = page_size,
		.batch = batch,
	};
	if (!vms->list || !ret_copier->requests || !ret_copier->pages)
		return ncg_log_error(-errno, "the walk's buffers cannot be mapped");
	r = run_program(skel->progs.find_symbols, NULL, 0);
	if (r)
		return ncg_log_error(r, "stage-2 tables are not visible: %s",
				     r == -EPERM ?
				     "the kernel keeps its addresses (CAP_SYSLOG is needed)" :
				     "the kernel does not tell where its VMs are");
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct ncg_vm *x = a, *y = b;

	if (x->k_kvm != y->k_kvm)
		return x->k_kvm < y->k_kvm ? -1 : 1;
	return (x->nested > y->nested) - (x->nested < y->nested);
}

/* Runs the file iterator once; it fills `vms` as it is read to its end. */
static int search_files(struct vms *vms)
{
	char none[64];
	struct bpf_link *link = bpf_program__attach_iter(vms->skel->progs.find_vms, NULL);
	ncg_autoclose int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -errno;
	ssize_t n = fd < 0 ? fd : 0;

	if (fd >= 0)
		do {
			n = read(fd, none, sizeof(none));
		} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	if (fd >= 0 && n < 0)
		n = -errno;
	bpf_link__destroy(link);
	return n;
}

/*
 * Copies the description of every set of tables to *ret_vms, which the caller
 * frees. Returns their number or -errno.
 */
static ssize_t read_list(void *arg, struct ncg_vm **ret_vms)
{
	size_t count, unique = 0;
	struct vms *vms = arg;
	struct ncg_vm *list;
	int r = run_program(vms->skel->progs.list_vms, NULL, 0);

	vms->by_files = r == -ENOENT;
	if (vms->by_files)
		r = search_files(vms);
	if (r)
		return r;
	count = vms->skel->bss->listed;
	list = calloc(count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	memcpy(list, vms->list, count * sizeof(*list));
	*ret_vms = list;
	if (!vms->by_files)
		return count;
	qsort(list, count, sizeof(*list), by_address);
	for (size_t i = 0; i < count; i++)
		if (!i || by_address(&list[i], &list[i - 1]))
			list[unique++] = list[i];
	return unique;
}

/* Ids are never used twice; without one, where the programs do not observe, it stays unknown. */
static bool still_there(void *arg, const struct ncg_vm *vm)
{
	struct vms *vms = arg;
	__u64 id;

	if (!vm->id || vms->vm_ids_fd < 0)
		return true;
	return !bpf_map_lookup_elem(vms->vm_ids_fd, &vm->k_kvm, &id) && id == vm->id;
}

static bool truncated(void *arg)
{
	struct vms *vms = arg;

	return vms->skel->bss->truncated;
}

static void close_vms(void *arg)
{
	struct vms *vms = arg;

	/* The mappings go with the process; the programs and maps go here. */
	walk_bpf__destroy(vms->skel);
	free(vms);
}

int ncg_vms_open(int vm_ids_fd, struct ncg_walk_source *ret_source)
{
	struct vms *vms = calloc(1, sizeof(*vms));
	struct ncg_scan_copier copier = {};
	int r;

	if (!vms)
		return ncg_log_error(-ENOMEM, "no memory");
	vms->vm_ids_fd = vm_ids_fd;
	r = load(vms, &copier);
	if (r) {
		close_vms(vms);
		return r;
	}
	*ret_source = (struct ncg_walk_source){
		.list = read_list,
		.still_there = still_there,
		.truncated = truncated,
		.close = close_vms,
		.arg = vms,
		.copier = copier,
	};
	return 0;
}
