/*
 * `approval`: who may decide, how many have to, and what they see and fill in.
 */
#include "sagas/def_priv.h"

enum { MAX_QUORUM = 100 };

static void read_title(const struct node *at, void *to)
{
	read_tmpl(at, WANT_STRING, &((struct approval_action *)to)->title);
}

static void read_groups(const struct node *at, void *to)
{
	if (json_is_array(at->value) && json_array_size(at->value) == 0) {
		find_at(at, FINDING_ERROR, "`groups` names nobody who may decide");
		return;
	}
	read_tmpl(at, WANT_LIST, &((struct approval_action *)to)->groups);
}

static void read_count(const struct node *at, int *to)
{
	int64_t n;

	if (read_int(at, 1, MAX_QUORUM, &n))
		*to = (int)n;
}

static void read_approve(const struct node *at, void *to)
{
	read_count(at, &((struct approval_action *)to)->approve);
}

static void read_reject(const struct node *at, void *to)
{
	read_count(at, &((struct approval_action *)to)->reject);
}

/* A list, or one expression that gives a list or a name. */
static void read_exclude(const struct node *at, void *to)
{
	if (!json_is_array(at->value) && !json_is_string(at->value)) {
		find_at(at, FINDING_ERROR,
				"`exclude` must be a list of names, or an expression that gives one, such as "
				"${input.requested_by}");
		return;
	}
	read_tmpl(at, WANT_ANY, &((struct approval_action *)to)->exclude);
}

static void read_show(const struct node *at, void *to)
{
	read_tmpl(at, WANT_ANY, &((struct approval_action *)to)->show);
}

static void report_form(void *ctx, const struct err *err)
{
	const struct node *at = ctx;

	find_at(at, FINDING_ERROR, "the form is not a schema: %s (at %s)", err->text, err->place);
}

static void read_form(const struct node *at, void *to)
{
	struct approval_action *approval = to;
	struct err err;

	if (schema_compile(at->value, &approval->form, &err) < 0 &&
		schema_check(at->value, report_form, (void *)at) == 0)
		report_form((void *)at, &err);
}

void read_approval(const struct node *at, struct action_def *act)
{
	static const struct key_rule keys[] = {
		{"title", read_title},   {"groups", read_groups},   {"approve", read_approve},
		{"reject", read_reject}, {"exclude", read_exclude}, {"show", read_show},
		{"form", read_form},
	};

	act->kind = ACTION_APPROVAL;
	act->approval.approve = act->approval.reject = 1;
	if (!read_object(at, "approval", keys, ARRAY_SIZE(keys), &act->approval))
		return;
	need_key(at, "title", "what people read in their list");
	need_key(at, "groups", "who may decide, such as [sales]");
}
