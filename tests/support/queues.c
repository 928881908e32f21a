#include "tests/support/queues.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/log.h"
#include "sagas/json_text.h"

struct queues q;

#define PARTICIPANTS "\"participants\": {\"p\": {\"timeout\": \"10s\"}}"
#define HOLD                                                                                       \
	"{\"id\": \"hold\", \"command\": {\"to\": \"p\", \"type\": \"Hold\"}, \"compensate\": "        \
	"\"none\"}"
#define PAID                                                                                       \
	"{\"id\": \"paid\", \"needs\": [], \"await\": {\"kafka\": \"payments\", \"correlate\": "       \
	"{\"from\": \"${event.data.id}\", \"expect\": \"${input.id}\"}}, \"timeout\": \"3h\"}"

static const char *const texts[Q_DEFS] = {
	[Q_HOLD] = "{\"saga\": \"hold\", " PARTICIPANTS ", \"steps\": [" HOLD "]}",
	[Q_HOLD_THEN] = "{\"saga\": \"hold-then\", " PARTICIPANTS ", \"steps\": [" HOLD
					", {\"id\": \"later\", \"command\": {\"to\": \"p\", \"type\": \"Later\"}, "
					"\"compensate\": \"none\"}]}",
	[Q_HOLD_EMIT] = "{\"saga\": \"hold-emit\", " PARTICIPANTS ", \"steps\": [" HOLD
					", {\"id\": \"tell\", \"emit\": {\"topic\": \"orders\", \"type\": \"Told\", "
					"\"data\": {\"n\": 1}}, \"compensate\": \"none\"}]}",
	[Q_HOLD_LATE] = "{\"saga\": \"hold-late\", " PARTICIPANTS ", \"steps\": [" HOLD
					"], \"escalate\": [{\"after\": \"1m\", \"emit\": {\"topic\": \"orders\", "
					"\"type\": \"Late\"}}]}",
	[Q_PAID] = "{\"saga\": \"paid\", \"steps\": [" PAID "]}",
	[Q_PAID_BESIDE] =
		"{\"saga\": \"paid-beside\", " PARTICIPANTS ", \"steps\": [" PAID
		", {\"id\": \"b\", \"needs\": [], \"http\": {\"to\": \"p\", \"method\": \"GET\", "
		"\"path\": \"/b\"}, \"retry\": {\"initial_interval\": \"1s\", \"maximum_interval\": "
		"\"1s\", "
		"\"backoff_coefficient\": 1, \"maximum_attempts\": 1000, \"jitter\": 0}}]}",
	[Q_CANCELLED_BY] =
		"{\"saga\": \"cancelled-by\", \"cancel_on\": [{\"kafka\": \"stops\", \"correlate\": "
		"{\"from\": \"${event.data.id}\", \"expect\": \"${input.id}\"}}], \"steps\": "
		"[{\"id\": \"rest\", \"await\": {\"after\": \"1h\"}}]}",
};

/* Hooks of the world. */

static void sent(void *ctx, struct world_call *call)
{
	(void)ctx;
	(void)call;
}

static void answered(void *ctx, struct engine_call *call, bool lost)
{
	(void)ctx;
	(void)lost;
	engine_call_free(call);
}

static void loaded(void *ctx, const char *saga_id)
{
	(void)ctx;
	(void)saga_id;
}

static uint64_t random_number(void *ctx)
{
	(void)ctx;
	return 4;
}

static enum store_fault commit_fault(void *ctx)
{
	enum store_fault fault = q.fault;

	(void)ctx;
	q.fault = STORE_FAULT_NONE;
	return q.always_fault != STORE_FAULT_NONE ? q.always_fault : fault;
}

static bool read_fault(void *ctx)
{
	(void)ctx;
	return q.reads_fail;
}

void queues_setup(void)
{
	static const struct world_hooks hooks = {
		.sent = sent,
		.answered = answered,
		.loaded = loaded,
		.random = random_number,
		.commit_fault = commit_fault,
		.read_fault = read_fault,
	};

	memset(&q, 0, sizeof(q));
	log_setup(LOG_OFF, false);
	world_init(&q.world, &hooks, 1700000000000);
	for (int i = 0; i < Q_DEFS; i++) {
		CLEANUP(json_decref_p) json_t *doc = NULL;
		struct err err;

		if (json_parse(texts[i], strlen(texts[i]), &doc, &err) < 0)
			ck_abort_msg("%s: %s", err.place, err.text);
		q.defs[i] = world_deploy(&q.world, doc);
	}
	q.world.queues = true;
	world_boot(&q.world);
	queues_settle();
}

void queues_teardown(void)
{
	world_release(&q.world);
}

