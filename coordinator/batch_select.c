#include "coordinator/batch_select.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/api_query.h"

static int add_saga(void *ctx, const struct saga_row *row)
{
	struct batch_select *select = ctx;

	CHECK(select->n < BATCH_SELECT_MAX);
	memcpy(select->ids[select->n++], row->id, SAGA_ID_SIZE);
	return 0;
}

static int list_page(struct batch_select *select, struct store_reader *reader, size_t limit,
					 struct saga_filter *filter, struct err *err)
{
	wall_ms before = select->made_at + 1;
	int r;

	if (filter->started_before == 0 || filter->started_before > before)
		filter->started_before = before;
	memcpy(filter->after_id, select->after, sizeof(filter->after_id));
	filter->limit = (int)limit;
	r = reader->store->ops->list(reader, filter, add_saga, select, err);
	if (r < 0)
		return r;
	select->all = select->n < limit && !filter->looked_to[0];
	if (select->n == limit)
		memcpy(select->after, select->ids[select->n - 1], sizeof(select->after));
	else
		memcpy(select->after, filter->looked_to, sizeof(select->after));
	return 0;
}

int batch_select_page(struct batch_select *select, struct store_reader *reader, size_t limit,
					  struct err *err)
{
	struct saga_query query;
	int r;

	CHECK(limit >= 1 && limit <= BATCH_SELECT_MAX);
	select->n = 0;
	saga_query_init(&query, select->ns);
	r = saga_query_parse(&query, select->query, err);
	if (r == 0)
		r = list_page(select, reader, limit, &query.filter, err);
	saga_query_release(&query);
	return r;
}
