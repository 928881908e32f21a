/*
 * What most commands are made of: one request, and its answer shown. Tables are the command's own;
 * the other formats show what the server said.
 */
#include "coordinator/cli/client_show.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/cli/act_body.h"
#include "coordinator/cli/print.h"
#include "sagas/json_text.h"

enum { PAGE = 200, LIMIT = 50 };

int client_pair_path(struct client_request *request, const char *collection, const char *a,
					 const char *b, const char *suffix)
{
	CLEANUP(free_p) char *first = http_sync_escape(a), *second = http_sync_escape(b);
	int n = snprintf(request->path, sizeof(request->path), "/v1/%s/%s/%s%s", collection, first,
					 second, suffix);

	if (n < 0 || (size_t)n >= sizeof(request->path))
		return cli_fail(CLI_USAGE, "there is nothing in %s with so long a name", collection);
	return 0;
}

int client_named_path(struct client_request *request, const char *collection, const char *name,
					  const char *suffix, const char *usage)
{
	const char *slash = strchr(name, '/');
	CLEANUP(free_p) char *first = NULL;

	if (!slash || slash == name || !slash[1])
		return cli_fail(CLI_USAGE, "%s", usage);
	first = xstrndup(name, (size_t)(slash - name));
	return client_pair_path(request, collection, first, slash + 1, suffix);
}

int client_query(struct client_request *request, const char *name, const char *value)
{
	CLEANUP(free_p) char *escaped = value ? http_sync_escape(value) : NULL;
	size_t len = strlen(request->path);
	int n;

	if (!escaped)
		return 0;
	n = snprintf(request->path + len, sizeof(request->path) - len, "%c%s=%s",
				 strchr(request->path, '?') ? '&' : '?', name, escaped);
	if (n < 0 || (size_t)n >= sizeof(request->path) - len)
		return cli_fail(CLI_USAGE, "the filters are too long");
	return 0;
}

int client_show(const struct cli *cli, struct client_request *request, client_table *table)
{
	struct client_reply reply;
	int r = client_ask(cli, request, &reply);

	if (r)
		return r;
	if (cli->format == FORMAT_TABLE)
		table(cli, reply.json);
	else
		print_value(cli, reply.json);
	client_reply_release(&reply);
	return CLI_OK;
}

int client_show_list(const struct cli *cli, struct client_request *request, const char *member,
					 client_table *table)
{
	struct client_reply reply;
	const json_t *list;
	int r = client_ask(cli, request, &reply);

	if (r)
		return r;
	list = json_object_get(reply.json, member);
	if (cli->format == FORMAT_TABLE)
		table(cli, list);
	else
		print_list(cli, list);
	client_reply_release(&reply);
	return CLI_OK;
}

static void add_said(const struct cli *cli, json_t *body)
{
	const char *reason = cli_option(cli, "reason");

	json_object_set_new(body, "by", json_string(act_by(cli)));
	if (reason)
		json_object_set_new(body, "reason", json_string(reason));
}

json_t *client_said(const struct cli *cli)
{
	json_t *body = json_object();

	add_said(cli, body);
	return body;
}

int client_say(const struct cli *cli, struct client_request *request, json_t *body,
			   client_table *table)
{
	CLEANUP(json_decref_p) json_t *owned = body;
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	add_said(cli, body);
	json_write(body, &text);
	request->body = text.data;
	request->body_len = text.len;
	return client_show(cli, request, table);
}

/* The next page after *after, which is then the next one's place; NULL when this was the last. */
static int add_page(struct client *client, const struct client_request *first, const char *member,
					int64_t limit, char **after, json_t *all)
{
	struct client_request request = *first;
	struct client_reply reply;
	const char *next;
	char text[24];
	int r;

	snprintf(text, sizeof(text), "%lld", (long long)limit);
	r = client_query(&request, "limit", text);
	if (!r)
		r = client_query(&request, "cursor", *after);
	if (!r)
		r = client_call(client, &request, &reply);
	if (r)
		return r;
	json_array_extend(all, json_object_get(reply.json, member));
	next = text_of(reply.json, "next");
	free(*after);
	*after = next ? xstrdup(next) : NULL;
	client_reply_release(&reply);
	return 0;
}

static int add_pages(const struct cli *cli, const struct client_request *request,
					 const char *member, int64_t most, json_t *all)
{
	CLEANUP(free_p) char *after = NULL;
	struct client client;
	int r = client_open(cli, &client);

	if (r)
		return r;
	do {
		int64_t left = most - (int64_t)json_array_size(all);

		r = add_page(&client, request, member, left < PAGE ? left : PAGE, &after, all);
	} while (!r && after && (int64_t)json_array_size(all) < most);
	client_close(&client);
	return r;
}

int client_show_pages(const struct cli *cli, const struct client_request *request,
					  const char *member, client_table *table)
{
	CLEANUP(json_decref_p) json_t *all = json_array();
	int64_t most = LIMIT;
	int r = cli_option_int(cli, "limit", 1, INT32_MAX, &most);

	if (!r)
		r = add_pages(cli, request, member, cli_option(cli, "all") ? INT64_MAX : most, all);
	if (r)
		return r;
	if (cli->format == FORMAT_TABLE)
		table(cli, all);
	else
		print_list(cli, all);
	return CLI_OK;
}
