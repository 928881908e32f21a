/*
 * Parameters of statements. Arrays are built in Postgres's binary format, in network byte order:
 *
 *   dimensions (1) | has NULLs | type of elements | elements | lower bound (1)
 *   then for each element: its length, or -1 for NULL | its bytes
 */
#include <stdio.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

enum { HEADER = 20, MAX_ARRAY = 1023 * 1024 * 1024 };

static void put32(unsigned char *to, uint32_t n)
{
	to[0] = (unsigned char)(n >> 24);
	to[1] = (unsigned char)(n >> 16);
	to[2] = (unsigned char)(n >> 8);
	to[3] = (unsigned char)n;
}

void pg__array_reset(struct pg_array *array, enum pg_type type)
{
	unsigned char header[HEADER] = {0};

	if (array->buf.max == 0)
		buf_init(&array->buf, MAX_ARRAY);
	buf_clear(&array->buf);
	put32(header, 1);
	put32(header + 8, (uint32_t)type);
	put32(header + 16, 1);
	buf_add(&array->buf, header, sizeof(header));
	array->n = 0;
	array->has_null = false;
}

void pg__array_finish(struct pg_array *array)
{
	unsigned char *header = (unsigned char *)array->buf.data;

	CHECK(!array->buf.failed); /* what goes in was measured before */
	put32(header + 4, array->has_null);
	put32(header + 12, array->n);
	if (array->n == 0) { /* an empty array has no dimension */
		put32(header, 0);
		buf_truncate(&array->buf, 12);
	}
}

void pg__array_release(struct pg_array *array)
{
	buf_release(&array->buf);
}

static void add(struct pg_array *array, const void *data, uint32_t len)
{
	unsigned char prefix[4];

	put32(prefix, len);
	buf_add(&array->buf, prefix, sizeof(prefix));
	buf_add(&array->buf, data, len);
	array->n++;
}

static void add_null(struct pg_array *array)
{
	static const unsigned char null[4] = {0xff, 0xff, 0xff, 0xff};

	buf_add(&array->buf, null, sizeof(null));
	array->has_null = true;
	array->n++;
}

void pg__add_int4(struct pg_array *array, int32_t number)
{
	unsigned char bytes[8];

	put32(bytes, 4);
	put32(bytes + 4, (uint32_t)number);
	buf_add(&array->buf, bytes, sizeof(bytes));
	array->n++;
}

void pg__add_int8(struct pg_array *array, int64_t number)
{
	unsigned char bytes[12];

	put32(bytes, 8);
	put32(bytes + 4, (uint32_t)((uint64_t)number >> 32));
	put32(bytes + 8, (uint32_t)number);
	buf_add(&array->buf, bytes, sizeof(bytes));
	array->n++;
}

void pg__add_time(struct pg_array *array, wall_ms at)
{
	if (at)
		pg__add_int8(array, at);
	else
		add_null(array);
}

void pg__add_bool(struct pg_array *array, bool value)
{
	add(array, value ? "\1" : "\0", 1);
}

void pg__add_text(struct pg_array *array, const char *text, size_t len)
{
	if (text)
		add(array, text, (uint32_t)len);
	else
		add_null(array);
}

void pg__add_str(struct pg_array *array, const char *text)
{
	pg__add_text(array, text, text ? strlen(text) : 0);
}

void pg__add_uuid(struct pg_array *array, const struct pg_uuid *uuid)
{
	add(array, uuid->bytes, sizeof(uuid->bytes));
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool pg__uuid_parse(const char *text, struct pg_uuid *ret_uuid)
{
	for (int i = 0, n = 0; i < 36; i++) {
		int high, low;

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return false;
			continue;
		}
		high = hex_value(text[i]);
		low = high < 0 ? -1 : hex_value(text[i + 1]);
		if (low < 0)
			return false;
		ret_uuid->bytes[n++] = (unsigned char)(high << 4 | low);
		i++;
	}
	return text[36] == '\0';
}

void pg__arg_text(struct pg_args *args, const char *text)
{
	CHECK(args->n < PG_MAX_PARAMS);
	args->values[args->n] = text;
	args->lengths[args->n] = 0;
	args->formats[args->n] = 0;
	args->n++;
}

void pg__arg_int(struct pg_args *args, int64_t number)
{
	char *text = args->numbers[args->n_numbers];

	CHECK(args->n_numbers < (int)ARRAY_SIZE(args->numbers));
	args->n_numbers++;
	snprintf(text, sizeof(args->numbers[0]), "%lld", (long long)number);
	pg__arg_text(args, text);
}

void pg__arg_time(struct pg_args *args, wall_ms at)
{
	if (at)
		pg__arg_int(args, at);
	else
		pg__arg_text(args, NULL);
}

void pg__arg_array(struct pg_args *args, const struct pg_array *array)
{
	pg__arg_text(args, array->buf.data);
	args->lengths[args->n - 1] = (int)array->buf.len;
	args->formats[args->n - 1] = 1;
}

void pg__arg_bytes(struct pg_args *args, const void *bytes, size_t len)
{
	pg__arg_text(args, bytes);
	args->lengths[args->n - 1] = (int)len;
	args->formats[args->n - 1] = 1;
}

const char *pg__text(const PGresult *result, int row, int col)
{
	return PQgetisnull(result, row, col) ? NULL : PQgetvalue(result, row, col);
}

int64_t pg__int(const PGresult *result, int row, int col)
{
	return PQgetisnull(result, row, col) ? 0 : strtoll(PQgetvalue(result, row, col), NULL, 10);
}

void pg__copy(const PGresult *result, int row, int col, char *to, size_t size)
{
	snprintf(to, size, "%s", PQgetvalue(result, row, col)); /* NULL is "" there */
}
