/* `skald saga start|list|show|history`. */
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/cmd_saga.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/saga_text.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

/* ---- start ---- */

static void start_body(const struct cli *cli, const char *input, size_t input_len, int64_t version,
					   struct buf *out)
{
	const char *key = cli_option(cli, "key");

	buf_add_lit(out, "{\"saga\":");
	json_write_string(cli->args[0], strlen(cli->args[0]), out);
	if (version > 0)
		buf_printf(out, ",\"version\":%lld", (long long)version);
	if (key) {
		buf_add_lit(out, ",\"key\":");
		json_write_string(key, strlen(key), out);
	}
	buf_add_lit(out, ",\"input\":"); /* as it was given, so that its numbers stay as they are */
	buf_add(out, input, input_len);
	buf_add_char(out, '}');
}

static int start(struct cli *cli, struct client *client, struct client_reply *ret_reply)
{
	const char *named = cli_option(cli, "idempotency-key");
	struct client_request request = {.method = "POST"};
	CLEANUP(free_p) char *input = NULL;
	CLEANUP(buf_release) struct buf body;
	size_t input_len = 0;
	int64_t version = 0;
	int r;

	buf_init(&body, 0);
	if (named && (strlen(named) > 255 || strpbrk(named, "\r\n\"\\")))
		return cli_fail(CLI_USAGE, "`%.40s` cannot be an idempotency key", named);
	r = cli_option_int(cli, "version", 1, INT64_MAX, &version);
	if (!r)
		r = client_read_argument(cli->n_args > 1 ? cli->args[1] : "{}", &input, &input_len);
	if (r)
		return r;
	start_body(cli, input, input_len, version, &body);
	if (named)
		client_header(&request, "Idempotency-Key: \"%s\"", named);
	client_path(&request, "/v1/sagas", "");
	request.body = body.data;
	request.body_len = body.len;
	return client_call(client, &request, ret_reply);
}

int cmd_saga_start(struct cli *cli)
{
	struct client_reply reply;
	struct client client;
	int64_t timeout_ms = -1;
	int r = cli_option_duration(cli, "timeout", &timeout_ms);

	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	r = start(cli, &client, &reply);
	if (r) {
		client_close(&client);
		return r;
	}
	if (cli_option(cli, "wait")) {
		CLEANUP(free_p)
		char *id = xstrdup(text_of(reply.json, "id") ? text_of(reply.json, "id") : "");

		cli_note("started %s", id);
		r = saga_wait(cli, &client, id, timeout_ms);
	} else if (cli->format != FORMAT_TABLE) {
		print_value(cli, reply.json);
	} else {
		saga_text_line(reply.json, cli->color, stdout);
	}
	client_reply_release(&reply);
	client_close(&client);
	return r;
}

/* ---- list ---- */

struct listing {
	struct table table;
	json_t *all; /* for json and yaml, which are one document */
	int64_t left;
};

static void list_page(const struct cli *cli, struct listing *listing, const json_t *page)
{
	json_t *saga;
	size_t i;

	json_array_foreach ((json_t *)page, i, saga) {
		const char *started = text_of(saga, "started_at");
		char at[32];

		if (listing->left-- <= 0)
			return;
		if (cli->format == FORMAT_JSONL) {
			print_value(cli, saga);
		} else if (cli->format != FORMAT_TABLE) {
			json_array_append(listing->all, saga);
		} else {
			snprintf(at, sizeof(at), "%.19s", started ? started : "");
			if (strlen(at) > 10)
				at[10] = ' ';
			table_add(&listing->table, text_of(saga, "id"), text_of(saga, "saga"),
					  text_of(saga, "status"), text_of(saga, "key"), at,
					  text_of(saga, "attention"));
		}
	}
}

/* The filters of the command line, joined as the API wants them; the caller's. */
static char *list_filter(const struct cli *cli)
{
	const char *query = cli_option(cli, "query");
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	buf_add_str(&text, query ? query : "");
	for (int i = 0; i < cli->n_args; i++)
		buf_printf(&text, "%s%s", text.len > 0 ? " " : "", cli->args[i]);
	return http_sync_escape(buf_str(&text));
}

static int list_all(const struct cli *cli, struct client *client, struct listing *listing)
{
	CLEANUP(free_p) char *filter = list_filter(cli);
	CLEANUP(free_p) char *after = xstrdup("");

	if (strlen(filter) > 700)
		return cli_fail(CLI_USAGE, "the filters are too long");
	while (listing->left > 0) {
		struct client_request request = {.method = "GET"};
		int64_t limit = listing->left < 200 ? listing->left : 200;
		struct client_reply reply;
		const char *next;
		int r;

		snprintf(request.path, sizeof(request.path), "/v1/sagas?limit=%lld%s%s%s%s",
				 (long long)limit, *filter ? "&q=" : "", filter, *after ? "&cursor=" : "", after);
		r = client_call(client, &request, &reply);
		if (r)
			return r;
		list_page(cli, listing, json_object_get(reply.json, "sagas"));
		next = text_of(reply.json, "next");
		free(after);
		after = next ? http_sync_escape(next) : NULL;
		client_reply_release(&reply);
		if (!after)
			return 0;
	}
	return 0;
}

