// SPDX-License-Identifier: Apache-2.0
/*
 * Files of /proc and /sys are short lines of words and numbers; what isn't as expected leaves its fact
 * unknown, never wrong. Whether we are in the first namespace of a kind is told by its inode's number,
 * which is fixed for those.
 */
#include "profiler/command/condition.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/number.h"
#include "profiler/command/memory_limit.h"

#define MAX_PATH_BYTES 4096
#define MAX_TEXT_BYTES ((size_t)4 << 20) /* mountinfo's are long */
/* Hidden addresses are all zero; the first few symbols of each CPU's data may be at zero, too. */
#define MAX_KALLSYMS_BYTES ((size_t)64 << 10)
#define BTF_MAGIC 0xeb9f /* include/uapi/linux/btf.h */

static int text_read(const char *root, const char *name, struct buffer *out)
{
	_cleanup_(fd_close) int fd = -1;
	char path[MAX_PATH_BYTES];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s%s", root, name) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = buffer_read_fd(out, fd);
	return r == -E2BIG ? 0 : r; /* what there was room for is enough */
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\0';
}

static void trim(const char **s, size_t *len)
{
	while (*len && is_blank((*s)[*len - 1]))
		(*len)--;
	while (*len && is_blank(**s)) {
		(*s)++;
		(*len)--;
	}
}

static void copy_word(char *to, size_t size, const char *s, size_t len)
{
	if (len >= size)
		len = size - 1;
	for (size_t i = 0; i < len; i++)
		to[i] = s[i] ? s[i] : ' ';
	to[len] = '\0';
}

/* ---- numbers ---- */

static void setting_parse(const char *s, size_t len, struct setting *ret)
{
	bool negative;
	uint64_t value;

	trim(&s, &len);
	negative = len && *s == '-';
	if (number_parse(s + negative, len - negative, INT64_MAX, &value) < 0)
		return;
	*ret = (struct setting){ .known = true,
				 .value = negative ? -(int64_t)value : (int64_t)value };
}

static void setting_read(const char *root, const char *name, struct setting *ret)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(64);

	if (text_read(root, name, &text) == 0)
		setting_parse(text.data, text.len, ret);
}

/* The rest of the line that begins with `key`; NULL if there is none. */
static const char *field_find(const struct buffer *text, const char *key, size_t *ret_len)
{
	size_t n = strlen(key);

	for (size_t at = 0; at < text->len;) {
		const char *line = text->data + at;
		const char *newline = memchr(line, '\n', text->len - at);
		size_t len = newline ? (size_t)(newline - line) : text->len - at;

		if (len >= n && !memcmp(line, key, n)) {
			const char *s = line + n;

			*ret_len = len - n;
			trim(&s, ret_len);
			return s;
		}
		at += len + 1;
	}
	return NULL;
}

static void status_read(struct condition *c, const char *root)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(64 << 10);
	const char *s;
	uint64_t bits;
	size_t len;

	if (text_read(root, "/proc/self/status", &text) < 0)
		return;
	s = field_find(&text, "CapEff:", &len);
	if (s && number_parse_hex(s, len, &bits) == 0)
		c->capabilities = (struct setting){ .known = true, .value = (int64_t)bits };
	s = field_find(&text, "Seccomp:", &len);
	if (s)
		setting_parse(s, len, &c->seccomp);
}

/* ---- words ---- */

/* "none [integrity] confidentiality" → the one in brackets. */
static void lockdown_read(struct condition *c, const char *root)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(256);
	const char *open_at, *close_at;

	if (text_read(root, "/sys/kernel/security/lockdown", &text) < 0 || !text.len)
		return;
	open_at = memchr(text.data, '[', text.len);
	close_at = memchr(text.data, ']', text.len);
	if (open_at && close_at > open_at)
		copy_word(c->lockdown, sizeof(c->lockdown), open_at + 1,
			  (size_t)(close_at - open_at - 1));
}

static void label_read(struct condition *c, const char *root)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(4096);
	const char *s;
	size_t len;

	if (text_read(root, "/proc/self/attr/current", &text) < 0 || !text.len)
		return;
	s = text.data;
	len = text.len;
	trim(&s, &len);
	copy_word(c->label, sizeof(c->label), s, len);
}

/* ---- namespaces ---- */

/* Links of a namespace read "pid:[4026531836]". Kernels without that kind have no link: the first. */
static bool namespace_differs(const char *root, const char *kind, uint64_t first)
{
	char path[MAX_PATH_BYTES], link[64];
	size_t prefix = strlen(kind) + strlen(":[");
	uint64_t inode;
	ssize_t n;

	if ((size_t)snprintf(path, sizeof(path), "%s/proc/self/ns/%s", root, kind) >= sizeof(path))
		return false;
	n = readlink(path, link, sizeof(link));
	if (n < 0 || (size_t)n <= prefix || link[n - 1] != ']' ||
	    number_parse(link + prefix, (size_t)n - prefix - 1, UINT64_MAX, &inode) < 0)
		return false;
	return inode != first;
}

