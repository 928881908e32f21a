/*
 * Every act in every state: taken or refused. The table is the rule; what it says is held against
 * the core (which refuses by it, and then changes nothing), against what the API shows, and against
 * the same state after a restart. Beside it, what is not a matter of one state: the end absorbs,
 * there is no way back behind the point of no return, and refusals say what would work.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/act_allowed.h"
#include "sagas/json_text.h"
#include "tests/support/play.h"

static const char calls[] =
	"saga: calls\n"
	"participants: {svc: {outcome: {ongoing: [202]}}}\n"
	"defaults: {timeout: 2s, retry: {initial_interval: 1h, jitter: 0, maximum_attempts: 2}}\n"
	"steps:\n"
	"  - {id: a, http: {to: svc, method: PUT, path: /a}, compensate: {http: {to: svc, method: "
	"DELETE, path: /a}, retry: {initial_interval: 1h, jitter: 0, maximum_attempts: 2}, probe: "
	"{http: {to: svc, method: GET, path: /a}, every: 1h}}}\n"
	"  - {id: b, http: {to: svc, method: PUT, path: /b}, retry: {initial_interval: 1h, jitter: 0, "
	"maximum_attempts: 1, on_exhausted: park}, probe: {http: {to: svc, method: GET, path: /b}, "
	"every: 1h}, compensate: {http: {to: svc, method: DELETE, path: /b}}}\n"
	"  - {id: p, pivot: true, http: {to: svc, method: PUT, path: /p}, retry: {maximum_attempts: "
	"1}}\n"
	"  - {id: z, http: {to: svc, method: PUT, path: /z}, retry: {maximum_attempts: 1}}\n"
	"on_compensated:\n"
	"  - {id: t, http: {to: svc, method: PUT, path: /t}, retry: {maximum_attempts: 1}}\n";

static const char onward[] = "saga: onward\n"
							 "recovery: forward\n"
							 "defaults: {timeout: 2s, retry: {maximum_attempts: 1}}\n"
							 "steps:\n"
							 "  - {id: a, http: {to: svc, method: PUT, path: /a}}\n";

static const char waits[] =
	"saga: waits\n"
	"steps:\n"
	"  - {id: a, await: {after: 1h}}\n"
	"  - {id: b, await: {kafka: paid, correlate: {from: '${event.data}', expect: x}}, timeout: "
	"1h}\n"
	"  - {id: c, command: {to: svc, type: C}, timeout: 1h, compensate: {command: {to: svc, type: "
	"UnC}, timeout: 1h}}\n"
	"  - {id: d, fail: {code: no}}\n";

static const char late[] = "saga: late\n"
						   "deadline: 1m\n"
						   "defaults: {timeout: 1h, retry: {maximum_attempts: 1}}\n"
						   "steps:\n"
						   "  - {id: a, pivot: true, http: {to: svc, method: PUT, path: /a}}\n"
						   "  - {id: b, http: {to: svc, method: PUT, path: /b}}\n";

static const char tasks[] =
	"saga: tasks\n"
	"steps:\n"
	"  - {id: a, task: q, retry: {initial_interval: 1h, jitter: 0, maximum_attempts: 2}, "
	"compensate: "
	"{task: u, retry: {initial_interval: 1h, jitter: 0, maximum_attempts: 2}}}\n"
	"  - {id: b, task: q, compensate: none}\n"
	"  - {id: p, pivot: true, set: 1}\n"
	"  - {id: z, task: q, retry: {maximum_attempts: 1}}\n";

static const char tolerates[] =
	"saga: tolerates\n"
	"defaults: {timeout: 60s, retry: {maximum_attempts: 1}}\n"
	"steps:\n"
	"  - {id: a, tolerate: true, http: {to: svc, method: PUT, path: /a}, compensate: {http: {to: "
	"svc, method: DELETE, path: /a}, retry: {maximum_attempts: 1}}}\n"
	"  - {id: b, http: {to: svc, method: PUT, path: /b}, compensate: none}\n";

static const char asks[] =
	"saga: asks\n"
	"defaults: {timeout: 2s, retry: {maximum_attempts: 1}}\n"
	"steps:\n"
	"  - {id: r, approval: {title: t, groups: [g], approve: 2}, timeout: 1h, escalate: [{after: "
	"10m}, {after: 20m, groups: [h]}]}\n"
	"  - {id: p, pivot: true, http: {to: svc, method: PUT, path: /p}}\n"
	"  - {id: q, approval: {title: t, groups: [g]}, timeout: 1h}\n";

/* The acts, in the order of the columns. Step acts are done to the row's step. */
static const struct {
	enum act_kind kind;
	enum side side;
	enum resolution resolution;
} columns[] = {
	{ACT_CANCEL, SIDE_DO, 0},
	{ACT_TERMINATE, SIDE_DO, 0},
	{ACT_PAUSE, SIDE_DO, 0},
	{ACT_RESUME, SIDE_DO, 0},
	{ACT_COMPENSATE, SIDE_DO, 0},
	{ACT_RETRY, SIDE_DO, 0},
	{ACT_RETRY, SIDE_UNDO, 0}, /* from the row's step */
	{ACT_RESET, SIDE_DO, 0},   /* to the very beginning */
	{ACT_SIGNAL, SIDE_DO, 0},
	{ACT_ACKNOWLEDGE, SIDE_DO, 0},
	{ACT_NOTE, SIDE_DO, 0},
	{ACT_OWNER, SIDE_DO, 0},
	{ACT_STEP_RETRY, SIDE_DO, 0},
	{ACT_STEP_SKIP, SIDE_DO, 0},
	{ACT_STEP_COMPLETE, SIDE_DO, 0},
	{ACT_STEP_FAIL, SIDE_DO, 0},
	{ACT_STEP_RESOLVE, SIDE_DO, RESOLVE_HAPPENED},
	{ACT_STEP_RESOLVE, SIDE_DO, RESOLVE_DID_NOT_HAPPEN},
	{ACT_STEP_RESOLVE, SIDE_DO, RESOLVE_PROBE},
	{ACT_STEP_RETRY, SIDE_UNDO, 0},
	{ACT_STEP_SKIP, SIDE_UNDO, 0},
	{ACT_STEP_COMPLETE, SIDE_UNDO, 0},
	{ACT_STEP_FAIL, SIDE_UNDO, 0},
	{ACT_STEP_RESOLVE, SIDE_UNDO, RESOLVE_HAPPENED},
	{ACT_STEP_RESOLVE, SIDE_UNDO, RESOLVE_DID_NOT_HAPPEN},
	{ACT_STEP_RESOLVE, SIDE_UNDO, RESOLVE_PROBE},
	{ACT_STEP_APPROVE, SIDE_DO, 0},
	{ACT_STEP_REJECT, SIDE_DO, 0},
};

