/* The scheduler: what could happen next, and which of it does. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"
#include "tests/sim/sim.h"

enum {
	HAPPENINGS_MAX = 1000000,
	FAULTS_FOR = 1500,              /* happenings; then all is well */
	FAULTS_FOR_MS = 10 * 60 * 1000, /* … or so much simulated time */
	SETTLE_WITHIN_MS =
		20 * 24 * 3600 * 1000, /* L1: waits of a day, which a person may have tried again */
};
#define EPOCH INT64_C(1767225600000)

const char *const sim_fault_names[] = {
#define X(name, text) text,
	SIM_FAULTS(X)
#undef X
};

/* A failure ends the run at once. */
static _Thread_local jmp_buf failure;

void sim_trace(struct sim *sim, const char *fmt, ...)
{
	char text[512];
	const char *c;
	va_list args;
	int len;

	len = snprintf(text, sizeof(text), "%9lld ", (long long)(sim->world.now - sim->start));
	va_start(args, fmt);
	vsnprintf(text + len, sizeof(text) - (size_t)len, fmt, args);
	va_end(args);
	for (c = text; *c; c++)
		sim->trace_hash = (sim->trace_hash ^ (unsigned char)*c) * 0x100000001b3ULL;
	if (sim->options.trace)
		printf("%s\n", text);
}

void sim_fail(struct sim *sim, const char *saga_id, const char *text)
{
	sim->result->failed = true;
	snprintf(sim->result->text, sizeof(sim->result->text), "%s (saga %s)", text, saga_id);
	longjmp(failure, 1);
}

bool sim_fault(struct sim *sim, enum sim_fault fault, bool happens)
{
	if (!happens || !sim->faults_on || !(sim->options.faults >> fault & 1))
		return false;
	sim->options.coverage->faults[fault]++;
	return true;
}

/* Hooks of the world. */

static void sent(void *ctx, struct world_call *call)
{
	struct sim *sim = ctx;

	oracle_sent(&sim->oracle, call);
	if (children_are_sent(call))
		children_sent(sim, call);
	else
		service_sent(sim, call);
}

static void answered(void *ctx, struct engine_call *call, bool lost)
{
	if (call->act == ENGINE_TASK)
		worker_answered(ctx, call, lost);
	else if (children_own(ctx, call))
		children_answered(ctx, call, lost);
	else if (operator_owns(ctx, call))
		operator_answered(ctx, call, lost);
	else
		client_answered(ctx, call, lost);
}

static void loaded(void *ctx, const char *saga_id)
{
	struct sim *sim = ctx;

	struct oracle_saga *saga = oracle_saga(&sim->oracle, saga_id);

	oracle_owner_lost(&sim->oracle, saga_id);
	if (saga)
		saga->loaded_at = sim->world.now;
	worker_anew(sim, saga_id);
}

static uint64_t engine_random(void *ctx)
{
	return rng_next(&((struct sim *)ctx)->rng_engine);
}

static bool store_is_away(const struct sim *sim)
{
	return sim->world.now >= sim->outage_from && sim->world.now < sim->outage_until;
}

static enum store_fault commit_fault(void *ctx)
{
	static const struct {
		enum sim_fault fault;
		enum store_fault store;
	} faults[] = {
		{FAULT_COMMIT_BEFORE, STORE_FAULT_BEFORE},
		{FAULT_COMMIT_DROPPED, STORE_FAULT_UNKNOWN_DROPPED},
		{FAULT_COMMIT_LANDED, STORE_FAULT_UNKNOWN_LANDED},
		{FAULT_COMMIT_LATE, STORE_FAULT_UNKNOWN_LATE},
	};
	struct sim *sim = ctx;
	bool fails = rng_percent(&sim->rng_store, sim->commit_faults) || store_is_away(sim);
	size_t i = (size_t)rng_below(&sim->rng_store, ARRAY_SIZE(faults));

	return sim_fault(sim, faults[i].fault, fails) ? faults[i].store : STORE_FAULT_NONE;
}

static bool read_fault(void *ctx)
{
	struct sim *sim = ctx;

	bool fails = rng_percent(&sim->rng_store, sim->commit_faults / 2) || store_is_away(sim);

	return sim_fault(sim, FAULT_READ, fails);
}

