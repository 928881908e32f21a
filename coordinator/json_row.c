#include "coordinator/json_row.h"

#include "sagas/json_text.h"

static void add_text(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ",\"%s\":", name);
	if (text)
		json_write_string(text, strlen(text), out);
	else
		buf_add_lit(out, "null");
}

static void add_time(struct buf *out, const char *name, wall_ms at)
{
	char text[TIME_TEXT_SIZE];

	time_format(at, text);
	add_text(out, name, at ? text : NULL);
}

/* The same members as a saga has (saga_state_write), but for the item. */
static void add_attention(const struct saga_row *row, struct buf *out)
{
	const struct attention_ref *ref = &row->attention;

	add_text(out, "attention", ref->text);
	add_time(out, "attention_at", row->attention_at);
	if (!ref->text || !ref->kind) {
		buf_add_lit(out, ",\"attention_detail\":null");
		return;
	}
	buf_printf(out, ",\"attention_detail\":{\"kind\":\"%s\"", ref->kind);
	add_text(out, "group", ref->group);
	add_text(out, "step", ref->step);
	add_text(out, "side", ref->side);
	add_text(out, "code", ref->code);
	buf_add_char(out, '}');
}

void json_row_saga(const struct saga_row *row, struct buf *out)
{
	buf_printf(out, "{\"id\":\"%s\"", row->id);
	add_text(out, "saga", row->definition);
	add_text(out, "namespace", row->ns);
	buf_printf(out, ",\"version\":%lld,\"status\":\"%s\"", (long long)row->version,
			   saga_status_text(row->status));
	add_text(out, "key", row->key);
	add_time(out, "started_at", row->started_at);
	add_time(out, "updated_at", row->updated_at);
	add_time(out, "ended_at", row->ended_at);
	add_time(out, "next_due_at", row->due_at);
	add_attention(row, out);
	add_text(out, "owner", row->owner);
	buf_add_char(out, '}');
}

void json_row_definition_open(const struct definition_row *row, struct buf *out)
{
	buf_add_lit(out, "{\"name\":");
	json_write_string(row->name, strlen(row->name), out);
	buf_printf(out, ",\"version\":%lld", (long long)row->version);
	add_text(out, "hash", row->hash);
	add_time(out, "deployed_at", row->deployed_at);
}
