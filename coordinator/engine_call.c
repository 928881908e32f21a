/*
 * What others ask of the engine: made and freed by them, filled in by the turn.
 */
#include "coordinator/engine.h"

#include <stdio.h>

struct engine_call *engine_call_new(enum engine_act act)
{
	struct engine_call *call = xcalloc(1, sizeof(*call));

	call->act = act;
	call->if_match = -1;
	return call;
}

struct engine_call *engine_call_for_act(const char *ns, const char *id, struct act *act)
{
	struct engine_call *call = engine_call_new(ENGINE_ACT);

	call->ns = xstrdup(ns);
	snprintf(call->id, sizeof(call->id), "%s", id);
	call->doing = xcalloc(1, sizeof(*call->doing));
	*call->doing = *act;
	call->effect.kind = act->kind;
	act_init(act, call->doing->kind);
	return call;
}

struct engine_call *engine_call_for_task(const char *ns, const char *id, enum task_word word,
										 const char *step, int item, enum side side)
{
	struct engine_call *call = engine_call_new(ENGINE_TASK);

	call->ns = xstrdup(ns);
	snprintf(call->id, sizeof(call->id), "%s", id);
	call->task = xcalloc(1, sizeof(*call->task));
	call->task->word = word;
	call->task->step = xstrdup(step);
	call->task->item = item;
	call->task->side = side;
	return call;
}

static void task_call_free(struct task_call *task)
{
	if (!task)
		return;
	free(task->step);
	free(task->worker);
	free(task->build);
	free(task->nonce);
	jval_unref(task->output);
	jval_unref(task->details);
	free(task->details_text);
	free(task->code);
	free(task->message);
	request_unref(task->answer.request);
	jval_unref(task->answer.progress);
	free(task->definition);
	free(task);
}

void engine_call_free(struct engine_call *call)
{
	if (!call)
		return;
	task_call_free(call->task);
	if (call->doing)
		act_release(call->doing);
	free(call->doing);
	free(call->ns);
	free(call->key);
	free(call->parent);
	free(call->saga_json);
	free(call->effect.events);
	saga_def_unref(call->def);
	jval_unref(call->input);
	free(call);
}

void act_effect_write(const struct act_effect *effect, struct buf *out)
{
	buf_add_lit(out, "{\"events\":[");
	for (size_t i = 0; i < effect->n_events; i++)
		buf_printf(out, "%s\"%s\"", i > 0 ? "," : "", event_type_text(effect->events[i]));
	buf_printf(out, "],\"seq\":%lld,\"status_before\":\"%s\",\"status_after\":\"%s\"}",
			   (long long)effect->seq, saga_status_text(effect->status_before),
			   saga_status_text(effect->status_after));
}
