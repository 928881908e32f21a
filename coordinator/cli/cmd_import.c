/*
 * `skald saga import`: an exported saga goes into a store file, for looking at.
 *
 * A copy must do nothing: the saga may still run where it came from. So one that has not ended gets
 * one row more, SagaTerminated by `import`; the row before it is how it stood. The whole history is
 * folded first, so that what is no history is refused; so are an id and a key that are there. Then
 * all of it is written in one commit: row, history, ledger, and what the saga is found by.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/store_sqlite.h"
#include "coordinator/cli/cli.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/print.h"
#include "coordinator/start_identity.h"
#include "coordinator/transition.h"
#include "sagas/def_load.h"
#include "sagas/json_text.h"
#include "sagas/state.h"

enum {
	EXPORT_MAX_BYTES = 256 * 1024 * 1024,
	ROW_MAX_BYTES = 56 * 1024 * 1024, /* as the engine writes them */
};

struct import {
	json_t *export;
	const json_t *saga, *history;
	const char *id, *ns, *name;
	struct store *store;
	struct saga_def **defs; /* all of the export */
	size_t n_defs;
	struct saga_def *def; /* the saga's, in one of them */
	struct saga_state *state;
	int64_t base_seq;
	struct batch *batch; /* what is to be written */
};

static void import_release(struct import *import)
{
	json_decref(import->export);
	saga_state_free(import->state);
	batch_free(import->batch);
	saga_def_unref(import->def);
	for (size_t i = 0; i < import->n_defs; i++)
		saga_def_unref(import->defs[i]);
	free(import->defs);
	if (import->store)
		import->store->ops->close(import->store);
}

static int read_export(struct import *import, const char *path, struct err *err)
{
	CLEANUP(free_p) char *text = NULL;
	size_t len;
	int r = client_read_file(path, EXPORT_MAX_BYTES, &text, &len, err);

	if (r == 0)
		r = json_parse_stored(text, len, &import->export, err);
	if (r < 0)
		return r;
	import->saga = json_object_get(import->export, "saga");
	import->history = json_object_get(import->export, "history");
	import->id = text_of(import->saga, "id");
	import->ns = text_of(import->saga, "namespace");
	import->name = text_of(import->saga, "saga");
	if (int_of(import->export, "skald_export", 0) != 1 || !import->id || !import->ns ||
		!import->name || saga_id_slot(import->id) < 0 || json_array_size(import->history) == 0)
		return err_set(err, ERR_INVALID, "this is no export of a saga");
	if (int_of(json_array_get(import->history, 0), "seq", 0) != 1)
		return err_set(err, ERR_INVALID,
					   "the beginning of its history is gone: only a whole one can be imported");
	return 0;
}

static int load_definition(json_t *doc, struct saga_def **ret_def, struct err *err)
{
	struct findings findings = {0};
	int r = saga_def_load(doc, NULL, ret_def, &findings);

	if (r < 0)
		err_set(err, ERR_INVALID, "its definition is refused: %s: %s",
				findings.n > 0 ? findings.list[0].pointer : "",
				findings.n > 0 ? findings.list[0].text : "");
	findings_release(&findings);
	return r < 0 ? ERR_INVALID : 0;
}

/* The saga's own, among those of its children. */
static bool is_its_own(const struct import *import, const json_t *entry, const struct saga_def *def)
{
	size_t len = strcspn(import->name, "#");

	return strlen(def->name) == len && strncmp(def->name, import->name, len) == 0 &&
		   int_of(entry, "version", 0) == int_of(import->saga, "version", 0);
}

static int load_definitions(struct import *import, struct err *err)
{
	const json_t *entries = json_object_get(import->export, "definitions");
	json_t *entry;
	size_t i;

	import->defs = xcalloc(json_array_size(entries) + 1, sizeof(struct saga_def *));
	json_array_foreach (entries, i, entry) {
		struct saga_def **def = &import->defs[i];
		int r = load_definition(json_object_get(entry, "doc"), def, err);

		if (r < 0)
			return r;
		import->n_defs++;
		if (!import->def && is_its_own(import, entry, *def))
			import->def = saga_def_ref(saga_def_find_block(*def, import->name));
	}
	if (!import->def)
		return err_set(err, ERR_INVALID, "its definition is not in the export");
	return 0;
}

/* Its version is that of this store; what is there already keeps the one that it has. */
static int put_definition(struct import *import, struct saga_def *def, struct err *err)
{
	struct definition_row row = {.ns = import->ns, .name = def->name};
	char hash[SHA256_HEX_SIZE];
	struct buf text;
	int r;

	buf_init(&text, 0);
	json_write_canonical(def->doc, &text);
	hash_sha256_hex(text.data, text.len, hash);
	row.hash = hash;
	row.doc = row.source = text.data;
	row.doc_len = row.source_len = text.len;
	r = import->store->ops->definition_put(import->store, &row, err);
	buf_release(&text);
	if (r == 0)
		saga_def_set_version(def, row.version, hash);
	return r;
}