static void violation(void *ctx, const char *saga_id, const char *text)
{
	sim_fail(ctx, saga_id, text);
}

static void event_seen(void *ctx, struct oracle_saga *saga, const struct event *event)
{
	struct sim *sim = ctx;

	sim->options.coverage->events[event->type]++;
	published_event(sim, saga, event);
	judge_event(sim, saga, event);
	worker_event(sim, saga, event);
	sim_trace(sim, "  stored %s: %s %s[%d] %s", saga->id + 24, event_type_text(event->type),
			  event->step >= 0 ? saga->def->steps[event->step].id : "", event->item,
			  event->code ? event->code : "");
}

/* Happenings. */

enum happening {
	H_TURN,
	H_WRITE,
	H_READ,
	H_FLIGHT,
	H_CLIENT,
	H_BOOT,
	H_KAFKA,
	H_OPERATOR,
	H_WORKER,
	H_CHILD,
	H_KINDS
};

static void crash(struct sim *sim, const char *why)
{
	int64_t down = rng_below(&sim->rng_sched, 4) ? rng_below(&sim->rng_sched, 5000)
												 : rng_below(&sim->rng_sched, 60000);

	if (!turn_recovered(sim->world.turn))
		sim->options.coverage->crashes_in_recovery++;
	if (sim_fault(sim, FAULT_CLOCK, rng_percent(&sim->rng_sched, 15)))
		down += rng_below(&sim->rng_sched, 3 * 3600 * 1000);
	sim->up_at = sim->world.now + down;
	sim_trace(sim, "%s; back in %lld ms", why, (long long)down);
	sim->draining = false;
	/* The commit that is under way may land all the same. */
	if (sim->world.batch && !sim->world.batch_unknown && rng_percent(&sim->rng_sched, 50))
		world_write(&sim->world);
	world_crash(&sim->world);
	service_crashed(sim);
	children_crashed(sim);
	kafka_crashed(sim);
	sim->life++;
	judge_growth(sim);
}

static void maybe_stop(struct sim *sim)
{
	if (!sim->world.turn)
		return;
	if (sim_fault(sim, FAULT_CRASH, rng_below(&sim->rng_sched, 1000) < sim->crash_rate)) {
		crash(sim, "crash");
	} else if (!sim->draining &&
			   sim_fault(sim, FAULT_DRAIN, rng_below(&sim->rng_sched, 2000) < 2)) {
		sim_trace(sim, "drain");
		sim->draining = true;
		turn_drain(sim->world.turn);
		sim->drain_until = sim->world.now + 30000;
	} else if (sim->draining && (sim->world.now >= sim->drain_until || !sim->faults_on ||
								 (turn_is_quiet(sim->world.turn) && sim->world.mailbox.n == 0 &&
								  !sim->world.batch))) {
		crash(sim, "stopped");
	}
}

static void take_turn(struct sim *sim)
{
	struct world *world = &sim->world;
	size_t n =
		rng_percent(&sim->rng_sched, 70) ? world->mailbox.n : (size_t)rng_below(&sim->rng_sched, 4);

	world_turn(world, n);
	oracle_check_memory(&sim->oracle);
	locks_check(sim);
}

static void take_write(struct sim *sim)
{
	world_write(&sim->world);
	judge_growth(sim);
}

static void take_read(struct sim *sim)
{
	struct world_posts *mailbox = &sim->world.mailbox;
	struct world_post post;

	world_read(&sim->world, (size_t)rng_below(&sim->rng_sched, (int64_t)sim->world.reads.n));
	post = mailbox->list[mailbox->n - 1];
	if (post.type == POST_INBOX)
		children_read(sim, post.what);
}

