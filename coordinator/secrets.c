#include "coordinator/secrets.h"

#include <string.h>

#include "sagas/request.h"

const char *secrets_find(const struct secrets *secrets, const char *name)
{
	for (size_t i = 0; i < secrets->n; i++)
		if (strcmp(secrets->list[i].name, name) == 0)
			return secrets->list[i].value;
	return NULL;
}

static void add_encoded(const char *value, struct buf *out)
{
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			strchr("-._~", c))
			buf_add_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* The name whose placeholder stands here, and its length; NULL: none does. */
static const char *placeholder_at(char *const *names, const char *text, bool query, size_t *ret_len)
{
	char placeholder[REQUEST_PLACEHOLDER_SIZE];

	for (; *names; names++) {
		request_placeholder(*names, query, placeholder);
		*ret_len = strlen(placeholder);
		if (strncmp(text, placeholder, *ret_len) == 0)
			return *names;
	}
	return NULL;
}

int secrets_resolve(const struct secrets *secrets, char *const *names, const char *text, bool query,
					struct buf *out, struct err *err)
{
	while (*text) {
		size_t len;
		const char *name = placeholder_at(names, text, query, &len), *value;

		if (!name) {
			buf_add_char(out, *text++);
			continue;
		}
		value = secrets_find(secrets, name);
		if (!value)
			return err_set(err, ERR_NOT_FOUND,
						   "the configuration of the server has no secret `%.100s`", name);
		if (query)
			add_encoded(value, out);
		else
			buf_add_str(out, value);
		text += len;
	}
	return 0;
}

static void mask(const char *value, size_t size, char *text, size_t len)
{
	char *at = text, *found;

	while ((found = memmem(at, len - (size_t)(at - text), value, size))) {
		memset(found, '*', size);
		at = found + size;
	}
}

void secrets_mask(const struct secrets *secrets, char *const *names, char *text, size_t len)
{
	for (; *names; names++) {
		const char *value = secrets_find(secrets, *names);
		CLEANUP(buf_release) struct buf encoded;

		buf_init(&encoded, 0);
		if (!value || !*value)
			continue;
		mask(value, strlen(value), text, len);
		add_encoded(value, &encoded);
		mask(buf_str(&encoded), encoded.len, text, len);
	}
}
