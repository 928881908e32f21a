/*
 * The strict profile of YAML over libyaml's events: a stack of open collections builds the JSON
 * value, and every event is looked at with suspicion. libyaml ends at the first syntax error; all
 * else is reported to the end of the document.
 */
#include "connectors/yaml.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "sagas/base/buf.h"
#include "sagas/json_text.h"

enum { MAX_DEPTH = 64 };

struct frame {
	json_t *value; /* object or array; borrowed from its parent, or the document */
	char *key;     /* of the object, when its value comes next */
	size_t pointer_len;
};

struct reader {
	const char *text;
	size_t len;
	yaml_parser_t parser;
	json_t *doc;
	struct frame stack[MAX_DEPTH];
	int depth;
	int nodes;
	int documents;
	struct buf pointer;
	struct doc_places *places;
	struct findings *findings;
	bool stop;
};

#define find(reader, line, ...)                                                                    \
	findings_add((reader)->findings, FINDING_ERROR, (int)(line) + 1, buf_str(&(reader)->pointer),  \
				 __VA_ARGS__)

static void pointer_truncate(struct reader *reader, size_t len)
{
	if (reader->pointer.data) {
		reader->pointer.len = len;
		reader->pointer.data[len] = '\0';
	}
}

/* A line of the text, without its end. */
static const char *line_text(const struct reader *reader, size_t line, size_t *ret_len)
{
	const char *at = reader->text, *end = reader->text + reader->len, *newline;

	for (; line > 0 && (newline = memchr(at, '\n', (size_t)(end - at))); line--)
		at = newline + 1;
	newline = memchr(at, '\n', (size_t)(end - at));
	*ret_len = (size_t)((newline ? newline : end) - at);
	return at;
}

/* An expression that no quotes protect: in flow collections { and } are YAML's own. */
static bool has_bare_expr(const char *line, size_t len)
{
	char quote = 0;

	for (size_t i = 0; i < len; i++) {
		if (quote)
			quote = line[i] == quote ? 0 : quote;
		else if (line[i] == '"' || line[i] == '\'')
			quote = line[i];
		else if (line[i] == '#' && (i == 0 || line[i - 1] == ' '))
			return false;
		else if (line[i] == '$' && i + 1 < len && line[i + 1] == '{')
			return true;
	}
	return false;
}

static bool has_tab_indent(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && line[i] == ' ')
		i++;
	return i < len && line[i] == '\t';
}

static void report_syntax(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	size_t len, line = parser->problem_mark.line;
	const char *text = line_text(reader, line, &len), *hint = "";
	bool bare = has_bare_expr(text, len);

	if (!bare && parser->context && parser->context_mark.line != line) {
		size_t context_len;
		const char *context = line_text(reader, parser->context_mark.line, &context_len);

		bare = has_bare_expr(context, context_len);
	}
	if (has_tab_indent(text, len))
		hint = "; YAML is indented with blanks, not with tabs";
	else if (bare)
		hint = "; quote text that holds ${...}, for YAML gives { } [ ] , \": \" and \" #\" "
			   "meanings of "
			   "its own: \"${...}\"";
	pointer_truncate(reader, 0);
	find(reader, line, "not YAML: %s%s%s (column %zu)%s", parser->context ? parser->context : "",
		 parser->context ? ", " : "", parser->problem ? parser->problem : "unreadable",
		 parser->problem_mark.column + 1, hint);
}

/* Puts a value where the document is open. Takes the reference. */
static void add_value(struct reader *reader, json_t *value)
{
	struct frame *frame;

	if (reader->depth == 0) {
		json_decref(reader->doc);
		reader->doc = value;
		return;
	}
	frame = &reader->stack[reader->depth - 1];
	if (json_is_array(frame->value)) {
		json_array_append_new(frame->value, value);
	} else {
		/* libyaml has checked the encoding; a refusal here would free what the stack holds. */
		json_object_set_new_nocheck(frame->value, frame->key, value);
		free(TAKE(frame->key));
	}
}

