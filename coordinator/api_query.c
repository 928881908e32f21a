#include "coordinator/api_query.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/transition.h"
#include "sagas/attention.h"
#include "sagas/base/suggest.h"

/* Each filter and who adds it; `started` is the only one that is written with < and >. */
#define FILTERS(X)                                                                                 \
	X("status", add_statuses)                                                                      \
	X("saga", add_definition)                                                                      \
	X("version", add_version)                                                                      \
	X("key", add_key)                                                                              \
	X("attention", add_attention)                                                                  \
	X("group", add_group)                                                                          \
	X("kind", add_kind)                                                                            \
	X("step", add_step)                                                                            \
	X("owner", add_owner)                                                                          \
	X("parent", add_parent)                                                                        \
	X("started", add_started)

const char *const saga_query_names[] = {
#define X(name, add) name,
	FILTERS(X)
#undef X
};
const size_t saga_query_n_names = ARRAY_SIZE(saga_query_names);

/* A term as it was read. */
struct term {
	const char *name;
	char op;
	const char *value;
	bool quoted;
};

void saga_query_init(struct saga_query *query, const char *ns)
{
	*query = (struct saga_query){.filter = {.ns = ns, .limit = 50}};
}

void saga_query_release(struct saga_query *query)
{
	free(query->id);
	free(query->definition);
	free(query->key);
	free(query->group);
	free(query->kind);
	free(query->step);
	free(query->owner);
	for (size_t i = 0; i < query->filter.n_search; i++) {
		free((char *)query->search[i].name);
		free((char *)query->search[i].value);
	}
	free(query->parent);
	saga_query_init(query, query->filter.ns);
}

static int unknown_word(const char *what, const char *word, const char *const *known, size_t n,
						struct err *err)
{
	const char *meant = suggest_from(word, known, n);

