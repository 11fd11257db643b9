// SPDX-License-Identifier: Apache-2.0
/*
 * libmicrohttpd counts who still sends a response: the body goes when it says so, and not when we are done with it. The gzip'd form is made
 * when the first client wants it, and kept only if it is smaller.
 *
 * Refused: compressing while sending, which is done again for each client; a weak tag for both forms, which no cache may use for ranges.
 */
#include "web/answer.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "profiler/base/cleanup.h"
#include "web/field.h"

#define GZIP_LEAST_BYTES 1024
#define GZIP_LEVEL 3 /* of text about a fifth is left, at 150 MB/s */

/* Scripts and styles of a page of ours, should there be one; nothing of anybody else's, and in nobody's frame. */
#define POLICY                                                                            \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " \
	"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

struct body {
	struct tally *tally;
	size_t len;
	char *bytes; /* owned */
};

struct answer {
	uint32_t refs;
	uint32_t status;
	struct body *body; /* libmicrohttpd's to free, with `plain` */
	struct MHD_Response *plain, *gzip;
	bool no_gzip; /* known not to be worth it */
	bool of_pprof, cacheable;
	struct tally *tally;
	char content_type[64], disposition[96];
	char etag[24]; /* with quotes; "" */
};

static void body_free(void *cls)
{
	struct body *b = cls;

	b->tally->answer_bytes -= b->len;
	free(b->bytes);
	free(b);
}

/* Takes `bytes`, also when it fails. */
static struct MHD_Response *response_new(char *bytes, size_t len, struct tally *tally,
					 struct body **ret_body)
{
	struct body *b = malloc(sizeof(*b));
	struct MHD_Response *response;

	if (!b) {
		free(bytes);
		return NULL;
	}
	*b = (struct body){ tally, len, bytes };
	tally->answer_bytes += len;
	response = MHD_create_response_from_buffer_with_free_callback_cls(len, bytes, body_free, b);
	if (!response)
		body_free(b);
	else if (ret_body)
		*ret_body = b;
	return response;
}

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
	return !*value || MHD_add_response_header(response, name, value) == MHD_YES;
}

/* The tag of another form is another one. */
static bool add_fields(const struct answer *a, struct MHD_Response *response, bool gzip)
{
	char etag[sizeof(a->etag) + 4] = "";

	if (a->etag[0])
		snprintf(etag, sizeof(etag), "%.*s%s\"", (int)strlen(a->etag) - 1, a->etag,
			 gzip ? "-gz" : "");
	return add(response, "Content-Type", a->content_type) &&
	       add(response, "Content-Disposition", a->disposition) &&
	       add(response, "Content-Encoding", gzip ? "gzip" : "") &&
	       add(response, "ETag", etag) && add(response, "Vary", "Accept-Encoding") &&
	       add(response, "Cache-Control", a->cacheable ? "private, no-cache" : "no-store") &&
	       add(response, "X-Content-Type-Options", "nosniff") &&
	       add(response, "Content-Security-Policy", POLICY) &&
	       add(response, "Referrer-Policy", "no-referrer") &&
	       add(response, "X-Go-Pprof", a->of_pprof && a->status >= 400 ? "1" : "");
}

static void describe(struct answer *a, const struct answer_head *head)
{
	a->status = head->status;
	a->of_pprof = head->of_pprof;
	a->cacheable = head->cacheable && head->status == 200;
	snprintf(a->content_type, sizeof(a->content_type), "%s", head->content_type);
	if (head->file_name && *head->file_name)
		snprintf(a->disposition, sizeof(a->disposition), "attachment; filename=\"%s\"",
			 head->file_name);
}

int answer_new(struct answer **ret, const struct answer_head *head, struct buffer *body,
	       struct tally *tally)
{
	struct answer *a = calloc(1, sizeof(*a));
	size_t len = body->len;

	if (!a || buffer_error(body)) {
		free(a);
		return -ENOMEM;
	}
	*a = (struct answer){ .refs = 1, .tally = tally };
	describe(a, head);
	if (a->cacheable)
		snprintf(a->etag, sizeof(a->etag), "\"%016llx\"",
			 (unsigned long long)XXH3_64bits(body->data, len));
	a->plain = response_new(take_ptr(body->data), len, tally, &a->body);
	buffer_init(body, body->max);
	if (!a->plain || !add_fields(a, a->plain, false)) {
		answer_unref(a);
		return -ENOMEM;
	}
	*ret = a;
	return 0;
}

