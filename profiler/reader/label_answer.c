// SPDX-License-Identifier: Apache-2.0
/*
 * What labels there are: keys, the values of one, whole label sets, and those as targets for who scrapes. One count
 * by label sets, shown in four ways.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/index.h"
#include "profiler/base/text.h"
#include "profiler/encode/figure.h"
#include "profiler/encode/page.h"
#include "profiler/query/matchers.h"
#include "profiler/reader/endpoint.h"
#include "profiler/reader/tally.h"

#define ROWS 1000
#define TEXT_ROWS 30
#define TARGETS 200
#define TEXT_COLUMNS 100
#define MAX_KEYS 1000u
#define MAX_ADDRESS_BYTES 256
#define MAX_TEXT_BYTES (64u << 10)

static bool is_text(const struct inquiry *q)
{
	return !strcmp(q->format, "text");
}

static uint32_t row_limit(const struct inquiry *q, const struct tally *t, uint32_t usual)
{
	uint64_t most = parameter_number(&q->parameters, PARAMETER_LIMIT, usual);

	return t->ranks.count < most ? t->ranks.count : (uint32_t)most;
}

/* ---- JSON ---- */

static void put_head(struct buffer *out, const struct tally *t)
{
	buffer_printf(out, "{\"samples\": %" PRIu64 ", \"value\": %" PRIu64, t->samples, t->value);
}

static void put_sum(struct buffer *out, const struct group_rank *r)
{
	buffer_printf(out, ", \"samples\": %" PRIu64 ", \"value\": %" PRIu64 "}", r->samples,
		      r->value);
}

/* Those that are not among the rows: a number, and what they have. */
static void put_rest(struct buffer *out, const struct tally *t, uint32_t shown)
{
	const struct group_rank rest = tally_rest(t, shown);

	buffer_printf(out, "],\n \"other\": {\"count\": %" PRIu32, rest.group);
	put_sum(out, &rest);
}

/* The value of the one label of a group: a string, or a number. */
static void put_value(struct buffer *out, const struct tally *t, uint32_t group)
{
	const struct profile *names = &t->grouping.names;
	const struct profile_series *s = &names->series.items[group];
	const struct profile_label *l = &names->labels.items[s->first_label];

	if (!s->label_count)
		buffer_text(out, "null");
	else if (l->text == PROFILE_NONE)
		buffer_printf(out, "%" PRId64, l->number);
	else
		text_json(out, profile_text(names, l->text), names->strings.items[l->text].len);
}

/* ---- text ---- */

static void put_table(struct buffer *out, const struct inquiry *q, const struct tally *t,
		      const char *what)
{
	const struct text_options look = inquiry_look(q);
	uint32_t rows = row_limit(q, t, TEXT_ROWS);
	const struct group_rank rest = tally_rest(t, rows);
	struct page page;

	page_init(&page, out, look.columns ? look.columns : TEXT_COLUMNS, look.color);
	page_attribute(&page, PAGE_BOLD);
	buffer_printf(out, "   share      samples  %s", what);
	page_attribute(&page, PAGE_PLAIN);
	page_end_row(&page);
	for (uint32_t i = 0; i < rows; i++) {
		const struct group_rank *r = &t->ranks.items[i];
		_cleanup_(buffer_release) struct buffer name = BUFFER_INIT(MAX_TEXT_BYTES);

		grouping_text(&t->grouping, r->group, &name);
		buffer_printf(out, "%6s %% %12s  ",
			      figure_percent(figure_share(r->value, t->value)).text,
			      figure_count(r->samples).text);
		text_fit(out, name.data ? name.data : "", name.len, page.columns - 23, false);
		page_end_row(&page);
	}
	if (rest.group)
		buffer_printf(out, "%6s %% %12s  (%s more)\n",
			      figure_percent(figure_share(rest.value, t->value)).text,
			      figure_count(rest.samples).text, figure_count(rest.group).text);
	page_release(&page);
}

/* ---- keys ---- */

/* A key, or one of its values. */
struct key {
	uint32_t key; /* string */
	uint32_t text, is_value; /* of a value: string or PROFILE_NONE */
	uint32_t zero; /* hashed as bytes */
	int64_t number;
};

struct key_sum {
	struct key key;
	uint64_t samples, value;
	uint32_t values; /* of a key */
};

struct keys {
	ARRAY(struct key_sum) items;
	struct index index;
};

static bool key_equal(const void *owner, uint32_t item, const void *key)
{
	return !memcmp(&((const struct keys *)owner)->items.items[item].key, key,
		       sizeof(struct key));
}

/* The place of a key, and whether it is new; or -ENOMEM. */
static int add_key(struct keys *k, const struct key *key, bool *ret_new)
{
	uint64_t hash = hash_bytes(key, sizeof(*key));
	uint32_t found = index_find(&k->index, hash, key_equal, k, key);
	struct key_sum *added;

	*ret_new = found == UINT32_MAX;
	if (!*ret_new)
		return (int)found;
	added = array_push(&k->items, UINT32_MAX >> 4);
	if (!added || index_add(&k->index, hash, k->items.count - 1) < 0)
		return -ENOMEM;
	*added = (struct key_sum){ .key = *key };
	return (int)k->items.count - 1;
}

