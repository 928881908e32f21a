/*
 * Answers through step.callback_url. The URL holds a nonce that is drawn when the step is
 * scheduled, so only who got the request can answer there. As a reply over Kafka, such an answer is
 * for the action, whichever attempt caused it, and may come before the answer to the call itself;
 * but what says nothing final is only noted.
 *
 * While the participant works on it (`ongoing`), a step without a probe is not asked again with the
 * call: it waits for the callback until its deadline.
 */
#include "sagas/decide_priv.h"

#include <stdio.h>
#include <string.h>

#include "sagas/callback.h"

/* What was drawn when the row was made; NULL: it does not schedule this. */
static const char *replayed_nonce(const struct ctx *ctx, int step, int item)
{
	const char *id = ctx->state->def->steps[step].id;
	const json_t *event;
	size_t i;

	json_array_foreach (ctx->replayed, i, event) {
		const char *type = json_string_value(json_object_get(event, "type"));
		const char *of = json_string_value(json_object_get(event, "step"));
		const json_t *which = json_object_get(event, "item");

		if (type && of && strcmp(type, event_type_text(EV_STEP_SCHEDULED)) == 0 &&
			strcmp(of, id) == 0 && (which ? (int)json_integer_value(which) : -1) == item)
			return json_string_value(json_object_get(event, "id"));
	}
	return NULL;
}

const char *decide__callback_nonce(struct ctx *ctx, int step, int item, char *ret)
{
	const char *known = ctx->replayed ? replayed_nonce(ctx, step, item) : NULL;
	char key[STEP_KEY_SIZE];

	if (known) {
		snprintf(ret, CALLBACK_NONCE_SIZE, "%s", known);
		return ret;
	}
	step_key(ctx->state, step, item, "do", key);
	callback_nonce(ctx->random, key, ret);
	return ret;
}

bool decide__calls_back(const struct exec *exec, const struct action_def *act)
{
	return act->reads_callback && exec->nonce && !act->probe;
}

void decide__callback(struct ctx *ctx, struct target target)
{
	const struct action_def *act = decide__action_def(ctx, target);

	/* A forged one changes nothing, and is not told: anybody can send them. */
	if (target.side != SIDE_DO || !act->reads_callback ||
		!callback_nonce_fits(decide__exec(ctx, target)->nonce, ctx->in->nonce)) {
		ctx->decision->unrecorded_replies++;
		return;
	}
	decide__judge(ctx, target, true);
}