void queues_many(const int *slots, size_t n)
{
	world_crash(&q.world);
	q.world.many_nodes = true;
	world_boot(&q.world);
	turn_begin(q.world.turn, q.world.now);
	turn_slots_gained(q.world.turn, slots, n);
	queues_settle();
}

void queues_lifecycle(const char *topic)
{
	world_crash(&q.world);
	q.world.lifecycle = (struct lifecycle_topic){"default", topic};
	world_boot(&q.world);
	queues_settle();
}

void queues_hide_definitions(bool hidden)
{
	static size_t n;

	if (hidden) {
		n = q.world.n_defs;
		q.world.n_defs = 0;
	} else {
		q.world.n_defs = n;
	}
}

/* Sagas. */

void queues_start(enum queues_def def, const char *event_id, char id[SAGA_ID_SIZE])
{
	json_t *input = event_id ? json_pack("{s:s}", "id", event_id) : json_object();
	struct engine_call *call = world_start_call(&q.world, q.defs[def], NULL, input, q.next++);

	memcpy(id, call->id, SAGA_ID_SIZE);
	memcpy(q.ids[q.n_ids++ % 16], call->id, SAGA_ID_SIZE);
	world_post(&q.world, POST_CALL, call);
}

void queues_id(int slot, char id[SAGA_ID_SIZE])
{
	static const unsigned char random[8] = {9, 9, 9, 9, 9, 9, 9, 9};

	saga_id_make(q.world.now, slot, random, id);
}

/* Time and turns. */

void queues_turn(void)
{
	world_turn(&q.world, 1000);
}

void queues_settle(void)
{
	struct world *world = &q.world;

	queues_turn();
	while (world->batch || world->removal || world->reads.n > 0 || world->mailbox.n > 0) {
		if (world->batch || world->removal)
			world_write(world);
		while (world->reads.n > 0)
			world_read(world, 0);
		queues_turn();
	}
}

void queues_pass(int64_t ms)
{
	wall_ms until = q.world.now + ms;

	queues_settle();
	for (;;) {
		wall_ms at = turn_next_at(q.world.turn);

		if (at == 0 || at > until)
			break;
		if (at > q.world.now)
			q.world.now = at;
		queues_settle();
		ck_assert_msg(turn_next_at(q.world.turn) != at, "the turn spins");
	}
	q.world.now = until;
	queues_settle();
}

void queues_published(void)
{
	struct world_call *call = q.world.calls;

	ck_assert_ptr_nonnull(call);
	ck_assert_int_eq(call->command.request->kind, REQUEST_COMMAND);
	world_call_end(&q.world, call, CALL_PUBLISHED, 0, NULL, -1);
}

/* Deliveries. */

static struct delivery *delivery_for(enum delivery_kind kind, const char *id, const char *step,
									 const char *value)
{
	struct delivery *delivery = delivery_new(kind);

	snprintf(delivery->ns, sizeof(delivery->ns), "%s", WORLD_NS);
	snprintf(delivery->saga_id, sizeof(delivery->saga_id), "%s", id);
	snprintf(delivery->step, sizeof(delivery->step), "%s", step);
	delivery->value = jval_from_text(xstrdup(value), strlen(value));
	return delivery;
}

struct delivery *queues_reply(const char *id, const char *step, const char *value)
{
	return delivery_for(DELIVERY_REPLY, id, step, value);
}

struct delivery *queues_event(const char *id, const char *step, const char *event_id,
							  const char *event)
{
	struct delivery *delivery = delivery_for(DELIVERY_EVENT, id, step, event);

	delivery->event_id = xstrdup(event_id);
	return delivery;
}

static void done(struct delivery *delivery)
{
	struct told *told = delivery->ctx;

	told->n++;
	told->result = delivery->result;
	told->has_value = delivery->value != NULL;
	if (delivery->value) {
		told->value_refs = delivery->value->refs;
		snprintf(told->value, sizeof(told->value), "%s", jval_text(delivery->value, NULL));
	}
	delivery_free(delivery);
}

void queues_deliver(struct delivery *delivery, struct told *told)
{
	memset(told, 0, sizeof(*told));
	delivery->done = done;
	delivery->ctx = told;
	world_post(&q.world, POST_DELIVERY, delivery);
}

/* What other nodes write. */

static void must(int r, const struct err *err)
{
	ck_assert_msg(r == 0, "%s", err->text);
}

void queues_put_message(const char *id, const char *message, int inbox_id)
{
	struct inbox_row row = {
		.slot = saga_id_slot(id),
		.ns = WORLD_NS,
		.at = q.world.now,
		.message = message,
		.message_len = strlen(message),
	};
	struct err err;

	snprintf(row.id, sizeof(row.id), "00000000-0000-4000-8000-%012d", inbox_id);
	snprintf(row.saga_id, sizeof(row.saga_id), "%s", id);
	must(q.world.inner->ops->inbox_put(q.world.inner, &row, 1, &err), &err);
}

