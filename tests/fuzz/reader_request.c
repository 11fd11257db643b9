// SPDX-License-Identifier: Apache-2.0
/*
 * Questions from anybody, about a small store: refused, or an answer or a sentence in bounded time. The input is
 * a message; one that is none is taken as text, "endpoint?name=value&name=value".
 */
#include "profiler/reader/request.h"

#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/reader/endpoint.h"
#include "profiler/store/catalog.h"
#include "profiler/store/handed.h"
#include "profiler/store/packer.h"
#include "profiler/store/writer.h"

#define EPOCH_NS (1763856000ULL * NS_PER_S)
#define MAX_TEXT 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t text(struct profile *p, const char *s)
{
	return (uint32_t)profile_string(p, s, strlen(s));
}

static void add_sample(struct profile *p, const char *comm, int64_t pid)
{
	const struct profile_function f = { .name = text(p, comm) };
	const struct profile_line line = { (uint32_t)profile_function(p, &f), 7 };
	const struct profile_label labels[] = { { text(p, "comm"), text(p, comm), 0 },
						{ text(p, "pid"), PROFILE_NONE, pid } };
	int location = profile_location(p, PROFILE_NONE, 0x1000, true, &line, 1);
	int node = profile_node(p, 0, (uint32_t)location, 0);

	node = profile_node(p, (uint32_t)node, (uint32_t)location, PROFILE_NODE_GUESSED);
	assert(profile_add(p, (uint32_t)profile_series(p, labels, 2), (uint32_t)node, 2, 20) >= 0);
}

static void write_windows(struct store_writer *w, struct profile *p)
{
	static const struct columns_moment moments[] = { { 0, 1 }, { 0, 2 }, { 1, 3 }, { 1, 900 } };
	struct packer *packer;
	uint64_t sequence;

	assert(packer_new(&packer, PACKER_EFFORT) == 0);
	for (uint64_t i = 0; i < 3; i++) {
		uint64_t start_ns = EPOCH_NS + i * 10 * NS_PER_S;
		const struct store_window x = { start_ns, start_ns + 10 * NS_PER_S, start_ns,
						i == 1 ? NULL : moments, i == 1 ? 0 : 4 };
		void *frame;
		size_t len;

		if (!store_writer_file(w, start_ns))
			packer_begin(packer);
		profile_clear_samples(p);
		add_sample(p, "a", 1);
		add_sample(p, "b\"\n\xff", 2);
		p->facts.duration_ns = 10 * NS_PER_S;
		assert(packer_pack(packer, p, &p->counters, &x) == 0);
		frame = packer_frame(packer, &len);
		assert(store_writer_append(w, frame, len, &sequence, NULL) == 0);
		packer_keep(packer);
	}
	packer_free(packer);
}

/* Its files, which have no name any more. */
static void make_store(struct handed *h)
{
	const struct store_options options = store_options_default();
	char path[] = "/dev/shm/fuzz-XXXXXX";
	struct catalog c = { 0 };
	struct store_writer *w;
	struct profile p;
	int dirfd;

	assert(mkdtemp(path));
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(store_writer_open(&w, dirfd, &options, NULL) == 0);
	assert(profile_init(&p, 1 << 20, 1000) == 0);
	p.facts = (struct profile_facts){
		.period = 10, .event = "cpu-clock", .value_type = "cpu", .value_unit = "nanoseconds"
	};
	write_windows(w, &p);
	profile_release(&p);
	store_writer_free(w);
	assert(catalog_read(&c, dirfd, NULL) == 0);
	for (uint32_t i = 0; i < c.files.count; i++) {
		char name[CATALOG_NAME_BYTES];
		int fd;

		catalog_name(&c.files.items[i], name);
		fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
		assert(handed_take(h, &c.files.items[i], sizeof(c.files.items[i]), &fd) == 0);
		unlinkat(dirfd, name, 0);
	}
	unlinkat(dirfd, "lock", 0);
	catalog_release(&c);
	close(dirfd);
	rmdir(path);
}

static void ask(const struct reader_request *q)
{
	static struct handed store;
	struct buffer out = BUFFER_INIT(16 << 20);
	struct reader_reply reply;

	if (!store.files.count)
		make_store(&store);
	endpoint_answer(q, &store, &reply, &out);
	assert(reply.status == 200 || reply.status == 400 || reply.status == 404 ||
	       reply.status == 503);
	assert(reply.status == 200 ? reply.bytes == out.len && *reply.content_type
				   : !out.len && *reply.sentence);
	buffer_release(&out);
}

static void ask_text(char *words)
{
	struct reader_request q = { .now_ns = EPOCH_NS + 60 * NS_PER_S,
				    .max_answer_bytes = 16 << 20 };
	char *rest = words;

	q.endpoint = strsep(&rest, "?");
	while (rest && q.count < READER_MAX_PARAMETERS) {
		char *value = strsep(&rest, "&"), *name = strsep(&value, "=");

		q.parameters[q.count++] = (struct reader_parameter){ name, value ? value : "" };
	}
	ask(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer bytes = BUFFER_INIT(READER_MAX_REQUEST_BYTES);
	char words[MAX_TEXT + 1];
	struct reader_request q;

	buffer_append(&bytes, data, size);
	if (!buffer_error(&bytes) && reader_request_parse(&q, &bytes) == 0) {
		ask(&q);
	} else if (size <= MAX_TEXT) {
		memcpy(words, data, size);
		words[size] = '\0';
		ask_text(words);
	}
	buffer_release(&bytes);
	return 0;
}
