#include "coordinator/cli/saga_text.h"

#include <string.h>

#include "coordinator/cli/print.h"
#include "sagas/base/buf.h"
#include "sagas/base/time.h"
#include "sagas/status.h"

/* "2026-01-31T23:59:59.123Z" as "2026-01-31 23:59:59" */
static void short_time(const char *at, char text[TIME_TEXT_SIZE])
{
	snprintf(text, TIME_TEXT_SIZE, "%.19s", at ? at : "-");
	if (strlen(text) == 19)
		text[10] = ' ';
}

/* "charge", or "reserve[2]"; the caller's. */
static char *action_name(const char *step, int64_t item)
{
	return item < 0 ? xstrdup(step ? step : "")
					: xasprintf("%s[%lld]", step ? step : "", (long long)item);
}

/* An error is an object {code, message}, or a text. The caller's; NULL: none. */
static char *error_text(const json_t *error)
{
	const char *code = text_of(error, "code"), *message = text_of(error, "message");

	if (json_is_string(error))
		return xstrdup(json_string_value(error));
	if (code && message && *message)
		return xasprintf("%s: %s", code, message);
	if (code || message)
		return xstrdup(code ? code : message);
	return NULL;
}

/* What of this action is still to be done by the saga, or by a person. */
static const char *owed(const char *saga_status, const char *undo)
{
	int status = undo ? comp_status_parse(undo) : -1;
	bool way_back =
		strcmp(saga_status, "compensating") == 0 || strcmp(saga_status, "compensation_failed") == 0;

	switch (status) {
	case COMP_ARMED:
		if (strcmp(saga_status, "terminated") == 0 || strcmp(saga_status, "failed") == 0)
			return "not undone";
		return way_back ? "undo" : "undo, if it fails";
	case COMP_RUNNING:
	case COMP_BACKING_OFF:
		return strcmp(saga_status, "terminated") == 0 ? "not undone" : "undo";
	case COMP_FAILED:
		return "a person's decision";
	default:
		return NULL;
	}
}

static const char *shown_status(const char *status)
{
	return status && strcmp(status, "not_armed") == 0 ? NULL : status;
}

static void attempts_text(const json_t *object, char text[24])
{
	int64_t n = int_of(object, "attempts", 0);

	*text = '\0';
	if (n > 0)
		snprintf(text, 24, "%lld", (long long)n);
}

static void add_action(struct table *table, const json_t *saga, const json_t *step,
					   const json_t *action)
{
	const json_t *undo = json_object_get(action, "compensation");
	const char *undo_status = shown_status(text_of(undo, "status"));
	const char *saga_status = text_of(saga, "status");
	CLEANUP(free_p) char *name = action_name(text_of(step, "id"), int_of(action, "item", -1));
	CLEANUP(free_p) char *error = error_text(json_object_get(action, "error"));
	CLEANUP(free_p) char *undo_error = error_text(json_object_get(undo, "error"));
	const char *next = text_of(action, "next_at"), *undo_next = text_of(undo, "next_at");
	char tries[24], undo_tries[24], due[TIME_TEXT_SIZE];
	CLEANUP(free_p) char *note = NULL;

	attempts_text(action, tries);
	attempts_text(undo, undo_tries);
	if (undo_next)
		next = undo_next;
	short_time(next, due);
	note = xasprintf("%s%s%s%s%s%s", error ? error : "", error && undo_error ? "; " : "",
					 undo_error ? "undo: " : "", undo_error ? undo_error : "",
					 next ? "; next at " : "", next ? due : "");
	table_add(table, name, text_of(action, "status"), tries, undo_status, undo_tries,
			  owed(saga_status ? saga_status : "", undo_status),
			  strncmp(note, "; ", 2) == 0 ? note + 2 : note);
}

/* A step without actions yet, or one that was skipped. */
static void add_step(struct table *table, const json_t *step)
{
	CLEANUP(free_p) char *error = error_text(json_object_get(step, "error"));

	table_add(table, text_of(step, "id"), text_of(step, "status"), "", "", "", "",
			  error ? error : "");
}

static void field(const char *name, const char *value, FILE *out)
{
	CLEANUP(free_p) char *shown = value ? shown_text(value) : NULL;

	if (shown)
		fprintf(out, "%-10s %s\n", name, shown);
}

