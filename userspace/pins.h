/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The folder in which everything of ncgate's is pinned, so that it outlives the daemon:
 * whose it is, which layout and build made it, and that one daemon at a time uses it.
 * Owns the folder, the lock on it and the map `layout`; what is pinned within belongs to
 * programs.h.
 *
 * It fails closed: a folder that others than root could have filled is never used.
 */
#ifndef NCGATE_PINS_H
#define NCGATE_PINS_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"

#define NCG_PINS_DIR "/sys/fs/bpf/ncgate"
#define NCG_PINS_MAPS_DIR NCG_PINS_DIR "/maps"
#define NCG_PINS_LINKS_DIR NCG_PINS_DIR "/links"
#define NCG_PINS_PATH_LEN 320 /* the folder and any name within it */

struct ncg_pins;

/*
 * Takes the folder for this daemon, made (mode 0700) when it is missing. build: digest of
 * this daemon's programs. A folder of another user's is moved aside and said so, for it
 * must not keep the gate from standing; root's own that others may write to is refused.
 * Until ncg_pins_note_build() no build counts as the one that made what is pinned.
 * Returns 0; -EBUSY when another daemon has it; -EPROTO when it is of another layout or
 * of none; -EPERM when it is not safe; or another -errno. All are logged. *ret_pins is
 * the caller's.
 */
int ncg_pins_open(const __u8 build[NCG_SHA256_LEN], struct ncg_pins **ret_pins);

/* Gives the folder back to the next daemon; what is pinned stays. Takes NULL. */
void ncg_pins_close(struct ncg_pins *pins);

/* Whether everything in it was pinned by this very build, to the end of its start. */
bool ncg_pins_of_this_build(const struct ncg_pins *pins);

/*
 * Everything that is attached is of this build now: the next start of it may take it all
 * over as it is. Called once that is true, never before. Returns 0 or -errno, logged.
 */
int ncg_pins_note_build(struct ncg_pins *pins);

/* Where the link of a program is pinned, by the program's name. */
void ncg_pins_link(const char *program, char ret_path[NCG_PINS_PATH_LEN]);

/* The id of the program behind a pinned link; 0 for none. */
__u32 ncg_pins_program(const char *path);

/*
 * Waits until programs are gone from the kernel, which detaches in its own time once the
 * last name of a link is gone. Ids may be 0. Returns 0, or -ETIMEDOUT after 10 seconds.
 */
int ncg_pins_wait_until_gone(const __u32 *ids, size_t count);

/*
 * Unpins every link whose name is not in the list: those of programs that only another
 * build has, and what a daemon left that was killed while it replaced one. Returns how
 * many, or -errno, logged.
 */
int ncg_pins_sweep_links(const char *const *names, size_t count);

/*
 * Detaches everything and removes the folder: decisions end, the kernel's own default
 * holds. Returns 0, also when there was nothing; -EBUSY beside a running daemon, with
 * nothing touched; or another -errno. All are logged.
 */
int ncg_pins_remove(void);

#endif
