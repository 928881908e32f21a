/*
 * What was expected, compared with what came. What a test does not name is not looked at; of an
 * object, members that are not named may be there.
 */
#include "coordinator/deftest_priv.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/state_json.h"

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* ---- values ---- */

static void add_value(const json_t *value, struct buf *out)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	if (value)
		json_write(value, &text);
	else
		buf_add_str(&text, "nothing");
	buf_printf(out, "%.200s%s", buf_str(&text), text.len > 200 ? "…" : "");
}

static bool members_in(const json_t *expected, const json_t *got, struct buf *path, struct buf *why)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)expected, name, value) {
		size_t len = path->len;

		buf_printf(path, ".%s", name);
		if (!deftest__contains(value, json_object_get(got, name), path, why))
			return false;
		buf_truncate(path, len);
	}
	return true;
}

static bool items_in(const json_t *expected, const json_t *got, struct buf *path, struct buf *why)
{
	const json_t *value;
	size_t i;

	json_array_foreach (expected, i, value) {
		size_t len = path->len;

		buf_printf(path, "[%zu]", i);
		if (!deftest__contains(value, json_array_get(got, i), path, why))
			return false;
		buf_truncate(path, len);
	}
	return true;
}

bool deftest__contains(const json_t *expected, const json_t *got, struct buf *path, struct buf *why)
{
	if (json_is_object(expected) && json_is_object(got))
		return members_in(expected, got, path, why);
	if (json_is_array(expected) && json_is_array(got) &&
		json_array_size(expected) == json_array_size(got))
		return items_in(expected, got, path, why);
	if (got && json_equal(expected, got))
		return true;
	if (json_is_number(expected) && json_is_number(got) &&
		json_number_value(expected) == json_number_value(got))
		return true;
	buf_printf(why, "%s is ", buf_str(path));
	add_value(got, why);
	buf_add_str(why, ", expected ");
	add_value(expected, why);
	return false;
}

/* ---- calls ---- */

static bool glob(const char *pattern, const char *text)
{
	return text && (strcmp(pattern, text) == 0 || fnmatch(pattern, text, FNM_NOESCAPE) == 0);
}

/* Brackets are indexes here, not sets of characters. */
static bool place_glob(const char *pattern, const char *place)
{
	struct buf escaped;
	bool found;

	buf_init(&escaped, 0);
	for (; *pattern; pattern++) {
		if (*pattern == '[')
			buf_add_char(&escaped, '\\');
		buf_add_char(&escaped, *pattern);
	}
	found = fnmatch(buf_str(&escaped), place, 0) == 0;
	buf_release(&escaped);
	return found;
}

static bool text_fits(const json_t *expected, const char *name, const char *got, struct buf *why)
{
	const char *pattern = text_of(expected, name);

	if (!pattern || glob(pattern, got))
		return true;
	buf_printf(why, "its %s is %s, expected %s", name, got ? got : "none", pattern);
	return false;
}

static bool body_fits(const json_t *expected, const struct seen *seen, struct buf *why)
{
	static const char *const names[] = {"body", "data"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		const json_t *body = json_object_get(expected, names[i]);
		CLEANUP(buf_release) struct buf path;

		buf_init(&path, 0);
		buf_add_str(&path, names[i]);
		if (body && !deftest__contains(body, seen->body, &path, why))
			return false;
	}
	return true;
}

static bool headers_fit(const json_t *expected, const struct seen *seen, struct buf *why)
{
	const char *name;
	json_t *value;

	json_object_foreach (json_object_get(expected, "headers"), name, value) {
		const char *got = text_of(seen->headers, name);

		if (glob(json_string_value(value), got))
			continue;
		buf_printf(why, "its header %s is %s, expected %s", name, got ? got : "missing",
				   json_string_value(value));
		return false;
	}
	return true;
}

static bool numbers_fit(const json_t *expected, const struct seen *seen, struct buf *why)
{
	const json_t *attempt = json_object_get(expected, "attempt");
	int64_t at = deftest__duration(json_object_get(expected, "at"), -1);

	if (attempt && json_integer_value(attempt) != seen->attempt) {
		buf_printf(why, "it is attempt %lld, expected %lld", (long long)seen->attempt,
				   (long long)json_integer_value(attempt));
		return false;
	}
	if (at >= 0 && at != seen->at - DEFTEST_STARTS_AT) {
		buf_printf(why, "it is sent after %.3f s, expected after %s",
				   (double)(seen->at - DEFTEST_STARTS_AT) / 1000, text_of(expected, "at"));
		return false;
	}
	return true;
}

static bool identity_fits(const json_t *expected, const struct seen *seen)
{
	const char *text = json_string_value(expected);
	const char *call = text_of(expected, "call"), *step = text_of(expected, "step");

	if (text)
		return strchr(text, ' ') ? place_glob(text, seen->text) : place_glob(text, seen->place);
	return (!call || place_glob(call, seen->text)) && (!step || place_glob(step, seen->place));
}

