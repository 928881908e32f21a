/* `skald node list`: who is there, and who has how many slots. */
#include <stdio.h>

#include "coordinator/cli/client.h"
#include "coordinator/cli/print.h"

static const char *state_of(const json_t *node)
{
	if (!json_is_true(json_object_get(node, "alive")))
		return "dead";
	return json_is_true(json_object_get(node, "draining")) ? "draining" : "alive";
}

static void print_nodes(const struct cli *cli, const json_t *reply)
{
	const json_t *nodes = json_object_get(reply, "nodes"), *node;
	int64_t unowned = int_of(reply, "slots_unowned", 0);
	struct table table;
	size_t i;

	table_init(&table, "ID", "ADDRESS", "STATE", "SLOTS", "VERSION", "STARTED", "RENEWED",
			   (char *)NULL);
	json_array_foreach (nodes, i, node) {
		char slots[24];

		snprintf(slots, sizeof(slots), "%lld", (long long)int_of(node, "slots", 0));
		table_add(&table, text_of(node, "id"), text_of(node, "address"), state_of(node), slots,
				  text_of(node, "version"), text_of(node, "started_at"),
				  text_of(node, "renewed_at"));
	}
	if (json_array_size(nodes) > 0)
		table_print(&table, cli->color, stdout);
	else
		cli_note("the store is of one process: its one node owns all %lld slots",
				 (long long)int_of(reply, "slots", 0));
	if (unowned > 0)
		cli_note("%lld slots have no owner now", (long long)unowned);
	table_release(&table);
}

int cmd_node_list(struct cli *cli)
{
	struct client_request request = {.method = "GET"};
	struct client_reply reply;
	struct client client;
	int r = client_open(cli, &client);

	if (r)
		return r;
	client_path(&request, "/v1/nodes%s", "");
	r = client_call(&client, &request, &reply);
	client_close(&client);
	if (r)
		return r;
	if (cli->format == FORMAT_TABLE)
		print_nodes(cli, reply.json);
	else if (cli->format == FORMAT_JSONL)
		print_list(cli, json_object_get(reply.json, "nodes"));
	else
		print_value(cli, reply.json);
	client_reply_release(&reply);
	return CLI_OK;
}
