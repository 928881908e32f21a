#include "coordinator/json_batch.h"

#include <string.h>

#include "coordinator/problem.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

/* Errors have a fixed size, so a character may be cut at their end. */
static void add_text(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ",\"%s\":", name);
	if (text)
		problem_write_text(text, out);
	else
		buf_add_lit(out, "null");
}

/* What was kept as JSON; something else never got into the row. */
static void add_json(struct buf *out, const char *name, const char *json)
{
	buf_printf(out, ",\"%s\":%s", name, json ? json : "null");
}

void json_batch(const struct batch_row *row, struct buf *out)
{
	int64_t total = 0;

	buf_printf(out, "{\"id\":\"%s\"", row->id);
	add_json(out, "act", row->act);
	add_text(out, "q", row->query);
	add_text(out, "by", row->by);
	buf_add_lit(out, ",\"rate\":");
	if (row->rate > 0)
		json_write_real(row->rate, out);
	else
		buf_add_lit(out, "null");
	add_text(out, "status", batch_status_text(row->status));
	json_member_time(out, "created_at", row->created_at);
	json_member_time(out, "updated_at", row->updated_at);
	json_member_time(out, "ended_at", row->ended_at);
	buf_add_lit(out, ",\"counts\":{");
	for (int i = 0; i < BATCH_ITEM_STATUS_COUNT; i++) {
		buf_printf(out, "%s\"%s\":%lld", i > 0 ? "," : "",
				   batch_item_status_text((enum batch_item_status)i), (long long)row->n[i]);
		total += row->n[i];
	}
	buf_printf(out, "},\"total\":%lld}", (long long)total);
}

void json_batch_item(const struct batch_item_row *item, const struct saga_row *now, struct buf *out)
{
	buf_printf(out, "{\"saga\":\"%s\"", item->saga_id);
	add_text(out, "status", batch_item_status_text(item->status));
	add_json(out, "effect", item->effect);
	add_text(out, "error", item->error);
	if (item->seq > 0)
		buf_printf(out, ",\"seq\":%lld", (long long)item->seq);
	else
		buf_add_lit(out, ",\"seq\":null");
	json_member_time(out, "updated_at", item->updated_at);
	if (now) {
		buf_printf(out, ",\"now\":{\"status\":\"%s\"", saga_status_text(now->status));
		add_text(out, "attention", now->attention.text);
		buf_add_lit(out, "}}");
	} else {
		buf_add_lit(out, ",\"now\":null}");
	}
}
