#include "sagas/def_load.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "sagas/def_graph.h"
#include "tests/support/definition.h"
#include "tests/support/definition_cases.h"

static const struct step_def *step(const struct saga_def *def, const char *id)
{
	int index = saga_def_step(def, id);

	ck_assert_int_ge(index, 0);
	return &def->steps[index];
}

START_TEST(test_def_load__fills_in_what_is_not_said)
{
	CLEANUP(saga_def_unref_p)
	struct saga_def *def = definition_must_load(
		"saga: small\n"
		"steps:\n"
		"  - id: charge\n"
		"    http: {to: bank, method: POST, path: /charges, body: {a: 1}}\n"
		"    compensate: {http: {to: bank, method: DELETE, path: /charges}}\n");
	const struct action_def *act = &def->steps[0].act, *undo = &def->steps[0].undo;

	ck_assert_str_eq(def->name, "small");
	ck_assert_int_eq(def->n_steps, 1);
	ck_assert_int_eq(def->n_forward, 1);
	ck_assert_int_eq(def->pivot, -1);
	ck_assert_int_eq(def->deadline.ms, -1);
	ck_assert_ptr_null(def->key);
	ck_assert_ptr_null(def->input_schema);
	ck_assert(!def->recovery_forward);
	ck_assert_int_eq(act->kind, ACTION_HTTP);
	ck_assert_str_eq(act->http.to, "bank");
	ck_assert_str_eq(act->http.method, "POST");
	ck_assert_str_eq(tmpl_as_string(act->http.path), "/charges");
	ck_assert(!act->http.form);
	ck_assert_int_eq(act->timeout.ms, 30000);
	ck_assert_int_eq(act->deadline.ms, -1);
	ck_assert_int_eq(act->retry.initial_interval_ms, 1000);
	ck_assert(act->retry.backoff_coefficient == 2);
	ck_assert_int_eq(act->retry.maximum_interval_ms, 100000);
	ck_assert_int_eq(act->retry.maximum_attempts, 0);
	ck_assert(act->retry.jitter == 0.2);
	ck_assert_int_eq(act->retry.on_exhausted, ON_EXHAUSTED_DEFAULT);
	ck_assert_uint_eq(act->outcome.n_rules, 0);
	ck_assert_ptr_null(act->probe);
	ck_assert_int_eq(def->steps[0].max_parallel, 10);
	ck_assert_int_eq(def->steps[0].undo_kind, UNDO_ACTION);
	ck_assert_uint_eq(undo->outcome.n_rules, 2);
	ck_assert_int_eq(undo->outcome.rules[0].status, 404);
	ck_assert_int_eq(undo->outcome.rules[1].status, 410);
	ck_assert_int_eq(undo->outcome.rules[1].outcome, OUTCOME_SUCCESS);
	ck_assert(!undo->reads_failure);
}
END_TEST

START_TEST(test_def_load__nearest_wins)
{
	CLEANUP(saga_def_unref_p)
	struct saga_def *def = definition_must_load(
		"saga: near\n"
		"deadline: 1h30m\n"
		"defaults: {timeout: 1s, deadline: 9s, retry: {maximum_attempts: 7, jitter: 0}}\n"
		"participants:\n"
		"  p: {timeout: 2s, retry: {maximum_attempts: 3, non_retryable: [a, b]}}\n"
		"steps:\n"
		"  - {id: own, http: {to: p, method: GET, path: /},\n"
		"     timeout: 200ms, retry: {initial_interval: 5s, non_retryable: [c], on_exhausted: "
		"park}}\n"
		"  - {id: participant, http: {to: p, method: GET, path: /},\n"
		"     deadline: \"${input.until}\"}\n"
		"  - {id: wait, await: {after: 2h}}\n");
	const struct action_def *own = &step(def, "own")->act;
	const struct action_def *other = &step(def, "participant")->act;

	ck_assert_int_eq(def->deadline.ms, 90 * 60 * 1000);
	ck_assert_int_eq(own->timeout.ms, 200);
	ck_assert_int_eq(own->deadline.ms, 9000);
	ck_assert_int_eq(own->retry.initial_interval_ms, 5000);
	ck_assert_int_eq(own->retry.maximum_attempts, 3);
	ck_assert(own->retry.jitter == 0);
	ck_assert_uint_eq(own->retry.n_non_retryable, 1);
	ck_assert_str_eq(own->retry.non_retryable[0], "c");
	ck_assert_int_eq(own->retry.on_exhausted, ON_EXHAUSTED_PARK);
	ck_assert_int_eq(other->timeout.ms, 2000);
	ck_assert_int_eq(other->deadline.ms, -1);
	ck_assert_ptr_nonnull(other->deadline.tmpl);
	ck_assert_uint_eq(other->retry.n_non_retryable, 2);
	/* A wait is no call: the limits of calls are not its own. */
	ck_assert_int_eq(step(def, "wait")->act.kind, ACTION_AWAIT_AFTER);
	ck_assert_int_eq(step(def, "wait")->act.after.ms, 2 * 3600 * 1000);
	ck_assert_int_eq(step(def, "wait")->act.timeout.ms, -1);
	ck_assert_int_eq(step(def, "wait")->act.deadline.ms, -1);
}
END_TEST