/*
 * How a state is reached: "a+" a is answered 200, "a-" 422, "a!" it times out, "a0" it was never
 * connected, "a?" 202 (ongoing), "a." a command is published, "a*" and answered; "a'+" the same of
 * its compensation, "a,+" of its probe; "w" time passes to what is due, "P" pause, "C" cancel, "T"
 * terminate, "N" a person says that p did not happen, "F" that the compensation of a is to stop,
 * "E" the event that b waits for comes, "K" a person has acknowledged, "Y" bob approves r, "y" cid
 * does, "R" bob rejects it.
 *
 * Then, for each column: x taken, - refused. The columns, in groups:
 *   cancel terminate pause resume compensate | retry retry-from reset | signal acknowledge note
 * owner | retry skip complete fail happened did-not probe | the same of the compensation | approve
 * reject
 */
static const struct {
	const char *what, *def, *script, *step, *taken;
} rows[] = {
	{"a call is out", calls, "", "a", "xxx-x --- x-xx ------- ------- --"},
	{"backs off, in doubt", calls, "a!", "a", "xxx-x x-- x-xx xxxxxx- ------- --"},
	{"backs off, without doubt", calls, "a0", "a", "xxx-x x-- x-xx xxxx--- ------- --"},
	{"ongoing", calls, "a?", "a", "xxx-x --- x-xx -xxxxx- ------- --"},
	{"completed, and the next one is out", calls, "a+", "a", "xxx-x --- x-xx ------- ------- --"},
	{"parked, in doubt", calls, "a+ b!", "b", "xxx-x x-- x-xx xxxxxxx ------- --"},
	{"parked, failed", calls, "a+ b0", "b", "xxx-x xx- x-xx xxxx--- ------- --"},
	{"not begun", calls, "a+", "b", "xxx-x --- x-xx ------- ------- --"},
	{"the pivot is out", calls, "a+ b+", "p", "-xx-- --- x-xx ------- ------- --"},
	{"the pivot is parked, in doubt", calls, "a+ b+ p!", "p", "-xx-- x-- x-xx xxxxxx- ------- --"},
	{"the pivot is parked, failed", calls, "a+ b+ p! N", "p", "-xx-- x-- x-xx xxxx--- ------- --"},
	{"behind the pivot", calls, "a+ b+ p+", "z", "-xx-- --- x-xx ------- ------- --"},
	{"behind the pivot, parked", calls, "a+ b+ p+ z-", "z", "-xx-- xx- x-xx xxx---- ------- --"},
	{"behind the pivot, one before it", calls, "a+ b+ p+ z-", "a",
	 "-xx-- x-- x-xx ------- ------- --"},
	{"only forward, parked in doubt", onward, "a!", "a", "-xx-- x-- x-xx xxx-xx- ------- --"},
	{"given up in doubt, not settled", calls, "a! w a!", "a", "-xx-- --- x-xx ----xx- ------- --"},
	{"given up in doubt, being undone", calls, "a! w a! w", "a",
	 "-xx-- --- x-xx ------- ------- --"},
	{"given up, being undone, and a success comes after all", calls, "a! w a! w a+", "a",
	 "-xx-- --- xxxx ------- ------- --"},
	{"that, and it has ended", calls, "a! w a! w a+ a'+ t+", "a",
	 "----- --- -xxx ------- ------- --"},
	{"that, and a person knows", calls, "a! w a! w a+ a'+ t+ K", "a",
	 "----- --- --xx ------- ------- --"},
	{"the deadline has passed behind the pivot", late, "a+ w", "b",
	 "-xx-- --- xxxx ------- ------- --"},
	{"that, and a person knows", late, "a+ w K", "b", "-xx-- --- x-xx ------- ------- --"},
	{"on the way back, a compensation is out", calls, "a+ b+ p-", "b",
	 "-xx-- --- x-xx ------- ------- --"},
	{"on the way back, one is armed", calls, "a+ b+ p-", "a", "-xx-- --- x-xx ------- -xx---- --"},
	{"on the way back, one failed", calls, "a+ b+ p- b'-", "b",
	 "-xx-x x-- x-xx ------- xxx---- --"},
	{"on the way back, one is done", calls, "a+ b+ p- b'+", "b",
	 "-xx-- --- x-xx ------- ------- --"},
	{"on the way back, one backs off in doubt", calls, "a+ b+ p- b'+ a'!", "a",
	 "-xx-x x-- x-xx ------- xxxxxxx --"},
	{"on the way back, one backs off", calls, "a+ b+ p- b'+ a'0", "a",
	 "-xx-x x-- x-xx ------- xxxx--- --"},
	{"on the way back, one failed in doubt", calls, "a+ b+ p- b'+ a'! F", "a",
	 "-xx-x x-- x-xx ------- xxx-xxx --"},
	{"on the way back, what failed", calls, "a+ b+ p- b'-", "p",
	 "-xx-x x-- x-xx ------- ------- --"},
	{"after the way back, parked", calls, "a+ b+ p- b'+ a'+ t-", "t",
	 "-xx-- x-- x-xx xxx---- ------- --"},
	{"paused, a call is out", calls, "P", "a", "xx-xx --- x-xx ------- ------- --"},
	{"paused, backs off", calls, "a! P", "a", "xx-xx x-- x-xx xxxxxx- ------- --"},
	{"paused, parked in doubt", calls, "a+ b! P", "b", "xx-xx x-- x-xx xxxxxx- ------- --"},
	{"paused, all is undone but one that failed", calls, "a+ b+ p- b'- P", "b",
	 "-x-xx x-- x-xx ------- xxx---- --"},
	{"paused, all is undone", calls, "a+ b- P a'+", "a", "-x-x- -xx x-xx ------- ------- --"},
	{"paused, all is undone; where it failed", calls, "a+ b- P a'+", "b",
	 "-x-x- --x x-xx ------- ------- --"},
	{"paused, what runs after the way back has begun", calls, "a- P", "a",
	 "-x-x- --- x-xx ------- ------- --"},
	{"completed", calls, "a+ b+ p+ z+", "a", "----- --- --xx ------- ------- --"},
	{"compensated", calls, "a+ b+ p- b'+ a'+ t+", "a", "----- --- --xx ------- ------- --"},
	{"terminated", calls, "a+ T", "a", "----- --- --xx ------- ------- --"},
	{"a timer", waits, "", "a", "xxx-x -xx x-xx -xxx--- ------- --"},
	{"a wait for an event", waits, "w", "b", "xxx-x -xx x-xx -xxx--- ------- --"},
	{"a command that is being published", waits, "w E", "c", "xxx-x --- x-xx ------- ------- --"},
	{"a command that waits for its reply", waits, "w E c.", "c",
	 "xxx-x --- x-xx -xxx--- ------- --"},
	{"a command that undoes, waiting for its reply", waits, "w E c. C c* c'.", "c",
	 "-xx-- --- x-xx ------- -xxx--- --"},
	{"tolerated in doubt, not settled", tolerates, "a!", "a", "xxx-x --- x-xx ----xx- ------- --"},
	{"tolerated, and its compensation failed", tolerates, "a! w a'-", "a",
	 "xxx-x x-- x-xx ------- xxx---- --"},
	{"a task that waits", tasks, "", "a", "xxx-x x-- x-xx xxxx--- ------- --"},
	{"a task, paused", tasks, "P", "a", "xx-xx x-- x-xx xxxx--- ------- --"},
	{"a task that a worker has", tasks, "aL", "a", "xxx-x --- x-xx -xxx--- ------- --"},
	{"a task that a worker has, paused", tasks, "aL P", "a", "xx-xx --- x-xx -xxx--- ------- --"},
	{"a task that waits to be tried again", tasks, "aL aX", "a",
	 "xxx-x x-- x-xx xxxx--- ------- --"},
	{"a task whose lease was over", tasks, "aL w", "a", "xxx-x x-- x-xx xxxxxx- ------- --"},
	{"a task, done", tasks, "aL aD", "a", "xxx-x x-- x-xx ------- ------- --"},
	{"a task on the way back, with a worker", tasks, "aL C", "a",
	 "-xx-- --- x-xx -xxx--- ------- --"},
	{"the undo of a task that waits", tasks, "aL aD C", "a", "-xx-x x-- x-xx ------- xxxx--- --"},
	{"the undo of a task that a worker has", tasks, "aL aD C a'L", "a",
	 "-xx-- --- x-xx ------- -xxx--- --"},
	{"the undo of a task whose lease was over", tasks, "aL aD C a'L w", "a",
	 "-xx-x x-- x-xx ------- xxxxxx- --"},
	{"past the pivot, a task that failed", tasks, "aL aD bL bD zL zX", "z",
	 "-xx-- xx- x-xx xxx---- ------- --"},
	{"an approval", asks, "", "r", "xxx-x -xx x-xx -xxx--- ------- xx"},
	{"an approval that one has approved", asks, "Y", "r", "xxx-x -xx x-xx -xxx--- ------- xx"},
	{"an approval that is late", asks, "w", "r", "xxx-x -xx xxxx -xxx--- ------- xx"},
	{"that, and a person knows", asks, "w K", "r", "xxx-x -xx x-xx -xxx--- ------- xx"},
	{"an approval, paused", asks, "P", "r", "xx-xx -xx x-xx -xxx--- ------- xx"},
	{"approved", asks, "Y y", "r", "-xx-- --- x-xx ------- ------- --"},
	{"rejected", asks, "R", "r", "----- --- --xx ------- ------- --"},
	{"not decided in time", asks, "w w w", "r", "----- --- --xx ------- ------- --"},
	{"behind the pivot, an approval", asks, "Y y p+", "q", "-xx-- -x- x-xx -xx---- ------- xx"},
	{"behind the pivot, not decided in time", asks, "Y y p+ w", "q",
	 "-xx-- xx- x-xx xxx---- ------- xx"},
	{"an approval, terminated", asks, "T", "r", "----- --- --xx ------- ------- --"},
};

