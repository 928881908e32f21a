/*
 * Definitions that the tests of the loader and those of schemas/saga.schema.json both look at, so
 * that the two are held to the same verdicts.
 */
#ifndef TESTS_SUPPORT_DEFINITION_CASES_H
#define TESTS_SUPPORT_DEFINITION_CASES_H

/* A definition that uses the whole language: nothing in it is an error. */
static const char whole_language[] =
	"saga: whole\n"
	"key: ${input.id}\n"
	"key_reuse: after_undo\n"
	"deadline: 3d\n"
	"escalate: [{after: 1d, groups: [leads]}, {after: 2d, http: {to: p, method: POST, path: "
	"/late}}]\n"
	"input: {schema: {type: object, required: [id]}}\n"
	"start_on:\n"
	"  - {kafka: orders, cluster: eu, group: g, from: latest, when: \"${event.type == 'x'}\",\n"
	"     input: \"${event.data}\", key: \"${event.subject}\", dead_letter: orders-dead,\n"
	"     poison: {retry: {maximum_attempts: 5, initial_interval: 1s, backoff_coefficient: 2,\n"
	"                      maximum_interval: 1m}, then: pause}}\n"
	"  - {kafka: plain, poison: skip}\n"
	"  - {schedule: \"0 3 * * *\", time_zone: Europe/Berlin, overlap: skip, catch_up: 2h, name: "
	"nightly, input: {id: 1}}\n"
	"cancel_on:\n"
	"  - {kafka: cancels, cluster: eu, when: \"${event.data.final && input.id != 'x'}\",\n"
	"     correlate: {from: \"${event.id}\", expect: \"${input.id}\"}}\n"
	"  - {signal: stop, when: \"${event.data.n > 1 && input.id != 'x'}\"}\n"
	"participants: {p: {}, k: {timeout: 30s}}\n"
	"steps:\n"
	"  - {id: locked, lock: {keys: [\"a:${input.id}\"], release_after: paid}, timeout: 10m}\n"
	"  - id: asked\n"
	"    command: {to: k, key: \"${input.id}\", type: Reserve, data: {a: 1},\n"
	"              headers: {tenant: \"${input.id}\", n: 1, b: true}}\n"
	"    outcome: {failure: [Refused, \"${reply.code == 'x' && reply.type == 'No'}\"]}\n"
	"    probe: {command: {to: k, type: Get}, every: 5s, outcome: {absent: [NotFound]}}\n"
	"    compensate: {command: {to: k, type: Release}, escalate: [{after: 10m}]}\n"
	"  - {id: told, emit: {topic: t, cluster: eu, key: k, type: Told, data: {a: 1},\n"
	"     headers: {correlation-id: \"${input.id}\"}}, compensate: {emit: {topic: t, type: "
	"Untold}}}\n"
	"  - {id: heard, await: {kafka: s, cluster: eu, when: \"${event.key == input.id}\",\n"
	"     correlate: {from: \"x-${event.data.id}\", expect: \"x-${input.id}\"}},\n"
	"     output: \"${event.data}\", timeout: 1d}\n"
	"  - id: worked\n"
	"    task: {queue: q, route: \"${input.id}\"}\n"
	"    with: {a: \"${env.REGION}\"}\n"
	"    heartbeat: 30s\n"
	"    compensate:\n"
	"      steps:\n"
	"        - {id: first, http: {to: p, method: DELETE, path: /a}}\n"
	"        - {id: then, task: cleanup, with: {why: \"${saga.failure.code}\"}}\n"
	"  - id: signed\n"
	"    await: [{signal: signed}, {kafka: s, correlate: {from: \"${event.id}\", expect: "
	"\"${input.id}\"}},\n"
	"            {webhook: p, when: \"${event.type == 'x'}\",\n"
	"             correlate: {from: \"${event.data.ref}\", expect: \"${input.id}\"}}, {after: "
	"2h}]\n"
	"  - {id: allowed, approval: {title: \"Order ${input.id}\", groups: [sales], approve: 2, "
	"reject: 1,\n"
	"     exclude: [\"${input.by}\"], show: {a: 1}, form: {type: object}}, timeout: 1d}\n"
	"  - id: paid\n"
	"    repeat: {until: \"${output.ok}\", max: 3}\n"
	"    steps:\n"
	"      - {id: pay, saga: payment, with: {n: \"${index}\"}, tolerate: true}\n"
	"      - {id: look, when: \"${steps.pay.status == 'failed'}\", await: {signal: card}}\n"
	"    output: {ok: \"${steps.pay.status == 'completed'}\"}\n"
	"  - id: sent\n"
	"    pivot: true\n"
	"    http: {to: p, method: POST, path: /s, headers: {Authorization: \"Bearer "
	"${secret.TOKEN}\"},\n"
	"           body: {hook: \"${step.callback_url}\"}}\n"
	"on_compensated: [{id: sorry, emit: {topic: t, type: Sorry, data: \"${saga.failure}\"}}]\n";

