#include "tests/support/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/act.h"
#include "tests/support/definition.h"
#include "tests/support/oracle.h"

static void fail(const struct play *play, const char *what, const char *detail)
{
	fprintf(stderr, "%s: %s\n  %s\n", what, detail, buf_str(&play->trail));
	for (size_t i = 0; i < play->n_rows; i++)
		fprintf(stderr, "  %lld %s\n", (long long)(play->rows[i].at - PLAY_STARTS_AT),
				play->rows[i].text);
	abort();
}

static void fold_row(struct play *play, struct saga_state *state, const struct play_row *row)
{
	if (saga_state_apply_row(state, row->at, row->text, strlen(row->text), &play->err) < 0)
		fail(play, "the row cannot be folded", play->err.text);
}

static void keep_row(struct play *play)
{
	const struct decision *decision = &play->decision;
	struct buf text;

	buf_init(&text, 0);
	for (size_t i = 0; i < decision->n_events; i++) {
		const struct event *event = &decision->events[i];

		buf_add_char(&text, i > 0 ? ',' : '[');
		event_write(event, play->def, &text);
		buf_printf(&play->trail, "%s%s", play->trail.len > 0 ? ", " : "",
				   event_type_text(event->type));
		if (event->step >= 0)
			buf_printf(&play->trail, " %s", play->def->steps[event->step].id);
	}
	buf_add_char(&text, ']');
	play->rows = xrealloc_array(play->rows, play->n_rows + 1, sizeof(*play->rows));
	play->rows[play->n_rows].at = decision->events[0].at;
	play->rows[play->n_rows++].text = buf_take(&text, NULL);
}

static void check(struct play *play)
{
	const char *differs;
	int step;

	if (saga_state_validate(play->state, &play->err) < 0)
		fail(play, "the state cannot be", play->err.text);
	if (saga_state_validate(play->fold, &play->err) < 0)
		fail(play, "the fold cannot be", play->err.text);
	differs = oracle_state_differs(play->state, play->fold, &step);
	if (differs)
		fail(play, "memory and fold differ", differs);
	/* What the row of a saga that sleeps would say with this commit is what the fold says. */
	if (play->decision.n_events > 0 && saga_state_may_sleep(play->state) &&
		(!saga_state_may_sleep(play->fold) ||
		 saga_state_next_due(play->state) != saga_state_next_due(play->fold)))
		fail(play, "it sleeps", "and the fold would not wake it at the same time");
}

/* A fold that begins with the run is that of everything. */
static void check_base(struct play *play)
{
	struct saga_state *state = saga_state_new(play->def, PLAY_ID);
	const char *differs;
	int step;

	state->rows = play->state->base_row - 1;
	for (size_t i = (size_t)state->rows; i < play->n_rows; i++)
		fold_row(play, state, &play->rows[i]);
	differs = oracle_state_differs(play->fold, state, &step);
	if (differs)
		fail(play, "a fold of everything and one of the run differ", differs);
	if (play->fold->n_events != state->n_events ||
		play->fold->history_bytes != state->history_bytes ||
		play->fold->updated_at != state->updated_at ||
		saga_state_next_due(play->fold) != saga_state_next_due(state))
		fail(play, "a fold of everything and one of the run differ", "in figures");
	saga_state_free(state);
}

static void decided(struct play *play)
{
	const struct decision *decision = &play->decision;

	if (decision->n_events > 0) {
		keep_row(play);
		play->state->rows++;
		play->state->history_bytes += (int64_t)strlen(play->rows[play->n_rows - 1].text);
		fold_row(play, play->fold, &play->rows[play->n_rows - 1]);
	} else if (decision->n_emissions > 0 || decision->n_subscriptions > 0 ||
			   decision->n_locks > 0 || decision->n_tasks > 0 || decision->remove_all_tasks ||
			   decision->n_messages > 0) {
		fail(play, "something is to be committed", "without an event");
	}
	check(play);
	if (play->fold->base_row > 0)
		check_base(play);
}

int play_give(struct play *play, const struct input *given)
{
	struct input in = *given;
	int r;

	in.random = ++play->random;
	in.queues_read_until = play->queues_read_until;
	in.inbox_read_until = play->inbox_read_until > play->queues_read_until
							  ? play->inbox_read_until
							  : play->queues_read_until;
	decision_release(&play->decision);
	r = saga_decide(play->state, &in, play->now, &play->decision, &play->err);
	if (r < 0 && play->decision.n_events > 0)
		fail(play, "refused", "and changed something");
	decided(play);
	return r;
}

static void begin(struct play *play, struct saga_def *def, const char *id, const struct input *in)
{
	*play = (struct play){.now = PLAY_STARTS_AT, .def = saga_def_ref(def)};
	memcpy(play->id, id, sizeof(play->id));
	play->state = saga_state_new(play->def, id);
	play->fold = saga_state_new(play->def, id);
	buf_init(&play->trail, 0);
	if (play_give(play, in) < 0)
		fail(play, "the start is refused", play->err.text);
}

void play_begin(struct play *play, const char *yaml, const char *input, bool create_only)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = definition_must_load(yaml);

	play_begin_def(play, def, input, create_only);
}

void play_begin_def(struct play *play, struct saga_def *def, const char *input, bool create_only)
{
	struct jval *value = jval_from_text(xstrdup(input), strlen(input));
	struct input in = {
		.type = INPUT_START, .ns = "default", .value = value, .create_only = create_only};

	begin(play, def, PLAY_ID, &in);
	jval_unref(value);
}

