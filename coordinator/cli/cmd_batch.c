/*
 * `skald batch`: one act on all sagas that match a filter. The server does it; this starts it,
 * shows how far it has come, and says by the exit code whether all of it was done.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/cli/act_body.h"
#include "coordinator/cli/client_show.h"
#include "coordinator/cli/print.h"
#include "sagas/json_text.h"

enum { BATCH_WATCH_MS = 300 };

/* ---- showing ---- */

static int64_t count_of(const json_t *batch, const char *status)
{
	return int_of(json_object_get(batch, "counts"), status, 0);
}

/* "retry refund (undo)"; the caller's. */
static char *act_text(const json_t *batch)
{
	const json_t *act = json_object_get(batch, "act");
	const char *word = text_of(act, "act"), *step = text_of(act, "step");

	return xasprintf("%s%s%s%s", word ? word : "?", step ? " " : "", step ? step : "",
					 json_is_true(json_object_get(act, "compensation")) ? " (undo)" : "");
}

static void progress_text(const json_t *batch, char text[160])
{
	snprintf(text, 160, "%lld of %lld done, %lld refused, %lld failed, %lld to do",
			 (long long)count_of(batch, "done"), (long long)int_of(batch, "total", 0),
			 (long long)count_of(batch, "refused"), (long long)count_of(batch, "failed"),
			 (long long)count_of(batch, "pending"));
}

static void print_batch(const struct cli *cli, const json_t *batch)
{
	CLEANUP(free_p) char *act = NULL;
	const char *status = text_of(batch, "status");
	const char *paint = status_color(status ? status : "", cli->color);
	char progress[160];

	if (cli->format != FORMAT_TABLE) {
		print_value(cli, batch);
		return;
	}
	act = act_text(batch);
	progress_text(batch, progress);
	printf("%s  %s%s%s  %s on %s: %s\n", text_of(batch, "id"), paint, status ? status : "?",
		   color_end(paint), act, text_of(batch, "q") ? text_of(batch, "q") : "?", progress);
}

/* The exit code that a batch as it stands deserves. */
static int batch_code(const json_t *batch)
{
	const char *status = text_of(batch, "status");

	if (status && strcmp(status, "stopped") == 0)
		return cli_fail(CLI_FAILED, "the batch was stopped");
	if (!status || strcmp(status, "done") != 0)
		return CLI_OK;
	return count_of(batch, "refused") + count_of(batch, "failed") > 0 ? CLI_PARTLY : CLI_OK;
}

static int get_batch(struct client *client, const char *id, json_t **ret_batch)
{
	struct client_request request = {.method = "GET"};
	struct client_reply reply;
	int r;

	client_path(&request, "/v1/batches/%s", id);
	r = client_call(client, &request, &reply);
	if (r)
		return r;
	*ret_batch = json_incref(reply.json);
	client_reply_release(&reply);
	return 0;
}

int cmd_batch_show(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *batch = NULL;
	struct client client;
	int r = client_open(cli, &client);

	if (r)
		return r;
	r = get_batch(&client, cli->args[0], &batch);
	client_close(&client);
	if (r)
		return r;
	print_batch(cli, batch);
	return batch_code(batch) == CLI_PARTLY ? CLI_PARTLY : CLI_OK;
}

/* ---- watching ---- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* One line that changes on a terminal; elsewhere a line for each change. */
static void tell_progress(const json_t *batch, char shown[160])
{
	bool terminal = isatty(STDERR_FILENO);
	char text[160];

	progress_text(batch, text);
	if (strcmp(text, shown) == 0)
		return;
	fprintf(stderr, terminal ? "\r\033[K%s: %s" : "%s: %s\n", text_of(batch, "status"), text);
	fflush(stderr);
	memcpy(shown, text, sizeof(text));
}

static bool goes_on(const json_t *batch)
{
	const char *status = text_of(batch, "status");

	return status && (strcmp(status, "selecting") == 0 || strcmp(status, "running") == 0);
}

