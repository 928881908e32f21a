/* `skald schedule`: the schedules of a server; pausing, resuming, starting now, and filling in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/cli/client_show.h"
#include "coordinator/cli/print.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

/* How long a start that was asked for is waited for. */
enum { TRIGGER_LOOK_MS = 100, TRIGGER_LOOKS = 100 };

/* "<definition>/<entry>" of the command line as a path. 0 or an exit code. */
static int schedule_path(struct client_request *request, const char *name, const char *suffix)
{
	return client_named_path(request, "schedules", name, suffix,
							 "a schedule is called DEFINITION/ENTRY, as in report/1");
}

static const char *state_of(const json_t *schedule)
{
	if (text_of(schedule, "problem"))
		return "failed";
	return json_is_true(json_object_get(schedule, "paused")) ? "paused" : "active";
}

static const char *first_next(const json_t *schedule)
{
	return json_string_value(json_array_get(json_object_get(schedule, "next"), 0));
}

static void print_schedules(const struct cli *cli, const json_t *schedules)
{
	struct table table;
	const json_t *at;
	size_t i;

	table_init(&table, "SCHEDULE", "WHEN", "TIME-ZONE", "OVERLAP", "STATE", "NEXT", "LAST",
			   (char *)NULL);
	json_array_foreach (schedules, i, at) {
		CLEANUP(free_p)
		char *name = xasprintf("%s/%s", text_of(at, "definition"), text_of(at, "entry"));

		table_add(&table, name, text_of(at, "schedule"), text_of(at, "time_zone"),
				  text_of(at, "overlap"), state_of(at), first_next(at),
				  text_of(json_object_get(at, "last"), "result"));
	}
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

int cmd_schedule_list(struct cli *cli)
{
	struct client_request request = {.method = "GET", .path = "/v1/schedules"};

	return client_show_list(cli, &request, "schedules", print_schedules);
}

static void print_line(const char *name, const char *text)
{
	CLEANUP(free_p) char *shown = text ? shown_text(text) : NULL;

	if (shown)
		printf("%-10s %s\n", name, shown);
}

static void print_schedule(UNUSED const struct cli *cli, const json_t *schedule)
{
	const json_t *triggered = json_object_get(schedule, "triggered");
	const json_t *last = json_object_get(schedule, "last"), *count, *at;
	const char *name;
	size_t i;

	printf("%-10s %s/%s\n", "schedule", text_of(schedule, "definition"),
		   text_of(schedule, "entry"));
	print_line("when", text_of(schedule, "schedule"));
	print_line("time zone", text_of(schedule, "time_zone"));
	print_line("overlap", text_of(schedule, "overlap"));
	print_line("catch up", text_of(schedule, "catch_up"));
	print_line("state", state_of(schedule));
	print_line("because", text_of(schedule, "pause_reason"));
	print_line("problem", text_of(schedule, "problem"));
	print_line("last", text_of(last, "result"));
	print_line("  planned", text_of(last, "scheduled_at"));
	print_line("  saga", text_of(last, "saga"));
	print_line("  detail", text_of(last, "detail"));
	print_line("triggered", text_of(triggered, "at"));
	print_line("  result", text_of(triggered, "result"));
	print_line("  saga", text_of(triggered, "saga"));
	print_line("  detail", text_of(triggered, "detail"));
	print_line("queued", text_of(schedule, "queued"));
	json_object_foreach (json_object_get(schedule, "counts"), name, count)
		printf("%-10s %lld\n", name, (long long)json_integer_value(count));
	json_array_foreach (json_object_get(schedule, "next"), i, at)
		print_line(i == 0 ? "next" : "", json_string_value(at));
}

int cmd_schedule_show(struct cli *cli)
{
	struct client_request request = {.method = "GET"};
	int r = schedule_path(&request, cli->args[0], "");

	return r ? r : client_show(cli, &request, print_schedule);
}

static int act(struct cli *cli, const char *suffix, json_t *body)
{
	struct client_request request = {.method = "POST"};
	int r = schedule_path(&request, cli->args[0], suffix);

	if (r) {
		json_decref(body);
		return r;
	}
	return client_say(cli, &request, body, print_schedule);
}

int cmd_schedule_pause(struct cli *cli)
{
	return act(cli, "/pause", json_object());
}

int cmd_schedule_resume(struct cli *cli)
{
	return act(cli, "/resume", json_object());
}

/* What became of the start that was asked for then; NULL: it has not begun. */
static const json_t *triggered_at(const json_t *schedule, const char *at)
{
	const json_t *triggered = json_object_get(schedule, "triggered");
	const char *of = text_of(triggered, "at");

	return of && at && strcmp(of, at) == 0 && text_of(triggered, "result") ? triggered : NULL;
}

/* Asks until it is known; the reply is then the last answer. 0 or an exit code. */
static int await_start(struct client *client, const struct cli *cli, const char *at,
					   struct client_reply *reply)
{
	const struct timespec pause = {.tv_nsec = TRIGGER_LOOK_MS * 1000000L};

	for (int i = 0; i < TRIGGER_LOOKS && !triggered_at(reply->json, at); i++) {
		struct client_request request = {.method = "GET"};
		int r = schedule_path(&request, cli->args[0], "");

		nanosleep(&pause, NULL);
		client_reply_release(reply);
		*reply = (struct client_reply){0};
		if (r == 0)
			r = client_call(client, &request, reply);
		if (r)
			return r;
	}
	return 0;
}

static int show_started(const struct cli *cli, const json_t *schedule, const char *at)
{
	const json_t *triggered = triggered_at(schedule, at);
	const char *detail = text_of(triggered, "detail");
	CLEANUP(free_p) char *shown = detail ? shown_text(detail) : NULL;

	if (cli->format == FORMAT_TABLE)
		print_schedule(cli, schedule);
	else
		print_value(cli, schedule);
	if (!triggered)
		cli_note("skald: it has not begun yet; `skald schedule show %s` tells when it has",
				 cli->args[0]);
	else if (strcmp(text_of(triggered, "result"), "failed") == 0)
		return cli_fail(CLI_FAILED, "no saga was started: %s", shown ? shown : "see the log");
	return CLI_OK;
}

/* The start itself is made by the node that runs schedules, a moment later. */
int cmd_schedule_trigger(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *body = client_said(cli);
	CLEANUP(buf_release) struct buf text;
	CLEANUP(free_p) char *at = NULL;
	struct client_request request = {.method = "POST"};
	struct client_reply reply = {0};
	struct client client;
	int r = schedule_path(&request, cli->args[0], "/trigger");

	buf_init(&text, 0);
	json_write(body, &text);
	request.body = text.data;
	request.body_len = text.len;
	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	r = client_call(&client, &request, &reply);
	if (r == 0) {
		const char *said = text_of(json_object_get(reply.json, "triggered"), "at");

		at = said ? xstrdup(said) : NULL;
		r = await_start(&client, cli, at, &reply);
	}
	if (r == 0)
		r = show_started(cli, reply.json, at);
	client_reply_release(&reply);
	client_close(&client);
	return r;
}

int cmd_schedule_backfill(struct cli *cli)
{
	const char *from = cli_option(cli, "from"), *to = cli_option(cli, "to");
	const char *overlap = cli_option(cli, "overlap");
	json_t *body;

	if (!from || !to)
		return cli_fail(CLI_USAGE, "--from and --to say which times are filled in");
	body = json_pack("{s:s, s:s}", "from", from, "to", to);
	if (!body)
		return cli_fail(CLI_USAGE, "the times are no text");
	if (overlap)
		json_object_set_new(body, "overlap", json_string(overlap));
	return act(cli, "/backfill", body);
}
