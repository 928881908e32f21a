/*
 * `skald saga cancel|terminate|pause|…` and `skald step retry|skip|…`: the name of the command is
 * the name of the act. `skald saga acts` shows which of them would be taken.
 */
#include <string.h>

#include "coordinator/cli/act_body.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/saga_text.h"

/* "step retry" is retry. */
static const char *act_word(const struct cli *cli)
{
	return strrchr(cli->command->name, ' ') + 1;
}

static void add_segment(struct buf *path, const char *text)
{
	CLEANUP(free_p) char *escaped = http_sync_escape(text);

	buf_printf(path, "/%s", escaped);
}

static void print_effect(const struct cli *cli, const json_t *saga)
{
	const json_t *effect = json_object_get(saga, "effect"), *events, *event;
	const json_t *run_of = effect ? NULL : json_object_get(saga, "run_of");
	const char *before = text_of(effect, "status_before"), *after = text_of(effect, "status_after");
	size_t i;

	saga_text_line(saga, cli->color, stdout);
	if (run_of)
		printf("  a new run of saga %s, from row %lld on\n", text_of(run_of, "id"),
			   (long long)int_of(run_of, "seq", 0));
	if (!effect)
		return;
	events = json_object_get(effect, "events");
	if (json_array_size(events) == 0) {
		puts("  the saga had taken this act before");
		return;
	}
	printf("  row %lld:", (long long)int_of(effect, "seq", 0));
	json_array_foreach ((json_t *)events, i, event)
		printf("%s %s", i > 0 ? "," : "", json_string_value(event));
	if (before && after && strcmp(before, after) != 0)
		printf("  (%s -> %s)", before, after);
	putchar('\n');
}

/* Of a saga that has ended. */
static void print_dry_new_run(const json_t *run)
{
	const json_t *kept = json_object_get(run, "kept"), *step;
	size_t i;

	fputs("Nothing was done. A new run would begin, another saga, which keeps:", stderr);
	json_array_foreach ((json_t *)kept, i, step)
		fprintf(stderr, "%s %s", i > 0 ? "," : "", json_string_value(step));
	fputs(json_array_size(kept) > 0 ? "\n" : " nothing\n", stderr);
}

static void print_dry_run(const struct cli *cli, const json_t *answer)
{
	const json_t *events = json_object_get(answer, "events"), *event;
	const json_t *new_run = json_object_get(answer, "new_run");
	size_t i;

	if (new_run) {
		print_dry_new_run(new_run);
		return;
	}
	act_print_calls(answer, cli->color, stdout);
	fputs("Nothing was done. The saga would be ", stderr);
	fputs(text_of(answer, "status"), stderr);
	fputs(" after:", stderr);
	json_array_foreach ((json_t *)events, i, event)
		fprintf(stderr, "%s %s", i > 0 ? "," : "", json_string_value(event));
	fputc('\n', stderr);
}

static int act_send(struct cli *cli, const char *path, const struct buf *body)
{
	struct client_request request = {.method = "POST"};
	bool dry = cli_option(cli, "dry-run") != NULL;
	struct client_reply reply;
	struct client client;
	int64_t seq = -1;
	int r = cli_option_int(cli, "if-match", 1, INT64_MAX, &seq);

	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	snprintf(request.path, sizeof(request.path), "%s%s", path, dry ? "?dry_run=true" : "");
	if (seq > 0)
		client_header(&request, "If-Match: \"%lld\"", (long long)seq);
	request.body = body->data;
	request.body_len = body->len;
	r = client_call(&client, &request, &reply);
	client_close(&client);
	if (r)
		return r;
	if (cli->format != FORMAT_TABLE)
		print_value(cli, reply.json);
	else if (dry)
		print_dry_run(cli, reply.json);
	else
		print_effect(cli, reply.json);
	client_reply_release(&reply);
	return CLI_OK;
}

/* Sends what the options say to the path. */
static int act(struct cli *cli, struct buf *path, struct buf *body)
{
	int r = act_members(cli, body);

	if (r)
		return r;
	buf_add_char(body, '}');
	if (path->len > 1000)
		return cli_fail(CLI_USAGE, "the names are too long");
	return act_send(cli, buf_str(path), body);
}

