/*
 * Reads the saga as it is shown (state_json.h) and turns it: the same words, one row an action.
 */
#include "coordinator/ledger.h"

#include "sagas/json_text.h"
#include "sagas/state_json.h"

static bool is_way_back(const struct saga_state *state)
{
	return state->failing || state->status == SAGA_TERMINATED || state->status == SAGA_FAILED;
}

static bool is_owed(const struct saga_state *state, const json_t *compensation)
{
	const char *text = json_string_value(json_object_get(compensation, "status"));
	int status = text ? comp_status_parse(text) : -1;

	if (!is_way_back(state))
		return false;
	return status == COMP_ARMED || status == COMP_RUNNING || status == COMP_BACKING_OFF ||
		   status == COMP_FAILED;
}

static void copy_member(json_t *to, const json_t *from, const char *name)
{
	json_t *value = json_object_get(from, name);

	if (value)
		json_object_set(to, name, value);
}

static int add_rows(const struct saga_state *state, const json_t *step, json_t *rows)
{
	json_t *action;
	size_t i;
	int owed = 0;

	json_array_foreach (json_object_get(step, "actions"), i, action) {
		bool owes = is_owed(state, json_object_get(action, "compensation"));
		json_t *row = json_object();

		json_object_set(row, "step", json_object_get(step, "id"));
		copy_member(row, step, "pivot");
		json_object_set(row, "undo", json_object_get(step, "compensation"));
		json_object_update(row, action);
		json_object_set_new(row, "owed", json_boolean(owes));
		json_array_append_new(rows, row);
		owed += owes;
	}
	return owed;
}

void ledger_write(const struct saga_state *state, wall_ms now, struct buf *out)
{
	static const char *const members[] = {"id",      "saga",   "namespace",
										  "version", "status", "summary"};
	CLEANUP(json_decref_p) json_t *whole = saga_state_json(state, now);
	CLEANUP(json_decref_p) json_t *ledger = json_object();
	json_t *rows = json_array(), *step;
	int owed = 0;
	size_t i;

	for (size_t m = 0; m < ARRAY_SIZE(members); m++)
		copy_member(ledger, whole, members[m]);
	json_array_foreach (json_object_get(whole, "steps"), i, step)
		owed += add_rows(state, step, rows);
	json_object_set_new(ledger, "owed", json_integer(owed));
	json_object_set_new(ledger, "ledger", rows);
	json_write(ledger, out);
}
