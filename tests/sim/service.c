/*
 * Participants, and the network before them. A participant honours keys: the first call with a key
 * decides, what it decided is told to all later ones, and its effect happens once. It has no
 * barrier: a call that arrives after its undo takes effect, which is what Skald has to prevent.
 *
 * What the network does: it loses calls and replies, and delays them, but never longer than the
 * design says that a call may take effect: its time-out, and a grace of the time-out again (at
 * least ten seconds).
 */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { JOB_MAX_MS = 8000 };

static bool is_undo(const struct flight *flight)
{
	return flight->copy.command.kind == CALL_UNDO;
}

static bool is_probe(const struct flight *flight)
{
	return flight->copy.command.kind == CALL_PROBE_DO ||
		   flight->copy.command.kind == CALL_PROBE_UNDO;
}

/* What a call is about: its path, or the key of a command's record. */
static const char *thing_of(const struct request *request)
{
	return request->kind == REQUEST_COMMAND ? request->record_key : request->path;
}

/* Those of the examples keep nothing of what they declined. */
static bool is_example(const char *thing)
{
	return thing[0] == '/' && strncmp(thing, "/r/", 3) != 0;
}

/* The id of the thing in a path: the part that looks like a UUID; a key is nothing else. */
static void resource_id(const char *thing, char id[40])
{
	const char *c, *end;

	if (thing[0] != '/') {
		CHECK(strlen(thing) == 36);
		memcpy(id, thing, 37);
		return;
	}
	for (c = thing; *c; c++) {
		if (*c != '/')
			continue;
		end = c + 1 + strcspn(c + 1, "/?");
		if (end - c - 1 == 36) {
			memcpy(id, c + 1, 36);
			id[36] = '\0';
			return;
		}
	}
	CHECK(false);
}

struct resource *service_resource(struct sim *sim, const char *thing)
{
	struct resource *resource;
	char id[40];

	resource_id(thing, id);
	for (resource = sim->resources; resource; resource = resource->next)
		if (strcmp(resource->id, id) == 0)
			return resource;
	resource = xcalloc(1, sizeof(*resource));
	memcpy(resource->id, id, sizeof(id));
	resource->next = sim->resources;
	sim->resources = resource;
	return resource;
}

static struct entry *find_key(struct sim *sim, const char *key)
{
	struct entry *entry;

	for (entry = sim->entries; entry; entry = entry->next)
		if (strcmp(entry->key, key) == 0)
			return entry;
	return NULL;
}

static struct entry *find_thing(struct sim *sim, const char *thing, bool undo)
{
	char id[40], other[40];
	struct entry *entry;

	resource_id(thing, id);
	for (entry = sim->entries; entry; entry = entry->next) {
		resource_id(entry->thing, other);
		if (entry->is_undo == undo && strcmp(id, other) == 0)
			return entry;
	}
	return NULL;
}

/* The effect of a key happens, once. */
static void apply(struct sim *sim, struct entry *entry)
{
	struct resource *resource = service_resource(sim, entry->thing);

	if (entry->applied || entry->status != 200)
		return;
	entry->applied = true;
	if (entry->is_undo) {
		resource->standing = false;
		return;
	}
	resource->effects++;
	resource->standing = true;
	sim_trace(sim, "  effect of %s", entry->key);
	if (resource->undone_at && !resource->by_hand)
		sim_fail(sim, resource->saga_id, "S14 it takes effect after its undo");
}

void service_tick(struct sim *sim)
{
	struct entry *entry;

	for (entry = sim->entries; entry; entry = entry->next)
		if (entry->done_at <= sim->world.now)
			apply(sim, entry);
}

bool service_is_under_way(struct sim *sim, const struct resource *resource)
{
	const struct flight *flight;
	const struct entry *entry;
	char id[40];

	for (flight = sim->flights; flight; flight = flight->next) {
		resource_id(thing_of(flight->copy.command.request), id);
		if (flight->arrive_at && flight->copy.command.kind == CALL_DO &&
			strcmp(id, resource->id) == 0)
			return true;
	}
	if (worker_may_make(sim, resource))
		return true;
	for (entry = sim->entries; entry; entry = entry->next) {
		resource_id(entry->thing, id);
		if (!entry->is_undo && entry->done_at > sim->world.now && strcmp(id, resource->id) == 0)
			return true;
	}
	return false;
}

