/*
 * History rows: each line is read as one and folded. What is refused is refused with a reason;
 * what folds and holds its invariants can be shown, recovered and gone on with.
 */
#include <stdint.h>
#include <string.h>

#include "sagas/decide.h"
#include "sagas/json_text.h"
#include "sagas/state_json.h"
#include "tests/support/definition.h"
#include "tests/support/kitchen_sink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1767225600000)

/* The engine takes it over: sends again, then time passes, then somebody cancels. */
static void go_on(struct saga_state *state)
{
	static const enum input_type types[] = {INPUT_TIMER, INPUT_ACT, INPUT_TIMER};
	const struct act cancel = {.kind = ACT_CANCEL, .item = -1, .by = "fuzz"};
	struct decision decision;
	struct err err;
	wall_ms now = state->last_at;

	json_decref(saga_state_json(state, NOW));
	decision_init(&decision);
	saga_recover(state, now, &decision);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct input in = {.type = types[i], .random = i, .act = &cancel};
		wall_ms due = saga_state_next_due(state);

		if (due > now && due < NOW * 2)
			now = due;
		if (saga_decide(state, &in, now, &decision, &err) < 0)
			CHECK(err.text[0]);
	}
	for (size_t i = 0; i < decision.n_commands; i++)
		CHECK(decision.commands[i].request && decision.commands[i].timeout_ms > 0);
	decision_release(&decision);
}

static void fold(struct saga_def *def, const uint8_t *data, size_t size)
{
	CLEANUP(saga_state_free_p) struct saga_state *state = NULL;
	const char *text = (const char *)data;
	const char *line = text, *end;
	struct err err;
	int r = 0;

	state = saga_state_new(def, "0198c0de-7a31-7abc-bf11-223344556677");
	while (r == 0 && size > 0 && line < text + size) {
		end = memchr(line, '\n', (size_t)(text + size - line));
		if (!end)
			end = text + size;
		r = saga_state_apply_row(state, NOW + (line - text), line, (size_t)(end - line), &err);
		line = end + 1;
	}
	if (r == 0 && state->n_events > 0)
		r = saga_state_validate(state, &err);
	if (r < 0)
		CHECK(err.text[0]);
	else if (state->n_events > 0)
		go_on(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct saga_def *defs[2];

	if (!defs[0]) {
		defs[0] = definition_must_load(KITCHEN_SINK);
		defs[1] = definition_must_load(KITCHEN_SINK_KAFKA);
	}
	fold(defs[0], data, size);
	fold(defs[1], data, size);
	return 0;
}
