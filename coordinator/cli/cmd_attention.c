/* `skald attention`: what needs a person, in groups of one cause; and what persons say about them.
 */
#include <string.h>

#include "coordinator/cli/act_body.h"
#include "coordinator/cli/client_show.h"
#include "coordinator/cli/print.h"

static int get(struct cli *cli, const char *format, const char *id, struct client_reply *ret_reply)
{
	struct client_request request = {.method = "GET"};
	struct client client;
	int r = client_open(cli, &client);

	if (r)
		return r;
	client_path(&request, format, id);
	r = client_call(&client, &request, ret_reply);
	client_close(&client);
	return r;
}

/* "charge", "charge (undo)"; the caller's. */
static char *place_of(const json_t *group)
{
	const char *step = text_of(group, "step"), *side = text_of(group, "side");

	return xasprintf("%s%s", step ? step : "-",
					 step && side && strcmp(side, "undo") == 0 ? " (undo)" : "");
}

static void add_group(struct table *table, const json_t *group)
{
	const json_t *seen = json_object_get(group, "acknowledged");
	CLEANUP(free_p) char *place = place_of(group);
	const char *message = text_of(group, "message");
	CLEANUP(free_p) char *shown = message ? xasprintf("%.60s", message) : NULL;
	char count[24], last[20];

	snprintf(count, sizeof(count), "%lld", (long long)int_of(group, "count", 0));
	snprintf(last, sizeof(last), "%.19s",
			 text_of(group, "last_seen_at") ? text_of(group, "last_seen_at") : "");
	if (strlen(last) > 10)
		last[10] = ' ';
	table_add(table, text_of(group, "id"), count, text_of(group, "kind"), text_of(group, "saga"),
			  place, text_of(group, "code"), last, text_of(group, "owner"), text_of(seen, "by"),
			  shown);
}

static void print_groups(const struct cli *cli, const json_t *groups)
{
	const json_t *group;
	struct table table;
	size_t i;

	table_init(&table, "GROUP", "SAGAS", "KIND", "SAGA", "STEP", "CODE", "LAST SEEN", "OWNER",
			   "SEEN BY", "MESSAGE", (char *)NULL);
	json_array_foreach (groups, i, group)
		add_group(&table, group);
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

int cmd_attention_list(struct cli *cli)
{
	struct client_request request = {.method = "GET", .path = "/v1/attention"};

	return client_show_list(cli, &request, "groups", print_groups);
}

static void field(const char *name, const char *value)
{
	CLEANUP(free_p) char *shown = shown_text(value && *value ? value : "-");

	printf("%-12s %s\n", name, shown);
}

static void print_group(const struct cli *cli, const json_t *group)
{
	const json_t *seen = json_object_get(group, "acknowledged");
	CLEANUP(free_p) char *place = place_of(group);
	char count[24];

	if (cli->format != FORMAT_TABLE) {
		print_value(cli, group);
		return;
	}
	snprintf(count, sizeof(count), "%lld", (long long)int_of(group, "count", 0));
	field("group", text_of(group, "id"));
	field("kind", text_of(group, "kind"));
	field("saga", text_of(group, "saga"));
	field("step", place);
	field("code", text_of(group, "code"));
	field("message", text_of(group, "message"));
	field("sagas", count);
	field("first seen", text_of(group, "first_seen_at"));
	field("last seen", text_of(group, "last_seen_at"));
	field("sample", text_of(group, "sample"));
	field("owner", text_of(group, "owner"));
	field("seen by", text_of(seen, "by"));
	field("note", text_of(seen, "note"));
}

int cmd_attention_show(struct cli *cli)
{
	struct client_reply reply;
	int r = get(cli, "/v1/attention/%s", cli->args[0], &reply);

	if (r)
		return r;
	print_group(cli, reply.json);
	client_reply_release(&reply);
	return CLI_OK;
}

/* acknowledge, unacknowledge, owner: the last word of the command. */
int cmd_attention_say(struct cli *cli)
{
	const char *word = strrchr(cli->command->name, ' ') + 1, *reason = cli_option(cli, "reason");
	struct client_request request = {.method = "POST"};
	CLEANUP(free_p) char *group = http_sync_escape(cli->args[0]);
	CLEANUP(buf_release) struct buf body;
	struct client_reply reply;
	struct client client;
	int r;

	buf_init(&body, 0);
	buf_add_char(&body, '{');
	body_text(&body, "by", act_by(cli));
	if (reason)
		body_text(&body, "reason", reason);
	if (cli->n_args > 1 && strcmp(word, "owner") != 0)
		return cli_fail(CLI_USAGE, "unexpected argument `%s`", cli->args[1]);
	if (cli->n_args > 1)
		body_text(&body, "owner", cli->args[1]);
	buf_add_char(&body, '}');
	r = client_open(cli, &client);
	if (r)
		return r;
	snprintf(request.path, sizeof(request.path), "/v1/attention/%.400s/%s", group, word);
	request.body = body.data;
	request.body_len = body.len;
	r = client_call(&client, &request, &reply);
	client_close(&client);
	if (r)
		return r;
	print_group(cli, reply.json);
	client_reply_release(&reply);
	return CLI_OK;
}
