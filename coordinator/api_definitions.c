/*
 * Definitions: compiled and deployed through the registry, read from the store. Compiling a large
 * document takes a while, so all of it runs on the read pool.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/definition_counts.h"
#include "coordinator/json_routing.h"
#include "coordinator/json_row.h"
#include "coordinator/node.h"
#include "coordinator/registry.h"
#include "coordinator/schedules.h"
#include "coordinator/server_priv.h"
#include "coordinator/routes.h"
#include "sagas/json_text.h"

struct deploy {
	struct deployment deployment;
	int64_t canary; /* percent of the starts; -1: it takes all */
	struct exchange *ex;
	const char *name; /* NULL: any */
	bool dry_run;
};

static void deploy_free(void *state)
{
	struct deploy *deploy = state;

	deployment_release(&deploy->deployment);
	free(deploy);
}

static const char *level_text(enum finding_level level)
{
	switch (level) {
	case FINDING_ERROR:
		return "error";
	case FINDING_NOT_BUILT:
		return "not_built";
	case FINDING_WARNING:
		return "warning";
	}
	return "?";
}

static void write_findings(const struct findings *findings, struct buf *out)
{
	buf_add_lit(out, "\"findings\":[");
	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *finding = &findings->list[i];

		buf_printf(out, "%s{\"level\":\"%s\",\"line\":%d,\"pointer\":", i > 0 ? "," : "",
				   level_text(finding->level), finding->line);
		problem_write_text(finding->pointer, out);
		buf_add_lit(out, ",\"text\":");
		problem_write_text(finding->text, out);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ']');
}

static void answer_refused(struct exchange *ex, const struct deployment *deployment)
{
	const struct findings *findings = &deployment->findings;
	struct problem_errors errors = {0};

	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *finding = &findings->list[i];

		if (finding->level != FINDING_WARNING)
			problem_errors_add(&errors, finding->pointer, finding->line, "%s", finding->text);
	}
	if (findings->n_errors > 0)
		exchange_problem_errors(ex, PROBLEM_INVALID_DEFINITION, &errors,
								"the definition has %zu error%s; `errors` says where",
								findings->n_errors, findings->n_errors == 1 ? "" : "s");
	else
		exchange_problem_errors(ex, PROBLEM_NOT_BUILT, &errors,
								"%zu part%s of the definition cannot be run by this version yet; "
								"`errors` says which",
								findings->n_not_built, findings->n_not_built == 1 ? "" : "s");
	problem_errors_release(&errors);
}

/* The answer of validate: findings are its result, not its failure. */
static void answer_validated(struct exchange *ex, const struct deployment *deployment)
{
	buf_printf(&ex->out, "{\"valid\":%s,", deployment->result == 0 ? "true" : "false");
	if (deployment->name) {
		buf_add_lit(&ex->out, "\"name\":");
		json_write_string(deployment->name, strlen(deployment->name), &ex->out);
		buf_add_char(&ex->out, ',');
	}
	if (deployment->findings.truncated)
		buf_add_lit(&ex->out, "\"truncated\":true,");
	write_findings(&deployment->findings, &ex->out);
	buf_add_char(&ex->out, '}');
	exchange_answer(ex, 200);
}

static void answer_deployed(struct exchange *ex, const struct deployment *deployment)
{
	buf_add_lit(&ex->out, "{\"name\":");
	json_write_string(deployment->name, strlen(deployment->name), &ex->out);
	buf_printf(&ex->out, ",\"version\":%lld,\"hash\":\"%s\",\"existed\":%s,",
			   (long long)deployment->version, deployment->hash,
			   deployment->existed ? "true" : "false");
	if (deployment->canary && !deployment->existed && deployment->version > 1)
		buf_printf(&ex->out, "\"canary\":%d,", deployment->percent);
	else
		buf_add_lit(&ex->out, "\"canary\":null,");
	write_findings(&deployment->findings, &ex->out);
	buf_add_char(&ex->out, '}');
	exchange_add_header(ex, "Location", "/v1/definitions/%s/versions/%lld", deployment->name,
						(long long)deployment->version);
	exchange_answer(ex, deployment->existed ? 200 : 201);
}

static void deployed(struct exchange *ex)
{
	const struct deploy *deploy = ex->state;
	const struct deployment *deployment = &deploy->deployment;
	bool refused = deployment->result == ERR_INVALID || deployment->result == ERR_NOT_BUILT;

	if (deploy->dry_run && (refused || deployment->result == 0))
		answer_validated(ex, deployment);
	else if (refused && deployment->findings.n_errors + deployment->findings.n_not_built > 0)
		answer_refused(ex, deployment);
	else if (deployment->result == ERR_INVALID || deployment->result == ERR_LIMIT)
		exchange_problem(ex, PROBLEM_INVALID_DEFINITION, "%s", deployment->err.text);
	else if (deployment->result < 0)
		exchange_problem_err(ex, &deployment->err);
	else
		answer_deployed(ex, deployment);
}

