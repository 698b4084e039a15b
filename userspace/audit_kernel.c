// SPDX-License-Identifier: GPL-2.0-only
#include "audit_kernel.h"

#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "record_text.h"

#define AUDIT_VIRT_RESOURCE 2501 /* libaudit.h of audit 4.0; not in the kernel's headers */

struct ncg_audit_kernel {
	int fd;
	__u32 sequence;
	char exe[PATH_MAX];
};

/* -------------------------------------------------------------------- the text */

/*
 * A value that somebody else chose, as ausearch decodes it: in quotes, or in
 * hexadecimal when there is a byte in it that could end the quotes or the field.
 */
static void put_value(FILE *out, const char *key, const char *value)
{
	bool plain = true;

	for (const char *at = value; *at; at++)
		plain &= *at > ' ' && *at < 0x7f && *at != '"';
	if (plain) {
		fprintf(out, " %s=\"%s\"", key, value);
		return;
	}
	fprintf(out, " %s=", key);
	for (const char *at = value; *at; at++)
		fprintf(out, "%02X", (unsigned char)*at);
}

static void put_head(FILE *out, const json_t *record, const char *kind, const char *reason)
{
	const char *uuid = ncg_record_string(json_object_get(record, "guest"), "uuid");

	fprintf(out, "virt=kvm resrc=%s reason=%s", kind, reason);
	put_value(out, "vm", ncg_record_guest_name(record));
	fprintf(out, " uuid=%s", *uuid ? uuid : "?");
}

static void put_tail(FILE *out, const json_t *record, const json_t *device, const char *exe,
		     bool success)
{
	const json_t *pid = json_object_get(json_object_get(record, "guest"), "pid");
	const json_t *seq = json_object_get(record, "seq");

	fputs(" bus=pci", out);
	put_value(out, "device", ncg_record_string(device, "slot"));
	fprintf(out, " bar=%lld", (long long)json_integer_value(json_object_get(device, "bar")));
	fprintf(out, " vm-pid=%lld", (long long)json_integer_value(pid));
	if (seq)
		fprintf(out, " seq=%lld", (long long)json_integer_value(seq));
	put_value(out, "exe", exe);
	fprintf(out, " hostname=? addr=? terminal=? res=%s", success ? "success" : "failed");
	fputc('\0', out);
}

/* What auvirt follows from its beginning to its end: one type on one BAR. */
static void put_memory(FILE *out, const char *key, const char *memory_type, const json_t *device)
{
	if (memory_type)
		fprintf(out, " %s-mem=%s:%s:%lld", key, memory_type,
			ncg_record_string(device, "slot"),
			(long long)json_integer_value(json_object_get(device, "bar")));
	else
		fprintf(out, " %s-mem=?", key);
}

static void put_decision(FILE *out, const json_t *record, const char *exe)
{
	const json_t *rule = json_object_get(record, "rule");
	const json_t *policy = json_object_get(record, "policy");
	const char *verdict = ncg_record_string(record, "verdict");

	put_head(out, record, "dev", "decide");
	fprintf(out, " verdict=%s mode=%s grade=%s generation=%lld", verdict,
		ncg_record_string(record, "mode"), ncg_record_string(record, "grade"),
		(long long)json_integer_value(json_object_get(policy, "generation")));
	if (rule) {
		put_value(out, "rule", ncg_record_string(rule, "file"));
		fprintf(out, " line=%lld",
			(long long)json_integer_value(json_object_get(rule, "line")));
	}
	put_tail(out, record, json_object_get(record, "device"), exe, strcmp(verdict, "deny"));
}

static void put_mapping(FILE *out, const json_t *record, const char *exe, const char *before)
{
	const json_t *device = json_object_get(record, "device");

	/* Memory that is no device's BAR is nobody's resource. */
	if (!device)
		return;
	put_head(out, record, "mem", before ? "change" : "map");
	put_memory(out, "old", before, device);
	put_memory(out, "new", ncg_record_string(record, "memory_type"), device);
	put_tail(out, record, device, exe, true);
}

