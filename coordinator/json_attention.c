#include "coordinator/json_attention.h"

#include <string.h>

#include "sagas/json_member.h"
#include "sagas/json_text.h"

void json_attention(const struct attention_group_row *row, struct buf *out)
{
	buf_printf(out, "{\"id\":\"%s\"", row->id);
	json_member_text(out, "saga", row->definition);
	json_member_text(out, "kind", row->kind);
	json_member_text(out, "step", row->step);
	json_member_text(out, "side", row->side);
	json_member_text(out, "code", row->code);
	json_member_text(out, "message", row->message);
	buf_printf(out, ",\"count\":%lld", (long long)row->n);
	json_member_time(out, "first_seen_at", row->first_seen_at);
	json_member_time(out, "last_seen_at", row->last_seen_at);
	json_member_text(out, "sample", row->sample[0] ? row->sample : NULL);
	json_member_text(out, "owner", row->owner);
	if (!attention_is_acknowledged(row)) {
		buf_add_lit(out, ",\"acknowledged\":null}");
		return;
	}
	buf_add_lit(out, ",\"acknowledged\":{\"by\":");
	json_write_string(row->acknowledged_by, strlen(row->acknowledged_by), out);
	json_member_time(out, "at", row->acknowledged_at);
	json_member_text(out, "note", row->note);
	buf_add_lit(out, "}}");
}
