/*
 * POST /v1/sagas: the hot path. Up to the moment when the call is posted to the engine all of it
 * runs on the server's thread, without I/O beside one point read for a known key; only a large body
 * is read elsewhere, so that it does not hold up the others. With Redis the point read is a lookup
 * there, during which the connection is suspended.
 *
 *   body -> definition -> input against its schema -> key -> canary? again -> fingerprint
 *        -> key known?  yes: the saga that has it (read from the store; waited for in the engine)
 *        -> engine      duplicate after all: the same
 *        -> committed   a pointer is left behind for the next one with this key
 *
 * The pointer is left here, where the answer of the engine comes back, and nowhere earlier: that
 * answer means that the commit has accepted the key for this saga. A start that waits for the end
 * leaves its pointer with its answer; until then its duplicates meet the commit.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_body.h"
#include "coordinator/api_saga.h"
#include "coordinator/api_start_priv.h"
#include "coordinator/clock.h"
#include "coordinator/forward.h"
#include "coordinator/log.h"
#include "coordinator/routes.h"
#include "coordinator/server_priv.h"
#include "coordinator/start_identity.h"
#include "sagas/json_text.h"
#include "sagas/state_json.h"

/* Parsing and validating more than this takes milliseconds, and is done on another thread. */
enum { LARGE_BYTES = 64 * 1024 };

static void start_free(void *state)
{
	struct start *start = state;

	free(start->saga);
	free(start->key);
	saga_def_unref(start->def);
	json_decref(start->input);
	creation_free(start->creation);
	free(start);
}

static void report_violation(void *ctx, const struct err *err)
{
	char pointer[sizeof(err->place) + 8];

	snprintf(pointer, sizeof(pointer), "/input%s", err->place);
	problem_errors_add(ctx, pointer, 0, "%s", err->text);
}

static bool check_input(struct exchange *ex, struct start *start)
{
	struct problem_errors errors = {0};
	int n;

	if (!start->def->input_schema)
		return true;
	n = schema_validate(start->def->input_schema, start->input, report_violation, &errors);
	if (n == 0)
		return true;
	exchange_problem_errors(ex, PROBLEM_INVALID_INPUT, &errors,
							"the input does not fit the schema of %s in %d place%s",
							start->def->name, n, n == 1 ? "" : "s");
	problem_errors_release(&errors);
	return false;
}

static json_t *get_name(void *ctx, enum expr_name name)
{
	const struct start *start = ctx;

	if (name == EXPR_ENV && start->def->around)
		return start->def->around->env;
	return name == EXPR_INPUT ? start->input : NULL;
}

/* The definition's key over the input; it is the identity whatever the caller says. */
static bool evaluate_key(struct exchange *ex, struct start *start)
{
	struct expr_env env = {.get = get_name, .ctx = start};
	struct buf out;
	struct err err;
	bool present = false;
	int r;

	buf_init(&out, 64 * 1024);
	r = tmpl_write_text(start->def->key, &env, TMPL_TEXT_PLAIN, &out, &present, &err);
	if (r == 0 && !present)
		r = err_set(&err, ERR_INVALID, "it gives nothing");
	if (r == 0)
		r = buf_check(&out, "the key", &err);
	if (r == 0)
		r = key_check(buf_str(&out), &err);
	if (r == 0 && start->key && strcmp(start->key, buf_str(&out)) != 0)
		r = err_set(&err, ERR_INVALID,
					"it gives %.100s here, and the member `key` of the body says %.100s",
					buf_str(&out), start->key);
	if (r == 0) {
		free(start->key);
		start->key = buf_take(&out, NULL);
	} else {
		exchange_problem(ex, PROBLEM_INVALID_KEY, "the key of definition %s: %s", start->def->name,
						 err.text);
	}
	buf_release(&out);
	return r == 0;
}

static bool choose_key(struct exchange *ex, struct start *start)
{
	CLEANUP(free_p) char *header = NULL;
	struct err err;

	if (!idempotency_key(ex, &header))
		return false;
	if (start->key && key_check(start->key, &err) < 0) {
		struct problem_errors errors = {0};

		problem_errors_add(&errors, "/key", 0, "%s", err.text);
		exchange_problem_errors(ex, PROBLEM_INVALID_KEY, &errors, "%s", err.text);
		problem_errors_release(&errors);
		return false;
	}
	if (start->def->key)
		return evaluate_key(ex, start);
	if (!start->key)
		start->key = TAKE(header);
	return true;
}

