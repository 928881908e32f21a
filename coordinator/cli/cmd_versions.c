/* `skald def canary` and its like: which versions of a definition start sagas, and what differs
 * between two. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/client_show.h"
#include "coordinator/cli/print.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

/* An argument as a number; 0 or an exit code. */
static int read_number(const struct cli *cli, int at, const char *what, long long min,
					   long long max, long long *ret)
{
	char *end;

	*ret = strtoll(cli->args[at], &end, 10);
	if (!*cli->args[at] || *end || *ret < min || *ret > max)
		return cli_fail(CLI_USAGE, "%s is a number from %lld to %lld, not %s", what, min, max,
						cli->args[at]);
	return 0;
}

static void print_routing(UNUSED const struct cli *cli, const json_t *routing)
{
	const json_t *canary = json_object_get(routing, "canary");
	const char *reason = text_of(routing, "pause_reason");
	CLEANUP(free_p) char *shown = reason ? shown_text(reason) : NULL;

	printf("%s: version %lld", text_of(routing, "name"), (long long)int_of(routing, "current", 0));
	if (json_is_object(canary))
		printf(", and %lld for %lld%% of the sagas", (long long)int_of(canary, "version", 0),
			   (long long)int_of(canary, "percent", 0));
	if (json_is_true(json_object_get(routing, "paused")))
		printf("; paused%s%s", shown ? ": " : "", shown ? shown : "");
	putchar('\n');
}

static int act(struct cli *cli, const char *path, json_t *body)
{
	struct client_request request = {.method = "POST"};

	client_path(&request, path, cli->args[0]);
	return client_say(cli, &request, body, print_routing);
}

/* With the version that may be said at this place. */
static int act_on_version(struct cli *cli, const char *path, int at, json_t *body)
{
	long long version = 0;
	int r = cli->n_args > at ? read_number(cli, at, "a version", 1, INT32_MAX, &version) : 0;

	if (r) {
		json_decref(body);
		return r;
	}
	if (version)
		json_object_set_new(body, "version", json_integer(version));
	return act(cli, path, body);
}

int cmd_def_canary(struct cli *cli)
{
	long long percent;
	int r = read_number(cli, 1, "a share", 0, 100, &percent);

	return r ? r
			 : act_on_version(cli, "/v1/definitions/%s/canary", 2,
							  json_pack("{s:I}", "percent", (json_int_t)percent));
}

int cmd_def_promote(struct cli *cli)
{
	return act_on_version(cli, "/v1/definitions/%s/promote", 1, json_object());
}

int cmd_def_rollback(struct cli *cli)
{
	return act_on_version(cli, "/v1/definitions/%s/rollback", 1, json_object());
}

int cmd_def_pause(struct cli *cli)
{
	return act(cli, "/v1/definitions/%s/pause", json_object());
}

int cmd_def_resume(struct cli *cli)
{
	return act(cli, "/v1/definitions/%s/resume", json_object());
}

int cmd_def_show(struct cli *cli)
{
	struct client_request request = {.method = "GET"};

	client_path(&request, "/v1/definitions/%s", cli->args[0]);
	return client_show(cli, &request, print_routing);
}

static void print_lines(const char *text)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");
		CLEANUP(free_p) char *line = xstrndup(text, len);
		CLEANUP(free_p) char *shown = shown_text(line);

		printf("%s\n", shown);
		text += len + (text[len] == '\n');
	}
}

static void print_diff(const struct cli *cli, const json_t *diff)
{
	printf("%s: from version %lld to version %lld%s\n", cli->args[0],
		   (long long)int_of(diff, "from", 0), (long long)int_of(diff, "to", 0),
		   json_is_true(json_object_get(diff, "same")) ? ": the same" : "");
	print_lines(text_of(diff, "text"));
}

int cmd_def_diff(struct cli *cli)
{
	static const char *const names[] = {"from", "to"};
	struct client_request request = {.method = "GET"};
	long long version;
	int r = 0;

	client_path(&request, "/v1/definitions/%s/diff", cli->args[0]);
	for (int i = 1; !r && i < cli->n_args; i++) {
		r = read_number(cli, i, "a version", 1, INT32_MAX, &version);
		if (!r)
			r = client_query(&request, names[i - 1], cli->args[i]);
	}
	return r ? r : client_show(cli, &request, print_diff);
}