/* One finding each: its pointer and a part of its text. HEAD stands before, with one step `a`. */
#define HEAD "saga: x\nparticipants: {stock: {}}\nsteps:\n  - {id: a, set: {n: 1}}\n"

struct refused {
	const char *yaml, *place, *part;
};

static const struct refused refused_structure[] = {
	{"steps: [{id: a, set: 1}]\n", ": ", "`saga` is missing"},
	{"saga: x\n", ": ", "`steps` is missing"},
	{"saga: x\nsteps: []\n", "/steps: ", "lists no step"},
	{"saga: x\nsteps: {a: 1}\n", "/steps: ", "must be a list"},
	{"- a\n", ": ", "must be an object, not a list"},
	{HEAD "  - {id: b, saga: c, with: 3}\n", "/steps/1/with: ", "must be an object"},
	{HEAD "  - {id: b, set: 1, compensate: {saga: c, with: [3]}}\n",
	 "/steps/1/compensate/with: ", "must be an object"},
	{HEAD "cancel_on: [{signal: s, correlate: {from: \"${event.id}\", expect: x}}]\n",
	 "/cancel_on/0/correlate: ", "unknown key"},
	{HEAD "cancel_on: [{signal: s, kafka: k}]\n", "/cancel_on/0/kafka: ", "unknown key"},
	{HEAD "stepz: 1\n", "/stepz: ", "did you mean `steps`?"},
	{HEAD "quux: 1\n", "/quux: ", "it may have: saga, key"},
	{"saga: Order\nsteps: [{id: a, set: 1}]\n", "/saga: ", "must match [a-z][a-z0-9_-]*"},
	{HEAD "key: 5\n", "/key: ", "must be text, not a number"},
	{HEAD "deadline: soon\n", "/deadline: ", "is not a duration"},
	{HEAD "deadline: 30\n", "/deadline: ", "a duration such as 200ms"},
	{HEAD "deadline: 0s\n", "/deadline: ", "longer than nothing"},
	{HEAD "recovery: forwards\n", "/recovery: ", "must be forward; did you mean `forward`?"},
	{HEAD "key_reuse: always\n", "/key_reuse: ", "must be never or after_undo"},
	{HEAD "labels: [a]\n", "/labels: ", "must be an object"},
	{HEAD "labels: {a: [1]}\n", "/labels/a: ", "a label must be text"},
	{HEAD "search: {a: {b: 1}}\n", "/search/a: ", "must be text or a number"},
	{HEAD "input: {shema: {}}\n", "/input/shema: ", "did you mean `schema`?"},
	{HEAD "defaults: {timeout: 3s, retrys: 3}\n", "/defaults/retrys: ", "did you mean `retry`?"},
	{HEAD "defaults: {retry: {max_attempts: 3}}\n",
	 "/defaults/retry/max_attempts: ", "did you mean `maximum_attempts`?"},
	{HEAD "defaults: {retry: {jitter: 2}}\n", "/defaults/retry/jitter: ", "from 0 to 1"},
	{HEAD "defaults: {retry: {backoff_coefficient: 0.5}}\n",
	 "/defaults/retry/backoff_coefficient: ", "from 1 to 100"},
	{HEAD "defaults: {retry: {maximum_attempts: -1}}\n",
	 "/defaults/retry/maximum_attempts: ", "from 0 to"},
	{HEAD "defaults: {retry: {on_exhausted: stop}}\n",
	 "/defaults/retry/on_exhausted: ", "must be fail or park"},
	{HEAD "defaults: {retry: {initial_interval: 1}}\n",
	 "/defaults/retry/initial_interval: ", "must be a duration"},
	{HEAD "defaults: {outcome: {success: 404}}\n", "/defaults/outcome/success: ", "must be a list"},
	{HEAD "defaults: {outcome: {success: [700]}}\n",
	 "/defaults/outcome/success/0: ", "from 100 to 599"},
	{HEAD "defaults: {outcome: {success: [[]]}}\n",
	 "/defaults/outcome/success/0: ", "lists statuses"},
	{HEAD "defaults: {outcome: {absent: [404]}}\n",
	 "/defaults/outcome/absent: ", "outcome of a probe only"},
	{HEAD "defaults: {outcome: {success: [\"${reply.status}0\"]}}\n",
	 "/defaults/outcome/success/0: ", "one expression"},
	{HEAD "  - {id: B, set: 1}\n", "/steps/1/id: ", "must match [a-z][a-z0-9_]*"},
	{HEAD "  - {id: b-c, set: 1}\n", "/steps/1/id: ", "must match [a-z][a-z0-9_]*"},
	{HEAD "  - {id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, set: 1}\n",
	 "/steps/1/id: ", "at most 64"},
	{HEAD "  - {set: 1}\n", "/steps/1: ", "`id` is missing"},
	{HEAD "  - b\n", "/steps/1: ", "a step must be an object"},
	{HEAD "  - {id: b}\n", "/steps/1: ", "step `b` has no action"},
	{HEAD "  - {id: b, htp: {to: stock}}\n", "/steps/1/htp: ", "did you mean `http`?"},
	{HEAD "  - {id: b, set: 1, fail: {code: x}}\n", "/steps/1/fail: ", "two actions"},
	{HEAD "  - {id: b, http: {to: stock, method: get, path: /}}\n",
	 "/steps/1/http/method: ", "did you mean `GET`?"},
	{HEAD "  - {id: b, http: {to: stock, method: GET}}\n", "/steps/1/http: ", "`path` is missing"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: x}}\n",
	 "/steps/1/http/path: ", "must begin with /"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: \"/x?a=1\"}}\n",
	 "/steps/1/http/path: ", "may not hold ?"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: /, headers: {Host: x}}}\n",
	 "/steps/1/http/headers/Host: ", "cannot be set here"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: /, headers: {\"a b\": x}}}\n",
	 "/steps/1/http/headers/a b: ", "not the name of a header"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: /, query: {a: [1]}}}\n",
	 "/steps/1/http/query/a: ", "must be text or a number"},
	{HEAD "  - {id: b, http: {to: stock, method: PUT, path: /, content_type: text/plain},\n"
		  "     compensate: none}\n",
	 "/steps/1/http/content_type: ", "must be application/json"},
	{HEAD "  - {id: b, fail: {message: m}}\n", "/steps/1/fail: ", "`code` is missing"},
	{HEAD "  - {id: b, when: input.x > 3, set: 1}\n",
	 "/steps/1/when: ", "write \"${input.x > 3}\""},
	{HEAD "  - {id: b, when: 1, set: 1}\n", "/steps/1/when: ", "true, false or one ${expression}"},
	{HEAD "  - {id: b, for_each: 3, set: 1}\n", "/steps/1/for_each: ", "must be a list"},
	{HEAD "  - {id: b, max_parallel: 2, set: 1}\n", "/steps/1/max_parallel: ", "there is none"},
	{HEAD "  - {id: b, for_each: [1], max_parallel: 0, set: 1}\n",
	 "/steps/1/max_parallel: ", "from 1 to 1000"},
	{HEAD "  - {id: b, repeat: {until: \"${output.x}\"}, set: 1}\n",
	 "/steps/1/repeat: ", "`max` is missing"},
	{HEAD "  - {id: b, repeat: {until: \"${output.x}\", max: 0}, set: 1}\n",
	 "/steps/1/repeat/max: ", "from 1 to 1000"},
	{HEAD "  - {id: b, repeat: {until: \"${output.x}\", max: 2}, for_each: [1], set: 1}\n",
	 "/steps/1/repeat: ", "put the repeat into a `steps` block"},
	{HEAD "  - {id: b, needs: a, set: 1}\n", "/steps/1/needs: ", "such as [a]"},
	{HEAD "  - {id: b, pivot: yes, set: 1}\n", "/steps/1/pivot: ", "true or false"},
	{HEAD "  - {id: b, compensate: nothing, set: 1}\n", "/steps/1/compensate: ", "or none"},
	{HEAD "  - {id: b, compensate: {http: {to: stock, method: GET, path: /}, compensate: none}, "
		  "set: 1}\n",
	 "/steps/1/compensate/compensate: ", "cannot be undone"},
	{HEAD "  - {id: b, compensate: {set: 1}, set: 1}\n",
	 "/steps/1/compensate: ", "`set` undoes nothing"},
	{HEAD "  - {id: b, set: 1, probe: {http: {to: stock, method: GET, path: /}}}\n",
	 "/steps/1/probe: ", "belongs to `http` or `command`"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: /}, probe: {every: 5s}}\n",
	 "/steps/1/probe: ", "no action"},
	{HEAD "  - {id: b, await: {}}\n", "/steps/1/await: ", "must say one of signal"},
	{HEAD "  - {id: b, await: {after: 2h, signal: x}}\n", "/steps/1/await: ", "must say one of"},
	{HEAD "  - {id: b, await: {after: 2 hours}}\n", "/steps/1/await/after: ", "is not a duration"},
	{HEAD "  - {id: b, set: 1, timeout: 1s, unit: 3}\n", "/steps/1/unit: ", "unknown key `unit`"},
	{HEAD "search: [a]\n", "/search: ", "must be an object of names and values"},
	{"saga: x\nsteps: [{id: a, set: 1}]\nparticipants: [stock]\n",
	 "/participants: ", "must be an object such as"},
	{"saga: x\nsteps: [{id: a, set: 1}]\nparticipants: {Stock: {}}\n",
	 "/participants/Stock: ", "must match [a-z]"},
	{HEAD "defaults: {retry: {non_retryable: x}}\n",
	 "/defaults/retry/non_retryable: ", "must be a list"},
	{HEAD "defaults: {outcome: {success: [\"\"]}}\n",
	 "/defaults/outcome/success/0: ", "empty text"},
	{HEAD "  - {id: \"\", set: 1}\n", "/steps/1/id: ", "`id` is empty"},
	{HEAD "  - {id: b, when: \"${true}${true}x\", set: 1}\n",
	 "/steps/1/when: ", "write \"${${true}${true}x}\""},
	{HEAD "  - {id: b, http: {to: 5, method: GET, path: /}}\n",
	 "/steps/1/http/to: ", "must be text, not a number"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: true}}\n",
	 "/steps/1/http/path: ", "must be text, not true"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: \"/a b\"}}\n",
	 "/steps/1/http/path: ", "may not hold blanks"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: \"/a#b\"}}\n",
	 "/steps/1/http/path: ", "may not hold #"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: /, query: a=1}}\n",
	 "/steps/1/http/query: ", "must be an object of names and values"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: /, content_type: 5}}\n",
	 "/steps/1/http/content_type: ", "must be text"},
	{HEAD "  - {id: b, repeat: {until: true, max: 2}, set: 1}\n",
	 "/steps/1/repeat/until: ", "must be one ${expression} over `output`"},
	{HEAD "  - {id: b, repeat: 3, set: 1}\n", "/steps/1/repeat: ", "repeat must be an object"},
	{HEAD "  - {id: b, http: {to: stock, method: GET, path: /}, probe: 5s}\n",
	 "/steps/1/probe: ", "probe must be an object"},
	{HEAD
	 "  - {id: b, http: {to: stock, method: GET, path: /}, probe: {command: {to: stock, type: T},\n"
	 "     http: {to: stock, method: GET, path: /}}}\n",
	 "/steps/1/probe: ", "two actions"},
	{HEAD "  - {id: b, await: {after: 2h, when: true}}\n",
	 "/steps/1/await/when: ", "no meaning beside `after`"},
	{HEAD "  - {id: b, await: []}\n", "/steps/1/await: ", "lists nothing to wait for"},
	{HEAD "  - {id: b, await: 2h}\n", "/steps/1/await: ", "such as {after: 2h}"},
	{HEAD "  - {id: b, await: {kafka: t}}\n", "/steps/1/await: ", "`correlate` is missing"},
	{HEAD "  - {id: b, await: {webhook: t}}\n", "/steps/1/await: ", "`correlate` is missing"},
	{HEAD "  - {id: b, await: {webhook: T!, correlate: {from: \"${event.id}\", expect: x}}}\n",
	 "/steps/1/await/webhook: ", "the source of a webhook"},
	{HEAD "  - {id: b, await: {webhook: t, cluster: c, correlate: {from: \"${event.id}\", expect: "
		  "x}}}\n",
	 "/steps/1/await/cluster: ", "no meaning beside `webhook`"},
	{HEAD "  - {id: b, await: [{signal: s}, {signal: t, kafka: u}]}\n",
	 "/steps/1/await/1: ", "in a list the first that comes wins"},
	{HEAD "  - {id: b, lock: {keys: []}}\n", "/steps/1/lock/keys: ", "lists nothing to lock"},
	{HEAD "  - {id: b, set: 1, escalate: [{after: 1h, emit: {topic: t, type: T}, task: q}]}\n",
	 "/steps/1/escalate/0: ", "does one thing"},
	{HEAD "  - {id: b, set: 1, escalate: {after: 1h}}\n", "/steps/1/escalate: ", "must be a list"},
	{HEAD "start_on: {kafka: t}\n", "/start_on: ", "must be a list"},
	{HEAD "start_on: [{kafka: t, poison: stop}]\n",
	 "/start_on/0/poison: ", "must be dead_letter, pause or skip"},
	{HEAD "start_on: [{kafka: t, poison: {than: skip}}]\n",
	 "/start_on/0/poison/than: ", "did you mean `then`?"},
	{HEAD "start_on: [{kafka: t, poison: {retry: {maximum_attempts: 0}}}]\n",
	 "/start_on/0/poison/retry/maximum_attempts: ", "from 1 to 1000"},
	{HEAD "start_on: [{kafka: t, poison: {retry: {jitter: 0.5}}}]\n",
	 "/start_on/0/poison/retry/jitter: ", "it may have: maximum_attempts"},
	{HEAD "start_on: [{kafka: t, poison: {retry: {backoff_coefficient: 0}}}]\n",
	 "/start_on/0/poison/retry/backoff_coefficient: ", "from 1 to 100"},
	{HEAD "start_on: [{kafka: t, from: begin}]\n",
	 "/start_on/0/from: ", "must be earliest or latest"},
	{HEAD "start_on: [{kafka: \"a b\"}]\n",
	 "/start_on/0/kafka: ", "letters, digits, `.`, `_` and `-`"},
	{HEAD "start_on: [{kafka: ..}]\n", "/start_on/0/kafka: ", "is not `.` or `..`"},
	{HEAD "start_on: [{kafka: t, cluster: EU}]\n", "/start_on/0/cluster: ", "must match [a-z]"},
	{HEAD "start_on: [{kafka: t, group: \"${env.G}\"}]\n",
	 "/start_on/0/group: ", "must be constant text"},
	{HEAD "start_on: [{kafka: t, when: event.data.x}]\n",
	 "/start_on/0/when: ", "write \"${event.data.x}\""},
	{HEAD "start_on: [{input: 1}]\n",
	 "/start_on/0: ", "`kafka` is missing: the topic; or `schedule`"},
	{HEAD "start_on: [t]\n", "/start_on/0: ", "start_on must be an object"},
	{HEAD "cancel_on: [{kafka: t, group: g, correlate: {from: \"${event.id}\", expect: x}}]\n",
	 "/cancel_on/0/group: ", "unknown key `group`"},
	{HEAD "cancel_on: [{kafka: t, correlate: {from: \"${event.id}\"}}]\n",
	 "/cancel_on/0/correlate: ", "`expect` is missing"},
	{HEAD "cancel_on: {kafka: t}\n", "/cancel_on: ", "must be a list"},
	{HEAD "  - {id: b, await: {kafka: t, correlate: {from: [1], expect: x}}}\n",
	 "/steps/1/await/correlate/from: ", "must be text or a number"},
	{HEAD "  - {id: b, await: {kafka: \"t/u\", correlate: {from: \"${event.id}\", expect: x}}}\n",
	 "/steps/1/await/kafka: ", "letters, digits"},
	{HEAD "  - {id: b, await: {signal: s, correlate: {from: \"${event.a}\", expect: \"1\"}}}\n",
	 "/steps/1/await/correlate: ", "no meaning beside `signal`"},
	{HEAD "  - {id: b, await: {signal: s, cluster: eu}}\n",
	 "/steps/1/await/cluster: ", "no meaning beside `signal`"},
	{HEAD "  - {id: b, await: {after: 1s, cluster: eu}}\n",
	 "/steps/1/await/cluster: ", "no meaning beside `after`"},
	{HEAD "  - {id: b, command: {to: stock, type: T, topic: t}, compensate: none}\n",
	 "/steps/1/command/topic: ", "it may have: to, key, type"},
	{HEAD "  - {id: b, command: {to: stock, type: T, key: [1]}, compensate: none}\n",
	 "/steps/1/command/key: ", "must be text or a number"},
	{HEAD "  - {id: b, command: {to: stock, type: T, headers: {Reply-To: t}}, compensate: none}\n",
	 "/steps/1/command/headers/Reply-To: ", "Skald writes it"},
	{HEAD "  - {id: b, command: {to: stock, type: T, headers: {kafka_replyTopic: t}}, compensate: "
		  "none}\n",
	 "/steps/1/command/headers/kafka_replyTopic: ", "Skald writes it"},
	{HEAD "  - {id: b, command: {to: stock, type: T, headers: {\"a b\": t}}, compensate: none}\n",
	 "/steps/1/command/headers/a b: ", "not the name of a header"},
	{HEAD "  - {id: b, command: {to: stock, type: T, headers: {a: [1]}}, compensate: none}\n",
	 "/steps/1/command/headers/a: ", "must be text or a number"},
	{HEAD "  - {id: b, command: {to: stock, type: T, headers: \"${input}\"}, compensate: none}\n",
	 "/steps/1/command/headers: ", "must be an object of names and values"},
	{HEAD "  - {id: b, emit: {topic: t, type: T, headers: {ce_id: 1}}, compensate: none}\n",
	 "/steps/1/emit/headers/ce_id: ", "Skald writes it"},
	{HEAD "  - {id: b, emit: {topic: t}, compensate: none}\n",
	 "/steps/1/emit: ", "`type` is missing"},
	{HEAD "  - {id: b, emit: {topic: t, type: \"${input.t}\"}, compensate: none}\n",
	 "/steps/1/emit/type: ", "must be constant text"},
	{HEAD "  - {id: b, emit: {topic: t, type: T}, compensate: none,\n"
		  "     probe: {command: {to: stock, type: T}}}\n",
	 "/steps/1/probe: ", "belongs to `http` or `command`, not to `emit`"},
	{HEAD "  - {id: b, command: {to: stock, type: T}, compensate: none,\n"
		  "     probe: {command: {type: T}}}\n",
	 "/steps/1/probe/command: ", "`to` is missing"},
	{HEAD "cancel_on: [{kafka: t}]\n", "/cancel_on/0: ", "`correlate` is missing"},
	{HEAD "  - {id: b, saga: Child}\n", "/steps/1/saga: ", "must match [a-z]"},
	{HEAD "  - {id: b, approval: {title: t}}\n", "/steps/1/approval: ", "`groups` is missing"},
	{HEAD "  - {id: b, command: {to: stock}, compensate: none}\n",
	 "/steps/1/command: ", "`type` is missing"},
	/* Mistakes inside of what is not built are found as well. */
	{HEAD "  - {id: b, task: {que: x}, compensate: none}\n",
	 "/steps/1/task/que: ", "did you mean `queue`?"},
	{HEAD "  - {id: b, emit: {topic: \"${input.t}\", type: T}, compensate: none}\n",
	 "/steps/1/emit/topic: ", "must be constant text"},
	{HEAD "  - {id: b, approval: {title: t, groups: [g], approve: 0}}\n",
	 "/steps/1/approval/approve: ", "from 1 to 100"},
	{HEAD "  - {id: b, approval: {title: t, groups: []}}\n",
	 "/steps/1/approval/groups: ", "nobody who may decide"},
	{HEAD "  - {id: b, approval: {title: t, groups: [g], exclude: 7}}\n",
	 "/steps/1/approval/exclude: ", "a list of names"},
	{HEAD "  - {id: b, await: {after: 1h}, escalate: [{emit: {topic: t, type: T}}]}\n",
	 "/steps/1/escalate/0: ", "`after` is missing"},
	{HEAD "start_on: [{schedule: \"0 3 * *\"}]\n", "/start_on/0/schedule: ", "five fields"},
	{HEAD "start_on: [{schedule: \"@daily\", overlap: wait}]\n", "/start_on/0/overlap: ", "skip"},
	{HEAD "start_on: [{schedule: \"@daily\", catch_up: 0s}]\n",
	 "/start_on/0/catch_up: ", "longer than nothing"},
	{HEAD "start_on: [{schedule: \"@daily\", name: Nightly}]\n",
	 "/start_on/0/name: ", "must match [a-z]"},
	{HEAD "start_on: [{schedule: \"@daily\", kafka: t}]\n",
	 "/start_on/0/kafka: ", "unknown key `kafka`"},
	{HEAD "  - {id: b, steps: [{id: c, sett: 1}]}\n",
	 "/steps/1/steps/0/sett: ", "did you mean `set`?"},
};