static int step_of(const struct play *play, char id)
{
	const char name[] = {id, '\0'};
	int step = saga_def_step(play->def, name);

	ck_assert_msg(step >= 0, "no step %c", id);
	return step;
}

static void answer(struct play *play, int step, enum call_kind kind, char how)
{
	const struct action_state *action = saga_state_action(play->state, step, -1);
	bool undo = kind == CALL_UNDO || kind == CALL_PROBE_UNDO;
	struct input in = {
		.type = INPUT_REPLY,
		.step = step,
		.item = -1,
		.kind = kind,
		.attempt = undo ? action->undo.attempt : action->run.attempt,
		.retry_after_ms = -1,
	};

	/* Of a task: it is leased, done, or was not done. */
	if (how == 'L' || how == 'D' || how == 'X') {
		ck_assert(!play_task(play, step, -1, undo ? SIDE_UNDO : SIDE_DO,
							 how == 'L'   ? TASK_WORD_LEASE
							 : how == 'D' ? TASK_WORD_COMPLETE
										  : TASK_WORD_FAIL,
							 NULL, "x", NULL, 0)
					   .refused);
		return;
	}
	switch (how) {
	case '+':
		in.http_status = 200;
		break;
	case '-':
		in.http_status = 422;
		break;
	case '?':
		in.http_status = 202;
		break;
	case '!':
		in.result = CALL_TIMED_OUT;
		break;
	case '0':
		in.result = CALL_NOT_CONNECTED;
		break;
	case '*':
		in.attempt = 0;
		in.said = OUTCOME_SUCCESS;
		break;
	case '.':
		in.result = CALL_PUBLISHED;
		break;
	default:
		ck_abort_msg("what is %c?", how);
	}
	ck_assert_int_eq(play_give(play, &in), 0);
}

