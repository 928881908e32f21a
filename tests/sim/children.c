/*
 * Who starts children, as coordinator/child_start.c does: a request becomes a start, the engine
 * takes it, and the parent is told. Starts get lost before and behind the engine, come twice, and
 * outlive the process that wanted them. What parents and children tell each other goes through the
 * inbox; here some of it is read late, out of order, and twice.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/child_request.h"
#include "sagas/id.h"
#include "tests/sim/sim.h"

enum { LATE_MS = 90000 };

/* A start on its way, and then its answer. */
struct sim_start {
	struct sim_start *next;
	struct world_call *call; /* NULL: nobody waits for the answer any more */
	struct request *request;
	wall_ms at;  /* of what happens next; 0: the engine has it */
	bool is_out; /* the engine has it */
	enum call_result result;
	json_t *answer;
	char parent[SAGA_ID_SIZE]; /* for the trace */
};

static bool draw(struct sim *sim, enum sim_fault fault, int percent)
{
	return sim_fault(sim, fault, rng_percent(&sim->rng_children, percent));
}

static struct sim_start *start_new(struct sim *sim, const struct world_call *call)
{
	struct sim_start *start = xcalloc(1, sizeof(*start));

	start->request = request_ref(call->command.request);
	memcpy(start->parent, call->saga_id, sizeof(start->parent));
	start->at = sim->world.now + rng_below(&sim->rng_children, 60);
	start->next = sim->starts;
	sim->starts = start;
	return start;
}

static void start_free(struct sim *sim, struct sim_start *start)
{
	struct sim_start **link = &sim->starts;

	while (*link != start)
		link = &(*link)->next;
	*link = start->next;
	request_unref(start->request);
	json_decref(start->answer);
	free(start);
}

bool children_are_sent(const struct world_call *call)
{
	return call->command.request->kind == REQUEST_CHILD;
}

void children_sent(struct sim *sim, struct world_call *call)
{
	struct sim_start *start = start_new(sim, call);

	start->call = call;
	sim_trace(sim, "to be started for %s: %s key %s%s", start->parent + 24, start->request->to,
			  start->request->key, start->request->hold ? ", held" : "");
	if (draw(sim, FAULT_CHILD_LATE, 8))
		start->at += rng_below(&sim->rng_children, LATE_MS);
	/* The same once more, from a process that is gone or a network that repeats itself. */
	if (draw(sim, FAULT_CHILD_TWICE, 6))
		start_new(sim, call)->at += rng_below(&sim->rng_children, LATE_MS);
}

static void answer(struct sim *sim, struct sim_start *start, enum call_result result, json_t *json)
{
	start->result = result;
	start->answer = json;
	start->at = sim->world.now + rng_below(&sim->rng_children, 60);
	start->is_out = false;
	if (result == CALL_ANSWERED && draw(sim, FAULT_CHILD_LOST, 8)) {
		start->result = CALL_BROKEN;
		json_decref(TAKE(start->answer));
	}
}

/* What is deployed under the name now, or a block of what the parent was compiled with. */
static struct saga_def *definition_of(const struct sim *sim, const struct request *request)
{
	struct saga_def *found = NULL, *def;
	size_t i;

	for (i = 0; i < sim->world.n_defs; i++) {
		def = saga_def_find_block(sim->world.defs[i], request->to);
		if (def && (request->version == 0 || sim->world.defs[i]->version == request->version))
			found = def;
	}
	return found;
}

static void carry_out(struct sim *sim, struct sim_start *start)
{
	const struct request *request = start->request;
	struct saga_def *def = definition_of(sim, request);
	struct child_request child;
	struct engine_call *call;
	struct err err;
	int r;

	CHECK(def);
	if (draw(sim, FAULT_NOT_CONNECTED, 6)) {
		answer(sim, start, CALL_NOT_CONNECTED, NULL);
		return;
	}
	r = child_request_make(request, def, &child, &err);
	if (r < 0) {
		const char *code = child_request_refusal(r);

		answer(sim, start, code ? CALL_ANSWERED : CALL_NOT_CONNECTED,
			   code ? child_refused_answer(code, err.text) : NULL);
		return;
	}
	call = world_start_call(&sim->world, def, child.key, TAKE(child.input),
							rng_next(&sim->rng_children));
	memcpy(call->fingerprint, child.fingerprint, sizeof(call->fingerprint));
	child_request_release(&child);
	call->parent = xstrdup(request->correlation);
	call->depth = request->depth;
	call->hold = request->hold;
	call->ctx = start;
	memcpy(sim->kids[sim->n_kids++ % KIDS_KEPT], call->id, sizeof(call->id));
	start->is_out = true;
	start->at = 0;
	sim_trace(sim, "child %s of %s is started: %s", call->id + 24, start->parent + 24, def->name);
	world_post(&sim->world, POST_CALL, call);
}

