// SPDX-License-Identifier: Apache-2.0
/*
 * Sets of CPUs from sysfs, read anew each time they are asked for: a file of a few bytes, and no
 * netlink socket to follow hot-plug with.
 */
#include "profiler/collect/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/number.h"

/* A list of 4,096 single CPUs is shorter. */
#define LIST_MAX_BYTES 32768

static int parse(struct cpus *ret, const char *text, size_t len)
{
	/* nohz_full says "(null)" on kernels that could do it and don't. */
	static const char null_text[] = "(null)";
	struct cpus cpus = { 0 };
	int r;

	while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	while (len && *text == ' ') {
		text++;
		len--;
	}
	if (len && !(len == strlen(null_text) && memcmp(text, null_text, len) == 0)) {
		r = cpu_list_parse(text, len, cpus.bits, SESSION_MAX_CPUS);
		if (r < 0)
			return r;
	}
	*ret = cpus;
	return 0;
}

int cpus_read_again(struct cpus *ret, int fd)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(LIST_MAX_BYTES);
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : buffer_read_fd(&text, fd);

	return r < 0 ? r : parse(ret, text.data, text.len);
}

int cpus_read(struct cpus *ret, const char *path)
{
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		*ret = (struct cpus){ 0 };
		return 0;
	}
	return fd < 0 ? -errno : cpus_read_again(ret, fd);
}

int cpus_read_online(struct cpus *ret)
{
	return cpus_read(ret, CPUS_ONLINE);
}

int cpus_read_isolated(struct cpus *ret)
{
	struct cpus isolated = { 0 }, nohz_full = { 0 };
	int r;

	r = cpus_read(&isolated, "/sys/devices/system/cpu/isolated");
	if (r < 0)
		return r;
	r = cpus_read(&nohz_full, "/sys/devices/system/cpu/nohz_full");
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < sizeof(isolated.bits); i++)
		isolated.bits[i] |= nohz_full.bits[i];
	*ret = isolated;
	return 0;
}

uint32_t cpus_count(const struct cpus *c)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < sizeof(c->bits); i++)
		count += (uint32_t)__builtin_popcount(c->bits[i]);
	return count;
}