/* Makes the pointer that of the value to come. */
static void enter_value(struct reader *reader, const yaml_mark_t *mark)
{
	const struct frame *frame = reader->depth > 0 ? &reader->stack[reader->depth - 1] : NULL;

	if (frame && json_is_array(frame->value)) {
		pointer_truncate(reader, frame->pointer_len);
		buf_add_char(&reader->pointer, '/');
		buf_add_int(&reader->pointer, (int64_t)json_array_size(frame->value));
	}
	doc_places_add(reader->places, buf_str(&reader->pointer), (int)mark->line + 1,
				   (int)mark->column + 1);
	if (++reader->nodes > YAML_MAX_NODES && !reader->stop) {
		find(reader, mark->line, "the document has more than %d values", YAML_MAX_NODES);
		reader->stop = true;
	}
}

static bool wants_key(const struct reader *reader)
{
	const struct frame *frame = reader->depth > 0 ? &reader->stack[reader->depth - 1] : NULL;

	return frame && json_is_object(frame->value) && !frame->key;
}

static void refuse_tag(struct reader *reader, const yaml_mark_t *mark, const yaml_char_t *tag)
{
	const char *name = (const char *)tag;

	if (!name)
		return;
	if (strncmp(name, "tag:yaml.org,2002:", 18) == 0)
		find(reader, mark->line, "tags such as !!%.40s are not used here; quote what is text",
			 name + 18);
	else
		find(reader, mark->line,
			 "%.60s reads as a tag of YAML; if it is an expression, write \"${%.60s}\"", name,
			 name);
}

static void refuse_anchor(struct reader *reader, const yaml_mark_t *mark, const yaml_char_t *anchor)
{
	if (anchor)
		find(reader, mark->line,
			 "anchors and aliases (&%.40s, *%.40s) are not used here: write it out, or quote it if "
			 "it is text",
			 (const char *)anchor, (const char *)anchor);
}

/* ` #` begins a comment even inside what was meant as an expression. */
static bool ends_inside_expr(const char *text)
{
	const char *at = strstr(text, "${");

	for (; at; at = strstr(at, "${")) {
		int open = 0;
		char quote = 0;

		if (at > text && at[-1] == '$') { /* $${ is literal */
			at += 2;
			continue;
		}
		for (at++; *at; at++) {
			if (quote) {
				if (*at == '\\' && at[1])
					at++;
				else if (*at == quote)
					quote = 0;
			} else if (*at == '"' || *at == '\'') {
				quote = *at;
			} else if (*at == '{') {
				open++;
			} else if (*at == '}' && --open == 0) {
				break;
			}
		}
		if (!*at)
			return true;
	}
	return false;
}

static bool comment_follows(const struct reader *reader, const yaml_mark_t *mark)
{
	size_t len, i = 0;
	const char *line = line_text(reader, mark->line, &len);

	for (size_t column = 0; i < len && column < mark->column; column++) {
		for (i++; i < len && (line[i] & 0xc0) == 0x80;)
			i++;
	}
	while (i < len && line[i] == ' ')
		i++;
	return i < len && line[i] == '#';
}

static bool is_json_number(const char *text)
{
	const char *at = text + (*text == '-');
	size_t digits = strspn(at, "0123456789");

	if (digits == 0 || (digits > 1 && *at == '0'))
		return false;
	at += digits;
	if (*at == '.') {
		digits = strspn(at + 1, "0123456789");
		if (digits == 0)
			return false;
		at += 1 + digits;
	}
	if (*at == 'e' || *at == 'E') {
		at += 1 + (at[1] == '+' || at[1] == '-');
		digits = strspn(at, "0123456789");
		if (digits == 0)
			return false;
		at += digits;
	}
	return *at == '\0';
}

