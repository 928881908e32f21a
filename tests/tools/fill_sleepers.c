/*
 * Fills a store with sagas that sleep: fill_sleepers FILE|URL SLEEPING DUE ENDED [AFTER_S [OVER_S]]
 *
 * SLEEPING sagas wait in `await: {after: 3d}`, their ends spread over the next three days; DUE more
 * fall due, from AFTER_S (10) seconds after the others were written, over OVER_S (60) seconds;
 * ENDED have ended over the last three days. Rows are what the core decides, so they are those of
 * real sagas, only that their times were made up; they go through the store's own commit,
 * hundreds at a time.
 *
 * No server may run on the store meanwhile: a store in Postgres is taken over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "connectors/store_postgres.h"
#include "connectors/store_sqlite.h"
#include "coordinator/batch.h"
#include "sagas/base/macros.h"
#include "sagas/decide.h"
#include "sagas/def_load.h"
#include "sagas/json_text.h"

enum { CHUNK = BATCH_MAX_ITEMS / 2 };

#define HOUR_MS (60 * 60 * 1000LL)
#define NAP_MS (72 * HOUR_MS)

static const char definition[] =
	"{\"saga\":\"nap\",\"steps\":[{\"id\":\"nap\",\"await\":{\"after\":\"72h\"}}]}";
static const char ns[] = "default";

struct fill {
	struct store *store;
	struct saga_def *def;
	struct batch *batch;
	struct saga_state *states[CHUNK];
	size_t n;         /* in states */
	int64_t n_filled; /* makes keys */
	uint64_t run;     /* and makes them differ from those of another run */
	struct jval *input;
	struct buf text;
};

static void must(int r, const struct err *err)
{
	if (r == 0)
		return;
	fprintf(stderr, "fill_sleepers: %s\n", err->text);
	exit(1);
}

