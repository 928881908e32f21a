/*
 * A broker with the topics that Skald reads (replies, events) and the one that it writes (out), and
 * what a node does with them: consumers that hand over replies and store events, offsets that are
 * committed now and then, the relay of the outbox, and the watermark.
 *
 * The broker loses nothing. Records are read again after a crash from the offset that was committed
 * last, which may lie far behind; a reply may be read by a node that does not own its saga, which
 * puts it into the inbox. What the reader of a topic must not do is to pass over a record before it
 * is durable where it belongs: that is what the checks here are about.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/cloudevent.h"
#include "sagas/json_text.h"
#include "sagas/outbox.h"
#include "sagas/reply_profile.h"
#include "sagas/trigger.h"
#include "tests/sim/sim.h"

enum {
	TICK_FIRST_MS =
		500, /* between two looks at the ends of the topics, when nothing else happens */
	TICK_MAX_MS = 600 * 1000,
	EVENTS_FOR_MS = 90 * 1000,
};

static bool draw(struct sim *sim, enum sim_fault fault, int percent)
{
	return sim_fault(sim, fault, rng_percent(&sim->rng_kafka, percent));
}

/* Records. */

static const char *const topic_names[] = {"skald.replies", "ev", "stop"};

static struct sim_record *append(struct sim *sim, enum sim_topic_name which)
{
	struct sim_topic *topic = &sim->topics[which];
	struct sim_record *record = xcalloc(1, sizeof(*record));

	topic->records =
		xrealloc_array(topic->records, (size_t)topic->end + 1, sizeof(*topic->records));
	topic->records[topic->end] = record;
	record->offset = topic->end++;
	record->sim = sim;
	record->topic = topic_names[which];
	record->at = sim->world.now;
	return record;
}

static void add_header(struct sim_record *record, const char *name, const char *value)
{
	if (!value)
		return;
	CHECK(record->n_headers < ARRAY_SIZE(record->headers));
	record->headers[record->n_headers++] =
		(struct kafka_header){name, xstrdup(value), strlen(value)};
}

static struct kafka_record as_kafka(const struct sim_record *record)
{
	return (struct kafka_record){
		.cluster = DEF_DEFAULT_CLUSTER,
		.topic = record->topic,
		.offset = record->offset,
		.at = record->at,
		.value = record->value,
		.value_len = strlen(record->value),
		.headers = record->headers,
		.n_headers = record->n_headers,
	};
}

static char *json_text(json_t *value)
{
	struct buf out;

	buf_init(&out, 0);
	json_write(value, &out);
	json_decref(value);
	return buf_take(&out, NULL);
}

static void check_header(struct sim *sim, const struct flight *flight,
						 const struct kafka_record *record, const char *name, const char *wanted)
{
	const struct kafka_header *header = kafka_record_header(record, name);

	if (!header || header->value_len != strlen(wanted) ||
		memcmp(header->value, wanted, header->value_len) != 0)
		sim_fail(sim, flight->copy.saga_id, "S10 a command's id, key or correlation changes");
}

/* S10: what tells a participant that it knows the command already is the same in each attempt. */
void kafka_check_command(struct sim *sim, const struct flight *flight)
{
	const struct command *command = &flight->copy.command;
	const struct oracle_saga *saga = oracle_saga(&sim->oracle, flight->copy.saga_id);
	const struct command_address address = {
		.ns = WORLD_NS,
		.definition = saga->def->name,
		.saga_id = saga->id,
		.cluster = DEF_DEFAULT_CLUSTER,
		.topic = command->request->to,
		.reply_topic = topic_names[TOPIC_REPLIES],
		.attempt = command->attempt,
		.at = sim->world.now,
	};
	struct command_record record;
	struct err err;

	if (command_record_make(PROFILE_NATIVE, command->request, &address, &record, &err) < 0)
		sim_fail(sim, saga->id, err.text);
	check_header(sim, flight, &record.record, "ce_id", command->request->correlation);
	check_header(sim, flight, &record.record, "correlation-id", command->request->correlation);
	check_header(sim, flight, &record.record, "idempotency-key", command->request->key);
	command_record_release(&record);
}

