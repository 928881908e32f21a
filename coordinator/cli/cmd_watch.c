/*
 * `skald saga watch` follows the server's stream of a saga's events; where there is none, it looks.
 * `wait` looks. Both look again and again with the ETag that they saw last, so a saga that did not
 * move costs an answer without a body. Where the server can wait (Prefer), it does that instead.
 */
#include <string.h>
#include <time.h>

#include "coordinator/cli/cmd_saga.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/saga_text.h"
#include "sagas/json_text.h"

/* The server waits for an end; that an undo has failed is seen when it answers. */
enum { WAIT_STEP_S = 2, WAIT_PAUSE_MS = 200, WATCH_INTERVAL_MS = 500 };

static int64_t mono_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void pause_ms(int64_t ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	if (ms > 0)
		nanosleep(&ts, NULL);
}

/* The exit code of a saga that has ended or stands still; -1: it goes on. */
static int end_code(const char *status)
{
	static const struct {
		const char *status;
		int code;
	} ends[] = {
		{"completed", CLI_OK},
		{"compensated", CLI_COMPENSATED},
		{"compensation_failed", CLI_COMPENSATION_FAILED},
		{"failed", CLI_ENDED_BADLY},
		{"terminated", CLI_ENDED_BADLY},
	};

	for (size_t i = 0; status && i < ARRAY_SIZE(ends); i++)
		if (strcmp(ends[i].status, status) == 0)
			return ends[i].code;
	return -1;
}

/*
 * Looks once. *saga is replaced when it has changed since etag. wait_ms: how long the server may
 * wait with its answer. 0 or an exit code.
 */
static int look(struct client *client, const char *id, int64_t wait_ms, char etag[128],
				json_t **saga)
{
	struct client_request request = {.method = "GET"};
	struct client_reply reply;
	int r;

	client_path(&request, "/v1/sagas/%s", id);
	if (*etag)
		client_header(&request, "If-None-Match: %s", etag);
	if (wait_ms > 0)
		client_header(&request, "Prefer: wait=%lld", (long long)(wait_ms + 999) / 1000);
	r = client_send(client, &request, &reply);
	if (r)
		return r;
	if (reply.http.status == 200 && reply.json) {
		json_decref(*saga);
		*saga = json_incref(reply.json);
		snprintf(etag, 128, "%s", reply.http.etag);
	} else if (reply.http.status != 304) {
		r = client_problem(&reply);
	}
	client_reply_release(&reply);
	return r;
}

static int print_end(const struct cli *cli, const json_t *saga, int code)
{
	if (cli->format == FORMAT_TABLE)
		saga_text_line(saga, cli->color, stdout);
	else
		print_value(cli, saga);
	return code;
}

int saga_wait(const struct cli *cli, struct client *client, const char *id, int64_t timeout_ms)
{
	int64_t end_ms = timeout_ms < 0 ? INT64_MAX : mono_now_ms() + timeout_ms;
	CLEANUP(json_decref_p) json_t *saga = NULL;
	char etag[128] = "";
	int r, code;

	for (;;) {
		int64_t now = mono_now_ms(), left = end_ms - now;
		int64_t step = left > WAIT_STEP_S * 1000 ? WAIT_STEP_S * 1000 : left;

		r = look(client, id, step, etag, &saga);
		if (r)
			return r;
		code = end_code(text_of(saga, "status"));
		if (code >= 0)
			return print_end(cli, saga, code);
		left = end_ms - mono_now_ms();
		if (left <= 0) {
			print_end(cli, saga, 0);
			return cli_fail(CLI_TIMED_OUT, "saga %s has not ended yet", id);
		}
		/* The server may have waited for less than was asked, or not at all. */
		if (mono_now_ms() - now < WAIT_PAUSE_MS)
			pause_ms(left < WAIT_PAUSE_MS ? left : WAIT_PAUSE_MS);
	}
}

int cmd_saga_wait(struct cli *cli)
{
	struct client client;
	int64_t timeout_ms = -1;
	int r = cli_option_duration(cli, "timeout", &timeout_ms);

	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	r = saga_wait(cli, &client, cli->args[0], timeout_ms);
	client_close(&client);
	return r;
}