/* What other readers of YAML take for something else than text: 007, +5, .5, 0x1f, .inf, True. */
static const char *doubtful(const char *text)
{
	static const char *const words[] = {"True",  "TRUE", "False", "FALSE", "Null",
										"NULL",  ".inf", ".Inf",  ".INF",  "-.inf",
										"-.Inf", ".nan", ".NaN",  "-.INF", ".NAN"};
	const char *at = text + (*text == '-' || *text == '+');
	size_t digits = strspn(at, "0123456789");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]) == 0)
			return words[i][0] == '.' || words[i][0] == '-' ? "is no number of JSON"
															: "must be written in small letters";
	}
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'o') &&
		strspn(at + 2, "0123456789abcdefABCDEF") == strlen(at + 2) && at[2])
		return "is a number in some readers of YAML and text in others";
	if (at[digits] == '.')
		digits += 1 + strspn(at + digits + 1, "0123456789");
	if (at[digits] || digits == 0 || (digits == 1 && *at == '.'))
		return NULL;
	return "is a number in some readers of YAML and text in others";
}

static json_t *plain_value(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	const char *doubt;
	struct err err;
	json_t *value = NULL;

	if (len == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
		return json_null();
	if (strcmp(text, "true") == 0)
		return json_true();
	if (strcmp(text, "false") == 0)
		return json_false();
	if (is_json_number(text)) {
		if (json_parse(text, len, &value, &err) == 0)
			return value;
		find(reader, event->start_mark.line, "the number %.40s: %s", text, err.text);
		return json_null();
	}
	doubt = doubtful(text);
	if (doubt)
		find(reader, event->start_mark.line, "%.40s %s; quote it if it is text", text, doubt);
	return json_stringn(text, len);
}

static void read_key(struct reader *reader, const yaml_event_t *event)
{
	struct frame *frame = &reader->stack[reader->depth - 1];
	const char *key = (const char *)event->data.scalar.value;
	const yaml_mark_t *mark = &event->start_mark;

	pointer_truncate(reader, frame->pointer_len);
	buf_add_char(&reader->pointer, '/');
	json_write_pointer_key(key, &reader->pointer);
	doc_places_add(reader->places, buf_str(&reader->pointer), (int)mark->line + 1,
				   (int)mark->column + 1);
	frame->key = xstrdup(key);
	if (strlen(key) != event->data.scalar.length)
		find(reader, mark->line, "a key may not hold a NUL");
	else if (strcmp(key, "<<") == 0 && event->data.scalar.plain_implicit)
		find(reader, mark->line, "merge keys (<<) are not used here: write it out");
	else if (json_object_get(frame->value, key))
		find(reader, mark->line, "the key `%.64s` stands here twice", key);
}

static void read_scalar(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	const yaml_mark_t *mark = &event->start_mark;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (wants_key(reader)) {
		read_key(reader, event);
		refuse_tag(reader, mark, event->data.scalar.tag);
		refuse_anchor(reader, mark, event->data.scalar.anchor);
		return;
	}
	enter_value(reader, mark);
	refuse_tag(reader, mark, event->data.scalar.tag);
	refuse_anchor(reader, mark, event->data.scalar.anchor);
	if (memchr(text, '\0', event->data.scalar.length)) {
		find(reader, mark->line, "text may not hold a NUL");
		add_value(reader, json_null());
		return;
	}
	if (plain && ends_inside_expr(text) && comment_follows(reader, &event->end_mark))
		find(reader, mark->line,
			 "the text ends inside of ${...}: \" #\" begins a comment; quote the text");
	add_value(reader,
			  plain ? plain_value(reader, event) : json_stringn(text, event->data.scalar.length));
}

static void open_collection(struct reader *reader, const yaml_mark_t *mark, json_t *value,
							const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (wants_key(reader)) {
		find(reader, mark->line, "a key must be text; quote text that holds { } or [ ]");
		reader->stack[reader->depth - 1].key = xstrdup("?");
	}
	enter_value(reader, mark);
	refuse_tag(reader, mark, tag);
	refuse_anchor(reader, mark, anchor);
	add_value(reader, value);
	if (reader->depth == MAX_DEPTH) {
		find(reader, mark->line, "the document is nested deeper than %d", MAX_DEPTH);
		reader->stop = true;
		return;
	}
	reader->stack[reader->depth++] =
		(struct frame){.value = value, .pointer_len = reader->pointer.len};
}

static void close_collection(struct reader *reader)
{
	struct frame *frame = &reader->stack[--reader->depth];

	free(frame->key);
	pointer_truncate(reader, frame->pointer_len);
}

static void read_event(struct reader *reader, const yaml_event_t *event)
{
	const yaml_mark_t *mark = &event->start_mark;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (reader->documents++ > 0) {
			find(reader, mark->line, "a second document begins here; one saga a file");
			reader->stop = true;
		}
		return;
	case YAML_ALIAS_EVENT:
		if (wants_key(reader))
			reader->stack[reader->depth - 1].key = xstrdup("?");
		enter_value(reader, mark);
		refuse_anchor(reader, mark, event->data.alias.anchor);
		add_value(reader, json_null());
		return;
	case YAML_SCALAR_EVENT:
		read_scalar(reader, event);
		return;
	case YAML_SEQUENCE_START_EVENT:
		open_collection(reader, mark, json_array(), event->data.sequence_start.anchor,
						event->data.sequence_start.tag);
		return;
	case YAML_MAPPING_START_EVENT:
		open_collection(reader, mark, json_object(), event->data.mapping_start.anchor,
						event->data.mapping_start.tag);
		return;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_collection(reader);
		return;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return;
	}
}

