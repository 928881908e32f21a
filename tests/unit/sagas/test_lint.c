#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/definition.h"

/*
 * Steps, and the only finding that they give ("" for none). GET and POST stand for http actions of
 * which the one changes nothing and the other does.
 */
#define GET "http: {to: p, method: GET, path: /}"
#define POST "http: {to: p, method: POST, path: /}"
#define DELETE "http: {to: p, method: DELETE, path: /}"
#define PROBE "probe: {http: {to: p, method: GET, path: /}}"

static const struct {
	const char *yaml, *found;
} cases[] = {
	/* needs */
	{"steps:\n  - {id: charge, set: 1}\n  - {id: b, needs: [chrage], set: 1}\n",
	 "error /steps/1/needs/0: unknown step `chrage` in needs; did you mean `charge`?"},
	{"steps:\n  - {id: a, set: 1}\n  - {id: b, needs: [zzzz], set: \"${steps.a.output}\"}\n",
	 "error /steps/1/needs/0: unknown step `zzzz` in needs"},
	{"steps:\n  - {id: a, needs: [a], set: 1}\n", "error /steps/0/needs/0: step `a` needs itself"},
	{"steps:\n  - {id: a, needs: [1], set: 1}\n",
	 "error /steps/0/needs/0: `needs` lists ids of steps, not a number"},
	{"steps:\n  - {id: a, needs: [c], set: 1}\n  - {id: b, set: 1}\n  - {id: c, set: 1}\n",
	 "error /steps/0: these steps wait for each other in a circle: a -> c -> b -> a"},
	{"steps:\n  - {id: a, set: 1}\non_compensated:\n  - {id: b, needs: [a], set: 1}\n",
	 "error /on_compensated/0/needs/0: step `a` in needs stands outside of this list; what is "
	 "outside has ended"},
	/* ids */
	{"steps:\n  - {id: a, set: 1}\n  - {id: a, set: 1}\n",
	 "error /steps/1/id: the id `a` is taken by another step"},
	{"steps:\n  - {id: a, set: 1}\non_compensated:\n  - {id: a, set: 1}\n",
	 "error /on_compensated/0/id: the id `a` is taken by another step of the forward path"},
	/* what may be read */
	{"steps:\n  - {id: a, set: 1}\n  - {id: b, set: \"${steps.a.output}\"}\n", ""},
	{"steps:\n  - {id: a, set: 1}\n  - {id: b, needs: [], set: \"${steps.a.output}\"}\n",
	 "error /steps/1/set: step `a` does not come before `b`, so it may not have ended; add it to "
	 "`needs`"},
	{"steps:\n  - {id: a, set: \"${steps.b.output}\"}\n  - {id: b, set: 1}\n",
	 "error /steps/0/set: step `b` does not come before `a`, so it may not have ended; add it to "
	 "`needs`"},
	{"steps:\n  - {id: a, set: \"${steps.a.output}\"}\n",
	 "error /steps/0/set: step `a` cannot read itself here"},
	{"steps:\n  - {id: a, " GET ", output: \"${steps.a.output}\"}\n",
	 "error /steps/0/output: step `a` cannot read itself here; what it got is `reply`"},
	{"steps:\n  - {id: charge, set: 1}\n  - {id: b, set: \"${steps.chrage.output}\"}\n",
	 "error /steps/1/set: unknown step `chrage`; did you mean `charge`?"},
	{"steps:\n  - {id: a, set: \"${steps.z.output}\"}\non_compensated: [{id: z, set: 1}]\n",
	 "error /steps/0/set: step `z` runs only after the undo"},
	{"steps:\n  - {id: a, needs: [], set: 1}\n  - {id: b, needs: [], set: 1}\n"
	 "output: [\"${steps.a.output}\", \"${steps.b.output}\"]\n",
	 ""},
	{"steps:\n  - {id: a, set: 1}\noutput: \"${item}\"\n",
	 "error /output: `item` is not available here"},
	{"steps:\n  - {id: a, for_each: \"${input.l.map(i, item)}\", set: 1}\n",
	 "error /steps/0/for_each: `item` is not available here"},
	{"steps:\n  - {id: a, for_each: [1], set: \"${[item, index]}\"}\n", ""},
	{"steps:\n  - {id: a, repeat: {until: \"${output.n == index}\", max: 3}, set: "
	 "\"${previous}\"}\n",
	 ""},
	{"steps:\n  - {id: a, set: \"${reply.body}\"}\n",
	 "error /steps/0/set: `reply` is not available here"},
	{"steps:\n  - {id: a, " GET ", tolerate: \"${failure.code == 'x'}\"}\n", ""},
	{"steps:\n  - {id: a, " GET ", tolerate: \"${size(failures) < 3}\"}\n",
	 "error /steps/0/tolerate: `failures` is not available here"},
	{"steps:\n  - {id: a, set: \"${saga.failure.code}\"}\n",
	 "error /steps/0/set: saga.failure exists only in an undo and in on_compensated"},
	{"steps:\n  - {id: a, set: \"${saga.id}\"}\non_compensated:\n"
	 "  - {id: b, set: \"${saga.failure.code}\"}\n",
	 ""},
	{"steps:\n  - {id: a, set: 1}\nkey: \"${saga.id}\"\n",
	 "error /key: `saga` is not available here"},
	{"steps:\n  - {id: a, set: \"${secret.X}\"}\n",
	 "error /steps/0/set: `secret` is not available here"},
	/* types */
	{"steps:\n  - {id: a, when: \"${size(input.x)}\", set: 1}\n",
	 "error /steps/0/when: this must give true or false, and gives int"},
	{"steps:\n  - {id: a, for_each: \"${'abc'}\", set: 1}\n",
	 "error /steps/0/for_each: this must give a list, and gives string"},
	{"steps:\n  - {id: a, " GET ", timeout: \"${[1]}\"}\n",
	 "error /steps/0/timeout: this must give a duration or a timestamp, and gives list"},
	{"steps:\n  - {id: a, " GET ", idempotency_key: \"${{'a': 1}}\"}\n",
	 "error /steps/0/idempotency_key: this must give text or a number, and gives map"},
	/* compensations */
	{"steps:\n  - {id: a, " POST "}\n",
	 "error /steps/0: step `a` has no `compensate`: before the pivot, a call that changes "
	 "something "
	 "must say how it is undone, or `compensate: none` on purpose"},
	{"steps:\n  - {id: a, " POST ", compensate: none}\n", ""},
	{"steps:\n  - {id: a, " POST ", compensate: {" DELETE "}}\n", ""},
	{"steps:\n  - {id: a, " GET "}\n  - {id: b, set: 1}\n  - {id: c, await: {after: 1s}}\n", ""},
	{"steps:\n  - {id: a, set: 1}\non_compensated:\n  - {id: b, " POST "}\n", ""},
	{"recovery: forward\nsteps:\n  - {id: a, " POST "}\n", ""},
	{"recovery: forward\nsteps:\n  - {id: a, " POST ", compensate: {" DELETE "}}\n",
	 "error /steps/0/compensate: `recovery: forward` undoes nothing, so `compensate` would never "
	 "run"},
	{"recovery: forward\nsteps:\n  - {id: a, fail: {code: x}}\n",
	 "error /steps/0/fail: with `recovery: forward` no step can fail the saga"},
	{"recovery: forward\nsteps:\n  - {id: a, set: 1}\non_compensated: [{id: b, set: 1}]\n",
	 "warning /on_compensated: with `recovery: forward` nothing is undone, so these steps never "
	 "run"},
	{"steps:\n  - {id: a, set: 1}\non_compensated:\n  - {id: b, " POST ", compensate: {" DELETE
	 "}}\n",
	 "error /on_compensated/0/compensate: what undoes is not undone itself: no `compensate` here"},
	/* the pivot */
	{"steps:\n  - {id: a, pivot: true, " POST "}\n  - {id: b, " POST "}\n", ""},
	{"steps:\n  - {id: a, pivot: true, " POST "}\n  - {id: b, needs: [], " POST "}\n",
	 "error /steps/1: step `b` has no `compensate`: before the pivot, a call that changes "
	 "something "
	 "must say how it is undone, or `compensate: none` on purpose"},
	{"steps:\n  - {id: a, pivot: true, " GET "}\n  - {id: b, pivot: true, " GET "}\n",
	 "error /steps/1/pivot: a saga has at most one pivot, and there is one above"},
	{"steps:\n  - {id: a, pivot: true, " GET "}\n  - {id: b, fail: {code: x}}\n",
	 "error /steps/1/fail: after the pivot no step can fail the saga; move it before the pivot"},
	{"steps:\n  - {id: a, pivot: true, " GET "}\n  - {id: b, " POST ", compensate: {" DELETE "}}\n",
	 "error /steps/1/compensate: after the pivot nothing is undone, so `compensate` would never "
	 "run"},
	{"steps:\n  - {id: a, pivot: true, " POST ", compensate: {" DELETE "}}\n",
	 "error /steps/0/compensate: the pivot is never undone, so `compensate` would never run"},
	{"steps:\n  - {id: a, pivot: true, " GET "}\n  - {id: b, " POST
	 ", retry: {on_exhausted: fail}}\n",
	 "error /steps/1/retry/on_exhausted: here no step can fail the saga: say park, or tolerate the "
	 "failure"},
	{"steps:\n  - {id: a, pivot: true, " GET "}\n  - {id: b, " POST
	 ", tolerate: true, retry: {on_exhausted: fail}}\n",
	 ""},
	{"steps:\n  - {id: a, set: 1}\non_compensated:\n  - {id: b, pivot: true, set: 1}\n",
	 "error /on_compensated/0/pivot: there is no way back to close where things are undone"},
	/* what an undo may read */
	{"steps:\n  - id: a\n    " POST "\n    compensate:\n"
	 "      http: {to: p, method: DELETE, path: "
	 "\"/${step.uuid}/${input.x}/${saga.failure.code}\"}\n",
	 ""},
	{"steps:\n  - id: a\n    " POST "\n    compensate:\n"
	 "      http: {to: p, method: DELETE, path: \"/${reply.body.id}\"}\n",
	 "error /steps/0/compensate/http/path: `reply` may not exist when step `a` is undone, for it "
	 "may "
	 "end with its outcome unknown; name what is undone by step.key, step.uuid or input, or give "
	 "the step a `probe`"},
	{"steps:\n  - id: a\n    " POST "\n    compensate:\n"
	 "      http: {to: p, method: DELETE, path: \"/${steps.a.output.id}\"}\n",
	 "error /steps/0/compensate/http/path: `output` may not exist when step `a` is undone, for it "
	 "may end with its outcome unknown; name what is undone by step.key, step.uuid or input, or "
	 "give the step a `probe`"},
	{"steps:\n  - id: a\n    " POST
	 "\n    compensate:\n      when: \"${steps.a.?output.id.orValue(null) "
	 "!= null}\"\n      " DELETE "\n",
	 ""},
	{"steps:\n  - id: a\n    " POST "\n    compensate:\n      when: \"${steps.a.status == "
	 "'completed'}\"\n      " DELETE "\n",
	 ""},
	{"steps:\n  - id: a\n    " POST "\n    " PROBE "\n    compensate:\n"
	 "      http: {to: p, method: DELETE, path: \"/${reply.body.id}/${steps.a.output.id}\"}\n",
	 ""},
	{"steps:\n  - id: a\n    " POST "\n    " PROBE "\n    compensate:\n"
	 "      http: {to: p, method: DELETE, path: \"/${reply.body.id}\", body: "
	 "\"${saga.failure.code}\"}\n",
	 "error /steps/0/compensate/http/path: this undo reads saga.failure, so its request is made "
	 "when "
	 "undo begins, and `reply` is gone by then; keep what it needs in `output`"},
	{"steps:\n  - id: a\n    " POST "\n    " PROBE "\n    compensate:\n"
	 "      http: {to: p, method: DELETE, path: \"/${output.id}\", body: "
	 "\"${saga.failure.code}\"}\n",
	 ""},
	{"steps:\n  - id: a\n    " POST "\n    " PROBE "\n    compensate:\n"
	 "      when: \"${reply.status == 201}\"\n      " DELETE "\n",
	 "error /steps/0/compensate/when: `reply` is not available here"},
	{"steps:\n  - id: a\n    for_each: [1]\n    " POST "\n    " PROBE "\n    compensate:\n"
	 "      http: {to: p, method: DELETE, path: \"/${steps.a.output.id}\"}\n",
	 "error /steps/0/compensate/http/path: the undo of one item of `a` cannot read the whole step; "
	 "its own part is `output`"},
	{"steps:\n  - id: a\n    " POST "\n    compensate:\n      " DELETE
	 "\n      outcome: {success: [\"${reply.body.gone == true}\"]}\n      output: "
	 "\"${reply.body}\"\n",
	 ""},
	/* codes */
	{"steps:\n  - {id: a, " GET ", outcome: {failure: [gone, http_410]}}\n",
	 "warning /steps/0: the outcome `gone` is an error code, and no `code` says where a reply has "
	 "one; write outcome: {code: \"${reply.body.code}\"}"},
	{"steps:\n  - {id: a, " GET ", outcome: {failure: [gone], code: \"${reply.body.code}\"}}\n",
	 ""},
	/* Kafka */
	{"steps:\n  - {id: a, command: {to: p, type: T}, compensate: none}\n", ""},
	{"steps:\n  - {id: a, command: {to: p, type: T},\n"
	 "     compensate: {command: {to: p, type: U}, outcome: {success: [NoSuchHold]}}}\n",
	 ""},
	{"steps:\n  - {id: a, command: {to: p, type: T}, compensate: none,\n"
	 "     outcome: {success: [AlreadyDone], failure: [\"${reply.code == 'x'}\", 409]}}\n",
	 "warning /steps/0/outcome/failure/1: a reply over Kafka has no status, so this never "
	 "matches; name an error code, or write an expression over `reply`"},
	{"steps:\n  - {id: a, command: {to: p, type: T},\n"
	 "     compensate: {command: {to: p, type: U}, outcome: {success: [2xx]}}}\n",
	 "warning /steps/0/compensate/outcome/success/0: a reply over Kafka has no status, so this "
	 "never matches; name an error code, or write an expression over `reply`"},
	{"steps:\n  - {id: a, " POST ", compensate: none,\n"
	 "     probe: {command: {to: p, type: G}, outcome: {absent: [404]}}}\n",
	 "warning /steps/0/probe/outcome/absent/0: a reply over Kafka has no status, so this never "
	 "matches; name an error code, or write an expression over `reply`"},
	/* What participants and defaults say may be meant for others. */
	{"defaults: {outcome: {success: [2xx, 404]}}\nparticipants: {p: {outcome: {failure: [409]}}}\n"
	 "steps:\n  - {id: a, command: {to: p, type: T}, compensate: none}\n",
	 ""},
	{"steps:\n  - {id: a, command: {to: p, type: T}, probe: {command: {to: p, type: G}},\n"
	 "     compensate: {command: {to: p, type: U, data: \"${reply.body.id}\"}}}\n",
	 ""},
	/* An emission is done with the commit that says so, so its output is always known. */
	{"steps:\n  - {id: a, emit: {topic: t, type: T},\n"
	 "     compensate: {emit: {topic: t, type: U, data: \"${[output, saga.failure.code]}\"}}}\n",
	 ""},
	{"steps:\n  - {id: a, emit: {topic: t, type: T}, output: {n: 1}, compensate: none}\n", ""},
	{"steps:\n  - {id: a, emit: {topic: t, type: T}, output: \"${reply.body}\", compensate: "
	 "none}\n",
	 "error /steps/0/output: `reply` is not available here"},
	{"steps:\n  - {id: a, emit: {topic: t, type: T}, compensate: none, timeout: 3s}\n",
	 "warning /steps/0/timeout: `timeout` has no effect on `emit`"},
	{"steps:\n  - {id: a, pivot: true, command: {to: p, type: T}}\n"
	 "  - {id: b, emit: {topic: t, type: T}}\n  - {id: c, command: {to: p, type: T}}\n",
	 ""},
	{"steps:\n  - {id: a, set: 1}\non_compensated:\n  - {id: b, emit: {topic: t, type: T, data: "
	 "\"${saga.failure.code}\"}}\n",
	 ""},
	{"steps:\n  - id: a\n    for_each: ${input.l}\n    await: {kafka: t, when: \"${event.data.n > "
	 "item.n}\",\n      correlate: {from: \"${event.data.id}\", expect: \"${item.id}\"}}\n"
	 "    output: \"${[event.key, item]}\"\n    tolerate: \"${failure.code == 'timeout'}\"\n",
	 ""},
	/* modifiers that do nothing */
	{"steps:\n  - {id: a, set: 1, timeout: 3s}\n",
	 "warning /steps/0/timeout: `timeout` has no effect on `set`"},
};

