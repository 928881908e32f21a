/*
 * What was told of something that takes too long, as the JSON of a saga shows it.
 */
#ifndef SAGAS_ESCALATION_JSON_H
#define SAGAS_ESCALATION_JSON_H

#include <jansson.h>

#include "sagas/state.h"

struct escalation_place {
	int step; /* -1: the saga */
	int index;
	enum side side;
};

/*
 * {"next_at","entries":[{"entry","does","told","status"?,"attempts"?,"error"?}]}: entries count
 * from 1, `does` is alert, groups, http, emit or task, and status is that of what it does. NULL:
 * the definition says nothing of it. The caller's.
 */
json_t *escalations_json(const struct saga_state *state, struct escalation_place place) MUST_CHECK;

#endif
