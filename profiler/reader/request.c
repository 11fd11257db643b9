// SPDX-License-Identifier: Apache-2.0
/*
 * A head, then texts that each end with a NUL: the endpoint, and name and value by turns. Values are any bytes but
 * NUL: what they mean is for query/parameters.h.
 */
#include "profiler/reader/request.h"

#include <errno.h>
#include <string.h>

#define DEFAULT_FROM "-1h"
#define DEFAULT_TO "now"

struct head {
	uint64_t now_ns;
	uint64_t max_answer_bytes;
	uint32_t count;
	uint32_t reserved;
};

_Static_assert(sizeof(struct head) == 24, "no padding");

bool reader_same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	return *a == *b;
}

const char *reader_request_find(const struct reader_request *q, const char *name)
{
	for (uint32_t i = 0; i < q->count; i++)
		if (reader_same_name(q->parameters[i].name, name))
			return q->parameters[i].value;
	return NULL;
}

int reader_request_write(const struct reader_request *q, struct buffer *out)
{
	const struct head head = {
		.now_ns = q->now_ns,
		.max_answer_bytes = q->max_answer_bytes,
		.count = q->count,
	};
	size_t before = out->len;

	if (q->count > READER_MAX_PARAMETERS)
		return -E2BIG;
	buffer_append(out, &head, sizeof(head));
	buffer_append(out, q->endpoint, strlen(q->endpoint) + 1);
	for (uint32_t i = 0; i < q->count; i++) {
		buffer_append(out, q->parameters[i].name, strlen(q->parameters[i].name) + 1);
		buffer_append(out, q->parameters[i].value, strlen(q->parameters[i].value) + 1);
	}
	if (buffer_error(out) < 0)
		return buffer_error(out);
	return out->len - before > READER_MAX_REQUEST_BYTES ? -E2BIG : 0;
}

/* The text at *at, and *at behind it; NULL: it has no end. */
static const char *take_text(const char **at, const char *end)
{
	const char *text = *at, *nul = memchr(text, '\0', (size_t)(end - text));

	if (!nul)
		return NULL;
	*at = nul + 1;
	return text;
}

int reader_request_parse(struct reader_request *ret, const struct buffer *bytes)
{
	struct reader_request q = { 0 };
	const char *at, *end;
	struct head head;

	if (bytes->len < sizeof(head) || bytes->len > READER_MAX_REQUEST_BYTES)
		return -EPROTO;
	memcpy(&head, bytes->data, sizeof(head));
	at = bytes->data + sizeof(head);
	end = bytes->data + bytes->len;
	if (head.count > READER_MAX_PARAMETERS || head.reserved || head.max_answer_bytes < 1 ||
	    head.max_answer_bytes > READER_MAX_ANSWER_BYTES)
		return -EPROTO;
	q.now_ns = head.now_ns;
	q.max_answer_bytes = head.max_answer_bytes;
	q.endpoint = take_text(&at, end);
	for (; q.endpoint && q.count < head.count; q.count++) {
		struct reader_parameter *p = &q.parameters[q.count];

		p->name = take_text(&at, end);
		p->value = p->name ? take_text(&at, end) : NULL;
		if (!p->value)
			return -EPROTO;
	}
	if (!q.endpoint || at != end)
		return -EPROTO;
	*ret = q;
	return 0;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

int reader_reply_parse(struct reader_reply *ret, const struct buffer *bytes)
{
	struct reader_reply reply;

	if (bytes->len != sizeof(reply))
		return -EPROTO;
	memcpy(&reply, bytes->data, sizeof(reply));
	if (!ends(reply.content_type, sizeof(reply.content_type)) ||
	    !ends(reply.file_name, sizeof(reply.file_name)) ||
	    !ends(reply.sentence, sizeof(reply.sentence)) || reply.status < 200 ||
	    reply.status > 599 || reply.bytes > READER_MAX_ANSWER_BYTES)
		return -EPROTO;
	*ret = reply;
	return 0;
}

int reader_request_ranges(const struct reader_request *q, struct reader_ranges *ret,
			  struct err *err)
{
	const char *from = reader_request_find(q, "from"), *to = reader_request_find(q, "to");
	const char *ago = reader_request_find(q, "compare");
	const char *other_from = reader_request_find(q, "compare_from");
	const char *other_to = reader_request_find(q, "compare_to");
	struct reader_ranges ranges = { .count = 1 };
	int r = moment_range_parse(from ? from : DEFAULT_FROM, to ? to : DEFAULT_TO, q->now_ns,
				   &ranges.items[0], err);

	if (r < 0)
		return r;
	if (ago && (other_from || other_to))
		return err_set(err, -EINVAL,
			       "\"compare\" and \"compare_from\" or \"compare_to\" are two ways to "
			       "say the same: give one");
	if (!other_from != !other_to)
		return err_set(err, -EINVAL,
			       "\"compare_from\" and \"compare_to\" are only given together");
	if (ago)
		r = moment_range_before(&ranges.items[0], ago, &ranges.items[1], err);
	else if (other_from)
		r = moment_range_parse(other_from, other_to, q->now_ns, &ranges.items[1], err);
	else if (reader_request_find(q, "compare_query"))
		ranges.items[1] = ranges.items[0];
	if (ago || other_from || reader_request_find(q, "compare_query"))
		ranges.count = 2;
	if (r == 0)
		*ret = ranges;
	return r;
}
