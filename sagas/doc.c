/*
 * A document before it means anything: where its nodes stand in the text, what was found wrong, and
 * the reading of JSON text into values with both. connectors/yaml.c does the same for YAML.
 */
#include "sagas/def_load.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/base/hash.h"
#include "sagas/json_text.h"

enum { MAX_FINDINGS = 100, MAX_POINTER = 255 };

/*
 * Pointers are kept as hashes only: a document of one long key with many children would otherwise
 * take the square of its size. Should two ever collide, a finding shows a wrong line.
 */
struct place {
	uint64_t hash; /* 0: free */
	int line;
	int column;
};

struct doc_places {
	struct place *table; /* open addressing, a power of two */
	size_t cap;
	size_t n;
};

struct doc_places *doc_places_new(void)
{
	struct doc_places *places = xcalloc(1, sizeof(*places));

	places->cap = 256;
	places->table = xcalloc(places->cap, sizeof(*places->table));
	return places;
}

void doc_places_free(struct doc_places *places)
{
	if (!places)
		return;
	free(places->table);
	free(places);
}

static uint64_t pointer_hash(const char *pointer, size_t len)
{
	uint64_t hash = fnv_1a(FNV_1A_START, pointer, len);

	return hash ? hash : 1;
}

static struct place *find_place(const struct doc_places *places, uint64_t hash)
{
	size_t i = hash & (places->cap - 1);

	while (places->table[i].hash && places->table[i].hash != hash)
		i = (i + 1) & (places->cap - 1);
	return &places->table[i];
}

void doc_places_add(struct doc_places *places, const char *pointer, int line, int column)
{
	size_t len = strlen(pointer);
	struct place *place;

	if (len > MAX_POINTER)
		return; /* its parent's line will do */
	if (places->n * 2 >= places->cap) {
		struct doc_places larger = {.cap = places->cap * 2, .n = places->n};

		larger.table = xcalloc(larger.cap, sizeof(*larger.table));
		for (size_t i = 0; i < places->cap; i++) {
			if (places->table[i].hash)
				*find_place(&larger, places->table[i].hash) = places->table[i];
		}
		free(places->table);
		*places = larger;
	}
	place = find_place(places, pointer_hash(pointer, len));
	if (place->hash)
		return;
	*place = (struct place){pointer_hash(pointer, len), line, column};
	places->n++;
}

int doc_places_line(const struct doc_places *places, const char *pointer)
{
	size_t len = strlen(pointer);

	if (!places)
		return 0;
	for (;;) {
		const struct place *place = find_place(places, pointer_hash(pointer, len));

		if (place->hash)
			return place->line;
		if (len == 0)
			return 0;
		while (len > 0 && pointer[--len] != '/')
			continue;
	}
}

void findings_release(struct findings *findings)
{
	for (size_t i = 0; i < findings->n; i++)
		free(findings->list[i].text);
	free(findings->list);
	*findings = (struct findings){0};
}

void findings_add(struct findings *findings, enum finding_level level, int line,
				  const char *pointer, const char *fmt, ...)
{
	struct finding *finding;
	va_list args;

	findings->n_errors += level == FINDING_ERROR;
	findings->n_not_built += level == FINDING_NOT_BUILT;
	if (findings->n == MAX_FINDINGS) {
		findings->truncated = true;
		return;
	}
	findings->list = xrealloc_array(findings->list, findings->n + 1, sizeof(*findings->list));
	finding = &findings->list[findings->n++];
	*finding = (struct finding){.level = level, .line = line};
	snprintf(finding->pointer, sizeof(finding->pointer), "%s", pointer);
	va_start(args, fmt);
	if (vasprintf(&finding->text, fmt, args) < 0)
		finding->text = xstrdup("(no memory for the text)");
	va_end(args);
}

/*
 * A walk over JSON text that json_text_check has found well-formed, so it looks only at what it
 * needs: line ends, brackets, and keys.
 */
struct scan {
	const char *at, *end;
	const char *line_start;
	int line;
	struct buf pointer;
	struct doc_places *places;
	struct findings *findings;
};

static void skip_space(struct scan *scan)
{
	for (; scan->at < scan->end; scan->at++) {
		if (*scan->at == '\n') {
			scan->line++;
			scan->line_start = scan->at + 1;
		} else if (*scan->at != ' ' && *scan->at != '\t' && *scan->at != '\r') {
			return;
		}
	}
}

/* Moves past a string and gives its bounds with the quotes. */
static const char *skip_string(struct scan *scan, size_t *ret_len)
{
	const char *start = scan->at++;

	while (scan->at < scan->end && *scan->at != '"')
		scan->at += *scan->at == '\\' ? 2 : 1;
	scan->at++;
	*ret_len = (size_t)(scan->at - start);
	return start;
}