static int count_keys(struct keys *k, const struct tally *t)
{
	const struct profile *names = &t->grouping.names;

	for (uint32_t i = 0; i < t->ranks.count; i++) {
		const struct group_rank *r = &t->ranks.items[i];
		const struct profile_series *s = &names->series.items[r->group];

		for (uint32_t j = s->first_label; j < s->first_label + s->label_count; j++) {
			const struct profile_label *l = &names->labels.items[j];
			struct key key = { .key = l->key };
			bool is_new;
			int at = add_key(k, &key, &is_new), value;

			if (at < 0)
				return at;
			k->items.items[at].samples += r->samples;
			k->items.items[at].value += r->value;
			key.is_value = 1;
			key.text = l->text;
			key.number = l->text == PROFILE_NONE ? l->number : 0;
			value = add_key(k, &key, &is_new);
			if (value < 0)
				return value;
			k->items.items[at].values += is_new;
		}
	}
	return 0;
}

static void put_keys(struct buffer *out, const struct keys *k, const struct tally *t, bool text)
{
	const struct profile *names = &t->grouping.names;
	uint32_t shown = 0;

	if (text)
		buffer_text(out, "   share       values  label\n");
	else
		buffer_text(out, ",\n \"labels\": [");
	for (uint32_t i = 0; i < k->items.count && shown < MAX_KEYS; i++) {
		const struct key_sum *sum = &k->items.items[i];
		const struct profile_string *name = &names->strings.items[sum->key.key];

		if (sum->key.is_value)
			continue;
		if (text) {
			buffer_printf(out, "%6s %% %12s  ",
				      figure_percent(figure_share(sum->value, t->value)).text,
				      figure_count(sum->values).text);
			text_escape(out, name->text, name->len);
			buffer_text(out, "\n");
		} else {
			buffer_text(out, shown ? ",\n  {\"key\": " : "\n  {\"key\": ");
			text_json(out, name->text, name->len);
			buffer_printf(out,
				      ", \"values\": %" PRIu32 ", \"samples\": %" PRIu64
				      ", \"value\": %" PRIu64 "}",
				      sum->values, sum->samples, sum->value);
		}
		shown++;
	}
	if (!text)
		buffer_text(out, "]}\n");
}

static int answer_keys(struct inquiry *q, struct buffer *out, struct err *err)
{
	struct keys k = { .index = { 0 } };
	struct tally t = { .samples = 0 };
	int r = tally_read(&t, q, NULL, err);

	if (r < 0)
		return r;
	r = count_keys(&k, &t);
	if (r == 0) {
		if (!is_text(q))
			put_head(out, &t);
		put_keys(out, &k, &t, is_text(q));
	}
	array_release(&k.items);
	index_release(&k.index);
	tally_release(&t);
	return r < 0 ? err_errno(err, r, "cannot count labels") : 0;
}

/* ---- the answers ---- */

int labels_answer(struct inquiry *q, struct buffer *out, struct err *err)
{
	const char *key = q->parameters.texts[PARAMETER_KEY];
	struct group_keys keys;
	struct tally t = { .samples = 0 };
	uint32_t rows;
	int r;

	if (!key)
		return answer_keys(q, out, err);
	r = group_keys_parse(&keys, key, err);
	if (r == 0 && keys.count != 1)
		r = err_set(err, -EINVAL, "key \"%.40s\" is more than one label", key);
	if (r == 0)
		r = tally_read(&t, q, &keys, err);
	if (r < 0)
		return r;
	rows = row_limit(q, &t, ROWS);
	if (is_text(q)) {
		put_table(out, q, &t, keys.keys[0]);
	} else {
		put_head(out, &t);
		buffer_printf(out, ", \"key\": \"%s\",\n \"values\": [", keys.keys[0]);
		for (uint32_t i = 0; i < rows; i++) {
			buffer_text(out, i ? ",\n  {\"label\": " : "\n  {\"label\": ");
			put_value(out, &t, t.ranks.items[i].group);
			put_sum(out, &t.ranks.items[i]);
		}
		put_rest(out, &t, rows);
		buffer_text(out, "}\n");
	}
	tally_release(&t);
	return 0;
}