static int put_definitions(struct import *import, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < import->n_defs && r == 0; i++)
		r = put_definition(import, import->defs[i], err);
	return r;
}

static int note_row(void *ctx, const struct history_row *row)
{
	(void)row;
	*(bool *)ctx = true;
	return 0;
}

static int row_at(const json_t *row, wall_ms *ret_at, struct err *err)
{
	return time_parse(text_of(row, "at") ? text_of(row, "at") : "", ret_at, err);
}

static char *row_events(const json_t *row, size_t *ret_len)
{
	struct buf text;

	buf_init(&text, 0);
	json_write(json_object_get(row, "events"), &text);
	return buf_take(&text, ret_len);
}

static bool opens_a_run(const json_t *row)
{
	const char *type = text_of(json_array_get(json_object_get(row, "events"), 0), "type");

	return type && strcmp(type, event_type_text(EV_SAGA_CONTINUED)) == 0;
}

static int fold(struct import *import, struct err *err)
{
	size_t i, from = 0;
	int r = 0;

	for (i = 0; i < json_array_size(import->history); i++)
		if (opens_a_run(json_array_get(import->history, i)))
			from = i;
	import->base_seq = from > 0 ? (int64_t)from + 1 : 0;
	import->state = saga_state_new(import->def, import->id);
	for (i = from; i < json_array_size(import->history) && r == 0; i++) {
		const json_t *row = json_array_get(import->history, i);
		CLEANUP(free_p) char *events = NULL;
		wall_ms at;
		size_t len;

		if (int_of(row, "seq", 0) != (int64_t)i + 1)
			return err_set(err, ERR_INVALID, "its history has a gap before row %zu", i + 1);
		events = row_events(row, &len);
		r = row_at(row, &at, err);
		if (r == 0)
			r = saga_state_apply_row(import->state, at, events, len, err);
	}
	return r < 0 ? r : saga_state_validate(import->state, err);
}

/* One that goes on where it came from ends here. */
static char *end_of_copy(struct import *import, size_t *ret_len)
{
	struct event event;
	struct buf text;

	event_init(&event, EV_SAGA_TERMINATED);
	event.by = xstrdup("import");
	event.reason = xstrdup("a copy for looking at: the saga goes on where it was exported");
	event.at = import->state->last_at;
	buf_init(&text, 0);
	buf_add_char(&text, '[');
	event_write(&event, import->def, &text);
	buf_add_char(&text, ']');
	saga_state_apply(import->state, &event);
	saga_state_derive(import->state);
	event_release(&event);
	return buf_take(&text, ret_len);
}

/* What is there is looked for first: the rows of one saga are never added to those of another. */
static int look_whether_there(struct import *import, struct store_reader *reader, struct err *err)
{
	const struct store_ops *ops = import->store->ops;
	const struct saga_state *state = import->state;
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	bool there = false;
	int r = ops->history(reader, import->id, 0, 1, note_row, &there, err);

	if (r < 0)
		return r;
	if (there)
		return err_set(err, ERR_CONFLICT, "the saga is in this store already");
	if (!state->key || import->def->reuse_after_undo)
		return 0;
	r = ops->find_key(reader, import->ns, import->name, state->key, id, fingerprint, err);
	if (r == ERR_NOT_FOUND)
		return 0;
	return r < 0 ? r : err_set(err, ERR_CONFLICT, "its key belongs to saga %s in this store", id);
}

static int refuse_what_is_there(struct import *import, struct err *err)
{
	const struct store_ops *ops = import->store->ops;
	struct store_reader *reader;
	int r = ops->reader_open(import->store, &reader, err);

	if (r < 0)
		return r;
	r = look_whether_there(import, reader, err);
	ops->reader_close(reader);
	return r;
}

/* The ledger, as it stands at the end. */
static void add_compensations(const struct saga_state *state, struct batch *batch,
							  struct store_item *item)
{
	struct compensation_row *rows;
	size_t n = 0;

	for (int i = 0; i < state->def->n_steps; i++)
		n += (size_t)state->steps[i].n_actions;
	rows = batch_alloc(batch, (n + 1) * sizeof(*rows));
	item->compensations = rows;
	for (int i = 0; i < state->def->n_steps; i++) {
		bool has_items = step_def_has_items(&state->def->steps[i]) || i == state->def->carried;

		for (int j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];
			CLEANUP(buf_release) struct buf scratch;

			buf_init(&scratch, 0);
			if (action->comp != COMP_NOT_ARMED)
				transition_compensation(batch, state, i, has_items ? j : -1, action->undo.request,
										&scratch, &rows[item->n_compensations++]);
		}
	}
}

