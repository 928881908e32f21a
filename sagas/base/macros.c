#include "sagas/base/macros.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void check_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "skald: internal error: %s does not hold (%s:%d)\n", cond, file, line);
	abort();
}

void *xcalloc(size_t count, size_t size)
{
	void *ptr = calloc(count ? count : 1, size ? size : 1);

	CHECK(ptr);
	return ptr;
}

void *xrealloc_array(void *ptr, size_t count, size_t size)
{
	CHECK(size > 0 && count <= SIZE_MAX / size);
	ptr = realloc(ptr, count > 0 ? count * size : 1);
	CHECK(ptr);
	return ptr;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t len)
{
	char *copy = malloc(len + 1);

	CHECK(copy);
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	CHECK(len >= 0);
	return text;
}
