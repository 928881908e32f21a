/*
 * `skald replay`: exported histories against a definition that has changed since.
 */
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/def_file.h"
#include "coordinator/cli/print.h"
#include "sagas/event.h"
#include "sagas/json_text.h"
#include "sagas/replay.h"

enum { EXPORT_MAX_BYTES = 256 * 1024 * 1024 };

struct rows {
	struct replay_row *list;
	char **texts;
	size_t n;
};

static void rows_release(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->texts[i]);
	free(rows->texts);
	free(rows->list);
}

static bool opens_a_run(const json_t *events)
{
	const char *type = text_of(json_array_get(events, 0), "type");

	return type && strcmp(type, event_type_text(EV_SAGA_CONTINUED)) == 0;
}

/* Of a saga that was continued, the present run: what came before it was of another. */
static size_t first_row(const json_t *history)
{
	for (size_t i = json_array_size(history); i-- > 0;)
		if (opens_a_run(json_object_get(json_array_get(history, i), "events")))
			return i;
	return 0;
}

static int read_rows(const json_t *history, struct rows *rows, struct err *err)
{
	size_t i, first = first_row(history), n = json_array_size(history);

	rows->list = xcalloc(n + 1, sizeof(*rows->list));
	rows->texts = xcalloc(n + 1, sizeof(*rows->texts));
	for (i = first; i < n; i++) {
		const json_t *row = json_array_get(history, i);
		struct replay_row *to = &rows->list[rows->n];
		struct buf text;
		int r = time_parse(text_of(row, "at") ? text_of(row, "at") : "", &to->at, err);

		if (r < 0)
			return r;
		buf_init(&text, 0);
		json_write(json_object_get(row, "events"), &text);
		rows->texts[rows->n] = buf_take(&text, &to->len);
		to->events = rows->texts[rows->n++];
		to->seq = int_of(row, "seq", 0);
	}
	if (rows->n == 0)
		return err_set(err, ERR_INVALID, "it has no history");
	return 0;
}

static json_t *or_null(const char *text)
{
	json_t *json = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	return json ? json : json_null();
}

/* Adds the outcome for a file to answers; an exit code. */
static int replay(const struct cli *cli, const char *path, const json_t *export,
				  struct saga_def *def, json_t *answers)
{
	const json_t *saga = json_object_get(export, "saga");
	struct replay_options options = {.times = cli_option(cli, "times") != NULL};
	CLEANUP(rows_release) struct rows rows = {0};
	struct replay_divergence where = {0};
	struct err err;
	bool same = false;
	int r;

	if (!text_of(saga, "id") || !text_of(saga, "saga"))
		return cli_fail(CLI_FAILED, "%s: this is no export of a saga", path);
	if (strcmp(text_of(saga, "saga"), def->name) != 0)
		return cli_fail(CLI_FAILED, "%s: this is a saga of %s, not of %s", path,
						text_of(saga, "saga"), def->name);
	saga_def_set_version(def, int_of(saga, "version", 0), def->hash);
	r = read_rows(json_object_get(export, "history"), &rows, &err);
	if (r == 0)
		r = saga_replay(def, text_of(saga, "id"), rows.list, rows.n, &options, &same, &where, &err);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", path, err.text);
	json_array_append_new(answers,
						  json_pack("{s:s, s:s, s:b, s:I, s:i, s:s?, s:o, s:o}", "file", path, "id",
									text_of(saga, "id"), "same", same, "seq", (json_int_t)where.seq,
									"index", where.index, "why", where.why, "expected",
									or_null(where.expected), "got", or_null(where.got)));
	if (cli->format == FORMAT_TABLE && same)
		printf("%s: the same, %zu rows\n", path, rows.n);
	if (cli->format == FORMAT_TABLE && !same)
		printf("%s: differs in row %lld, at event %d: %s\n  history: %s\n  now:     %s\n", path,
			   (long long)where.seq, where.index + 1, where.why,
			   where.expected ? where.expected : "nothing", where.got ? where.got : "nothing");
	replay_divergence_release(&where);
	return same ? CLI_OK : CLI_FAILED;
}

static int replay_file(const struct cli *cli, const char *path, struct saga_def *def,
					   json_t *answers)
{
	CLEANUP(json_decref_p) json_t *export = NULL;
	CLEANUP(free_p) char *text = NULL;
	struct err err;
	size_t len;

	if (client_read_file(path, EXPORT_MAX_BYTES, &text, &len, &err) < 0)
		return cli_fail_err(&err);
	if (json_parse_stored(text, len, &export, &err) < 0)
		return cli_fail(CLI_FAILED, "%s: %s", path, err.text);
	return replay(cli, path, export, def, answers);
}

int cmd_replay(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *answers = json_array();
	const char *path = cli_option(cli, "def");
	struct def_file file;
	struct err err = {0};
	int exit = CLI_OK;

	if (!path)
		return cli_fail(CLI_USAGE, "--def FILE says which definition");
	if (def_file_read(&file, path, &err) < 0) {
		def_file_release(&file);
		return cli_fail_err(&err);
	}
	if (!file.def) {
		findings_print(file.path, &file.findings, stderr);
		exit = CLI_FAILED;
	}
	for (int i = 0; i < cli->n_args && file.def; i++) {
		int r = replay_file(cli, cli->args[i], file.def, answers);

		if (r)
			exit = r;
	}
	if (cli->format != FORMAT_TABLE)
		print_list(cli, answers);
	def_file_release(&file);
	return exit;
}
