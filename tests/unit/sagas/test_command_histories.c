/*
 * Random histories of commands over Kafka, on the core alone: records and replies that are lost,
 * late, doubled and reordered, a producer that does not know, processes that die, people that
 * cancel. Participants keep books of their own, and honour the idempotency key; a command may reach
 * them late and in any order, but no later than a call may take effect by the design: its time-out,
 * and a grace of the time-out again, at least ten seconds. While it goes on nothing may take effect
 * behind its undo, and no time-out before a reply that stood in the topic in time; afterwards, when
 * faults end, the saga must come to rest, and what it says must agree with the books.
 *
 * HISTORIES=100000 plays more; FIRST=seed begins elsewhere.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/play.h"

enum { STEPS = 8, ITEMS = 4, RECORDS_MAX = 4000, SECOND = 1000, MINUTE = 60 * SECOND };

/* What a participant makes of an action, once for all its attempts. */
enum fate { FATE_OPEN, FATE_SUCCESS, FATE_FAILURE };

struct effect {
	enum fate fate;
	bool applied, undone;
	bool undo_came;  /* from now on it may no more be made */
	wall_ms done_at; /* works on it until then; 0: no */
};

/* A command in the topic, or a reply in the other. */
struct record {
	int step, item;
	enum call_kind kind;
	int64_t ask;
	wall_ms at; /* a reply: when it was produced; a command: when it arrives */
	enum outcome said;
	const char *code;
};

/* What the producer has been given, and not yet said what became of it. */
struct sending {
	int step, item;
	enum call_kind kind;
	int64_t attempt;
	enum call_result result;
};

struct history {
	struct play play;
	uint64_t seed, state;
	bool faults;
	struct effect effects[STEPS][ITEMS];
	struct record commands[RECORDS_MAX], replies[RECORDS_MAX];
	size_t n_commands, n_replies;
	struct sending sending[RECORDS_MAX];
	size_t n_sending;
	char *keys[STEPS][ITEMS][2]; /* S10 */
};

static const char *const definitions[] = {
	"saga: line\n"
	"deadline: 2h\n"
	"defaults: {retry: {initial_interval: 2s, maximum_attempts: 4}}\n"
	"steps:\n"
	"  - {id: a, command: {to: x, type: A}, timeout: 20s, compensate: {command: {to: x, type: A-}, "
	"timeout: 20s, outcome: {success: [NoSuch]}}}\n"
	"  - {id: b, command: {to: x, type: B}, timeout: 3m, compensate: {command: {to: x, type: B-}, "
	"timeout: 3m, outcome: {success: [NoSuch]}, retry: {maximum_attempts: 3}}}\n"
	"  - {id: c, command: {to: x, type: C}, timeout: 20s, deadline: 50s, compensate: {command: "
	"{to: "
	"x, type: C-}, outcome: {success: [NoSuch]}}}\n",

	"saga: pivot\n"
	"defaults: {retry: {initial_interval: 2s, maximum_attempts: 3}}\n"
	"steps:\n"
	"  - {id: a, needs: [], command: {to: x, type: A}, timeout: 20s, compensate: {command: {to: x, "
	"type: A-}, outcome: {success: [NoSuch]}}}\n"
	"  - {id: b, needs: [], command: {to: x, type: B}, timeout: 20s, compensate: {command: {to: x, "
	"type: B-}, outcome: {success: [NoSuch]}}}\n"
	"  - {id: p, needs: [a, b], pivot: true, command: {to: x, type: P}, timeout: 20s}\n"
	"  - {id: d, command: {to: x, type: D}, timeout: 20s, retry: {maximum_attempts: 0}}\n",

	"saga: items\n"
	"steps:\n"
	"  - id: a\n"
	"    for_each: '${input.list}'\n"
	"    max_parallel: 2\n"
	"    tolerate: \"${failure.code == 'declined'}\"\n"
	"    command: {to: x, key: '${item}', type: A}\n"
	"    timeout: 20s\n"
	"    retry: {initial_interval: 1s, maximum_attempts: 3}\n"
	"    probe: {command: {to: x, key: '${item}', type: A?}, every: 7s, outcome: {absent: "
	"[NoSuch]}}\n"
	"    compensate: {command: {to: x, key: '${item}', type: A-}, outcome: {success: [NoSuch]}, "
	"probe: {command: {to: x, type: A-?}, every: 5s, outcome: {absent: [NoSuch]}}}\n"
	"  - {id: b, command: {to: x, type: B}, timeout: 20s, retry: {maximum_attempts: 2}, "
	"compensate: "
	"{emit: {topic: t, type: B-}}}\n"
	"  - {id: c, command: {to: x, type: C}, timeout: 2m, retry: {on_exhausted: park, "
	"maximum_attempts: 2}, compensate: none}\n",
};

