#include "tests/support/store_fill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "connectors/store_postgres.h"
#include "connectors/store_sqlite.h"
#include "sagas/base/macros.h"
#include "sagas/def_load.h"
#include "sagas/json_text.h"

static const char ns[] = "default";

void fill_must(int r, const struct err *err)
{
	if (r == 0)
		return;
	fprintf(stderr, "the store cannot be filled: %s\n", err->text);
	exit(1);
}

wall_ms fill_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (wall_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t fill_number(const char *text)
{
	char *end;
	long long value = strtoll(text, &end, 10);

	if (*end || end == text || value < 0 || value > 100000000) {
		fprintf(stderr, "not a number that can be used: %s\n", text);
		exit(2);
	}
	return value;
}

static void random_bytes(void *out, size_t len)
{
	CHECK(getrandom(out, len, 0) == (ssize_t)len);
}

void fill_open(struct fill *fill, const char *address)
{
	struct store_sqlite_options sqlite = {.path = address};
	struct store_postgres_options postgres = {.url = address, .exclusive = true};
	struct err err;

	*fill = (struct fill){.batch = batch_new(), .input = jval_from_json(json_object())};
	buf_init(&fill->text, 0);
	random_bytes(&fill->run, sizeof(fill->run));
	fill_must(store_postgres_is_url(address) ? store_postgres_open(&postgres, &fill->store, &err)
											 : store_sqlite_open(&sqlite, &fill->store, &err),
			  &err);
}

void fill_close(struct fill *fill)
{
	fill->store->ops->close(fill->store);
	batch_free(fill->batch);
	jval_unref(fill->input);
	buf_release(&fill->text);
}

struct saga_def *fill_deploy(struct fill *fill, const char *text)
{
	CLEANUP(buf_release) struct buf canonical;
	struct findings findings = {0};
	struct definition_row row = {.ns = ns, .deployed_at = fill_now()};
	struct saga_def *def;
	struct err err;
	json_t *doc;

	buf_init(&canonical, 0);
	doc = json_loads(text, 0, NULL);
	CHECK(doc);
	CHECK(saga_def_load(doc, NULL, &def, &findings) == 0);
	findings_release(&findings);
	json_write_canonical(doc, &canonical);
	json_decref(doc);
	hash_sha256_hex(canonical.data, canonical.len, def->hash);
	row.name = def->name;
	row.hash = def->hash;
	row.doc = canonical.data;
	row.doc_len = canonical.len;
	row.source = text;
	row.source_len = strlen(text);
	fill_must(fill->store->ops->definition_put(fill->store, &row, &err), &err);
	def->version = row.version;
	return def;
}

struct store_item *fill_decide(struct fill *fill, struct saga_state *state, const struct input *in,
							   wall_ms at, int64_t seq)
{
	struct store_item *item = batch_add(fill->batch, state);
	struct decision decision;
	struct err err;

	decision_init(&decision);
	fill_must(saga_decide(state, in, at, &decision, &err), &err);
	CHECK(decision.n_events > 0 && decision.n_commands == 0);
	buf_clear(&fill->text);
	buf_add_char(&fill->text, '[');
	for (size_t i = 0; i < decision.n_events; i++) {
		if (i > 0)
			buf_add_char(&fill->text, ',');
		event_write(&decision.events[i], state->def, &fill->text);
	}
	buf_add_char(&fill->text, ']');
	decision_release(&decision);
	item->slot = saga_id_slot(state->id);
	memcpy(item->saga_id, state->id, sizeof(item->saga_id));
	item->seq = seq;
	item->at = at;
	item->events = batch_copy(fill->batch, buf_str(&fill->text), fill->text.len);
	item->events_len = fill->text.len;
	return item;
}

struct saga_row *fill_row(struct fill *fill, const struct saga_state *state)
{
	struct saga_row *row = batch_alloc(fill->batch, sizeof(*row));

	*row = (struct saga_row){
		.slot = saga_id_slot(state->id),
		.ns = ns,
		.definition = state->def->name,
		.version = state->def->version,
		.status = state->status,
		.key = state->key,
		.started_at = state->started_at,
		.updated_at = state->updated_at,
		.ended_at = state->ended_at,
		.due_at = state->ended_at ? 0 : saga_state_next_due(state),
	};
	memcpy(row->id, state->id, sizeof(row->id));
	return row;
}

struct saga_state *fill_begin(struct fill *fill, struct saga_def *def, wall_ms started_at,
							  struct saga_row **ret_row)
{
	static const char fingerprint[] =
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
	struct input in = {.type = INPUT_START, .ns = ns, .value = fill->input};
	unsigned char random[8];
	char key[64], id[SAGA_ID_SIZE];
	struct saga_state *state;
	struct store_item *item;
	struct saga_row *row;

	CHECK(fill->n < FILL_CHUNK);
	snprintf(key, sizeof(key), "nap-%08x-%lld", (unsigned)fill->run, (long long)fill->n_filled++);
	random_bytes(random, sizeof(random));
	random_bytes(&in.random, sizeof(in.random));
	saga_id_make(started_at,
				 saga_slot(ns, def->name, key, fill->store->ops->slot_count(fill->store)), random,
				 id);
	in.key = key;
	state = fill->states[fill->n++] = saga_state_new(def, id);
	item = fill_decide(fill, state, &in, started_at, 1);
	item->create = row = fill_row(fill, state);
	item->fingerprint = fingerprint;
	if (ret_row)
		*ret_row = row;
	return state;
}

void fill_commit(struct fill *fill)
{
	struct err err;

	if (fill->batch->n == 0)
		return;
	fill_must(fill->store->ops->commit(fill->store, fill->batch->items, fill->batch->n, &err),
			  &err);
	for (size_t i = 0; i < fill->batch->n; i++)
		CHECK(fill->batch->items[i].verdict == STORE_ACCEPTED);
	batch_clear(fill->batch);
}

void fill_clear(struct fill *fill)
{
	for (size_t i = 0; i < fill->n; i++)
		saga_state_free(fill->states[i]);
	fill->n = 0;
}