static void wait_for_what_is_due(struct play *play)
{
	wall_ms due = saga_state_next_due(play->state);

	ck_assert_msg(due > 0, "nothing is due after %s", buf_str(&play->trail));
	play->queues_read_until = due;
	play_wait(play, due > play->now ? due - play->now : 0);
}

#define DECIDES(act, by) "{\"act\":\"" act "\",\"step\":\"r\",\"by\":\"" by "\",\"groups\":[\"g\"]}"
#define BOB(act) DECIDES(act, "bob")
#define CID(act) DECIDES(act, "cid")

static void reach(struct play *play, const char *def, const char *script)
{
	play_begin(play, def, "{}", false);
	for (const char *c = script; *c; c++) {
		bool undo = c[1] == '\'', probe = c[1] == ',';

		if (*c == ' ')
			continue;
		if (*c == 'w')
			wait_for_what_is_due(play);
		else if (*c == 'P')
			ck_assert_int_eq(play_act(play, "{\"act\":\"pause\"}"), 0);
		else if (*c == 'K')
			ck_assert_int_eq(play_act(play, "{\"act\":\"acknowledge\"}"), 0);
		else if (*c == 'C')
			ck_assert_int_eq(play_act(play, "{\"act\":\"cancel\"}"), 0);
		else if (*c == 'T')
			ck_assert_int_eq(play_act(play, "{\"act\":\"terminate\"}"), 0);
		else if (*c == 'N')
			ck_assert_int_eq(play_act(play, "{\"act\":\"resolve\",\"step\":\"p\",\"outcome\":"
											"\"did_not_happen\"}"),
							 0);
		else if (*c == 'F')
			ck_assert_int_eq(
				play_act(play, "{\"act\":\"fail\",\"step\":\"a\",\"compensation\":true}"), 0);
		else if (*c == 'Y' || *c == 'y')
			ck_assert_int_eq(play_act(play, *c == 'Y' ? BOB("approve") : CID("approve")), 0);
		else if (*c == 'R')
			ck_assert_int_eq(play_act(play, BOB("reject")), 0);
		else if (*c == 'E')
			play_event(play, step_of(play, 'b'), -1, 0, "default/paid/0/1", "{\"data\":\"x\"}");
		else {
			answer(play, step_of(play, *c),
				   undo    ? CALL_UNDO
				   : probe ? CALL_PROBE_UNDO
						   : CALL_DO,
				   c[undo || probe ? 2 : 1]);
			c += undo || probe ? 2 : 1;
		}
	}
}