static uint64_t draw(struct history *h)
{
	uint64_t z = (h->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static bool chance(struct history *h, int percent)
{
	return (int)(draw(h) % 100) < percent;
}

static bool fault(struct history *h, int percent)
{
	return h->faults && chance(h, percent);
}

static void violated(struct history *h, const char *what, int step, int item)
{
	fprintf(stderr, "seed %llu: %s: %s[%d]\n%s\n", (unsigned long long)h->seed, what,
			step >= 0 ? h->play.def->steps[step].id : "", item, buf_str(&h->play.trail));
	for (size_t i = 0; i < h->play.n_rows; i++)
		fprintf(stderr, "%lld %s\n", (long long)(h->play.rows[i].at - PLAY_STARTS_AT),
				h->play.rows[i].text);
	abort();
}

static struct effect *effect_of(struct history *h, int step, int item)
{
	return &h->effects[step][item < 0 ? 0 : item];
}

static bool is_undo(enum call_kind kind)
{
	return kind == CALL_UNDO || kind == CALL_PROBE_UNDO;
}

static void check_key(struct history *h, const struct command *command)
{
	char **key =
		&h->keys[command->step][command->item < 0 ? 0 : command->item][is_undo(command->kind)];

	if (command->kind == CALL_PROBE_DO || command->kind == CALL_PROBE_UNDO)
		return;
	if (!*key)
		*key = xstrdup(command->request->key);
	if (strcmp(*key, command->request->key) != 0)
		violated(h, "S10 the key changes", command->step, command->item);
}

/* S14: the first undo of what is not known to be done waits until all attempts have settled. */
static void check_undo(struct history *h, const struct command *command)
{
	const struct action_state *action =
		saga_state_action(h->play.state, command->step, command->item);

	if (command->kind == CALL_UNDO && action->run.settle_at > h->play.now)
		violated(h, "S14 undone before it has settled", command->step, command->item);
}

static int64_t grace_of(const struct history *h, const struct command *command)
{
	const struct step_def *step = &h->play.def->steps[command->step];
	int64_t ms = is_undo(command->kind) ? step->undo.timeout.ms : step->act.timeout.ms;

	return ms < 10 * SECOND ? 10 * SECOND : ms;
}

/* How long a command is on its way: not at all, a while, or as long as it may be. */
static int64_t way_of(struct history *h, const struct command *command)
{
	int64_t most = command->timeout_ms + grace_of(h, command) - 1;

	if (!h->faults || chance(h, 50))
		return 0;
	return chance(h, 50) ? (int64_t)(draw(h) % (uint64_t)most) : most;
}

/* The commands of the last decision leave; the producer will say later what became of them. */
static void sent(struct history *h)
{
	const struct decision *decision = &h->play.decision;

	for (size_t i = 0; i < decision->n_commands; i++) {
		const struct command *command = &decision->commands[i];
		struct sending *sending = &h->sending[h->n_sending++];
		const struct exec *exec;

		check_key(h, command);
		check_undo(h, command);
		ck_assert_uint_lt(h->n_sending, RECORDS_MAX);
		*sending = (struct sending){command->step, command->item, command->kind, command->attempt,
									CALL_PUBLISHED};
		if (fault(h, 20))
			sending->result = chance(h, 50) ? CALL_BROKEN : CALL_NOT_CONNECTED;
		if (sending->result == CALL_NOT_CONNECTED ||
			(sending->result == CALL_BROKEN && chance(h, 50)))
			continue;
		exec = is_undo(command->kind)
				   ? &saga_state_action(h->play.state, command->step, command->item)->undo
				   : &saga_state_action(h->play.state, command->step, command->item)->run;
		ck_assert_uint_lt(h->n_commands, RECORDS_MAX);
		h->commands[h->n_commands++] = (struct record){
			.step = command->step,
			.item = command->item,
			.kind = command->kind,
			.at = h->play.now + way_of(h, command),
			.ask =
				command->kind == CALL_PROBE_DO || command->kind == CALL_PROBE_UNDO ? exec->ask : 0,
		};
	}
}

/* Participants. */

static void answer(struct history *h, const struct record *to, enum outcome said, const char *code)
{
	struct record reply = *to;

	reply.at = h->play.now;
	reply.said = said;
	reply.code = code;
	if (fault(h, 15))
		return;
	for (int i = 0; i < 1 + fault(h, 20); i++) {
		ck_assert_uint_lt(h->n_replies, RECORDS_MAX);
		h->replies[h->n_replies++] = reply;
	}
}

static void do_it(struct history *h, const struct record *command)
{
	struct effect *effect = effect_of(h, command->step, command->item);

	if (effect->fate == FATE_OPEN && fault(h, 15)) {
		answer(h, command, OUTCOME_UNKNOWN, "busy"); /* nothing happened, and nobody says so */
		return;
	}
	if (effect->fate == FATE_OPEN && effect->done_at == 0 && fault(h, 20))
		effect->done_at = h->play.now + 1 + (int64_t)(draw(h) % (5 * MINUTE));
	if (effect->done_at > h->play.now) {
		answer(h, command, OUTCOME_ONGOING, NULL);
		return;
	}
	if (effect->fate == FATE_OPEN)
		effect->fate = fault(h, 15) ? FATE_FAILURE : FATE_SUCCESS;
	/* Some do not remember what they have answered, only that it is there. */
	if (effect->applied && fault(h, 20)) {
		answer(h, command, OUTCOME_FAILURE, "exists");
		return;
	}
	if (!effect->applied && effect->fate == FATE_SUCCESS && effect->undo_came)
		violated(h, "S14 it takes effect after its undo", command->step, command->item);
	effect->applied = effect->fate == FATE_SUCCESS;
	answer(h, command, effect->applied ? OUTCOME_DEFAULT : OUTCOME_FAILURE,
		   effect->applied ? NULL : "declined");
}

static void undo_it(struct history *h, const struct record *command)
{
	struct effect *effect = effect_of(h, command->step, command->item);

	if (fault(h, 15)) {
		answer(h, command, OUTCOME_UNKNOWN, "busy");
		return;
	}
	/* What is still worked on is stopped. */
	if (effect->done_at) {
		effect->fate = FATE_FAILURE;
		effect->done_at = 0;
	}
	effect->undo_came = true;
	if (!effect->applied) {
		answer(h, command, OUTCOME_FAILURE, "NoSuch");
		return;
	}
	effect->undone = true;
	answer(h, command, OUTCOME_SUCCESS, NULL);
}

static void probe_it(struct history *h, const struct record *command)
{
	const struct effect *effect = effect_of(h, command->step, command->item);
	bool done = command->kind == CALL_PROBE_DO ? effect->applied : effect->undone;

	if (effect->done_at > h->play.now)
		answer(h, command, OUTCOME_ONGOING, NULL);
	else if (done)
		answer(h, command, OUTCOME_SUCCESS, NULL);
	else
		answer(h, command, OUTCOME_FAILURE, "NoSuch");
}

/* What is worked on ends, and says so by itself. */
static void finish_jobs(struct history *h)
{
	for (int step = 0; step < h->play.def->n_steps; step++) {
		for (int item = 0; item < ITEMS; item++) {
			struct effect *effect = &h->effects[step][item];
			struct record to = {.step = step, .kind = CALL_DO};

			if (effect->done_at == 0 || effect->done_at > h->play.now)
				continue;
			to.item = h->play.def->steps[step].for_each ? item : -1;
			do_it(h, &to);
			effect->done_at = 0;
		}
	}
}

static void participate(struct history *h, size_t at)
{
	struct record command = h->commands[at];

	finish_jobs(h);
	h->commands[at] = h->commands[--h->n_commands];
	switch (command.kind) {
	case CALL_DO:
		do_it(h, &command);
		break;
	case CALL_UNDO:
		undo_it(h, &command);
		break;
	case CALL_PROBE_DO:
	case CALL_PROBE_UNDO:
		probe_it(h, &command);
		break;
	}
}

/* When the next command arrives; 0: none is on its way. */
static wall_ms next_arrival(const struct history *h, size_t *ret_which)
{
	wall_ms at = 0;

	for (size_t i = 0; i < h->n_commands; i++) {
		if (at && h->commands[i].at >= at)
			continue;
		at = h->commands[i].at;
		*ret_which = i;
	}
	return at;
}

/* Time goes on, and what has to arrive by then does. */
static void let_pass(struct history *h, int64_t ms)
{
	wall_ms until = h->play.now + ms, at;
	size_t which = 0;

	while ((at = next_arrival(h, &which)) && at < until) {
		if (at > h->play.now)
			h->play.now = at;
		participate(h, which);
	}
	h->play.now = until;
}

/* Skald. */

/* From the tenth attempt on the history does not tell of each that fails. */
static bool is_told(const struct history *h, const struct record *reply)
{
	const struct action_state *action = saga_state_action(h->play.state, reply->step, reply->item);
	bool failed = reply->said == OUTCOME_FAILURE;

	return (failed || reply->said == OUTCOME_SUCCESS || reply->said == OUTCOME_DEFAULT) &&
		   (reply->kind == CALL_DO || reply->kind == CALL_UNDO) &&
		   !(failed && (action->run.attempt > 9 || action->undo.attempt > 9));
}

static void read_reply(struct history *h)
{
	size_t at = (size_t)(draw(h) % h->n_replies);
	struct record reply = h->replies[at];
	bool terminal = saga_status_is_terminal(h->play.state->status);

	/* Some are read again after a rebalance. */
	if (!fault(h, 10))
		h->replies[at] = h->replies[--h->n_replies];
	play_reply(&h->play, reply.step, reply.item, reply.kind, reply.ask, reply.said, reply.code,
			   NULL, "{}");
	if (is_told(h, &reply) && h->play.decision.n_events == 0 &&
		h->play.decision.unrecorded_replies == 0)
		violated(h, "S17 a reply leaves no trace", reply.step, reply.item);
	if (terminal && (h->play.decision.n_commands > 0 || h->play.decision.n_emissions > 0))
		violated(h, "S15 something is sent after the end", reply.step, reply.item);
}

static void producer_says(struct history *h)
{
	size_t at = (size_t)(draw(h) % h->n_sending);
	struct sending sending = h->sending[at];
	struct input in = {
		.type = INPUT_REPLY,
		.step = sending.step,
		.item = sending.item,
		.kind = sending.kind,
		.attempt = sending.attempt,
		.result = sending.result,
		.retry_after_ms = -1,
	};

	h->sending[at] = h->sending[--h->n_sending];
	(void)!play_give(&h->play, &in);
}

static wall_ms read_until(const struct history *h)
{
	wall_ms until = h->play.now;

	for (size_t i = 0; i < h->n_replies; i++)
		if (h->replies[i].at <= until)
			until = h->replies[i].at - 1;
	return until;
}

/* When each side of an action was to time out, before the timers were looked at. */
struct dues {
	wall_ms at[STEPS][ITEMS][2];
};

static void note_dues(const struct history *h, struct dues *dues)
{
	const struct saga_state *state = h->play.state;

	memset(dues, 0, sizeof(*dues));
	for (int i = 0; i < state->def->n_steps; i++) {
		for (int j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];

			/* What is between two attempts and given up then has timed out before. */
			if (action->run.status == EXEC_RUNNING)
				dues->at[i][j][0] = action->run.due_at;
			if (action->undo.status == EXEC_RUNNING)
				dues->at[i][j][1] = action->undo.due_at;
		}
	}
}

static void check_time_outs(struct history *h, const struct dues *dues)
{
	const struct decision *decision = &h->play.decision;

	for (size_t i = 0; i < decision->n_events; i++) {
		const struct event *event = &decision->events[i];
		bool undo =
			event->type == EV_COMPENSATION_ATTEMPT_FAILED || event->type == EV_COMPENSATION_FAILED;
		int item = event->item < 0 ? 0 : event->item;

		if (!event->code || strcmp(event->code, "timeout") != 0 || event->step < 0 ||
			event->type == EV_SAGA_COMPENSATING)
			continue;
		for (size_t k = 0; k < h->n_replies; k++)
			if (h->replies[k].step == event->step && h->replies[k].item == event->item &&
				h->replies[k].kind == (undo ? CALL_UNDO : CALL_DO) &&
				h->replies[k].at <= dues->at[event->step][item][undo])
				violated(h, "it times out before its reply is read", event->step, event->item);
	}
}

static void time_passes(struct history *h)
{
	wall_ms due = saga_state_next_due(h->play.state);
	struct dues dues;

	note_dues(h, &dues);
	h->play.queues_read_until = read_until(h);
	let_pass(h, due > h->play.now && chance(h, 50) ? due - h->play.now
												   : (int64_t)(draw(h) % (10 * SECOND)));
	finish_jobs(h);
	h->play.queues_read_until = read_until(h);
	play_wait(&h->play, 0);
	/* The timers may not have been allowed to act; now they are told what was read since. */
	check_time_outs(h, &dues);
	sent(h);
	note_dues(h, &dues);
	h->play.queues_read_until = read_until(h);
	play_wait(&h->play, 0);
	check_time_outs(h, &dues);
}

static void cancel(struct history *h)
{
	const struct act act = {.kind = ACT_CANCEL, .item = -1, .by = "ann", .reason = "because"};
	struct input in = {.type = INPUT_ACT, .act = &act};

	(void)!play_give(&h->play, &in);
}

/* One of the commands that are there. */
static bool has_arrived(struct history *h, size_t *ret_which)
{
	*ret_which = h->n_commands > 0 ? (size_t)(draw(h) % h->n_commands) : 0;
	return h->n_commands > 0 && h->commands[*ret_which].at <= h->play.now;
}

static void happen(struct history *h)
{
	size_t which;
	unsigned what = (unsigned)(draw(h) % 100);

	finish_jobs(h);
	if (h->faults && what == 0) {
		cancel(h);
	} else if (h->faults && what < 4) {
		h->n_sending = 0;
		h->play.now++; /* nobody takes over within a millisecond */
		play_restart(&h->play);
	} else if (what < 30 && h->n_sending > 0) {
		producer_says(h);
	} else if (what < 55 && has_arrived(h, &which)) {
		participate(h, which);
		return;
	} else if (what < 80 && h->n_replies > 0) {
		read_reply(h);
	} else {
		time_passes(h);
	}
	sent(h);
}

static bool at_rest(const struct history *h)
{
	return h->n_commands == 0 && h->n_replies == 0 && h->n_sending == 0 &&
		   saga_state_next_due(h->play.state) == 0;
}

static void check_end(struct history *h)
{
	const struct saga_state *state = h->play.state;
	bool ended = saga_status_is_terminal(state->status);

	if (!ended && !saga_state_attention(state))
		violated(h, "L1 it rests, and nobody is told", -1, -1);
	for (int i = 0; i < state->def->n_forward && ended; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (int j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];
			const struct effect *effect = &h->effects[i][j];

			if (action->run.status == EXEC_DONE && !effect->applied)
				violated(h, "S12 it is done only in the history", i, j);
			if (state->status == SAGA_COMPLETED && effect->undone && !action->tolerated)
				violated(h, "S12 undone on the way on", i, j);
			if (def->undo_kind != UNDO_ACTION || def->undo.kind != ACTION_COMMAND)
				continue;
			if ((state->status == SAGA_COMPENSATED || action->tolerated) &&
				effect->applied != effect->undone)
				violated(h, "S12 what was done is not undone", i, j);
		}
	}
}