void play_begin_child(struct play *play, struct saga_def *def, const char *id,
					  const struct request *request)
{
	struct jval *value =
		jval_from_text(xstrndup(request->body, request->body_len), request->body_len);
	struct input in = {
		.type = INPUT_START,
		.ns = "default",
		.key = request->key,
		.value = value,
		.parent = request->correlation,
		.depth = request->depth,
		.hold = request->hold,
	};

	begin(play, def, id, &in);
	jval_unref(value);
}

void play_end(struct play *play)
{
	decision_release(&play->decision);
	saga_state_free(play->state);
	saga_state_free(play->fold);
	saga_def_unref(play->def);
	buf_release(&play->trail);
	for (size_t i = 0; i < play->n_rows; i++)
		free(play->rows[i].text);
	free(play->rows);
}

void play_restart(struct play *play)
{
	decision_release(&play->decision);
	saga_state_free(play->state);
	play->state = saga_state_new(play->def, play->id);
	for (size_t i = 0; i < play->n_rows; i++)
		fold_row(play, play->state, &play->rows[i]);
	saga_recover(play->state, play->now, &play->decision);
	check(play);
}

static struct jval *json_or_null(const char *text)
{
	return text ? jval_from_text(xstrdup(text), strlen(text)) : NULL;
}

void play_published(struct play *play, int step, int item, enum call_kind kind,
					enum call_result result)
{
	bool undo = kind == CALL_UNDO || kind == CALL_PROBE_UNDO;
	const struct action_state *action = saga_state_action(play->state, step, item);
	struct input in = {
		.type = INPUT_REPLY,
		.step = step,
		.item = item,
		.kind = kind,
		.attempt = undo ? action->undo.attempt : action->run.attempt,
		.result = result,
		.retry_after_ms = -1,
	};

	(void)!play_give(play, &in);
}

void play_reply(struct play *play, int step, int item, enum call_kind kind, int64_t ask,
				enum outcome said, const char *code, const char *type, const char *body)
{
	struct jval *value = json_or_null(body);
	struct input in = {
		.type = INPUT_REPLY,
		.step = step,
		.item = item,
		.kind = kind,
		.ask = ask,
		.result = CALL_ANSWERED,
		.said = said,
		.code = code,
		.reply_type = type,
		.body = value,
		.retry_after_ms = -1,
	};

	(void)!play_give(play, &in);
	jval_unref(value);
}

void play_wait(struct play *play, int64_t ms)
{
	struct input in = {.type = INPUT_TIMER};

	play->now += ms;
	(void)!play_give(play, &in);
}

int play_act(struct play *play, const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	struct act act;
	struct input in = {.type = INPUT_ACT, .act = &act};
	int r;

	if (!json || act_from_json(json, &act, &play->err) < 0)
		fail(play, "no act", text);
	r = play_give(play, &in);
	act_release(&act);
	json_decref(json);
	return r;
}

void play_answer(struct play *play, int step, int item, enum call_kind kind, int http_status,
				 const char *body)
{
	bool undo = kind == CALL_UNDO || kind == CALL_PROBE_UNDO;
	const struct action_state *action = saga_state_action(play->state, step, item);
	struct jval *value = json_or_null(body);
	struct input in = {
		.type = INPUT_REPLY,
		.step = step,
		.item = item,
		.kind = kind,
		.attempt = undo ? action->undo.attempt : action->run.attempt,
		.result = CALL_ANSWERED,
		.http_status = http_status,
		.body = value,
		.retry_after_ms = -1,
	};

	(void)!play_give(play, &in);
	jval_unref(value);
}

void play_event(struct play *play, int step, int item, int place, const char *id, const char *event)
{
	struct jval *value = json_or_null(event);
	struct input in = {
		.type = INPUT_EVENT,
		.step = step,
		.item = item,
		.place = place,
		.event = value,
		.event_id = id,
	};

	(void)!play_give(play, &in);
	jval_unref(value);
}

struct task_answer play_task(struct play *play, int step, int item, enum side side,
							 enum task_word word, const char *details, const char *code,
							 const char *nonce, int64_t attempt)
{
	const struct action_state *action = saga_state_action(play->state, step, item);
	const struct exec *exec = side == SIDE_DO ? &action->run : &action->undo;
	struct jval *value = json_or_null(details);
	CLEANUP(free_p) char *present = exec->nonce ? xstrdup(exec->nonce) : xstrdup("");
	struct task_answer answer;
	struct input in = {
		.type = INPUT_TASK,
		.step = step,
		.item = item,
		.side = side,
		.word = word,
		.worker = "w-1",
		.build = "b1",
		.nonce = nonce ? nonce : present,
		.attempt = nonce ? attempt : exec->attempt,
		.body = word == TASK_WORD_COMPLETE ? value : NULL,
		.details = word == TASK_WORD_COMPLETE ? NULL : value,
		.code = code,
		.retryable = true,
		.answer = &answer,
	};

	/* "!code": final; "?code": it may have taken effect. */
	if (code && *code == '!') {
		in.retryable = false;
		in.code = code + 1;
	} else if (code && *code == '?') {
		in.unknown = true;
		in.code = code + 1;
	}
	(void)!play_give(play, &in);
	jval_unref(value);
	request_unref(answer.request);
	jval_unref(answer.progress);
	answer.request = NULL;
	answer.progress = NULL;
	return answer;
}
