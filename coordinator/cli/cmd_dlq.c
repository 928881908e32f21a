/* `skald dlq`: records of triggers that started nothing. */
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/client_show.h"
#include "coordinator/cli/print.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

/* Listing. */

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

static void print_dead_letters(const struct cli *cli, const json_t *rows)
{
	struct table table;
	const json_t *row;
	size_t i;

	table_init(&table, "ID", "TRIGGER", "PLACE", "REASON", "STATUS", "FAILED", "MESSAGE",
			   (char *)NULL);
	json_array_foreach (rows, i, row)
		add_row(&table, row);
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

int cmd_dlq_list(struct cli *cli)
{
	static const char *const filters[] = {"trigger", "reason", "status"};
	struct client_request request = {.method = "GET", .path = "/v1/dead-letters"};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(filters); i++)
		r = client_query(&request, filters[i], cli_option(cli, filters[i]));
	return r ? r : client_show_pages(cli, &request, "dead_letters", print_dead_letters);
}

/* Showing. */

static void print_part(const char *name, const json_t *part)
{
	const char *text = text_of(part, "text"), *base64 = text_of(part, "base64");
	CLEANUP(free_p) char *shown = shown_text(text ? text : base64 ? base64 : "(none)");

	printf("%-10s %s%s\n", name, base64 ? "base64:" : "", shown);
}

static void print_dead_letter(UNUSED const struct cli *cli, const json_t *row)
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

	client_path(&request, "/v1/dead-letters/%s", cli->args[0]);
	return client_show(cli, &request, print_dead_letter);
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

/* text is what the request then sends. */
static void write_body(struct client_request *request, const json_t *body, struct buf *text)
{
	json_write(body, text);
	request->body = text->data;
	request->body_len = text->len;
}

static void print_redriven(const struct cli *cli, const json_t *answer)
{
	printf("%s: saga %s%s\n", cli->args[0], text_of(answer, "saga_id"),
		   json_is_true(json_object_get(answer, "duplicate")) ? " was there already"
															  : " was started");
}

static int redrive_one(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *body = json_object();
	CLEANUP(buf_release) struct buf text;
	struct client_request request = {.method = "POST"};
	int r = add_edit(cli, "value", body);

	buf_init(&text, 0);
	if (!r)
		r = add_edit(cli, "key", body);
	if (r)
		return r;
	client_path(&request, "/v1/dead-letters/%s/redrive", cli->args[0]);
	write_body(&request, body, &text);
	return client_show(cli, &request, print_redriven);
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
	CLEANUP(buf_release) struct buf text;
	struct client_reply reply;
	int64_t limit = 100, failed;
	int r = cli_option_int(cli, "limit", 1, 100, &limit);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (cli_option(cli, names[i]))
			json_object_set_new(body, names[i], json_string(cli_option(cli, names[i])));
	json_object_set_new(body, "limit", json_integer(limit));
	buf_init(&text, 0);
	write_body(&request, body, &text);
	if (!r)
		r = client_ask(cli, &request, &reply);
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

static void print_discarded(const struct cli *cli, UNUSED const json_t *answer)
{
	printf("%s: discarded\n", cli->args[0]);
}

int cmd_dlq_discard(struct cli *cli)
{
	struct client_request request = {.method = "POST", .body = "{}", .body_len = 2};

	client_path(&request, "/v1/dead-letters/%s/discard", cli->args[0]);
	return client_show(cli, &request, print_discarded);
}
