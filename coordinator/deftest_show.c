/*
 * What was expected and what came, side by side, with the first difference marked:
 *
 *          expected           actual
 *       1  reserve            PUT stock /r/1       reserve
 *     > 2  POST pay /charges  DELETE stock /r/1    reserve.undo
 *       3  -                  ...
 */
#include "coordinator/deftest_priv.h"

#include <string.h>

enum {
	ROWS_BEFORE = 12, /* that are shown around the difference */
	ROWS_AFTER = 12,
	COLUMN_MAX = 60,
};

char *deftest__expected_text(const json_t *expected)
{
	const char *text = json_string_value(expected), *name;
	json_t *value;
	struct buf out;

	if (!expected)
		return xstrdup("-");
	if (text)
		return xstrdup(text);
	buf_init(&out, 0);
	text = json_string_value(json_object_get(expected, "call"));
	if (!text)
		text = json_string_value(json_object_get(expected, "step"));
	buf_add_str(&out, text ? text : "*");
	json_object_foreach ((json_t *)expected, name, value) {
		if (strcmp(name, "call") == 0 || (strcmp(name, "step") == 0 && text))
			continue;
		buf_printf(&out, " %s=", name);
		if (json_is_string(value))
			buf_add_str(&out, json_string_value(value));
		else
			json_write(value, &out);
	}
	return buf_take(&out, NULL);
}

/* As many bytes as n characters take, and how many there are (at most n). */
static size_t cut(const char *text, size_t n, size_t *ret_chars)
{
	size_t bytes = 0, chars = 0;

	while (text[bytes] && chars < n) {
		bytes++;
		while (((unsigned char)text[bytes] & 0xc0) == 0x80)
			bytes++;
		chars++;
	}
	*ret_chars = chars;
	return bytes;
}

static size_t width_of(const char *text)
{
	size_t chars;

	cut(text, COLUMN_MAX, &chars);
	return chars;
}

static void column(const char *text, size_t width, struct buf *out)
{
	size_t chars, whole, bytes = cut(text, COLUMN_MAX, &chars);
	bool longer = text[bytes] != '\0';

	if (longer)
		bytes = cut(text, COLUMN_MAX - 1, &whole);
	buf_add(out, text, bytes);
	if (longer)
		buf_add_str(out, "…");
	for (; chars < width; chars++)
		buf_add_char(out, ' ');
}

struct rows {
	const json_t *expected; /* NULL: only what came is shown */
	const struct seen_list *seen;
	size_t first, last; /* of those that are shown; last is not */
	size_t left, right; /* widths */
};

static const char *seen_text(const struct rows *rows, size_t i)
{
	return i < rows->seen->n ? rows->seen->list[i].text : "-";
}

static void measure(struct rows *rows)
{
	size_t i;

	rows->left = rows->expected ? strlen("expected") : 0;
	rows->right = strlen("actual");
	for (i = rows->first; i < rows->last; i++) {
		CLEANUP(free_p) char *text = deftest__expected_text(json_array_get(rows->expected, i));

		if (rows->expected && width_of(text) > rows->left)
			rows->left = width_of(text);
		if (width_of(seen_text(rows, i)) > rows->right)
			rows->right = width_of(seen_text(rows, i));
	}
}

static void trim(struct buf *out)
{
	while (out->len > 0 && out->data[out->len - 1] == ' ')
		buf_truncate(out, out->len - 1);
}

static void row(const struct rows *rows, size_t i, bool marked, struct buf *out)
{
	CLEANUP(free_p) char *text = deftest__expected_text(json_array_get(rows->expected, i));
	const struct seen *seen = i < rows->seen->n ? &rows->seen->list[i] : NULL;

	buf_printf(out, "  %s %3zu  ", marked ? ">" : " ", i + 1);
	if (rows->expected) {
		column(text, rows->left, out);
		buf_add_str(out, "  ");
	}
	column(seen_text(rows, i), rows->right, out);
	if (seen && strcmp(seen->place, seen->text) != 0)
		buf_printf(out, "  %s", seen->place);
	if (seen && seen->attempt > 1)
		buf_printf(out, " (attempt %lld)", (long long)seen->attempt);
	trim(out);
	buf_add_char(out, '\n');
}

char *deftest__side_by_side(const json_t *expected, const struct seen_list *seen, size_t at)
{
	size_t n = json_array_size(expected) > seen->n ? json_array_size(expected) : seen->n, i;
	struct rows rows = {
		.expected = expected,
		.seen = seen,
		.first = at > ROWS_BEFORE ? at - ROWS_BEFORE : 0,
		.last = at + ROWS_AFTER < n ? at + ROWS_AFTER : n,
	};
	struct buf out;

	measure(&rows);
	buf_init(&out, 0);
	buf_add_str(&out, "         ");
	if (expected) {
		column("expected", rows.left, &out);
		buf_add_str(&out, "  ");
	}
	buf_add_str(&out, "actual\n");
	if (rows.first > 0)
		buf_printf(&out, "         (%zu before)\n", rows.first);
	for (i = rows.first; i < rows.last; i++)
		row(&rows, i, expected && i == at, &out);
	if (rows.last < n)
		buf_printf(&out, "         (%zu more)\n", n - rows.last);
	return buf_take(&out, NULL);
}