static struct entry *entry_new(struct sim *sim, const struct flight *flight)
{
	struct entry *entry = xcalloc(1, sizeof(*entry));

	entry->key = xstrdup(flight->copy.command.request->key);
	entry->thing = xstrdup(thing_of(flight->copy.command.request));
	entry->is_undo = is_undo(flight);
	entry->done_at = sim->world.now;
	entry->status = 200;
	entry->n = (int)rng_below(&sim->rng_service, 3);
	entry->next = sim->entries;
	sim->entries = entry;
	return entry;
}

void service_leased(struct sim *sim, const char *saga_id, int step, int item, const char *thing)
{
	struct resource *resource = thing ? service_resource(sim, thing) : NULL;
	struct oracle_saga *saga = oracle_saga(&sim->oracle, saga_id);

	if (!resource)
		return;
	memcpy(resource->saga_id, saga_id, sizeof(resource->saga_id));
	resource->step = step;
	resource->item = item;
	/* A person has said what became of it in the commit of the lease, before the worker had it. */
	resource->by_hand |= saga && oracle_action(saga, step, item)->by_person &&
						 !oracle_action(saga, step, item)->leased;
}

void service_work(struct sim *sim, const char *key, const char *thing, bool undo)
{
	struct entry *entry = find_key(sim, key);
	struct resource *resource = thing ? service_resource(sim, thing) : NULL;

	if (!resource)
		return;
	if (!entry) {
		entry = xcalloc(1, sizeof(*entry));
		entry->key = xstrdup(key);
		entry->thing = xstrdup(thing);
		entry->is_undo = undo;
		entry->done_at = sim->world.now;
		entry->status = 200;
		entry->next = sim->entries;
		sim->entries = entry;
	}
	apply(sim, entry);
	if (!undo || resource->undone_at)
		return;
	resource->undone_at = sim->world.now;
	resource->undo_order = ++sim->undo_order;
}

static bool draw(struct sim *sim, enum sim_fault fault, int percent)
{
	return sim_fault(sim, fault, rng_percent(&sim->rng_service, percent));
}

static void answer(struct flight *flight, int status, json_t *body)
{
	flight->result = CALL_ANSWERED;
	flight->status = status;
	json_decref(flight->body);
	flight->body = body;
}

/* What is told of a key that has been decided. */
static void answer_entry(struct sim *sim, struct flight *flight, struct entry *entry)
{
	char id[16];

	if (entry->done_at > sim->world.now) {
		if (entry->is_job)
			answer(flight, 202, json_pack("{s:s}", "state", "busy"));
		else
			answer(flight, 409, json_pack("{s:s}", "code", "in_progress"));
	} else if (entry->status != 200) {
		answer(flight, entry->status, json_pack("{s:s}", "code", entry->code));
		if (!entry->told_at)
			entry->told_at = sim->world.now;
	} else {
		snprintf(id, sizeof(id), "x-%d", entry->n);
		answer(flight, 200, json_pack("{s:s, s:s, s:i}", "id", id, "tracking", "t", "n", entry->n));
	}
}

/* The undo of something is answered: from now on it may not be made any more. */
static void note_undone(struct sim *sim, const struct flight *flight)
{
	struct resource *resource = service_resource(sim, thing_of(flight->copy.command.request));

	/* Also when its probe says so: a repeated call may arrive much later. */
	if ((!is_undo(flight) && flight->copy.command.kind != CALL_PROBE_UNDO) || resource->undone_at)
		return;
	resource->undone_at = sim->world.now;
	resource->undo_order = ++sim->undo_order;
}

