// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfiomap: what of a VFIO device, and of other files, can be mapped. Gets the open
 * device as descriptor 10 (minivmm --exec) and tries each argument in turn:
 *
 *	bar0 … bar5, rom, config, vga	a page of that region
 *	beyond				a region that no device has
 *	private0 … private5		a BAR, but MAP_PRIVATE
 *	lengthA:N			BAR A, N bytes of it, N in hexadecimal
 *	remapA-B			a page of BAR A turned into one of BAR B by
 *					remap_file_pages(2)
 *	compatA				BAR A, in a 32-bit process (vfiomap32)
 *	readA, read-config		the region by pread(2), no mapping
 *	container			/dev/vfio/vfio, a file of the same module
 *	anonymous, memfd, PATH		memory without and with a file; a file
 *
 * Prints `WHAT ok` or `WHAT ERRNO` for each. Exit status 0, or 1 when something
 * could not be tried, which is not the same as refused.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICE	10
#define COMPAT	"/ncg/bin/vfiomap32"

/* VFIO_PCI_INDEX_TO_OFFSET() of include/linux/vfio_pci_core.h; indices by <linux/vfio.h>. */
#define OFFSET(index) ((off_t)(index) << 40)
enum { ROM = 6, CONFIG = 7, VGA = 8, BEYOND = 30 };

static size_t page;

static void give_up(const char *what)
{
	fprintf(stderr, "vfiomap: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* 0 or an errno value. */
static int try_length(int fd, off_t offset, int flags, size_t length)
{
	void *at = mmap(NULL, length, PROT_READ, flags, fd, offset);

	if (at == MAP_FAILED)
		return errno;
	munmap(at, length);
	return 0;
}

static int try_map(int fd, off_t offset, int flags)
{
	return try_length(fd, offset, flags, page);
}

static int try_file(int fd, const char *name)
{
	int r;

	if (fd < 0)
		give_up(name);
	r = try_map(fd, 0, MAP_SHARED);
	close(fd);
	return r;
}

static int try_memfd(void)
{
	int fd = memfd_create("vfiomap", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, page))
		give_up("memfd");
	return try_file(fd, "memfd");
}

static int try_read(int region)
{
	char byte;

	return pread(DEVICE, &byte, 1, OFFSET(region)) == 1 ? 0 : errno;
}

static int try_remap(int from, int to)
{
	void *at = mmap(NULL, page, PROT_READ, MAP_SHARED, DEVICE, OFFSET(from));
	int r;

	if (at == MAP_FAILED)
		give_up("remap: the BAR to start from cannot be mapped");
	r = remap_file_pages(at, page, 0, OFFSET(to) / page, 0) ? errno : 0;
	munmap(at, page);
	return r;
}

static int try_compat(const char *bar)
{
	pid_t child = fork();
	int status;

	if (!child) {
		execl(COMPAT, COMPAT, bar, NULL);
		_exit(255);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
	    WEXITSTATUS(status) == 255) {
		errno = ENOEXEC;
		give_up(COMPAT);
	}
	return WEXITSTATUS(status);
}

static int try(const char *what)
{
	size_t length;
	int from, to;

	if (sscanf(what, "length%d:%zx", &to, &length) == 2)
		return try_length(DEVICE, OFFSET(to), MAP_SHARED, length);
	if (sscanf(what, "bar%d", &to) == 1)
		return try_map(DEVICE, OFFSET(to), MAP_SHARED);
	if (sscanf(what, "private%d", &to) == 1)
		return try_map(DEVICE, OFFSET(to), MAP_PRIVATE);
	if (sscanf(what, "remap%d-%d", &from, &to) == 2)
		return try_remap(from, to);
	if (sscanf(what, "compat%d", &to) == 1)
		return try_compat(what + strlen("compat"));
	if (sscanf(what, "read%d", &to) == 1)
		return try_read(to);
	if (!strcmp(what, "read-config"))
		return try_read(CONFIG);
	if (!strcmp(what, "rom"))
		return try_map(DEVICE, OFFSET(ROM), MAP_SHARED);
	if (!strcmp(what, "config"))
		return try_map(DEVICE, OFFSET(CONFIG), MAP_SHARED);
	if (!strcmp(what, "vga"))
		return try_map(DEVICE, OFFSET(VGA), MAP_SHARED);
	if (!strcmp(what, "beyond"))
		return try_map(DEVICE, OFFSET(BEYOND), MAP_SHARED);
	if (!strcmp(what, "anonymous"))
		return try_map(-1, 0, MAP_PRIVATE | MAP_ANONYMOUS);
	if (!strcmp(what, "memfd"))
		return try_memfd();
	if (!strcmp(what, "container"))
		return try_file(open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC), what);
	if (what[0] == '/')
		return try_file(open(what, O_RDONLY | O_CLOEXEC), what);
	errno = EINVAL;
	give_up(what);
	return 0;
}

int main(int argc, char **argv)
{
	page = sysconf(_SC_PAGESIZE);
	for (int i = 1; i < argc; i++) {
		int r = try(argv[i]);

		printf("%s %s\n", argv[i], r ? strerrorname_np(r) : "ok");
	}
	return 0;
}
