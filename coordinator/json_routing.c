#include "coordinator/json_routing.h"

#include <string.h>

#include "sagas/json_member.h"
#include "sagas/json_text.h"

static int64_t current_of(const struct routing_row *row, int64_t newest)
{
	return row && row->current ? row->current : newest;
}

void json_routing_members(const struct routing_row *row, int64_t newest, struct buf *out)
{
	buf_printf(out, ",\"current\":%lld", (long long)current_of(row, newest));
	if (row && row->canary)
		buf_printf(out, ",\"canary\":{\"version\":%lld,\"percent\":%d}", (long long)row->canary,
				   row->percent);
	else
		buf_add_lit(out, ",\"canary\":null");
	buf_printf(out, ",\"paused\":%s", row && row->paused ? "true" : "false");
	json_member_text(out, "pause_reason", row && row->paused ? row->reason : NULL);
}

int json_routing_share(const struct routing_row *row, int64_t newest, int64_t version)
{
	int percent = row && row->canary ? row->percent : 0;

	if (row && row->canary == version)
		return percent;
	return version == current_of(row, newest) ? 100 - percent : 0;
}

void json_routing(const struct routing_row *row, int64_t newest, struct buf *out)
{
	buf_add_lit(out, "{\"name\":");
	json_write_string(row->name, strlen(row->name), out);
	json_routing_members(row, newest, out);
	if (row->previous)
		buf_printf(out, ",\"previous\":%lld", (long long)row->previous);
	else
		buf_add_lit(out, ",\"previous\":null");
	json_member_text(out, "by", row->by);
	json_member_time(out, "updated_at", row->updated_at);
	buf_printf(out, ",\"revision\":%lld}", (long long)row->revision);
}