/* The first call with this key. */
static void decide(struct sim *sim, struct flight *flight)
{
	static const char *const codes[] = {"soft", "soft", "hard", "corrupt"};
	static const int errors[] = {500, 503, 429, 502};
	const char *code = RNG_PICK(&sim->rng_service, codes);
	int64_t works = 1 + rng_below(&sim->rng_service, JOB_MAX_MS);
	int error = RNG_PICK(&sim->rng_service, errors);
	/* What arrives late has no time left. */
	bool in_time = flight->is_command ? !flight->late : flight->call != NULL;
	struct entry *entry;

	if (draw(sim, FAULT_ERROR_BEFORE, 15)) {
		answer(flight, error, json_pack("{s:s}", "code", code));
		if (error == 429)
			flight->retry_after_ms = rng_below(&sim->rng_service, 4000);
		return;
	}
	entry = entry_new(sim, flight);
	entry->code = code;
	if (draw(sim, is_undo(flight) ? FAULT_UNDO_DECLINED : FAULT_DECLINE,
			 is_undo(flight) ? 3 : 10)) {
		entry->status = 422;
	} else if (in_time && draw(sim, FAULT_ONGOING, 10)) {
		entry->is_job = true;
		entry->done_at += works;
		/* The examples' probes have no word for a failure. */
		if (!is_undo(flight) && !is_example(entry->thing) && draw(sim, FAULT_JOB_FAILS, 20))
			entry->status = 422;
	} else if (in_time && !is_undo(flight) && draw(sim, FAULT_SLOW, 8)) {
		entry->done_at += works;
		/* The caller who began it hears of its end. */
		answer(flight, 200, json_pack("{s:s, s:i}", "id", "slow", "n", entry->n));
		flight->reply_at = entry->done_at;
		return;
	}
	if (entry->done_at <= sim->world.now)
		apply(sim, entry);
	answer_entry(sim, flight, entry);
	if (entry->status == 200 && !entry->is_job && draw(sim, FAULT_ERROR_AFTER, 8))
		answer(flight, 500, json_pack("{s:s}", "code", code));
	else if (entry->status == 200 && draw(sim, FAULT_GARBAGE, 5))
		answer(flight, entry->is_job ? 202 : 200, json_string("<html>"));
}

static void serve_probe(struct sim *sim, struct flight *flight)
{
	bool of_undo = flight->copy.command.kind == CALL_PROBE_UNDO;
	struct entry *entry = find_thing(sim, thing_of(flight->copy.command.request), of_undo);
	bool forgets = of_undo || (entry && is_example(entry->thing));

	if (draw(sim, FAULT_PROBE_FAILS, 20))
		answer(flight, 503, NULL);
	/* The examples' participants keep nothing of what they declined, nor does an undo. */
	else if (!entry || (entry->status != 200 && entry->done_at <= sim->world.now && forgets))
		answer(flight, 404, json_pack("{s:s}", "code", "absent"));
	else if (entry->done_at > sim->world.now)
		answer(flight, 202, json_pack("{s:s}", "state", "busy"));
	else
		answer_entry(sim, flight, entry);
}

/* When the faults have stopped, somebody has seen to what was declined; who was told of it then is
 * not told otherwise, unless it asks again. */
static void see_to(struct sim *sim, const struct flight *flight, struct entry *entry)
{
	bool asks_again = flight->is_command
						  ? entry->told_at && flight->copy.sent_at > entry->told_at && !flight->late
						  : flight->call != NULL;

	if (!sim->faults_on && asks_again && entry->done_at <= sim->world.now)
		entry->status = 200;
}

/* Who is told that something is late makes nothing of it, and may be told twice. */
static bool is_told(const struct flight *flight)
{
	const char *thing = thing_of(flight->copy.command.request);

	return thing && strncmp(thing, "/late/", 6) == 0;
}

static void serve_told(struct sim *sim, struct flight *flight)
{
	if (draw(sim, FAULT_ERROR_BEFORE, 20))
		answer(flight, 503, NULL);
	else if (draw(sim, FAULT_DECLINE, 15))
		answer(flight, 422, json_pack("{s:s}", "code", "soft"));
	else
		answer(flight, 200, json_object());
}

static void arrive(struct sim *sim, struct flight *flight)
{
	const struct request *request = flight->copy.command.request;
	struct entry *entry = find_key(sim, request->key);

	flight->arrive_at = 0;
	flight->reply_at = sim->world.now;
	if (is_told(flight)) {
		serve_told(sim, flight);
	} else if (is_probe(flight)) {
		serve_probe(sim, flight);
	} else if (!entry) {
		decide(sim, flight);
	} else {
		see_to(sim, flight, entry);
		if (entry->done_at <= sim->world.now)
			apply(sim, entry);
		answer_entry(sim, flight, entry);
	}
	if (flight->status == 200)
		note_undone(sim, flight);
	sim_trace(sim, "  at %s: %s %s -> %d", request->to,
			  flight->is_command ? request->type : request->method, request->key, flight->status);
	if (!flight->is_command && draw(sim, FAULT_TOO_LARGE, 2))
		flight->result = CALL_TOO_LARGE;
	flight->reply_at += rng_below(&sim->rng_service, 100);
}

