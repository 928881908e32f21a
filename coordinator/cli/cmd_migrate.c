/*
 * `skald migrate`: the schema of a Postgres. It talks to the database and to no server, since it is
 * what has to be done before one can start. The embedded store migrates itself when it is opened.
 */
#include <stdio.h>

#include "connectors/store_postgres.h"
#include "coordinator/cli/cli.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/server_run.h"
#include "sagas/id.h"

/* *ret_url: the caller's; NULL for the embedded store. 0 or an exit code, said. */
static int read_store(const struct cli *cli, char **ret_url)
{
	struct config config;
	int r = server_config(cli, &config);

	if (r)
		return r;
	*ret_url = store_postgres_is_url(config.store_path) ? xstrdup(config.store_path) : NULL;
	config_release(&config);
	return 0;
}

static int nothing_to_do(void)
{
	cli_note("the embedded store migrates itself when it is opened; there is nothing to do");
	return CLI_OK;
}

static int read_slots(const struct cli *cli, int *ret_slots)
{
	int64_t slots = 0;
	int r = cli_option_int(cli, "slots", 1, SLOTS_MAX, &slots);

	*ret_slots = (int)slots;
	return r;
}

struct state {
	const char *name, *text;
	bool can_start; /* a server of this version, on that database */
};

static const struct state states[] = {
	{"up_to_date", "up to date", true},
	{"empty", "empty; the first server, or `skald migrate up`, makes the schema", true},
	{"older", "older; no server of this version starts before `skald migrate up`", false},
	{"newer", "newer, and open to this version", true},
	{"closed", "newer, and closed to this version; start a newer Skald", false},
};

static const struct state *state_of(const struct store_postgres_schema *schema)
{
	if (schema->version == schema->newest)
		return &states[0];
	if (schema->version == 0)
		return &states[1];
	if (schema->version < schema->newest)
		return &states[2];
	return schema->works_with <= schema->newest ? &states[3] : &states[4];
}

int cmd_migrate_status(struct cli *cli)
{
	struct store_postgres_schema schema;
	CLEANUP(free_p) char *url = NULL;
	const struct state *state;
	struct err err = {0};
	int r = read_store(cli, &url);

	if (r)
		return r;
	if (!url)
		return nothing_to_do();
	if (store_postgres_migrate_status(url, &schema, &err) < 0)
		return cli_fail_err(&err);
	state = state_of(&schema);
	if (cli->format == FORMAT_TABLE) {
		printf("database  %lld\nprogram   %lld\nstate     %s\n", (long long)schema.version,
			   (long long)schema.newest, state->text);
	} else {
		json_t *value = json_pack("{s:I, s:I, s:s}", "database", (json_int_t)schema.version,
								  "program", (json_int_t)schema.newest, "state", state->name);

		print_value(cli, value);
		json_decref(value);
	}
	return state->can_start ? CLI_OK : CLI_FAILED;
}

static int print_step(void *ctx UNUSED, const char *path, const char *sql)
{
	printf("-- %s\n%s\n", path, sql);
	return 0;
}

int cmd_migrate_plan(struct cli *cli)
{
	CLEANUP(free_p) char *url = NULL;
	struct err err = {0};
	int slots, r = read_slots(cli, &slots);

	if (!r)
		r = read_store(cli, &url);
	if (r)
		return r;
	if (!url)
		return nothing_to_do();
	if (store_postgres_migrate_plan(url, slots, print_step, NULL, &err) < 0)
		return cli_fail_err(&err);
	return CLI_OK;
}

int cmd_migrate_up(struct cli *cli)
{
	struct store_postgres_schema schema;
	CLEANUP(free_p) char *url = NULL;
	struct err err = {0};
	int slots, r = read_slots(cli, &slots);

	if (!r)
		r = read_store(cli, &url);
	if (r)
		return r;
	if (!url)
		return nothing_to_do();
	if (store_postgres_migrate_up(url, slots, &schema, &err) < 0)
		return cli_fail_err(&err);
	cli_note("the database has schema %lld", (long long)schema.version);
	return CLI_OK;
}