/* A participant writes a reply in its own words; what it means in HTTP's is the simulator's. */
void kafka_reply(struct sim *sim, const struct flight *flight)
{
	const struct command *command = &flight->copy.command;
	struct sim_record *record = append(sim, TOPIC_REPLIES);
	const json_t *code = flight->body ? json_object_get(flight->body, "code") : NULL;
	const char *correlation = command->request->correlation;
	struct correlation parts;
	int status = flight->status;

	record->value = json_text(flight->body ? json_incref(flight->body) : json_null());
	record->flight_status = status;
	record->kind = command->kind;
	record->step = command->step;
	record->item = command->item;
	CHECK(correlation_read(correlation, strlen(correlation), &parts));
	record->run = parts.run > 1 ? parts.run : 1;
	memcpy(record->saga_id, flight->copy.saga_id, sizeof(record->saga_id));
	add_header(record, "correlation-id", correlation);
	add_header(record, "content-type", "application/json");
	if (status == 202)
		add_header(record, "outcome", "ongoing");
	else if (status >= 500 || status == 429 || status == 409)
		add_header(record, "outcome", "unknown");
	else if (status != 200)
		add_header(record, "outcome", "failure");
	else if (rng_percent(&sim->rng_kafka, 50))
		add_header(record, "outcome", "success"); /* it is what is meant when nothing is said */
	if (status != 200)
		add_header(record, "error-code", code ? json_string_value(code) : "busy");
	sim_trace(sim, "reply %lld to %s: %d", (long long)record->offset, correlation, status);
}

/* Events come from somewhere else, some of them before a saga waits, some when it is over. */
static void produce(struct sim *sim)
{
	struct planned_event *planned = sim->planned, **link = &sim->planned, **least = link;
	struct sim_record *record;

	for (; planned; link = &planned->next, planned = planned->next)
		if (planned->at < (*least)->at)
			least = link;
	planned = *least;
	*least = planned->next;
	record = append(sim, planned->cancel ? TOPIC_STOP : TOPIC_EVENTS);
	memcpy(record->order, planned->order, sizeof(record->order));
	record->n = planned->n;
	record->value = json_text(json_pack("{s:s, s:i}", "order", planned->order, "n", planned->n));
	sim_trace(sim, "event %s/%lld for %s", record->topic, (long long)record->offset, record->order);
	if (draw(sim, FAULT_EVENT_TWICE, 10)) {
		/* Its producer was not sure: the same again, under an offset of its own. */
		planned->at += rng_below(&sim->rng_kafka, 5000);
		planned->next = sim->planned;
		sim->planned = planned;
		return;
	}
	free(planned);
}

static void plan(struct sim *sim, int client, bool cancel)
{
	struct planned_event *planned = xcalloc(1, sizeof(*planned));

	planned->at = sim->world.now + 1 + rng_below(&sim->rng_kafka, EVENTS_FOR_MS);
	snprintf(planned->order, sizeof(planned->order), "o-%d", client);
	planned->n = (int)rng_below(&sim->rng_kafka, 3);
	planned->cancel = cancel;
	planned->next = sim->planned;
	sim->planned = planned;
}

void kafka_init(struct sim *sim)
{
	for (int i = 0; i < sim->n_clients; i++) {
		int n = (int)rng_below(&sim->rng_kafka, 5);

		while (n-- > 0)
			plan(sim, i, false);
		if (draw(sim, FAULT_CANCEL_EVENT, 25))
			plan(sim, i, true);
	}
	sim->tick_ms = TICK_FIRST_MS;
}

const struct sim_record *kafka_event(const struct sim *sim, const char *event_id)
{
	for (int i = TOPIC_EVENTS; i < TOPIC_COUNT; i++) {
		for (int64_t at = 0; at < sim->topics[i].end; at++) {
			char id[64];

			snprintf(id, sizeof(id), "%s/%s/0/%lld", DEF_DEFAULT_CLUSTER, topic_names[i],
					 (long long)at);
			if (strcmp(id, event_id) == 0)
				return sim->topics[i].records[at];
		}
	}
	return NULL;
}

/* What was read, and how far. */

/* Everything before it is where it belongs. */
static int64_t processed(struct sim_topic *topic)
{
	while (topic->processed < topic->end && topic->records[topic->processed]->done)
		topic->processed++;
	return topic->processed;
}

static void commit_offsets(struct sim *sim)
{
	for (int i = 0; i < TOPIC_COUNT; i++)
		sim->topics[i].committed = processed(&sim->topics[i]);
}