static void namespaces_read(struct condition *c, const char *root)
{
	_cleanup_(buffer_release) struct buffer offsets = BUFFER_INIT(4096);
	const char *s;
	size_t len;

	/* PROC_USER_INIT_INO and PROC_PID_INIT_INO, include/linux/proc_ns.h, since 3.8 */
	c->other_user_namespace = namespace_differs(root, "user", 0xEFFFFFFDu);
	c->other_pid_namespace = namespace_differs(root, "pid", 0xEFFFFFFCu);
	if (text_read(root, "/proc/self/timens_offsets", &offsets) < 0)
		return;
	s = field_find(&offsets, "monotonic", &len);
	for (size_t i = 0; s && i < len; i++)
		c->shifted_time |= s[i] >= '1' && s[i] <= '9';
	s = field_find(&offsets, "boottime", &len);
	for (size_t i = 0; s && i < len; i++)
		c->shifted_time |= s[i] >= '1' && s[i] <= '9';
}

/* ---- the kernel's own description ---- */

static int btf_read(const char *root)
{
	char path[MAX_PATH_BYTES];
	_cleanup_(fd_close) int fd = -1;
	uint16_t magic = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/sys/kernel/btf/vmlinux", root) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (read(fd, &magic, sizeof(magic)) != sizeof(magic) || magic != BTF_MAGIC)
		return -EINVAL;
	return 0;
}

/* Is there an address that isn't zero? Each line begins with one. */
static int kallsyms_read(const char *root)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_KALLSYMS_BYTES);
	bool in_address = true;
	int r = text_read(root, "/proc/kallsyms", &text);

	if (r < 0)
		return r;
	for (size_t i = 0; i < text.len; i++) {
		char ch = text.data[i];

		if (ch == '\n')
			in_address = true;
		else if (in_address && ch == ' ')
			in_address = false;
		else if (in_address && ch != '0')
			return 0;
	}
	return 1;
}

/* ---- machine ---- */

static void cpus_at(const char *root, const char *name, struct cpus *into)
{
	char path[MAX_PATH_BYTES];
	struct cpus found;

	if ((size_t)snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/%s", root, name) >=
		    sizeof(path) ||
	    cpus_read(&found, path) < 0)
		return;
	for (size_t i = 0; i < sizeof(found.bits); i++)
		into->bits[i] |= found.bits[i];
}

static void cgroups_read(struct condition *c, const char *root)
{
	_cleanup_(buffer_release) struct buffer mounts = BUFFER_INIT(MAX_TEXT_BYTES);
	_cleanup_(buffer_release) struct buffer cgroups = BUFFER_INIT(MAX_TEXT_BYTES);

	c->memory_limit = MEMORY_LIMIT_NONE;
	if (text_read(root, "/proc/self/mountinfo", &mounts) < 0 ||
	    text_read(root, "/proc/self/cgroup", &cgroups) < 0)
		return;
	cgroup_hierarchy_parse(mounts.data, mounts.len, cgroups.data, cgroups.len, &c->cgroups);
	c->memory_limit =
		memory_limit_read(root, mounts.data, mounts.len, cgroups.data, cgroups.len);
}

void condition_read(struct condition *c, const char *root)
{
	c->btf = btf_read(root);
	c->kallsyms = kallsyms_read(root);
	setting_read(root, "/proc/sys/kernel/perf_event_paranoid", &c->perf_event_paranoid);
	setting_read(root, "/proc/sys/kernel/kptr_restrict", &c->kptr_restrict);
	setting_read(root, "/proc/sys/kernel/perf_event_mlock_kb", &c->perf_event_mlock_kb);
	lockdown_read(c, root);
	status_read(c, root);
	label_read(c, root);
	namespaces_read(c, root);
	cpus_at(root, "online", &c->online);
	cpus_at(root, "isolated", &c->isolated);
	cpus_at(root, "nohz_full", &c->isolated);
	cgroups_read(c, root);
}

/* Asks for no filter at all: where filters are known, that is a bad address. */
static int filters_probe(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) == 0)
		return 0;
	return errno == EFAULT ? 0 : -errno;
}

void condition_probe(struct condition *c)
{
	struct utsname name;

	if (uname(&name) == 0) {
		copy_word(c->release, sizeof(c->release), name.release, strlen(name.release));
		copy_word(c->machine, sizeof(c->machine), name.machine, strlen(name.machine));
	}
	for (int i = 0; i < PROBE_COUNT; i++)
		c->probes[i] = probe_kernel((enum probe)i);
	c->filters = filters_probe();
	getrlimit(RLIMIT_NOFILE, &c->files);
	getrlimit(RLIMIT_MEMLOCK, &c->locked_memory);
	getrlimit(RLIMIT_NICE, &c->nice_limit);
	c->nice = getpriority(PRIO_PROCESS, 0);
}