static int watch(const struct cli *cli, struct client *client, const char *id, int64_t interval_ms,
				 int64_t timeout_ms)
{
	int64_t end_ms = timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
	char shown[160] = "";

	for (;;) {
		CLEANUP(json_decref_p) json_t *batch = NULL;
		struct timespec pause = {interval_ms / 1000, interval_ms % 1000 * 1000000};
		int r = get_batch(client, id, &batch);

		if (r)
			return r;
		tell_progress(batch, shown);
		if (!goes_on(batch)) {
			if (isatty(STDERR_FILENO))
				fputc('\n', stderr);
			print_batch(cli, batch);
			return batch_code(batch);
		}
		if (now_ms() >= end_ms)
			return cli_fail(CLI_TIMED_OUT, "batch %s has not ended yet", id);
		nanosleep(&pause, NULL);
	}
}

int cmd_batch_watch(struct cli *cli)
{
	int64_t interval_ms = BATCH_WATCH_MS, timeout_ms = -1;
	struct client client;
	int r = cli_option_duration(cli, "interval", &interval_ms);

	if (!r)
		r = cli_option_duration(cli, "timeout", &timeout_ms);
	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	r = watch(cli, &client, cli->args[0], interval_ms < 10 ? 10 : interval_ms, timeout_ms);
	client_close(&client);
	return r;
}

/* ---- starting ---- */

/* {"act": …, "q": …, …} */
static int start_body(const struct cli *cli, struct buf *body)
{
	CLEANUP(buf_release) struct buf act;
	const char *rate = cli_option(cli, "rate");
	char *end;
	int r;

	buf_init(&act, 0);
	buf_add_char(&act, '{');
	body_text(&act, "act", cli->args[0]);
	if (cli->n_args > 1)
		body_text(&act, "step", cli->args[1]);
	if (cli_option(cli, "compensation"))
		body_json(&act, "compensation", "true");
	r = act_members(cli, &act);
	if (r)
		return r;
	buf_add_char(&act, '}');
	buf_add_char(body, '{');
	body_json(body, "act", buf_str(&act));
	body_text(body, "q", cli_option(cli, "query"));
	body_text(body, "by", act_by(cli));
	if (rate) {
		if (!(strtod(rate, &end) > 0) || *end || strspn(rate, "0123456789.") != strlen(rate))
			return cli_fail(CLI_USAGE, "--rate is a number above 0, not `%s`", rate);
		body_json(body, "rate", rate);
	}
	buf_add_char(body, '}');
	return 0;
}

static void print_matches(const struct cli *cli, const json_t *answer)
{
	json_t *saga;
	size_t i;

	if (cli->format != FORMAT_TABLE) {
		print_value(cli, answer);
		return;
	}
	json_array_foreach (json_object_get(answer, "sample"), i, saga) {
		const char *why = text_of(saga, "error");

		printf("%s%s%s\n", text_of(saga, "id"), why ? "  would be refused: " : "", why ? why : "");
		if (json_array_size(json_object_get(saga, "calls")) > 0)
			act_print_calls(saga, cli->color, stdout);
	}
	cli_note("Nothing was done. %s%lld sagas match; %zu of them are shown.",
			 json_is_true(json_object_get(answer, "truncated")) ? "At least " : "",
			 (long long)int_of(answer, "matches", 0),
			 json_array_size(json_object_get(answer, "sample")));
}

static int started(struct cli *cli, struct client *client, const json_t *answer)
{
	if (cli_option(cli, "dry-run")) {
		print_matches(cli, answer);
		return CLI_OK;
	}
	if (!cli_option(cli, "watch")) {
		print_batch(cli, answer);
		return CLI_OK;
	}
	cli_note("batch %s", text_of(answer, "id"));
	return watch(cli, client, text_of(answer, "id"), BATCH_WATCH_MS, -1);
}