static void write_rules(const struct outcome_rules *rules, struct buf *out)
{
	static const char *const names[] = {"success", "failure", "ongoing", "unknown", "absent"};

	for (size_t i = 0; i < rules->n_rules; i++) {
		const struct outcome_rule *rule = &rules->rules[i];

		buf_printf(out, "%s%s ", i ? ", " : "", names[rule->outcome]);
		switch (rule->match) {
		case MATCH_EXPR:
			buf_add_str(out, expr_text(rule->expr));
			break;
		case MATCH_STATUS:
			buf_add_int(out, rule->status);
			break;
		case MATCH_STATUS_CLASS:
			buf_printf(out, "%dxx", rule->status);
			break;
		case MATCH_CODE:
			buf_add_str(out, rule->code);
			break;
		}
	}
}

START_TEST(test_def_load__orders_outcome_rules)
{
	CLEANUP(saga_def_unref_p)
	struct saga_def *def = definition_must_load(
		"saga: rules\n"
		"defaults: {outcome: {success: [404], code: \"${reply.body.far}\"}}\n"
		"participants: {p: {outcome: {unknown: [423, 4xx], failure: [\"409\"]}}}\n"
		"steps:\n"
		"  - id: a\n"
		"    http: {to: p, method: POST, path: /}\n"
		"    outcome: {success: [2xx, gone, \"${reply.status == 1}\"], ongoing: [202],\n"
		"              failure: [5xx, \"${reply.status == 2}\"], code: \"${reply.body.near}\"}\n"
		"    probe:\n"
		"      http: {to: p, method: GET, path: \"/${reply.body.id}\"}\n"
		"      outcome: {absent: [404], ongoing: [202]}\n"
		"    compensate: {http: {to: p, method: DELETE, path: /}, outcome: {success: [2xx]}}\n");
	CLEANUP(buf_release) struct buf out = {0};
	const struct step_def *a = step(def, "a");

	buf_init(&out, 0);
	write_rules(&a->act.outcome, &out);
	ck_assert_str_eq(buf_str(&out),
					 "failure reply.status == 2, success reply.status == 1, ongoing 202, "
					 "success gone, failure 5xx, success 2xx, failure 409, unknown 423, "
					 "unknown 4xx, success 404");
	ck_assert_str_eq(expr_text(tmpl_as_expr(a->act.outcome.code)), "reply.body.near");
	buf_clear(&out);
	/* A probe says itself what success and failure are: its 404 must not become one. */
	write_rules(&a->act.probe->act.outcome, &out);
	ck_assert_str_eq(buf_str(&out), "absent 404, ongoing 202, unknown 423, unknown 4xx");
	ck_assert_int_eq(a->act.probe->every_ms, 10000);
	buf_clear(&out);
	write_rules(&a->undo.outcome, &out);
	ck_assert_str_eq(buf_str(&out), "success 2xx, failure 409, unknown 423, unknown 4xx, "
									"success 404, success 404, success 410");
}
END_TEST

START_TEST(test_def_load__undo_is_retried_without_end)
{
	static const char yaml[] =
		"saga: undone\n"
		"defaults: {timeout: 2s, deadline: 9s, retry: {maximum_attempts: 3, jitter: 0,\n"
		"           non_retryable: [x], on_exhausted: fail}}\n"
		"steps:\n"
		"  - id: a\n"
		"    http: {to: p, method: POST, path: /}\n"
		"    compensate: {http: {to: p, method: DELETE, path: /}}\n"
		"  - id: b\n"
		"    http: {to: p, method: POST, path: /}\n"
		"    compensate: {http: {to: p, method: DELETE, path: /}, deadline: 1h,\n"
		"                 retry: {maximum_attempts: 5}}\n";
	CLEANUP(saga_def_unref_p) struct saga_def *def = definition_must_load(yaml);
	const struct action_def *a = &step(def, "a")->undo, *b = &step(def, "b")->undo;

	ck_assert_int_eq(step(def, "a")->act.retry.maximum_attempts, 3);
	ck_assert_int_eq(a->timeout.ms, 2000);
	ck_assert(a->retry.jitter == 0);
	ck_assert_int_eq(a->retry.maximum_attempts, 0);
	ck_assert_int_eq(a->deadline.ms, -1);
	ck_assert_uint_eq(a->retry.n_non_retryable, 0);
	ck_assert_int_eq(a->retry.on_exhausted, ON_EXHAUSTED_DEFAULT);
	ck_assert_int_eq(b->retry.maximum_attempts, 5);
	ck_assert_int_eq(b->deadline.ms, 3600 * 1000);
}
END_TEST

