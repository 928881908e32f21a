/* `skald queue` and `skald worker`: what waits for workers, who asks for it, and how it is given
 * out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/act_body.h"
#include "coordinator/cli/client_show.h"
#include "coordinator/cli/print.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

static int get(struct cli *cli, const char *queue, struct client_reply *ret_reply)
{
	struct client_request request = {.method = "GET", .path = "/v1/queues"};

	if (queue)
		client_path(&request, "/v1/queues/%s", queue);
	return client_ask(cli, &request, ret_reply);
}

/* What was said of a queue so far; of one that nobody has heard of, nothing. */
static int get_settings(struct cli *cli, json_t **ret_settings, int64_t *ret_revision)
{
	struct client_request request = {.method = "GET"};
	struct client_reply reply = {0};
	struct client client;
	int r;

	client_path(&request, "/v1/queues/%s", cli->args[0]);
	r = client_open(cli, &client);
	if (r)
		return r;
	r = client_send(&client, &request, &reply);
	if (r == 0 && reply.http.status != 200 && reply.http.status != 404)
		r = client_problem(&reply);
	if (r == 0) {
		json_t *settings = json_object_get(reply.json, "settings");

		*ret_settings = json_is_object(settings) ? json_deep_copy(settings) : json_object();
		*ret_revision = int_of(reply.json, "revision", 0);
	}
	client_reply_release(&reply);
	client_close(&client);
	return r;
}

static const char *number(const json_t *object, const char *name, char text[24])
{
	snprintf(text, 24, "%lld", (long long)int_of(object, name, 0));
	return text;
}

static void short_time(const char *text, char shown[20])
{
	snprintf(shown, 20, "%.19s", text ? text : "-");
	if (strlen(shown) > 10)
		shown[10] = ' ';
}

/* "50/s, at most 20, blue, green 10%"; the caller's. */
static char *settings_text(const json_t *settings)
{
	const json_t *rate = json_object_get(settings, "rate_per_second");
	const json_t *most = json_object_get(settings, "max_concurrent");
	const json_t *builds = json_object_get(settings, "builds");
	const json_t *ramp = json_object_get(builds, "ramp");
	struct buf text;

	buf_init(&text, 0);
	if (json_is_number(rate))
		buf_printf(&text, "%g/s", json_number_value(rate));
	if (json_is_integer(most))
		buf_printf(&text, "%sat most %lld", text.len > 0 ? ", " : "",
				   (long long)json_integer_value(most));
	if (json_is_object(builds))
		buf_printf(&text, "%sbuild %s", text.len > 0 ? ", " : "", text_of(builds, "default"));
	if (json_is_object(ramp))
		buf_printf(&text, ", %s %lld%%", text_of(ramp, "build"),
				   (long long)int_of(ramp, "percent", 0));
	if (text.len == 0)
		buf_add_lit(&text, "-");
	return buf_take(&text, NULL);
}

static void add_queue(struct table *table, const json_t *queue)
{
	const json_t *rates = json_object_get(queue, "rates");
	char queued[24], leased[24], pollers[24], done[24], failed[24], oldest[20];
	CLEANUP(free_p) char *settings = settings_text(json_object_get(queue, "settings"));
	CLEANUP(free_p) char *shown = shown_text(settings);

	short_time(text_of(queue, "oldest_at"), oldest);
	table_add(table, text_of(queue, "queue"), number(queue, "queued", queued),
			  number(queue, "leased", leased), oldest, number(queue, "pollers", pollers),
			  number(rates, "completed", done), number(rates, "failed", failed), shown);
}