static struct saga_row row_of_saga(const struct import *import)
{
	const struct saga_state *state = import->state;
	struct saga_row row = {
		.slot = saga_id_slot(import->id),
		.ns = import->ns,
		.definition = import->name,
		.version = import->def->version,
		.status = state->status,
		.key = state->key,
		.owner = state->owner,
		.started_at = state->started_at,
		.updated_at = state->updated_at,
		.ended_at = state->ended_at,
		.base_seq = import->base_seq,
	};

	memcpy(row.id, import->id, SAGA_ID_SIZE);
	if (state->parent)
		memcpy(row.parent_id, state->parent->saga_id, SAGA_ID_SIZE);
	return row;
}

static struct store_item *add_row(const struct import *import, struct batch *batch)
{
	struct store_item *item = batch_add(batch, NULL);

	item->slot = saga_id_slot(import->id);
	memcpy(item->saga_id, import->id, SAGA_ID_SIZE);
	item->seq = (int64_t)batch->n;
	return item;
}

static int add_history(const struct import *import, struct batch *batch, struct err *err)
{
	json_t *row;
	size_t i;
	int r = 0;

	json_array_foreach (import->history, i, row) {
		struct store_item *item = add_row(import, batch);
		CLEANUP(free_p) char *events = row_events(row, &item->events_len);

		if (item->events_len > ROW_MAX_BYTES)
			return err_set(err, ERR_LIMIT, "row %zu of its history is too large", i + 1);
		item->events = batch_copy(batch, events, item->events_len);
		r = row_at(row, &item->at, err);
		if (r < 0)
			return r;
	}
	return r;
}

/*
 * All of it in one commit: whoever interrupts it leaves nothing behind. What is more than history
 * stands with the first row, without which no other is taken.
 */
static int commit(const struct import *import, struct batch *batch, struct err *err)
{
	int r = import->store->ops->commit(import->store, batch->items, batch->n, err);

	for (size_t i = 0; i < batch->n && r == 0; i++) {
		const struct store_item *item = &batch->items[i];

		if (item->verdict == STORE_DUPLICATE)
			r = err_set(err, ERR_CONFLICT, "its key belongs to saga %s in this store",
						item->existing_id);
		else if (item->verdict != STORE_ACCEPTED)
			r = err_set(err, ERR_INVALID, "the store refuses row %zu of its history", i + 1);
	}
	return r;
}

static int write_rows(struct import *import, struct err *err)
{
	struct batch *batch = import->batch;
	struct saga_state *state = import->state;
	bool open = !saga_status_is_terminal(state->status);
	char fingerprint[SHA256_HEX_SIZE];
	CLEANUP(free_p) char *last = NULL;
	struct store_item *item;
	struct saga_row create;
	size_t len, n;
	int r = add_history(import, batch, err);

	n = batch->n;
	if (r == 0 && state->key)
		r = start_fingerprint(import->name, state->key, jval_json(state->input), fingerprint, err);
	if (r < 0)
		return r;
	if (open) {
		last = end_of_copy(import, &len);
		item = add_row(import, batch);
		item->at = state->last_at;
		item->events = last;
		item->events_len = len;
	}
	create = row_of_saga(import);
	item = &batch->items[0];
	item->create = &create;
	item->fingerprint = state->key ? fingerprint : NULL;
	transition_add_search(batch, state, item);
	add_compensations(state, batch, item);
	r = commit(import, batch, err);
	if (r == 0)
		printf("%s: %zu rows of history%s\n", import->id, n,
			   open ? ", and one that ends this copy: the saga goes on where it came from" : "");
	return r;
}

int cmd_saga_import(struct cli *cli)
{
	CLEANUP(import_release) struct import import = {0};
	const char *path = cli_option(cli, "store");
	struct store_sqlite_options options = {.path = path};
	struct err err = {0};
	int r;

	if (!path || strstr(path, "://"))
		return cli_fail(CLI_USAGE, "--store FILE says into which store file");
	r = read_export(&import, cli->args[0], &err);
	if (r == 0)
		r = store_sqlite_open(&options, &import.store, &err);
	if (r == 0 && saga_id_slot(import.id) >= import.store->ops->slot_count(import.store))
		r = err_set(&err, ERR_INVALID, "the store has too few slots for the id of this saga");
	if (r == 0)
		r = load_definitions(&import, &err);
	import.batch = batch_new();
	if (r == 0)
		r = fold(&import, &err);
	if (r == 0)
		r = refuse_what_is_there(&import, &err);
	if (r == 0)
		r = put_definitions(&import, &err);
	if (r == 0)
		r = write_rows(&import, &err);
	if (r < 0)
		return cli_fail(r == ERR_CONFLICT ? CLI_CONFLICT : CLI_FAILED, "%s: %s", cli->args[0],
						err.text);
	return CLI_OK;
}