static void make_act(struct act *act, size_t column, const struct play *play, const char *step)
{
	act_init(act, columns[column].kind);
	act->by = xstrdup("ann");
	act->side = columns[column].side;
	act->resolution = columns[column].resolution;
	if (act_is_of_step(act->kind) || (act->kind == ACT_RETRY && act->side == SIDE_UNDO))
		act->step = xstrdup(step);
	if (act->kind == ACT_RETRY)
		act->side = SIDE_DO;
	if (act->kind == ACT_SIGNAL)
		act->name = xstrdup("go");
	if (act->kind == ACT_STEP_APPROVE || act->kind == ACT_STEP_REJECT)
		act->groups = jval_from_json(json_pack("[s]", "g"));
	if (act->kind == ACT_NOTE)
		act->reason = xstrdup("a note");
	if (act->kind == ACT_RESET) {
		CLEANUP(saga_state_free_p) struct saga_state *then = saga_state_new(play->def, PLAY_ID);

		act->to = 1;
		act->forget = saga_reset_steps(then);
	}
}

/* What the API shows; reset and retry from a step are not in there. */
static bool is_shown_as_allowed(const struct play *play, const struct act *act)
{
	CLEANUP(json_decref_p) json_t *shown = saga_acts_allowed(play->state, play->now);
	bool of_step = act_is_of_step(act->kind), undo = act->side == SIDE_UNDO;
	const json_t *list = of_step ? NULL : json_object_get(shown, "saga"), *one;
	size_t i;

	json_array_foreach (json_object_get(shown, "actions"), i, one)
		if (of_step && strcmp(json_string_value(json_object_get(one, "step")), act->step) == 0 &&
			json_is_true(json_object_get(one, "compensation")) == undo)
			list = json_object_get(one, "acts");
	json_array_foreach (list, i, one)
		if (strcmp(json_string_value(json_object_get(one, "act")), act_kind_text(act->kind)) == 0)
			return json_is_true(json_object_get(one, "allowed"));
	return false;
}

