// SPDX-License-Identifier: GPL-2.0-only
#include "mapped.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cleanup.h"
#include "log.h"
#include "mapped.skel.h"

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

ssize_t ncg_mapped_read(struct ncg_mapped **ret_mapped)
{
	ncg_cleanup(mapped_bpf__destroy_cleanup) struct mapped_bpf *skel = mapped_bpf__open();
	ncg_cleanup(bpf_link__destroy_cleanup) struct bpf_link *link = NULL;
	ncg_autoclose int fd = -1;
	ssize_t size;
	int r;

	if (!skel)
		return ncg_log_error(-errno, "the search for mapped BARs cannot be opened");
	skel->rodata->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));
	r = mapped_bpf__load(skel);
	if (r)
		return ncg_log_error(r, "the search for mapped BARs cannot be loaded");
	link = bpf_program__attach_iter(skel->progs.mapped_bars, NULL);
	fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	size = fd < 0 ? -errno : read_all(fd, (char **)ret_mapped);
	if (size < 0)
		return ncg_log_error(size, "mapped BARs cannot be searched for");
	return size / sizeof(**ret_mapped);
}