START_TEST(test_def_load__needs_are_the_step_before)
{
	CLEANUP(saga_def_unref_p)
	struct saga_def *def = definition_must_load("saga: order\n"
												"steps:\n"
												"  - {id: a, set: 1}\n"
												"  - {id: b, set: 1}\n"
												"  - {id: c, needs: [], set: 1}\n"
												"  - {id: d, needs: [b, c], set: 1}\n"
												"on_compensated:\n"
												"  - {id: x, set: \"${saga.failure.code}\"}\n"
												"  - {id: y, set: \"${steps.d.output}\"}\n");
	const struct step_def *d = step(def, "d"), *y = step(def, "y");

	ck_assert_int_eq(def->n_forward, 4);
	ck_assert_int_eq(def->n_steps, 6);
	ck_assert_uint_eq(step(def, "a")->n_needs, 0);
	ck_assert_uint_eq(step(def, "a")->n_dependants, 1);
	ck_assert_int_eq(step(def, "a")->dependants[0], 1);
	ck_assert_uint_eq(step(def, "c")->n_needs, 0);
	ck_assert_uint_eq(d->n_needs, 2);
	ck_assert(step_def_has_ancestor(d, 0));
	ck_assert(step_def_has_ancestor(d, 2));
	ck_assert(!step_def_has_ancestor(d, 3));
	ck_assert_int_eq(y->index, 5);
	ck_assert_uint_eq(y->n_needs, 1);
	ck_assert_int_eq(y->needs[0], 4);
	ck_assert(step_def_has_ancestor(y, 4));
	ck_assert(!step_def_has_ancestor(y, 3));
	ck_assert_int_eq(saga_def_step(def, "none"), -1);
}
END_TEST

START_TEST(test_def_load__pivot_waits_for_all_that_does_not_depend_on_it)
{
	CLEANUP(saga_def_unref_p)
	struct saga_def *def = definition_must_load(
		"saga: pivoted\n"
		"steps:\n"
		"  - {id: a, needs: [], set: 1}\n"
		"  - {id: p, needs: [], pivot: true, http: {to: x, method: POST, path: /}}\n"
		"  - {id: after, needs: [p], http: {to: x, method: POST, path: /}}\n"
		"  - {id: free, needs: [], set: 1}\n"
		"  - {id: late, needs: [free], set: 1}\n");
	const struct step_def *p = step(def, "p");

	ck_assert_int_eq(def->pivot, 1);
	ck_assert_uint_eq(p->n_needs, 2); /* a and late; free comes with late */
	ck_assert(step_def_has_ancestor(p, 0));
	ck_assert(step_def_has_ancestor(p, 3));
	ck_assert(step_def_has_ancestor(p, 4));
	ck_assert(step_def_has_ancestor(step(def, "after"), 4));
	ck_assert(step(def, "after")->after_pivot);
	ck_assert(!step(def, "late")->after_pivot);
	ck_assert(!p->after_pivot);
}
END_TEST

START_TEST(test_def_load__knows_every_part_it_runs)
{
	CLEANUP(saga_def_unref_p)
	struct saga_def *def = definition_must_load(
		"saga: all-parts\n"
		"key: order:${input.id}\n"
		"labels: {team: a}\n"
		"search: {id: \"${input.id}\"}\n"
		"input: {schema: {type: object, required: [id], properties: {id: {type: string}}}}\n"
		"participants: {p: {}}\n"
		"steps:\n"
		"  - id: each\n"
		"    when: ${size(input.lines) > 0}\n"
		"    for_each: ${input.lines}\n"
		"    max_parallel: 4\n"
		"    tolerate: ${failure.code == 'out' && size(failures) < 3}\n"
		"    http:\n"
		"      to: p\n"
		"      method: POST\n"
		"      path: /lines/${item.id}\n"
		"      query: {n: \"${index}\"}\n"
		"      headers: {X-Order: \"${input.id}\"}\n"
		"      content_type: application/x-www-form-urlencoded\n"
		"      body: {a: \"${step.key}\"}\n"
		"    idempotency_key: ${step.uuid}\n"
		"    output: {id: \"${reply.body.id}\", sku: \"${item.sku}\"}\n"
		"    compensate:\n"
		"      when: ${item.sku != 'gift'}\n"
		"      http: {to: p, method: DELETE, path: \"/lines/${step.uuid}\",\n"
		"             query: {why: \"${saga.failure.code}\"}}\n"
		"      output: ${reply.body}\n"
		"  - id: again\n"
		"    repeat: {until: \"${output.done && index < 3}\", max: 5}\n"
		"    http: {to: p, method: GET, path: \"/pages/${previous.?next.orValue('first')}\"}\n"
		"  - {id: stop, when: \"${steps.each.status == 'failed'}\", fail: {code: none, message: "
		"m}}\n"
		"output: {ids: \"${steps.each.output}\"}\n");
	const struct step_def *each = step(def, "each"), *again = step(def, "again");

	ck_assert_ptr_nonnull(def->key);
	ck_assert_ptr_nonnull(def->output);
	ck_assert_ptr_nonnull(def->input_schema);
	ck_assert_int_eq(each->max_parallel, 4);
	ck_assert_ptr_nonnull(each->for_each);
	ck_assert_ptr_nonnull(each->tolerate);
	ck_assert_ptr_nonnull(each->act.when);
	ck_assert_ptr_nonnull(each->act.output);
	ck_assert_ptr_nonnull(each->act.idempotency_key);
	ck_assert(each->act.http.form);
	ck_assert_uint_eq(each->act.http.n_query, 1);
	ck_assert_uint_eq(each->act.http.n_headers, 1);
	ck_assert_str_eq(each->act.http.headers[0].name, "X-Order");
	ck_assert(each->undo.reads_failure);
	ck_assert_ptr_nonnull(each->undo.when);
	ck_assert_ptr_nonnull(each->undo.output);
	ck_assert_str_eq(expr_text(again->repeat_until), "output.done && index < 3");
	ck_assert_int_eq(again->repeat_max, 5);
	ck_assert_int_eq(again->undo_kind, UNDO_NOT_NEEDED);
	ck_assert_int_eq(step(def, "stop")->act.kind, ACTION_FAIL);
	ck_assert_str_eq(tmpl_as_string(step(def, "stop")->act.fail_code), "none");
}
END_TEST

