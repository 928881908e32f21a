#include "coordinator/json_member.h"

#include <string.h>

#include "sagas/json_text.h"

void json_member_text(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ",\"%s\":", name);
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