START_TEST(test_lint__finds)
{
	CLEANUP(buf_release) struct buf yaml = {0};
	CLEANUP(buf_release) struct buf found = {0};
	CLEANUP(buf_release) struct buf wanted = {0};

	buf_init(&yaml, 0);
	buf_init(&found, 0);
	buf_init(&wanted, 0);
	buf_printf(&yaml, "saga: x\ndeadline: 1h\n%s", cases[_i].yaml);
	if (*cases[_i].found)
		buf_printf(&wanted, "%s\n", cases[_i].found);
	definition_findings(buf_str(&yaml), &found);
	ck_assert_msg(strcmp(buf_str(&found), buf_str(&wanted)) == 0, "%s\ngives  %s\nwanted %s",
				  buf_str(&yaml), buf_str(&found), buf_str(&wanted));
}
END_TEST

static const struct {
	const char *steps, *error;
} blocks[] = {
	{"  - id: outer\n    for_each: [1]\n    steps:\n      - {id: a, set: \"${item}\"}\n"
	 "      - {id: b, set: \"${[steps.a.output, steps.first.output]}\"}\n"
	 "    output: \"${steps.b.output}\"\n",
	 NULL},
	{"  - id: outer\n    steps:\n      - {id: a, set: \"${item}\"}\n",
	 "/steps/1/steps/0/set: `item` is not available here"},
	{"  - id: outer\n    steps:\n      - {id: a, " POST "}\n",
	 "/steps/1/steps/0: step `a` has no `compensate`"},
	{"  - id: outer\n    steps:\n      - {id: first, set: 1}\n",
	 "/steps/1/steps/0/id: the id `first` is taken by another step around this block"},
	{"  - id: outer\n    steps:\n      - {id: a, needs: [first], set: 1}\n",
	 "/steps/1/steps/0/needs/0: step `first` in needs stands outside of this list; what is outside "
	 "is waited for by the block"},
	{"  - id: outer\n    steps:\n      - {id: a, set: \"${steps.outer.output}\"}\n",
	 "/steps/1/steps/0/set: step `outer` cannot read itself here"},
	{"  - {id: outer, steps: [{id: a, set: 1}]}\n  - {id: c, set: \"${steps.a.output}\"}\n",
	 "/steps/2/set: step `a` is inside the block `outer`"},
	{"  - id: outer\n    steps: [{id: a, pivot: true, " GET "}]\n",
	 "/steps/1: step `outer` has no `compensate`: before the pivot, a block with a pivot"},
	{"  - {id: p, pivot: true, " GET "}\n  - {id: outer, steps: [{id: a, " POST "}]}\n", NULL},
	{"  - {id: p, pivot: true, " GET "}\n  - {id: outer, steps: [{id: a, fail: {code: x}}]}\n",
	 "/steps/2/steps/0/fail: after the pivot no step can fail the saga"},
	{"  - {id: t, task: q}\n", "/steps/1: step `t` has no `compensate`: before the pivot, task"},
	{"  - {id: t, emit: {topic: t, type: T}}\n", "/steps/1: step `t` has no `compensate`"},
	{"  - {id: t, saga: child}\n", NULL},
	/* the input of a child */
	{"  - {id: t, saga: child, with: {a: 3}}\n", NULL},
	{"  - {id: t, saga: child, with: \"${steps.first.output}\"}\n", NULL},
	{"  - {id: t, saga: child, with: 3}\n", "/steps/1/with: `with` must be an object such as "
											"{order: \"${input.id}\"}, or one ${expression} "
											"that gives one, not a number"},
	{"  - {id: t, saga: child, with: [3]}\n", "/steps/1/with: `with` must be an object"},
	{"  - {id: t, saga: child, with: \"a ${input.b}\"}\n",
	 "/steps/1/with: `with` must be an object"},
	{"  - {id: t, saga: child, with: \"${1 + 2}\"}\n",
	 "/steps/1/with: this must give an object, and gives int"},
	{"  - {id: t, saga: child, compensate: {saga: other, with: 3}}\n",
	 "/steps/1/compensate/with: `with` must be an object"},
	{"  - {id: t, task: q, with: 3, compensate: none}\n", NULL},
	/* a heartbeat that comes after the lease has ended */
	{"  - {id: t, task: q, timeout: 10s, heartbeat: 10s, compensate: none}\n", NULL},
	{"  - {id: t, task: q, timeout: 10s, heartbeat: 11s, compensate: none}\n",
	 "/steps/1/heartbeat: `heartbeat` is longer than the `timeout` of the task, so no word would "
	 "ever "
	 "be due; say a shorter one"},
	{"  - {id: t, task: q, heartbeat: 11s, compensate: none}\ndefaults: {timeout: 10s}\n",
	 "/steps/1/heartbeat: `heartbeat` is longer than the `timeout` of the task, which `defaults` "
	 "gives"},
	{"  - {id: t, task: q, heartbeat: 20m, compensate: none}\n", NULL},
	{"  - {id: t, task: q, timeout: \"${input.t}\", heartbeat: 20m, compensate: none}\n", NULL},
	{"  - {id: t, task: q, compensate: {task: q, timeout: 1s, heartbeat: 2s}}\n",
	 "/steps/1/compensate/heartbeat: `heartbeat` is longer"},
	/* what a block answers for */
	{"  - id: outer\n    compensate: none\n    steps:\n      - {id: inner, steps: [{id: a, pivot: "
	 "true, " GET "}]}\n",
	 NULL},
	{"  - id: outer\n    steps:\n      - {id: inner, steps: [{id: a, pivot: true, " GET "}]}\n",
	 "/steps/1/steps/0: step `inner` has no `compensate`: before the pivot, a block with a pivot"},
};

