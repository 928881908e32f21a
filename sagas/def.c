/*
 * The life of a compiled definition: finding its steps, counting its references, freeing its parts.
 */
#include "sagas/def.h"

#include <string.h>

#include "sagas/def_priv.h"

int saga_def_step(const struct saga_def *def, const char *id)
{
	for (int i = 0; i < def->n_steps; i++) {
		if (strcmp(def->steps[i].id, id) == 0)
			return i;
	}
	return -1;
}

/* The block that is the action of a step, or of its undo. */
static struct saga_def *block_of(const struct action_def *act)
{
	return act->kind == ACTION_CHILD ? act->child.block : NULL;
}

struct saga_def *saga_def_find_block(struct saga_def *def, const char *name)
{
	if (strcmp(def->name, name) == 0)
		return def;
	for (int i = 0; i < def->n_steps; i++) {
		struct saga_def *const blocks[] = {block_of(&def->steps[i].act),
										   block_of(&def->steps[i].undo)};

		for (size_t k = 0; k < ARRAY_SIZE(blocks); k++) {
			size_t len = blocks[k] ? strlen(blocks[k]->name) : 0;

			/* What begins with its name, and goes on with that of a step in it. */
			if (blocks[k] && strncmp(blocks[k]->name, name, len) == 0 &&
				(name[len] == '\0' || name[len] == '#'))
				return saga_def_find_block(blocks[k], name);
		}
	}
	return NULL;
}

void saga_def_walk(struct saga_def *def, void (*fn)(struct saga_def *def, void *ctx), void *ctx)
{
	fn(def, ctx);
	for (int i = 0; i < def->n_steps; i++) {
		struct saga_def *block = block_of(&def->steps[i].act);
		struct saga_def *undo = block_of(&def->steps[i].undo);

		if (block)
			saga_def_walk(block, fn, ctx);
		if (undo)
			saga_def_walk(undo, fn, ctx);
	}
}

struct deployed {
	int64_t version;
	const char *hash;
};

static void set_version(struct saga_def *def, void *ctx)
{
	const struct deployed *deployed = ctx;

	def->version = deployed->version;
	memcpy(def->hash, deployed->hash, sizeof(def->hash));
}

void saga_def_set_version(struct saga_def *def, int64_t version, const char hash[65])
{
	char copy[65];
	struct deployed deployed = {version, copy};

	memcpy(copy, hash, sizeof(copy));
	saga_def_walk(def, set_version, &deployed);
}

static void limit_release(struct limit *limit)
{
	tmpl_free(limit->tmpl);
}

void outcome_rules__release(struct outcome_rules *outcome)
{
	for (size_t i = 0; i < outcome->n_rules; i++) {
		free(outcome->rules[i].code);
		expr_free(outcome->rules[i].expr);
	}
	free(outcome->rules);
	tmpl_free(outcome->code);
	*outcome = (struct outcome_rules){0};
}

static void http_fields_free(struct http_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(fields[i].name);
		tmpl_free(fields[i].value);
	}
	free(fields);
}

static void http_action_release(struct http_action *http)
{
	free(http->to);
	free(http->method);
	free(http->content_type);
	tmpl_free(http->path);
	tmpl_free(http->body);
	http_fields_free(http->query, http->n_query);
	http_fields_free(http->headers, http->n_headers);
	for (char **name = http->secrets; name && *name; name++)
		free(*name);
	free(http->secrets);
}

static void command_action_release(struct command_action *command)
{
	free(command->to);
	free(command->type);
	tmpl_free(command->key);
	tmpl_free(command->data);
	tmpl_free(command->headers);
}

static void emit_action_release(struct emit_action *emit)
{
	free(emit->cluster);
	free(emit->topic);
	free(emit->type);
	tmpl_free(emit->key);
	tmpl_free(emit->data);
	tmpl_free(emit->headers);
}

static void correlate_def_release(struct correlate_def *correlate)
{
	free(correlate->cluster);
	free(correlate->topic);
	tmpl_free(correlate->from);
	tmpl_free(correlate->expect);
	tmpl_free(correlate->when);
}

static void await_def_release(struct await_def *await)
{
	for (size_t i = 0; i < await->n_waits; i++) {
		free(await->waits[i].signal);
		limit_release(&await->waits[i].after);
		correlate_def_release(&await->waits[i].on);
	}
	free(await->waits);
}

static void approval_action_release(struct approval_action *approval)
{
	tmpl_free(approval->title);
	tmpl_free(approval->groups);
	tmpl_free(approval->exclude);
	tmpl_free(approval->show);
	schema_free(approval->form);
}

void escalate_list__release(struct escalate_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		limit_release(&list->entries[i].after);
		tmpl_free(list->entries[i].groups);
		tmpl_free(list->entries[i].with);
		if (list->entries[i].act) {
			/* The action of an entry has no entries, so this ends. */
			action_def__release(list->entries[i].act);
			free(list->entries[i].act);
		}
	}
	free(list->entries);
	*list = (struct escalate_list){0};
}

static void child_action_release(struct child_action *child)
{
	free(child->saga);
	saga_def_unref(child->block);
}

static void retry_policy_release(struct retry_policy *retry)
{
	for (size_t i = 0; i < retry->n_non_retryable; i++)
		free(retry->non_retryable[i]);
	free(retry->non_retryable);
}

