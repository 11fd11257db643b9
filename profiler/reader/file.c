// SPDX-License-Identifier: Apache-2.0
/*
 * Its first bytes choose the decoder. Refused: to choose by name, which is anybody's.
 */
#include "profiler/reader/file.h"

#include <errno.h>
#include <unistd.h>

#include "profiler/agent/capture.h"
#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/decode/collapsed_read.h"
#include "profiler/decode/file_format.h"
#include "profiler/decode/limits.h"
#include "profiler/decode/pprof_read.h"

static int read_bytes(int fd, enum file_format format, struct profile *ret, struct err *err)
{
	_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(DECODE_MAX_FILE_BYTES);
	int r = buffer_read_fd(&bytes, fd);

	if (r == -E2BIG)
		return err_set(err, r, "it is larger than %zu MiB", DECODE_MAX_FILE_BYTES >> 20);
	if (r < 0)
		return err_errno(err, r, "it can't be read");
	if (!bytes.len)
		return err_set(err, -EINVAL, "it is empty");
	return format == FILE_FORMAT_COLLAPSED ? collapsed_read(bytes.data, bytes.len, ret, err)
					       : pprof_read(bytes.data, bytes.len, ret, err);
}

int file_read_profile(int fd, const char *name, struct profile *ret, struct err *err)
{
	char head[4096];
	ssize_t len = pread(fd, head, sizeof(head), 0);
	enum file_format format = file_format_of(head, len > 0 ? (size_t)len : 0);
	struct err why = { "" };
	int r = format == FILE_FORMAT_RECORDING ? capture_replay(fd, false, ret, &why)
						: read_bytes(fd, format, ret, &why);

	return r < 0 ? err_set(err, r, "cannot read \"%s\": %s", name, why.text) : r > 0;
}