/* Whether the definition is there, the input fits it, and which key the start has. */
static bool take_version(struct exchange *ex, struct start *start, int64_t version)
{
	struct err err;

	saga_def_unref(start->def);
	start->def = NULL;
	if (registry_get(ex->node->registry, ex->ns, start->saga, version, &start->def, &err) < 0) {
		if (err.code == ERR_NOT_FOUND)
			exchange_problem(ex, PROBLEM_DEFINITION_NOT_FOUND, "%s", err.text);
		else
			exchange_problem_err(ex, &err);
		return false;
	}
	return check_input(ex, start) && choose_key(ex, start);
}

static void make_id(struct exchange *ex, const struct start *start, char id[SAGA_ID_SIZE]);

/*
 * Where no version is said, the current one, or the canary's share. The current one says by its key
 * which of the two it is, so while there is a canary a start has to fit it in any case.
 */
static bool choose_version(struct exchange *ex, struct start *start, int64_t version,
						   const char *key)
{
	struct registry_route route = {0};
	int64_t picked;
	struct err err;

	if (registry_route(ex->node->registry, ex->ns, start->saga, &route, &err) < 0) {
		if (err.code == ERR_NOT_FOUND)
			exchange_problem(ex, PROBLEM_DEFINITION_NOT_FOUND, "%s", err.text);
		else
			exchange_problem_err(ex, &err);
		return false;
	}
	start->paused = route.paused;
	memcpy(start->pause_reason, route.reason, sizeof(start->pause_reason));
	if (!take_version(ex, start, version ? version : route.current))
		return false;
	if (version || !route.canary)
		return true;
	if (!start->key)
		make_id(ex, start, start->id);
	picked = registry_route_pick(&route, ex->ns, start->saga, start->key ? start->key : start->id);
	if (picked == route.current)
		return true;
	free(start->key);
	start->key = key ? xstrdup(key) : NULL;
	return take_version(ex, start, picked);
}

static bool read_start(struct exchange *ex, struct start *start)
{
	static const struct body_member members[] = {
		{"saga", BODY_STRING, true, DEF_MAX_NAME},
		{"version", BODY_NUMBER, false, 0},
		{"input", BODY_ANY, false, 0},
		{"key", BODY_STRING, false, KEY_MAX_BYTES},
	};
	CLEANUP(json_decref_p) json_t *body = NULL;
	const char *key;
	json_t *input;
	struct err err;

	if (!body_read(ex, members, ARRAY_SIZE(members), false, &body))
		return false;
	start->saga = xstrdup(json_string_value(json_object_get(body, "saga")));
	key = json_string_value(json_object_get(body, "key"));
	if (key)
		start->key = xstrdup(key);
	input = json_object_get(body, "input");
	start->input = input ? json_incref(input) : json_object();
	start->wait_ms = prefer_wait_ms(ex);
	start->wait_until_us = clock_mono_us() + start->wait_ms * 1000;
	if (!choose_version(ex, start, json_integer_value(json_object_get(body, "version")), key))
		return false;
	if (start->key &&
		start_fingerprint(start->saga, start->key, start->input, start->fingerprint, &err) < 0) {
		exchange_problem_err(ex, &err);
		return false;
	}
	return true;
}

void start__add_applied(struct exchange *ex)
{
	const struct start *start = start__of(ex);

	if (start->wait_ms > 0)
		exchange_add_header(ex, "Preference-Applied", "wait=%lld",
							(long long)(start->wait_ms / 1000));
}

static void post_wait(struct exchange *ex);
static void post_start(struct exchange *ex);

static void leave_stale_pointer(struct exchange *ex)
{
	ex->server->stale_pointers++;
	post_start(ex);
}

/* A pointer that led nowhere is no reason to refuse a start; the commit's own word is final. */
static void not_the_one(struct exchange *ex)
{
	const struct start *start = start__of(ex);

	if (!start->posted)
		ex->next = leave_stale_pointer;
	else
		exchange_problem(ex, PROBLEM_UNAVAILABLE,
						 "saga %s had this key and has just been removed; send the start again",
						 start->existing_id);
}

/*
 * Whether the saga is the one that this start would be a duplicate of. What only a pointer said is
 * taken from the saga itself: the fingerprint is made anew from the input that it was started with.
 */
static bool agrees(const struct start *start, const struct saga_view *view)
{
	char fingerprint[SHA256_HEX_SIZE];

	if (strcmp(view->row.definition, start->saga) != 0 || !view->row.key ||
		strcmp(view->row.key, start->key) != 0)
		return false;
	return start->posted ||
		   (start_fingerprint(start->saga, start->key, jval_json(view->state->input), fingerprint,
							  NULL) == 0 &&
			strcmp(fingerprint, start->fingerprint) == 0);
}

