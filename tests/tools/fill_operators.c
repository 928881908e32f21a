/*
 * Fills a store with what operators look at: fill_operators FILE|URL N
 *
 * N sagas of the last three days, of 20 definitions in three versions each: nine in ten have ended
 * as they should, one in fifty was terminated, the rest sleep for days. A quarter of those that
 * sleep concern a person, in 200 groups (what rows say of that is made up: their histories know of
 * no trouble), and one in a hundred has an owner. One saga has a history of 20,000 rows, and 20
 * batches have a thousand items each.
 *
 * Prints what a bench asks for, as NAME=VALUE lines: ids and keys.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/act.h"
#include "sagas/base/macros.h"
#include "tests/support/store_fill.h"

enum {
	DEFINITIONS = 20,
	VERSIONS = 3,
	GROUPS = 200,
	LONG_HISTORY = 20000,
	BATCHES = 20,
	BATCH_SIZE = 1000,
};

#define HOUR_MS (60 * 60 * 1000LL)
#define DAY_MS (24 * HOUR_MS)

static struct saga_def *defs[DEFINITIONS][VERSIONS];

static void deploy_all(struct fill *fill)
{
	for (int d = 0; d < DEFINITIONS; d++) {
		for (int v = 0; v < VERSIONS; v++) {
			CLEANUP(free_p)
			char *text = xasprintf("{\"saga\":\"order-%02d\",\"steps\":[{\"id\":\"nap\","
								   "\"await\":{\"after\":\"%dh\"}}]}",
								   d, 24 * 30 + v);

			defs[d][v] = fill_deploy(fill, text);
		}
	}
}

/* The n-th reason; some have many sagas and most have few. */
static void trouble(struct fill *fill, struct saga_row *row, int64_t n)
{
	static const char *const kinds[] = {"stuck", "unknown", "parked", "failing"};
	static const char *const steps[] = {"charge", "reserve", "ship"};
	int64_t group = n % 3 == 0 ? n / 3 % 5 : n % GROUPS;
	char id[ATTENTION_GROUP_SIZE];

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)group);
	row->attention = (struct attention_ref){
		.text = "the refund is refused: the account is closed",
		.group = batch_copy(fill->batch, id, sizeof(id) - 1),
		.kind = kinds[group % 4],
		.step = steps[group % 3],
		.side = group % 2 ? "do" : "undo",
		.code = "account_closed",
	};
	row->attention_at = row->updated_at;
}

enum fate { FATE_ENDS, FATE_TERMINATED, FATE_SLEEPS };

static enum fate fate(int64_t n)
{
	return n % 50 == 7 ? FATE_TERMINATED : n % 10 == 3 ? FATE_SLEEPS : FATE_ENDS;
}

static void flush(struct fill *fill, int64_t first)
{
	struct input timer = {.type = INPUT_TIMER}, terminate = {.type = INPUT_ACT};
	struct act act;

	act_init(&act, ACT_TERMINATE);
	act.by = xstrdup("ann");
	act.reason = xstrdup("a test order");
	terminate.act = &act;
	fill_commit(fill);
	for (size_t i = 0; i < fill->n; i++) {
		struct saga_state *state = fill->states[i];
		enum fate is = fate(first + (int64_t)i);
		struct store_item *item;

		if (is == FATE_SLEEPS)
			continue;
		item = is == FATE_ENDS
				   ? fill_decide(fill, state, &timer, saga_state_next_due(state), 2)
				   : fill_decide(fill, state, &terminate, state->started_at + HOUR_MS, 2);
		CHECK(saga_status_is_terminal(state->status));
		/* It took an hour, whatever its definition says. */
		item->at = state->started_at + HOUR_MS;
		item->update = fill_row(fill, state);
		((struct saga_row *)item->update)->updated_at = item->at;
		((struct saga_row *)item->update)->ended_at = item->at;
	}
	fill_commit(fill);
	fill_clear(fill);
	act_release(&act);
}

