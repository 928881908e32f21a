/*
 * A sequence of inputs, three bytes each, through decide and fold, as fuzz_decide does it, for what
 * goes through Kafka: replies to anything, in any order and as often as one likes, events, a
 * producer that does not know, queues that are read late.
 */
#include <stdint.h>

#include "sagas/act_allowed.h"
#include "sagas/json_text.h"
#include "tests/support/definition.h"
#include "tests/support/kitchen_sink.h"
#include "tests/support/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUTS_MAX = 300 };

/* Commands have what the producer needs, and nothing is sent once the saga has ended. */
static void check_decision(const struct play *play)
{
	const struct decision *decision = &play->decision;

	CHECK(decision->n_commands == 0 || !saga_status_is_terminal(play->state->status));
	for (size_t i = 0; i < decision->n_commands; i++) {
		const struct command *command = &decision->commands[i];

		CHECK(command->timeout_ms > 0 && command->request);
		CHECK(command->request->kind == REQUEST_HTTP || command->request->correlation);
	}
	for (size_t i = 0; i < decision->n_emissions; i++)
		CHECK(decision->emissions[i].request->kind == REQUEST_EMIT);
	for (size_t i = 0; i < decision->n_subscriptions; i++)
		CHECK(decision->subscriptions[i].remove || decision->subscriptions[i].value);
}

/* One of the actions that there are; false: none. */
static bool pick(const struct play *play, unsigned which, int *ret_step, int *ret_item)
{
	const struct saga_state *state = play->state;
	int step = (int)(which % (unsigned)state->def->n_steps);
	int n = state->steps[step].n_actions;

	if (n == 0)
		return false;
	*ret_step = step;
	*ret_item = state->def->steps[step].for_each ? (int)(which / 16) % n : -1;
	return true;
}

static const struct exec *side_of(const struct play *play, int step, int item, enum call_kind kind)
{
	const struct action_state *action = saga_state_action(play->state, step, item);

	return kind == CALL_UNDO || kind == CALL_PROBE_UNDO ? &action->undo : &action->run;
}

static void over_http(struct play *play, int step, int item, enum call_kind kind, unsigned how)
{
	static const int statuses[] = {200, 422, 500, 409};
	struct input in = {
		.type = INPUT_REPLY,
		.step = step,
		.item = item,
		.kind = kind,
		.attempt = side_of(play, step, item, kind)->attempt,
		.result = how % 8 < 5 ? CALL_ANSWERED : CALL_BROKEN,
		.http_status = how % 8 < 5 ? statuses[how % 4] : 0,
		.retry_after_ms = -1,
	};

	if (in.attempt > 0)
		(void)!play_give(play, &in);
}

static void reply(struct play *play, unsigned which, unsigned how)
{
	static const enum outcome said[] = {OUTCOME_DEFAULT, OUTCOME_SUCCESS, OUTCOME_FAILURE,
										OUTCOME_ONGOING, OUTCOME_UNKNOWN, OUTCOME_FAILURE,
										OUTCOME_SUCCESS, OUTCOME_ABSENT};
	static const char *const codes[] = {NULL, "NotFound", "soft", ""};
	enum call_kind kind = (enum call_kind)(how / 64);
	int step, item;

	if (!pick(play, which, &step, &item))
		return;
	if (play->def->steps[step].act.kind == ACTION_HTTP && kind == CALL_DO)
		over_http(play, step, item, kind, how);
	else
		play_reply(play, step, item, kind,
				   which < 240 ? side_of(play, step, item, kind)->ask : which, said[how % 8],
				   codes[how / 8 % 4], how % 5 ? "Done" : "Refused", how % 3 ? "{\"n\":1}" : NULL);
}

static void published(struct play *play, unsigned which, unsigned how)
{
	static const enum call_result results[] = {CALL_PUBLISHED,     CALL_PUBLISHED, CALL_PUBLISHED,
											   CALL_NOT_CONNECTED, CALL_BROKEN,    CALL_TOO_LARGE};
	enum call_kind kind = (enum call_kind)(how / 64);
	int step, item;

	if (pick(play, which, &step, &item) &&
		(play->def->steps[step].act.kind != ACTION_HTTP || kind != CALL_DO))
		play_published(play, step, item, kind, results[how % ARRAY_SIZE(results)]);
}