static void print_queues(const struct cli *cli, const json_t *queues)
{
	const json_t *queue;
	struct table table;
	size_t i;

	table_init(&table, "QUEUE", "QUEUED", "LEASED", "OLDEST", "POLLERS", "DONE/MIN", "FAILED/MIN",
			   "SETTINGS", (char *)NULL);
	json_array_foreach (queues, i, queue)
		add_queue(&table, queue);
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

int cmd_queue_list(struct cli *cli)
{
	struct client_request request = {.method = "GET", .path = "/v1/queues"};

	return client_show_list(cli, &request, "queues", print_queues);
}

static void print_workers(const struct cli *cli, const json_t *workers, const char *queue)
{
	struct table table;
	const json_t *worker;
	size_t i;

	table_init(&table, "WORKER", "BUILD", "QUEUE", "LEASED", "ASKS", "LAST SEEN", (char *)NULL);
	json_array_foreach (workers, i, worker) {
		char leased[24], seen[20];
		CLEANUP(free_p) char *name = shown_text(text_of(worker, "worker"));
		const char *of = queue ? queue : text_of(worker, "queue");
		const char *build = text_of(worker, "build");
		CLEANUP(free_p) char *shown_build = build ? shown_text(build) : NULL;

		short_time(text_of(worker, "last_seen"), seen);
		table_add(&table, name, shown_build, of, number(worker, "leased", leased),
				  json_is_true(json_object_get(worker, "polls")) ? "yes" : "no", seen);
	}
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

static void print_queue(const struct cli *cli, const json_t *queue)
{
	const json_t *totals = json_object_get(queue, "totals");
	CLEANUP(free_p) char *settings = settings_text(json_object_get(queue, "settings"));
	CLEANUP(free_p) char *shown = shown_text(settings);
	const char *more = json_is_true(json_object_get(queue, "more")) ? "+" : "";

	printf("queue      %s\n", text_of(queue, "queue"));
	printf("queued     %lld%s\n", (long long)int_of(queue, "queued", 0), more);
	printf("leased     %lld%s\n", (long long)int_of(queue, "leased", 0), more);
	if (text_of(queue, "oldest_at"))
		printf("oldest     %s\n", text_of(queue, "oldest_at"));
	printf("pollers    %lld\n", (long long)int_of(queue, "pollers", 0));
	printf("completed  %lld\n", (long long)int_of(totals, "completed", 0));
	printf("failed     %lld\n", (long long)int_of(totals, "failed", 0));
	printf("expired    %lld\n", (long long)int_of(totals, "lease_expired", 0));
	printf("settings   %s\n", shown);
	printf("revision   %lld\n\n", (long long)int_of(queue, "revision", 0));
	print_workers(cli, json_object_get(queue, "workers"), text_of(queue, "queue"));
}

int cmd_queue_show(struct cli *cli)
{
	struct client_request request = {.method = "GET"};

	client_path(&request, "/v1/queues/%s", cli->args[0]);
	return client_show(cli, &request, print_queue);
}

/* Settings. */

static int set_rate(struct cli *cli, json_t *settings)
{
	const char *text = cli_option(cli, "rate");
	double rate;
	char *end;

	if (!text)
		return 0;
	if (strcmp(text, "none") == 0) {
		json_object_del(settings, "rate_per_second");
		return 0;
	}
	rate = strtod(text, &end);
	if (end == text || *end || !(rate > 0))
		return cli_fail(CLI_USAGE, "--rate: a number of tasks a second, or none");
	json_object_set_new(settings, "rate_per_second", json_real(rate));
	return 0;
}

static int set_concurrent(struct cli *cli, json_t *settings)
{
	const char *text = cli_option(cli, "concurrent");
	int64_t n = 0;
	int r;

	if (!text)
		return 0;
	if (strcmp(text, "none") == 0) {
		json_object_del(settings, "max_concurrent");
		return 0;
	}
	r = cli_option_int(cli, "concurrent", 1, 1000, &n);
	if (r == 0)
		json_object_set_new(settings, "max_concurrent", json_integer(n));
	return r;
}

/* BUILD:PERCENT; the last colon counts. */
static int set_ramp(const char *text, json_t *builds)
{
	const char *colon = strrchr(text, ':');
	CLEANUP(free_p) char *build = NULL;
	char *end;
	long percent;

	if (strcmp(text, "none") == 0) {
		json_object_del(builds, "ramp");
		return 0;
	}
	percent = colon ? strtol(colon + 1, &end, 10) : 0;
	if (!colon || colon == text || end == colon + 1 || *end || percent < 0 || percent > 100)
		return cli_fail(CLI_USAGE, "--ramp: BUILD:PERCENT, as in green:10, or none");
	build = xstrndup(text, (size_t)(colon - text));
	json_object_set_new(builds, "ramp",
						json_pack("{s:s, s:I}", "build", build, "percent", (json_int_t)percent));
	return 0;
}

static int set_builds(struct cli *cli, json_t *settings)
{
	const char *build = cli_option(cli, "build"), *ramp = cli_option(cli, "ramp");
	json_t *builds = json_object_get(settings, "builds");

	if (build && strcmp(build, "none") == 0) {
		json_object_del(settings, "builds");
		return ramp ? cli_fail(CLI_USAGE, "--ramp needs a --build beside it") : 0;
	}
	if (!build && !ramp)
		return 0;
	if (!json_is_object(builds)) {
		builds = json_object();
		json_object_set_new(settings, "builds", builds);
	}
	if (build)
		json_object_set_new(builds, "default", json_string(build));
	if (!json_object_get(builds, "default"))
		return cli_fail(CLI_USAGE, "--ramp needs a --build beside it");
	return ramp ? set_ramp(ramp, builds) : 0;
}

static int put(struct cli *cli, const json_t *settings, int64_t revision)
{
	struct client_request request = {.method = "PUT"};
	CLEANUP(buf_release) struct buf text;
	int r;

	buf_init(&text, 0);
	json_write(settings, &text);
	client_path(&request, "/v1/queues/%s", cli->args[0]);
	r = client_query(&request, "by", act_by(cli));
	if (r)
		return r;
	client_header(&request, "If-Match: \"%lld\"", (long long)revision);
	request.body = text.data;
	request.body_len = text.len;
	return client_show(cli, &request, print_queue);
}

int cmd_queue_set(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *settings = NULL;
	int64_t revision;
	int r = get_settings(cli, &settings, &revision);

	if (r == 0)
		r = set_rate(cli, settings);
	if (r == 0)
		r = set_concurrent(cli, settings);
	if (r == 0)
		r = set_builds(cli, settings);
	return r ? r : put(cli, settings, revision);
}

/* Workers. */

static int add_workers(struct cli *cli, const char *queue, json_t *all)
{
	struct client_reply reply;
	const json_t *workers;
	json_t *worker;
	size_t i;
	int r = get(cli, queue, &reply);

	if (r)
		return r;
	workers = json_object_get(reply.json, "workers");
	json_array_foreach (workers, i, worker) {
		json_object_set_new(worker, "queue", json_string(queue));
		json_array_append(all, worker);
	}
	client_reply_release(&reply);
	return 0;
}

int cmd_worker_list(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *all = json_array();
	struct client_reply reply;
	const json_t *queues, *queue;
	size_t i;
	int r;

	if (cli->n_args > 0) {
		r = add_workers(cli, cli->args[0], all);
	} else {
		r = get(cli, NULL, &reply);
		if (r)
			return r;
		queues = json_object_get(reply.json, "queues");
		json_array_foreach (queues, i, queue)
			if (r == 0)
				r = add_workers(cli, text_of(queue, "queue"), all);
		client_reply_release(&reply);
	}
	if (r)
		return r;
	if (cli->format == FORMAT_TABLE)
		print_workers(cli, all, NULL);
	else
		print_list(cli, all);
	return CLI_OK;
}