static void add_pointer_part(struct buf *pointer, const char *key)
{
	buf_add_char(pointer, '/');
	json_write_pointer_key(key, pointer);
}

static void truncate_buf(struct buf *buf, size_t len)
{
	if (!buf->data)
		return;
	buf->len = len;
	buf->data[len] = '\0';
}

static void scan_value(struct scan *scan);

static void scan_object(struct scan *scan)
{
	CLEANUP(json_decref_p) json_t *seen = json_object();
	size_t base = scan->pointer.len;

	scan->at++;
	for (skip_space(scan); scan->at < scan->end && *scan->at != '}'; skip_space(scan)) {
		CLEANUP(json_decref_p) json_t *key = NULL;
		int line, column;
		const char *quoted;
		size_t len;

		if (*scan->at == ',') {
			scan->at++;
			continue;
		}
		line = scan->line;
		column = (int)(scan->at - scan->line_start) + 1;
		quoted = skip_string(scan, &len);
		key = json_loadb(quoted, len, JSON_DECODE_ANY, NULL);
		add_pointer_part(&scan->pointer, key ? json_string_value(key) : "");
		doc_places_add(scan->places, buf_str(&scan->pointer), line, column);
		if (key && json_object_get(seen, json_string_value(key)))
			findings_add(scan->findings, FINDING_ERROR, line, buf_str(&scan->pointer),
						 "the key `%s` stands here twice", json_string_value(key));
		else if (key)
			json_object_set_new(seen, json_string_value(key), json_true());
		skip_space(scan);
		scan->at++; /* the colon */
		skip_space(scan);
		scan_value(scan);
		truncate_buf(&scan->pointer, base);
	}
	scan->at++;
}

static void scan_array(struct scan *scan)
{
	size_t base = scan->pointer.len;
	int64_t index = 0;

	scan->at++;
	for (skip_space(scan); scan->at < scan->end && *scan->at != ']'; skip_space(scan)) {
		if (*scan->at == ',') {
			scan->at++;
			continue;
		}
		buf_add_char(&scan->pointer, '/');
		buf_add_int(&scan->pointer, index++);
		doc_places_add(scan->places, buf_str(&scan->pointer), scan->line,
					   (int)(scan->at - scan->line_start) + 1);
		scan_value(scan);
		truncate_buf(&scan->pointer, base);
	}
	scan->at++;
}

/* Recursion ends at JSON_MAX_DEPTH, which json_text_check has seen to. */
static void scan_value(struct scan *scan)
{
	size_t len;

	if (scan->at >= scan->end)
		return;
	if (*scan->at == '{')
		scan_object(scan);
	else if (*scan->at == '[')
		scan_array(scan);
	else if (*scan->at == '"')
		skip_string(scan, &len);
	else
		scan->at += strcspn(scan->at, ",]} \t\r\n");
}

/* The text is copied so that it ends with a NUL for the walk. */
static void scan_text(const char *text, size_t len, struct doc_places *places,
					  struct findings *findings)
{
	CLEANUP(free_p) char *copy = xstrndup(text, len);
	struct scan scan = {.at = copy,
						.end = copy + len,
						.line_start = copy,
						.line = 1,
						.places = places,
						.findings = findings};

	buf_init(&scan.pointer, 0);
	buf_add_str(&scan.pointer, "");
	skip_space(&scan);
	doc_places_add(places, "", scan.line, 1);
	scan_value(&scan);
	buf_release(&scan.pointer);
}

int doc_from_json(const char *text, size_t len, json_t **ret_doc, struct doc_places *places,
				  struct findings *findings)
{
	struct err err = {0};
	json_error_t json_err;
	json_t *doc;
	int line = 0;

	if (len > DEF_MAX_BYTES) {
		findings_add(findings, FINDING_ERROR, 0, "",
					 "the document has %zu bytes; at most %d are read", len, DEF_MAX_BYTES);
		return ERR_INVALID;
	}
	if (json_text_check(text, len, &err) < 0) {
		if (sscanf(err.place, "line %d", &line) != 1)
			line = 0;
		findings_add(findings, FINDING_ERROR, line, "", "not JSON: %s (%s)", err.text, err.place);
		return ERR_INVALID;
	}
	scan_text(text, len, places, findings);
	doc = json_loadb(text, len, JSON_DECODE_ANY, &json_err);
	if (!doc) {
		findings_add(findings, FINDING_ERROR, json_err.line, "", "not JSON: %s", json_err.text);
		return ERR_INVALID;
	}
	*ret_doc = doc;
	return 0;
}