START_TEST(test_lint__looks_into_blocks)
{
	CLEANUP(buf_release) struct buf yaml = {0};
	CLEANUP(buf_release) struct buf found = {0};
	struct findings findings = {0};
	struct saga_def *def;

	buf_init(&yaml, 0);
	buf_init(&found, 0);
	buf_printf(&yaml, "saga: x\nsteps:\n  - {id: first, set: 1}\n%s", blocks[_i].steps);
	definition_findings(buf_str(&yaml), &found);
	if (definition_load(buf_str(&yaml), &def, &findings) == 0)
		saga_def_unref(def);
	ck_assert_msg(findings.n_errors == (blocks[_i].error ? 1 : 0), "%s\n%s", buf_str(&yaml),
				  buf_str(&found));
	ck_assert_msg(!blocks[_i].error || strstr(buf_str(&found), blocks[_i].error) != NULL, "%s\n%s",
				  buf_str(&yaml), buf_str(&found));
	findings_release(&findings);
}
END_TEST

/* Without a deadline of the saga. */
static const struct {
	const char *yaml;
	bool warns;
} unlimited[] = {
	{"saga: x\nsteps: [{id: b, set: 1}, {id: a, " GET "}, {id: c, " GET "}]\n", true},
	{"saga: x\nsteps: [{id: a, " GET ", deadline: 1m}]\n", false},
	{"saga: x\nsteps: [{id: a, " GET ", retry: {maximum_attempts: 3}}]\n", false},
	{"saga: x\ndefaults: {deadline: 1m}\nsteps: [{id: a, " GET "}]\n", false},
	{"saga: x\nrecovery: forward\nsteps: [{id: a, " GET "}]\n", false},
	{"saga: x\nsteps: [{id: b, pivot: true, " GET "}, {id: a, " GET "}]\n", false},
	{"saga: x\ndeadline: 1d\nsteps: [{id: a, " GET "}]\n", false},
	{"saga: x\nsteps: [{id: b, emit: {topic: t, type: T}, compensate: none},\n"
	 "  {id: a, command: {to: p, type: T}, compensate: none}]\n",
	 true},
};