bool deftest__matches(const json_t *expected, const struct seen *seen, char **ret_why)
{
	CLEANUP(buf_release) struct buf why;
	bool matches;

	buf_init(&why, 0);
	matches = identity_fits(expected, seen);
	if (!matches)
		buf_printf(&why, "another one was expected");
	matches = matches && text_fits(expected, "key", seen->key, &why) &&
			  text_fits(expected, "record_key", seen->record_key, &why) &&
			  numbers_fit(expected, seen, &why) && body_fits(expected, seen, &why) &&
			  headers_fit(expected, seen, &why);
	if (!matches && ret_why)
		*ret_why = xstrdup(buf_str(&why));
	return matches;
}

/* The whole list, in order. */
static void expect_list(struct deftest *test, const char *name, const struct seen_list *seen)
{
	const json_t *expected = json_object_get(test->test, name);
	size_t i, n = json_array_size(expected), most = n > seen->n ? n : seen->n;
	CLEANUP(free_p) char *why = NULL;
	CLEANUP(free_p) char *table = NULL;
	char pointer[64];

	if (!expected)
		return;
	for (i = 0; i < most; i++)
		if (i >= n || i >= seen->n ||
			!deftest__matches(json_array_get(expected, i), &seen->list[i], &why))
			break;
	if (i == most)
		return;
	table = deftest__side_by_side(expected, seen, i);
	snprintf(pointer, sizeof(pointer), "/%s/%zu", name, i < n ? i : n - 1);
	if (n == 0)
		snprintf(pointer, sizeof(pointer), "/%s", name);
	deftest__fail(test, pointer, "%s differ at %zu: %s\n\n%s",
				  strcmp(name, "undone") == 0  ? "what was undone: the order or the members"
				  : strcmp(name, "emits") == 0 ? "the emitted records"
											   : "the calls",
				  i + 1,
				  why            ? why
				  : i >= seen->n ? "nothing more came"
								 : "nothing more was expected",
				  table);
}

static void expect_some(struct deftest *test)
{
	const json_t *expected = json_object_get(test->test, "calls_include"), *entry;
	char pointer[64];
	size_t i, at = 0, from;

	json_array_foreach (expected, i, entry) {
		for (from = at; at < test->calls.n; at++)
			if (deftest__matches(entry, &test->calls.list[at], NULL))
				break;
		if (at < test->calls.n) {
			at++;
			continue;
		}
		CLEANUP(free_p) char *text = deftest__expected_text(entry);
		CLEANUP(free_p)
		char *table = deftest__side_by_side(NULL, &test->calls, from < test->calls.n ? from : 0);

		snprintf(pointer, sizeof(pointer), "/calls_include/%zu", i);
		deftest__fail(test, pointer, "there is no call %s%s\n\n%s", text,
					  i > 0 ? ", in this order" : "", table);
		return;
	}
}

static void expect_none(struct deftest *test)
{
	const json_t *unwanted = json_object_get(test->test, "no_calls"), *entry;
	char pointer[64];
	size_t i, j;

	json_array_foreach (unwanted, i, entry) {
		for (j = 0; j < test->calls.n; j++)
			if (deftest__matches(entry, &test->calls.list[j], NULL))
				break;
		if (j == test->calls.n)
			continue;
		snprintf(pointer, sizeof(pointer), "/no_calls/%zu", i);
		deftest__fail(test, pointer, "call %zu is one that must not be: %s (%s)", j + 1,
					  test->calls.list[j].text, test->calls.list[j].place);
	}
}

/* ---- the end ---- */

static void expect_text(struct deftest *test, const json_t *end, const char *name, const char *what,
						const char *got)
{
	const json_t *expected = json_object_get(end, name);
	const char *pattern = json_string_value(expected);
	char pointer[64];

	if (!expected || (pattern ? glob(pattern, got) : !got))
		return;
	snprintf(pointer, sizeof(pointer), "/end/%s", name);
	deftest__fail(test, pointer, "%s is %s, expected %s", what, got ? got : "none",
				  pattern ? pattern : "none");
}

static const json_t *find_step(const json_t *shown, const char *id)
{
	const json_t *step;
	size_t i;

	json_array_foreach (json_object_get(shown, "steps"), i, step)
		if (strcmp(text_of(step, "id"), id) == 0)
			return step;
	return NULL;
}

/* The step, or its action, of a place, as the API would show it; the caller's. */
static json_t *shown_place(struct deftest *test, const char *place, bool want_action)
{
	CLEANUP(json_decref_p) json_t *shown = NULL;
	struct deftest_target target;
	const json_t *step, *actions;
	json_t *found;

	if (!deftest__find(test, place, &target))
		return NULL;
	shown = saga_state_json(target.saga->state, sandbox_now(test->sandbox));
	step = find_step(shown, target.saga->state->def->steps[target.step].id);
	actions = json_object_get(step, "actions");
	found = target.item < 0 && !want_action
				? (json_t *)step
				: json_array_get(actions, target.item < 0 ? 0 : (size_t)target.item);
	return found ? json_incref(found) : NULL;
}