void kafka_crashed(struct sim *sim)
{
	/* What was processed and not committed is read again. */
	for (int i = 0; i < TOPIC_COUNT; i++) {
		struct sim_topic *topic = &sim->topics[i];
		int64_t from = processed(topic);

		if (topic->committed < from && draw(sim, FAULT_READ_AGAIN, 60))
			from = topic->committed;
		topic->processed = topic->committed = from;
		for (int64_t at = from; at < topic->end; at++) {
			topic->records[at]->offered = topic->records[at]->done = false;
			topic->records[at]->again_at = 0;
		}
	}
	sim->ends_at = sim->read_until = sim->tick_at = 0;
}

/* Replies. */

bool kafka_reply_is_current(const struct oracle_saga *saga, const struct sim_record *record)
{
	int run = saga->steps[record->step].run;

	/* What was carried is of the runs before, and of this one while it stands there. */
	if (record->step == saga->def->carried)
		return record->item < saga->steps[record->step].n;
	return record->run == (run > 1 ? run : 1);
}

/*
 * S17: what was acknowledged is in the history, or recorded as late or duplicate. A success is late
 * only when its action is over, whichever attempt it answers.
 */
static void check_recorded(struct sim *sim, const struct sim_record *record)
{
	struct oracle_saga *saga = oracle_saga(&sim->oracle, record->saga_id);
	const struct oracle_action *action;
	bool undo = record->kind == CALL_UNDO;

	/* A run only ends when all of it is over, and what was carried stands while it goes on. */
	if (record->step == saga->def->carried ? !kafka_reply_is_current(saga, record)
										   : continued_is_past(saga, record->step, record->run))
		return;
	action = oracle_action(saga, record->step, record->item);
	if (record->flight_status != 200 || (record->kind != CALL_DO && !undo))
		return;
	if (undo ? action->undone || action->undo_failed || action->undo_skipped || action->resolved
			 : action->completed || action->failed || action->parked || action->skipped)
		return;
	if (!saga->seen[EV_REPLY_IGNORED])
		sim_fail(sim, saga->id, "S17 an acknowledged reply is lost");
	if (!saga->ended && kafka_reply_is_current(saga, record))
		sim_fail(sim, saga->id, "S17 a reply is ignored although its action is not over");
}

static void delivered(struct delivery *delivery)
{
	struct sim_record *record = delivery->ctx;
	struct sim *sim = record->sim;

	if (!sim->world.dying) {
		sim_trace(sim, "reply %lld is given back: %s", (long long)record->offset,
				  delivery->result == 0 ? "ok" : delivery->err.text);
		if (delivery->result == 0) {
			record->done = true;
			check_recorded(sim, record);
		} else if (delivery->result == ERR_NOT_FOUND) {
			sim_fail(sim, record->saga_id, "S9 a reply to a saga that is not stored");
		} else {
			record->offered = false;
			record->again_at = sim->world.now + 100 + rng_below(&sim->rng_kafka, 2000);
			record->to_inbox |= delivery->result == ERR_FENCED;
		}
	}
	delivery_free(delivery);
}

static struct delivery *make_delivery(struct sim *sim, const struct sim_record *record)
{
	struct delivery *delivery = delivery_new(DELIVERY_REPLY);
	struct kafka_record from = as_kafka(record);
	struct kafka_reply reply;
	struct err err;

	if (kafka_reply_read(&from, &reply, &err) < 0)
		sim_fail(sim, record->saga_id, err.text);
	memcpy(delivery->ns, reply.correlation.ns, sizeof(delivery->ns));
	memcpy(delivery->saga_id, reply.correlation.saga_id, sizeof(delivery->saga_id));
	memcpy(delivery->step, reply.correlation.step, sizeof(delivery->step));
	delivery->item = reply.correlation.item;
	delivery->call = reply.correlation.kind;
	delivery->ask = reply.correlation.ask;
	delivery->run = reply.correlation.run;
	delivery->outcome = reply.outcome;
	delivery->code = TAKE(reply.code);
	delivery->message = TAKE(reply.message);
	delivery->type = TAKE(reply.type);
	delivery->value = TAKE(reply.body);
	kafka_reply_release(&reply);
	return delivery;
}