static const char over_kafka[] =
	"saga: over-kafka\n"
	"start_on:\n"
	"  - {kafka: orders.placed, when: \"${event.data.n > 0}\", input: \"${event.data}\",\n"
	"     key: \"${event.key}\", from: latest, group: g, cluster: eu, dead_letter: dead,\n"
	"     poison: {retry: {maximum_attempts: 7, initial_interval: 2s, backoff_coefficient: 1,\n"
	"                      maximum_interval: 9s}, then: skip}}\n"
	"  - {kafka: plain, poison: pause}\n"
	"  - {kafka: third}\n"
	"cancel_on:\n"
	"  - {kafka: stop, correlate: {from: \"${event.data.id}\", expect: \"${input.id}\"}}\n"
	"participants: {credit: {timeout: 7s, outcome: {failure: [Refused]}}}\n"
	"steps:\n"
	"  - id: hold\n"
	"    command: {to: credit, key: \"${input.c}\", type: Hold, data: {n: 1}, headers: {a: "
	"\"${input.a}\"}}\n"
	"    idempotency_key: \"${step.uuid}\"\n"
	"    probe: {command: {to: credit, type: Ask}, every: 3s, outcome: {absent: [NoHold]}}\n"
	"    compensate:\n"
	"      command: {to: credit, type: Free, data: \"${saga.failure.code}\"}\n"
	"      outcome: {success: [NoHold]}\n"
	"  - id: heard\n"
	"    await: {kafka: stop, when: \"${event.data.ok}\",\n"
	"            correlate: {from: \"${event.data.id}\", expect: \"${input.id}\"}}\n"
	"    output: ${event.data.id}\n"
	"    timeout: 5m\n"
	"  - id: told\n"
	"    emit: {cluster: eu, topic: out, key: k, type: Told, data: 1, headers: {reply-to: b}}\n"
	"    compensate: {emit: {topic: out, type: Untold}}\n";

START_TEST(test_def_load__reads_commands_emissions_and_awaits)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = definition_must_load(over_kafka);
	const struct action_def *hold = &step(def, "hold")->act, *undo = &step(def, "hold")->undo;
	const struct action_def *heard = &step(def, "heard")->act, *told = &step(def, "told")->act;

	ck_assert_int_eq(hold->kind, ACTION_COMMAND);
	ck_assert_str_eq(hold->command.to, "credit");
	ck_assert_str_eq(hold->command.type, "Hold");
	ck_assert_ptr_nonnull(hold->command.key);
	ck_assert_ptr_nonnull(hold->command.data);
	ck_assert_ptr_nonnull(hold->command.headers);
	ck_assert_ptr_nonnull(hold->idempotency_key);
	ck_assert_int_eq(hold->timeout.ms, 7000);
	ck_assert_uint_eq(hold->outcome.n_rules, 1);
	ck_assert_int_eq(hold->probe->act.kind, ACTION_COMMAND);
	ck_assert_str_eq(hold->probe->act.command.type, "Ask");
	ck_assert_int_eq(hold->probe->act.timeout.ms, 7000);
	ck_assert_int_eq(hold->probe->act.outcome.rules[0].outcome, OUTCOME_ABSENT);
	ck_assert_int_eq(hold->probe->every_ms, 3000);
	ck_assert_int_eq(undo->kind, ACTION_COMMAND);
	ck_assert(undo->reads_failure);
	/* Its own code, the participant's, and no statuses, which no reply of Kafka has. */
	ck_assert_uint_eq(undo->outcome.n_rules, 2);
	ck_assert_str_eq(undo->outcome.rules[0].code, "NoHold");

	ck_assert_int_eq(heard->kind, ACTION_AWAIT_KAFKA);
	ck_assert_str_eq(heard->await_kafka.topic, "stop");
	ck_assert_str_eq(heard->await_kafka.cluster, "default");
	ck_assert_ptr_nonnull(heard->await_kafka.from);
	ck_assert_ptr_nonnull(heard->await_kafka.expect);
	ck_assert_ptr_nonnull(heard->await_kafka.when);
	ck_assert_ptr_nonnull(heard->output);
	ck_assert_int_eq(heard->timeout.ms, 5 * 60 * 1000);

	ck_assert_int_eq(told->kind, ACTION_EMIT);
	ck_assert_str_eq(told->emit.cluster, "eu");
	ck_assert_str_eq(told->emit.topic, "out");
	ck_assert_str_eq(told->emit.type, "Told");
	ck_assert_ptr_nonnull(told->emit.headers);
	ck_assert_int_eq(step(def, "told")->undo.kind, ACTION_EMIT);
	ck_assert_str_eq(step(def, "told")->undo.emit.cluster, "default");
	ck_assert(!step(def, "told")->undo.reads_failure);
}
END_TEST