/* The network. */

static wall_ms latest_arrival(struct sim *sim, const struct world_call *call)
{
	const struct oracle_saga *saga = oracle_saga(&sim->oracle, call->saga_id);
	const struct step_def *step = &saga->def->steps[call->command.step];
	int64_t full_ms =
		call->command.kind == CALL_UNDO ? step->undo.timeout.ms : step->act.timeout.ms;

	return call->sent_at + call->command.timeout_ms + (full_ms < 10000 ? 10000 : full_ms) - 1;
}

/*
 * A command's time-out runs from the decision, which may lie before it was sent; only that of a
 * first attempt can be told here. Who was asked late has the grace alone.
 */
static wall_ms latest_command(struct sim *sim, const struct world_call *call)
{
	const struct oracle_saga *saga = oracle_saga(&sim->oracle, call->saga_id);
	const struct step_def *step = &saga->def->steps[call->command.step];
	const struct action_state *action =
		saga_state_action(saga->fold, call->command.step, call->command.item);
	bool undo = call->command.kind == CALL_UNDO;
	int64_t full_ms = undo ? step->undo.timeout.ms : step->act.timeout.ms;
	wall_ms due_at = undo ? action->undo.due_at : action->run.due_at;

	if (call->command.attempt > 1 || due_at < call->sent_at)
		due_at = call->sent_at;
	return due_at + (full_ms < 10000 ? 10000 : full_ms) - 1;
}

static struct flight *flight_new(struct sim *sim, struct world_call *call)
{
	struct flight *flight = xcalloc(1, sizeof(*flight));
	const char *thing = thing_of(call->command.request);
	struct resource *resource = service_resource(sim, thing);

	flight->call = call;
	flight->copy = *call;
	request_ref(flight->copy.command.request);
	flight->life = sim->life;
	flight->run = oracle_saga(&sim->oracle, call->saga_id)->steps[call->command.step].run;
	flight->retry_after_ms = -1;
	flight->arrive_at = call->sent_at + rng_below(&sim->rng_service, 40);
	flight->next = sim->flights;
	sim->flights = flight;
	memcpy(resource->saga_id, call->saga_id, sizeof(resource->saga_id));
	resource->step = call->command.step;
	resource->item = call->command.item;
	sim_trace(sim, "sent %s %s %s attempt %lld timeout %lld",
			  call->command.request->method ? call->command.request->method
											: call->command.request->type,
			  thing, call->command.request->key, (long long)call->command.attempt,
			  (long long)call->command.timeout_ms);
	return flight;
}

/* Handed to the producer. What it says of it and what becomes of it need not agree. */
static void command_sent(struct sim *sim, struct world_call *call)
{
	int64_t late = latest_command(sim, call) - call->sent_at;
	struct flight *flight = flight_new(sim, call);

	flight->is_command = true;
	kafka_check_command(sim, flight);
	flight->publish_at = call->sent_at + rng_below(&sim->rng_service, 30);
	flight->published = CALL_PUBLISHED;
	if (draw(sim, FAULT_NOT_CONNECTED, 6)) {
		flight->published = CALL_NOT_CONNECTED;
		flight->arrive_at = 0;
		return;
	}
	late = rng_below(&sim->rng_service, late);
	if (draw(sim, FAULT_LATE_ARRIVAL, 8)) {
		flight->arrive_at = call->sent_at + late;
		flight->late = true;
	}
	if (draw(sim, FAULT_PUBLISH_UNKNOWN, 5)) {
		flight->published = CALL_BROKEN;
		if (rng_percent(&sim->rng_service, 50))
			flight->arrive_at = 0; /* it was not */
	}
	flight->lose = draw(sim, FAULT_REPLY_LOST, 8);
}

void service_sent(struct sim *sim, struct world_call *call)
{
	struct flight *flight;
	int64_t late;

	if (call->command.request->kind == REQUEST_COMMAND) {
		command_sent(sim, call);
		return;
	}
	late = latest_arrival(sim, call) - call->sent_at;
	flight = flight_new(sim, call);
	flight->timeout_at = call->sent_at + call->command.timeout_ms;
	late = rng_below(&sim->rng_service, late);
	if (draw(sim, FAULT_NOT_CONNECTED, 6)) {
		flight->result = CALL_NOT_CONNECTED;
		flight->reply_at = flight->arrive_at;
		flight->arrive_at = 0;
		return;
	}
	if (draw(sim, FAULT_LATE_ARRIVAL, 8))
		flight->arrive_at = call->sent_at + late;
	flight->lose = draw(sim, FAULT_REPLY_LOST, 8);
}