static void put_end(FILE *out, const json_t *record, const char *exe)
{
	const json_t *mapped = json_object_get(record, "mapped"), *entry;
	size_t i;

	json_array_foreach(mapped, i, entry) {
		const json_t *device = json_object_get(entry, "device");

		if (!device)
			continue;
		put_head(out, record, "mem", "end");
		put_memory(out, "old", ncg_record_string(entry, "memory_type"), device);
		put_memory(out, "new", NULL, device);
		put_tail(out, record, device, exe, true);
	}
}

char *ncg_audit_kernel_format(const json_t *record, const char *exe)
{
	const char *type = ncg_record_string(record, "type");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (!strcmp(type, "decision"))
		put_decision(out, record, exe);
	/* A first mapping that is a change as well is told as the change. */
	else if ((!strcmp(type, "stage2_first") && !json_object_get(record, "before")) ||
		 !strcmp(type, "found_mapped"))
		put_mapping(out, record, exe, NULL);
	else if (!strcmp(type, "type_change"))
		put_mapping(out, record, exe, ncg_record_string(record, "before"));
	else if (!strcmp(type, "vm_destroy"))
		put_end(out, record, exe);
	fputc('\0', out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* ------------------------------------------------------------------ the socket */

static bool may_write(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &head, data))
		return false;
	return data[CAP_TO_INDEX(CAP_AUDIT_WRITE)].effective & CAP_TO_MASK(CAP_AUDIT_WRITE);
}

int ncg_audit_kernel_open(struct ncg_audit_kernel **ret_kernel)
{
	ncg_autofree struct ncg_audit_kernel *kernel = calloc(1, sizeof(*kernel));

	if (!kernel)
		return -ENOMEM;
	if (!may_write())
		return -EPERM;
	kernel->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	if (kernel->fd < 0)
		return -errno;
	if (readlink("/proc/self/exe", kernel->exe, sizeof(kernel->exe) - 1) < 0)
		strcpy(kernel->exe, "ncgated");
	*ret_kernel = ncg_take_ptr(kernel);
	return 0;
}

void ncg_audit_kernel_close(struct ncg_audit_kernel *kernel)
{
	if (!kernel)
		return;
	close(kernel->fd);
	free(kernel);
}

/*
 * What the kernel said to message `sequence`: 0 or -errno. It answers while the
 * message is sent, so the answer is there or there is none.
 */
static int read_answer(const struct ncg_audit_kernel *kernel, __u32 sequence)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[256]; /* of the message that is answered */
	} answer;
	ssize_t size;

	for (;;) {
		size = recv(kernel->fd, &answer, sizeof(answer), MSG_DONTWAIT);
		if (size < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (size >= (ssize_t)NLMSG_LENGTH(sizeof(answer.error)) &&
		    answer.head.nlmsg_type == NLMSG_ERROR && answer.head.nlmsg_seq == sequence)
			return answer.error.error;
	}
}

static int send_text(struct ncg_audit_kernel *kernel, const char *text)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	size_t size = strlen(text) + 1;
	struct nlmsghdr head = {
		.nlmsg_len = NLMSG_LENGTH(size),
		.nlmsg_type = AUDIT_VIRT_RESOURCE,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		.nlmsg_seq = ++kernel->sequence,
	};
	struct iovec parts[] = {
		{ &head, NLMSG_HDRLEN },
		{ (char *)text, size },
	};
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = parts,
		.msg_iovlen = 2,
	};

	if (sendmsg(kernel->fd, &message, 0) < 0)
		return -errno;
	return read_answer(kernel, kernel->sequence);
}

int ncg_audit_kernel_send(struct ncg_audit_kernel *kernel, const json_t *record)
{
	ncg_autofree char *texts = ncg_audit_kernel_format(record, kernel->exe);
	int r = 0;

	if (!texts)
		return -ENOMEM;
	for (const char *text = texts; *text && !r; text += strlen(text) + 1)
		r = send_text(kernel, text);
	return r;
}
