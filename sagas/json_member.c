#include "sagas/json_member.h"

#include <string.h>

#include "sagas/json_text.h"

void json_member_name(struct buf *out, const char *name)
{
	char last = out->len > 0 ? out->data[out->len - 1] : '{';

	if (last != '{' && last != '[')
		buf_add_char(out, ',');
	buf_add_char(out, '"');
	buf_add_str(out, name);
	buf_add_lit(out, "\":");
}

void json_member_text(struct buf *out, const char *name, const char *text)
{
	json_member_name(out, name);
	if (text)
		json_write_string(text, strlen(text), out);
	else
		buf_add_lit(out, "null");
}

void json_member_time(struct buf *out, const char *name, wall_ms at)
{
	char text[TIME_TEXT_SIZE];

	if (at)
		time_format(at, text);
	json_member_text(out, name, at ? text : NULL);
}

void json_member_int(struct buf *out, const char *name, int64_t n)
{
	json_member_name(out, name);
	buf_add_int(out, n);
}

void json_member_bool(struct buf *out, const char *name, bool is)
{
	json_member_name(out, name);
	buf_add_str(out, is ? "true" : "false");
}