static wall_ms command_next_at(const struct flight *flight)
{
	const wall_ms times[] = {flight->arrive_at, flight->publish_at, flight->reply_at,
							 flight->echo_at};
	wall_ms at = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(times); i++)
		if (times[i] && (!at || times[i] < at))
			at = times[i];
	return at;
}

wall_ms flight_next_at(const struct flight *flight)
{
	wall_ms at = flight->arrive_at;

	if (flight->is_command)
		return command_next_at(flight);
	if (flight->call && flight->reply_at && (!at || flight->reply_at < at))
		at = flight->reply_at;
	if (flight->call && (!at || flight->timeout_at < at))
		at = flight->timeout_at;
	if (flight->echo_at && (!at || flight->echo_at < at))
		at = flight->echo_at;
	return at;
}

static bool is_unknown(const struct flight *flight, const struct oracle_action *action)
{
	if (flight->result == CALL_ANSWERED)
		return flight->status >= 500 || flight->status == 408 || flight->status == 425 ||
			   flight->status == 429 || (flight->status == 409 && action->maybe_sent);
	return flight->result != CALL_NOT_CONNECTED;
}

/* What the caller is told, for the oracle's books. */
static void tell_oracle(struct sim *sim, const struct flight *flight)
{
	struct oracle_saga *saga = oracle_saga(&sim->oracle, flight->copy.saga_id);
	struct oracle_action *action;
	bool unknown;

	if (continued_is_past(saga, flight->copy.command.step, flight->run))
		return;
	action = oracle_action(saga, flight->copy.command.step, flight->copy.command.item);
	unknown = is_unknown(flight, action);
	if (flight->copy.command.kind == CALL_PROBE_DO && flight->result == CALL_ANSWERED &&
		flight->status < 500 && flight->status != 202) {
		action->probed = true;
		action->probed_at = sim->world.now;
	}
	if (flight->copy.command.kind != CALL_DO)
		return;
	if (unknown || (flight->result == CALL_ANSWERED && flight->status == 202)) {
		action->maybe_sent = true;
		/* What the probe said holds for what was sent before. */
		if (flight->copy.sent_at > action->probed_at)
			action->probed = false;
	}
}

static void end_call(struct sim *sim, struct flight *flight)
{
	struct world_call *call = TAKE(flight->call);

	sim_trace(sim, "reply to %s %s attempt %lld: %s %d", call->command.request->method,
			  call->command.request->key, (long long)call->command.attempt,
			  flight->result == CALL_ANSWERED        ? "status"
			  : flight->result == CALL_NOT_CONNECTED ? "not connected"
			  : flight->result == CALL_BROKEN        ? "broken"
			  : flight->result == CALL_TIMED_OUT     ? "timed out"
													 : "too large",
			  flight->status);
	tell_oracle(sim, flight);
	world_call_end(&sim->world, call, flight->result, flight->status,
				   flight->body ? json_incref(flight->body) : NULL, flight->retry_after_ms);
}

/* The same reply again, or one that comes after the time-out. */
static void plan_echo(struct sim *sim, struct flight *flight)
{
	if (!is_probe(flight) && flight->result == CALL_ANSWERED && draw(sim, FAULT_ECHO, 10))
		flight->echo_at = sim->world.now + rng_below(&sim->rng_service, 20000);
}

static void echo(struct sim *sim, struct flight *flight)
{
	flight->echo_at = 0;
	if (flight->life != sim->life || !sim->world.turn)
		return; /* a reply finds only the process that asked */
	sim_trace(sim, "echo of %s: %d", flight->copy.command.request->key, flight->status);
	world_call_echo(&sim->world, &flight->copy, CALL_ANSWERED, flight->status,
					flight->body ? json_incref(flight->body) : NULL);
}

static void time_out(struct sim *sim, struct flight *flight)
{
	struct flight unheard = *flight;

	unheard.result = CALL_TIMED_OUT;
	unheard.status = 0;
	unheard.body = NULL;
	unheard.retry_after_ms = -1;
	end_call(sim, &unheard);
	flight->call = NULL;
}