static void fill_sagas(struct fill *fill, int64_t n, wall_ms now)
{
	int64_t first = 0, troubled = 0;

	for (int64_t i = 0; i < n; i++) {
		wall_ms at = now - 3 * DAY_MS + (wall_ms)(3.0 * DAY_MS * (double)i / (double)n);
		struct saga_row *row;

		/* The last versions are the newest. */
		fill_begin(fill, defs[i * 7 % DEFINITIONS][i * VERSIONS / n], at, &row);
		if (fate(i) == FATE_SLEEPS && i / 10 % 4 == 0)
			trouble(fill, row, troubled++);
		if (fate(i) == FATE_SLEEPS && i / 10 % 100 == 0)
			row->owner = "ann";
		if (i == n / 2)
			printf("saga=%s\nkey=%s\n", row->id, row->key);
		if (fill->n == FILL_CHUNK || i + 1 == n) {
			flush(fill, first);
			first = i + 1;
		}
	}
}

static void fill_long_history(struct fill *fill, wall_ms now)
{
	struct input note = {.type = INPUT_ACT};
	struct saga_state *state;
	struct act act;

	act_init(&act, ACT_NOTE);
	act.by = xstrdup("ann");
	act.reason = xstrdup("the bank says that it will call back");
	note.act = &act;
	state = fill_begin(fill, defs[0][VERSIONS - 1], now - DAY_MS, NULL);
	printf("long=%s\n", state->id);
	for (int seq = 2; seq <= LONG_HISTORY; seq++) {
		fill_decide(fill, state, &note, now - DAY_MS + seq, seq);
		if (seq % FILL_CHUNK == 0)
			fill_commit(fill);
	}
	fill_commit(fill);
	fill_clear(fill);
	act_release(&act);
}

static int keep_id(void *ctx, const struct saga_row *row)
{
	struct batch_item_row **next = ctx;

	memcpy((*next)->saga_id, row->id, sizeof((*next)->saga_id));
	++*next;
	return 0;
}

static void fill_batches(struct fill *fill, wall_ms now)
{
	static struct batch_item_row items[BATCH_SIZE];
	struct saga_filter filter = {.ns = "default", .kind = "stuck", .limit = BATCH_SIZE};
	struct batch_item_row *next = items;
	struct store_reader *reader;
	struct err err;

	fill_must(fill->store->ops->reader_open(fill->store, &reader, &err), &err);
	fill_must(reader->store->ops->list(reader, &filter, keep_id, &next, &err), &err);
	reader->store->ops->reader_close(reader);
	for (int b = 0; b < BATCHES; b++) {
		struct batch_row row = {
			.ns = "default",
			.act = "{\"act\":\"retry\",\"reason\":\"the bank is back\"}",
			.query = "kind:stuck",
			.by = "ann",
			.status = BATCH_DONE,
			.created_at = now - b * HOUR_MS,
			.updated_at = now,
			.ended_at = now,
		};

		hash_uuid5((const char *)&b, sizeof(b), row.id);
		for (struct batch_item_row *item = items; item < next; item++) {
			item->status = (item - items) % 7 ? BATCH_ITEM_DONE : BATCH_ITEM_REFUSED;
			item->updated_at = now;
			item->effect = "{\"events\":[\"ActTaken\"],\"status_before\":\"waiting\"}";
			item->seq = 3;
		}
		fill_must(
			fill->store->ops->batch_put(fill->store, &row, items, (size_t)(next - items), &err),
			&err);
		if (b == BATCHES / 2)
			printf("batch=%s\n", row.id);
	}
}

int main(int argc, char **argv)
{
	wall_ms now = fill_now();
	struct fill fill;

	if (argc != 3) {
		fprintf(stderr, "usage: fill_operators FILE|URL N\n");
		return 2;
	}
	fill_open(&fill, argv[1]);
	deploy_all(&fill);
	fill_sagas(&fill, fill_number(argv[2]), now);
	fill_long_history(&fill, now);
	fill_batches(&fill, now);
	printf("definition=order-00\ngroup=%016x\nsmall_group=%016x\n", 1, 150);
	fill_close(&fill);
	for (int d = 0; d < DEFINITIONS; d++)
		for (int v = 0; v < VERSIONS; v++)
			saga_def_unref(defs[d][v]);
	return 0;
}
