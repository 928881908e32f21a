#include "coordinator/cli/act_body.h"

#include <string.h>

#include "coordinator/cli/print.h"
#include "sagas/json_text.h"

enum { BODY_SHOWN = 60 };

static void body_name(struct buf *out, const char *name)
{
	if (out->len > 1)
		buf_add_char(out, ',');
	json_write_string(name, strlen(name), out);
	buf_add_char(out, ':');
}

void body_text(struct buf *out, const char *name, const char *text)
{
	body_name(out, name);
	json_write_string(text, strlen(text), out);
}

void body_json(struct buf *out, const char *name, const char *json)
{
	body_name(out, name);
	buf_add_str(out, json);
}

const char *act_by(const struct cli *cli)
{
	const char *by = cli_option(cli, "by");

	if (!by)
		by = getenv("USER");
	return by && *by ? by : "command line";
}

/* "a,b" as a list. */
static void add_groups(struct buf *out, const char *text)
{
	CLEANUP(buf_release) struct buf list;

	buf_init(&list, 0);
	buf_add_char(&list, '[');
	while (*text) {
		size_t len = strcspn(text, ",");

		if (list.len > 1)
			buf_add_char(&list, ',');
		json_write_string(text, len, &list);
		text += len;
		text += *text == ',';
	}
	buf_add_char(&list, ']');
	body_json(out, "groups", buf_str(&list));
}

int act_members(const struct cli *cli, struct buf *out)
{
	static const char *const texts[] = {"reason", "id",    "code",    "message",
										"from",   "owner", "outcome", "signal"};
	static const char *const values[] = {"output", "reply", "request", "value", "data"};
	static const char *const numbers[] = {"item", "to", "version"};
	const bool own_output = !cli->command->output;

	body_text(out, "by", act_by(cli));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (cli_option(cli, texts[i]))
			body_text(out, texts[i], cli_option(cli, texts[i]));
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const char *given = cli_option(cli, values[i]);
		CLEANUP(free_p) char *json = NULL;
		size_t len;

		/* Elsewhere --output is the form of the data. */
		if (!given || (i == 0 && !own_output))
			continue;
		if (client_read_argument(given, &json, &len)) {
			cli_note("It was given as --%s.", values[i]);
			return CLI_USAGE;
		}
		body_json(out, values[i], json);
	}
	if (cli_option(cli, "groups"))
		add_groups(out, cli_option(cli, "groups"));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int64_t n = -1;
		char text[32];
		int r = cli_option_int(cli, numbers[i], 0, INT32_MAX, &n);

		if (r)
			return r;
		if (n < 0)
			continue;
		snprintf(text, sizeof(text), "%lld", (long long)n);
		body_json(out, numbers[i], text);
	}
	return 0;
}

/* "charge", "reserve[2]"; the caller's. */
static char *action_name(const json_t *call)
{
	int64_t item = int_of(call, "item", -1);
	const char *step = text_of(call, "step");

	return item < 0 ? xstrdup(step) : xasprintf("%s[%lld]", step, (long long)item);
}

/* "PUT /reservations/1", "type to topic"; the caller's. */
static char *what_is_sent(const json_t *call)
{
	const char *type = text_of(call, "type"), *topic = text_of(call, "topic");

	if (text_of(call, "method"))
		return xasprintf("%s %s", text_of(call, "method"), text_of(call, "path"));
	if (topic)
		return xasprintf("%s to topic %s", type ? type : "record", topic);
	return xstrdup(type ? type : "-");
}

static char *shown_body(const json_t *call)
{
	const json_t *body = json_object_get(call, "body");
	struct buf text;

	if (!body)
		return NULL;
	buf_init(&text, 0);
	json_write(body, &text);
	if (text.len > BODY_SHOWN) {
		buf_truncate(&text, BODY_SHOWN - 3);
		buf_add_lit(&text, "...");
	}
	return buf_take(&text, NULL);
}

static void add_calls(struct table *table, const json_t *calls, const char *when)
{
	json_t *call;
	size_t i;

	json_array_foreach ((json_t *)calls, i, call) {
		CLEANUP(free_p) char *name = action_name(call);
		CLEANUP(free_p) char *sent = what_is_sent(call);
		CLEANUP(free_p) char *body = shown_body(call);
		char attempt[24];

		snprintf(attempt, sizeof(attempt), "%lld", (long long)int_of(call, "attempt", 0));
		table_add(table, when, name, text_of(call, "kind"), attempt, text_of(call, "to"), sent,
				  text_of(call, "key"), body);
	}
}

void act_print_calls(const json_t *dry_run, bool color, FILE *out)
{
	const json_t *calls = json_object_get(dry_run, "calls");
	struct table table;

	table_init(&table, "WHEN", "STEP", "KIND", "ATTEMPT", "TO", "CALL", "KEY", "BODY",
			   (char *)NULL);
	add_calls(&table, json_object_get(dry_run, "in_flight"), "is out");
	add_calls(&table, calls, "would be sent");
	add_calls(&table, json_object_get(dry_run, "calls_at_resume"), "when it is resumed");
	table_print(&table, color, out);
	table_release(&table);
}
