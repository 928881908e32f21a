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

#include "sagas/callback.h"

const char *decide__callback_nonce(struct ctx *ctx, int step, int item, char *ret)
{
	char key[STEP_KEY_SIZE];

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
