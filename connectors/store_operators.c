#include "connectors/store_operators.h"

#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"

static char *copy_or_null(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static int find_text(const char *const *texts, int n, const char *text)
{
	int i;

	for (i = 0; i < n; i++)
		if (strcmp(texts[i], text) == 0)
			return i;
	return -1;
}

#define X(name, text) [name] = text,
static const char *const batch_statuses[] = {BATCH_STATUSES(X)};
static const char *const batch_item_statuses[] = {BATCH_ITEM_STATUSES(X)};
#undef X

const char *batch_status_text(enum batch_status status)
{
	return batch_statuses[status];
}

const char *batch_item_status_text(enum batch_item_status status)
{
	return batch_item_statuses[status];
}

int batch_status_parse(const char *text)
{
	return find_text(batch_statuses, BATCH_STATUS_COUNT, text);
}

int batch_item_status_parse(const char *text)
{
	return find_text(batch_item_statuses, BATCH_ITEM_STATUS_COUNT, text);
}

bool attention_is_acknowledged(const struct attention_group_row *row)
{
	return row->acknowledged_by && row->acknowledged_at >= row->first_seen_at;
}

bool attention_was_told(const struct attention_group_row *row)
{
	return row->notified_at != 0 && row->notified_at >= row->first_seen_at;
}

void attention_ref_copy(const struct attention_ref *from, struct attention_ref *ret_ref)
{
	*ret_ref = (struct attention_ref){
		.text = copy_or_null(from->text),
		.group = copy_or_null(from->group),
		.kind = copy_or_null(from->kind),
		.step = copy_or_null(from->step),
		.side = copy_or_null(from->side),
		.code = copy_or_null(from->code),
	};
}

void attention_ref_release(struct attention_ref *ref)
{
	free((char *)ref->text);
	free((char *)ref->group);
	free((char *)ref->kind);
	free((char *)ref->step);
	free((char *)ref->side);
	free((char *)ref->code);
	*ref = (struct attention_ref){0};
}

void attention_group_row_copy(const struct attention_group_row *from,
							  struct attention_group_row *ret_row)
{
	*ret_row = *from;
	ret_row->ns = copy_or_null(from->ns);
	ret_row->id = copy_or_null(from->id);
	ret_row->definition = copy_or_null(from->definition);
	ret_row->kind = copy_or_null(from->kind);
	ret_row->step = copy_or_null(from->step);
	ret_row->side = copy_or_null(from->side);
	ret_row->code = copy_or_null(from->code);
	ret_row->message = copy_or_null(from->message);
	ret_row->acknowledged_by = copy_or_null(from->acknowledged_by);
	ret_row->note = copy_or_null(from->note);
	ret_row->owner = copy_or_null(from->owner);
}

void attention_group_row_release(struct attention_group_row *row)
{
	free((char *)row->ns);
	free((char *)row->id);
	free((char *)row->definition);
	free((char *)row->kind);
	free((char *)row->step);
	free((char *)row->side);
	free((char *)row->code);
	free((char *)row->message);
	free((char *)row->acknowledged_by);
	free((char *)row->note);
	free((char *)row->owner);
	*row = (struct attention_group_row){0};
}

void batch_row_copy(const struct batch_row *from, struct batch_row *ret_row)
{
	*ret_row = *from;
	ret_row->ns = copy_or_null(from->ns);
	ret_row->act = copy_or_null(from->act);
	ret_row->query = copy_or_null(from->query);
	ret_row->by = copy_or_null(from->by);
	ret_row->cursor = copy_or_null(from->cursor);
	ret_row->runner = copy_or_null(from->runner);
}

void batch_row_release(struct batch_row *row)
{
	free((char *)row->ns);
	free((char *)row->act);
	free((char *)row->query);
	free((char *)row->by);
	free((char *)row->cursor);
	free((char *)row->runner);
	*row = (struct batch_row){0};
}
