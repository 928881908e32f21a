/* `skald saga children`: a saga's children, and theirs, as a tree. */
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/cmd_saga.h"
#include "coordinator/cli/print.h"
#include "sagas/base/buf.h"

enum { DEPTH_MAX = 16, SHOWN_MAX = 1000 };

struct tree {
	struct cli *cli;
	struct client *client;
	struct table table;
	json_t *all;
	int shown;
};

static int add_children(struct tree *tree, const char *id, int depth);

static int add_child(struct tree *tree, json_t *child, int depth)
{
	CLEANUP(free_p) char *step = NULL, *name = NULL;
	const char *id = text_of(child, "id");
	const json_t *item = json_object_get(child, "item");
	bool held = json_is_true(json_object_get(child, "held"));
	char index[24] = "";

	if (json_is_integer(item))
		snprintf(index, sizeof(index), "[%lld]", (long long)json_integer_value(item));
	step = xasprintf("%*s%s%s%s", 2 * depth, "", text_of(child, "step"), index,
					 strcmp(text_of(child, "side"), "undo") == 0 ? " (undo)" : "");
	name = xstrdup(text_of(child, "saga"));
	table_add(&tree->table, step, id, name, held ? "held" : text_of(child, "status"),
			  text_of(child, "attention"));
	json_object_set_new(child, "depth", json_integer(depth));
	json_array_append(tree->all, child);
	return ++tree->shown < SHOWN_MAX && depth + 1 < DEPTH_MAX ? add_children(tree, id, depth + 1)
															  : 0;
}

static int add_children(struct tree *tree, const char *id, int depth)
{
	CLEANUP(free_p) char *escaped = http_sync_escape(id);
	CLEANUP(free_p) char *after = xstrdup("");
	int r = 0;

	while (r == 0 && after && tree->shown < SHOWN_MAX) {
		struct client_request request = {.method = "GET"};
		struct client_reply reply;
		json_t *child;
		size_t i;

		snprintf(request.path, sizeof(request.path), "/v1/sagas/%.200s/children?limit=100%s%.200s",
				 escaped, *after ? "&cursor=" : "", after);
		r = client_call(tree->client, &request, &reply);
		if (r)
			return r;
		json_array_foreach (json_object_get(reply.json, "children"), i, child) {
			r = add_child(tree, child, depth);
			if (r || tree->shown >= SHOWN_MAX)
				break;
		}
		free(after);
		after = text_of(reply.json, "next") ? http_sync_escape(text_of(reply.json, "next")) : NULL;
		client_reply_release(&reply);
	}
	return r;
}

static int read_tree(struct cli *cli, struct client *client, const char *id, struct tree *tree)
{
	*tree = (struct tree){.cli = cli, .client = client, .all = json_array()};
	table_init(&tree->table, "STEP", "ID", "SAGA", "STATUS", "ATTENTION", (char *)NULL);
	return add_children(tree, id, 0);
}

static void tree_release(struct tree *tree)
{
	if (tree->shown >= SHOWN_MAX)
		cli_note("only the first %d are shown", SHOWN_MAX);
	table_release(&tree->table);
	json_decref(tree->all);
}

int saga_children_show(struct cli *cli, struct client *client, const char *id)
{
	struct tree tree;
	int r = read_tree(cli, client, id, &tree);

	if (!r && tree.shown > 0) {
		fputs("\nchildren\n", stdout);
		table_print(&tree.table, cli->color, stdout);
	}
	tree_release(&tree);
	return r;
}

int cmd_saga_children(struct cli *cli)
{
	struct client client;
	struct tree tree;
	int r = client_open(cli, &client);

	if (r)
		return r;
	r = read_tree(cli, &client, cli->args[0], &tree);
	if (!r && cli->format == FORMAT_TABLE)
		table_print(&tree.table, cli->color, stdout);
	else if (!r)
		print_list(cli, tree.all);
	tree_release(&tree);
	client_close(&client);
	return r;
}
