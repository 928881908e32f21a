/* `skald def`: definitions are checked here, with the loader that the server uses, and sent there.
 */
#include <string.h>

#include "connectors/yaml.h"
#include "coordinator/cli/cli.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/def_file.h"
#include "coordinator/cli/print.h"
#include "coordinator/zones.h"
#include "sagas/def_children.h"
#include "sagas/json_text.h"

static const char *level_text(enum finding_level level)
{
	switch (level) {
	case FINDING_ERROR:
		return "error";
	case FINDING_NOT_BUILT:
		return "not built";
	case FINDING_WARNING:
		return "warning";
	}
	return "";
}

void findings_print(const char *file, const struct findings *findings, FILE *out)
{
	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *f = &findings->list[i];

		if (f->line > 0)
			fprintf(out, "%s:%d: %s: %s", file, f->line, level_text(f->level), f->text);
		else
			fprintf(out, "%s: %s: %s", file, level_text(f->level), f->text);
		if (*f->pointer)
			fprintf(out, " (at %s)", f->pointer);
		fputc('\n', out);
	}
	if (findings->truncated)
		fprintf(out, "%s: more findings are not shown\n", file);
}

void def_file_init(struct def_file *file, const char *path)
{
	*file = (struct def_file){.path = strcmp(path, "-") == 0 ? "<stdin>" : path};
}

void def_file_release(struct def_file *file)
{
	free(file->text);
	saga_def_unref(file->def);
	json_decref(file->doc);
	findings_release(&file->findings);
}

int def_file_read(struct def_file *file, const char *path, struct err *err)
{
	def_file_init(file, path);
	int r = client_read_file(path, DEF_MAX_BYTES, &file->text, &file->len, err);

	if (r < 0)
		return r;
	def_text_load(path, file->text, file->len, &file->doc, &file->def, &file->findings);
	return 0;
}

void def_text_load(const char *path, const char *text, size_t len, json_t **ret_doc,
				   struct saga_def **ret_def, struct findings *findings)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();

	if (definition_read(path, text, len, ret_doc, places, findings) < 0)
		return;
	/* What is wrong stands in the findings. */
	if (saga_def_load(*ret_doc, places, ret_def, findings) < 0)
		return;
	zones_check(*ret_def, places, findings);
}

static json_t *findings_json(const char *path, const struct findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *f = &findings->list[i];
		const char *level = f->level == FINDING_NOT_BUILT ? "not_built" : level_text(f->level);

		json_array_append_new(list,
							  json_pack("{s:s, s:i, s:s, s:s, s:s}", "file", path, "line", f->line,
										"level", level, "pointer", f->pointer, "text", f->text));
	}
	return list;
}

/* The files of one call: what is known of the sagas that others start. */
struct def_files {
	struct def_file *list;
	int n;
};

static bool has_pivot(void *ctx, const char *saga)
{
	const struct def_files *files = ctx;

	for (int i = 0; i < files->n; i++) {
		const struct saga_def *def = files->list[i].def;

		if (def && strcmp(def->name, saga) == 0)
			return def->pivot >= 0;
	}
	return false;
}

static void check_children(const struct def_files *files, struct def_file *file)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct findings known = {0};

	if (file->def && definition_read(file->path, file->text, file->len, &doc, places, &known) == 0)
		def_children_check(file->def, has_pivot, (void *)files, places, &file->findings);
	findings_release(&known);
}

static void print_checked(const struct cli *cli, const struct def_file *file, json_t *all)
{
	json_t *some;

	if (cli->format == FORMAT_TABLE) {
		findings_print(file->path, &file->findings, stdout);
		if (file->def && file->findings.n_errors == 0)
			printf("%s: ok: saga %s, %d steps\n", file->path, file->def->name,
				   file->def->n_forward - (file->def->carried >= 0));
		return;
	}
	some = findings_json(file->path, &file->findings);
	json_array_extend(all, some);
	json_decref(some);
}

