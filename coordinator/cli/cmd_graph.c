/* `skald def graph`: the steps of a definition and what they wait for, as text, Mermaid or DOT. */
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/def_file.h"
#include "coordinator/cli/print.h"
#include "sagas/json_text.h"

static const char *action_text(const struct step_def *step)
{
	switch (step->act.kind) {
	case ACTION_HTTP:
		return step->act.http.to;
	case ACTION_SET:
		return "set";
	case ACTION_FAIL:
		return "fail";
	case ACTION_AWAIT_AFTER:
		return "wait";
	case ACTION_COMMAND:
		return step->act.command.to;
	case ACTION_EMIT:
		return "emit";
	case ACTION_CONTINUE:
		return "continue as new";
	case ACTION_LOCK:
		return "lock";
	case ACTION_TASK:
		return step->act.task.queue;
	case ACTION_CHILD:
		return step->act.child.saga;
	case ACTION_AWAIT_SIGNAL:
		return step->act.await_signal;
	case ACTION_APPROVAL:
		return "approval";
	case ACTION_AWAIT_KAFKA:
		return step->act.await_kafka.topic;
	case ACTION_AWAIT:
		return step->act.await.list ? "first of several" : step->act.await.waits[0].on.topic;
	}
	return "";
}

static const char *undo_text(const struct step_def *step)
{
	switch (step->undo_kind) {
	case UNDO_NOT_NEEDED:
		return NULL;
	case UNDO_NONE:
		return "none";
	case UNDO_ACTION:
		if (step->undo.kind == ACTION_COMMAND)
			return step->undo.command.to;
		return step->undo.kind == ACTION_HTTP ? step->undo.http.to : "yes";
	}
	return NULL;
}

/* "for each, when, pivot": what is special about it; the caller's. */
static char *notes(const struct step_def *step)
{
	return xasprintf("%s%s%s%s%s", step->pivot ? "pivot, the point of no return; " : "",
					 step->act.when ? "only when; " : "", step->for_each ? "for each; " : "",
					 step->repeat_until ? "repeated; " : "", step->tolerate ? "may fail; " : "");
}

static char *needs_text(const struct saga_def *def, const struct step_def *step)
{
	char *text = xstrdup("");

	for (size_t i = 0; i < step->n_needs; i++) {
		CLEANUP(free_p) char *before = text;

		text = xasprintf("%s%s%s", before, i ? ", " : "", def->steps[step->needs[i]].id);
	}
	return text;
}

static void graph_text(const struct cli *cli, const struct saga_def *def)
{
	struct table table;

	table_init(&table, "STEP", "CALLS", "UNDO", "AFTER", "NOTES", (char *)NULL);
	for (int i = 0; i < def->n_listed; i += 1 + (i + 1 == def->carried)) {
		const struct step_def *step = &def->steps[i];
		CLEANUP(free_p) char *needs = needs_text(def, step);
		CLEANUP(free_p) char *note = notes(step);
		CLEANUP(free_p)
		char *name =
			i < def->n_forward ? xstrdup(step->id) : xasprintf("(compensated) %s", step->id);
		size_t len = strlen(note);

		if (len >= 2)
			note[len - 2] = '\0';
		table_add(&table, name, action_text(step), undo_text(step), needs, note);
	}
	table_print(&table, cli->color, stdout);
	table_release(&table);
}

static void graph_mermaid(const struct saga_def *def)
{
	puts("flowchart TD");
	for (int i = 0; i < def->n_listed; i += 1 + (i + 1 == def->carried)) {
		const struct step_def *step = &def->steps[i];
		const char *undo = undo_text(step);

		printf("  s%d%s%s<br>%s%s", i, step->pivot ? "{{\"" : "[\"", step->id, action_text(step),
			   step->for_each ? " × n" : "");
		if (undo)
			printf("<br>undo: %s", undo);
		puts(step->pivot ? "\"}}" : "\"]");
		for (size_t n = 0; n < step->n_needs; n++)
			printf("  s%d --> s%d\n", step->needs[n], i);
	}
	if (def->n_listed > def->n_forward)
		printf("  undone([\"compensated\"]) -.-> s%d\n", def->n_forward);
}

static void graph_dot(const struct saga_def *def)
{
	printf("digraph \"%s\" {\n  node [shape=box];\n", def->name);
	for (int i = 0; i < def->n_listed; i += 1 + (i + 1 == def->carried)) {
		const struct step_def *step = &def->steps[i];
		const char *undo = undo_text(step);

		printf("  \"%s\" [label=\"%s\\n%s%s%s\"%s%s];\n", step->id, step->id, action_text(step),
			   undo ? "\\nundo: " : "", undo ? undo : "", step->pivot ? ", shape=hexagon" : "",
			   i >= def->n_forward ? ", style=dashed" : "");
		for (size_t n = 0; n < step->n_needs; n++)
			printf("  \"%s\" -> \"%s\";\n", def->steps[step->needs[n]].id, step->id);
	}
	puts("}");
}

static json_t *graph_json(const struct saga_def *def)
{
	json_t *steps = json_array();

	for (int i = 0; i < def->n_listed; i += 1 + (i + 1 == def->carried)) {
		const struct step_def *step = &def->steps[i];
		json_t *needs = json_array();

		for (size_t n = 0; n < step->n_needs; n++)
			json_array_append_new(needs, json_string(def->steps[step->needs[n]].id));
		json_array_append_new(steps, json_pack("{s:s, s:s, s:s?, s:o, s:b, s:b, s:b}", "id",
											   step->id, "calls", action_text(step), "undo",
											   undo_text(step), "needs", needs, "pivot",
											   step->pivot, "for_each", step->for_each != NULL,
											   "on_compensated", i >= def->n_forward));
	}
	return json_pack("{s:s, s:o}", "saga", def->name, "steps", steps);
}

int cmd_def_graph(struct cli *cli)
{
	const char *format = cli_option(cli, "format");
	struct def_file file;
	struct err err = {0};
	int r = CLI_OK;

	if (def_file_read(&file, cli->args[0], &err) < 0) {
		def_file_release(&file);
		return cli_fail_err(&err);
	}
	if (!file.def) {
		findings_print(file.path, &file.findings, stderr);
		r = CLI_FAILED;
	} else if (cli->format != FORMAT_TABLE) {
		CLEANUP(json_decref_p) json_t *json = graph_json(file.def);

		print_value(cli, json);
	} else if (!format || strcmp(format, "text") == 0) {
		graph_text(cli, file.def);
	} else if (strcmp(format, "mermaid") == 0) {
		graph_mermaid(file.def);
	} else if (strcmp(format, "dot") == 0) {
		graph_dot(file.def);
	} else {
		r = cli_fail(CLI_USAGE, "--format is text, mermaid or dot, not `%s`", format);
	}
	def_file_release(&file);
	return r;
}
