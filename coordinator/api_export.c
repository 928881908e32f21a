/*
 * GET /v1/sagas/{id}/export: all that is known of a saga, in one document: the saga, its definition
 * and those of its children, its history, its compensations.
 *
 *   {"skald_export":1,"exported_at","saga":{…},"definitions":[{"name","version","hash","doc"}],
 *    "history":[{"seq","at","events":[…]}],"compensations":[…]}
 *
 * No secret is in it, since a history holds none; but inputs and answers are.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_saga.h"
#include "coordinator/clock.h"
#include "coordinator/ledger.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "sagas/json_text.h"
#include "sagas/state_json.h"

enum { SAGAS_MAX = 500, DEFINITIONS_MAX = 100, CHILDREN_PAGE = 500 };

/* The sagas below this one, breadth first, and the definitions that were seen. */
struct export
{
	struct exchange *ex;
	struct store_reader *reader;
	char(*ids)[SAGA_ID_SIZE];
	size_t n_ids;
	struct {
		char *name;
		int64_t version;
	} defs[DEFINITIONS_MAX];
	size_t n_defs;
	size_t n_rows;
};

static void export_release(struct export *export)
{
	for (size_t i = 0; i < export->n_defs; i++)
		free(export->defs[i].name);
	free(export->ids);
}

/* Of a block of steps, the definition that it stands in. */
static void add_definition(struct export *export, const char *name, int64_t version)
{
	CLEANUP(free_p) char *outer = xstrndup(name, strcspn(name, "#"));

	for (size_t i = 0; i < export->n_defs; i++)
		if (export->defs[i].version == version && strcmp(export->defs[i].name, outer) == 0)
			return;
	if (export->n_defs == DEFINITIONS_MAX)
		return;
	export->defs[export->n_defs].version = version;
	export->defs[export->n_defs++].name = TAKE(outer);
}

static int add_saga(void *ctx, const struct saga_row *row)
{
	struct export *export = ctx;

	add_definition(export, row->definition, row->version);
	if (export->n_ids == SAGAS_MAX)
		return 1;
	export->ids = xrealloc_array(export->ids, export->n_ids + 1, sizeof(*export->ids));
	memcpy(export->ids[export->n_ids++], row->id, SAGA_ID_SIZE);
	return 0;
}

static int find_children(struct export *export, struct err *err)
{
	const struct store_ops *ops = export->reader->store->ops;
	int r = 0;

	for (size_t i = 0; i < export->n_ids && export->n_ids < SAGAS_MAX && r == 0; i++) {
		struct saga_filter filter = {.ns = export->ex->ns, .limit = CHILDREN_PAGE};
		char parent[SAGA_ID_SIZE];

		memcpy(parent, export->ids[i], sizeof(parent));
		filter.parent = parent;
		r = ops->list(export->reader, &filter, add_saga, export, err);
	}
	return r;
}

static int write_definitions(struct export *export, struct err *err)
{
	struct buf *out = &export->ex->out;

	buf_add_lit(out, ",\"definitions\":[");
	for (size_t i = 0; i < export->n_defs; i++) {
		struct definition_row row;
		int r = export->reader->store->ops->definition_get(export->reader, export->ex->ns,
														   export->defs[i].name,
														   export->defs[i].version, &row, err);

		if (r < 0)
			return r;
		buf_add_str(out, i > 0 ? ",{\"name\":" : "{\"name\":");
		json_write_string(row.name, strlen(row.name), out);
		buf_printf(out, ",\"version\":%lld,\"hash\":\"%s\",\"doc\":", (long long)row.version,
				   row.hash);
		buf_add(out, row.doc, row.doc_len);
		buf_add_char(out, '}');
		definition_row_release(&row);
	}
	buf_add_char(out, ']');
	return 0;
}

static int write_row(void *ctx, const struct history_row *row)
{
	struct export *export = ctx;
	struct buf *out = &export->ex->out;
	char at[TIME_TEXT_SIZE];

	time_format(row->at, at);
	buf_printf(out, "%s{\"seq\":%lld,\"at\":\"%s\",\"events\":", export->n_rows++ > 0 ? "," : "",
			   (long long)row->seq, at);
	buf_add(out, row->events, row->events_len);
	buf_add_char(out, '}');
	return 0;
}

static int write_all(struct export *export, const struct saga_view *view, struct err *err)
{
	struct buf *out = &export->ex->out;
	char at[TIME_TEXT_SIZE];
	int r;

	time_format(clock_wall(), at);
	buf_printf(out, "{\"skald_export\":1,\"exported_at\":\"%s\",\"saga\":", at);
	saga_state_write(view->state, clock_wall(), out);
	add_saga(export, &view->row);
	r = find_children(export, err);
	if (r == 0)
		r = write_definitions(export, err);
	if (r < 0)
		return r;
	buf_add_lit(out, ",\"history\":[");
	r = export->reader->store->ops->history(export->reader, view->row.id, 0, INT32_MAX, write_row,
											export, err);
	if (r < 0)
		return r;
	buf_add_lit(out, "],\"compensations\":");
	ledger_write(view->state, clock_wall(), out);
	buf_add_char(out, '}');
	return buf_check(out, "the export", err);
}

/* Thread: read pool. */
static void read_export(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	CLEANUP(export_release) struct export export = {.ex = ex, .reader = reader};
	struct err err;

	if (saga_view_read(reader, ex->node->registry, ex->ns, ex->params[0], 0, &view, &err) < 0) {
		saga_read_failed(ex, ex->params[0], &err);
		return;
	}
	if (write_all(&export, &view, &err) < 0) {
		buf_clear(&ex->out);
		exchange_problem_err(ex, &err);
		return;
	}
	exchange_add_header(ex, "ETag", "\"%lld\"", (long long)view.seq);
	exchange_answer(ex, 200);
}

void api_export_saga(struct exchange *ex)
{
	if (!exchange_args_done(ex, NULL, 0) || !saga_id_param(ex))
		return;
	exchange_read(ex, read_export);
}
