/*
 * What a call's answer means: success, failure, ongoing, unknown; or, of a probe, absent.
 */
#ifndef SAGAS_OUTCOME_H
#define SAGAS_OUTCOME_H

#include "sagas/decide.h"
#include "sagas/env.h"

struct judgement {
	enum outcome outcome; /* never OUTCOME_DEFAULT */
	bool sent;            /* the participant may have received it */
	bool answered;        /* … and has said all that it will do about it */
	bool by_rule;         /* a rule of the definition says so */
	char code[128];       /* of an outcome that is not success */
	char message[256];
};

/*
 * env holds the reply. sent_before: an earlier attempt, or an earlier owner, may have sent the same
 * call, so that 409 may only mean that the first is still being worked on.
 */
void outcome_judge(const struct input *in, const struct action_def *act, struct env *env,
				   bool sent_before, bool is_probe, struct judgement *ret);

#endif
