#include "sagas/approval.h"

#include <stdlib.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/json_text.h"

struct approval *approval_new(const struct event *event)
{
	struct approval *approval = xcalloc(1, sizeof(*approval));

	approval->since = event->at;
	approval->asked = jval_ref(event->value);
	return approval;
}

void approval_free(struct approval *approval)
{
	size_t i;

	if (!approval)
		return;
	for (i = 0; i < approval->n_decisions; i++) {
		free(approval->decisions[i].by);
		free(approval->decisions[i].reason);
		jval_unref(approval->decisions[i].data);
	}
	free(approval->decisions);
	json_decref(approval->more_groups);
	jval_unref(approval->asked);
	free(approval);
}

static const json_t *asked(const struct approval *approval, const char *name)
{
	return json_object_get(jval_json(approval->asked), name);
}

void approval_add(struct approval *approval, bool approved, const struct event *event)
{
	json_t *data = json_object_get(jval_json(event->value), "data");

	approval->decisions = xrealloc_array(approval->decisions, approval->n_decisions + 1,
										 sizeof(*approval->decisions));
	approval->decisions[approval->n_decisions++] = (struct approval_decision){
		.approved = approved,
		.by = xstrdup(event->by),
		.reason = event->reason ? xstrdup(event->reason) : NULL,
		.at = event->at,
		.data = data ? jval_from_json(json_incref(data)) : NULL,
	};
}

static bool has_text(const json_t *list, const char *text)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), text) == 0)
			return true;
	return false;
}

void approval_add_groups(struct approval *approval, const json_t *groups)
{
	json_t *one;
	size_t i;

	if (!approval->more_groups)
		approval->more_groups = json_array();
	json_array_foreach (groups, i, one)
		if (json_is_string(one) && !has_text(approval->more_groups, json_string_value(one)))
			json_array_append(approval->more_groups, one);
}

int approval_count(const struct approval *approval, bool approved)
{
	size_t i;
	int n = 0;

	for (i = 0; i < approval->n_decisions; i++)
		n += approval->decisions[i].approved == approved;
	return n;
}

static int quorum(const struct approval *approval, const char *name)
{
	json_int_t n = json_integer_value(asked(approval, name));

	return n > 0 ? (int)n : 1;
}

int approval_verdict(const struct approval *approval)
{
	if (approval_count(approval, true) >= quorum(approval, "approve"))
		return 1;
	return approval_count(approval, false) >= quorum(approval, "reject") ? -1 : 0;
}

static const struct approval_decision *decision_by(const struct approval *approval, const char *by)
{
	size_t i;

	for (i = 0; i < approval->n_decisions; i++)
		if (strcmp(approval->decisions[i].by, by) == 0)
			return &approval->decisions[i];
	return NULL;
}

static bool in_a_group(const struct approval *approval, const json_t *groups)
{
	const json_t *one;
	size_t i;

	json_array_foreach (groups, i, one)
		if (json_is_string(one) && (has_text(asked(approval, "groups"), json_string_value(one)) ||
									has_text(approval->more_groups, json_string_value(one))))
			return true;
	return false;
}

static void add_names(const json_t *names, struct buf *out)
{
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		if (json_is_string(name))
			buf_printf(out, "%s%s", out->len > 0 ? ", " : "", json_string_value(name));
}

int approval_may_decide(const struct approval *approval, const struct act *act, struct err *err)
{
	const struct approval_decision *had = decision_by(approval, act->by);
	CLEANUP(buf_release) struct buf names = {0};

	if (had)
		return err_set(err, ERR_CONFLICT, "%s has decided already: %s", act->by,
					   had->approved ? "approved" : "rejected");
	if (has_text(asked(approval, "exclude"), act->by))
		return err_set(err, ERR_CONFLICT, "%s is excluded from deciding this", act->by);
	if (in_a_group(approval, act->groups ? jval_json(act->groups) : NULL))
		return 0;
	buf_init(&names, 200);
	add_names(asked(approval, "groups"), &names);
	add_names(approval->more_groups, &names);
	return err_set(err, ERR_CONFLICT, "%s is in none of the groups that may decide this: %s",
				   act->by, buf_str(&names));
}

struct violation {
	struct err err;
	bool any;
};