START_TEST(test_lint__warns_of_waiting_without_end)
{
	CLEANUP(buf_release) struct buf found = {0};

	buf_init(&found, 0);
	definition_findings(unlimited[_i].yaml, &found);
	ck_assert_str_eq(
		buf_str(&found),
		unlimited[_i].warns
			? "warning /steps/1: step `a` is retried without end while its participant is "
			  "away; say `deadline` for the saga or the step, or `maximum_attempts`\n"
			: "");
}
END_TEST

START_TEST(test_lint__checks_fields_against_the_input_schema)
{
	CLEANUP(buf_release) struct buf found = {0};

	buf_init(&found, 0);
	definition_findings("saga: x\n"
						"input: {schema: {type: object, properties: {n: {type: integer},\n"
						"  l: {type: array, items: {type: object, properties: {sku: {}},\n"
						"  additionalProperties: false}}}, additionalProperties: false}}\n"
						"steps:\n"
						"  - {id: a, when: \"${input.n > 3}\", set: \"${input.m}\"}\n"
						"  - {id: b, when: \"${input.n}\", set: \"${input.l[0].sku}\"}\n"
						"  - {id: c, for_each: \"${input.l}\", set: \"${item.sku}\"}\n",
						&found);
	ck_assert_msg(strstr(buf_str(&found), "error /steps/0/set: `input` has no field `m`") != NULL,
				  "%s", buf_str(&found));
	ck_assert_msg(strstr(buf_str(&found), "error /steps/1/when: this must give true or false") !=
					  NULL,
				  "%s", buf_str(&found));
	ck_assert_ptr_null(strstr(buf_str(&found), "/steps/2"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lint");
	TCase *tc = tcase_create("lint");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_lint__finds, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, test_lint__looks_into_blocks, 0, ARRAY_SIZE(blocks));
	tcase_add_loop_test(tc, test_lint__warns_of_waiting_without_end, 0, ARRAY_SIZE(unlimited));
	tcase_add_test(tc, test_lint__checks_fields_against_the_input_schema);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