/* For the oracle's books: a probe has spoken. */
static void note_probe(struct sim *sim, const struct sim_record *record)
{
	struct oracle_saga *saga = oracle_saga(&sim->oracle, record->saga_id);
	struct oracle_action *action;
	int status = record->flight_status;

	if (!kafka_reply_is_current(saga, record))
		return;
	action = oracle_action(saga, record->step, record->item);
	if (record->kind != CALL_PROBE_DO || (status != 200 && status != 404 && status != 422))
		return;
	action->probed = true;
	action->probed_at = sim->world.now;
}

static int into_inbox(struct sim *sim, const struct sim_record *record,
					  const struct delivery *delivery, struct err *err)
{
	CLEANUP(buf_release) struct buf message, name;
	struct inbox_row row = {
		.slot = saga_id_slot(delivery->saga_id), .ns = delivery->ns, .at = sim->world.now};
	int r;

	buf_init(&message, 0);
	buf_init(&name, 0);
	delivery_write(delivery, &message);
	buf_printf(&name, "%s/%lld", record->topic, (long long)record->offset);
	hash_uuid5(buf_str(&name), name.len, row.id);
	memcpy(row.saga_id, delivery->saga_id, sizeof(row.saga_id));
	row.message = buf_str(&message);
	row.message_len = message.len;
	r = sim->world.store->ops->inbox_put(sim->world.store, &row, 1, err);
	if (r == ERR_UNKNOWN)
		world_settle(&sim->world);
	return r;
}

static void poke(struct sim *sim)
{
	/* A notification may get lost; then the next poll finds it. */
	if (sim->world.turn && rng_percent(&sim->rng_kafka, 80))
		world_post(&sim->world, POST_POKE, NULL);
}

static void read_reply(struct sim *sim, struct sim_record *record)
{
	struct delivery *delivery = make_delivery(sim, record);
	struct err err;
	int r;

	note_probe(sim, record);
	if (record->to_inbox || rng_percent(&sim->rng_kafka, 15)) {
		r = into_inbox(sim, record, delivery, &err);
		sim_trace(sim, "reply %lld into the inbox: %s", (long long)record->offset,
				  r == 0 ? "ok" : err.text);
		delivery_free(delivery);
		record->done = r == 0;
		record->to_inbox = false;
		record->again_at = r == 0 ? 0 : sim->world.now + 200;
		if (r == 0)
			sim->options.coverage->inboxed++;
		poke(sim);
		return;
	}
	delivery->done = delivered;
	delivery->ctx = record;
	record->offered = true;
	world_post(&sim->world, POST_DELIVERY, delivery);
}

/* Events. */

struct rows {
	struct event_row list[2 * SAGAS_MAX];
	char values[2 * SAGAS_MAX][CORRELATE_VALUE_SIZE];
	size_t n;
};

static void add_row(struct rows *rows, const struct correlate_def *on, const char *topic,
					json_t *event)
{
	struct event_row *row = &rows->list[rows->n];

	for (size_t i = 0; i < rows->n; i++)
		if (strcmp(rows->list[i].channel, on->channel) == 0)
			return;
	if (strcmp(on->topic, topic) != 0 || !correlate_value(on, event, rows->values[rows->n]))
		return;
	CHECK(rows->n < ARRAY_SIZE(rows->list));
	*row = (struct event_row){
		.ns = WORLD_NS, .channel = on->channel, .value = rows->values[rows->n++]};
}

static void add_places(struct rows *rows, const struct action_def *act, const char *topic,
					   json_t *event)
{
	int n = act->kind == ACTION_AWAIT_KAFKA ? 1 : (int)act->await.n_waits;

	for (int i = 0; i < n; i++)
		if (action_subscription(act, i))
			add_row(rows, action_subscription(act, i), topic, event);
}

static void find_channels(const struct sim *sim, const char *topic, json_t *event,
						  struct rows *rows)
{
	for (size_t i = 0; i < sim->world.n_defs; i++) {
		const struct saga_def *def = sim->world.defs[i];

		for (size_t k = 0; k < def->n_cancel_on; k++)
			add_row(rows, &def->cancel_on[k], topic, event);
		for (int k = 0; k < def->n_steps; k++)
			add_places(rows, &def->steps[k].act, topic, event);
	}
}