/* The same for what is a matter of meaning, which no schema can tell. */
static const struct refused refused_meaning[] = {
	{HEAD "start_on: [{schedule: \"61 3 * * *\"}]\n", "/start_on/0/schedule: ", "the minute `61`"},
	{HEAD "start_on: [{schedule: \"0 0 31 2 *\"}]\n", "/start_on/0/schedule: ", "never due"},
	{HEAD "start_on: [{schedule: \"@daily\", name: a}, {schedule: \"@weekly\", name: a}]\n",
	 "/start_on/1: ", "each needs a `name` of its own"},
	{HEAD "key: \"${item.x}\"\n", "/key: ", "`item` is not available here"},
	{HEAD "deadline: 99999d\n", "/deadline: ", "at most 36600d"},
	{HEAD "input: {schema: {type: objekt}}\n", "/input/schema/type: ", "did you mean `object`?"},
	{HEAD "defaults: {outcome: {success: [404], failure: [404]}}\n",
	 "/defaults/outcome/failure/0: ", "`success` and `failure` at once"},
	{HEAD "defaults: {outcome: {success: [\"${steps.a.output}\"]}}\n",
	 "/defaults/outcome/success/0: ", "`steps` is not available here"},
	{HEAD "  - {id: b, http: {to: stok, method: GET, path: /}}\n",
	 "/steps/1/http/to: ", "unknown participant `stok`; did you mean `stock`?"},
	{HEAD "  - {id: b, http: {to: bank, method: GET, path: /}}\n",
	 "/steps/1/http/to: ", "add `bank: {}` to `participants`"},
	{HEAD "  - {id: b, when: \"${1 +}\", set: 1}\n", "/steps/1/when: ", "column"},
	{HEAD "  - {id: b, when: \"${true}${true}\", set: 1}\n",
	 "/steps/1/when: ", "must be one ${expression}, not text with several"},
	{HEAD "  - {id: b, http: {to: stock, method: PUT, path: /, body: text,\n"
		  "     content_type: application/x-www-form-urlencoded}, compensate: none}\n",
	 "/steps/1/http/body: ", "the body of a form must be an object"},
	{HEAD "  - {id: b, await: {after: 1h}, escalate: [{after: 1h, groups: [g]}]}\n",
	 "/steps/1/escalate/0/groups: ", "are for an `approval`"},
	{HEAD "  - {id: b, await: {after: 1h}, escalate: [{after: 1h, with: 1}]}\n",
	 "/steps/1/escalate/0/with: ", "there is none"},
	{HEAD "  - {id: b, http: {to: stock, method: POST, path: /}, compensate: {approval: {title: t, "
		  "groups: "
		  "[g]}}}\n",
	 "/steps/1/compensate: ", "undoes nothing"},
	{HEAD "  - {id: b, approval: {title: t, groups: [g], form: {type: x}}}\n",
	 "/steps/1/approval/form: ", "the form is not a schema"},
	{HEAD "  - {id: b, fail: {code: x}, compensate: {http: {to: stock, method: GET, path: /}}}\n",
	 "/steps/1/compensate: ", "does nothing that could be undone"},
	{HEAD "start_on: [{kafka: t}, {kafka: u}, {kafka: t, cluster: eu}]\n",
	 "/start_on/2/kafka: ", "the topic `t` has a trigger above"},
	{HEAD "start_on: [{kafka: t, dead_letter: t}]\n",
	 "/start_on/0/dead_letter: ", "say another, such as t-dlt"},
	{HEAD "start_on: [{kafka: t, key: fixed}]\n", "/start_on/0/key: ", "must read `event`"},
	{HEAD "start_on: [{kafka: t, input: \"${input.x}\"}]\n",
	 "/start_on/0/input: ", "`input` is not available here"},
	{HEAD "start_on: [{kafka: t, when: \"${size(event.topic)}\"}]\n",
	 "/start_on/0/when: ", "this must give true or false, and gives int"},
	{HEAD "start_on: [{kafka: t, key: \"${[event.key]}\"}]\n",
	 "/start_on/0/key: ", "this must give text or a number, and gives list"},
	{HEAD "start_on: [{kafka: t, poison: {retry: {initial_interval: 99999d}}}]\n",
	 "/start_on/0/poison/retry/initial_interval: ", "at most 36600d"},
	{HEAD "cancel_on: [{kafka: t, correlate: {from: x, expect: x}}]\n",
	 "/cancel_on/0/correlate/from: ", "must read `event`"},
	{HEAD "cancel_on: [{kafka: t, correlate: {from: \"${event.id}\", expect: \"${event.id}\"}}]\n",
	 "/cancel_on/0/correlate/expect: ", "`event` is not available here"},
	{HEAD "cancel_on: [{kafka: t, when: \"${steps.a.output}\",\n"
		  "             correlate: {from: \"${event.id}\", expect: x}}]\n",
	 "/cancel_on/0/when: ", "`steps` is not available here"},
	{HEAD
	 "  - {id: b, await: {kafka: t, correlate: {from: \"${event.id + steps.a.output.n}\", expect: "
	 "x}}}\n",
	 "/steps/1/await/correlate/from: ", "`steps` is not available here"},
	{HEAD "  - {id: b, await: {kafka: t, correlate: {from: \"${event.id}\", expect: "
		  "\"${event.id}\"}}}\n",
	 "/steps/1/await/correlate/expect: ", "`event` is not available here"},
	{HEAD "  - {id: b, await: {kafka: t, correlate: {from: \"${event.id}\", expect: x}},\n"
		  "     output: \"${reply.body}\"}\n",
	 "/steps/1/output: ", "`reply` is not available here"},
	{HEAD "  - {id: b, await: {after: 1s}, output: \"${event.data}\"}\n",
	 "/steps/1/output: ", "`event` is not available here"},
	{HEAD "  - {id: b, command: {to: stok, type: T}, compensate: none}\n",
	 "/steps/1/command/to: ", "did you mean `stock`?"},
	{HEAD
	 "  - {id: b, command: {to: stock, type: T, headers: {a: \"${item}\"}}, compensate: none}\n",
	 "/steps/1/command/headers/a: ", "`item` is not available here"},
	{HEAD
	 "  - {id: b, command: {to: stock, type: T, headers: {a: \"${[1]}\"}}, compensate: none}\n",
	 "/steps/1/command/headers/a: ", "this must give text or a number, and gives list"},
	{HEAD
	 "  - {id: b, command: {to: stock, type: T, headers: {a: \"${1 +}\"}}, compensate: none}\n",
	 "/steps/1/command/headers/a: ", "column"},
	{HEAD "  - {id: b, command: {to: stock, type: T}}\n",
	 "/steps/1: ", "command must say how it is undone"},
	{HEAD "  - {id: b, command: {to: stock, type: T},\n"
		  "     compensate: {command: {to: stock, type: U, data: \"${reply.body.id}\"}}}\n",
	 "/steps/1/compensate/command/data: ", "`reply` may not exist when step `b` is undone"},
	{HEAD "  - {id: b, command: {to: stock, type: T}, probe: {command: {to: stock, type: G}},\n"
		  "     compensate: {command: {to: stock, type: U, data: \"${reply.body.id}\",\n"
		  "                            key: \"${saga.failure.code}\"}}}\n",
	 "/steps/1/compensate/command/data: ", "`reply` is gone by then"},
	{HEAD "  - {id: b, emit: {topic: t, type: T},\n"
		  "     compensate: {emit: {topic: t, type: U, data: \"${reply.body}\"}}}\n",
	 "/steps/1/compensate/emit/data: ", "`reply` is not available here"},
	{HEAD "  - {id: b, command: {to: stock, type: T}, pivot: true,\n"
		  "     compensate: {emit: {topic: t, type: U}}}\n",
	 "/steps/1/compensate: ", "the pivot is never undone"},
	{HEAD "  - {id: b, lock: {keys: [x], release_after: aa}}\n",
	 "/steps/1/lock/release_after: ", "unknown step `aa` in release_after"},
};

#endif
