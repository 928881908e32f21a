#include "coordinator/cli/print.h"

#include <stdarg.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/json_text.h"

char *shown_text(const char *text)
{
	char *copy = xstrdup(text), *to = copy;

	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) {
			*to++ = '?';
			c++;
		} else {
			*to++ = *c < 0x20 || *c == 0x7f ? '?' : (char)*c;
		}
	}
	*to = '\0';
	return copy;
}

char *shell_text(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
								"_@%+=:,./-";
	struct buf out;

	if (*text && text[strspn(text, plain)] == '\0')
		return xstrdup(text);
	buf_init(&out, 0);
	buf_add_char(&out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_add_str(&out, "'\\''");
		else
			buf_add_char(&out, *text);
	}
	buf_add_char(&out, '\'');
	return buf_take(&out, NULL);
}

void table_init(struct table *table, ...)
{
	va_list args;
	const char *name;

	*table = (struct table){0};
	va_start(args, table);
	while ((name = va_arg(args, const char *))) {
		CHECK(table->n_columns < TABLE_MAX_COLUMNS);
		table->cells = xrealloc_array(table->cells, ++table->n_columns, sizeof(char *));
		table->cells[table->n_cells++] = xstrdup(name);
	}
	va_end(args);
}

void table_release(struct table *table)
{
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){0};
}

void table_add(struct table *table, ...)
{
	va_list args;

	table->cells = xrealloc_array(table->cells, table->n_cells + table->n_columns, sizeof(char *));
	va_start(args, table);
	for (size_t i = 0; i < table->n_columns; i++) {
		const char *text = va_arg(args, const char *);

		table->cells[table->n_cells++] = shown_text(text && *text ? text : "-");
	}
	va_end(args);
}

/* Columns on the screen: characters, not bytes. */
static size_t shown_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		if (((unsigned char)*text & 0xc0) != 0x80)
			n++;
	return n;
}

void table_print(const struct table *table, bool color, FILE *out)
{
	size_t widths[TABLE_MAX_COLUMNS] = {0}, last = table->n_columns - 1;

	for (size_t i = 0; i < table->n_cells; i++) {
		size_t width = shown_width(table->cells[i]), *most = &widths[i % table->n_columns];

		*most = width > *most ? width : *most;
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		const char *text = table->cells[i];
		size_t column = i % table->n_columns;
		const char *paint = i < table->n_columns ? "" : status_color(text, color);

		fprintf(out, "%s%s%s", paint, text, color_end(paint));
		if (column == last)
			fputc('\n', out);
		else
			fprintf(out, "%*s", (int)(widths[column] - shown_width(text) + 2), "");
	}
}

static void json_pretty(const json_t *value, int indent, struct buf *out)
{
	size_t i, n;
	const char *name;
	json_t *member;
	bool first = true;

	if (json_is_array(value) && json_array_size(value) > 0) {
		n = json_array_size(value);
		buf_add_lit(out, "[\n");
		for (i = 0; i < n; i++) {
			buf_printf(out, "%*s", indent + 2, "");
			json_pretty(json_array_get(value, i), indent + 2, out);
			buf_add_str(out, i + 1 < n ? ",\n" : "\n");
		}
		buf_printf(out, "%*s]", indent, "");
	} else if (json_is_object(value) && json_object_size(value) > 0) {
		buf_add_lit(out, "{\n");
		json_object_foreach ((json_t *)value, name, member) {
			buf_printf(out, "%s%*s", first ? "" : ",\n", indent + 2, "");
			json_write_string(name, strlen(name), out);
			buf_add_lit(out, ": ");
			json_pretty(member, indent + 2, out);
			first = false;
		}
		buf_printf(out, "\n%*s}", indent, "");
	} else {
		json_write(value, out);
	}
}