static void expect_place_text(struct deftest *test, const char *member, const char *place,
							  const char *got, const char *expected)
{
	CLEANUP(buf_release) struct buf pointer;

	buf_init(&pointer, 0);
	if (got && strcmp(got, expected) == 0)
		return;
	buf_printf(&pointer, "/end/%s/", member);
	json_write_pointer_key(place, &pointer);
	deftest__fail(test, buf_str(&pointer), "%s%s is %s, expected %s",
				  strcmp(member, "undo") == 0 ? "the undo of " : "", place, got ? got : "not there",
				  expected);
}

static void expect_steps(struct deftest *test, const json_t *end)
{
	const char *place;
	json_t *expected;

	json_object_foreach (json_object_get(end, "steps"), place, expected) {
		CLEANUP(json_decref_p) json_t *shown = shown_place(test, place, false);

		expect_place_text(test, "steps", place, text_of(shown, "status"),
						  json_string_value(expected));
	}
	json_object_foreach (json_object_get(end, "undo"), place, expected) {
		CLEANUP(json_decref_p) json_t *shown = shown_place(test, place, true);

		expect_place_text(test, "undo", place,
						  text_of(json_object_get(shown, "compensation"), "status"),
						  json_string_value(expected));
	}
}

static void expect_value(struct deftest *test, const char *pointer, const char *what,
						 const json_t *expected, const json_t *got)
{
	CLEANUP(buf_release) struct buf path, why;

	buf_init(&path, 0);
	buf_init(&why, 0);
	buf_add_str(&path, what);
	if (!deftest__contains(expected, got, &path, &why))
		deftest__fail(test, pointer, "%s", buf_str(&why));
}

static void expect_outputs(struct deftest *test, const json_t *end)
{
	const struct saga_state *state = test->root->state;
	const char *place;
	json_t *expected;

	if (json_object_get(end, "output"))
		expect_value(test, "/end/output", "the output", json_object_get(end, "output"),
					 state->output ? jval_json(state->output) : NULL);
	json_object_foreach (json_object_get(end, "outputs"), place, expected) {
		CLEANUP(json_decref_p) json_t *shown = shown_place(test, place, false);
		CLEANUP(buf_release) struct buf pointer;

		buf_init(&pointer, 0);
		buf_add_str(&pointer, "/end/outputs/");
		json_write_pointer_key(place, &pointer);
		expect_value(test, buf_str(&pointer), place, expected, json_object_get(shown, "output"));
	}
}

/* The root, in one line: how it stands, and why. */
static char *stands(const struct saga_state *state)
{
	const char *attention = saga_state_attention(state);
	struct buf out;

	buf_init(&out, 0);
	buf_add_str(&out, saga_status_text(state->status));
	if (state->failure_code)
		buf_printf(&out, " (%s%s%s)", state->failure_code, state->failure_message ? ": " : "",
				   state->failure_message ? state->failure_message : "");
	if (attention)
		buf_printf(&out, "; it needs a person: %s", attention);
	return buf_take(&out, NULL);
}

static void expect_status(struct deftest *test, const json_t *end)
{
	const struct saga_state *state = test->root->state;
	const char *expected = json_string_value(end);
	CLEANUP(free_p) char *words = stands(state);

	if (!expected)
		expected = text_of(end, "status");
	if (!expected && !end)
		expected = "completed";
	if (expected && strcmp(expected, saga_status_text(state->status)) != 0)
		deftest__fail(test,
					  !end                  ? ""
					  : json_is_object(end) ? "/end/status"
											: "/end",
					  "the saga is %s, expected %s", words, expected);
}

static void expect_time(struct deftest *test, const json_t *end)
{
	const struct saga_state *state = test->root->state;
	int64_t expected = deftest__duration(json_object_get(end, "after"), -1);
	int64_t took = state->ended_at - state->started_at;

	if (expected < 0)
		return;
	if (!state->ended_at)
		deftest__fail(test, "/end/after", "it has not ended, expected after %s",
					  text_of(end, "after"));
	else if (took != expected)
		deftest__fail(test, "/end/after", "it ended after %.3f s, expected after %s",
					  (double)took / 1000, text_of(end, "after"));
}

void deftest__expect(struct deftest *test)
{
	const json_t *end = json_object_get(test->test, "end");
	const struct saga_state *state = test->root->state;

	expect_list(test, "calls", &test->calls);
	expect_some(test);
	expect_none(test);
	expect_list(test, "emits", &test->emits);
	expect_list(test, "undone", &test->undone);
	expect_status(test, end);
	expect_text(test, end, "failure", "the failure", state->failure_code);
	expect_text(test, end, "message", "the message", state->failure_message);
	expect_text(test, end, "attention", "why it needs a person", saga_state_attention(state));
	expect_outputs(test, end);
	expect_steps(test, end);
	expect_time(test, end);
	deftest__never_happened(test);
}