static void flight_free(struct sim *sim, struct flight *flight)
{
	struct flight **link = &sim->flights;

	while (*link != flight)
		link = &(*link)->next;
	*link = flight->next;
	request_unref(flight->copy.command.request);
	json_decref(flight->body);
	free(flight);
}

/* The reply is there, or the connection breaks in its place. */
static void come_back(struct sim *sim, struct flight *flight)
{
	flight->reply_at = 0;
	if (flight->lose && rng_percent(&sim->rng_service, 50))
		return; /* nothing comes: it will time out */
	if (flight->lose) {
		flight->result = CALL_BROKEN;
		flight->status = 0;
	}
	end_call(sim, flight);
	plan_echo(sim, flight);
}

/* The producer says what became of it, to the process that asked if it still lives. */
static void publish(struct sim *sim, struct flight *flight)
{
	struct world_call *call = TAKE(flight->call);

	flight->publish_at = 0;
	if (!call)
		return;
	sim_trace(sim, "%s attempt %lld is %s", call->command.request->key,
			  (long long)call->command.attempt,
			  flight->published == CALL_PUBLISHED       ? "published"
			  : flight->published == CALL_NOT_CONNECTED ? "not published"
														: "perhaps published");
	oracle_published(&sim->oracle, call, flight->published);
	world_call_end(&sim->world, call, flight->published, 0, NULL, -1);
}

/* The participant writes its reply. Nobody has to be there to hear it. */
static void command_replies(struct sim *sim, struct flight *flight)
{
	bool again = flight->reply_at == 0;

	flight->reply_at = flight->echo_at = 0;
	if (flight->lose)
		return;
	kafka_reply(sim, flight);
	if (!again && draw(sim, FAULT_ECHO, 10))
		flight->echo_at = sim->world.now + 1 + rng_below(&sim->rng_service, 20000);
}

static void command_step(struct sim *sim, struct flight *flight)
{
	wall_ms now = sim->world.now;

	if (flight->publish_at && flight->publish_at <= now) {
		publish(sim, flight);
	} else if (flight->arrive_at && flight->arrive_at <= now) {
		arrive(sim, flight);
		if (draw(sim, FAULT_REPLY_LATE, 6))
			flight->reply_at += rng_below(&sim->rng_service, 600000);
	} else if ((flight->reply_at && flight->reply_at <= now) ||
			   (flight->echo_at && flight->echo_at <= now)) {
		command_replies(sim, flight);
	}
	if (!flight->call && command_next_at(flight) == 0)
		flight_free(sim, flight);
}

void flight_step(struct sim *sim, struct flight *flight)
{
	wall_ms now = sim->world.now;

	kafka_stirred(sim);
	if (flight->is_command) {
		command_step(sim, flight);
		return;
	}
	if (flight->arrive_at && flight->arrive_at <= now) {
		arrive(sim, flight);
		if (!flight->call)
			plan_echo(sim, flight);
	} else if (flight->call && flight->reply_at && flight->reply_at <= now) {
		come_back(sim, flight);
	} else if (flight->call && flight->timeout_at <= now) {
		time_out(sim, flight);
	} else if (flight->echo_at && flight->echo_at <= now) {
		echo(sim, flight);
	}
	if (!flight->call && !flight->arrive_at && !flight->echo_at)
		flight_free(sim, flight);
}

/* The callers are gone; what is under way still arrives. */
void service_crashed(struct sim *sim)
{
	struct flight *flight, *next;

	for (flight = sim->flights; flight; flight = next) {
		next = flight->next;
		if (flight->call)
			world_call_free(&sim->world, TAKE(flight->call));
		if (flight->is_command) {
			/* What the producer still had may be gone with it. */
			if (flight->publish_at && rng_percent(&sim->rng_service, 50))
				flight->arrive_at = 0;
			flight->publish_at = 0;
		}
		if (flight->is_command ? command_next_at(flight) == 0
							   : !flight->arrive_at && !flight->echo_at)
			flight_free(sim, flight);
	}
}

void service_release(struct sim *sim)
{
	struct resource *resource;
	struct entry *entry;

	while (sim->flights)
		flight_free(sim, sim->flights);
	while ((entry = sim->entries)) {
		sim->entries = entry->next;
		free(entry->key);
		free(entry->thing);
		free(entry);
	}
	while ((resource = sim->resources)) {
		sim->resources = resource->next;
		free(resource);
	}
}
