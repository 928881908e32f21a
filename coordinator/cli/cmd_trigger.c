/* `skald trigger`: the triggers of a server, their lag, and pausing, resuming and seeking them. */
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/client_show.h"
#include "coordinator/cli/print.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

/* "<definition>/<topic>" of the command line as a path. 0 or an exit code. */
static int trigger_path(struct client_request *request, const char *name, const char *suffix)
{
	return client_named_path(request, "triggers", name, suffix,
							 "a trigger is called DEFINITION/TOPIC, as in order/orders.placed");
}

/* A number as text; "-" where it is not known. */
static const char *number(const json_t *object, const char *name, char text[24])
{
	const json_t *value = json_object_get(object, name);

	if (json_is_integer(value))
		snprintf(text, 24, "%lld", (long long)json_integer_value(value));
	else
		snprintf(text, 24, "-");
	return text;
}

static void print_triggers(const struct cli *cli, const json_t *triggers)
{
	struct table table;
	const json_t *trigger;
	size_t i;

	table_init(&table, "TRIGGER", "STATE", "LAG", "STARTED", "DEDUPLICATED", "DEAD-LETTERED",
			   "DETAIL", (char *)NULL);
	json_array_foreach (triggers, i, trigger) {
		const json_t *records = json_object_get(trigger, "records");
		char lag[24], started[24], deduplicated[24], dead[24];
		const char *detail = text_of(trigger, "detail");
		CLEANUP(free_p) char *shown = NULL;

		if (!detail)
			detail = text_of(json_object_get(trigger, "pause"), "reason");
		shown = detail ? shown_text(detail) : NULL;
		table_add(&table, text_of(trigger, "name"), text_of(trigger, "state"),
				  number(trigger, "lag", lag), number(records, "started", started),
				  number(records, "deduplicated", deduplicated),
				  number(records, "dead_lettered", dead), shown);
	}
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

int cmd_trigger_list(struct cli *cli)
{
	struct client_request request = {.method = "GET", .path = "/v1/triggers"};

	return client_show_list(cli, &request, "triggers", print_triggers);
}

static void print_line(const char *name, const char *text)
{
	CLEANUP(free_p) char *shown = text ? shown_text(text) : NULL;

	if (shown)
		printf("%-13s %s\n", name, shown);
}

static void print_partitions(const struct cli *cli, const json_t *partitions)
{
	struct table table;
	const json_t *at;
	size_t i;

	table_init(&table, "PARTITION", "COMMITTED", "END", "LAG", "IN-FLIGHT", "HERE", (char *)NULL);
	json_array_foreach (partitions, i, at) {
		char partition[24], committed[24], end[24], lag[24], in_flight[24];
		const char *here = json_is_true(json_object_get(at, "assigned")) ? "yes" : "no";

		table_add(&table, number(at, "partition", partition), number(at, "committed", committed),
				  number(at, "end", end), number(at, "lag", lag),
				  number(at, "in_flight", in_flight),
				  json_is_true(json_object_get(at, "paused")) ? "paused" : here);
	}
	putchar('\n');
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

static void print_trigger(const struct cli *cli, const json_t *trigger)
{
	static const char *const texts[] = {"name",  "state", "detail",           "cluster",
										"topic", "group", "dead_letter_topic"};
	static const char *const labels[] = {"trigger", "state", "detail",      "cluster",
										 "topic",   "group", "dead letters"};
	const json_t *records = json_object_get(trigger, "records"), *count,
				 *pause = json_object_get(trigger, "pause");
	const char *name;
	char text[24];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		print_line(labels[i], text_of(trigger, texts[i]));
	if (json_is_object(pause)) {
		print_line("paused by", text_of(pause, "by"));
		print_line("because", text_of(pause, "reason"));
	}
	print_line("version", number(trigger, "version", text));
	print_line("lag", number(trigger, "lag", text));
	json_object_foreach ((json_t *)records, name, count)
		print_line(name, number(records, name, text));
	print_line("retrying", number(trigger, "retrying", text));
	print_line("held", number(trigger, "held", text));
	print_partitions(cli, json_object_get(trigger, "partitions"));
	if (text_of(trigger, "brokers_error"))
		cli_note("the brokers do not answer, so only partitions of this node are shown: %s",
				 text_of(trigger, "brokers_error"));
}

int cmd_trigger_show(struct cli *cli)
{
	struct client_request request = {.method = "GET"};
	int r = trigger_path(&request, cli->args[0], "");

	return r ? r : client_show(cli, &request, print_trigger);
}

static void print_paused(const struct cli *cli, const json_t *trigger)
{
	printf("%s: %s\n", cli->args[0],
		   json_is_true(json_object_get(trigger, "paused")) ? "paused" : "not paused");
}

static int act(struct cli *cli, const char *suffix, json_t *body)
{
	struct client_request request = {.method = "POST"};
	int r = trigger_path(&request, cli->args[0], suffix);

	if (r) {
		json_decref(body);
		return r;
	}
	return client_say(cli, &request, body, print_paused);
}

int cmd_trigger_pause(struct cli *cli)
{
	return act(cli, "/pause", json_object());
}

int cmd_trigger_resume(struct cli *cli)
{
	return act(cli, "/resume", json_object());
}

int cmd_trigger_seek(struct cli *cli)
{
	const char *to = cli->args[1];
	json_t *body = json_object();
	int64_t partition = -1;
	char *end;
	long long offset = strtoll(to, &end, 10);
	int r = cli_option_int(cli, "partition", 0, INT32_MAX, &partition);

	if (r) {
		json_decref(body);
		return r;
	}
	json_object_set_new(body, "to", *to && !*end ? json_integer(offset) : json_string(to));
	if (partition >= 0)
		json_object_set_new(body, "partition", json_integer(partition));
	return act(cli, "/seek", body);
}
