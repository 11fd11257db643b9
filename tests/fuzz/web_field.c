// SPDX-License-Identifier: Apache-2.0
/*
 * What anybody may write into a request's header: nothing is read beyond its end, and nothing that comes out is longer than it may be.
 */
#include "web/field.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "web/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), secret[FIELD_MAX_SECRET];
	struct host h;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	field_accepts_gzip(text);
	field_matches_etag(text, "\"0123456789abcdef\"");
	if (field_cookie(text, "slowburn_7799", secret))
		assert(strlen(secret) < sizeof(secret) && strlen(secret) < size);
	if (field_token(text, secret)) {
		assert(strlen(secret) < sizeof(secret) && strlen(secret) < size);
		assert(field_is_secret(secret, secret) == (*secret != '\0'));
	}
	if (host_parse(text, &h) == 0) {
		assert(*h.name && strlen(h.name) <= HOST_MAX_NAME && h.port <= UINT16_MAX);
		assert(!strpbrk(h.name, "/@,[] \t\r\n"));
	}
	host_is_origin("localhost:7799", text);
	host_is_origin(text, "http://localhost:7799");
	free(text);
	return 0;
}