static int check_files(struct cli *cli, bool warnings_count)
{
	CLEANUP(json_decref_p) json_t *all = json_array();
	struct def_files files = {.n = cli->n_args};
	size_t bad = 0;
	int exit = CLI_OK;

	files.list = xcalloc((size_t)files.n, sizeof(*files.list));
	for (int i = 0; i < files.n; i++) {
		struct err err = {0};

		if (def_file_read(&files.list[i], cli->args[i], &err) < 0)
			exit = cli_fail_err(&err);
	}
	for (int i = 0; i < files.n; i++) {
		struct def_file *file = &files.list[i];

		check_children(&files, file);
		if (file->text)
			print_checked(cli, file, all);
		if (!file->def || file->findings.n_errors > 0 || (warnings_count && file->findings.n > 0))
			bad++;
	}
	for (int i = 0; i < files.n; i++)
		def_file_release(&files.list[i]);
	free(files.list);
	if (cli->format != FORMAT_TABLE)
		print_list(cli, all);
	if (exit == CLI_OK && bad > 0)
		exit = CLI_FAILED;
	return exit;
}

int cmd_def_validate(struct cli *cli)
{
	return check_files(cli, false);
}

int cmd_def_lint(struct cli *cli)
{
	return check_files(cli, true);
}

/* ---- deploy ---- */

/* What was found here is said already. */
static bool is_found_here(const struct def_file *file, const json_t *finding)
{
	for (size_t i = 0; i < file->findings.n; i++)
		if (strcmp(file->findings.list[i].text, text_of(finding, "text")) == 0 &&
			strcmp(file->findings.list[i].pointer, text_of(finding, "pointer")) == 0)
			return true;
	return false;
}

/* What only the server can find, which knows what else is deployed. Returns how many those are. */
static size_t print_found_there(const struct def_file *file, const json_t *answer, FILE *out)
{
	struct findings findings = {0};
	const json_t *at;
	size_t i, n;

	json_array_foreach (json_object_get(answer, "findings"), i, at) {
		const char *level = text_of(at, "level");

		if (text_of(at, "text") && text_of(at, "pointer") && !is_found_here(file, at))
			findings_add(&findings,
						 level && strcmp(level, "warning") == 0     ? FINDING_WARNING
						 : level && strcmp(level, "not_built") == 0 ? FINDING_NOT_BUILT
																	: FINDING_ERROR,
						 (int)int_of(at, "line", 0), text_of(at, "pointer"), "%s",
						 text_of(at, "text"));
	}
	n = findings.n;
	if (out)
		findings_print(file->path, &findings, out);
	findings_release(&findings);
	return n;
}

/* All are deployed: what is still to be said of this one? Whichever order they came in. */
static int look_again(struct client *client, const struct def_file *file)
{
	struct client_request request = {.method = "POST",
									 .body = file->text,
									 .body_len = file->len,
									 .content_type = "application/yaml"};
	struct client_reply reply;
	int r;

	client_path(&request, "/v1/definitions/validate", "");
	r = client_call(client, &request, &reply);
	if (r)
		return r;
	print_found_there(file, reply.json, stderr);
	client_reply_release(&reply);
	return 0;
}

/* *ret_again: what the server found may be settled by what is deployed after it. */
static int deploy_one(struct cli *cli, struct client *client, const struct def_file *file,
					  json_t *answers, bool *ret_again)
{
	struct client_request request = {.method = "PUT",
									 .body = file->text,
									 .body_len = file->len,
									 .content_type = "application/yaml"};
	struct client_reply reply;
	bool dry_run = cli_option(cli, "dry-run") != NULL, valid;
	int64_t canary = -1;
	char percent[24];
	int r = cli_option_int(cli, "canary", 0, 100, &canary);

	if (r)
		return r;
	snprintf(percent, sizeof(percent), "%lld", (long long)canary);
	if (dry_run) {
		request.method = "POST";
		client_path(&request, "/v1/definitions/validate", "");
	} else {
		client_path(&request, "/v1/definitions/%s", file->def->name);
		if (canary >= 0)
			snprintf(request.path + strlen(request.path),
					 sizeof(request.path) - strlen(request.path), "?canary=%s", percent);
	}
	r = client_call(client, &request, &reply);
	if (r)
		return r;
	valid = !json_is_false(json_object_get(reply.json, "valid"));
	if (dry_run || cli->n_args == 1)
		print_found_there(file, reply.json, stderr);
	else
		*ret_again = print_found_there(file, reply.json, NULL) > 0;
	if (cli->format != FORMAT_TABLE)
		json_array_append(answers, reply.json);
	else if (dry_run)
		printf("%s: the server %s\n", file->def->name, valid ? "would take it" : "would refuse it");
	else
		printf("%s version %lld%s%s%s\n", file->def->name,
			   (long long)int_of(reply.json, "version", 0),
			   reply.http.status == 201 ? "" : " (was there already)",
			   json_is_integer(json_object_get(reply.json, "canary"))
				   ? " starts this share, in percent: "
				   : "",
			   json_is_integer(json_object_get(reply.json, "canary")) ? percent : "");
	client_reply_release(&reply);
	return valid ? 0 : CLI_FAILED;
}