static void times(const json_t *saga, FILE *out)
{
	char started[TIME_TEXT_SIZE], ended[TIME_TEXT_SIZE];

	short_time(text_of(saga, "started_at"), started);
	short_time(text_of(saga, "ended_at"), ended);
	if (text_of(saga, "ended_at"))
		fprintf(out, "%-10s %s, ended %s\n", "started", started, ended);
	else
		fprintf(out, "%-10s %s\n", "started", started);
	if (text_of(saga, "deadline_at") && !text_of(saga, "ended_at")) {
		short_time(text_of(saga, "deadline_at"), ended);
		field("deadline", ended, out);
	}
}

void saga_text_ledger(const json_t *saga, bool color, FILE *out)
{
	const char *status = text_of(saga, "status"),
			   *paint = status_color(status ? status : "", color);
	json_t *step, *action;
	bool is_undoing = status && strncmp(status, "compensat", strlen("compensat")) == 0;
	struct table table;
	size_t i, j;

	fprintf(out, "%-10s %s  (version %lld)\n",
			text_of(saga, "saga") ? text_of(saga, "saga") : "saga", text_of(saga, "id"),
			(long long)int_of(saga, "version", 0));
	fprintf(out, "%-10s %s%s%s\n", "status", paint, status ? status : "?", color_end(paint));
	field("", text_of(saga, "summary"), out);
	field("attention", text_of(saga, "attention"), out);
	field("key", text_of(saga, "key"), out);
	times(saga, out);
	fputc('\n', out);
	table_init(&table, "ACTION", "STATUS", "TRIES", "COMPENSATION", "TRIES", "OWED", "NOTE",
			   (char *)NULL);
	json_array_foreach (json_object_get(saga, "steps"), i, step) {
		json_t *actions = json_object_get(step, "actions");

		/* What only follows an undo is no unfinished business of a saga that is not undone. */
		if (json_array_size(actions) == 0 &&
			(is_undoing || !json_is_true(json_object_get(step, "on_compensated"))))
			add_step(&table, step);
		json_array_foreach (actions, j, action)
			add_action(&table, saga, step, action);
	}
	table_print(&table, color, out);
	table_release(&table);
}

void saga_text_line(const json_t *saga, bool color, FILE *out)
{
	const char *status = text_of(saga, "status"),
			   *paint = status_color(status ? status : "", color);
	CLEANUP(free_p)
	char *summary = text_of(saga, "summary") ? shown_text(text_of(saga, "summary")) : NULL;

	fprintf(out, "%s  %s%s%s%s%s\n", text_of(saga, "id"), paint, status ? status : "?",
			color_end(paint), summary ? "  " : "", summary ? summary : "");
}

/* ---- history ---- */

static const char *text_or(const json_t *json, const char *name, const char *otherwise)
{
	const char *text = text_of(json, name);

	return text ? text : otherwise;
}

/* " to 12:00:03": a time of an event, in milliseconds since 1970. */
static void add_time(const json_t *event, const char *name, const char *word, struct buf *out)
{
	int64_t at = int_of(event, name, 0);
	char text[TIME_TEXT_SIZE], shown[TIME_TEXT_SIZE];

	if (at == 0)
		return;
	time_format(at, text);
	short_time(text, shown);
	buf_printf(out, "%s%s %s", out->len ? ", " : "", word, shown);
}

static void add_part(const char *text, struct buf *out)
{
	if (text && *text)
		buf_printf(out, "%s%s", out->len ? ", " : "", text);
}

/* "PUT stock /r/1", "command Reserve to credit", "emit OrderPlaced to orders", "task in packing",
 * "saga ship". */
static void describe_request(const json_t *request, struct buf *out)
{
	const char *kind = text_of(request, "kind");
	const char *separator = out->len ? ", " : "";

	if (!kind)
		buf_printf(out, "%s%s %s %s", separator, text_or(request, "method", "?"),
				   text_or(request, "to", "?"), text_or(request, "path", "?"));
	else if (strcmp(kind, "task") == 0)
		buf_printf(out, "%stask in %s", separator, text_or(request, "queue", "?"));
	else if (strcmp(kind, "child") == 0)
		buf_printf(out, "%ssaga %s", separator, text_or(request, "to", "?"));
	else
		buf_printf(out, "%s%s %s to %s", separator, kind, text_or(request, "type", "?"),
				   text_or(request, text_of(request, "to") ? "to" : "topic", "?"));
}

