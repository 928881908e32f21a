/*
 * One approval: who was asked and what, who may decide it, and what they have decided. It belongs
 * to the state of its action, which folds it from the history.
 *
 * Who is in a group is not known here: an act carries the groups that its caller has been found to
 * be in.
 */
#ifndef SAGAS_APPROVAL_H
#define SAGAS_APPROVAL_H

#include <jansson.h>
#include <stdbool.h>

#include "sagas/act.h"
#include "sagas/base/err.h"
#include "sagas/base/time.h"
#include "sagas/def.h"
#include "sagas/event.h"
#include "sagas/jval.h"

enum {
	APPROVAL_TITLE_MAX_BYTES = 1000,
	APPROVAL_NAME_MAX_BYTES = 200, /* of a group or a person */
	APPROVAL_NAMES_MAX = 100,      /* groups, or excluded persons */
	APPROVAL_SHOW_MAX_BYTES = 64 * 1024,
	APPROVAL_DATA_MAX_BYTES = 64 * 1024,
};

struct approval_decision {
	bool approved;
	char *by, *reason; /* reason NULL: none was said */
	wall_ms at;
	struct jval *data; /* NULL: none */
};

struct approval {
	wall_ms since;       /* when they were asked */
	struct jval *asked;  /* {title, groups, approve, reject, exclude?, show?} */
	json_t *more_groups; /* that `escalate` has added; NULL: none */
	struct approval_decision *decisions;
	size_t n_decisions;
};

/* Of StepScheduled, whose value is what was asked; what of it a damaged history lacks is taken for
 * nothing. */
struct approval *approval_new(const struct event *event) MUST_CHECK;
void approval_free(struct approval *approval);

/* Folding. */
void approval_add(struct approval *approval, bool approved, const struct event *event);
void approval_add_groups(struct approval *approval, const json_t *groups);

/* How many have decided so. */
int approval_count(const struct approval *approval, bool approved);
/* Enough have: 1 approved, -1 rejected, 0 neither. */
int approval_verdict(const struct approval *approval);

/*
 * Whether who acts may decide: act->by is not excluded, has not decided yet, and act->groups (a
 * list; NULL: none) names a group that may. ERR_CONFLICT.
 */
int approval_may_decide(const struct approval *approval, const struct act *act,
						struct err *err) MUST_CHECK;
/* What is filled in fits the form; an approval without data is held to it as {}. ERR_INVALID,
 * err->place: the JSON pointer, in /data. */
int approval_check_form(const struct schema *form, const struct act *act,
						struct err *err) MUST_CHECK;

/*
 * {"decision","by":[…],"data","decisions":[{"by","decision","at","reason"?,"data"?}]}, of those who
 * decided alike; data merges what those who approved filled in, the last one wins.
 */
json_t *approval_output(const struct approval *approval, bool approved) MUST_CHECK;
/* {"title","groups","escalated_groups","approve","reject","approved","rejected","exclude","show",
 * "form","decisions"}: what a list of approvals shows of it, and a saga. */
json_t *approval_json(const struct approval *approval, const struct schema *form) MUST_CHECK;

#endif