/* Whether the act is taken; everything that must hold either way is looked at. */
static bool try_act(size_t row, size_t column, bool restarted)
{
	struct play play;
	struct act act;
	struct input in = {.type = INPUT_ACT, .act = &act};
	struct err why = {0};
	bool ended, past_pivot, failing, shown;
	int64_t events;
	int allowed, r;

	reach(&play, rows[row].def, rows[row].script);
	if (restarted)
		play_restart(&play);
	make_act(&act, column, &play, rows[row].step);
	ended = saga_status_is_terminal(play.state->status);
	past_pivot = saga_state_past_pivot(play.state);
	failing = play.state->failing;
	events = play.state->n_events;
	allowed = saga_act_allowed(play.state, &act, play.now, &why);
	shown = is_shown_as_allowed(&play, &act);
	r = play_give(&play, &in);
	ck_assert_msg(allowed == r, "%s: %s: %d, and %d", rows[row].what, act_kind_text(act.kind),
				  allowed, r);
	if (act.kind != ACT_RESET && (act.kind != ACT_RETRY || !act.step) &&
		act.resolution != RESOLVE_PROBE)
		ck_assert_msg(shown == (r == 0), "%s: %s is shown otherwise", rows[row].what,
					  act_kind_text(act.kind));
	if (r < 0) {
		ck_assert_int_ge(strlen(why.text), 15);
		ck_assert(r == ERR_CONFLICT);
		ck_assert_int_eq(play.state->n_events, events);
		ck_assert_uint_eq(play.decision.n_commands, 0);
	} else {
		ck_assert_int_gt(play.state->n_events, events);
		ck_assert(!ended || act_outlives_saga(act.kind));
	}
	/* There is no way back behind the point of no return, but by its own definite failure. */
	if (past_pivot && !failing && play.state->failing)
		ck_assert(act.kind == ACT_STEP_FAIL && strcmp(act.step, "p") == 0);
	act_release(&act);
	play_end(&play);
	return r == 0;
}

