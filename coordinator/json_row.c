#include "coordinator/json_row.h"

#include "sagas/json_member.h"
#include "sagas/json_text.h"

/* The same members as a saga has (saga_state_write), but for the item. */
static void add_attention(const struct saga_row *row, struct buf *out)
{
	const struct attention_ref *ref = &row->attention;

	json_member_text(out, "attention", ref->text);
	json_member_time(out, "attention_at", row->attention_at);
	if (!ref->text || !ref->kind) {
		buf_add_lit(out, ",\"attention_detail\":null");
		return;
	}
	buf_printf(out, ",\"attention_detail\":{\"kind\":\"%s\"", ref->kind);
	json_member_text(out, "group", ref->group);
	json_member_text(out, "step", ref->step);
	json_member_text(out, "side", ref->side);
	json_member_text(out, "code", ref->code);
	buf_add_char(out, '}');
}

void json_row_saga(const struct saga_row *row, struct buf *out)
{
	buf_printf(out, "{\"id\":\"%s\"", row->id);
	json_member_text(out, "saga", row->definition);
	json_member_text(out, "namespace", row->ns);
	buf_printf(out, ",\"version\":%lld,\"status\":\"%s\"", (long long)row->version,
			   saga_status_text(row->status));
	json_member_text(out, "key", row->key);
	json_member_time(out, "started_at", row->started_at);
	json_member_time(out, "updated_at", row->updated_at);
	json_member_time(out, "ended_at", row->ended_at);
	json_member_time(out, "next_due_at", row->due_at < STORE_DUE_NEVER ? row->due_at : 0);
	add_attention(row, out);
	json_member_text(out, "owner", row->owner);
	json_member_text(out, "parent", row->parent_id[0] ? row->parent_id : NULL);
	buf_add_char(out, '}');
}

void json_row_definition_open(const struct definition_row *row, struct buf *out)
{
	buf_add_lit(out, "{\"name\":");
	json_write_string(row->name, strlen(row->name), out);
	buf_printf(out, ",\"version\":%lld", (long long)row->version);
	json_member_text(out, "hash", row->hash);
	json_member_time(out, "deployed_at", row->deployed_at);
}