/* Thread: the writer's, or that of run_deploy. */
static void deployment_done(struct deployment *deployment)
{
	struct deploy *deploy = deployment->ctx;

	if (deployment->result == 0 && !deploy->dry_run) {
		hub_deployed(deploy->ex->node->kafka);
		schedules_changed(deploy->ex->node->schedules);
	}
	deploy->ex->next = deployed;
	exchange_resume(deploy->ex);
}

/* Thread: read pool. */
static void run_deploy(struct read_job *job, struct store_reader *reader)
{
	struct exchange *ex = CONTAINER_OF(job, struct exchange, job);
	struct deploy *deploy = ex->state;

	(void)reader;
	registry_deploy(ex->node->registry, ex->ns, buf_str(&ex->body), ex->body.len, deploy->name,
					deploy->dry_run, &deploy->deployment);
}

static void take_deploy(struct exchange *ex, const char *name, bool dry_run)
{
	static const char *const known[] = {"canary"};
	struct deploy *deploy = xcalloc(1, sizeof(*deploy));

	ex->state = deploy;
	ex->free_state = deploy_free;
	deploy->ex = ex;
	deploy->name = name;
	deploy->dry_run = dry_run;
	deploy->deployment.done = deployment_done;
	deploy->deployment.ctx = deploy;
	deploy->canary = -1;
	if (!dry_run && !exchange_arg_int(ex, "canary", 0, 100, &deploy->canary))
		return;
	if (!exchange_args_done(ex, dry_run ? NULL : known, dry_run ? 0 : ARRAY_SIZE(known)))
		return;
	deploy->deployment.canary = deploy->canary >= 0;
	deploy->deployment.percent = deploy->canary >= 0 ? (int)deploy->canary : 0;
	if (ex->body.len > DEF_MAX_BYTES) {
		exchange_problem(ex, PROBLEM_TOO_LARGE, "a definition has at most %d bytes", DEF_MAX_BYTES);
		return;
	}
	ex->job.run = run_deploy;
	exchange_suspend(ex);
	if (!read_pool_post(ex->server->pool, &ex->job)) {
		exchange_problem(ex, PROBLEM_OVERLOADED, "too much is waiting");
		exchange_resume(ex);
	}
}

void api_deploy_definition(struct exchange *ex)
{
	take_deploy(ex, NULL, false);
}

void api_put_definition(struct exchange *ex)
{
	take_deploy(ex, ex->params[0], false);
}

void api_validate_definition(struct exchange *ex)
{
	take_deploy(ex, NULL, true);
}

/* Reading. */

struct listing {
	struct buf *out;
	bool counted;  /* with how many sagas there are */
	bool versions; /* of one definition; else the newest of each */
	struct definition_counts counts;
	struct routing_row *routings; /* of the namespace */
	size_t n_routings;
	int64_t newest; /* versions: the first that is listed */
};

static void listing_free(void *state)
{
	struct listing *listing = state;

	definition_counts_release(&listing->counts);
	for (size_t i = 0; i < listing->n_routings; i++)
		routing_row_release(&listing->routings[i]);
	free(listing->routings);
	free(listing);
}

static void separate(struct buf *out)
{
	if (out->data[out->len - 1] != '[')
		buf_add_char(out, ',');
}

static int keep_routing(void *ctx, const struct routing_row *row)
{
	struct listing *listing = ctx;

	listing->routings = xrealloc_array(listing->routings, listing->n_routings + 1, sizeof(*row));
	routing_row_copy(row, &listing->routings[listing->n_routings++]);
	return 0;
}

/* NULL: nothing was said of the definition. */
static const struct routing_row *routing_of(const struct listing *listing, const char *name)
{
	for (size_t i = 0; i < listing->n_routings; i++)
		if (strcmp(listing->routings[i].name, name) == 0)
			return &listing->routings[i];
	return NULL;
}

static int list_row(void *ctx, const struct definition_row *row)
{
	struct listing *listing = ctx;

	separate(listing->out);
	json_row_definition_open(row, listing->out);
	if (!listing->newest || !listing->versions)
		listing->newest = row->version;
	if (listing->versions)
		buf_printf(
			listing->out, ",\"share\":%d",
			json_routing_share(routing_of(listing, row->name), listing->newest, row->version));
	else
		json_routing_members(routing_of(listing, row->name), listing->newest, listing->out);
	if (listing->counted) {
		buf_add_lit(listing->out, ",\"counts\":");
		definition_counts_write(&listing->counts, row->name, listing->versions ? row->version : 0,
								listing->out);
	}
	buf_add_char(listing->out, '}');
	return 0;
}

/* Of GET /v1/definitions/{name}/counts. */
static int count_row(void *ctx, const struct definition_row *row)
{
	struct listing *listing = ctx;

	separate(listing->out);
	buf_printf(listing->out, "{\"version\":%lld,\"counts\":", (long long)row->version);
	definition_counts_write(&listing->counts, row->name, row->version, listing->out);
	buf_add_char(listing->out, '}');
	return 0;
}

