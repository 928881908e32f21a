/* Writes the two graph languages side by side; what they share is the shape of the graph. */
#include "sagas/def_graph.h"

static void write_waits(const struct await_def *await, struct buf *out)
{
	for (size_t i = 0; i < await->n_waits; i++) {
		const struct wait_def *wait = &await->waits[i];

		buf_add_str(out, i ? " or " : "await ");
		switch (wait->kind) {
		case WAIT_SIGNAL:
			buf_printf(out, "signal %s", wait->signal);
			break;
		case WAIT_KAFKA:
			buf_add_str(out, wait->on.topic);
			break;
		case WAIT_WEBHOOK:
			buf_printf(out, "webhook %s", wait->on.topic);
			break;
		case WAIT_AFTER:
			buf_add_lit(out, "a time");
			break;
		}
	}
}

/* What stands in a node below the id; nothing in it needs escaping in either language. */
static void write_action(const struct action_def *act, struct buf *out)
{
	switch (act->kind) {
	case ACTION_HTTP:
		buf_printf(out, "%s %s", act->http.method, act->http.to);
		return;
	case ACTION_SET:
		buf_add_lit(out, "set");
		return;
	case ACTION_FAIL:
		buf_add_lit(out, "fail");
		return;
	case ACTION_AWAIT_AFTER:
		buf_add_lit(out, "await");
		return;
	case ACTION_COMMAND:
		buf_printf(out, "command %s", act->command.to);
		return;
	case ACTION_CHILD:
		if (act->child.block)
			buf_add_lit(out, "steps");
		else
			buf_printf(out, "saga %s", act->child.saga);
		return;
	case ACTION_EMIT:
		buf_printf(out, "emit %s", act->emit.topic);
		return;
	case ACTION_CONTINUE:
		buf_add_lit(out, "continue as new");
		return;
	case ACTION_LOCK:
		buf_add_lit(out, "lock");
		return;
	case ACTION_TASK:
		buf_printf(out, "task %s", act->task.queue);
		return;
	case ACTION_AWAIT_SIGNAL:
		buf_printf(out, "await signal %s", act->await_signal);
		return;
	case ACTION_APPROVAL:
		buf_add_lit(out, "approval");
		return;
	case ACTION_AWAIT_KAFKA:
		buf_printf(out, "await %s", act->await_kafka.topic);
		return;
	case ACTION_AWAIT:
		write_waits(&act->await, out);
		return;
	}
}

static void write_label(const struct step_def *step, const char *line_break, struct buf *out)
{
	buf_add_str(out, step->id);
	if (step->for_each)
		buf_add_lit(out, " (for each)");
	if (step->repeat_until)
		buf_add_lit(out, " (repeat)");
	if (step->act.when)
		buf_add_lit(out, " ?");
	buf_add_str(out, line_break);
	write_action(&step->act, out);
}

/* Whether another need comes after this one, so that the line would say nothing new. */
static bool implied(const struct saga_def *def, const struct step_def *step, int need)
{
	for (size_t i = 0; i < step->n_needs; i++) {
		if (step_def_has_ancestor(&def->steps[step->needs[i]], need))
			return true;
	}
	return false;
}

static void write_needs(const struct saga_def *def, const char *format, struct buf *out)
{
	for (int i = 0; i < def->n_listed; i++) {
		for (size_t k = 0; k < def->steps[i].n_needs; k++) {
			int need = def->steps[i].needs[k];

			if (implied(def, &def->steps[i], need))
				continue;
			buf_printf(out, "\tn%d", need);
			buf_add_str(out, format);
			buf_printf(out, "n%d\n", i);
		}
	}
}

static void write_mermaid(const struct saga_def *def, struct buf *out)
{
	buf_add_lit(out, "flowchart TD\n");
	for (int i = 0; i < def->n_listed; i++) {
		const struct step_def *step = &def->steps[i];

		if (i == def->carried)
			continue;
		if (i == def->n_forward)
			buf_add_lit(out, "\tsubgraph after [on compensated]\n");
		buf_printf(out, step->pivot ? "\tn%d{{\"" : "\tn%d[\"", i);
		write_label(step, "<br/>", out);
		buf_add_str(out, step->pivot ? "\"}}\n" : "\"]\n");
		if (step->undo_kind != UNDO_ACTION)
			continue;
		buf_printf(out, "\tu%d([\"undo<br/>", i);
		write_action(&step->undo, out);
		buf_printf(out, "\"])\n\tn%d -.- u%d\n", i, i);
	}
	if (def->n_forward < def->n_listed)
		buf_add_lit(out, "\tend\n");
	write_needs(def, " --> ", out);
}

static void write_dot(const struct saga_def *def, struct buf *out)
{
	buf_printf(out, "digraph \"%s\" {\n\tnode [shape=box];\n", def->name);
	for (int i = 0; i < def->n_listed; i++) {
		const struct step_def *step = &def->steps[i];

		if (i == def->carried)
			continue;
		if (i == def->n_forward)
			buf_add_lit(out, "\tsubgraph cluster_after {\n\tlabel=\"on compensated\";\n");
		buf_printf(out, "\tn%d [label=\"", i);
		write_label(step, "\\n", out);
		buf_add_str(out, step->pivot ? "\", shape=hexagon];\n" : "\"];\n");
		if (step->undo_kind != UNDO_ACTION)
			continue;
		buf_printf(out, "\tu%d [shape=oval, label=\"undo\\n", i);
		write_action(&step->undo, out);
		buf_printf(out, "\"];\n\tn%d -> u%d [style=dotted, dir=none];\n", i, i);
	}
	if (def->n_forward < def->n_listed)
		buf_add_lit(out, "\t}\n");
	write_needs(def, " -> ", out);
	buf_add_lit(out, "}\n");
}

int saga_def_graph(const struct saga_def *def, enum graph_format format, struct buf *out)
{
	switch (format) {
	case GRAPH_MERMAID:
		write_mermaid(def, out);
		break;
	case GRAPH_DOT:
		write_dot(def, out);
		break;
	}
	return buf_check(out, "the graph", NULL);
}