static void event(struct play *play, unsigned which, unsigned how)
{
	static const char *const ids[] = {"default/t/0/1", "default/t/0/2", "default/t/1/1", "odd"};
	static const char *const events[] = {"{\"data\":\"x\",\"n\":2}", "{\"data\":\"x\",\"n\":1}",
										 "{\"data\":2}", "{}"};
	int step, item;

	if (which >= 250)
		play_event(play, -1, -1, (int)(which % 4) - 1, ids[how % 4], events[how / 4 % 4]);
	else if (pick(play, which, &step, &item))
		play_event(play, step, item, 0, ids[how % 4], events[how / 4 % 4]);
}

static void act(struct play *play, enum act_kind kind)
{
	const struct act act = {.kind = kind, .item = -1, .by = "fuzz", .reason = "because"};
	struct input in = {.type = INPUT_ACT, .act = &act};

	(void)!play_give(play, &in);
}

/* Something that takes an act, and the act: chosen by two bytes among those that are shown. */
static void step_act(struct play *play, unsigned which, unsigned how)
{
	CLEANUP(json_decref_p) json_t *shown = saga_acts_allowed(play->state, play->now);
	const json_t *places = json_object_get(shown, "actions");
	const json_t *place = json_array_get(places, which % (json_array_size(places) + 1));
	struct act act = {.by = (char *)"fuzz"};
	struct input in = {.type = INPUT_ACT, .act = &act};
	const json_t *item = json_object_get(place, "item");

	if (!place)
		return;
	act.kind = (enum act_kind)(ACT_STEP_RETRY + how % (ACT_KIND_COUNT - ACT_STEP_RETRY));
	act.step = (char *)json_string_value(json_object_get(place, "step"));
	act.item = item ? (int)json_integer_value(item) : -1;
	act.side = json_is_true(json_object_get(place, "compensation")) ? SIDE_UNDO : SIDE_DO;
	act.resolution = (enum resolution)(how / 64 % RESOLUTION_COUNT);
	(void)!play_give(play, &in);
}

static void one(struct play *play, const uint8_t *data)
{
	wall_ms due;

	switch (data[0] % 16) {
	case 0:
		if (data[1] < 20)
			act(play, data[1] == 7 ? ACT_TERMINATE : ACT_CANCEL);
		else if (data[1] < 60)
			act(play, data[1] % 2 ? ACT_PAUSE : ACT_RESUME);
		else if (data[1] < 70)
			act(play, ACT_RETRY);
		else
			step_act(play, data[1], data[2]);
		break;
	case 1:
	case 2:
		play_wait(play, data[1] * (wall_ms)data[2] * 10);
		break;
	case 3:
	case 4:
		due = saga_state_next_due(play->state);
		if (due > play->now && data[1] % 4)
			play->queues_read_until = due;
		play_wait(play, due > play->now ? due - play->now : 0);
		break;
	case 5:
		play->queues_read_until = play->now;
		play_wait(play, 0);
		break;
	case 6:
		play_restart(play);
		break;
	case 7:
	case 8:
		event(play, data[1], data[2]);
		break;
	case 9:
	case 10:
	case 11:
		published(play, data[1], data[2]);
		break;
	default:
		reply(play, data[1], data[2]);
		break;
	}
	check_decision(play);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct saga_def *def;
	struct play play;
	size_t i, n = 0;

	if (!def)
		def = definition_must_load(KITCHEN_SINK_KAFKA);
	play_begin_def(&play, def, KITCHEN_SINK_INPUT, size % 2 == 1);
	check_decision(&play);
	play_wait(&play, 0);
	for (i = 0; i + 3 <= size && n++ < INPUTS_MAX; i += 3)
		one(&play, data + i);
	play_end(&play);
	return 0;
}
