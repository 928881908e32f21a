/*
 * What a person does to a saga. An act is an input of the core like any other: it is decided on the
 * state (decide.h), refused where the state does not allow it (act_allowed.h), and is in the
 * history with who and why. The API, the command line and batches give acts in one JSON form.
 *
 * Of the saga:
 *
 *   cancel       undo what was done; refused past the pivot and while it is undone
 *   terminate    end where it stands, undo nothing
 *   pause        begin nothing and send nothing until `resume`; answers to what is out are taken
 *                in, deadlines stand still
 *   resume
 *   compensate   as cancel; of a saga that is being undone: each undo that failed or backs off is
 *                tried now
 *   retry        each action that is parked or backs off, each undo that failed or backs off, is
 *                tried now. With `from` (a step): a saga that is being undone turns round: this
 *                step and all that depend on it begin anew
 *   reset        the same to a place in the history: what was not done there begins anew. Refused
 *                where an effect would be lost (not undone, or unknown)
 *   signal       something that it waits for, or will
 *   acknowledge  what a person was to know (a notice, or that the deadline has passed) is known
 *   note         a remark
 *   owner        who takes care of it; without a name: nobody
 *   migrate      it goes on by another version of its definition, which has to agree with all that
 *                was decided so far
 *
 * Of a step, or of its compensation:
 *
 *   retry        now; with `request`, an edited request under a new idempotency key, which is
 *                refused as long as an attempt may have taken effect
 *   skip         it is not needed; of a step with the output that is said
 *   complete     it was done by other means; with its output, or the participant's reply
 *   fail         it has definitely failed, without effect; of a compensation: stop trying, it waits
 *                for a person
 *   resolve      its outcome is unknown, and: it happened (as complete) | it did not (then it can
 *                be retried, skipped, failed) | ask the probe now
 *   approve      of an approval: who acts (`by`) decides for it, with what its form asks for
 *   reject       … against it
 *
 * pause, note and owner are taken by any saga; note and owner also after its end.
 */
#ifndef SAGAS_ACT_H
#define SAGAS_ACT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "sagas/base/err.h"
#include "sagas/base/macros.h"
#include "sagas/event.h"
#include "sagas/jval.h"

/* X(constant, word) */
#define SAGA_ACTS(X)                                                                               \
	X(ACT_CANCEL, "cancel")                                                                        \
	X(ACT_TERMINATE, "terminate")                                                                  \
	X(ACT_PAUSE, "pause")                                                                          \
	X(ACT_RESUME, "resume")                                                                        \
	X(ACT_COMPENSATE, "compensate")                                                                \
	X(ACT_RETRY, "retry")                                                                          \
	X(ACT_RESET, "reset")                                                                          \
	X(ACT_SIGNAL, "signal")                                                                        \
	X(ACT_ACKNOWLEDGE, "acknowledge")                                                              \
	X(ACT_NOTE, "note")                                                                            \
	X(ACT_OWNER, "owner")                                                                          \
	X(ACT_MIGRATE, "migrate")
#define STEP_ACTS(X)                                                                               \
	X(ACT_STEP_RETRY, "retry")                                                                     \
	X(ACT_STEP_SKIP, "skip")                                                                       \
	X(ACT_STEP_COMPLETE, "complete")                                                               \
	X(ACT_STEP_FAIL, "fail")                                                                       \
	X(ACT_STEP_RESOLVE, "resolve")                                                                 \
	X(ACT_STEP_APPROVE, "approve")                                                                 \
	X(ACT_STEP_REJECT, "reject")
#define RESOLUTIONS(X)                                                                             \
	X(RESOLVE_HAPPENED, "happened")                                                                \
	X(RESOLVE_DID_NOT_HAPPEN, "did_not_happen")                                                    \
	X(RESOLVE_PROBE, "probe")

#define X(name, text) name,
enum act_kind { SAGA_ACTS(X) STEP_ACTS(X) ACT_KIND_COUNT };
enum resolution { RESOLUTIONS(X) RESOLUTION_COUNT };
#undef X

enum {
	ACT_ID_MAX_BYTES = 64,
	ACT_BY_MAX_BYTES = 200,
	ACT_REASON_MAX_BYTES = 1000,
	ACT_NAME_MAX_BYTES = 200,     /* of a signal, of an owner */
	ACT_BODY_MAX_BYTES = 1 << 20, /* as JSON: it may hold an output or a request */
	ACT_GROUPS_MAX = 1000,        /* that a person is said to be in */
	ACT_IDS_KEPT = 8,             /* of so many acts a saga knows that it took them already */
};

struct act {
	enum act_kind kind;
	char *id; /* the same act told again changes nothing and is no error; NULL: none */
	char *by, *reason;
	char *step; /* of step acts; of retry: `from`, or NULL */
	int item;   /* of step acts; -1: the step's only action */
	enum side side;
	struct jval *output; /* skip, complete, resolve (happened); NULL: none was said */
	/* complete, resolve (happened): the body of the participant's answer, from which the
	 * definition's `output` is made */
	struct jval *reply;
	/* retry: {path?, headers?: {}, body?, record_key?}: replaces those parts. Of a command, body is
	 * its data; headers replace all that there are. */
	struct jval *request;
	struct jval *value;   /* signal */
	struct jval *data;    /* approve, reject: what was filled in */
	struct jval *groups;  /* approve, reject: the groups that `by` is in, a list of texts */
	char *code, *message; /* fail */
	char *name;           /* signal; owner (NULL: nobody) */
	enum resolution resolution;
	int64_t to;      /* reset: the history row whose state it goes back to */
	int64_t version; /* migrate: of the same definition, by which it goes on */
	/* migrate: the history was played again on that version, which would have decided the same up
	 * to now. Said by who can read histories and definitions; it is no member of the JSON form. */
	bool replayed;
	/* reset: what `to` means, found by who can read the history (saga_reset_steps): ids of the
	 * steps that begin anew, NULL-terminated. Owned. It is no member of the JSON form. */
	char **forget;
};

void act_init(struct act *act, enum act_kind kind);
void act_release(struct act *act);

const char *act_kind_text(enum act_kind kind);
bool act_is_of_step(enum act_kind kind);
/* A saga takes it after its end, too. */
bool act_outlives_saga(enum act_kind kind);
/* -1 for an unknown text. */
int act_kind_parse(const char *text, bool of_step);
const char *resolution_text(enum resolution resolution);

/*
 * Reads the members of an act's body into act, whose kind is set, and with it step, item and side
 * where the path said them: {reason, by, id, item, output, reply, request, value, code, message,
 * owner, outcome, from, to, version, data, groups}, of which none has to be there, but the reason
 * of a note, the outcome of resolve, `to` of reset, and `by` of approve and reject. Members that
 * this kind of act does not have are refused. ERR_INVALID, err->place: the JSON pointer.
 */
int act_read(struct act *act, const json_t *body, struct err *err) MUST_CHECK;
/* The same as JSON, with "act", and with "step", "item", "compensation": true where it has them;
 * and back. This is how a batch keeps its act. */
json_t *act_json(const struct act *act) MUST_CHECK;
int act_from_json(const json_t *json, struct act *ret_act, struct err *err) MUST_CHECK;

#endif
