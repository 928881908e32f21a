/*
 * Definitions at random: a DAG of a few steps in which every part of the language that the engine
 * runs may occur. They are documents, and go through the loader like any other.
 */
#include <stdio.h>
#include <string.h>

#include "connectors/yaml.h"
#include "tests/sim/sim.h"

struct gen {
	struct rng *rng;
	json_t *steps;
	int n, pivot;
	bool forward;
};

static json_t *text(const char *fmt, ...) PRINTF_LIKE(1, 2);
static json_t *text(const char *fmt, ...)
{
	char buf[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	return json_string(buf);
}

static void set(json_t *to, const char *name, json_t *value)
{
	json_object_set_new(to, name, value);
}

static json_t *gen_retry(struct gen *gen, bool may_park)
{
	static const char *const first[] = {"100ms", "400ms", "1s"};
	static const char *const most[] = {"1s", "5s"};
	static const int attempts[] = {1, 1, 2, 3, 5, 12};
	json_t *retry = json_object();

	set(retry, "initial_interval", json_string(RNG_PICK(gen->rng, first)));
	set(retry, "maximum_interval", json_string(RNG_PICK(gen->rng, most)));
	if (rng_percent(gen->rng, 60))
		set(retry, "maximum_attempts", json_integer(RNG_PICK(gen->rng, attempts)));
	if (rng_percent(gen->rng, 30))
		set(retry, "jitter", json_integer(0));
	if (rng_percent(gen->rng, 20))
		set(retry, "non_retryable", json_pack("[s]", "corrupt"));
	if (may_park && rng_percent(gen->rng, 10))
		set(retry, "on_exhausted", json_string("park"));
	return retry;
}

static void gen_times(struct gen *gen, json_t *step)
{
	static const char *const timeouts[] = {"300ms", "1s", "3s", "12s"};
	static const char *const deadlines[] = {"2s", "8s", "30s"};

	set(step, "timeout", json_string(RNG_PICK(gen->rng, timeouts)));
	if (rng_percent(gen->rng, 20))
		set(step, "deadline", json_string(RNG_PICK(gen->rng, deadlines)));
}

static json_t *gen_http(const char *to, const char *method)
{
	return json_pack("{s:s, s:s, s:s}", "to", to, "method", method, "path", "/r/${step.uuid}");
}

static json_t *gen_command(const char *to, const char *type)
{
	return json_pack("{s:s, s:s, s:s}", "to", to, "type", type, "key", "${step.uuid}");
}

/* Asks what became of it, over HTTP or Kafka. */
static json_t *gen_probe(struct gen *gen, const char *to, bool command, const char *every)
{
	if (rng_percent(gen->rng, 15))
		command = !command;
	if (command)
		return json_pack("{s:o, s:s, s:s, s:{s:[s], s:[s, s, s]}}", "command",
						 gen_command(to, "Ask"), "every", every, "timeout", "1s", "outcome",
						 "absent", "absent", "failure", "soft", "hard", "corrupt");
	return json_pack("{s:o, s:s, s:{s:[i], s:[i]}}", "http", gen_http(to, "GET"), "every", every,
					 "outcome", "absent", 404, "failure", 422);
}

/* An undo that was declined is no undo, so its probe has no word for a failure. */
static json_t *gen_undo_probe(struct gen *gen, const char *to, bool command)
{
	json_t *probe = gen_probe(gen, to, command, "1s");

	json_object_del(json_object_get(probe, "outcome"), "failure");
	return probe;
}

/* What is told when it takes too long. */
static json_t *gen_escalate(struct gen *gen, bool approval)
{
	static const char *const after[] = {"500ms", "2s", "${input.soon}", "15s", "5m"};
	json_t *list = json_array(), *entry;
	int i, n = 1 + (int)rng_below(gen->rng, 3), does;

	for (i = 0; i < n; i++) {
		entry = json_pack("{s:s}", "after", RNG_PICK(gen->rng, after));
		does = (int)rng_below(gen->rng, approval ? 4 : 3);
		if (does == 0)
			set(entry, "emit",
				json_pack("{s:s, s:s, s:{s:s}}", "topic", "out", "type", "Late", "data", "who",
						  "${saga.id}"));
		else if (does == 1)
			set(entry, "http",
				json_pack("{s:s, s:s, s:s}", "to", "p1", "method", "POST", "path",
						  "/late/${saga.id}"));
		else if (does == 3)
			set(entry, "groups", json_pack("[s]", "heads"));
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *gen_undo(struct gen *gen, const char *to, bool command)
{
	json_t *undo = json_object(), *action;

	if (rng_percent(gen->rng, 15))
		command = !command;
	action = command ? gen_command(to, "Undo") : gen_http(to, "DELETE");
	if (rng_percent(gen->rng, 30))
		set(action, command ? "data" : "query", json_pack("{s:s}", "why", "${saga.failure.code}"));
	set(undo, command ? "command" : "http", action);
	if (rng_percent(gen->rng, 15))
		set(undo, "when", json_string("${input.undo}"));
	if (rng_percent(gen->rng, 70))
		gen_times(gen, undo);
	if (rng_percent(gen->rng, 60))
		set(undo, "retry", gen_retry(gen, false));
	if (rng_percent(gen->rng, 15))
		set(undo, "probe", gen_undo_probe(gen, to, command));
	if (rng_percent(gen->rng, 20))
		set(undo, "escalate", gen_escalate(gen, false));
	if (rng_percent(gen->rng, 20))
		set(undo, "output", json_pack("{s:s}", "id", "${reply.body.id}"));
	return undo;
}

static void gen_call(struct gen *gen, json_t *step, int i, bool item, bool plain)
{
	static const char *const services[] = {"p0", "p1", "p2"};
	static const char *const every[] = {"500ms", "2s", "7s"};
	const char *to = RNG_PICK(gen->rng, services);
	bool command = rng_percent(gen->rng, 45);
	json_t *action = command ? gen_command(to, "Do") : gen_http(to, "PUT");

	if (rng_percent(gen->rng, 50))
		set(action, command ? "data" : "body",
			json_pack("{s:s, s:s, s:f}", "order", "${input.order}", "who", "${saga.id}", "price",
					  19.99));
	set(step, command ? "command" : "http", action);
	gen_times(gen, step);
	/* Long enough for the saga to leave the memory while it waits. */
	if (command && rng_percent(gen->rng, 25))
		set(step, "timeout", json_string(rng_percent(gen->rng, 70) ? "100s" : "10m"));
	set(step, "retry", gen_retry(gen, true));
	if (rng_percent(gen->rng, 30))
		set(step, "probe", gen_probe(gen, to, command, RNG_PICK(gen->rng, every)));
	if (rng_percent(gen->rng, 30))
		set(step, "output", json_pack("{s:s}", "id", "${reply.body.id}"));
	if (!item && rng_percent(gen->rng, 10))
		set(step, "idempotency_key", text("own-${saga.id}-%s-%d", plain ? "p" : "s", i));
	if (!plain && !gen->forward && i < gen->pivot)
		set(step, "compensate",
			rng_percent(gen->rng, 80) ? gen_undo(gen, to, command) : json_string("none"));
}

/* Workers do it, and undo it, or a service does. */
static void gen_task(struct gen *gen, json_t *step, int i)
{
	static const char *const timeouts[] = {"1s", "3s", "12s"};
	static const char *const beats[] = {"400ms", "2s"};
	static const char *const deadlines[] = {"8s", "40s", "40s"};
	const char *timeout, *beat;

	set(step, "task", json_string("work"));
	set(step, "with", json_pack("{s:s}", "thing", "/r/${step.uuid}"));
	timeout = RNG_PICK(gen->rng, timeouts);
	set(step, "timeout", json_string(timeout));
	if (rng_percent(gen->rng, 40)) {
		beat = RNG_PICK(gen->rng, beats);
		/* No lease is shorter than what it takes to hear of its worker. */
		set(step, "heartbeat", json_string(timeout == timeouts[0] ? beats[0] : beat));
	}
	if (rng_percent(gen->rng, 40))
		set(step, "deadline", json_string(RNG_PICK(gen->rng, deadlines)));
	set(step, "retry", gen_retry(gen, true));
	if (gen->forward || i >= gen->pivot)
		return;
	if (rng_percent(gen->rng, 45))
		set(step, "compensate", gen_undo(gen, "p0", false));
	else if (rng_percent(gen->rng, 80))
		set(step, "compensate",
			json_pack("{s:s, s:{s:s}, s:s, s:{s:s, s:s}}", "task", "undo", "with", "thing",
					  "/r/${step.uuid}", "timeout", "3s", "retry", "initial_interval", "200ms",
					  "maximum_interval", "1s"));
	else
		set(step, "compensate", json_string("none"));
}

static void gen_needs(struct gen *gen, json_t *step, int i)
{
	json_t *needs;
	int k;

	if (rng_percent(gen->rng, 40))
		return; /* the one before */
	needs = json_array();
	/* What is listed after the pivot is meant to come after it. */
	for (k = 0; k < i; k++)
		if (rng_percent(gen->rng, 35) || (k == gen->pivot && i > k))
			json_array_append_new(needs, text("s%d", k));
	set(step, "needs", needs);
}

/* Whether step k is said to come before step i: only then may it be named. */
static bool comes_before(const struct gen *gen, int k, int i)
{
	const json_t *needs = json_object_get(json_array_get(gen->steps, (size_t)i), "needs");
	const json_t *need;
	size_t at;

	if (i <= k)
		return false;
	if (!needs)
		return k == i - 1 || comes_before(gen, k, i - 1);
	json_array_foreach (needs, at, need) {
		int j = json_string_value(need)[1] - '0';

		if (j == k || comes_before(gen, k, j))
			return true;
	}
	return false;
}

static void gen_when(struct gen *gen, json_t *step, int i)
{
	int k = (int)rng_below(gen->rng, i + 1);

	if (!rng_percent(gen->rng, 25))
		return;
	if (k < i && comes_before(gen, k, i))
		set(step, "when",
			text("${steps.s%d.status == '%s'}", k,
				 rng_percent(gen->rng, 60) ? "completed" : "failed"));
	else
		set(step, "when",
			json_string(rng_percent(gen->rng, 50) ? "${input.flag}" : "${!input.flag}"));
}

static void gen_many(struct gen *gen, json_t *step)
{
	if (rng_percent(gen->rng, 65)) {
		set(step, "for_each", json_string("${input.list}"));
		set(step, "max_parallel", json_integer(1 + rng_below(gen->rng, 3)));
	} else {
		set(step, "repeat", json_pack("{s:s, s:i}", "until", "${index >= input.turns}", "max", 3));
	}
}

/* A record that nobody answers; it is undone by another one. */
static void gen_emit(struct gen *gen, json_t *step, bool closed)
{
	json_t *undo = json_pack("{s:{s:s, s:s}}", "emit", "topic", "out", "type", "Untold");

	set(step, "emit",
		json_pack("{s:s, s:s, s:s, s:{s:s}}", "topic", "out", "type", "Told", "key",
				  "${input.order}", "data", "who", "${saga.id}"));
	if (rng_percent(gen->rng, 50))
		set(json_object_get(undo, "emit"), "data", json_string("${saga.failure.code}"));
	if (!closed && rng_percent(gen->rng, 70))
		set(step, "compensate", json_incref(undo));
	else if (!closed)
		set(step, "compensate", json_string("none"));
	json_decref(undo);
}

static json_t *gen_correlate(const char *topic)
{
	return json_pack("{s:s, s:{s:s, s:s}}", "kafka", topic, "correlate", "from",
					 "${event.data.order}", "expect", "${input.order}");
}

/* A record or a webhook; what comes to the topic comes to the webhook of its name, too. */
static json_t *gen_event(struct gen *gen, bool webhook)
{
	json_t *event = gen_correlate("ev");

	if (webhook) {
		set(event, "webhook", json_string("ev"));
		json_object_del(event, "kafka");
	}
	if (rng_percent(gen->rng, 40))
		set(event, "when", json_string("${event.data.n > 0}"));
	return event;
}

static json_t *gen_signal(struct gen *gen)
{
	json_t *signal = json_pack("{s:s}", "signal", rng_percent(gen->rng, 70) ? "approved" : "told");

	if (rng_percent(gen->rng, 30))
		set(signal, "when", json_string("${event.data != null}"));
	return signal;
}

/* Several of which the first wins; at most one of each kind. */
static json_t *gen_list(struct gen *gen)
{
	static const char *const after[] = {"1s", "20s", "100s", "3h"};
	json_t *list = json_array();

	if (rng_percent(gen->rng, 60))
		json_array_append_new(list, gen_signal(gen));
	if (rng_percent(gen->rng, 60))
		json_array_append_new(list, gen_event(gen, false));
	if (rng_percent(gen->rng, 60))
		json_array_append_new(list, gen_event(gen, true));
	if (rng_percent(gen->rng, 50) || json_array_size(list) == 0)
		json_array_append_new(list, json_pack("{s:s}", "after", RNG_PICK(gen->rng, after)));
	return list;
}

/* What may have come long before, or never comes. */
static void gen_await(struct gen *gen, json_t *step)
{
	static const char *const limits[] = {"2s", "20s", "20s", "100s", "20m"};
	int kind = (int)rng_below(gen->rng, 100);
	bool list = kind < 55;

	set(step, "await",
		list        ? gen_list(gen)
		: kind < 68 ? gen_signal(gen)
					: gen_event(gen, kind < 82));
	if (!list || rng_percent(gen->rng, 70))
		set(step, rng_percent(gen->rng, 80) ? "timeout" : "deadline",
			json_string(RNG_PICK(gen->rng, limits)));
	if (rng_percent(gen->rng, 30))
		set(step, "output", json_pack("{s:s}", "n", "${event.?data.?n}"));
}

/* People decide, some of whom may not, or nobody does in time. */
static void gen_approval(struct gen *gen, json_t *step)
{
	static const char *const limits[] = {"5s", "30s", "30s", "10m"};
	json_t *approval =
		json_pack("{s:s, s:[s]}", "title", "Order ${input.order}", "groups", "sales");

	if (rng_percent(gen->rng, 60))
		set(approval, "approve", json_integer(1 + rng_below(gen->rng, 2)));
	if (rng_percent(gen->rng, 40))
		set(approval, "reject", json_integer(1 + rng_below(gen->rng, 2)));
	if (rng_percent(gen->rng, 40))
		set(approval, "exclude", json_pack("[s]", "ann"));
	if (rng_percent(gen->rng, 30))
		set(approval, "form", json_pack("{s:s, s:[s]}", "type", "object", "required", "n"));
	set(step, "approval", approval);
	set(step, "timeout", json_string(RNG_PICK(gen->rng, limits)));
	if (rng_percent(gen->rng, 60))
		set(step, "escalate", gen_escalate(gen, true));
	if (rng_percent(gen->rng, 30))
		set(step, "output", json_pack("{s:s}", "by", "${event.by[0]}"));
}

/* Few keys, so that sagas meet; an item may stand in its own line. */
static void gen_lock(struct gen *gen, json_t *step, bool many)
{
	static const char *const limits[] = {"2s", "20s", "2m", "10m"};
	json_t *keys = json_array();
	int first = (int)rng_below(gen->rng, 3);

	json_array_append_new(keys, many ? json_string("k${index}") : text("k%d", first));
	if (!many && rng_percent(gen->rng, 50))
		json_array_append_new(keys, text("k%d", (first + 1) % 3));
	set(step, "lock", json_pack("{s:o}", "keys", keys));
	set(step, "timeout", json_string(RNG_PICK(gen->rng, limits)));
}

/* Some are given back when a step that comes after them has settled. */
static void gen_releases(struct gen *gen)
{
	size_t i;
	json_t *step;

	json_array_foreach (gen->steps, i, step) {
		json_t *lock = json_object_get(step, "lock");
		int k = (int)i + 1 + (int)rng_below(gen->rng, gen->n);

		if (lock && k < gen->n && comes_before(gen, (int)i, k))
			set(lock, "release_after", text("s%d", k));
	}
}

static void gen_step(struct gen *gen, int i)
{
	static const char *const naps[] = {"1s", "10s", "200s", "2h"};
	json_t *step = json_pack("{s:o}", "id", text("s%d", i));
	int kind = (int)rng_below(gen->rng, 100);
	bool closed = gen->forward || i > gen->pivot, many;

	json_array_append_new(gen->steps, step);
	gen_needs(gen, step, i);
	gen_when(gen, step, i);
	many = rng_percent(gen->rng, i == gen->pivot ? 10 : 25);
	if (i == gen->pivot)
		set(step, "pivot", json_true());
	if (many)
		gen_many(gen, step);
	if (kind < 12)
		gen_task(gen, step, i);
	else if (kind < 57 || (closed && kind >= 75 && kind < 82) || i == gen->pivot)
		gen_call(gen, step, i, many, false);
	else if (kind < 62)
		gen_lock(gen, step, many);
	else if (kind < 66)
		gen_emit(gen, step, closed);
	else if (kind < 71)
		gen_approval(gen, step);
	else if (kind < 75)
		gen_await(gen, step);
	else if (kind < 82)
		set(step, "fail", json_pack("{s:s}", "code", "soft"));
	else if (kind < 92)
		set(step, "await", json_pack("{s:s}", "after", RNG_PICK(gen->rng, naps)));
	else
		set(step, "set", json_pack("{s:s}", "v", "${input.order}"));
	if (!json_object_get(step, "escalate") && rng_percent(gen->rng, 15) &&
		(json_object_get(step, "http") || json_object_get(step, "command") ||
		 json_object_get(step, "await")))
		set(step, "escalate", gen_escalate(gen, false));
	if (kind < 82 && rng_percent(gen->rng, 20))
		set(step, "tolerate",
			rng_percent(gen->rng, 50) ? json_true() : text("${failure.code == 'soft'}"));
}

/* A few runs, one after another, of the same saga. */
static void gen_continue(struct gen *gen)
{
	static const char *const same[] = {"soon", "order", "list", "flag", "undo", "turns"};
	json_t *input = json_pack("{s:s}", "rounds", "${input.rounds - 1}");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(same); i++)
		set(input, same[i], text("${input.%s}", same[i]));
	json_array_append_new(gen->steps,
						  json_pack("{s:s, s:s, s:{s:o}}", "id", "again", "when",
									"${input.rounds > 0}", "continue_as_new", "input", input));
}

static json_t *read_example(const char *file)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	struct findings findings = {0};
	char buf[16384];
	FILE *in = fopen(file, "r");
	size_t len = in ? fread(buf, 1, sizeof(buf), in) : 0;
	json_t *doc = NULL;

	if (in)
		fclose(in);
	if (len == 0 || yaml_read(buf, len, &doc, places, &findings) < 0) {
		fprintf(stderr, "%s cannot be read; run this from the root of the project\n", file);
		abort();
	}
	findings_release(&findings);
	return doc;
}

/* The examples' participants may work longer, too. */
static void let_go_on(json_t *doc)
{
	const char *name;
	json_t *participant;

	json_object_foreach (json_object_get(doc, "participants"), name, participant) {
		json_t *outcome = json_object_get(participant, "outcome");

		if (!outcome) {
			outcome = json_object();
			set(participant, "outcome", outcome);
		}
		set(outcome, "ongoing", json_pack("[i]", 202));
	}
}

json_t *gen_block_step(struct rng *rng, bool closed)
{
	struct gen gen = {.rng = rng, .pivot = 99, .forward = closed};
	json_t *step = json_object();

	/* As an item, since what stands in a block has no key of its own. */
	gen_call(&gen, step, 0, true, false);
	return step;
}

json_t *gen_definition(struct rng *rng, int n)
{
	static const char *const deadlines[] = {"3s", "20s", "5m"};
	struct gen gen = {.rng = rng, .n = 1 + (int)rng_below(rng, 6), .steps = json_array()};
	json_t *doc, *participants, *after;
	int i;

	if (rng_percent(rng, 12)) {
		json_decref(gen.steps);
		doc =
			read_example(rng_percent(rng, 50) ? "examples/payment/payment.yaml"
											  : "examples/order-fulfilment/order-fulfilment.yaml");
		let_go_on(doc);
		return doc;
	}
	gen.forward = rng_percent(rng, 8);
	gen.pivot = !gen.forward && rng_percent(rng, 30) ? (int)rng_below(rng, gen.n) : 99;
	for (i = 0; i < gen.n; i++)
		gen_step(&gen, i);
	gen_releases(&gen);
	if (rng_percent(rng, 15))
		gen_continue(&gen);
	participants = json_object();
	for (i = 0; i < 3; i++)
		json_object_set_new(
			participants,
			i == 0   ? "p0"
			: i == 1 ? "p1"
					 : "p2",
			json_pack("{s:{s:[i], s:s}}", "outcome", "ongoing", 202, "code", "${reply.body.code}"));
	doc = json_pack("{s:o, s:o, s:o}", "saga", text("g%d", n), "participants", participants,
					"steps", gen.steps);
	if (gen.forward)
		set(doc, "recovery", json_string("forward"));
	if (rng_percent(rng, 25))
		set(doc, "deadline", json_string(RNG_PICK(rng, deadlines)));
	if (rng_percent(rng, 15))
		set(doc, "escalate", gen_escalate(&gen, true));
	if (rng_percent(rng, 20))
		set(doc, "cancel_on", json_pack("[o]", gen_correlate("stop")));
	if (!gen.forward && rng_percent(rng, 30)) {
		after = json_array();
		for (i = 0; i < 1 + rng_below(rng, 2); i++) {
			json_array_append_new(after, json_pack("{s:o}", "id", text("after%d", i)));
			gen_call(&gen, json_array_get(after, (size_t)i), i, false, true);
		}
		set(doc, "on_compensated", after);
	}
	if (rng_percent(rng, 30))
		set(doc, "output", json_pack("{s:s}", "first", "${steps.s0.status}"));
	return doc;
}

json_t *gen_input(struct rng *rng, const struct saga_def *def, int n)
{
	json_t *list = json_array();
	char order[32];
	int i, items = (int)rng_below(rng, 5);

	snprintf(order, sizeof(order), "o-%d", n);
	if (strcmp(def->name, "payment") == 0) {
		json_decref(list);
		return json_pack("{s:s, s:s, s:s, s:i}", "payment_id", order, "account", "a", "merchant",
						 "m", "amount_minor", 1 + n);
	}
	for (i = 0; i < items; i++)
		json_array_append_new(list, json_pack("{s:s, s:i}", "sku", "tea", "quantity", i + 1));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:O, s:i, s:s, s:s, s:b, s:b, s:i, s:i}", "soon",
					 rng_percent(rng, 50) ? "3s" : "40s", "order", order, "order_id", order,
					 "customer_id", "cu", "list", list, "lines", list, "amount_minor", 5, "card",
					 "c", "ship_to", "x", "flag", rng_percent(rng, 60), "undo",
					 rng_percent(rng, 80), "turns", (int)rng_below(rng, 4), "rounds",
					 (int)rng_below(rng, 4));
}