int cmd_def_deploy(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *answers = json_array();
	struct client client;
	struct def_file *files;
	bool *again;
	int r = client_open(cli, &client), exit = CLI_OK;

	if (r)
		return r;
	files = xcalloc((size_t)cli->n_args, sizeof(*files));
	again = xcalloc((size_t)cli->n_args, sizeof(*again));
	for (int i = 0; i < cli->n_args; i++) {
		struct def_file *file = &files[i];
		struct err err = {0};

		if (def_file_read(file, cli->args[i], &err) < 0) {
			r = cli_fail_err(&err);
		} else {
			findings_print(file->path, &file->findings, stderr);
			r = file->def ? deploy_one(cli, &client, file, answers, &again[i]) : CLI_FAILED;
		}
		if (r)
			exit = r;
	}
	for (int i = 0; i < cli->n_args; i++) {
		r = again[i] ? look_again(&client, &files[i]) : 0;
		if (r)
			exit = r;
		def_file_release(&files[i]);
	}
	free(files);
	free(again);
	if (cli->format != FORMAT_TABLE)
		print_list(cli, answers);
	client_close(&client);
	return exit;
}

/* ---- list ---- */

static void list_versions(const char *name, const json_t *list, struct table *table)
{
	const json_t *row;
	size_t i;

	table_init(table, "NAME", "VERSION", "STARTS", "DEPLOYED", "HASH", (char *)NULL);
	json_array_foreach (list, i, row) {
		char version[24], share[24], hash[13];

		snprintf(version, sizeof(version), "%lld", (long long)int_of(row, "version", 0));
		snprintf(share, sizeof(share), "%lld%%", (long long)int_of(row, "share", 0));
		snprintf(hash, sizeof(hash), "%s", text_of(row, "hash") ? text_of(row, "hash") : "");
		table_add(table, name, version, share, text_of(row, "deployed_at"), hash);
	}
}

static void list_definitions(const json_t *list, struct table *table)
{
	const json_t *row;
	size_t i;

	table_init(table, "NAME", "VERSION", "CURRENT", "CANARY", "STATE", "DEPLOYED", "HASH",
			   (char *)NULL);
	json_array_foreach (list, i, row) {
		const json_t *canary = json_object_get(row, "canary");
		char version[24], current[24], share[64] = "-", hash[13];

		snprintf(version, sizeof(version), "%lld", (long long)int_of(row, "version", 0));
		snprintf(current, sizeof(current), "%lld", (long long)int_of(row, "current", 0));
		if (json_is_object(canary))
			snprintf(share, sizeof(share), "%lld: %lld%%", (long long)int_of(canary, "version", 0),
					 (long long)int_of(canary, "percent", 0));
		snprintf(hash, sizeof(hash), "%s", text_of(row, "hash") ? text_of(row, "hash") : "");
		table_add(table, text_of(row, "name"), version, current, share,
				  json_is_true(json_object_get(row, "paused")) ? "paused" : "active",
				  text_of(row, "deployed_at"), hash);
	}
}

int cmd_def_list(struct cli *cli)
{
	struct client_request request = {.method = "GET"};
	struct client_reply reply;
	struct client client;
	struct table table;
	json_t *list;
	int r = client_open(cli, &client);

	if (r)
		return r;
	if (cli->n_args == 1)
		client_path(&request, "/v1/definitions/%s/versions", cli->args[0]);
	else
		client_path(&request, "/v1/definitions", "");
	r = client_call(&client, &request, &reply);
	client_close(&client);
	if (r)
		return r;
	list = json_object_get(reply.json, cli->n_args == 1 ? "versions" : "definitions");
	if (cli->format != FORMAT_TABLE) {
		print_list(cli, list);
		client_reply_release(&reply);
		return CLI_OK;
	}
	if (cli->n_args == 1)
		list_versions(cli->args[0], list, &table);
	else
		list_definitions(list, &table);
	table_print(&table, cli->color, stdout);
	table_release(&table);
	client_reply_release(&reply);
	return CLI_OK;
}