/* What an await of Kafka waits for. */
static void describe_await(const json_t *event, struct buf *out)
{
	const json_t *value = json_object_get(event, "value");
	const char *type = text_of(event, "type");

	if (type && strcmp(type, "StepScheduled") == 0 && text_of(value, "topic"))
		buf_printf(out, "%sawaits %s with %s", out->len ? ", " : "", text_of(value, "topic"),
				   text_or(value, "expect", "?"));
}

static void describe(const json_t *event, struct buf *out)
{
	const json_t *request = json_object_get(event, "request");
	int64_t status = int_of(event, "status", 0), attempt = int_of(event, "attempt", 0);
	CLEANUP(free_p) char *error = error_text(event);

	if (json_object_get(event, "version"))
		buf_printf(out, "%s version %lld", text_of(event, "name"),
				   (long long)int_of(event, "version", 0));
	else
		add_part(text_of(event, "name"), out); /* of an act */
	add_part(text_of(json_object_get(event, "value"), "signal"), out);
	if (text_of(event, "key"))
		buf_printf(out, "%skey %s", out->len ? ", " : "", text_of(event, "key"));
	if (request)
		describe_request(request, out);
	describe_await(event, out);
	if (status)
		buf_printf(out, "%sstatus %lld", out->len ? ", " : "", (long long)status);
	if (attempt > 1)
		buf_printf(out, "%sattempt %lld", out->len ? ", " : "", (long long)attempt);
	add_part(error, out);
	add_part(text_of(event, "outcome"), out);
	if (json_is_true(json_object_get(event, "ambiguous")))
		add_part("it may have taken effect", out);
	if (json_is_true(json_object_get(event, "tolerated")))
		add_part("tolerated", out);
	if (text_of(event, "by"))
		buf_printf(out, "%sby %s", out->len ? ", " : "", text_of(event, "by"));
	add_part(text_of(event, "reason"), out);
	add_time(event, "due_at", "due", out);
	add_time(event, "settle_at", "settles", out);
	if (!text_of(event, "step")) /* those of steps are many, and seldom the point */
		add_time(event, "deadline_at", "deadline", out);
}

/* The color of what kind of news it is. */
static const char *event_color(const char *type, bool color)
{
	if (strstr(type, "Failed") || strstr(type, "Parked") || strstr(type, "Terminated"))
		return status_color("failed", color);
	if (strstr(type, "Compensat") || strstr(type, "Attention") || strstr(type, "Passed"))
		return status_color("compensating", color);
	return strstr(type, "Completed") ? status_color("completed", color) : "";
}

void saga_text_event(const json_t *event, const char *at, int64_t seq, bool color, FILE *out)
{
	const char *type = text_of(event, "type") ? text_of(event, "type") : "?";
	const char *paint = event_color(type, color);
	CLEANUP(free_p) char *action = action_name(text_of(event, "step"), int_of(event, "item", -1));
	struct buf text;

	buf_init(&text, 0);
	describe(event, &text);
	fprintf(out, "%4lld  %.12s  %s%-*s%s", (long long)seq, at && strlen(at) > 23 ? at + 11 : "",
			paint, *action || text.len ? 25 : 0, type, color_end(paint));
	if (*action || text.len)
		fprintf(out, "  %-*s", text.len ? 14 : 0, action);
	if (text.len) {
		CLEANUP(free_p) char *shown = shown_text(buf_str(&text));

		fprintf(out, "  %s", shown);
	}
	fputc('\n', out);
	buf_release(&text);
}

json_t *saga_text_flatten(const json_t *rows)
{
	json_t *list = json_array(), *row, *event;
	size_t i, j;

	json_array_foreach ((json_t *)rows, i, row) {
		json_array_foreach (json_object_get(row, "events"), j, event) {
			json_t *flat = json_object();

			json_object_set(flat, "seq", json_object_get(row, "seq"));
			json_object_set(flat, "at", json_object_get(row, "at"));
			json_object_update_missing(flat, event);
			json_array_append_new(list, flat);
		}
	}
	return list;
}