/* The saga was undone, and its key may be used again. A pointer does not know that; the commit
 * does, and then says who has the key now. */
static bool may_begin_again(const struct start *start, const struct saga_view *view)
{
	return !start->posted && start->def->reuse_after_undo &&
		   view->state->status == SAGA_COMPENSATED;
}

/* The saga that has the key, as it stands in the store. Thread: read pool. */
void start__read_existing(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	const struct start *start = start__of(ex);
	struct err err;

	if (saga_view_read(reader, ex->node->registry, ex->ns, start->existing_id, 0, &view, &err) <
		0) {
		if (start->created)
			start__answer_created(ex);
		else if (err.code == ERR_NOT_FOUND || !start->posted)
			not_the_one(ex);
		else
			exchange_problem_err(ex, &err);
		return;
	}
	if (!start->created && (!agrees(start, &view) || may_begin_again(start, &view))) {
		not_the_one(ex);
		return;
	}
	if (!saga_status_is_terminal(view.state->status) && start->wait_ms > 0 && !start->waited) {
		ex->next = start->in_store ? start__wait_in_store : post_wait;
		return;
	}
	if (!start->created)
		exchange_add_header(ex, "Idempotent-Replayed", "true");
	start__add_applied(ex);
	answer_view(ex, saga_status_is_terminal(view.state->status) ? 200 : 202, &view);
}

static void waited(struct exchange *ex)
{
	struct engine_call *call = exchange_take_call(ex);
	struct start *start = start__of(ex);

	if (call->result == 0) {
		exchange_add_header(ex, "Idempotent-Replayed", "true");
		start__add_applied(ex);
		answer_call(ex, call->ended ? 200 : 202, call);
	} else if (call->result == ERR_NOT_FOUND) {
		/* It ended meanwhile, and has left the memory. */
		start->waited = true;
		exchange_read(ex, start__read_existing);
	} else if (call->result == ERR_FENCED) {
		/* Another node has it. */
		start->in_store = true;
		start__wait_in_store(ex);
	} else {
		exchange_problem_err(ex, &call->err);
	}
	engine_call_free(call);
}

static void post_wait(struct exchange *ex)
{
	const struct start *start = start__of(ex);
	struct engine_call *call = engine_call_new(ENGINE_WAIT);

	snprintf(call->id, sizeof(call->id), "%s", start->existing_id);
	call->wait_ms = start->wait_ms;
	call->if_match = -1;
	exchange_post(ex, call, waited);
}

void start__answer_duplicate(struct exchange *ex, const char *id)
{
	struct start *start = start__of(ex);

	ex->server->replays++;
	snprintf(start->existing_id, sizeof(start->existing_id), "%s", id);
	exchange_read(ex, start__read_existing);
}

/* The commit has accepted the key for this saga, or has found it there. */
void start__remember(struct exchange *ex, const char *id)
{
	struct idempotency *idempotency = ex->server->idempotency;
	const struct start *start = start__of(ex);
	struct err err;

	/* Without a pointer the next duplicate is slower, and that is all. */
	if (start->key && idempotency->ops->remember(idempotency, ex->ns, start->saga, start->key, id,
												 start->fingerprint, &err) < 0)
		log_debug("server", id, "no pointer is kept: %s", err.text);
}

static void started(struct exchange *ex)
{
	struct engine_call *call = exchange_take_call(ex);
	const struct start *start = start__of(ex);

	if (call->result == ERR_FENCED) {
		start__reroute(ex, call);
	} else if (call->result < 0) {
		exchange_problem_err(ex, &call->err);
	} else if (call->duplicate && strcmp(call->existing_fingerprint, start->fingerprint) != 0) {
		ex->server->key_reuses++;
		exchange_problem(ex, PROBLEM_KEY_REUSED,
						 "saga %s has this key, and was started with another input",
						 call->existing_id);
	} else if (call->duplicate) {
		start__remember(ex, call->existing_id);
		start__answer_duplicate(ex, call->existing_id);
	} else {
		start__remember(ex, call->id);
		start__add_applied(ex);
		answer_call(ex, call->ended ? 200 : 202, call);
	}
	engine_call_free(call);
}

static void make_id(struct exchange *ex, const struct start *start, char id[SAGA_ID_SIZE])
{
	struct store *store = ex->node->store;
	const char *forwarded = exchange_forwarded_id(ex);
	int slots = store->ops->slot_count(store);

	/* The node that sends it on may have to ask again, and must mean the same saga. */
	if (forwarded && saga_id_slot(forwarded) >= 0 && saga_id_slot(forwarded) < slots &&
		(!start->key ||
		 saga_id_slot(forwarded) == saga_slot(ex->ns, start->saga, start->key, slots))) {
		memcpy(id, forwarded, SAGA_ID_SIZE);
		return;
	}
	start_make_id(ex->ns, start->saga, start->key, slots, id);
}