int cmd_batch_start(struct cli *cli)
{
	struct client_request request = {.method = "POST"};
	CLEANUP(buf_release) struct buf body;
	struct client_reply reply;
	struct client client;
	int r;

	buf_init(&body, 0);
	if (!cli_option(cli, "query"))
		return cli_fail(CLI_USAGE, "--query says which sagas; see `skald saga list --help`");
	r = start_body(cli, &body);
	if (!r)
		r = client_open(cli, &client);
	if (r)
		return r;
	client_path(&request, cli_option(cli, "dry-run") ? "/v1/batches?dry_run=true" : "/v1/batches",
				"");
	request.body = body.data;
	request.body_len = body.len;
	r = client_call(&client, &request, &reply);
	if (!r) {
		r = started(cli, &client, reply.json);
		client_reply_release(&reply);
	}
	client_close(&client);
	return r;
}

/* stop, resume, retry: the last word of the command. */
int cmd_batch_steer(struct cli *cli)
{
	CLEANUP(free_p) char *id = http_sync_escape(cli->args[0]);
	struct client_request request = {.method = "POST"};
	CLEANUP(buf_release) struct buf body;

	buf_init(&body, 0);
	buf_add_char(&body, '{');
	body_text(&body, "by", act_by(cli));
	buf_add_char(&body, '}');
	snprintf(request.path, sizeof(request.path), "/v1/batches/%.400s/%s", id,
			 strrchr(cli->command->name, ' ') + 1);
	request.body = body.data;
	request.body_len = body.len;
	return client_show(cli, &request, print_batch);
}

/* ---- lists ---- */

static void add_batch(struct table *table, const json_t *batch)
{
	CLEANUP(free_p) char *act = act_text(batch);
	char progress[160], created[20];

	progress_text(batch, progress);
	snprintf(created, sizeof(created), "%.19s",
			 text_of(batch, "created_at") ? text_of(batch, "created_at") : "");
	if (strlen(created) > 10)
		created[10] = ' ';
	table_add(table, text_of(batch, "id"), text_of(batch, "status"), act, text_of(batch, "q"),
			  text_of(batch, "by"), created, progress);
}

static void print_batches(const struct cli *cli, const json_t *batches)
{
	struct table table;
	const json_t *batch;
	size_t i;

	table_init(&table, "BATCH", "STATUS", "ACT", "SAGAS", "BY", "CREATED", "PROGRESS",
			   (char *)NULL);
	json_array_foreach (batches, i, batch)
		add_batch(&table, batch);
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

int cmd_batch_list(struct cli *cli)
{
	struct client_request request = {.method = "GET", .path = "/v1/batches"};

	return client_show_list(cli, &request, "batches", print_batches);
}

static void add_item(struct table *table, const json_t *item)
{
	const json_t *effect = json_object_get(item, "effect"), *now = json_object_get(item, "now");
	const char *before = text_of(effect, "status_before"), *after = text_of(effect, "status_after");
	CLEANUP(free_p) char *did = before && after ? xasprintf("%s -> %s", before, after) : NULL;
	char seq[24] = "";

	if (int_of(item, "seq", 0) > 0)
		snprintf(seq, sizeof(seq), "%lld", (long long)int_of(item, "seq", 0));
	table_add(table, text_of(item, "saga"), text_of(item, "status"), did, seq,
			  text_of(now, "status"), text_of(item, "error"));
}

static void print_items(const struct cli *cli, const json_t *items)
{
	struct table table;
	const json_t *item;
	size_t i;

	table_init(&table, "SAGA", "STATUS", "EFFECT", "ROW", "NOW", "ERROR", (char *)NULL);
	json_array_foreach (items, i, item)
		add_item(&table, item);
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

int cmd_batch_items(struct cli *cli)
{
	struct client_request request = {.method = "GET"};
	int r;

	client_path(&request, "/v1/batches/%s/items", cli->args[0]);
	r = client_query(&request, "status", cli_option(cli, "status"));
	return r ? r : client_show_pages(cli, &request, "items", print_items);
}
