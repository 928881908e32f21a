/* `skald approval list|show`: what people are asked to decide. Deciding is `approval approve` and
 * `approval reject`, which are acts on a step (cmd_act.c). */
#include <string.h>

#include "coordinator/cli/act_body.h"
#include "coordinator/cli/print.h"
#include "sagas/json_text.h"

static void add_names(const json_t *names, struct buf *out)
{
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		if (json_is_string(name))
			buf_printf(out, "%s%s", out->len > 0 ? "," : "", json_string_value(name));
}

/* "1 of 2", and how many are against it; the caller's. */
static char *tally_of(const json_t *approval)
{
	int64_t rejected = int_of(approval, "rejected", 0);
	char *text = xasprintf("%lld of %lld", (long long)int_of(approval, "approved", 0),
						   (long long)int_of(approval, "approve", 1));
	char *both;

	if (rejected == 0)
		return text;
	both = xasprintf("%s, %lld against", text, (long long)rejected);
	free(text);
	return both;
}

static char *step_of(const json_t *approval)
{
	int64_t item = int_of(approval, "item", -1);
	const char *step = text_of(approval, "step");

	return item < 0 ? xstrdup(step) : xasprintf("%s[%lld]", step, (long long)item);
}

static void short_time(const char *text, char shown[20])
{
	snprintf(shown, 20, "%.19s", text ? text : "-");
	if (strlen(shown) > 10)
		shown[10] = ' ';
}

static void add_row(struct table *table, const json_t *approval)
{
	CLEANUP(free_p) char *step = step_of(approval);
	CLEANUP(free_p) char *tally = tally_of(approval);
	CLEANUP(buf_release) struct buf groups;
	char since[20], until[20];

	buf_init(&groups, 0);
	add_names(json_object_get(approval, "groups"), &groups);
	add_names(json_object_get(approval, "escalated_groups"), &groups);
	short_time(text_of(approval, "since"), since);
	short_time(text_of(approval, "deadline_at"), until);
	table_add(table, text_of(approval, "saga"), step, since, until, buf_str(&groups), tally,
			  text_of(approval, "title"));
}

static void add_filter(struct buf *path, const struct cli *cli, const char *name)
{
	const char *value = cli_option(cli, name);
	CLEANUP(free_p) char *escaped = value ? http_sync_escape(value) : NULL;

	if (value)
		buf_printf(path, "&%s=%s", name, escaped);
}

/* One page; *cursor is the next one's, NULL at the end. */
static int read_page(struct cli *cli, struct client *client, const char *filters, int64_t limit,
					 json_t *rows, char **cursor)
{
	struct client_request request = {.method = "GET"};
	struct client_reply reply;
	const char *next;
	int n, r;

	n = snprintf(request.path, sizeof(request.path), "/v1/approvals?limit=%lld%s%s%s",
				 (long long)limit, filters, *cursor ? "&cursor=" : "", *cursor ? *cursor : "");
	if (n < 0 || n >= (int)sizeof(request.path))
		return cli_fail(CLI_USAGE, "the names are too long");
	r = client_call(client, &request, &reply);
	if (r)
		return r;
	json_array_extend(rows, json_object_get(reply.json, "approvals"));
	next = text_of(reply.json, "next");
	free(*cursor);
	*cursor = next ? http_sync_escape(next) : NULL;
	client_reply_release(&reply);
	(void)cli;
	return CLI_OK;
}

static int read_rows(struct cli *cli, json_t *rows, bool *ret_more)
{
	CLEANUP(buf_release) struct buf filters;
	CLEANUP(free_p) char *cursor = NULL;
	bool all = cli_option(cli, "all") != NULL;
	int64_t limit = 50;
	struct client client;
	int r = cli_option_int(cli, "limit", 1, 100, &limit);

	buf_init(&filters, 0);
	add_filter(&filters, cli, "group");
	add_filter(&filters, cli, "groups");
	add_filter(&filters, cli, "by");
	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	do
		r = read_page(cli, &client, buf_str(&filters), limit, rows, &cursor);
	while (!r && cursor && all);
	client_close(&client);
	*ret_more = cursor != NULL;
	return r;
}