static void read_events(struct reader *reader)
{
	while (!reader->stop) {
		yaml_event_t event;
		bool end;

		if (!yaml_parser_parse(&reader->parser, &event)) {
			report_syntax(reader);
			reader->stop = true;
			return;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		read_event(reader, &event);
		yaml_event_delete(&event);
		if (end)
			return;
	}
}

/* Gives the document when it could be read to its end, whatever was found on the way. */
static int read_yaml(const char *text, size_t len, json_t **ret_doc, struct doc_places *places,
					 struct findings *findings)
{
	struct reader *reader;
	size_t errors = findings->n_errors;
	int r = ERR_INVALID;

	if (len > DEF_MAX_BYTES) {
		findings_add(findings, FINDING_ERROR, 0, "",
					 "the document has %zu bytes; at most %d are read", len, DEF_MAX_BYTES);
		return ERR_INVALID;
	}
	reader = xcalloc(1, sizeof(*reader));
	reader->text = text;
	reader->len = len;
	reader->places = places;
	reader->findings = findings;
	buf_init(&reader->pointer, 0);
	CHECK(yaml_parser_initialize(&reader->parser));
	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, len);
	read_events(reader);
	if (findings->n_errors == errors && !reader->doc)
		findings_add(findings, FINDING_ERROR, 0, "", "the document is empty");
	while (reader->depth > 0)
		close_collection(reader);
	yaml_parser_delete(&reader->parser);
	buf_release(&reader->pointer);
	if (reader->doc && !reader->stop) {
		*ret_doc = TAKE(reader->doc);
		r = 0;
	}
	json_decref(reader->doc);
	free(reader);
	return r;
}

int yaml_read(const char *text, size_t len, json_t **ret_doc, struct doc_places *places,
			  struct findings *findings)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	size_t errors = findings->n_errors;
	int r = read_yaml(text, len, &doc, places, findings);

	if (r < 0 || findings->n_errors > errors)
		return ERR_INVALID;
	*ret_doc = TAKE(doc);
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = text ? strlen(text) : 0;

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

int definition_read(const char *file_name, const char *text, size_t len, json_t **ret_doc,
					struct doc_places *places, struct findings *findings)
{
	size_t at = 0;
	bool json;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3; /* the byte order mark that some editors put before UTF-8 */
		len -= 3;
	}
	while (at < len && text[at] && strchr(" \t\r\n", text[at]))
		at++;
	json = at < len && text[at] == '{' && !ends_with(file_name, ".yaml") &&
		   !ends_with(file_name, ".yml");
	if (json || ends_with(file_name, ".json"))
		return doc_from_json(text, len, ret_doc, places, findings);
	return read_yaml(text, len, ret_doc, places, findings);
}