START_TEST(test_def_load__reads_triggers)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = definition_must_load(over_kafka);
	const struct trigger_def *first = &def->triggers[0], *second = &def->triggers[1];

	ck_assert_uint_eq(def->n_triggers, 3);
	ck_assert_str_eq(first->topic, "orders.placed");
	ck_assert_str_eq(first->cluster, "eu");
	ck_assert_str_eq(first->group, "g");
	ck_assert_str_eq(first->dead_letter_topic, "dead");
	ck_assert(first->from_latest);
	ck_assert_ptr_nonnull(first->when);
	ck_assert_ptr_nonnull(first->input);
	ck_assert_ptr_nonnull(first->key);
	ck_assert_int_eq(first->retry.maximum_attempts, 7);
	ck_assert_int_eq(first->retry.initial_interval_ms, 2000);
	ck_assert(first->retry.backoff_coefficient == 1);
	ck_assert_int_eq(first->retry.maximum_interval_ms, 9000);
	ck_assert_int_eq(first->then, POISON_SKIP);

	ck_assert_str_eq(second->cluster, "default");
	ck_assert_ptr_null(second->group);
	ck_assert_str_eq(second->dead_letter_topic, "plain-dlt");
	ck_assert(!second->from_latest);
	ck_assert_ptr_null(second->input);
	ck_assert_int_eq(second->retry.maximum_attempts, 3);
	ck_assert_int_eq(second->retry.initial_interval_ms, 1000);
	ck_assert_int_eq(second->then, POISON_PAUSE);
	ck_assert_int_eq(def->triggers[2].then, POISON_DEAD_LETTER);

	ck_assert_uint_eq(def->n_cancel_on, 1);
	ck_assert_str_eq(def->cancel_on[0].topic, "stop");
	/* The same topic and the same value of its records are one channel, whoever waits. */
	ck_assert_uint_eq(strlen(def->cancel_on[0].channel), CHANNEL_SIZE - 1);
	ck_assert_str_eq(def->cancel_on[0].channel, step(def, "heard")->act.await_kafka.channel);
}
END_TEST

START_TEST(test_def_load__limits_triggers)
{
	static const char *const keys[] = {"start_on", "cancel_on"};
	CLEANUP(buf_release) struct buf yaml = {0};
	CLEANUP(buf_release) struct buf out = {0};

	buf_init(&yaml, 0);
	buf_init(&out, 0);
	buf_printf(&yaml, "saga: x\nsteps: [{id: a, set: 1}]\n%s:\n", keys[_i]);
	for (int i = 0; i < 17; i++) {
		ck_assert_uint_eq(out.len, 0);
		buf_printf(&yaml, "  - {kafka: t%d%s}\n", i,
				   _i ? ", correlate: {from: \"${event.id}\", expect: x}" : "");
		definition_findings(buf_str(&yaml), &out);
	}
	ck_assert_msg(strstr(buf_str(&out), "has more than 16 entries") != NULL, "%s", buf_str(&out));
}
END_TEST

START_TEST(test_def_load__limits_the_topic_of_dead_letters)
{
	CLEANUP(buf_release) struct buf yaml = {0};
	CLEANUP(buf_release) struct buf out = {0};
	char topic[247];

	buf_init(&yaml, 0);
	buf_init(&out, 0);
	memset(topic, 't', sizeof(topic) - 1);
	topic[sizeof(topic) - 1] = '\0';
	buf_printf(&yaml, "saga: x\nsteps: [{id: a, set: 1}]\nstart_on: [{kafka: %s", topic);
	buf_add_str(&yaml, "}]\n");
	definition_findings(buf_str(&yaml), &out);
	ck_assert_str_eq(buf_str(&out), "error /start_on/0/kafka: the topic is too long to put -dlt "
									"behind it; say `dead_letter`\n");
}
END_TEST