/* A text that YAML would not take for anything else may stand without quotes. */
static bool is_plain(const char *text)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./";
	static const char *const words[] = {"true", "false", "null", "yes", "no",
										"on",   "off",   "y",    "n"};

	if (!*text || strspn(text, safe) != strlen(text) || strchr("0123456789-.", *text))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(words[i], text) == 0)
			return false;
	return true;
}

static void yaml_text(const char *text, struct buf *out)
{
	if (is_plain(text))
		buf_add_str(out, text);
	else
		json_write_string(text, strlen(text), out);
}

/* inline: we stand behind "key:" or "- ", else at the start of a line. */
static void yaml_node(const json_t *value, int indent, bool after_key, bool after_dash,
					  struct buf *out)
{
	bool first = after_dash;
	const char *name;
	json_t *member;
	size_t i;

	if (json_is_object(value) && json_object_size(value) > 0) {
		if (after_key)
			buf_add_char(out, '\n');
		json_object_foreach ((json_t *)value, name, member) {
			buf_printf(out, "%*s", first ? 0 : indent, "");
			yaml_text(name, out);
			buf_add_char(out, ':');
			yaml_node(member, indent + 2, true, false, out);
			first = false;
		}
	} else if (json_is_array(value) && json_array_size(value) > 0) {
		if (after_key)
			buf_add_char(out, '\n');
		json_array_foreach ((json_t *)value, i, member) {
			buf_printf(out, "%*s- ", first ? 0 : indent, "");
			yaml_node(member, indent + 2, false, true, out);
			first = false;
		}
	} else {
		if (after_key)
			buf_add_char(out, ' ');
		if (json_is_string(value))
			yaml_text(json_string_value(value), out);
		else
			json_write(value, out);
		buf_add_char(out, '\n');
	}
}

void yaml_write(const json_t *value, FILE *out)
{
	struct buf text;

	buf_init(&text, 0);
	yaml_node(value, 0, false, false, &text);
	fputs(buf_str(&text), out);
	buf_release(&text);
}

void print_value(const struct cli *cli, const json_t *value)
{
	struct buf text;

	buf_init(&text, 0);
	switch (cli->format) {
	case FORMAT_TABLE:
	case FORMAT_JSON:
		json_pretty(value, 0, &text);
		buf_add_char(&text, '\n');
		break;
	case FORMAT_JSONL:
		json_write(value, &text);
		buf_add_char(&text, '\n');
		break;
	case FORMAT_YAML:
		yaml_node(value, 0, false, false, &text);
		break;
	}
	fputs(buf_str(&text), stdout);
	buf_release(&text);
}

void print_list(const struct cli *cli, const json_t *list)
{
	json_t *member;
	size_t i;

	if (cli->format != FORMAT_JSONL) {
		print_value(cli, list);
		return;
	}
	json_array_foreach ((json_t *)list, i, member)
		print_value(cli, member);
}

const char *status_color(const char *status, bool color)
{
	static const struct {
		const char *status, *color;
	} colors[] = {
		{"completed", "\033[32m"},
		{"done", "\033[32m"},
		{"released", "\033[32m"},
		{"compensated", "\033[33m"},
		{"compensating", "\033[33m"},
		{"backing_off", "\033[33m"},
		{"paused", "\033[33m"},
		{"failed", "\033[31m"},
		{"compensation_failed", "\033[31m"},
		{"outcome_unknown", "\033[31m"},
		{"terminated", "\033[31m"},
		{"running", "\033[36m"},
		{"waiting", "\033[36m"},
		{"awaiting_reply", "\033[36m"},
	};

	for (size_t i = 0; color && i < ARRAY_SIZE(colors); i++)
		if (strcmp(colors[i].status, status) == 0)
			return colors[i].color;
	return "";
}

const char *color_end(const char *color)
{
	return *color ? "\033[0m" : "";
}

const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

int64_t int_of(const json_t *object, const char *name, int64_t fallback)
{
	const json_t *member = json_object_get(object, name);

	return json_is_integer(member) ? json_integer_value(member) : fallback;
}