struct answer *answer_text(uint32_t status, const char *sentence, bool of_pprof,
			   struct tally *tally)
{
	_cleanup_(buffer_release) struct buffer body = BUFFER_INIT(4096);
	const struct answer_head head = {
		.status = status,
		.content_type = ANSWER_TEXT,
		.of_pprof = of_pprof,
	};
	struct answer *a = NULL;

	buffer_printf(&body, "%s\n", sentence);
	return answer_new(&a, &head, &body, tally) < 0 ? NULL : a;
}

struct answer *answer_ref(struct answer *a)
{
	a->refs++;
	return a;
}

void answer_unref(struct answer *a)
{
	if (!a || --a->refs)
		return;
	if (a->plain)
		MHD_destroy_response(a->plain);
	if (a->gzip)
		MHD_destroy_response(a->gzip);
	free(a);
}

int answer_add(struct answer *a, const char *name, const char *value)
{
	return add(a->plain, name, value) ? 0 : -ENOMEM;
}

size_t answer_bytes(const struct answer *a)
{
	return a->body->len;
}

/* Compressed, if that saves a tenth; NULL if not, or there is no memory. */
static char *compress(const struct body *b, size_t *ret_len)
{
	size_t most = b->len - b->len / 10, len;
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(GZIP_LEVEL);
	char *bytes = c ? malloc(most) : NULL;

	len = bytes ? libdeflate_gzip_compress(c, b->bytes, b->len, bytes, most) : 0;
	libdeflate_free_compressor(c);
	if (!len) {
		free(bytes);
		return NULL;
	}
	*ret_len = len;
	return bytes;
}

static struct MHD_Response *gzip_form(struct answer *a)
{
	char *bytes;
	size_t len;

	if (a->gzip || a->no_gzip)
		return a->gzip;
	/* What is saved as a file is compressed already, or to be as it is. */
	bytes = a->body->len >= GZIP_LEAST_BYTES && !a->disposition[0] ? compress(a->body, &len)
								       : NULL;
	a->gzip = bytes ? response_new(bytes, len, a->tally, NULL) : NULL;
	if (a->gzip && !add_fields(a, a->gzip, true)) {
		MHD_destroy_response(a->gzip);
		a->gzip = NULL;
	}
	a->no_gzip = !a->gzip;
	return a->gzip;
}

static struct MHD_Response *unchanged_form(struct answer *a, bool gzip)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

	if (response && !add_fields(a, response, gzip)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	return response;
}

/* The tag of what this client would get. */
static bool has_already(const struct answer *a, bool gzip, const char *if_none_match)
{
	char etag[sizeof(a->etag) + 4];

	if (!a->etag[0] || !if_none_match)
		return false;
	snprintf(etag, sizeof(etag), "%.*s%s\"", (int)strlen(a->etag) - 1, a->etag,
		 gzip ? "-gz" : "");
	return field_matches_etag(if_none_match, etag);
}

static void count(struct tally *t, uint32_t status)
{
	enum tally_id id = TALLY_REQUESTS_5XX;

	if (status == 401)
		id = TALLY_REQUESTS_401;
	else if (status == 403)
		id = TALLY_REQUESTS_403;
	else if (status == 429)
		id = TALLY_REQUESTS_429;
	else if (status < 300)
		id = TALLY_REQUESTS_2XX;
	else if (status < 400)
		id = TALLY_REQUESTS_3XX;
	else if (status < 500)
		id = TALLY_REQUESTS_4XX;
	t->count[id]++;
}

enum MHD_Result answer_send(struct answer *a, struct MHD_Connection *to,
			    const struct answer_wish *wish)
{
	struct MHD_Response *form = wish->gzip ? gzip_form(a) : NULL;
	bool gzip = form != NULL;
	enum MHD_Result sent;

	if (has_already(a, gzip, wish->if_none_match)) {
		struct MHD_Response *unchanged = unchanged_form(a, gzip);

		if (!unchanged)
			return MHD_NO;
		count(a->tally, 304);
		sent = MHD_queue_response(to, 304, unchanged);
		MHD_destroy_response(unchanged);
		return sent;
	}
	count(a->tally, a->status);
	return MHD_queue_response(to, a->status, form ? form : a->plain);
}
