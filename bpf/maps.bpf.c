// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pinned maps and nothing else, so that they can be made before any program
 * is loaded, whatever the kernel thinks of the programs, and without the cost of
 * reading the kernel's types.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
