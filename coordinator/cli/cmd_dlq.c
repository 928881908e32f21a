/* `skald dlq`: records of triggers that started nothing. */
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/client.h"
#include "coordinator/cli/print.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

/* Listing. */

static void add_query(struct buf *path, const char *name, const char *value)
{
	CLEANUP(free_p) char *escaped = value ? http_sync_escape(value) : NULL;

	if (escaped)
		buf_printf(path, "&%s=%s", name, escaped);
}

static void add_row(struct table *table, const json_t *row)
{
	CLEANUP(free_p) char *message = shown_text(text_of(row, "message"));
	char place[64];

	snprintf(place, sizeof(place), "%lld/%lld", (long long)int_of(row, "partition", -1),
			 (long long)int_of(row, "offset", -1));
	if (strlen(message) > 60)
		memcpy(message + 57, "...", 4);
	table_add(table, text_of(row, "id"), text_of(row, "trigger"), place, text_of(row, "reason"),
			  text_of(row, "status"), text_of(row, "failed_at"), message);
}

static int get_page(const struct cli *cli, struct client *client, int64_t limit, const char *after,
					struct client_reply *ret_reply)
{
	struct client_request request = {.method = "GET"};
	CLEANUP(buf_release) struct buf path;

	buf_init(&path, 0);
	buf_printf(&path, "/v1/dead-letters?limit=%lld", (long long)limit);
	add_query(&path, "trigger", cli_option(cli, "trigger"));
	add_query(&path, "reason", cli_option(cli, "reason"));
	add_query(&path, "status", cli_option(cli, "status"));
	add_query(&path, "cursor", after);
	if (path.len >= sizeof(request.path))
		return cli_fail(CLI_USAGE, "the filters are too long");
	memcpy(request.path, path.data, path.len + 1);
	return client_call(client, &request, ret_reply);
}

static int list_all(const struct cli *cli, struct client *client, int64_t left, json_t *all)
{
	CLEANUP(free_p) char *after = NULL;

	while (left > 0) {
		struct client_reply reply;
		const char *next;
		int r = get_page(cli, client, left < 200 ? left : 200, after, &reply);

		if (r)
			return r;
		left -= (int64_t)json_array_size(json_object_get(reply.json, "dead_letters"));
		json_array_extend(all, json_object_get(reply.json, "dead_letters"));
		next = text_of(reply.json, "next");
		free(after);
		after = next ? xstrdup(next) : NULL;
		client_reply_release(&reply);
		if (!after)
			return 0;
	}
	return 0;
}

int cmd_dlq_list(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *all = json_array();
	struct client client;
	struct table table;
	int64_t left = 50;
	json_t *row;
	size_t i;
	int r = cli_option_int(cli, "limit", 1, INT32_MAX, &left);

	if (!r && cli_option(cli, "all"))
		left = INT64_MAX;
	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	r = list_all(cli, &client, left, all);
	client_close(&client);
	if (r)
		return r;
	if (cli->format != FORMAT_TABLE) {
		print_list(cli, all);
		return CLI_OK;
	}
	table_init(&table, "ID", "TRIGGER", "PLACE", "REASON", "STATUS", "FAILED", "MESSAGE",
			   (char *)NULL);
	json_array_foreach (all, i, row)
		add_row(&table, row);
	table_print(&table, cli->color, stdout);
	table_release(&table);
	return CLI_OK;
}

/* Showing. */

static void print_part(const char *name, const json_t *part)
{
	const char *text = text_of(part, "text"), *base64 = text_of(part, "base64");
	CLEANUP(free_p) char *shown = shown_text(text ? text : base64 ? base64 : "(none)");

	printf("%-10s %s%s\n", name, base64 ? "base64:" : "", shown);
}

static void print_dead_letter(const json_t *row)
{
	static const char *const texts[] = {"id",        "trigger",   "cluster",   "topic",
										"timestamp", "failed_at", "reason",    "message",
										"status",    "saga_id",   "updated_at"};
	const json_t *header;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *text = text_of(row, texts[i]);
		CLEANUP(free_p) char *shown = text ? shown_text(text) : NULL;

		if (shown)
			printf("%-10s %s\n", texts[i], shown);
	}
	printf("%-10s %lld\n", "partition", (long long)int_of(row, "partition", -1));
	printf("%-10s %lld\n", "offset", (long long)int_of(row, "offset", -1));
	printf("%-10s %lld\n", "attempts", (long long)int_of(row, "attempts", 0));
	print_part("key", json_object_get(row, "key"));
	json_array_foreach (json_object_get(row, "headers"), i, header) {
		CLEANUP(free_p) char *name = shown_text(text_of(header, "name"));
		CLEANUP(free_p) char *label = xasprintf("header %s:", name);

		print_part(label, header);
	}
	print_part("value", json_object_get(row, "value"));
}

