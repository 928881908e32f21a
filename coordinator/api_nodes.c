/* GET /v1/nodes: who is there and who has how many slots; and the poke of one node by another. */
#include "coordinator/json_row.h"
#include "coordinator/routes.h"
#include "coordinator/server_priv.h"
#include "sagas/json_member.h"

static void add_node(const struct node_row *node, bool self, struct buf *out)
{
	buf_add_char(out, '{');
	json_member_text(out, "id", node->id);
	json_member_text(out, "address", node->address);
	json_member_text(out, "version", node->version);
	json_member_time(out, "started_at", node->started_at);
	json_member_time(out, "renewed_at", node->renewed_at);
	buf_printf(out, ",\"alive\":%s,\"draining\":%s,\"self\":%s,\"slots\":%d}",
			   node->alive ? "true" : "false", node->draining ? "true" : "false",
			   self ? "true" : "false", node->n_slots);
}

/* Thread: read pool. */
static void read_nodes(struct exchange *ex, struct store_reader *reader)
{
	const struct store_ops *ops = reader->store->ops;
	int slots = ops->slot_count(reader->store), unowned = slots;
	struct membership membership = {0};
	struct err err;

	if (ops->nodes && ops->nodes(reader, &membership, &err) < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	buf_add_lit(&ex->out, "{\"nodes\":[");
	for (size_t i = 0; i < membership.n_nodes; i++) {
		if (i > 0)
			buf_add_char(&ex->out, ',');
		add_node(&membership.nodes[i], (int)i == membership.self, &ex->out);
		unowned -= membership.nodes[i].n_slots;
	}
	/* A store of one process has one node, which owns all and needs no row for it. */
	buf_printf(&ex->out, "],\"slots\":%d,\"slots_unowned\":%d}", slots, ops->nodes ? unowned : 0);
	membership_release(&membership);
	exchange_answer(ex, 200);
}

void api_list_nodes(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, read_nodes);
}

/* Whoever pokes can only make this node look a little earlier than it would anyway. */
void api_poke_node(struct exchange *ex)
{
	static const char *const known[] = {"tasks"};
	bool tasks = false;

	if (!exchange_arg_bool(ex, "tasks", &tasks) || !exchange_args_done(ex, known, 1))
		return;
	if (tasks) {
		tasks_look(ex->node->tasks);
	} else {
		if (ex->node->member)
			member_poke(ex->node->member);
		engine_poke(ex->node->engine);
	}
	buf_add_lit(&ex->out, "{\"status\":\"ok\"}");
	exchange_answer(ex, 200);
}
