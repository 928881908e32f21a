/*
 * Definitions from strangers: whatever the text, reading and loading end, within the limits, and a
 * definition that loads can be drawn. JSON and YAML share the corpus, as they share the loader; the
 * first byte of a text tells which it is.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "connectors/yaml.h"
#include "sagas/def_graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_findings(const struct findings *findings)
{
	size_t errors = 0, unbuilt = 0;

	for (size_t i = 0; i < findings->n; i++) {
		CHECK(findings->list[i].text && *findings->list[i].text);
		errors += findings->list[i].level == FINDING_ERROR;
		unbuilt += findings->list[i].level == FINDING_NOT_BUILT;
	}
	CHECK(findings->truncated ||
		  (errors == findings->n_errors && unbuilt == findings->n_not_built));
}

static void check_correlate(const struct correlate_def *correlate)
{
	CHECK((correlate->cluster != NULL) != correlate->webhook);
	CHECK(correlate->topic && correlate->from && correlate->expect);
	CHECK(strlen(correlate->channel) == CHANNEL_SIZE - 1);
}

static void check_wait(const struct wait_def *wait)
{
	switch (wait->kind) {
	case WAIT_SIGNAL:
		CHECK(wait->signal);
		break;
	case WAIT_KAFKA:
	case WAIT_WEBHOOK:
		CHECK(wait->on.webhook == (wait->kind == WAIT_WEBHOOK));
		check_correlate(&wait->on);
		break;
	case WAIT_AFTER:
		CHECK(wait->after.tmpl || wait->after.ms >= 0);
		break;
	}
}

static void check_action(const struct action_def *act)
{
	switch (act->kind) {
	case ACTION_HTTP:
		CHECK(act->http.to && act->http.method && act->http.path);
		break;
	case ACTION_COMMAND:
		CHECK(act->command.to && act->command.type);
		break;
	case ACTION_EMIT:
		CHECK(act->emit.cluster && act->emit.topic && act->emit.type);
		break;
	case ACTION_AWAIT_KAFKA:
		check_correlate(&act->await_kafka);
		break;
	case ACTION_TASK:
		CHECK(act->task.queue && (act->timeout.ms > 0 || act->timeout.tmpl));
		break;
	case ACTION_AWAIT_SIGNAL:
		CHECK(act->await_signal);
		break;
	case ACTION_CONTINUE:
		CHECK(act->next_input);
		break;
	case ACTION_LOCK:
		CHECK(act->lock.keys);
		break;
	case ACTION_AWAIT:
		CHECK(act->await.n_waits > 0 && act->await.n_waits <= AWAIT_MAX_WAITS);
		for (size_t i = 0; i < act->await.n_waits; i++)
			check_wait(&act->await.waits[i]);
		break;
	case ACTION_CHILD:
		CHECK(act->child.saga);
		break;
	case ACTION_APPROVAL:
		CHECK(act->approval.title && act->approval.groups);
		CHECK(act->approval.approve >= 1 && act->approval.reject >= 1);
		break;
	case ACTION_SET:
	case ACTION_FAIL:
	case ACTION_AWAIT_AFTER:
		break;
	}
	CHECK(!act->probe || act->kind == ACTION_HTTP || act->kind == ACTION_COMMAND);
	if (act->probe) {
		CHECK(act->probe->act.kind == ACTION_HTTP || act->probe->act.kind == ACTION_COMMAND);
		check_action(&act->probe->act);
	}
}

static void check_triggers(const struct saga_def *def)
{
	for (size_t i = 0; i < def->n_triggers; i++) {
		const struct trigger_def *trigger = &def->triggers[i];

		CHECK(trigger->cluster && trigger->topic && trigger->dead_letter_topic);
		CHECK(strcmp(trigger->topic, trigger->dead_letter_topic) != 0);
		CHECK(trigger->retry.maximum_attempts >= 1 && trigger->retry.initial_interval_ms > 0);
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(trigger->topic, def->triggers[k].topic) != 0);
	}
	for (size_t i = 0; i < def->n_cancel_on; i++)
		check_correlate(&def->cancel_on[i]);
}

/* What the core relies on. */
static void check_def(const struct saga_def *def)
{
	check_triggers(def);
	CHECK(def->name && def->n_forward > 0 && def->n_steps >= def->n_forward);
	for (int i = 0; i < def->n_steps; i++) {
		const struct step_def *step = &def->steps[i];

		CHECK(step->index == i && saga_def_step(def, step->id) == i);
		CHECK(!step_def_has_ancestor(step, i));
		for (size_t k = 0; k < step->n_needs; k++)
			CHECK(step_def_has_ancestor(step, step->needs[k]));
		CHECK(!step->for_each || !step->repeat_until);
		CHECK(step->max_parallel >= 1 && (!step->repeat_until || step->repeat_max >= 1));
		check_action(&step->act);
		if (step->undo_kind == UNDO_ACTION && i != def->carried) {
			CHECK(step->undo.kind != ACTION_SET && step->undo.kind != ACTION_FAIL &&
				  step->undo.kind != ACTION_LOCK && step->undo.kind != ACTION_CONTINUE &&
				  step->undo.kind != ACTION_APPROVAL);
			check_action(&step->undo);
		}
		if (def->pivot >= 0 && i < def->n_forward && i != def->pivot)
			CHECK(step->after_pivot || step_def_has_ancestor(&def->steps[def->pivot], i));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	struct findings findings = {0};
	struct saga_def *def = NULL;
	json_t *doc = NULL;
	struct buf graph;

	if (definition_read(NULL, (const char *)data, size, &doc, places, &findings) == 0 &&
		saga_def_load(doc, places, &def, &findings) == 0) {
		check_def(def);
		buf_init(&graph, 0);
		CHECK(saga_def_graph(def, GRAPH_MERMAID, &graph) == 0);
		CHECK(saga_def_graph(def, GRAPH_DOT, &graph) == 0);
		buf_release(&graph);
		saga_def_unref(def);
	}
	check_findings(&findings);
	findings_release(&findings);
	json_decref(doc);
	return 0;
}