START_TEST(test_def_load__all_of_the_language_is_built)
{
	struct findings findings = {0};
	struct saga_def *def = NULL;
	CLEANUP(buf_release) struct buf out = {0};

	buf_init(&out, 0);
	definition_findings(whole_language, &out);
	ck_assert_msg(definition_load(whole_language, &def, &findings) == 0, "%s", buf_str(&out));
	ck_assert_uint_eq(findings.n_not_built, 0);
	saga_def_unref(def);
	findings_release(&findings);
}
END_TEST

static void check_refused(const struct refused *refused)
{
	struct findings findings = {0};
	CLEANUP(buf_release) struct buf out = {0};
	struct saga_def *def = NULL;
	char start[300];

	buf_init(&out, 0);
	definition_findings(refused->yaml, &out);
	ck_assert_int_eq(definition_load(refused->yaml, &def, &findings), ERR_INVALID);
	ck_assert_msg(findings.n_errors == 1, "%s gives %s", refused->yaml, buf_str(&out));
	snprintf(start, sizeof(start), "error %s", refused->place);
	ck_assert_msg(strstr(buf_str(&out), start) != NULL, "%s not in %s", start, buf_str(&out));
	ck_assert_msg(strstr(buf_str(&out), refused->part) != NULL, "%s not in %s", refused->part,
				  buf_str(&out));
	findings_release(&findings);
}

START_TEST(test_def_load__says_what_is_wrong_and_what_would_be_right)
{
	check_refused(&refused_structure[_i]);
}
END_TEST

START_TEST(test_def_load__finds_what_a_schema_cannot)
{
	check_refused(&refused_meaning[_i]);
}
END_TEST

static const char ten_errors[] = /* the line numbers below count these */
	"saga: ten-errors\n"
	"deadlin: 3d\n" /* 1: line 2 */
	"input: {schema: {type: object, properties: {id: {type: string}}}}\n"
	"participants:\n"
	"  bank: {timeout: 3 seconds}\n" /* 2: line 5 */
	"steps:\n"
	"  - id: hold\n"
	"    http: {to: bnak, method: POST, path: /holds}\n" /* 3: line 8 */
	"    compensate: none\n"
	"  - id: hold\n" /* 4: line 10 */
	"    set: {a: 1}\n"
	"  - id: charge\n"                                              /* 5: line 12, no compensate */
	"    needs: [hodl]\n"                                           /* 6: line 13 */
	"    http: {to: bank, method: POST, path: \"/x/${item.id}\"}\n" /* 7: line 14 */
	"    retry: {jitter: 3}\n"                                      /* 8: line 15 */
	"  - id: ship\n"
	"    when: ${input.id}\n" /* 9: line 17 */
	"    http: {to: bank, method: GET, path: /}\n"
	"output: {id: \"${steps.shipp.output}\"}\n"; /* 10: line 19 */

START_TEST(test_def_load__reports_ten_errors_of_ten)
{
	static const int lines[] = {2, 5, 8, 10, 12, 13, 14, 15, 17, 19};
	struct findings findings = {0};
	struct saga_def *def = NULL;

	ck_assert_int_eq(definition_load(ten_errors, &def, &findings), ERR_INVALID);
	ck_assert_ptr_null(def);
	ck_assert_uint_eq(findings.n_errors, 10);
	ck_assert_uint_eq(findings.n, 10);
	for (size_t i = 0; i < findings.n; i++)
		ck_assert_msg(findings.list[i].line == lines[i], "%d %s: %s", findings.list[i].line,
					  findings.list[i].pointer, findings.list[i].text);
	findings_release(&findings);
}
END_TEST

/* Each of these slips would bring others with it if it were not taken as meant. */
static const char *const single_slips[] = {
	"steps:\n  - {id: a, pivot: yes, http: {to: p, method: POST, path: /}}\n"
	"  - {id: b, http: {to: p, method: POST, path: /}}\n",
	"steps:\n  - {id: a, pivott: true, http: {to: p, method: POST, path: /}}\n"
	"  - {id: b, http: {to: p, method: POST, path: /}}\n",
	"recovery: foward\nsteps: [{id: a, http: {to: p, method: POST, path: /}}]\n",
	"steps: [{id: a, http: {to: p, method: POST, path: /}, compensat: none}]\n",
	"steps: [{id: a, http: {to: p, method: POST, path: /}, compensate: no}]\n",
	"steps: [{id: a, foreach: [1], set: \"${[item, index]}\"}]\n",
	"steps: [{id: a, set: 1}, {id: b, set: 1}, {id: c, needs: b, set: \"${steps.a.output}\"}]\n",
	"steps: [{id: a, set: 1}, {id: b, needs: [qqqq], set: \"${steps.a.output}\"},\n"
	"  {id: c, set: \"${steps.a.output}\"}]\n",
	"steps:\n  - {id: p, needs: [], pivot: true, http: {to: p, method: POST, path: /}}\n"
	"  - {id: b, needs: [p, c], http: {to: p, method: POST, path: /}}\n"
	"  - {id: c, needs: [b], http: {to: p, method: POST, path: /}}\n",
	"steps: [{id: a, when: !has(input.x), set: 1}]\n",
	"steps: [{id: a, http: {to: p, method: POTS, path: /}}]\n",
	"steps: [{id: a, http: [1]}]\n",
	"steps: [{id: 5, set: 1}]\n",
	"steps:\n  - id: a\n    when: ${input.x == 'a # b'}\n    set: 1\n",
};