static void read_event(struct sim *sim, struct sim_record *record)
{
	struct kafka_record from = as_kafka(record);
	CLEANUP(json_decref_p) json_t *event = NULL;
	CLEANUP(free_p) char *text = NULL;
	bool touched[WORLD_SLOTS] = {false};
	struct rows rows = {.n = 0};
	struct err err = {.text = "ok"};
	char id[64];
	int r = 0;

	if (cloudevent_read(&from, &event, &err) < 0)
		sim_fail(sim, "", err.text);
	find_channels(sim, record->topic, event, &rows);
	text = json_text(json_incref(event));
	snprintf(id, sizeof(id), "%s/%s/0/%lld", from.cluster, from.topic, (long long)from.offset);
	for (size_t i = 0; i < rows.n; i++) {
		rows.list[i].id = id;
		rows.list[i].at = sim->world.now;
		rows.list[i].expires_at = record->at + EVENTS_KEPT_MS;
		rows.list[i].event = text;
		rows.list[i].event_len = strlen(text);
	}
	if (rows.n > 0)
		r = sim->world.store->ops->events_put(sim->world.store, rows.list, rows.n, touched, &err);
	if (r == ERR_UNKNOWN)
		world_settle(&sim->world);
	sim_trace(sim, "event %s is stored for %zu channels: %s", id, rows.n, r ? err.text : "ok");
	record->done = r == 0;
	if (record->done && record->stored_at == 0)
		record->stored_at = sim->world.now;
	record->again_at = r == 0 ? 0 : sim->world.now + 200;
	for (int i = 0; i < WORLD_SLOTS; i++)
		if (touched[i]) {
			poke(sim);
			break;
		}
}

/* What can be read now, mostly the oldest. */
static struct sim_record *readable(struct sim *sim, struct sim_topic *topic)
{
	struct sim_record *found = NULL;
	int64_t n = 0;

	for (int64_t at = processed(topic); at < topic->end; at++) {
		struct sim_record *record = topic->records[at];

		if (record->offered || record->done || record->again_at > sim->world.now)
			continue;
		if (!found || rng_below(&sim->rng_kafka, 4 * ++n) == 0)
			found = record;
	}
	return found;
}

/* The outbox. */

/* A page is published, and then removed; between the two the process may die. */
static void relay(struct sim *sim)
{
	int slots[WORLD_SLOTS];
	struct outbox_page page = {.slots = slots, .n_slots = WORLD_SLOTS, .limit = RELAY_PAGE};
	struct published_page taken = {.sim = sim};
	struct err err;
	int r;

	judge_growth(sim);
	for (int i = 0; i < WORLD_SLOTS; i++)
		slots[i] = i;
	if (sim->world.inner->ops->outbox_list(sim->world.truth, &page, published_take, &taken, &err) <
		0)
		sim_fail(sim, "", err.text);
	if (taken.n == 0)
		return;
	sim_trace(sim, "%zu records of the outbox are published", taken.n);
	if (!draw(sim, FAULT_RELAY, 15)) {
		r = sim->world.store->ops->outbox_remove(sim->world.store, taken.rows, taken.n, &err);
		if (r == ERR_UNKNOWN)
			world_settle(&sim->world);
		if (r == 0 || r == ERR_UNKNOWN)
			published_gone(sim, &taken, r == 0);
	}
	for (size_t i = 0; i < taken.n; i++)
		outbox_row_release(&taken.rows[i]);
}

/* The watermark: once all that stood in the topics at a time is read, the engine is told. */

static bool ends_are_read(struct sim *sim)
{
	for (int i = 0; i < TOPIC_COUNT; i++)
		if (processed(&sim->topics[i]) < sim->ends[i])
			return false;
	return true;
}

static void watermark(struct sim *sim)
{
	if (sim->ends_at) {
		sim_trace(sim, "read until %lld", (long long)(sim->ends_at - sim->start));
		world_queues_read(&sim->world, sim->ends_at);
		sim->read_until = sim->ends_at;
		sim->ends_at = 0;
		sim->tick_at = sim->world.now + sim->tick_ms;
		sim->tick_ms = sim->tick_ms < TICK_MAX_MS ? 2 * sim->tick_ms : TICK_MAX_MS;
		return;
	}
	sim->ends_at = sim->world.now;
	for (int i = 0; i < TOPIC_COUNT; i++)
		sim->ends[i] = sim->topics[i].end;
}