static enum saga_status play_history(uint64_t seed)
{
	static struct history h;
	enum saga_status status;
	unsigned steps;

	memset(&h, 0, sizeof(h));
	h.seed = h.state = seed;
	h.faults = true;
	play_begin(&h.play, definitions[draw(&h) % ARRAY_SIZE(definitions)],
			   "{\"list\":[\"p\",\"q\",\"r\"]}", false);
	sent(&h);
	for (steps = (unsigned)(draw(&h) % 300); steps > 0; steps--)
		happen(&h);
	h.faults = false;
	for (steps = 0; !at_rest(&h); steps++) {
		if (steps > 20000)
			violated(&h, "L1 it does not come to rest", -1, -1);
		happen(&h);
	}
	check_end(&h);
	status = h.play.state->status;
	play_end(&h.play);
	for (int i = 0; i < STEPS; i++) {
		for (int j = 0; j < ITEMS; j++) {
			free(h.keys[i][j][0]);
			free(h.keys[i][j][1]);
		}
	}
	return status;
}

START_TEST(test_command_histories__end_as_the_participants_have_it)
{
	const char *many = getenv("HISTORIES"), *from = getenv("FIRST");
	uint64_t first = from ? strtoull(from, NULL, 10) : 1;
	uint64_t n = many ? strtoull(many, NULL, 10) : 3000;
	int seen[SAGA_STATUS_COUNT] = {0};

	for (uint64_t seed = first; seed < first + n; seed++)
		seen[play_history(seed)]++;
	/* A campaign that never got there shows nothing. */
	if (n >= 1000) {
		ck_assert_int_gt(seen[SAGA_COMPLETED], 100);
		ck_assert_int_gt(seen[SAGA_COMPENSATED], 100);
	}
	printf("%llu histories: %d completed, %d compensated, %d with a failed compensation\n",
		   (unsigned long long)n, seen[SAGA_COMPLETED], seen[SAGA_COMPENSATED],
		   seen[SAGA_COMPENSATION_FAILED]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("command_histories");
	TCase *tcase = tcase_create("core");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 0);
	tcase_add_test(tcase, test_command_histories__end_as_the_participants_have_it);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
