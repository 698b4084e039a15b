/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps that the programs share with each other and with the daemon, pinned by
 * name so that they outlive all of them. maps.bpf.c makes them. The daemon replaces the
 * policy, keeps `recorded`, `vm_notes` and `kept`, and takes out of `decided` and `uses` what has
 * ended; `bars` has what it finds in sysfs and what the programs see mapped, `regions`
 * what they see without the devices that have left. The programs own everything else. Sizes
 * are the least; the daemon makes larger ones for a host that has more (map_sizes.h).
 */
#ifndef NCGATE_MAPS_BPF_H
#define NCGATE_MAPS_BPF_H

#include "abi.h"

/*
 * One compiled policy: index -> union ncg_pelement, by size because clang emits no
 * full types for an inner map. The real ones are as large as their policy is
 * (INNER_MAP), and filled through a mapping.
 */
struct ncg_policy_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(union ncg_pelement));
};

/* The policy in force: one slot, replaced by one pointer store. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct ncg_policy_map);
} policy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} events SEC(".maps");

/*
 * The last event number and the last VM id given out; the last event that the
 * daemon has dealt with.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NCG_SEQUENCE_NR);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} sequences SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NCG_CTR_NR);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} counters SEC(".maps");

/* Filled by the daemon from sysfs, and at each mmap of a BAR. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NCG_BARS_MIN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ncg_bar_key);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} bars SEC(".maps");

/* Host-physical address -> what a driver shows there as a BAR. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NCG_REGIONS_MIN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct ncg_region);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} regions SEC(".maps");

/*
 * A file of vfio's -> its device (BAR 0, size 0), noted when a BAR of it is mapped: for the
 * program that sees stage-2 maps, which may be there before vfio is and then knows nothing
 * of vfio's types. What is left of a file that was closed does no harm: another of vfio's
 * at its address is noted anew before it has a mapping. Of each device the last few are
 * kept (`opened_rings`), so that who opens one device often makes no other's forgotten.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NCG_DEVICES_MIN * NCG_OPENED_PER_DEVICE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ncg_opened_key);
	__type(value, struct ncg_region);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} opened SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NCG_DEVICES_MIN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct ncg_opened_ring);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} opened_rings SEC(".maps");

/* What each place has of the maps that one who maps it could fill; see share.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NCG_SHARES_MIN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ncg_share_key);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} shares SEC(".maps");

/* struct kvm * -> id. Ids are never used twice, addresses are. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NCG_VMS_KNOWN_MAX);
	__type(key, __u64);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} vm_ids SEC(".maps");

/* Written by whoever decides; the daemon takes out what has ended. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NCG_USES_MIN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ncg_decided_key);
	__type(value, struct ncg_decided);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} decided SEC(".maps");

/* What VMs have mapped; without room for it, a first mapping is reported again. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NCG_USES_MIN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ncg_use_key);
	__type(value, struct ncg_use);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} uses SEC(".maps");

/*
 * The daemon's alone, here because they must outlive it: which first mappings are in
 * the audit trail (bit t for memory type t), and which VMs, with who they are.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NCG_USES_MIN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ncg_use_key);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} recorded SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NCG_VMS_KNOWN_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct ncg_vm_note);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} vm_notes SEC(".maps");

/* The daemon's alone as well: what it counts and has not told yet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct ncg_kept);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} kept SEC(".maps");

#endif