static void print_new(void *ctx, const json_t *rows)
{
	const struct cli *cli = ctx;
	CLEANUP(json_decref_p) json_t *events = saga_text_flatten(rows);
	json_t *event;
	size_t i;

	json_array_foreach (events, i, event) {
		if (cli->format == FORMAT_TABLE)
			saga_text_event(event, text_of(event, "at"), int_of(event, "seq", 0), cli->color,
							stdout);
		else
			print_value(cli, event);
	}
	fflush(stdout);
}

/* Following a stream. */
struct following {
	const struct cli *cli;
	int64_t seq;    /* of the last row that was printed */
	bool may_be_it; /* it has something that may have ended the saga, or left it to a person */
};

static bool follow_row(void *ctx, const char *id, const json_t *row)
{
	static const char *const ends[] = {"SagaCompleted", "SagaCompensated", "SagaTerminated",
									   "CompensationFailed"};
	CLEANUP(json_decref_p) json_t *rows = json_pack("[O]", row);
	struct following *following = ctx;
	json_t *event;
	size_t i;

	(void)id;
	if (int_of(row, "seq", 0) <= following->seq)
		return true;
	following->seq = int_of(row, "seq", 0);
	print_new((void *)following->cli, rows);
	json_array_foreach (json_object_get(row, "events"), i, event)
		for (size_t k = 0; k < ARRAY_SIZE(ends); k++)
			if (strcmp(text_of(event, "type") ? text_of(event, "type") : "", ends[k]) == 0)
				following->may_be_it = true;
	return !following->may_be_it;
}

/*
 * Follows the saga's events as the server tells them, until one of them may be its end, or the time
 * is up. Negative: there is no stream.
 */
static int follow(struct client *client, const char *id, int64_t left_ms,
				  struct following *following)
{
	CLEANUP(free_p) char *escaped = http_sync_escape(id);
	struct client_request request = {.method = "GET"};
	int64_t timeout_ms = client->timeout_ms;
	int r;

	snprintf(request.path, sizeof(request.path), "/v1/sagas/%.600s/events?after=%lld", escaped,
			 (long long)following->seq);
	client->timeout_ms = left_ms == INT64_MAX ? 0 : left_ms < 1 ? 1 : left_ms;
	r = client_stream(client, &request, "history", follow_row, following);
	client->timeout_ms = timeout_ms;
	return r;
}

/*
 * By the stream where there is one; else by looking again and again. Either way the saga says how
 * it stands.
 */
static int watch(struct cli *cli, struct client *client, int64_t interval_ms, int64_t timeout_ms)
{
	int64_t end_ms = timeout_ms < 0 ? INT64_MAX : mono_now_ms() + timeout_ms;
	struct following following = {.cli = cli};
	CLEANUP(json_decref_p) json_t *saga = NULL;
	const char *id = cli->args[0];
	char etag[128] = "", seen[128] = "";
	bool streams = true;
	int r, code;

	for (;;) {
		r = look(client, id, 0, etag, &saga);
		if (!r && (strcmp(etag, seen) != 0 || !*etag))
			r = saga_history_after(client, id, &following.seq, print_new, cli);
		if (r)
			return r;
		memcpy(seen, etag, sizeof(seen));
		code = end_code(text_of(saga, "status"));
		if (code >= 0) {
			saga_text_line(saga, false, stderr);
			return code;
		}
		if (mono_now_ms() >= end_ms)
			return cli_fail(CLI_TIMED_OUT, "saga %s has not ended yet", id);
		following.may_be_it = false;
		if (streams)
			streams = follow(client, id, end_ms == INT64_MAX ? INT64_MAX : end_ms - mono_now_ms(),
							 &following) >= 0;
		if (!following.may_be_it)
			pause_ms(interval_ms);
	}
}

int cmd_saga_watch(struct cli *cli)
{
	struct client client;
	int64_t timeout_ms = -1, interval_ms = WATCH_INTERVAL_MS;
	int r = cli_option_duration(cli, "timeout", &timeout_ms);

	if (!r)
		r = cli_option_duration(cli, "interval", &interval_ms);
	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	r = watch(cli, &client, interval_ms < 10 ? 10 : interval_ms, timeout_ms);
	client_close(&client);
	return r;
}