static void note_first(void *ctx, const struct err *err)
{
	struct violation *violation = ctx;

	if (!violation->any)
		violation->err = *err;
	violation->any = true;
}

int approval_check_form(const struct schema *form, const struct act *act, struct err *err)
{
	CLEANUP(json_decref_p)
	json_t *data = act->data ? json_incref(jval_json(act->data)) : json_object();
	struct violation violation = {.any = false};
	char place[sizeof(err->place)];
	size_t len;

	if (act->data) {
		(void)jval_text(act->data, &len);
		if (len > APPROVAL_DATA_MAX_BYTES)
			return err_set_at(err, ERR_LIMIT, "/data", "data has %zu bytes; at most %d are taken",
							  len, APPROVAL_DATA_MAX_BYTES);
	}
	if (!form || (!act->data && act->kind == ACT_STEP_REJECT))
		return 0;
	schema_validate(form, data, note_first, &violation);
	if (!violation.any)
		return 0;
	snprintf(place, sizeof(place), "/data%.150s", violation.err.place);
	return err_set_at(err, ERR_INVALID, place, "the form is not met: %.280s", violation.err.text);
}

static json_t *decision_json(const struct approval_decision *decision)
{
	json_t *json = json_object();
	char at[TIME_TEXT_SIZE];

	time_format(decision->at, at);
	json_object_set_new_nocheck(json, "by", json_string(decision->by));
	json_object_set_new_nocheck(json, "decision",
								json_string(decision->approved ? "approved" : "rejected"));
	json_object_set_new_nocheck(json, "at", json_string(at));
	if (decision->reason)
		json_object_set_new_nocheck(json, "reason", json_string(decision->reason));
	if (decision->data)
		json_object_set_nocheck(json, "data", jval_json(decision->data));
	return json;
}

static json_t *decisions_json(const struct approval *approval)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < approval->n_decisions; i++)
		json_array_append_new(list, decision_json(&approval->decisions[i]));
	return list;
}

/* Members of objects add up; anything else takes the place of what there was. */
static void merge(json_t **data, json_t *with)
{
	if (json_is_object(*data) && json_is_object(with)) {
		json_object_update(*data, with);
		return;
	}
	json_decref(*data);
	*data = json_copy(with);
}

json_t *approval_output(const struct approval *approval, bool approved)
{
	json_t *json = json_object(), *by = json_array(), *data = json_object();
	size_t i;

	for (i = 0; i < approval->n_decisions; i++) {
		const struct approval_decision *decision = &approval->decisions[i];

		if (decision->approved != approved)
			continue;
		json_array_append_new(by, json_string(decision->by));
		if (decision->data)
			merge(&data, jval_json(decision->data));
	}
	json_object_set_new_nocheck(json, "decision", json_string(approved ? "approved" : "rejected"));
	json_object_set_new_nocheck(json, "by", by);
	json_object_set_new_nocheck(json, "data", data);
	json_object_set_new_nocheck(json, "decisions", decisions_json(approval));
	return json;
}

static void set_or(json_t *json, const char *name, const json_t *value, json_t *otherwise)
{
	if (value)
		json_object_set_nocheck(json, name, (json_t *)value);
	else
		json_object_set_nocheck(json, name, otherwise);
	json_decref(otherwise);
}

json_t *approval_json(const struct approval *approval, const struct schema *form)
{
	json_t *json = json_object();

	set_or(json, "title", asked(approval, "title"), json_string(""));
	set_or(json, "groups", asked(approval, "groups"), json_array());
	set_or(json, "escalated_groups", approval->more_groups, json_array());
	json_object_set_new_nocheck(json, "approve", json_integer(quorum(approval, "approve")));
	json_object_set_new_nocheck(json, "reject", json_integer(quorum(approval, "reject")));
	json_object_set_new_nocheck(json, "approved", json_integer(approval_count(approval, true)));
	json_object_set_new_nocheck(json, "rejected", json_integer(approval_count(approval, false)));
	set_or(json, "exclude", asked(approval, "exclude"), json_array());
	set_or(json, "show", asked(approval, "show"), json_null());
	set_or(json, "form", form ? schema_doc(form) : NULL, json_null());
	json_object_set_new_nocheck(json, "decisions", decisions_json(approval));
	return json;
}