static void write_row(size_t row, bool restarted, char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (i == 5 || i == 8 || i == 12 || i == 19 || i == 26)
			*text++ = ' ';
		*text++ = try_act(row, i, restarted) ? 'x' : '-';
	}
	*text = '\0';
}

START_TEST(test_act_table__each_act_in_each_state)
{
	char text[80];

	write_row((size_t)_i, false, text);
	if (getenv("RECORD"))
		printf("\t{\"%s\", \"%s\"},\n", rows[_i].what, text);
	else
		ck_assert_msg(strcmp(text, rows[_i].taken) == 0, "%s:\n  is        %s\n  should be %s",
					  rows[_i].what, text, rows[_i].taken);
}
END_TEST

/* What was out may have been sent, so more is in doubt; of the saga as a whole nothing differs. */
START_TEST(test_act_table__holds_after_a_restart)
{
	char text[80];

	write_row((size_t)_i, true, text);
	ck_assert_msg(strncmp(text, rows[_i].taken, 5) == 0 &&
					  strncmp(text + 10, rows[_i].taken + 10, 4) == 0,
				  "%s:\n  is        %s\n  should be %s", rows[_i].what, text, rows[_i].taken);
}
END_TEST

static const struct {
	const char *def, *script, *act;
	enum err_code code;
	const char *says;
} refusals[] = {
	{calls, "a+ T", "{\"act\":\"pause\"}", ERR_CONFLICT, "has ended already: it is terminated"},
	{calls, "a+ b+ p+", "{\"act\":\"cancel\"}", ERR_CONFLICT, "point of no return"},
	{onward, "", "{\"act\":\"cancel\"}", ERR_CONFLICT, "recovery: forward"},
	{calls, "a-", "{\"act\":\"cancel\"}", ERR_CONFLICT, "being undone already: http_422"},
	{calls, "", "{\"act\":\"skip\",\"step\":\"x\"}", ERR_NOT_FOUND, "no step `x`"},
	{calls, "", "{\"act\":\"skip\",\"step\":\"b\"}", ERR_CONFLICT, "b has not begun"},
	{calls, "", "{\"act\":\"skip\",\"step\":\"a\",\"item\":0}", ERR_INVALID, "has no items"},
	{calls, "", "{\"act\":\"skip\",\"step\":\"a\"}", ERR_CONFLICT, "wait for its answer, 2 s"},
	{calls, "a+", "{\"act\":\"skip\",\"step\":\"a\"}", ERR_CONFLICT, "a has completed"},
	{calls, "a+ b+ p+ z-", "{\"act\":\"fail\",\"step\":\"z\"}", ERR_CONFLICT,
	 "skip it, or complete it"},
	{calls, "a+ b+ p+ z-", "{\"act\":\"skip\",\"step\":\"z\",\"compensation\":true}", ERR_CONFLICT,
	 "declares no compensation"},
	{calls, "a!", "{\"act\":\"retry\",\"step\":\"a\",\"request\":{\"path\":\"/\"}}", ERR_CONFLICT,
	 "resolve its outcome first"},
	{calls, "a0", "{\"act\":\"retry\",\"step\":\"a\",\"request\":{\"record_key\":\"k\"}}",
	 ERR_INVALID, "only a command"},
	{calls, "a?", "{\"act\":\"retry\",\"step\":\"a\"}", ERR_CONFLICT, "ask its probe"},
	{calls, "a! w a!", "{\"act\":\"resolve\",\"step\":\"a\",\"outcome\":\"probe\"}", ERR_CONFLICT,
	 "say whether it happened"},
	{calls, "a0", "{\"act\":\"resolve\",\"step\":\"a\",\"outcome\":\"happened\"}", ERR_CONFLICT,
	 "known not to have happened"},
	{waits, "w E", "{\"act\":\"skip\",\"step\":\"c\"}", ERR_CONFLICT, "is being published"},
	{waits, "w E c.", "{\"act\":\"resolve\",\"step\":\"c\",\"outcome\":\"happened\"}", ERR_CONFLICT,
	 "waits for its reply: complete it"},
	{waits, "", "{\"act\":\"complete\",\"step\":\"a\",\"reply\":1}", ERR_INVALID, "has no reply"},
	{calls, "a+ b- P a'+", "{\"act\":\"retry\",\"from\":\"b\"}", ERR_CONFLICT,
	 "a retry from `a` would do"},
	{calls, "a+", "{\"act\":\"retry\",\"from\":\"a\"}", ERR_CONFLICT,
	 "has taken effect, and is not undone"},
	{calls, "a+ b!", "{\"act\":\"retry\",\"from\":\"a\"}", ERR_CONFLICT,
	 "has taken effect, and is not undone"},
	{calls, "a+ b!", "{\"act\":\"retry\",\"from\":\"b\"}", ERR_CONFLICT,
	 "may have taken effect: resolve"},
	{calls, "a+ b+ p+ z-", "{\"act\":\"retry\",\"from\":\"p\"}", ERR_CONFLICT,
	 "point of no return, and has been passed"},
	{calls, "a-", "{\"act\":\"retry\",\"from\":\"a\"}", ERR_CONFLICT, "runs once all is undone"},
	{calls, "", "{\"act\":\"retry\",\"from\":\"x\"}", ERR_NOT_FOUND, "no step `x`"},
	{tolerates, "a!", "{\"act\":\"skip\",\"step\":\"a\",\"compensation\":true}", ERR_CONFLICT,
	 "may still take effect until"},
};