int cmd_saga_list(struct cli *cli)
{
	struct listing listing = {.all = json_array(), .left = 50};
	struct client client;
	int r = cli_option_int(cli, "limit", 1, INT32_MAX, &listing.left);

	if (!r && cli_option(cli, "all"))
		listing.left = INT64_MAX;
	if (!r)
		r = client_open(cli, &client);
	if (r) {
		json_decref(listing.all);
		return r;
	}
	table_init(&listing.table, "ID", "SAGA", "STATUS", "KEY", "STARTED", "ATTENTION", (char *)NULL);
	r = list_all(cli, &client, &listing);
	if (!r && cli->format == FORMAT_TABLE)
		table_print(&listing.table, cli->color, stdout);
	else if (!r && cli->format != FORMAT_JSONL)
		print_list(cli, listing.all);
	table_release(&listing.table);
	json_decref(listing.all);
	client_close(&client);
	return r;
}

/* ---- show, history ---- */

int cmd_saga_show(struct cli *cli)
{
	struct client_request request = {.method = "GET"};
	struct client_reply reply;
	struct client client;
	int64_t at = 0;
	int r = cli_option_int(cli, "at", 1, INT64_MAX, &at);

	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	client_path(&request, "/v1/sagas/%s", cli->args[0]);
	if (at) {
		size_t len = strlen(request.path);

		snprintf(request.path + len, sizeof(request.path) - len, "?at=%lld", (long long)at);
	}
	r = client_call(&client, &request, &reply);
	if (r) {
		client_close(&client);
		return r;
	}
	if (cli->format == FORMAT_TABLE)
		saga_text_ledger(reply.json, cli->color, stdout);
	else
		print_value(cli, reply.json);
	client_reply_release(&reply);
	/* Children are told as they stand now: not of a moment that has passed. */
	if (cli->format == FORMAT_TABLE && !at)
		r = saga_children_show(cli, &client, cli->args[0]);
	client_close(&client);
	return r;
}

static void print_events(const json_t *rows, bool color)
{
	json_t *row, *event;
	size_t i, j;

	json_array_foreach ((json_t *)rows, i, row) {
		json_array_foreach (json_object_get(row, "events"), j, event)
			saga_text_event(event, text_of(row, "at"), int_of(row, "seq", 0), color, stdout);
	}
}

int saga_history_after(struct client *client, const char *id, int64_t *seq,
					   void (*page)(void *ctx, const json_t *rows), void *ctx)
{
	for (;;) {
		CLEANUP(free_p) char *escaped = http_sync_escape(id);
		struct client_request request = {.method = "GET"};
		struct client_reply reply;
		json_t *rows;
		bool last;
		size_t n;
		int r;

		snprintf(request.path, sizeof(request.path), "/v1/sagas/%.600s/history?after=%lld", escaped,
				 (long long)*seq);
		r = client_call(client, &request, &reply);
		if (r)
			return r;
		rows = json_object_get(reply.json, "history");
		last = json_is_null(json_object_get(reply.json, "next"));
		n = json_array_size(rows);
		if (n > 0) {
			*seq = int_of(json_array_get(rows, n - 1), "seq", *seq);
			page(ctx, rows);
		}
		client_reply_release(&reply);
		if (n == 0 || last)
			return 0;
	}
}

struct history_page {
	const struct cli *cli;
	json_t *all; /* for json and yaml, which are one document */
};

static void take_page(void *ctx, const json_t *rows)
{
	struct history_page *to = ctx;

	if (to->cli->format == FORMAT_TABLE) {
		print_events(rows, to->cli->color);
	} else {
		json_t *events = saga_text_flatten(rows);

		if (to->cli->format == FORMAT_JSONL)
			print_list(to->cli, events);
		else
			json_array_extend(to->all, events);
		json_decref(events);
	}
}

int cmd_saga_history(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *all = json_array();
	struct history_page to = {cli, all};
	struct client client;
	int64_t seq = 0;
	int r = client_open(cli, &client);

	if (r)
		return r;
	r = saga_history_after(&client, cli->args[0], &seq, take_page, &to);
	if (!r && cli->format != FORMAT_TABLE && cli->format != FORMAT_JSONL)
		print_value(cli, all);
	client_close(&client);
	return r;
}
