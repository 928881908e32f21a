#include "coordinator/api_query.h"

#include <stdio.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/base/suggest.h"

const char *const saga_query_names[] = {"status", "saga", "key", "attention", "started"};
const size_t saga_query_n_names = ARRAY_SIZE(saga_query_names);

void saga_query_init(struct saga_query *query, const char *ns)
{
	*query = (struct saga_query){.filter = {.ns = ns, .limit = 50}};
}

void saga_query_release(struct saga_query *query)
{
	free(query->definition);
	free(query->key);
	query->definition = query->key = NULL;
}

static int add_statuses(struct saga_filter *filter, const char *value, struct err *err)
{
	static const char *const texts[] = {
#define X(name, text) text,
		SAGA_STATUSES(X)
#undef X
	};
	unsigned mask = 0;

	for (;;) {
		size_t len = strcspn(value, ",");
		CLEANUP(free_p) char *text = xstrndup(value, len);
		int status = saga_status_parse(text);

		if (status < 0) {
			const char *meant = suggest_from(text, texts, ARRAY_SIZE(texts));

			return err_set(err, ERR_INVALID, "unknown status %.60s%s%s%s", text,
						   meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
		}
		mask |= 1u << status;
		if (!value[len])
			break;
		value += len + 1;
	}
	filter->status_mask = mask;
	return 0;
}

static int parse_when(const char *text, wall_ms *ret_at, struct err *err)
{
	char whole[TIME_TEXT_SIZE];

	if (strlen(text) == 10) {
		snprintf(whole, sizeof(whole), "%sT00:00:00Z", text);
		text = whole;
	}
	if (time_parse(text, ret_at, err) < 0)
		return err_set(err, ERR_INVALID,
					   "%.60s is no time; give a date like 2026-01-31 or an RFC 3339 time like "
					   "2026-01-31T12:00:00Z",
					   text);
	return 0;
}

static int add_started(struct saga_filter *filter, char op, const char *value, struct err *err)
{
	wall_ms at;
	int r = parse_when(value, &at, err);

	if (r < 0)
		return r;
	if (op == '>' || op == 'g')
		filter->started_from = op == 'g' ? at : at + 1;
	else
		filter->started_before = op == '<' ? at : at + 1;
	return 0;
}

static int add_text(char **field, const char **filter_field, const char *value)
{
	*field = xstrdup(value);
	*filter_field = *field;
	return 0;
}

static int add_attention(struct saga_filter *filter, const char *value, struct err *err)
{
	if (strcmp(value, "true") != 0)
		return err_set(err, ERR_INVALID, "attention can only be asked for with attention:true");
	filter->attention_only = true;
	return 0;
}

int saga_query_add(struct saga_query *query, const char *name, char op, const char *value,
				   struct err *err)
{
	struct saga_filter *filter = &query->filter;
	const char *meant = suggest_from(name, saga_query_names, saga_query_n_names);
	bool started = strcmp(name, "started") == 0, twice;

	if (!*value)
		return err_set(err, ERR_INVALID, "%.60s has no value", name);
	if (started != (op != ':'))
		return err_set(err, ERR_INVALID,
					   started ? "write started>… or started<… with a time"
							   : "write %.60s:… with a colon",
					   name);
	twice = (strcmp(name, "status") == 0 && filter->status_mask) ||
			(strcmp(name, "saga") == 0 && filter->definition) ||
			(strcmp(name, "key") == 0 && filter->key) ||
			(started && (op == '>' || op == 'g') && filter->started_from) ||
			(started && (op == '<' || op == 'l') && filter->started_before);
	if (twice)
		return err_set(err, ERR_INVALID, "%s is there twice%s", name,
					   strcmp(name, "status") == 0 ? "; write status:a,b for either" : "");
	if (strcmp(name, "status") == 0)
		return add_statuses(filter, value, err);
	if (strcmp(name, "saga") == 0)
		return add_text(&query->definition, &filter->definition, value);
	if (strcmp(name, "key") == 0)
		return add_text(&query->key, &filter->key, value);
	if (strcmp(name, "attention") == 0)
		return add_attention(filter, value, err);
	if (started)
		return add_started(filter, op, value, err);
	return err_set(err, ERR_INVALID, "unknown filter %.60s%s%s%s; there are %s", name,
				   meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "",
				   "status, saga, key, attention and started");
}

/* Reads the value of a term, which may be quoted; *text moves past it. */
static int read_value(const char **text, struct buf *value, struct err *err)
{
	const char *p = *text;
	bool quoted = *p == '"';

	p += quoted;
	buf_clear(value);
	while (*p && (quoted ? *p != '"' : *p != ' ')) {
		if (quoted && *p == '\\' && p[1])
			p++;
		buf_add_char(value, *p++);
	}
	if (quoted && *p != '"')
		return err_set(err, ERR_INVALID, "a quote is not closed");
	p += quoted;
	if (*p && *p != ' ')
		return err_set(err, ERR_INVALID, "a space must follow a quoted value");
	*text = p;
	return buf_check(value, "the filter", err);
}

static int parse_term(struct saga_query *query, const char **text, struct buf *value,
					  struct err *err)
{
	const char *p = *text;
	size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	CLEANUP(free_p) char *name = xstrndup(p, len);
	char op = p[len];
	int r;

	if (len == 0 || !op || !strchr(":<>", op))
		return err_set(err, ERR_INVALID, "%.*s is no filter; write name:value, or started>time",
					   (int)strcspn(p, " "), p);
	p += len + 1;
	if (op != ':' && *p == '=') {
		op = op == '<' ? 'l' : 'g';
		p++;
	}
	r = read_value(&p, value, err);
	if (r < 0)
		return r;
	*text = p;
	return saga_query_add(query, name, op, buf_str(value), err);
}

int saga_query_parse(struct saga_query *query, const char *text, struct err *err)
{
	struct buf value;
	int r = 0;

	if (strlen(text) > QUERY_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "a filter has at most %d bytes", QUERY_MAX_BYTES);
	buf_init(&value, QUERY_MAX_BYTES + 1);
	while (r == 0) {
		text += strspn(text, " ");
		if (!*text)
			break;
		r = parse_term(query, &text, &value, err);
	}
	buf_release(&value);
	return r;
}

/* The id without its hyphens, after a letter that says what kind of cursor it is. */
void cursor_make(const char *saga_id, char cursor[CURSOR_SIZE])
{
	char *out = cursor;

	*out++ = 's';
	for (const char *p = saga_id; *p && out < cursor + SAGA_ID_SIZE; p++) {
		if (*p != '-')
			*out++ = *p;
	}
	*out = '\0';
}

int cursor_read(const char *cursor, char saga_id[SAGA_ID_SIZE], struct err *err)
{
	char id[SAGA_ID_SIZE];
	size_t n = 0;

	if (cursor[0] != 's' || strlen(cursor) != 33)
		return err_set(err, ERR_INVALID, "the cursor is not one that a list has given");
	for (const char *p = cursor + 1; *p; p++) {
		if (n == 8 || n == 13 || n == 18 || n == 23)
			id[n++] = '-';
		id[n++] = *p;
	}
	id[n] = '\0';
	if (saga_id_slot(id) < 0)
		return err_set(err, ERR_INVALID, "the cursor is not one that a list has given");
	memcpy(saga_id, id, sizeof(id));
	return 0;
}