/* Of all definitions, or of the versions of one. */
static void read_rows(struct exchange *ex, struct store_reader *reader,
					  int (*row)(void *ctx, const struct definition_row *row))
{
	struct listing *listing = ex->state;
	const char *name = ex->params[0];
	struct err err;
	int r = 0;

	listing->out = &ex->out;
	listing->versions = name != NULL;
	buf_printf(&ex->out, "{\"%s\":[", name ? "versions" : "definitions");
	if (listing->counted)
		r = definition_counts_read(reader, ex->ns, name, &listing->counts, &err);
	if (r == 0)
		r = reader->store->ops->routing_list(reader, ex->ns, name, keep_routing, listing, &err);
	if (r == 0)
		r = reader->store->ops->definition_list(reader, ex->ns, name, row, listing, &err);
	if (r < 0 && r != ERR_NOT_FOUND) {
		exchange_problem_err(ex, &err);
	} else if (name && ex->out.data[ex->out.len - 1] == '[') {
		exchange_problem(ex, PROBLEM_DEFINITION_NOT_FOUND,
						 "there is no definition %.100s in namespace %s", name, ex->ns);
	} else {
		buf_add_lit(&ex->out, "]}");
		exchange_answer(ex, 200);
	}
}

/* Thread of both: read pool. */
static void read_list(struct exchange *ex, struct store_reader *reader)
{
	read_rows(ex, reader, list_row);
}

static void read_counts(struct exchange *ex, struct store_reader *reader)
{
	read_rows(ex, reader, count_row);
}

static struct listing *new_listing(struct exchange *ex)
{
	struct listing *listing = xcalloc(1, sizeof(*listing));

	ex->state = listing;
	ex->free_state = listing_free;
	return listing;
}

void api_list_definitions(struct exchange *ex)
{
	static const char *const known[] = {"counts"};
	struct listing *listing = new_listing(ex);

	if (exchange_arg_bool(ex, "counts", &listing->counted) && exchange_args_done(ex, known, 1))
		exchange_read(ex, read_list);
}

void api_count_definition(struct exchange *ex)
{
	new_listing(ex)->counted = true;
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, read_counts);
}

void api_list_versions(struct exchange *ex)
{
	api_list_definitions(ex);
}

/* The newest also says which versions start sagas. */
static void write_definition(const struct definition_row *row, const struct listing *listing,
							 struct buf *out)
{
	json_row_definition_open(row, out);
	if (listing)
		json_routing_members(routing_of(listing, row->name), row->version, out);
	buf_add_lit(out, ",\"definition\":");
	buf_add(out, row->doc, row->doc_len);
	buf_add_lit(out, ",\"source\":");
	json_write_string(row->source, row->source_len, out);
	buf_add_char(out, '}');
}

/* Thread: read pool. */
static void read_definition(struct exchange *ex, struct store_reader *reader)
{
	const int64_t *version = ex->state;
	struct listing *listing = *version ? NULL : xcalloc(1, sizeof(*listing));
	struct definition_row row = {0};
	struct err err;
	int r;

	r = reader->store->ops->definition_get(reader, ex->ns, ex->params[0], *version, &row, &err);
	if (r == ERR_NOT_FOUND) {
		exchange_problem(ex, PROBLEM_DEFINITION_NOT_FOUND,
						 *version ? "there is no such version of definition %.100s in namespace %s"
								  : "there is no definition %.100s in namespace %s",
						 ex->params[0], ex->ns);
	} else if (r == 0 && listing) {
		r = reader->store->ops->routing_list(reader, ex->ns, row.name, keep_routing, listing, &err);
	}
	if (r < 0 && r != ERR_NOT_FOUND) {
		exchange_problem_err(ex, &err);
	} else if (r == 0) {
		write_definition(&row, listing, &ex->out);
		exchange_add_header(ex, "ETag", "\"%s\"", row.hash);
		exchange_answer(ex, 200);
	}
	definition_row_release(&row);
	if (listing)
		listing_free(listing);
}

void api_get_definition(struct exchange *ex)
{
	int64_t *version = xcalloc(1, sizeof(*version));

	ex->state = version;
	ex->free_state = free;
	for (const char *p = ex->params[1] ? ex->params[1] : ""; *p; p++) {
		if (*p < '0' || *p > '9' || *version > INT32_MAX) {
			exchange_problem(ex, PROBLEM_DEFINITION_NOT_FOUND, "a version is a number from 1");
			return;
		}
		*version = *version * 10 + (*p - '0');
	}
	if (ex->params[1] && *version == 0) {
		exchange_problem(ex, PROBLEM_DEFINITION_NOT_FOUND, "a version is a number from 1");
		return;
	}
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, read_definition);
}

void api_get_version(struct exchange *ex)
{
	api_get_definition(ex);
}