static bool watermark_wanted(struct sim *sim)
{
	if (sim->ends_at)
		return ends_are_read(sim);
	return sim->read_until < sim->world.now && sim->tick_at <= sim->world.now;
}

/* What can happen. */

enum kafka_happening { K_PRODUCE, K_REPLY, K_EVENT, K_STOP, K_RELAY, K_WATERMARK, K_KINDS };

static wall_ms first_planned(const struct sim *sim)
{
	wall_ms at = 0;

	for (const struct planned_event *planned = sim->planned; planned; planned = planned->next)
		if (!at || planned->at < at)
			at = planned->at;
	return at;
}

static int enabled(struct sim *sim, enum kafka_happening kinds[K_KINDS],
				   struct sim_record *found[TOPIC_COUNT])
{
	bool up = sim->world.turn && !sim->draining && !sim->world.batch_unknown;
	wall_ms planned = first_planned(sim);
	int n = 0;

	if (planned && planned <= sim->world.now)
		kinds[n++] = K_PRODUCE;
	for (int i = 0; i < TOPIC_COUNT && up; i++) {
		found[i] = readable(sim, &sim->topics[i]);
		if (found[i])
			kinds[n++] = (enum kafka_happening)(K_REPLY + i);
	}
	if (up && sim->outbox_rows > 0)
		kinds[n++] = K_RELAY;
	if (up && watermark_wanted(sim))
		kinds[n++] = K_WATERMARK;
	return n;
}

bool kafka_can(struct sim *sim)
{
	enum kafka_happening kinds[K_KINDS];
	struct sim_record *found[TOPIC_COUNT];

	return enabled(sim, kinds, found) > 0;
}

void kafka_step(struct sim *sim)
{
	enum kafka_happening kinds[K_KINDS];
	struct sim_record *found[TOPIC_COUNT] = {NULL};
	int n = enabled(sim, kinds, found);

	switch (kinds[rng_below(&sim->rng_kafka, n)]) {
	case K_PRODUCE:
		produce(sim);
		break;
	case K_REPLY:
		read_reply(sim, found[TOPIC_REPLIES]);
		break;
	case K_EVENT:
		read_event(sim, found[TOPIC_EVENTS]);
		break;
	case K_STOP:
		read_event(sim, found[TOPIC_STOP]);
		break;
	case K_RELAY:
		relay(sim);
		break;
	case K_WATERMARK:
		watermark(sim);
		break;
	case K_KINDS:
		break;
	}
	if (found[0] || found[1] || found[2])
		kafka_stirred(sim);
	if (rng_percent(&sim->rng_kafka, 15))
		commit_offsets(sim);
}

void kafka_stirred(struct sim *sim)
{
	sim->tick_ms = TICK_FIRST_MS;
}

wall_ms kafka_next_at(const struct sim *sim)
{
	wall_ms at = first_planned(sim);

	if (sim->world.turn && sim->tick_at > sim->world.now && (!at || sim->tick_at < at))
		at = sim->tick_at;
	for (int i = 0; i < TOPIC_COUNT && sim->world.turn; i++) {
		const struct sim_topic *topic = &sim->topics[i];

		for (int64_t k = topic->processed; k < topic->end; k++) {
			wall_ms again = topic->records[k]->again_at;

			if (again > sim->world.now && (!at || again < at))
				at = again;
		}
	}
	return at;
}

bool kafka_is_settled(struct sim *sim)
{
	for (int i = 0; i < TOPIC_COUNT; i++)
		if (processed(&sim->topics[i]) < sim->topics[i].end)
			return false;
	return !sim->planned && sim->outbox_rows == 0;
}

void kafka_release(struct sim *sim)
{
	struct planned_event *planned;

	for (int i = 0; i < TOPIC_COUNT; i++) {
		struct sim_topic *topic = &sim->topics[i];

		for (int64_t at = 0; at < topic->end; at++) {
			struct sim_record *record = topic->records[at];

			for (size_t k = 0; k < record->n_headers; k++)
				free((char *)record->headers[k].value);
			free(record->value);
			free(record);
		}
		free(topic->records);
	}
	while ((planned = sim->planned)) {
		sim->planned = planned->next;
		free(planned);
	}
}