static const char *const overlaps[] = {
	[OVERLAP_SKIP] = "skip",
	[OVERLAP_QUEUE] = "queue",
	[OVERLAP_START] = "start",
	[OVERLAP_CANCEL] = "cancel",
};

const char *schedule_overlap_text(enum schedule_overlap overlap)
{
	return overlaps[overlap];
}

int schedule_overlap_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++)
		if (strcmp(text, overlaps[i]) == 0)
			return (int)i;
	return -1;
}

static void schedule_def_release(struct schedule_def *schedule)
{
	free(schedule->name);
	free(schedule->line);
	free(schedule->time_zone);
	tmpl_free(schedule->input);
}

static void trigger_def_release(struct trigger_def *trigger)
{
	free(trigger->cluster);
	free(trigger->topic);
	free(trigger->group);
	free(trigger->dead_letter_topic);
	tmpl_free(trigger->when);
	tmpl_free(trigger->input);
	tmpl_free(trigger->key);
	retry_policy_release(&trigger->retry);
}

void action_def__release(struct action_def *act)
{
	tmpl_free(act->when);
	http_action_release(&act->http);
	tmpl_free(act->set);
	tmpl_free(act->fail_code);
	tmpl_free(act->fail_message);
	limit_release(&act->after);
	limit_release(&act->timeout);
	limit_release(&act->deadline);
	command_action_release(&act->command);
	emit_action_release(&act->emit);
	correlate_def_release(&act->await_kafka);
	free(act->task.queue);
	tmpl_free(act->task.route);
	tmpl_free(act->with);
	free(act->await_signal);
	tmpl_free(act->lock.keys);
	tmpl_free(act->next_input);
	await_def_release(&act->await);
	approval_action_release(&act->approval);
	escalate_list__release(&act->escalate);
	child_action_release(&act->child);
	retry_policy_release(&act->retry);
	outcome_rules__release(&act->outcome);
	tmpl_free(act->output);
	tmpl_free(act->idempotency_key);
	if (act->probe) {
		/* A probe has no probe, so this ends. */
		action_def__release(&act->probe->act);
		free(act->probe);
	}
	*act = (struct action_def){0};
}

const struct correlate_def *action_subscription(const struct action_def *act, int place)
{
	const struct wait_def *wait;

	if (act->kind == ACTION_AWAIT_KAFKA)
		return place == 0 ? &act->await_kafka : NULL;
	if (act->kind != ACTION_AWAIT || place < 0 || (size_t)place >= act->await.n_waits)
		return NULL;
	wait = &act->await.waits[place];
	return wait->kind == WAIT_KAFKA || wait->kind == WAIT_WEBHOOK ? &wait->on : NULL;
}

bool action_subscribes(const struct action_def *act)
{
	for (size_t i = 0; i < act->await.n_waits; i++)
		if (action_subscription(act, (int)i))
			return true;
	return act->kind == ACTION_AWAIT_KAFKA;
}

bool action_subscribes_kafka(const struct action_def *act)
{
	for (size_t i = 0; i < act->await.n_waits; i++)
		if (act->await.waits[i].kind == WAIT_KAFKA)
			return true;
	return act->kind == ACTION_AWAIT_KAFKA;
}

void step_def__release(struct step_def *step)
{
	free(step->id);
	free(step->needs);
	free(step->dependants);
	free(step->ancestors);
	tmpl_free(step->for_each);
	expr_free(step->repeat_until);
	tmpl_free(step->tolerate);
	if (!step->act_borrowed)
		action_def__release(&step->act);
	action_def__release(&step->undo);
}

static void saga_def_free(struct saga_def *def)
{
	for (int i = 0; i < def->n_steps; i++)
		step_def__release(&def->steps[i]);
	free(def->steps);
	for (size_t i = 0; i < def->n_triggers; i++)
		trigger_def_release(&def->triggers[i]);
	free(def->triggers);
	for (size_t i = 0; i < def->n_schedules; i++)
		schedule_def_release(&def->schedules[i]);
	free(def->schedules);
	for (size_t i = 0; i < def->n_cancel_on; i++)
		correlate_def_release(&def->cancel_on[i]);
	free(def->cancel_on);
	for (size_t i = 0; i < def->n_cancel_signals; i++) {
		free(def->cancel_signals[i].name);
		tmpl_free(def->cancel_signals[i].when);
	}
	free(def->cancel_signals);
	for (size_t i = 0; i < def->n_search; i++) {
		free(def->search[i].name);
		tmpl_free(def->search[i].value);
	}
	free(def->search);
	for (size_t i = 0; i < def->n_labels; i++) {
		free(def->labels[i].name);
		free(def->labels[i].value);
	}
	free(def->labels);
	escalate_list__release(&def->escalate);
	for (size_t i = 0; i < def->scope.n_steps; i++)
		free(def->scope.steps[i]);
	free(def->scope.steps);
	free(def->name);
	json_decref(def->doc);
	tmpl_free(def->key);
	tmpl_free(def->output);
	limit_release(&def->deadline);
	schema_free(def->input_schema);
	free(def);
}

struct saga_def *saga_def_ref(struct saga_def *def)
{
	__atomic_add_fetch(&def->refs, 1, __ATOMIC_RELAXED);
	return def;
}

void saga_def_unref(struct saga_def *def)
{
	if (def && __atomic_sub_fetch(&def->refs, 1, __ATOMIC_ACQ_REL) == 0)
		saga_def_free(def);
}
