/*
 * `skald saga import`: an exported saga goes into a store file, for looking at.
 *
 * A copy must do nothing: the saga may still run where it came from. So one that has not ended gets
 * one row more, SagaTerminated by `import`; the row before it is how it stood. The whole history is
 * folded first, so that what is no history is refused; so are an id and a key that are there.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/store_sqlite.h"
#include "coordinator/cli/cli.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/print.h"
#include "coordinator/start_identity.h"
#include "sagas/def_load.h"
#include "sagas/json_text.h"
#include "sagas/state.h"

enum { EXPORT_MAX_BYTES = 256 * 1024 * 1024 };

struct import {
	json_t *export;
	const json_t *saga, *history;
	const char *id, *ns, *name;
	struct store *store;
	struct saga_def *def;
	struct saga_state *state;
	int64_t version; /* in this store */
	int64_t base_seq;
};

static void import_release(struct import *import)
{
	json_decref(import->export);
	saga_state_free(import->state);
	saga_def_unref(import->def);
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

static int put_definition(struct import *import, json_t *entry, struct err *err)
{
	struct findings findings = {0};
	struct saga_def *def = NULL;
	struct definition_row row = {.ns = import->ns};
	char hash[65];
	struct buf text;
	int r = saga_def_load(json_object_get(entry, "doc"), NULL, &def, &findings);

	if (r < 0)
		err_set(err, ERR_INVALID, "its definition is refused: %s: %s",
				findings.n > 0 ? findings.list[0].pointer : "",
				findings.n > 0 ? findings.list[0].text : "");
	findings_release(&findings);
	if (r < 0)
		return ERR_INVALID;
	buf_init(&text, 0);
	json_write_canonical(json_object_get(entry, "doc"), &text);
	hash_sha256_hex(text.data, text.len, hash);
	row.name = def->name;
	row.hash = hash;
	row.doc = row.source = text.data;
	row.doc_len = row.source_len = text.len;
	row.deployed_at = 0;
	r = import->store->ops->definition_put(import->store, &row, err);
	buf_release(&text);
	if (r == 0 && strncmp(def->name, import->name, strcspn(import->name, "#")) == 0 &&
		strlen(def->name) == strcspn(import->name, "#") &&
		int_of(entry, "version", 0) == int_of(import->saga, "version", 0)) {
		saga_def_set_version(def, row.version, hash);
		import->version = row.version;
		import->def = saga_def_ref(saga_def_find_block(def, import->name));
	}
	saga_def_unref(def);
	return r;
}

static int put_definitions(struct import *import, struct err *err)
{
	json_t *entry;
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(import->export, "definitions"), i, entry) {
		r = put_definition(import, entry, err);
		if (r < 0)
			return r;
	}
	if (!import->def)
		return err_set(err, ERR_INVALID, "its definition is not in the export");
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

static int commit(struct import *import, struct store_item *item, struct err *err)
{
	int r;

	item->slot = saga_id_slot(import->id);
	memcpy(item->saga_id, import->id, SAGA_ID_SIZE);
	r = import->store->ops->commit(import->store, item, 1, err);
	if (r < 0)
		return r;
	if (item->verdict == STORE_DUPLICATE)
		return err_set(err, ERR_CONFLICT, "its key belongs to saga %s in this store",
					   item->existing_id);
	if (item->verdict != STORE_ACCEPTED)
		return err_set(err, ERR_CONFLICT, "the saga is in this store already");
	return 0;
}

static int write_rows(struct import *import, struct err *err)
{
	struct saga_state *state = import->state;
	bool open = !saga_status_is_terminal(state->status);
	char fingerprint[SHA256_HEX_SIZE];
	CLEANUP(free_p) char *last = NULL;
	struct saga_row create;
	size_t i, len, n = json_array_size(import->history);
	int r = 0;

	if (open)
		last = end_of_copy(import, &len);
	create = (struct saga_row){
		.slot = saga_id_slot(import->id),
		.ns = import->ns,
		.definition = import->name,
		.version = import->version,
		.status = state->status,
		.key = state->key,
		.started_at = state->started_at,
		.updated_at = state->updated_at,
		.ended_at = state->ended_at,
		.base_seq = import->base_seq,
	};
	memcpy(create.id, import->id, SAGA_ID_SIZE);
	if (state->key)
		r = start_fingerprint(import->name, state->key, jval_json(state->input), fingerprint, err);
	for (i = 0; i < n && r == 0; i++) {
		const json_t *row = json_array_get(import->history, i);
		CLEANUP(free_p) char *events = NULL;
		struct store_item item = {.seq = (int64_t)i + 1,
								  .create = i == 0 ? &create : NULL,
								  .fingerprint = i == 0 && state->key ? fingerprint : NULL};

		events = row_events(row, &item.events_len);
		item.events = events;
		r = row_at(row, &item.at, err);
		if (r == 0)
			r = commit(import, &item, err);
	}
	if (r == 0 && open) {
		struct store_item item = {
			.seq = (int64_t)n + 1, .at = state->last_at, .events = last, .events_len = len};

		r = commit(import, &item, err);
	}
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
		r = put_definitions(&import, &err);
	if (r == 0)
		r = fold(&import, &err);
	if (r == 0)
		r = write_rows(&import, &err);
	if (r < 0)
		return cli_fail(r == ERR_CONFLICT ? CLI_CONFLICT : CLI_FAILED, "%s: %s", cli->args[0],
						err.text);
	return CLI_OK;
}
