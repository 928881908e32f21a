#include "connectors/store.h"

#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"

static char *copy_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void saga_row_copy(const struct saga_row *from, struct saga_row *ret_row)
{
	*ret_row = *from;
	ret_row->ns = copy_or_null(from->ns);
	ret_row->definition = copy_or_null(from->definition);
	ret_row->key = copy_or_null(from->key);
	attention_ref_copy(&from->attention, &ret_row->attention);
	ret_row->owner = copy_or_null(from->owner);
}

void saga_row_release(struct saga_row *row)
{
	free((char *)row->ns);
	free((char *)row->definition);
	free((char *)row->key);
	attention_ref_release(&row->attention);
	free((char *)row->owner);
	*row = (struct saga_row){0};
}

void definition_row_release(struct definition_row *row)
{
	free((char *)row->ns);
	free((char *)row->name);
	free((char *)row->hash);
	free((char *)row->doc);
	free((char *)row->source);
	*row = (struct definition_row){0};
}

void membership_release(struct membership *membership)
{
	free(membership->nodes);
	free(membership->slot_owner);
	*membership = (struct membership){.self = -1};
}