int series_answer(struct inquiry *q, struct buffer *out, struct err *err)
{
	const struct group_keys *by = q->parameters.by.count ? &q->parameters.by : NULL;
	struct tally t = { .samples = 0 };
	uint32_t rows;
	int r = tally_read(&t, q, by, err);

	if (r < 0)
		return r;
	rows = row_limit(q, &t, ROWS);
	if (is_text(q)) {
		put_table(out, q, &t, "series");
	} else {
		put_head(out, &t);
		buffer_text(out, ",\n \"series\": [");
		for (uint32_t i = 0; i < rows; i++) {
			buffer_text(out, i ? ",\n  {\"labels\": " : "\n  {\"labels\": ");
			grouping_json(&t.grouping, t.ranks.items[i].group, out);
			put_sum(out, &t.ranks.items[i]);
		}
		put_rest(out, &t, rows);
		buffer_text(out, "}\n");
	}
	tally_release(&t);
	return 0;
}

/* ---- targets ---- */

/* comm="a \"b\"": a matcher that only this value fits. */
static void write_matcher(struct buffer *out, const char *key, const char *value, size_t len)
{
	buffer_printf(out, "%s=\"", key);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c == '"' || c == '\\')
			buffer_printf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			buffer_printf(out, "\\x%02x", c);
		else
			buffer_append(out, &value[i], 1);
	}
	buffer_text(out, "\"");
}

/* Prometheus knows letters, digits and underscores in names of labels. */
static void put_label(struct buffer *out, const char *key, const struct buffer *value)
{
	buffer_text(out, ", \"");
	for (; *key; key++)
		buffer_append(out, *key == '.' || *key == ':' ? "_" : key, 1);
	buffer_text(out, "\": ");
	text_json(out, value->data ? value->data : "", value->len);
}

static int put_target(struct buffer *out, const struct tally *t, uint32_t group, const char *key,
		      const char *address)
{
	_cleanup_(buffer_release) struct buffer value = BUFFER_INIT(MAX_TEXT_BYTES);
	_cleanup_(buffer_release) struct buffer matcher = BUFFER_INIT(4 * MAX_TEXT_BYTES);
	const struct profile *names = &t->grouping.names;
	const struct profile_label *l =
		&names->labels.items[names->series.items[group].first_label];

	if (l->text == PROFILE_NONE)
		buffer_printf(&value, "%" PRId64, l->number);
	else
		buffer_append(&value, profile_text(names, l->text),
			      names->strings.items[l->text].len);
	write_matcher(&matcher, key, value.data ? value.data : "", value.len);
	if (buffer_error(&value) < 0 || buffer_error(&matcher) < 0)
		return -ENOMEM;
	buffer_text(out, "{\"targets\": [");
	text_json(out, address, strlen(address));
	buffer_text(out, "], \"labels\": {\"__metrics_path__\": \"/debug/pprof/profile\", "
			 "\"__profile_path__\": \"/debug/pprof/profile\", \"__param_query\": ");
	text_json(out, matcher.data, matcher.len);
	put_label(out, key, &value);
	if (strcmp(key, "service_name") != 0)
		put_label(out, "service_name", &value);
	buffer_text(out, "}}");
	return 0;
}

static bool has_value(const struct tally *t, uint32_t group)
{
	const struct profile *names = &t->grouping.names;
	const struct profile_series *s = &names->series.items[group];

	return s->label_count && names->labels.items[s->first_label].text != 0;
}

/* A matcher is no longer than a query may be. */
static bool is_short(const struct tally *t, uint32_t group)
{
	const struct profile *names = &t->grouping.names;
	const struct profile_label *l =
		&names->labels.items[names->series.items[group].first_label];

	return l->text == PROFILE_NONE ||
	       names->strings.items[l->text].len < MATCHERS_MAX_BYTES / 4 - GROUPS_MAX_KEY_BYTES;
}

static int put_targets(struct buffer *out, const struct tally *t, uint32_t rows, const char *key,
		       const char *address)
{
	bool first = true;
	int r = 0;

	buffer_text(out, "[");
	for (uint32_t i = 0; i < rows && r == 0; i++) {
		uint32_t group = t->ranks.items[i].group;

		if (!has_value(t, group) || !is_short(t, group))
			continue;
		buffer_text(out, first ? "\n" : ",\n");
		r = put_target(out, t, group, key, address);
		first = false;
	}
	buffer_text(out, "]\n");
	return r;
}

int targets_answer(struct inquiry *q, struct buffer *out, struct err *err)
{
	const struct group_keys *by = q->parameters.by.count ? &q->parameters.by : &group_by_comm;
	const char *address = q->parameters.texts[PARAMETER_ADDRESS];
	struct tally t = { .samples = 0 };
	int r;

	if (by->count != 1)
		return err_set(err, -EINVAL, "targets are by one label: by=comm, by=cgroup");
	if (!address || strlen(address) > MAX_ADDRESS_BYTES)
		return err_set(err, -EINVAL,
			       "which address do the targets have? As in address=host:7799");
	r = tally_read(&t, q, by, err);
	if (r < 0)
		return r;
	r = put_targets(out, &t, row_limit(q, &t, TARGETS), by->keys[0], address);
	tally_release(&t);
	return r < 0 ? err_errno(err, r, "cannot list targets") : 0;
}
