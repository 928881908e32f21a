/*
 * What expressions see of a saga: the environment of one step, item and reply. Values are made when
 * they are first asked for, and live until env_release.
 */
#ifndef SAGAS_ENV_H
#define SAGAS_ENV_H

#include "sagas/expr.h"
#include "sagas/state.h"

enum { STEP_KEY_SIZE = SAGA_ID_SIZE + 64 + 16 + 16 + 16 };

struct input;

struct env {
	struct expr_env expr; /* give &env->expr to the evaluators */
	struct saga_state *state;
	int step, item;
	int scope; /* the step whose names it sees: of an escalation, the one that it watches */
	/* Set by the caller after env_init, when they exist. All borrowed. */
	bool has_reply;
	const struct input *reply; /* NULL: only its body is known any more */
	struct jval *reply_body;
	struct jval *event;                         /* `event` */
	const char *failure_code, *failure_message; /* `failure` */
	struct jval *output;                        /* `output` */
	bool saga_failure;                          /* saga.failure may be read */
	bool stub_saga_failure;                     /* … and is not known yet: give a stand-in */
	json_t
		*carried; /* what a carried compensation sees instead of this run; borrowed, NULL: none */
	char *const *secrets; /* that may be named, NULL-terminated; or NULL */
	bool blank_secrets;   /* they are empty text, not placeholders */
	const char *nonce;    /* of step.callback_url; NULL: there is none */
	/* Made on demand. */
	json_t *made[EXPR_NAME_COUNT];
};

/* step -1: outside of any step. */
void env_init(struct env *env, struct saga_state *state, int step, int item);
void env_release(struct env *env);

/* "<saga>/<step>[<item>]/<do|undo|probe>"; of a step that was begun anew, from its second run on,
 * "<saga>/<step>~<run>[<item>]/<do|undo|probe>" */
void step_key(const struct saga_state *state, int step, int item, const char *what,
			  char key[STEP_KEY_SIZE]);

#endif
