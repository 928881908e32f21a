#include "tests/support/store_floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "sagas/base/buf.h"
#include "sagas/base/macros.h"

enum { MAX_ITEMS = 4096 };

/* One saga under way. */
struct floor_saga {
	char id[SAGA_ID_SIZE];
	char key[32];
	int slot;
	int seq; /* of the last transition; 0: not begun */
	struct saga_row row;
	struct compensation_row comp;
	struct buf events, request;
};

struct floor_run {
	struct floor_saga *sagas;
	struct store_item *items;
	int n;
	int64_t next_key;
	int slots;
	uint64_t run; /* makes the keys of one run differ from those of another */
};

static const char *const steps[] = {"reserve", "charge", "ship"};

static double clock_s(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static wall_ms wall_now(void)
{
	return (wall_ms)(clock_s(CLOCK_REALTIME) * 1000);
}

static void begin(struct floor_run *run, struct floor_saga *saga, wall_ms now)
{
	unsigned char random[8];

	CHECK(getrandom(random, sizeof(random), 0) == sizeof(random));
	snprintf(saga->key, sizeof(saga->key), "order-%08x-%lld", (unsigned)run->run,
			 (long long)run->next_key++);
	saga->slot = saga_slot("default", "http3", saga->key, run->slots);
	saga_id_make(now, saga->slot, random, saga->id);
	saga->row = (struct saga_row){
		.slot = saga->slot,
		.ns = "default",
		.definition = "http3",
		.version = 1,
		.status = SAGA_RUNNING,
		.key = saga->key,
		.started_at = now,
		.updated_at = now,
	};
	memcpy(saga->row.id, saga->id, sizeof(saga->row.id));
	saga->seq = 0;
}

static void write_request(const struct floor_saga *saga, const char *step, const char *method,
						  const char *side, struct buf *out)
{
	buf_add_lit(out, "{\"to\":\"sink\",\"method\":\"");
	buf_add_str(out, method);
	buf_add_lit(out, "\",\"path\":\"/");
	buf_add_str(out, step);
	buf_add_char(out, '/');
	buf_add_str(out, saga->key);
	buf_add_lit(out, "\",\"key\":\"");
	buf_add_str(out, saga->id);
	buf_add_char(out, '/');
	buf_add_str(out, step);
	buf_add_char(out, '/');
	buf_add_str(out, side);
	buf_add_lit(out, "\",\"body\":{\"order\":\"");
	buf_add_str(out, saga->key);
	buf_add_lit(out, "\",\"amount_minor\":12500,\"currency\":\"EUR\"}}");
}

static void write_started(const struct floor_saga *saga, struct buf *out)
{
	buf_add_lit(out,
				"{\"n\":1,\"type\":\"SagaStarted\",\"name\":\"http3\",\"version\":1,\"key\":\"");
	buf_add_str(out, saga->key);
	buf_add_lit(out, "\",\"value\":{\"order_id\":\"");
	buf_add_str(out, saga->key);
	buf_add_lit(out, "\",\"customer_id\":\"c-1029\",\"amount_minor\":12500,\"currency\":\"EUR\","
					 "\"lines\":[{\"sku\":\"A-1\",\"quantity\":2},"
					 "{\"sku\":\"B-7\",\"quantity\":1}]}},");
}

static void write_scheduled(const struct floor_saga *saga, int step, struct buf *out)
{
	buf_add_lit(out, "{\"n\":2,\"type\":\"StepScheduled\",\"step\":\"");
	buf_add_str(out, steps[step]);
	buf_add_lit(out, "\",\"request\":");
	write_request(saga, steps[step], "POST", "do", out);
	buf_add_char(out, '}');
}

static void write_completed(const struct floor_saga *saga, const char *step, struct buf *out)
{
	buf_add_lit(out, "{\"n\":3,\"type\":\"StepCompleted\",\"step\":\"");
	buf_add_str(out, step);
	buf_add_lit(out, "\",\"status\":200,\"value\":{\"id\":\"");
	buf_add_str(out, saga->key);
	buf_add_lit(out, "\",\"ok\":true}},{\"n\":11,\"type\":\"CompensationArmed\",\"step\":\"");
	buf_add_str(out, step);
	buf_add_lit(out, "\",\"request\":");
	buf_add(out, saga->request.data, saga->request.len);
	buf_add_lit(out, "},");
}

/* The events of the saga's next transition, as the engine would write them. */
static void write_events(struct floor_saga *saga)
{
	struct buf *out = &saga->events;

	buf_clear(out);
	buf_clear(&saga->request);
	buf_add_char(out, '[');
	if (saga->seq == 1) {
		write_started(saga, out);
		write_scheduled(saga, 0, out);
	} else {
		write_request(saga, steps[saga->seq - 2], "DELETE", "undo", &saga->request);
		write_completed(saga, steps[saga->seq - 2], out);
		if (saga->seq < STORE_FLOOR_ITEMS)
			write_scheduled(saga, saga->seq - 1, out);
		else
			buf_add_lit(out, "{\"n\":19,\"type\":\"SagaCompleted\"}");
	}
	buf_add_char(out, ']');
}

static void next_item(struct floor_run *run, struct floor_saga *saga, wall_ms now,
					  struct store_item *item)
{
	/* Of a start; the store does not look at it. */
	static const char fingerprint[] =
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

	if (saga->seq == 0 || saga->seq == STORE_FLOOR_ITEMS)
		begin(run, saga, now);
	saga->seq++;
	write_events(saga);
	*item = (struct store_item){
		.slot = saga->slot,
		.seq = saga->seq,
		.at = now,
		.events = buf_str(&saga->events),
		.events_len = saga->events.len,
	};
	memcpy(item->saga_id, saga->id, sizeof(item->saga_id));
	if (saga->seq == 1) {
		item->create = &saga->row;
		item->fingerprint = fingerprint;
		return;
	}
	saga->comp = (struct compensation_row){
		.step = steps[saga->seq - 2],
		.item = -1,
		.action = "http",
		.status = COMP_ARMED,
		.request = buf_str(&saga->request),
		.request_len = saga->request.len,
		.updated_at = now,
	};
	item->compensations = &saga->comp;
	item->n_compensations = 1;
	if (saga->seq == STORE_FLOOR_ITEMS) {
		saga->row.status = SAGA_COMPLETED;
		saga->row.updated_at = saga->row.ended_at = now;
		item->update = &saga->row;
	}
}

static void turn(struct store *store, struct floor_run *run, int *pos, int items,
				 struct store_floor_result *result)
{
	wall_ms now = wall_now();
	struct err err = {0};
	double start, cpu, took_ms;

	for (int i = 0; i < items; i++) {
		next_item(run, &run->sagas[*pos], now, &run->items[i]);
		*pos = (*pos + 1) % run->n;
	}
	start = clock_s(CLOCK_MONOTONIC);
	cpu = clock_s(CLOCK_THREAD_CPUTIME_ID);
	if (store->ops->commit(store, run->items, (size_t)items, &err) < 0) {
		fprintf(stderr, "store_floor: %s\n", err.text);
		abort();
	}
	result->cpu_us_per_saga += (clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu) * 1e6;
	took_ms = (clock_s(CLOCK_MONOTONIC) - start) * 1000;
	result->commit_ms += took_ms;
	if (took_ms > result->commit_max_ms)
		result->commit_max_ms = took_ms;
	for (int i = 0; i < items; i++) {
		CHECK(run->items[i].verdict == STORE_ACCEPTED);
		result->sagas += run->items[i].seq == STORE_FLOOR_ITEMS;
	}
	result->items += items;
	result->commits++;
}

double store_floor_run(struct store *store, int items_per_commit, double seconds,
					   struct store_floor_result *ret_result)
{
	struct store_floor_result result = {0};
	struct floor_run run = {
		.n = items_per_commit * 2 + 1, /* odd: places in life spread out */
		.slots = store->ops->slot_count(store),
	};
	double start, took;
	int pos = 0;

	CHECK(items_per_commit >= 1 && items_per_commit <= MAX_ITEMS);
	CHECK(getrandom(&run.run, sizeof(run.run), 0) == sizeof(run.run));
	run.sagas = xcalloc((size_t)run.n, sizeof(*run.sagas));
	run.items = xcalloc((size_t)items_per_commit, sizeof(*run.items));
	for (int i = 0; i < run.n; i++) {
		buf_init(&run.sagas[i].events, 0);
		buf_init(&run.sagas[i].request, 0);
	}
	/* Brings the sagas to different places in their lives, as in a run that has gone on. */
	for (int seq = 1; seq < STORE_FLOOR_ITEMS; seq++)
		for (int i = seq; i < run.n; i += STORE_FLOOR_ITEMS) {
			int at = i;

			for (int k = 0; k < seq; k++, at = i)
				turn(store, &run, &at, 1, &result);
		}
	result = (struct store_floor_result){0};
	start = clock_s(CLOCK_MONOTONIC);
	do
		turn(store, &run, &pos, items_per_commit, &result);
	while ((took = clock_s(CLOCK_MONOTONIC) - start) < seconds);
	/* Sagas in the sense of their items, so that a short run is not rounded to whole ones. */
	result.sagas_per_second = (double)result.items / STORE_FLOOR_ITEMS / took;
	result.cpu_us_per_saga *= STORE_FLOOR_ITEMS / (double)result.items;
	result.commit_ms /= (double)result.commits;
	for (int i = 0; i < run.n; i++) {
		buf_release(&run.sagas[i].events);
		buf_release(&run.sagas[i].request);
	}
	free(run.sagas);
	free(run.items);
	if (ret_result)
		*ret_result = result;
	return result.sagas_per_second;
}