START_TEST(test_act_table__a_refusal_says_why_and_changes_nothing)
{
	struct play play;
	int64_t events;
	int r;

	reach(&play, refusals[_i].def, refusals[_i].script);
	events = play.state->n_events;
	r = play_act(&play, refusals[_i].act);
	ck_assert_msg(r == (int)refusals[_i].code && strstr(play.err.text, refusals[_i].says),
				  "%s after %s: %d: %s", refusals[_i].act, refusals[_i].script, r, play.err.text);
	ck_assert_int_eq(play.state->n_events, events);
	play_end(&play);
}
END_TEST

START_TEST(test_act_table__signals_have_a_limit)
{
	struct play play;

	reach(&play, waits, "");
	for (int i = 0; i < SIGNALS_MAX; i++)
		ck_assert_int_eq(play_act(&play, "{\"act\":\"signal\",\"signal\":\"go\",\"value\":1}"), 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"signal\",\"signal\":\"go\"}"), ERR_LIMIT);
	ck_assert_uint_eq(play.fold->n_signals, SIGNALS_MAX);
	play_end(&play);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("act_table");
	TCase *tc = tcase_create("act_table");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_act_table__each_act_in_each_state, 0, ARRAY_SIZE(rows));
	tcase_add_loop_test(tc, test_act_table__holds_after_a_restart, 0, ARRAY_SIZE(rows));
	tcase_add_loop_test(tc, test_act_table__a_refusal_says_why_and_changes_nothing, 0,
						ARRAY_SIZE(refusals));
	tcase_add_test(tc, test_act_table__signals_have_a_limit);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