static void answer_known(struct exchange *ex)
{
	char id[SAGA_ID_SIZE];

	memcpy(id, start__of(ex)->existing_id, sizeof(id));
	start__answer_duplicate(ex, id);
}

/* What was started before the pause is found by its key all the same. Thread: read pool. */
static void refuse_paused(struct exchange *ex, struct store_reader *reader)
{
	struct start *start = start__of(ex);
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct err err;
	int r = start->key ? reader->store->ops->find_key(reader, ex->ns, start->saga, start->key, id,
													  fingerprint, &err)
					   : ERR_NOT_FOUND;

	if (r == 0 && strcmp(fingerprint, start->fingerprint) == 0) {
		start->posted = true; /* the store's own word */
		memcpy(start->existing_id, id, sizeof(id));
		ex->next = answer_known;
	} else if (r == 0) {
		exchange_problem(ex, PROBLEM_KEY_REUSED,
						 "saga %s has this key, and was started with another input", id);
	} else if (r != ERR_NOT_FOUND) {
		exchange_problem_err(ex, &err);
	} else {
		exchange_add_header(ex, "Retry-After", "10");
		exchange_problem(ex, PROBLEM_DEFINITION_PAUSED, "definition %s is paused%s%s", start->saga,
						 *start->pause_reason ? ": " : "", start->pause_reason);
	}
}

static void post_start(struct exchange *ex)
{
	struct start *start = start__of(ex);
	struct engine_call *call;

	CHECK(!start->posted);
	if (start->paused) {
		exchange_read(ex, refuse_paused);
		return;
	}
	start->posted = true;
	if (!start->id[0] || start->key)
		make_id(ex, start, start->id);
	if (start__elsewhere(ex))
		return;
	call = engine_call_new(ENGINE_START);
	memcpy(call->id, start->id, sizeof(call->id));
	call->def = TAKE(start->def);
	if (start->key) {
		call->key = xstrdup(start->key);
		memcpy(call->fingerprint, start->fingerprint, sizeof(call->fingerprint));
	}
	call->input = jval_from_json(TAKE(start->input));
	call->if_match = -1;
	call->wait_ms = start->wait_ms;
	exchange_post(ex, call, started);
}

/*
 * A pointer for the key was found, or none. Only one whose fingerprint agrees is believed, and only
 * when the saga that it names agrees too; everything else goes on to the commit, which decides.
 */
static void pointer_found(struct exchange *ex)
{
	const struct start *start = start__of(ex);
	const struct idempotency_lookup *lookup = &start->lookup;

	if (lookup->result == 0 && strcmp(lookup->fingerprint, start->fingerprint) == 0)
		start__answer_duplicate(ex, lookup->id);
	else
		post_start(ex);
}

/* Thread: the gate's. */
static void lookup_done(struct idempotency_lookup *lookup)
{
	struct exchange *ex = lookup->ctx;

	ex->next = pointer_found;
	exchange_resume(ex);
}

static void find_or_post(struct exchange *ex)
{
	struct idempotency *idempotency = ex->server->idempotency;
	const struct idempotency_ops *ops = idempotency->ops;
	struct start *start = start__of(ex);
	struct idempotency_lookup *lookup = &start->lookup;
	struct err err;

	if (!start->key || (ops->ask && !ops->may_ask(idempotency))) {
		post_start(ex);
		return;
	}
	lookup->ns = ex->ns;
	lookup->definition = start->saga;
	lookup->key = start->key;
	if (ops->ask) {
		lookup->done = lookup_done;
		lookup->ctx = ex;
		exchange_suspend(ex);
		ops->ask(idempotency, lookup);
		return;
	}
	lookup->result = ops->find(idempotency, lookup->ns, lookup->definition, lookup->key, lookup->id,
							   lookup->fingerprint, &err);
	pointer_found(ex);
}

/* Thread: read pool. */
static void read_large(struct exchange *ex, struct store_reader *reader)
{
	(void)reader;
	if (read_start(ex, start__of(ex)))
		ex->next = find_or_post;
}

void api_start_saga(struct exchange *ex)
{
	struct start *start = xcalloc(1, sizeof(*start));

	start->ex = ex;
	ex->state = start;
	ex->free_state = start_free;
	if (!exchange_args_done(ex, NULL, 0))
		return;
	if (ex->body.len > LARGE_BYTES)
		exchange_read(ex, read_large);
	else if (read_start(ex, start))
		find_or_post(ex);
}