/* What stands behind the saga's id becomes a part of the act. */
static int saga_arguments(const struct cli *cli, const char *word, struct buf *path,
						  struct buf *body)
{
	const char *second = cli->n_args > 1 ? cli->args[1] : NULL;

	if (strcmp(word, "signal") == 0) {
		CLEANUP(free_p) char *value = NULL;
		size_t len;
		int r;

		buf_add_lit(path, "/signals");
		add_segment(path, second);
		if (cli->n_args < 3)
			return 0;
		r = client_read_argument(cli->args[2], &value, &len);
		if (r)
			return r;
		body_json(body, "value", value);
		return 0;
	}
	add_segment(path, word);
	if (strcmp(word, "note") == 0)
		body_text(body, "reason", second);
	else if (strcmp(word, "owner") == 0 && second)
		body_text(body, "owner", second);
	if (strcmp(word, "note") == 0 && cli_option(cli, "reason"))
		return cli_fail(CLI_USAGE, "the reason of a note is the note: leave --reason out");
	if (strcmp(word, "migrate") == 0 && !cli_option(cli, "version"))
		return cli_fail(CLI_USAGE, "--version says by which version it is to go on");
	if (strcmp(word, "reset") == 0 && !cli_option(cli, "to"))
		return cli_fail(CLI_USAGE, "--to says which row of the history to go back to");
	return 0;
}

int cmd_saga_act(struct cli *cli)
{
	CLEANUP(buf_release) struct buf path, body;
	int r;

	buf_init(&path, 0);
	buf_init(&body, 0);
	buf_add_lit(&path, "/v1/sagas");
	add_segment(&path, cli->args[0]);
	buf_add_char(&body, '{');
	r = saga_arguments(cli, act_word(cli), &path, &body);
	return r ? r : act(cli, &path, &body);
}

int cmd_step_act(struct cli *cli)
{
	CLEANUP(buf_release) struct buf path, body;

	buf_init(&path, 0);
	buf_init(&body, 0);
	buf_add_lit(&path, "/v1/sagas");
	add_segment(&path, cli->args[0]);
	buf_add_lit(&path, "/steps");
	add_segment(&path, cli->args[1]);
	if (cli_option(cli, "compensation"))
		buf_add_lit(&path, "/compensation");
	add_segment(&path, act_word(cli));
	buf_add_char(&body, '{');
	if (cli->n_args > 2)
		body_text(&body, "outcome", cli->args[2]);
	return act(cli, &path, &body);
}

/* ---- acts ---- */

static void add_acts(struct table *table, const char *of, const json_t *acts)
{
	json_t *one;
	size_t i;

	json_array_foreach ((json_t *)acts, i, one)
		table_add(table, of, text_of(one, "act"),
				  json_is_true(json_object_get(one, "allowed")) ? "yes" : "no",
				  text_of(one, "why"));
}

static void print_acts(const struct cli *cli, const json_t *answer)
{
	struct table table;
	json_t *action;
	size_t i;

	table_init(&table, "OF", "ACT", "TAKEN", "WHY NOT", (char *)NULL);
	add_acts(&table, "saga", json_object_get(answer, "saga"));
	json_array_foreach (json_object_get(answer, "actions"), i, action) {
		int64_t item = int_of(action, "item", -1);
		const char *step = text_of(action, "step");
		CLEANUP(free_p)
		char *name = item < 0 ? xstrdup(step) : xasprintf("%s[%lld]", step, (long long)item);
		CLEANUP(free_p)
		char *of = xasprintf(
			"%s%s", name, json_is_true(json_object_get(action, "compensation")) ? " (undo)" : "");

		add_acts(&table, of, json_object_get(action, "acts"));
	}
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

int cmd_saga_acts(struct cli *cli)
{
	struct client_request request = {.method = "GET"};
	struct client_reply reply;
	struct client client;
	int r = client_open(cli, &client);

	if (r)
		return r;
	client_path(&request, "/v1/sagas/%s/acts", cli->args[0]);
	r = client_call(&client, &request, &reply);
	client_close(&client);
	if (r)
		return r;
	if (cli->format == FORMAT_TABLE)
		print_acts(cli, reply.json);
	else
		print_value(cli, reply.json);
	client_reply_release(&reply);
	return CLI_OK;
}