int cmd_approval_list(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *rows = json_array();
	struct table table;
	json_t *row;
	bool more = false;
	size_t i;
	int r = read_rows(cli, rows, &more);

	if (r)
		return r;
	if (cli->format != FORMAT_TABLE) {
		print_list(cli, rows);
		return CLI_OK;
	}
	table_init(&table, "SAGA", "STEP", "SINCE", "UNTIL", "GROUPS", "APPROVED", "TITLE",
			   (char *)NULL);
	json_array_foreach (rows, i, row)
		add_row(&table, row);
	table_print(&table, cli->color, stdout);
	table_release(&table);
	if (more)
		cli_note("There are more: --all shows them, --group and --by narrow them down.");
	return CLI_OK;
}

/* The approval of the step in the saga; NULL: it has none. */
static const json_t *find_approval(const json_t *saga, const char *step, int64_t item)
{
	const json_t *steps = json_object_get(saga, "steps"), *one, *action;
	size_t i, j;

	json_array_foreach (steps, i, one) {
		if (strcmp(text_of(one, "id"), step) != 0)
			continue;
		json_array_foreach (json_object_get(one, "actions"), j, action)
			if (int_of(action, "item", -1) == item)
				return json_object_get(action, "approval");
	}
	return NULL;
}

static void field(const char *name, const char *value)
{
	CLEANUP(free_p) char *shown = shown_text(value && *value ? value : "-");

	printf("%-16s %s\n", name, shown);
}

static void json_field(const char *name, const json_t *value)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	if (value && !json_is_null(value))
		json_write(value, &text);
	field(name, buf_str(&text));
}

static void names_field(const char *name, const json_t *names)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	add_names(names, &text);
	field(name, buf_str(&text));
}

static void print_approval(const struct cli *cli, const json_t *approval)
{
	CLEANUP(free_p) char *tally = tally_of(approval);
	struct table table;
	json_t *one;
	size_t i;

	field("title", text_of(approval, "title"));
	names_field("groups", json_object_get(approval, "groups"));
	names_field("escalated to", json_object_get(approval, "escalated_groups"));
	names_field("excluded", json_object_get(approval, "exclude"));
	field("approved", tally);
	json_field("shows", json_object_get(approval, "show"));
	json_field("form", json_object_get(approval, "form"));
	if (json_array_size(json_object_get(approval, "decisions")) == 0)
		return;
	putchar('\n');
	table_init(&table, "AT", "BY", "DECISION", "REASON", "DATA", (char *)NULL);
	json_array_foreach (json_object_get(approval, "decisions"), i, one) {
		CLEANUP(buf_release) struct buf data;
		char at[20];

		buf_init(&data, 0);
		if (json_object_get(one, "data"))
			json_write(json_object_get(one, "data"), &data);
		short_time(text_of(one, "at"), at);
		table_add(&table, at, text_of(one, "by"), text_of(one, "decision"), text_of(one, "reason"),
				  data.len > 0 ? buf_str(&data) : NULL);
	}
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

int cmd_approval_show(struct cli *cli)
{
	struct client_request request = {.method = "GET"};
	const json_t *approval;
	struct client_reply reply;
	struct client client;
	int64_t item = -1;
	int r = cli_option_int(cli, "item", 0, INT32_MAX, &item);

	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	client_path(&request, "/v1/sagas/%s", cli->args[0]);
	r = client_call(&client, &request, &reply);
	client_close(&client);
	if (r)
		return r;
	approval = find_approval(reply.json, cli->args[1], item);
	if (!approval)
		r = cli_fail(CLI_NOT_FOUND, "step %s of the saga asks nobody%s", cli->args[1],
					 item < 0 ? "; of a for_each say which --item" : "");
	else if (cli->format == FORMAT_TABLE)
		print_approval(cli, approval);
	else
		print_value(cli, approval);
	client_reply_release(&reply);
	return r;
}
