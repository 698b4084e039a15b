// SPDX-License-Identifier: GPL-2.0-only
#include "mapped.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cleanup.h"
#include "log.h"
#include "map_sizes.h"
#include "mapped.skel.h"
#include "pins.h"

NCG_DEFINE_CLEANUP(struct mapped_bpf *, mapped_bpf__destroy)
NCG_DEFINE_CLEANUP(struct bpf_link *, bpf_link__destroy)

/* Reads a file to its end. Returns its size, *ret_data is then the caller's; or -errno. */
static ssize_t read_all(int fd, char **ret_data)
{
	ncg_autofree char *data = NULL;
	size_t size = 0, room = 0;
	ssize_t n;

	do {
		if (size == room) {
			char *more = realloc(data, room = room ? 2 * room : 4096);

			if (!more)
				return -ENOMEM;
			data = more;
		}
		n = read(fd, data + size, room - size);
		if (n > 0)
			size += n;
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	if (n < 0)
		return -errno;
	*ret_data = ncg_take_ptr(data);
	return size;
}

/*
 * Whether vfio is in the kernel, as a module or built in: it makes a class for the devices
 * that it opens (`vfio`, and since v6.1 `vfio-dev`). Without it nothing of it is mapped.
 */
static bool vfio_is_there(void)
{
	return !access("/sys/class/vfio-dev", F_OK) || !access("/sys/class/vfio", F_OK);
}

static int find_built_in(const struct mapped_bpf *skel)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.find_built_in), &opts))
		return -errno;
	return (int)opts.retval;
}

/* Both searches, loaded, upon the maps that are pinned; or NULL, logged, with errno set. */
static struct mapped_bpf *load(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = NCG_PINS_MAPS_DIR);
	struct mapped_bpf *skel = mapped_bpf__open_opts(&opts);
	int r;

	if (!skel) {
		ncg_log_error(-errno, "the search for mapped BARs cannot be opened");
		return NULL;
	}
	skel->rodata->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));
	r = ncg_map_sizes_set(skel->obj, NCG_PINS_MAPS_DIR, NULL);
	if (!r)
		r = mapped_bpf__load(skel);
	/* What is built in has no state of its own. */
	if (!r && access("/sys/module/vfio/initstate", F_OK))
		r = find_built_in(skel);
	if (r) {
		ncg_log_error(r, "the search for mapped BARs cannot be loaded");
		mapped_bpf__destroy(skel);
		errno = -r;
		return NULL;
	}
	return skel;
}

/*
 * Runs a search over the mappings of one process, or of all (pid 0), to its end. As
 * read_all(), logged.
 */
static ssize_t search(const struct bpf_program *program, __u32 pid, char **ret_data)
{
	union bpf_iter_link_info info = { .task.pid = pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = pid ? &info : NULL,
		    .link_info_len = pid ? sizeof(info) : 0);
	ncg_cleanup(bpf_link__destroy_cleanup) struct bpf_link *link =
		bpf_program__attach_iter(program, &opts);
	ncg_autoclose int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	ssize_t size = fd < 0 ? -errno : read_all(fd, ret_data);

	return size < 0 ? ncg_log_error(size, "mapped BARs cannot be searched for") : size;
}

ssize_t ncg_mapped_read(struct ncg_mapped **ret_mapped)
{
	ncg_cleanup(mapped_bpf__destroy_cleanup) struct mapped_bpf *skel = NULL;
	ssize_t size;

	if (!vfio_is_there()) {
		*ret_mapped = NULL;
		return 0;
	}
	skel = load();
	if (!skel)
		return -errno;
	size = search(skel->progs.mapped_bars, 0, (char **)ret_mapped);
	return size < 0 ? size : size / (ssize_t)sizeof(**ret_mapped);
}

int ncg_mapped_find_regions(const struct ncg_mapped_place *places, size_t count)
{
	ncg_cleanup(mapped_bpf__destroy_cleanup) struct mapped_bpf *skel = load();
	ssize_t size = 0;

	if (!skel)
		return -errno;
	for (size_t i = 0; i < count; i++) {
		ncg_autofree char *nothing = NULL;
		ssize_t r;

		skel->bss->asked_kvm = places[i].vm.k_kvm;
		skel->bss->asked_ipa = places[i].ipa;
		skel->bss->asked_phys = places[i].phys;
		r = search(skel->progs.region_of, places[i].vm.pid, &nothing);
		if (r < 0)
			size = r;
	}
	return size;
}