/* The earliest that lies ahead; 0: nothing does. */
static wall_ms next_at(struct sim *sim)
{
	const struct flight *flight;
	wall_ms at = 0, due;
	int i;

	for (flight = sim->flights; flight; flight = flight->next) {
		due = flight_next_at(flight);
		if (due && (!at || due < at))
			at = due;
	}
	for (i = 0; i < sim->n_clients; i++)
		if (sim->clients[i].at && (!at || sim->clients[i].at < at))
			at = sim->clients[i].at;
	due = sim->world.turn ? turn_next_at(sim->world.turn) : sim->up_at;
	if (due && (!at || due < at))
		at = due;
	if (sim->operate_at && (!at || sim->operate_at < at))
		at = sim->operate_at;
	due = worker_next_at(sim);
	if (due && (!at || due < at))
		at = due;
	due = children_next_at(sim);
	if (due && (!at || due < at))
		at = due;
	due = kafka_next_at(sim);
	if (due && (!at || due < at))
		at = due;
	return at;
}

/* One of what is due now, or NULL. */
static struct flight *due_flight(struct sim *sim)
{
	struct flight *flight, *found = NULL;
	int64_t n = 0;

	for (flight = sim->flights; flight; flight = flight->next) {
		wall_ms at = flight_next_at(flight);

		if (at && at <= sim->world.now && rng_below(&sim->rng_sched, ++n) == 0)
			found = flight;
	}
	return found;
}

static struct client *due_client(struct sim *sim)
{
	int i;

	for (i = 0; i < sim->n_clients; i++)
		if (sim->clients[i].at && sim->clients[i].at <= sim->world.now)
			return &sim->clients[i];
	return NULL;
}

static void advance(struct sim *sim)
{
	wall_ms at = next_at(sim);

	if (at > sim->world.now)
		sim->world.now = at;
	service_tick(sim);
}

static int enabled(struct sim *sim, enum happening kinds[H_KINDS], struct flight **ret_flight,
				   struct client **ret_client)
{
	struct world *world = &sim->world;
	int n = 0;

	*ret_flight = due_flight(sim);
	*ret_client = due_client(sim);
	if (world_turn_wanted(world))
		kinds[n++] = H_TURN;
	if (world->turn && (world->batch || world->removal))
		kinds[n++] = H_WRITE;
	if (world->turn && world->reads.n > 0)
		kinds[n++] = H_READ;
	if (*ret_flight)
		kinds[n++] = H_FLIGHT;
	if (*ret_client)
		kinds[n++] = H_CLIENT;
	if (!world->turn && sim->up_at <= world->now)
		kinds[n++] = H_BOOT;
	if (sim->operate_at && sim->operate_at <= world->now)
		kinds[n++] = H_OPERATOR;
	if (kafka_can(sim))
		kinds[n++] = H_KAFKA;
	if (worker_next_at(sim) && worker_next_at(sim) <= world->now)
		kinds[n++] = H_WORKER;
	if (children_next_at(sim) && children_next_at(sim) <= world->now)
		kinds[n++] = H_CHILD;
	return n;
}

static void happen(struct sim *sim)
{
	enum happening kinds[H_KINDS];
	struct flight *flight;
	struct client *client;
	int n = enabled(sim, kinds, &flight, &client);

	sim->happenings++;
	sim->options.coverage->happenings++;
	if (n == 0 || rng_percent(&sim->rng_sched, 4)) {
		advance(sim);
		maybe_stop(sim);
		return;
	}
	switch (kinds[rng_below(&sim->rng_sched, n)]) {
	case H_TURN:
		take_turn(sim);
		break;
	case H_WRITE:
		take_write(sim);
		break;
	case H_READ:
		take_read(sim);
		break;
	case H_FLIGHT:
		flight_step(sim, flight);
		break;
	case H_CLIENT:
		client_act(sim, client);
		break;
	case H_BOOT:
		sim_trace(sim, "boot");
		world_boot(&sim->world);
		judge_growth(sim);
		kafka_stirred(sim);
		break;
	case H_KAFKA:
		kafka_step(sim);
		break;
	case H_WORKER:
		worker_step(sim);
		break;
	case H_CHILD:
		children_step(sim);
		break;
	case H_OPERATOR:
		operator_act(sim);
		break;
	case H_KINDS:
		break;
	}
	maybe_stop(sim);
}

/* A run. */

