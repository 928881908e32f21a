#include "tests/support/store_rows.h"

#include <stdio.h>
#include <string.h>

#include "sagas/base/macros.h"

static const char events_text[] = "[{\"n\":3,\"type\":\"StepCompleted\",\"step\":\"charge\"}]";

wall_ms rows_time(int n)
{
	return 1700000000000 + (wall_ms)n * 1000;
}

const char *rows_id(int n)
{
	static char ids[ROWS_MAX][SAGA_ID_SIZE];
	unsigned char random[8] = {1, 2, 3, 4, 5, 6, (unsigned char)(n >> 8), (unsigned char)n};

	CHECK(n >= 0 && n < ROWS_MAX);
	if (!ids[n][0])
		saga_id_make(rows_time(n), n % ROWS_SLOTS, random, ids[n]);
	return ids[n];
}

const char *rows_key(int n)
{
	static char keys[ROWS_MAX][24];

	CHECK(n >= 0 && n < ROWS_MAX);
	if (!keys[n][0])
		snprintf(keys[n], sizeof(keys[n]), "order-%d", n);
	return keys[n];
}

const char *rows_fingerprint(int n)
{
	static char texts[ROWS_MAX][SHA256_HEX_SIZE];

	CHECK(n >= 0 && n < ROWS_MAX);
	if (!texts[n][0])
		hash_sha256_hex(rows_key(n), strlen(rows_key(n)), texts[n]);
	return texts[n];
}

struct saga_row rows_saga(int n)
{
	struct saga_row row = {
		.slot = n % ROWS_SLOTS,
		.ns = "default",
		.definition = "order",
		.version = 1,
		.status = SAGA_RUNNING,
		.key = rows_key(n),
		.started_at = rows_time(n),
		.updated_at = rows_time(n),
	};

	memcpy(row.id, rows_id(n), sizeof(row.id));
	return row;
}

struct compensation_row rows_compensation(const char *step, enum comp_status status)
{
	static const char request[] = "{\"to\":\"stock\",\"method\":\"DELETE\",\"path\":\"/r/1\"}";

	return (struct compensation_row){
		.step = step,
		.item = -1,
		.action = "http",
		.status = status,
		.request = request,
		.request_len = sizeof(request) - 1,
		.updated_at = rows_time(0),
	};
}

static struct store_item item(int n, int64_t seq)
{
	struct store_item it = {
		.slot = n % ROWS_SLOTS,
		.seq = seq,
		.at = rows_time(n) + seq,
		.events = events_text,
		.events_len = sizeof(events_text) - 1,
		.verdict = STORE_FENCED, /* so that a store that fills in nothing is seen */
	};

	memcpy(it.saga_id, rows_id(n), sizeof(it.saga_id));
	return it;
}

struct store_item rows_create(int n, const struct saga_row *row)
{
	struct store_item it = item(n, 1);

	it.create = row;
	it.fingerprint = row->key ? rows_fingerprint(n) : NULL;
	return it;
}

struct store_item rows_next(int n, int64_t seq, const struct saga_row *update)
{
	struct store_item it = item(n, seq);

	it.update = update;
	return it;
}

static enum store_verdict put(struct store *store, struct store_item it)
{
	struct err err;

	CHECK(store->ops->commit(store, &it, 1, &err) == 0);
	return it.verdict;
}

enum store_verdict rows_put_create(struct store *store, int n)
{
	struct saga_row row = rows_saga(n);

	return put(store, rows_create(n, &row));
}

enum store_verdict rows_put_next(struct store *store, int n, int64_t seq)
{
	return put(store, rows_next(n, seq, NULL));
}

enum store_verdict rows_put_end(struct store *store, int n, int64_t seq, enum saga_status status)
{
	struct saga_row row = rows_saga(n);

	row.status = status;
	row.updated_at = rows_time(n) + seq;
	row.ended_at = saga_status_is_terminal(status) ? row.updated_at : 0;
	return put(store, rows_next(n, seq, &row));
}

struct wanted_task {
	const char *step;
	int item;
	enum side side;
	struct task_row *ret_row;
};

static int take_task(void *ctx, const struct task_row *row)
{
	const struct wanted_task *wanted = ctx;

	if (strcmp(row->step, wanted->step) != 0 || row->item != wanted->item ||
		row->side != wanted->side)
		return 0;
	task_row_copy(row, wanted->ret_row);
	return 1;
}

int rows_task(struct store_reader *reader, int slot, const char *saga_id, const char *step,
			  int item, enum side side, struct task_row *ret_row)
{
	struct wanted_task wanted = {step, item, side, ret_row};
	struct err err;
	int r = reader->store->ops->saga_tasks(reader, slot, saga_id, -1, STORE_PUT_MAX, take_task,
										   &wanted, &err);

	return r == 0 ? ERR_NOT_FOUND : r < 0 ? r : 0;
}
