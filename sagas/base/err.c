#include "sagas/base/err.h"

#include <stdio.h>
#include <string.h>

int err_vset(struct err *err, enum err_code code, const char *fmt, va_list args)
{
	if (!err)
		return code;
	err->code = code;
	err->retriable = code == ERR_UNAVAILABLE || code == ERR_TIMEOUT;
	err->place[0] = '\0';
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	return code;
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	err_vset(err, code, fmt, args);
	va_end(args);
	return code;
}

int err_set_at(struct err *err, enum err_code code, const char *place, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	err_vset(err, code, fmt, args);
	va_end(args);
	if (err)
		snprintf(err->place, sizeof(err->place), "%s", place);
	return code;
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	char rest[sizeof(err->text)];
	size_t len;
	va_list args;

	if (!err)
		return;
	memcpy(rest, err->text, sizeof(rest));
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", rest);
}

const char *err_code_text(enum err_code code)
{
	switch (code) {
#define X(name, value, text)                                                                       \
	case name:                                                                                     \
		return text;
		ERR_CODES(X)
#undef X
	}
	return "?";
}