int cmd_dlq_show(struct cli *cli)
{
	struct client_request request = {.method = "GET"};
	struct client_reply reply;
	int r;

	client_path(&request, "/v1/dead-letters/%s", cli->args[0]);
	r = client_ask(cli, &request, &reply);
	if (r)
		return r;
	if (cli->format == FORMAT_TABLE)
		print_dead_letter(reply.json);
	else
		print_value(cli, reply.json);
	client_reply_release(&reply);
	return CLI_OK;
}

/* Sending again. */

/* Text, @file or -, as bytes that are text. 0 or an exit code. */
static int add_edit(const struct cli *cli, const char *name, json_t *body)
{
	const char *given = cli_option(cli, name);
	CLEANUP(free_p) char *text = NULL;
	json_t *value;
	size_t len;
	int r;

	if (!given)
		return 0;
	r = client_read_text(given, &text, &len);
	if (r)
		return r;
	value = json_stringn(text, len);
	if (!value)
		return cli_fail(CLI_USAGE, "--%s must be UTF-8; send other bytes over the API", name);
	json_object_set_new(body, name, json_pack("{s:o}", "text", value));
	return 0;
}

static int send_body(struct cli *cli, struct client_request *request, const json_t *body,
					 struct client_reply *ret_reply)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	json_write(body, &text);
	request->body = text.data;
	request->body_len = text.len;
	return client_ask(cli, request, ret_reply);
}

static int redrive_one(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *body = json_object();
	struct client_request request = {.method = "POST"};
	struct client_reply reply;
	int r = add_edit(cli, "value", body);

	if (!r)
		r = add_edit(cli, "key", body);
	client_path(&request, "/v1/dead-letters/%s/redrive", cli->args[0]);
	if (!r)
		r = send_body(cli, &request, body, &reply);
	if (r)
		return r;
	if (cli->format == FORMAT_TABLE)
		printf("%s: saga %s%s\n", cli->args[0], text_of(reply.json, "saga_id"),
			   json_is_true(json_object_get(reply.json, "duplicate")) ? " was there already"
																	  : " was started");
	else
		print_value(cli, reply.json);
	client_reply_release(&reply);
	return CLI_OK;
}

static void print_effects(const json_t *effects)
{
	const json_t *effect;
	size_t i;

	json_array_foreach (effects, i, effect) {
		const char *detail = text_of(effect, "detail"), *saga = text_of(effect, "saga_id");
		CLEANUP(free_p) char *shown = shown_text(detail ? detail : "");

		if (saga)
			printf("%s: saga %s\n", text_of(effect, "id"), saga);
		else
			printf("%s: %s: %s\n", text_of(effect, "id"), text_of(effect, "reason"), shown);
	}
}

static int redrive_many(struct cli *cli)
{
	static const char *const names[] = {"trigger", "reason"};
	CLEANUP(json_decref_p) json_t *body = json_object();
	struct client_request request = {.method = "POST", .path = "/v1/dead-letters/redrive"};
	struct client_reply reply;
	int64_t limit = 100, failed;
	int r = cli_option_int(cli, "limit", 1, 100, &limit);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (cli_option(cli, names[i]))
			json_object_set_new(body, names[i], json_string(cli_option(cli, names[i])));
	json_object_set_new(body, "limit", json_integer(limit));
	if (!r)
		r = send_body(cli, &request, body, &reply);
	if (r)
		return r;
	if (cli->format == FORMAT_TABLE)
		print_effects(json_object_get(reply.json, "effects"));
	else
		print_value(cli, reply.json);
	failed = int_of(reply.json, "failed", 0);
	cli_note("%lld redriven, %lld failed%s", (long long)int_of(reply.json, "redriven", 0),
			 (long long)failed,
			 json_is_true(json_object_get(reply.json, "more")) ? "; there are more" : "");
	client_reply_release(&reply);
	return failed ? CLI_PARTLY : CLI_OK;
}

int cmd_dlq_redrive(struct cli *cli)
{
	bool filtered =
			 cli_option(cli, "trigger") || cli_option(cli, "reason") || cli_option(cli, "limit"),
		 edited = cli_option(cli, "value") || cli_option(cli, "key");

	if (cli->n_args == 1 && filtered)
		return cli_fail(CLI_USAGE, "give an ID, or filters");
	if (cli->n_args == 0 && edited)
		return cli_fail(CLI_USAGE, "only one dead letter at a time can be edited: give its ID");
	if (cli->n_args == 0 && !filtered && !cli_option(cli, "all"))
		return cli_fail(CLI_USAGE, "give an ID, filters, or --all");
	return cli->n_args == 1 ? redrive_one(cli) : redrive_many(cli);
}

int cmd_dlq_discard(struct cli *cli)
{
	struct client_request request = {.method = "POST", .body = "{}", .body_len = 2};
	struct client_reply reply;
	int r;

	client_path(&request, "/v1/dead-letters/%s/discard", cli->args[0]);
	r = client_ask(cli, &request, &reply);
	if (r)
		return r;
	if (cli->format == FORMAT_TABLE)
		printf("%s: discarded\n", cli->args[0]);
	else
		print_value(cli, reply.json);
	client_reply_release(&reply);
	return CLI_OK;
}