START_TEST(test_def_load__one_slip_is_one_finding)
{
	CLEANUP(buf_release) struct buf yaml = {0};
	CLEANUP(buf_release) struct buf found = {0};
	int lines = 0;

	buf_init(&yaml, 0);
	buf_init(&found, 0);
	buf_printf(&yaml, "saga: x\n%s", single_slips[_i]);
	definition_findings(buf_str(&yaml), &found);
	for (const char *c = buf_str(&found); *c; c++)
		lines += *c == '\n';
	ck_assert_msg(lines == 1, "%s\n%s", buf_str(&yaml), buf_str(&found));
}
END_TEST

START_TEST(test_def_load__goes_on_behind_what_yaml_swallows)
{
	CLEANUP(buf_release) struct buf found = {0};

	buf_init(&found, 0);
	definition_findings("saga: x\n"
						"key: !a b\n"
						"steps:\n"
						"  - {id: a, set: 007, set: 1}\n"
						"  - {id: b, needs: [c], set: 1}\n",
						&found);
	ck_assert_str_eq(
		buf_str(&found),
		"error /key: !a reads as a tag of YAML; if it is an expression, write \"${!a}\"\n"
		"error /steps/0/set: 007 is a number in some readers of YAML and text in "
		"others; quote it if it is text\n"
		"error /steps/0/set: the key `set` stands here twice\n"
		"error /steps/1/needs/0: unknown step `c` in needs\n");
}
END_TEST

START_TEST(test_def_load__an_undo_that_waits_is_a_block)
{
	static const char *const waits[] = {"{await: {after: 1h}}", "{await: [{signal: s}]}"};
	CLEANUP(buf_release) struct buf yaml = {0};
	CLEANUP(buf_release) struct buf out = {0};

	buf_init(&yaml, 0);
	buf_init(&out, 0);
	buf_printf(&yaml, "saga: x\nsteps: [{id: a, set: 1, compensate: %s}]\n", waits[_i]);
	definition_findings(buf_str(&yaml), &out);
	ck_assert_str_eq(
		buf_str(&out),
		"error /steps/0/compensate: `await` undoes nothing; an undo that waits is a block, in "
		"which something may also be done: compensate: {steps: [{id: wait, await: "
		"{...}}]}\n");
	buf_clear(&out);
	buf_clear(&yaml);
	buf_printf(&yaml, "saga: x\nsteps: [{id: a, set: 1, compensate: {steps: [{id: wait, %s]}}]\n",
			   waits[_i] + 1);
	definition_findings(buf_str(&yaml), &out);
	ck_assert_str_eq(buf_str(&out), "");
}
END_TEST

START_TEST(test_def_load__limits_steps)
{
	CLEANUP(buf_release) struct buf yaml = {0};
	CLEANUP(buf_release) struct buf out = {0};

	buf_init(&yaml, 0);
	buf_init(&out, 0);
	buf_add_str(&yaml, "saga: x\nsteps:\n");
	for (int i = 0; i < 500; i++)
		buf_printf(&yaml, "  - {id: s%d, set: 1}\n", i);
	definition_findings(buf_str(&yaml), &out);
	ck_assert_str_eq(buf_str(&out), "");
	buf_add_str(&yaml, "  - {id: one_more, set: 1}\n");
	definition_findings(buf_str(&yaml), &out);
	ck_assert_str_eq(buf_str(&out), "error /steps: the saga has more than 500 steps\n");
}
END_TEST

START_TEST(test_def_load__limits_expressions_and_rules)
{
	CLEANUP(buf_release) struct buf yaml = {0};
	CLEANUP(buf_release) struct buf out = {0};

	buf_init(&yaml, 0);
	buf_init(&out, 0);
	buf_add_str(&yaml, "saga: x\nsteps:\n  - id: a\n    set: \"");
	for (int i = 0; i < DEF_MAX_EXPRS; i++)
		buf_add_str(&yaml, "${1}");
	buf_add_str(&yaml, "\"\n");
	definition_findings(buf_str(&yaml), &out);
	ck_assert_str_eq(buf_str(&out), "");
	buf_add_str(&yaml, "output: \"${1}\"\n");
	definition_findings(buf_str(&yaml), &out);
	ck_assert_str_eq(buf_str(&out), "error : the document has more than 10000 expressions\n");

	/* A hundred rules that five hundred steps take over are fifty thousand. */
	buf_clear(&yaml);
	buf_clear(&out);
	buf_add_str(&yaml, "saga: x\ndefaults: {outcome: {failure: [");
	for (int i = 0; i < 100; i++)
		buf_printf(&yaml, "%d, ", 400 + i);
	buf_add_str(&yaml, "]}}\nsteps:\n");
	for (int i = 0; i < 500; i++)
		buf_printf(&yaml, "  - {id: s%d, http: {to: p, method: GET, path: /}}\n", i);
	definition_findings(buf_str(&yaml), &out);
	ck_assert_msg(strstr(buf_str(&out), "more than 10000 rules") != NULL, "%s", buf_str(&out));
}
END_TEST

