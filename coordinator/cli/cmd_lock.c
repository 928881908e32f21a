/* `skald lock list|show`: who holds which key, and who waits for it. */
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/print.h"
#include "sagas/json_text.h"

static void short_time(const char *text, char shown[20])
{
	snprintf(shown, 20, "%.19s", text ? text : "-");
	if (strlen(shown) > 10)
		shown[10] = ' ';
}

static void add_row(struct table *table, const json_t *place)
{
	int64_t item = int_of(place, "item", -1), token = int_of(place, "token", 0);
	const char *step = text_of(place, "step");
	CLEANUP(free_p)
	char *name = item < 0 ? xstrdup(step) : xasprintf("%s[%lld]", step, (long long)item);
	CLEANUP(free_p) char *number = token ? xasprintf("%lld", (long long)token) : xstrdup("-");
	bool held = json_is_true(json_object_get(place, "held"));
	char since[20];

	short_time(text_of(place, held ? "held_at" : "asked_at"), since);
	table_add(table, text_of(place, "key"), held ? "holds" : "waits", text_of(place, "saga"), name,
			  since, number);
}

static void print_places(const struct cli *cli, const json_t *places)
{
	struct table table;
	const json_t *place;
	size_t i;

	table_init(&table, "KEY", "STATE", "SAGA", "STEP", "SINCE", "TOKEN", (char *)NULL);
	json_array_foreach (places, i, place)
		add_row(&table, place);
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

/* by: "key" or "saga". */
static int show(struct cli *cli, const char *by, const char *what)
{
	CLEANUP(free_p) char *escaped = http_sync_escape(what);
	struct client_request request = {.method = "GET"};
	struct client_reply reply;
	struct client client;
	int64_t limit = 100;
	int n, r = cli_option_int(cli, "limit", 1, 1000, &limit);

	if (r)
		return r;
	n = snprintf(request.path, sizeof(request.path), "/v1/locks?limit=%lld&%s=%s", (long long)limit,
				 by, escaped);
	if (n < 0 || n >= (int)sizeof(request.path))
		return cli_fail(CLI_USAGE, "the %s is too long", by);
	r = client_open(cli, &client);
	if (r)
		return r;
	r = client_call(&client, &request, &reply);
	client_close(&client);
	if (r)
		return r;
	if (cli->format != FORMAT_TABLE)
		print_list(cli, json_object_get(reply.json, "locks"));
	else
		print_places(cli, json_object_get(reply.json, "locks"));
	if (cli->format == FORMAT_TABLE && json_array_size(json_object_get(reply.json, "locks")) == 0)
		cli_note(strcmp(by, "key") == 0 ? "Nobody holds it, and nobody waits for it."
										: "It holds no lock, and waits for none.");
	if (json_is_true(json_object_get(reply.json, "more")))
		cli_note("There are more: --limit shows up to 1000.");
	client_reply_release(&reply);
	return CLI_OK;
}

int cmd_lock_list(struct cli *cli)
{
	return show(cli, "saga", cli->args[0]);
}

int cmd_lock_show(struct cli *cli)
{
	return show(cli, "key", cli->args[0]);
}