	return err_set(err, ERR_INVALID, "unknown %s %.60s%s%s%s", what, word,
				   meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static int add_statuses(struct saga_query *query, const struct term *term, struct err *err)
{
	static const char *const texts[] = {
#define X(name, text) text,
		SAGA_STATUSES(X)
#undef X
	};
	const char *value = term->value;
	unsigned mask = 0;

	for (;;) {
		size_t len = strcspn(value, ",");
		CLEANUP(free_p) char *text = xstrndup(value, len);
		int status = saga_status_parse(text);

		if (status < 0)
			return unknown_word("status", text, texts, ARRAY_SIZE(texts), err);
		mask |= 1u << status;
		if (!value[len])
			break;
		value += len + 1;
	}
	query->filter.status_mask = mask;
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

static int add_started(struct saga_query *query, const struct term *term, struct err *err)
{
	wall_ms at;
	int r = parse_when(term->value, &at, err);

	if (r < 0)
		return r;
	if (term->op == '>' || term->op == 'g')
		query->filter.started_from = term->op == 'g' ? at : at + 1;
	else
		query->filter.started_before = term->op == '<' ? at : at + 1;
	if (term->op == '<' && at == 0)
		query->filter.started_before = -1; /* 0 is no bound, and nothing began before 1970 */
	return 0;
}

static int add_definition(struct saga_query *query, const struct term *term, struct err *err)
{
	(void)err;
	query->filter.definition = query->definition = xstrdup(term->value);
	return 0;
}

static int add_version(struct saga_query *query, const struct term *term, struct err *err)
{
	size_t len = strlen(term->value);

	if (len > 9 || strspn(term->value, "0123456789") != len || strspn(term->value, "0") == len)
		return err_set(err, ERR_INVALID, "%.60s is no version; write version:3", term->value);
	query->filter.version = strtol(term->value, NULL, 10);
	return 0;
}

static int add_key(struct saga_query *query, const struct term *term, struct err *err)
{
	(void)err;
	query->filter.key = query->key = xstrdup(term->value);
	query->filter.key_exact = term->quoted;
	return 0;
}

static int add_attention(struct saga_query *query, const struct term *term, struct err *err)
{
	if (strcmp(term->value, "true") != 0)
		return err_set(err, ERR_INVALID, "attention can only be asked for with attention:true");
	query->filter.attention_only = true;
	return 0;
}

static int add_group(struct saga_query *query, const struct term *term, struct err *err)
{
	size_t len = strlen(term->value);

	if (len != ATTENTION_GROUP_DIGITS || strspn(term->value, "0123456789abcdef") != len)
		return err_set(err, ERR_INVALID,
					   "%.60s is no group; it has %d hexadecimal digits, as `attention` lists them",
					   term->value, ATTENTION_GROUP_DIGITS);
	query->filter.group = query->group = xstrdup(term->value);
	return 0;
}

static int add_kind(struct saga_query *query, const struct term *term, struct err *err)
{
	static const char *const texts[] = {
#define X(name, text) text,
		ATTENTION_KINDS(X)
#undef X
	};

	if (attention_kind_parse(term->value) < 0)
		return unknown_word("kind", term->value, texts, ARRAY_SIZE(texts), err);
	query->filter.kind = query->kind = xstrdup(term->value);
	return 0;
}

static int add_step(struct saga_query *query, const struct term *term, struct err *err)
{
	(void)err;
	query->filter.step = query->step = xstrdup(term->value);
	return 0;
}

static int add_owner(struct saga_query *query, const struct term *term, struct err *err)
{
	(void)err;
	query->filter.owner = query->owner = xstrdup(term->value);
	return 0;
}

/* "search.customer" is the value `customer`, "label.team" the label `team`. NULL: neither. */
static const char *search_name(const char *name)
{
	if (strncmp(name, "search.", 7) == 0)
		return name + 7;
	return strncmp(name, SEARCH_LABEL_PREFIX, strlen(SEARCH_LABEL_PREFIX)) == 0 ? name : NULL;
}

/* By name, so that two queries that mean the same are written alike. */
static int add_search(struct saga_query *query, const struct term *term, struct err *err)
{
	const char *name = search_name(term->name);
	size_t at = 0, n = query->filter.n_search;

	if (term->op != ':' || !*term->value)
		return err_set(err, ERR_INVALID, "write %.80s:value with a colon", term->name);
	if (!*name || strcmp(name, SEARCH_LABEL_PREFIX) == 0)
		return err_set(err, ERR_INVALID, "%.60s names nothing; write search.customer:42",
					   term->name);
	if (strlen(name) > SEARCH_NAME_MAX_BYTES || strlen(term->value) > STORE_VALUE_MAX_BYTES ||
		n == SEARCH_VALUES_MAX)
		return err_set(err, ERR_LIMIT, "%.60s is too long, or one too many", term->name);
	while (at < n && strcmp(query->search[at].name, name) < 0)
		at++;
	if (at < n && strcmp(query->search[at].name, name) == 0)
		return err_set(err, ERR_INVALID, "%.80s is there twice", term->name);
	memmove(query->search + at + 1, query->search + at, (n - at) * sizeof(*query->search));
	query->search[at] = (struct search_value){xstrdup(name), xstrdup(term->value)};
	query->filter.search = query->search;
	query->filter.n_search++;
	return 0;
}

static int add_parent(struct saga_query *query, const struct term *term, struct err *err)
{
	if (saga_id_slot(term->value) < 0)
		return err_set(err, ERR_INVALID, "%.60s is not the id of a saga", term->value);
	query->filter.parent = query->parent = xstrdup(term->value);
	return 0;
}

static int unknown_name(const struct term *term, struct err *err)
{
	const char *meant = suggest_from(term->name, saga_query_names, saga_query_n_names);

	return err_set(
		err, ERR_INVALID,
		"unknown filter %.60s%s%s%s; there are status, saga, version, key, attention, "
		"group, kind, step, owner, parent, started, search.NAME and label.NAME; a key with such "
		"a sign is written in "
		"quotes",
		term->name, meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static int add_term(struct saga_query *query, const struct term *term, struct err *err)
{
	static int (*const adders[])(struct saga_query *, const struct term *, struct err *) = {
#define X(name, add) add,
		FILTERS(X)
#undef X
	};
	bool above = term->op == '>' || term->op == 'g';
	unsigned bit;
	size_t i = 0;
	int r;

	if (search_name(term->name))
		return add_search(query, term, err);
	while (i < saga_query_n_names && strcmp(term->name, saga_query_names[i]) != 0)
		i++;
	if (i == saga_query_n_names)
		return unknown_name(term, err);
	if (!*term->value)
		return err_set(err, ERR_INVALID, "%.60s has no value", term->name);
	if ((adders[i] == add_started) != (term->op != ':'))
		return err_set(err, ERR_INVALID,
					   adders[i] == add_started ? "write started>… or started<… with a time"
												: "write %.60s:… with a colon",
					   term->name);
	bit = 1u << (i + above); /* a time may be bounded on both sides */
	if (query->seen & bit)
		return err_set(err, ERR_INVALID, "%s is there twice%s", term->name,
					   adders[i] == add_statuses ? "; write status:a,b for either" : "");
	r = adders[i](query, term, err);
	if (r == 0)
		query->seen |= bit;
	return r;
}

int saga_query_add(struct saga_query *query, const char *name, char op, const char *value,
				   struct err *err)
{
	const struct term term = {.name = name, .op = op, .value = value};

	return add_term(query, &term, err);
}

/* A word alone. */
static int add_word(struct saga_query *query, const char *word, struct err *err)
{
	const struct term key = {.name = "key", .op = ':', .value = word, .quoted = true};

	if (!*word)
		return err_set(err, ERR_INVALID, "what is quoted is empty");
	if (saga_id_slot(word) < 0) {
		if (query->key)
			return err_set(err, ERR_INVALID,
						   "%.60s would be a second key; a key with spaces is written in quotes",
						   word);
		return add_term(query, &key, err);
	}
	if (query->id)
		return err_set(err, ERR_INVALID, "there are two ids, and a saga has one");
	query->filter.id = query->id = xstrdup(word);
	return 0;
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

static size_t name_length(const char *p)
{
	size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");

	/* search.NAME and label.NAME; what else is written so is a mistake rather than a key. */
	if (len > 0 && p[len] == '.')
		len += strspn(p + len, ".abcdefghijklmnopqrstuvwxyz0123456789_-");
	return len;
}

static int parse_term(struct saga_query *query, const char **text, struct buf *value,
					  struct err *err)
{
	const char *p = *text;
	size_t len = name_length(p);
	CLEANUP(free_p) char *name = xstrndup(p, len);
	struct term term = {.name = name, .op = p[len]};
	bool word = *p == '"' || !term.op || !strchr(":<>", term.op);
	int r;

	if (!word && len == 0)
		return err_set(err, ERR_INVALID,
					   "%.*s is no filter; write name:value, started>time, or a key in quotes",
					   (int)strcspn(p, " "), p);
	if (!word)
		p += len + 1;
	if (!word && term.op != ':' && *p == '=') {
		term.op = term.op == '<' ? 'l' : 'g';
		p++;
	}
	term.quoted = *p == '"';
	r = read_value(&p, value, err);
	if (r < 0)
		return r;
	*text = p;
	term.value = buf_str(value);
	return word ? add_word(query, term.value, err) : add_term(query, &term, err);
}

int saga_query_parse(struct saga_query *query, const char *text, struct err *err)
{
	const char *begin = text;
	struct buf value;
	int r = 0;

	if (strlen(text) > QUERY_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "a filter has at most %d bytes", QUERY_MAX_BYTES);
	buf_init(&value, QUERY_MAX_BYTES + 1);
	while (r == 0) {
		const char *term;

		text += strspn(text, " ");
		if (!*text)
			break;
		term = text;
		r = parse_term(query, &text, &value, err);
		if (r < 0 && err)
			snprintf(err->place, sizeof(err->place), "character %d", (int)(term - begin) + 1);
	}
	buf_release(&value);
	return r;
}

/* Writing. */

static void write_name(struct buf *out, const char *name)
{
	if (out->len > 0)
		buf_add_char(out, ' ');
	buf_add_str(out, name);
}

static void write_value(struct buf *out, const char *name, const char *value, bool quoted)
{
	if (!value)
		return;
	write_name(out, name);
	if (!quoted && *value != '"' && !strchr(value, ' ')) {
		buf_add_str(out, value);
		return;
	}
	buf_add_char(out, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *value);
	}
	buf_add_char(out, '"');
}

/* A key without wildcards means the same with quotes and without. */
static bool needs_quotes(const struct saga_filter *filter)
{
	return filter->key && filter->key_exact && strpbrk(filter->key, "*?");
}

static void write_time(struct buf *out, const char *name, wall_ms at)
{
	char text[TIME_TEXT_SIZE];

	if (!at)
		return;
	time_format(at, text);
	write_name(out, name);
	buf_add_str(out, text);
}

void saga_query_write(const struct saga_query *query, struct buf *out)
{
	const struct saga_filter *filter = &query->filter;
	const char *separator = "status:";

	write_value(out, "", filter->id, false);
	for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
		if (!(filter->status_mask >> status & 1))
			continue;
		if (*separator == ',')
			buf_add_char(out, ',');
		else
			write_name(out, separator);
		buf_add_str(out, saga_status_text((enum saga_status)status));
		separator = ",";
	}
	write_value(out, "saga:", filter->definition, false);
	if (filter->version) {
		write_name(out, "version:");
		buf_printf(out, "%lld", (long long)filter->version);
	}
	write_value(out, "key:", filter->key, needs_quotes(filter));
	if (filter->attention_only)
		write_name(out, "attention:true");
	write_value(out, "group:", filter->group, false);
	write_value(out, "kind:", filter->kind, false);
	write_value(out, "step:", filter->step, false);
	write_value(out, "owner:", filter->owner, false);
	for (size_t i = 0; i < filter->n_search; i++) {
		CLEANUP(free_p)
		char *name = xasprintf("%s%s:", search_name(filter->search[i].name) ? "" : "search.",
							   filter->search[i].name);

		write_value(out, name, filter->search[i].value, false);
	}
	write_value(out, "parent:", filter->parent, false);
	write_time(out, "started>=", filter->started_from);
	write_time(out, "started<", filter->started_before);
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