static void conclude(struct sim *sim, struct sim_start *start)
{
	struct world_call *call = TAKE(start->call);
	json_t *json = TAKE(start->answer);

	if (call && start->result == CALL_ANSWERED && draw(sim, FAULT_ECHO, 5))
		world_call_echo(&sim->world, call, start->result, 200, json_incref(json));
	if (call)
		world_call_end(&sim->world, call, start->result, start->result == CALL_ANSWERED ? 200 : 0,
					   TAKE(json), -1);
	json_decref(json);
	start_free(sim, start);
}

static struct sim_start *due(struct sim *sim)
{
	struct sim_start *start;

	for (start = sim->starts; start; start = start->next)
		if (start->at && start->at <= sim->world.now)
			return start;
	return NULL;
}

wall_ms children_next_at(const struct sim *sim)
{
	const struct sim_start *start;
	wall_ms at = 0;

	for (start = sim->starts; start && sim->world.turn; start = start->next)
		if (start->at && (!at || start->at < at))
			at = start->at;
	return at;
}

void children_step(struct sim *sim)
{
	struct sim_start *start = due(sim);

	if (start->answer || start->result != CALL_ANSWERED)
		conclude(sim, start);
	else
		carry_out(sim, start);
}

bool children_own(const struct sim *sim, const struct engine_call *call)
{
	const struct sim_start *start;

	for (start = sim->starts; start; start = start->next)
		if (start == call->ctx)
			return true;
	return false;
}

void children_answered(struct sim *sim, struct engine_call *call, bool lost)
{
	struct sim_start *start = call->ctx;
	bool refused = call->result == ERR_INVALID || call->result == ERR_NOT_BUILT ||
				   (call->result == ERR_LIMIT && !call->err.retriable);

	sim_trace(sim, "the start of %s for %s is answered: %s%s%s", call->id + 24, start->parent + 24,
			  lost                ? "nothing"
			  : call->result == 0 ? "ok"
								  : call->err.text,
			  call->duplicate ? ", a duplicate of " : "",
			  call->duplicate ? call->existing_id + 24 : "");
	if (lost || (call->result < 0 && !refused))
		answer(sim, start, CALL_BROKEN, NULL);
	else if (refused)
		answer(sim, start, CALL_ANSWERED, child_refused_answer("child_refused", call->err.text));
	else if (call->duplicate && strcmp(call->existing_fingerprint, call->fingerprint) != 0)
		answer(sim, start, CALL_ANSWERED, child_refused_answer("key_taken", "another has it"));
	else
		answer(sim, start, CALL_ANSWERED,
			   child_started_answer(call->duplicate ? call->existing_id : call->id));
	engine_call_free(call);
}

/* Starts that are with another node outlive this one. */
void children_crashed(struct sim *sim)
{
	struct sim_start *start, *next;

	for (start = sim->starts; start; start = next) {
		next = start->next;
		if (start->call)
			world_call_free(&sim->world, TAKE(start->call));
		if (start->answer || start->result != CALL_ANSWERED || !draw(sim, FAULT_CHILD_LATE, 20))
			start_free(sim, start);
		else
			start->at = sim->world.now + rng_below(&sim->rng_children, LATE_MS);
	}
}

void children_release(struct sim *sim)
{
	while (sim->starts)
		start_free(sim, sim->starts);
}

/* Looks for what was begun; a start of unknown outcome may have brought it. */
void children_look(struct sim *sim)
{
	int i;

	for (i = 0; i < KIDS_KEPT; i++)
		if (sim->kids[i][0] && oracle_saga(&sim->oracle, sim->kids[i]))
			sim->kids[i][0] = '\0';
}

/* ---- what they tell each other ---- */

static void tell_again(struct sim *sim, const struct delivery *delivery)
{
	struct inbox_row row = {
		.slot = saga_id_slot(delivery->saga_id), .ns = WORLD_NS, .at = sim->world.now};
	CLEANUP(buf_release) struct buf message;
	char name[32];
	struct err err;

	buf_init(&message, 0);
	delivery_write(delivery, &message);
	snprintf(name, sizeof(name), "again/%llu", (unsigned long long)sim->happenings);
	hash_uuid5(name, strlen(name), row.id);
	memcpy(row.saga_id, delivery->saga_id, sizeof(row.saga_id));
	row.message = buf_str(&message);
	row.message_len = message.len;
	if (sim->world.inner->ops->inbox_put(sim->world.inner, &row, 1, &err) < 0)
		sim_fail(sim, delivery->saga_id, err.text);
}

/* A page was read as it was before some of it was committed; what is not in it comes with the next
 * reading. */
void children_read(struct sim *sim, struct inbox_read *read)
{
	struct mail **link = &read->deliveries;

	while (*link) {
		struct delivery *delivery = CONTAINER_OF(*link, struct delivery, mail);

		if (delivery->kind != DELIVERY_CHILD) {
			link = &(*link)->next;
			continue;
		}
		sim_trace(sim, "  told %s: %s", delivery->saga_id + 24, delivery->step);
		if (draw(sim, FAULT_TELL_TWICE, 5))
			tell_again(sim, delivery);
		if (draw(sim, FAULT_TELL_LATE, 8)) {
			*link = delivery->mail.next;
			delivery_free(delivery);
			continue;
		}
		link = &(*link)->next;
	}
}