static wall_ms wall_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (wall_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void random_bytes(void *out, size_t len)
{
	CHECK(getrandom(out, len, 0) == (ssize_t)len);
}

static void deploy(struct fill *fill)
{
	CLEANUP(buf_release) struct buf canonical;
	struct findings findings = {0};
	struct definition_row row = {.ns = ns, .deployed_at = wall_now()};
	struct err err;
	json_t *doc;

	buf_init(&canonical, 0);
	doc = json_loads(definition, 0, NULL);
	CHECK(doc);
	CHECK(saga_def_load(doc, NULL, &fill->def, &findings) == 0);
	findings_release(&findings);
	json_write_canonical(doc, &canonical);
	json_decref(doc);
	hash_sha256_hex(canonical.data, canonical.len, fill->def->hash);
	row.name = fill->def->name;
	row.hash = fill->def->hash;
	row.doc = canonical.data;
	row.doc_len = canonical.len;
	row.source = definition;
	row.source_len = strlen(definition);
	must(fill->store->ops->definition_put(fill->store, &row, &err), &err);
	fill->def->version = row.version;
}

/* The next item of the batch: what the input does to the saga. */
static struct store_item *decide(struct fill *fill, struct saga_state *state,
								 const struct input *in, wall_ms at, int64_t seq)
{
	struct store_item *item = batch_add(fill->batch, state);
	struct decision decision;
	struct err err;

	decision_init(&decision);
	must(saga_decide(state, in, at, &decision, &err), &err);
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

static struct saga_row *row_of(struct fill *fill, const struct saga_state *state)
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

static void commit(struct fill *fill)
{
	struct err err;

	if (fill->batch->n == 0)
		return;
	must(fill->store->ops->commit(fill->store, fill->batch->items, fill->batch->n, &err), &err);
	for (size_t i = 0; i < fill->batch->n; i++)
		CHECK(fill->batch->items[i].verdict == STORE_ACCEPTED);
	batch_clear(fill->batch);
}

/* Writes the sagas that were begun; when they are to end, that is a transition of its own. */
static void flush(struct fill *fill, bool end)
{
	struct input timer = {.type = INPUT_TIMER};

	commit(fill);
	for (size_t i = 0; end && i < fill->n; i++) {
		struct saga_state *state = fill->states[i];
		struct store_item *item = decide(fill, state, &timer, saga_state_next_due(state), 2);

		CHECK(state->status == SAGA_COMPLETED);
		item->update = row_of(fill, state);
	}
	commit(fill);
	for (size_t i = 0; i < fill->n; i++)
		saga_state_free(fill->states[i]);
	fill->n = 0;
}

static void begin(struct fill *fill, wall_ms started_at)
{
	static const char fingerprint[] =
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
	struct input in = {.type = INPUT_START, .ns = ns, .value = fill->input};
	unsigned char random[8];
	char key[64], id[SAGA_ID_SIZE];
	struct saga_state *state;
	struct store_item *item;

	snprintf(key, sizeof(key), "nap-%08x-%lld", (unsigned)fill->run, (long long)fill->n_filled++);
	random_bytes(random, sizeof(random));
	random_bytes(&in.random, sizeof(in.random));
	saga_id_make(started_at,
				 saga_slot(ns, fill->def->name, key, fill->store->ops->slot_count(fill->store)),
				 random, id);
	in.key = key;
	state = fill->states[fill->n++] = saga_state_new(fill->def, id);
	item = decide(fill, state, &in, started_at, 1);
	CHECK(saga_state_may_sleep(state) && saga_state_next_due(state) == started_at + NAP_MS);
	item->create = row_of(fill, state);
	item->fingerprint = fingerprint;
}

/* n sagas that begin at even distances in a span of time, in the order of their beginnings. */
static void fill_span(struct fill *fill, int64_t n, wall_ms from, int64_t span_ms, bool end)
{
	for (int64_t i = 0; i < n; i++) {
		begin(fill, from + (wall_ms)((double)span_ms * (double)i / (double)n));
		if (fill->n == CHUNK)
			flush(fill, end);
	}
	flush(fill, end);
}

static int64_t number(const char *text)
{
	char *end;
	long long value = strtoll(text, &end, 10);

	if (*end || end == text || value < 0 || value > 100000000) {
		fprintf(stderr, "fill_sleepers: not a number it can use: %s\n", text);
		exit(2);
	}
	return value;
}

static void open_store(const char *address, struct store **ret_store)
{
	struct store_sqlite_options sqlite = {.path = address};
	struct store_postgres_options postgres = {.url = address, .exclusive = true};
	struct err err;

	must(store_postgres_is_url(address) ? store_postgres_open(&postgres, ret_store, &err)
										: store_sqlite_open(&sqlite, ret_store, &err),
		 &err);
}

int main(int argc, char **argv)
{
	struct fill fill = {.batch = batch_new(), .input = jval_from_json(json_object())};
	int64_t sleeping, due, ended, after_ms, over_ms;
	wall_ms now = wall_now();

	if (argc < 5 || argc > 7) {
		fprintf(stderr, "usage: fill_sleepers FILE|URL SLEEPING DUE ENDED [AFTER_S [OVER_S]]\n");
		return 2;
	}
	sleeping = number(argv[2]);
	due = number(argv[3]);
	ended = number(argv[4]);
	after_ms = argc > 5 ? number(argv[5]) * 1000 : 10000;
	over_ms = argc > 6 ? number(argv[6]) * 1000 : 60000;
	buf_init(&fill.text, 0);
	random_bytes(&fill.run, sizeof(fill.run));
	open_store(argv[1], &fill.store);
	deploy(&fill);
	fill_span(&fill, ended, now - 2 * NAP_MS, NAP_MS - HOUR_MS, true);
	/* None of these comes due while the others are measured. */
	fill_span(&fill, sleeping, now - NAP_MS + 2 * HOUR_MS, NAP_MS - 2 * HOUR_MS, false);
	fill_span(&fill, due, wall_now() + after_ms - NAP_MS, over_ms, false);
	fill.store->ops->close(fill.store);
	batch_free(fill.batch);
	saga_def_unref(fill.def);
	jval_unref(fill.input);
	buf_release(&fill.text);
	return 0;
}
