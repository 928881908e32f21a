/* "<saga>/<step>/<item or ->/<do|undo>/<attempt>/<nonce>" as base64url (RFC 4648, 5). */
#include "coordinator/task_token.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void write_base64(const char *text, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		unsigned bits = (unsigned)(unsigned char)text[i] << 16;

		if (n > 1)
			bits |= (unsigned)(unsigned char)text[i + 1] << 8;
		if (n > 2)
			bits |= (unsigned char)text[i + 2];
		for (size_t k = 0; k <= n; k++)
			buf_add_char(out, letters[bits >> (18 - 6 * k) & 63]);
	}
}

static bool read_base64(const char *text, char *out, size_t size)
{
	unsigned bits = 0;
	size_t n = 0, held = 0;

	for (; *text; text++) {
		const char *letter = strchr(letters, *text);

		if (!letter || n + 1 >= size)
			return false;
		bits = bits << 6 | (unsigned)(letter - letters);
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (char)(bits >> held & 255);
		}
	}
	out[n] = '\0';
	/* No byte may be hidden behind a NUL, and nothing be left over. */
	return held < 6 && strlen(out) == n;
}

void task_token_write(const struct task_token *token, struct buf *out)
{
	char item[16] = "-", text[TASK_TOKEN_MAX_BYTES];
	int len;

	if (token->item >= 0)
		snprintf(item, sizeof(item), "%d", token->item);
	len = snprintf(text, sizeof(text), "%s/%s/%s/%s/%" PRId64 "/%s", token->saga_id, token->step,
				   item, token->side == SIDE_DO ? "do" : "undo", token->attempt, token->nonce);
	CHECK(len > 0 && len < (int)sizeof(text));
	write_base64(text, (size_t)len, out);
}

static bool read_number(const char *text, int64_t most, int64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9' || strlen(text) > 18)
		return false;
	*ret = strtoll(text, &end, 10);
	return *end == '\0' && *ret <= most;
}

static bool read_parts(char *text, struct task_token *token)
{
	char *parts[6];
	int64_t item = -1;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		parts[i] = strsep(&text, "/");
		if (!parts[i] || !*parts[i])
			return false;
	}
	if (text || saga_id_slot(parts[0]) < 0 || strlen(parts[1]) >= TASK_STEP_SIZE ||
		(strcmp(parts[2], "-") != 0 && !read_number(parts[2], DEF_MAX_ITEMS - 1, &item)) ||
		(strcmp(parts[3], "do") != 0 && strcmp(parts[3], "undo") != 0) ||
		!read_number(parts[4], INT64_MAX, &token->attempt) ||
		strlen(parts[5]) != TASK_NONCE_SIZE - 1)
		return false;
	snprintf(token->saga_id, sizeof(token->saga_id), "%s", parts[0]);
	snprintf(token->step, sizeof(token->step), "%s", parts[1]);
	token->item = (int)item;
	token->side = *parts[3] == 'd' ? SIDE_DO : SIDE_UNDO;
	snprintf(token->nonce, sizeof(token->nonce), "%s", parts[5]);
	return true;
}

int task_token_read(const char *text, struct task_token *ret_token, struct err *err)
{
	char plain[TASK_TOKEN_MAX_BYTES];

	if (!read_base64(text, plain, sizeof(plain)) || !read_parts(plain, ret_token))
		return err_set(err, ERR_INVALID, "this is not the token of a task");
	return 0;
}