void queues_put_reply(const char *id, const char *step, const char *value, int inbox_id)
{
	struct delivery *delivery = queues_reply(id, step, value);
	struct buf text;

	buf_init(&text, 0);
	delivery_write(delivery, &text);
	queues_put_message(id, buf_str(&text), inbox_id);
	buf_release(&text);
	delivery_free(delivery);
}

void queues_put_event(enum queues_def def, const char *value, const char *event_id)
{
	const struct saga_def *of = q.defs[def];
	const struct correlate_def *on =
		of->n_cancel_on ? of->cancel_on : &of->steps[0].act.await_kafka;
	bool touched[WORLD_SLOTS] = {0};
	char event[160];
	struct event_row row = {
		.ns = WORLD_NS,
		.channel = on->channel,
		.value = value,
		.id = event_id,
		.at = q.world.now,
		.expires_at = q.world.now + Q_HOUR,
		.event = event,
	};
	struct err err;

	row.event_len = (size_t)snprintf(
		event, sizeof(event), "{\"topic\":\"%s\",\"data\":{\"id\":\"%s\"}}", on->topic, value);
	must(q.world.inner->ops->events_put(q.world.inner, &row, 1, touched, &err), &err);
}

/* The store. */

static int count_inbox(void *ctx, const struct inbox_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

int queues_inbox_rows(void)
{
	static const int slots[] = {0, 1, 2, 3};
	struct inbox_page page = {.slots = slots, .n_slots = WORLD_SLOTS, .limit = STORE_PUT_MAX};
	struct err err;
	int n = 0;

	must(q.world.inner->ops->inbox_list(q.world.truth, &page, count_inbox, &n, &err), &err);
	return n;
}

enum saga_status queues_status(const char *id)
{
	struct saga_row row = {0};
	enum saga_status status;
	struct err err;

	must(q.world.inner->ops->saga_get(q.world.truth, WORLD_NS, id, &row, &err), &err);
	status = row.status;
	saga_row_release(&row);
	return status;
}

wall_ms queues_due_at(const char *id)
{
	struct saga_row row = {0};
	struct err err;
	wall_ms due_at;

	must(q.world.inner->ops->saga_get(q.world.truth, WORLD_NS, id, &row, &err), &err);
	due_at = row.due_at;
	saga_row_release(&row);
	return due_at;
}

struct count {
	int rows, events;
	const char *type;
};

static int count_events(void *ctx, const struct history_row *row)
{
	CLEANUP(json_decref_p) json_t *events = NULL;
	struct count *count = ctx;
	const json_t *event;
	struct err err;
	size_t i;

	must(json_parse_stored(row->events, row->events_len, &events, &err), &err);
	count->rows++;
	json_array_foreach (events, i, event)
		count->events += count->type && strcmp(json_string_value(json_object_get(event, "type")),
											   count->type) == 0;
	return 0;
}

static struct count count_history(const char *id, const char *type)
{
	struct count count = {.type = type};
	struct err err;

	must(q.world.inner->ops->history(q.world.truth, id, 0, 1000, count_events, &count, &err), &err);
	return count;
}

int queues_rows(const char *id)
{
	return count_history(id, NULL).rows;
}

int queues_count(const char *id, enum event_type type)
{
	return count_history(id, event_type_text(type)).events;
}

struct outbox_look {
	const char *saga_id, *type;
	char ids[64][UUID_SIZE];
	int n;
};

static int look_at_outbox(void *ctx, const struct outbox_row *row)
{
	struct outbox_look *look = ctx;

	if (strcmp(row->saga_id, look->saga_id) != 0 || (look->type && strcmp(row->type, look->type)))
		return 0;
	ck_assert_int_lt(look->n, 64);
	memcpy(look->ids[look->n++], row->id, UUID_SIZE);
	return 0;
}

static void list_outbox(struct outbox_look *look)
{
	static const int slots[] = {0, 1, 2, 3};
	struct outbox_page page = {.slots = slots, .n_slots = WORLD_SLOTS, .limit = STORE_PUT_MAX};
	struct err err;

	must(q.world.inner->ops->outbox_list(q.world.truth, &page, look_at_outbox, look, &err), &err);
}

int queues_outbox(const char *id, const char *type)
{
	struct outbox_look look = {.saga_id = id, .type = type};

	list_outbox(&look);
	return look.n;
}

bool queues_outbox_ids_differ(const char *id)
{
	struct outbox_look look = {.saga_id = id};

	list_outbox(&look);
	for (int i = 0; i < look.n; i++)
		for (int j = 0; j < i; j++)
			if (strcmp(look.ids[i], look.ids[j]) == 0)
				return false;
	return look.n > 0;
}

const struct engine_stats *queues_stats(void)
{
	return turn_stats(q.world.turn);
}