START_TEST(test_def_load__draws_the_graph)
{
	CLEANUP(saga_def_unref_p)
	struct saga_def *def =
		definition_must_load("saga: drawn\n"
							 "steps:\n"
							 "  - {id: a, needs: [], http: {to: p, method: PUT, path: /},\n"
							 "     compensate: {http: {to: p, method: DELETE, path: /}}}\n"
							 "  - {id: b, for_each: [1], set: 1}\n"
							 "  - {id: c, pivot: true, http: {to: p, method: POST, path: /}}\n"
							 "on_compensated: [{id: d, when: true, set: 1}]\n");
	CLEANUP(buf_release) struct buf out = {0};

	buf_init(&out, 0);
	ck_assert_int_eq(saga_def_graph(def, GRAPH_MERMAID, &out), 0);
	ck_assert_str_eq(buf_str(&out), "flowchart TD\n"
									"\tn0[\"a<br/>PUT p\"]\n"
									"\tu0([\"undo<br/>DELETE p\"])\n"
									"\tn0 -.- u0\n"
									"\tn1[\"b (for each)<br/>set\"]\n"
									"\tn2{{\"c<br/>POST p\"}}\n"
									"\tsubgraph after [on compensated]\n"
									"\tn3[\"d ?<br/>set\"]\n"
									"\tend\n"
									"\tn0 --> n1\n"
									"\tn1 --> n2\n");
	buf_clear(&out);
	ck_assert_int_eq(saga_def_graph(def, GRAPH_DOT, &out), 0);
	ck_assert_str_eq(buf_str(&out), "digraph \"drawn\" {\n"
									"\tnode [shape=box];\n"
									"\tn0 [label=\"a\\nPUT p\"];\n"
									"\tu0 [shape=oval, label=\"undo\\nDELETE p\"];\n"
									"\tn0 -> u0 [style=dotted, dir=none];\n"
									"\tn1 [label=\"b (for each)\\nset\"];\n"
									"\tn2 [label=\"c\\nPOST p\", shape=hexagon];\n"
									"\tsubgraph cluster_after {\n"
									"\tlabel=\"on compensated\";\n"
									"\tn3 [label=\"d ?\\nset\"];\n"
									"\t}\n"
									"\tn0 -> n1\n"
									"\tn1 -> n2\n"
									"}\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("def_load");
	TCase *tc = tcase_create("def_load");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_def_load__fills_in_what_is_not_said);
	tcase_add_test(tc, test_def_load__nearest_wins);
	tcase_add_test(tc, test_def_load__orders_outcome_rules);
	tcase_add_test(tc, test_def_load__undo_is_retried_without_end);
	tcase_add_test(tc, test_def_load__needs_are_the_step_before);
	tcase_add_test(tc, test_def_load__pivot_waits_for_all_that_does_not_depend_on_it);
	tcase_add_test(tc, test_def_load__knows_every_part_it_runs);
	tcase_add_test(tc, test_def_load__reads_commands_emissions_and_awaits);
	tcase_add_test(tc, test_def_load__reads_triggers);
	tcase_add_loop_test(tc, test_def_load__limits_triggers, 0, 2);
	tcase_add_test(tc, test_def_load__limits_the_topic_of_dead_letters);
	tcase_add_test(tc, test_def_load__all_of_the_language_is_built);
	tcase_add_loop_test(tc, test_def_load__says_what_is_wrong_and_what_would_be_right, 0,
						ARRAY_SIZE(refused_structure));
	tcase_add_loop_test(tc, test_def_load__finds_what_a_schema_cannot, 0,
						ARRAY_SIZE(refused_meaning));
	tcase_add_test(tc, test_def_load__reports_ten_errors_of_ten);
	tcase_add_loop_test(tc, test_def_load__one_slip_is_one_finding, 0, ARRAY_SIZE(single_slips));
	tcase_add_test(tc, test_def_load__goes_on_behind_what_yaml_swallows);
	tcase_add_loop_test(tc, test_def_load__an_undo_that_waits_is_a_block, 0, 2);
	tcase_add_test(tc, test_def_load__limits_steps);
	tcase_add_test(tc, test_def_load__limits_expressions_and_rules);
	tcase_add_test(tc, test_def_load__draws_the_graph);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