static void begin(struct sim *sim)
{
	struct world_hooks hooks = {sent,         answered,   loaded, engine_random,
								commit_fault, read_fault, sim};
	uint64_t seed = sim->options.seed;
	int i, n;

	rng_init(&sim->rng_gen, seed, 1);
	rng_init(&sim->rng_client, seed, 2);
	rng_init(&sim->rng_sched, seed, 3);
	rng_init(&sim->rng_service, seed, 4);
	rng_init(&sim->rng_store, seed, 5);
	rng_init(&sim->rng_engine, seed, 6);
	rng_init(&sim->rng_kafka, seed, 7);
	rng_init(&sim->rng_operator, seed, 8);
	rng_init(&sim->rng_worker, seed, 9);
	rng_init(&sim->rng_children, seed, 11);
	sim->expected_last = &sim->expected;
	sim->trace_hash = 0xcbf29ce484222325ULL;
	sim->start = EPOCH;
	sim->commit_faults = (int)rng_below(&sim->rng_store, 4) * 6;
	if (rng_percent(&sim->rng_store, 15)) {
		sim->outage_from = EPOCH + rng_below(&sim->rng_store, 8000);
		sim->outage_until = sim->outage_from + rng_below(&sim->rng_store, 60000);
	}
	sim->crash_rate = (int)rng_below(&sim->rng_sched, 3) * 4;
	sim->faults_on = true;
	world_init(&sim->world, &hooks, EPOCH);
	sim->world.queues = true;
	/* Some engines have little room: then starts are refused, and what sleeps has to wait. */
	sim->world.memory_sagas_max =
		rng_percent(&sim->rng_sched, 25) ? 1 + rng_below(&sim->rng_sched, 3) : 0;
	oracle_init(&sim->oracle, &sim->world);
	sim->oracle.violation = violation;
	sim->oracle.event = event_seen;
	sim->oracle.ctx = sim;
	n = 1 + (int)rng_below(&sim->rng_gen, 3);
	for (i = 0; i < n; i++) {
		CLEANUP(json_decref_p) json_t *doc = gen_definition(&sim->rng_gen, i);

		gen_children(&sim->rng_children, &sim->world, doc);
		world_deploy(&sim->world, doc);
		if (rng_percent(&sim->rng_gen, 25))
			versions_deploy(sim, doc);
	}
	client_init(sim);
	/* In some runs nobody is on call. */
	if (rng_percent(&sim->rng_operator, 80))
		sim->operate_at = EPOCH + rng_below(&sim->rng_operator, 8000);
	kafka_init(sim);
	world_boot(&sim->world);
}

static void finish(struct sim *sim)
{
	wall_ms until = sim->world.now + SETTLE_WITHIN_MS;

	sim->faults_on = false;
	sim_trace(sim, "the faults stop");
	while (!judge_is_settled(sim)) {
		if (sim->happenings > HAPPENINGS_MAX || sim->world.now > until)
			sim_fail(sim, "", "L1 no end although the faults have stopped");
		happen(sim);
	}
}

static void release(struct sim *sim)
{
	service_crashed(sim);
	children_release(sim);
	service_release(sim);
	world_release(&sim->world);
	client_release(sim);
	operator_release(sim);
	kafka_release(sim);
	published_release(sim);
	worker_release(sim);
	oracle_release(&sim->oracle);
	free(sim);
}

static void print_definitions(const struct sim *sim)
{
	size_t i;

	for (i = 0; i < sim->world.n_defs; i++) {
		char *text = json_dumps(sim->world.defs[i]->doc, JSON_INDENT(1));

		printf("definition %s: %s\n", sim->world.defs[i]->name, text);
		free(text);
	}
}

void sim_run(const struct sim_options *options, struct sim_result *result)
{
	struct sim *sim = xcalloc(1, sizeof(*sim));

	*result = (struct sim_result){0};
	sim->options = *options;
	sim->result = result;
	if (setjmp(failure) == 0) {
		begin(sim);
		if (options->trace)
			print_definitions(sim);
		while (sim->happenings < FAULTS_FOR && sim->world.now < EPOCH + FAULTS_FOR_MS)
			happen(sim);
		finish(sim);
		judge_end(sim);
	}
	result->trace_hash = sim->trace_hash;
	result->happenings = sim->happenings;
	/* After a failure things lie where they fell; the process ends soon. */
	if (!result->failed)
		release(sim);
}
