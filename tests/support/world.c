#include "tests/support/world.h"

#include <stdio.h>
#include <string.h>

#include "connectors/store_sqlite.h"
#include "sagas/def_load.h"
#include "sagas/json_text.h"

static enum store_fault choose_commit(void *ctx)
{
	struct world *world = ctx;

	return world->hooks.commit_fault ? world->hooks.commit_fault(world->hooks.ctx)
									 : STORE_FAULT_NONE;
}

static bool choose_read(void *ctx)
{
	struct world *world = ctx;

	return world->hooks.read_fault && world->hooks.read_fault(world->hooks.ctx);
}

static void must(int r, const struct err *err)
{
	if (r == 0)
		return;
	fprintf(stderr, "%s\n", err->text);
	abort();
}

void world_init(struct world *world, const struct world_hooks *hooks, wall_ms now)
{
	struct store_sqlite_options options = {
		.path = ":memory:", .slot_count = WORLD_SLOTS, .no_sync = true};
	struct err err;

	*world = (struct world){.hooks = *hooks, .now = now};
	world->calls_tail = &world->calls;
	must(store_sqlite_open(&options, &world->inner, &err), &err);
	world->store = store_fault_new(world->inner, choose_commit, choose_read, world);
	must(world->store->ops->reader_open(world->store, &world->reader, &err), &err);
	must(world->inner->ops->reader_open(world->inner, &world->truth, &err), &err);
}

static void posts_push(struct world_posts *posts, enum world_post_type type, void *what)
{
	if (posts->n == posts->cap) {
		posts->cap = posts->cap ? 2 * posts->cap : 16;
		posts->list = xrealloc_array(posts->list, posts->cap, sizeof(*posts->list));
	}
	posts->list[posts->n++] = (struct world_post){type, what};
}

static struct world_post posts_take(struct world_posts *posts, size_t i)
{
	struct world_post post = posts->list[i];

	memmove(&posts->list[i], &posts->list[i + 1], (posts->n - i - 1) * sizeof(*posts->list));
	posts->n--;
	return post;
}

static void post_drop(struct world *world, struct world_post post)
{
	switch (post.type) {
	case POST_CALL:
		world->hooks.answered(world->hooks.ctx, post.what, true);
		break;
	case POST_REPLY:
		call_reply_free(post.what);
		break;
	case POST_COMMITTED:
		batch_free(post.what);
		break;
	case POST_LOADED:
		loaded_saga_free(post.what);
		break;
	case POST_LISTED:
		saga_list_free(post.what);
		break;
	case POST_DELIVERY:
		delivery_free(post.what);
		break;
	case POST_INBOX:
		inbox_read_free(post.what);
		break;
	case POST_REMOVED:
		inbox_removal_free(post.what);
		break;
	case POST_QUEUES_READ:
		free(post.what);
		break;
	case POST_POKE:
		break;
	}
}

static void posts_drop(struct world *world, struct world_posts *posts)
{
	while (posts->n > 0)
		post_drop(world, posts_take(posts, 0));
}

void world_crash(struct world *world)
{
	struct world_call *call;

	for (call = world->calls; call; call = call->next)
		call->orphan = true;
	world->dying = true;
	turn_free(TAKE(world->turn));
	batch_free(TAKE(world->batch));
	inbox_removal_free(TAKE(world->removal));
	posts_drop(world, &world->mailbox);
	posts_drop(world, &world->reads);
	world->dying = world->batch_unknown = false;
}

void world_release(struct world *world)
{
	size_t i;

	if (world->turn)
		world_crash(world);
	while (world->calls)
		world_call_free(world, world->calls);
	world->store->ops->reader_close(world->reader);
	world->inner->ops->reader_close(world->truth);
	world->store->ops->close(world->store);
	for (i = 0; i < world->n_defs; i++)
		saga_def_unref(world->defs[i]);
	free(world->defs);
	free(world->mailbox.list);
	free(world->reads.list);
}

static void print_findings(const struct findings *findings, const json_t *doc)
{
	char *text = json_dumps(doc, JSON_INDENT(1));
	size_t i;

	for (i = 0; i < findings->n; i++)
		if (findings->list[i].level != FINDING_WARNING)
			fprintf(stderr, "%s: %s\n", findings->list[i].pointer, findings->list[i].text);
	fprintf(stderr, "%s\n", text);
	free(text);
}

struct saga_def *world_deploy(struct world *world, json_t *doc)
{
	struct findings findings = {0};
	struct saga_def *def = NULL;
	struct definition_row row = {.ns = WORLD_NS, .deployed_at = world->now};
	char hash[SHA256_HEX_SIZE];
	struct buf text;
	struct err err;

	if (saga_def_load(doc, NULL, &def, &findings) < 0) {
		print_findings(&findings, doc);
		abort();
	}
	findings_release(&findings);
	buf_init(&text, 0);
	json_write_canonical(doc, &text);
	hash_sha256_hex(text.data, text.len, hash);
	row.name = def->name;
	row.hash = hash;
	row.doc = row.source = text.data;
	row.doc_len = row.source_len = text.len;
	must(world->inner->ops->definition_put(world->inner, &row, &err), &err);
	saga_def_set_version(def, row.version, hash);
	buf_release(&text);
	world->defs = xrealloc_array(world->defs, world->n_defs + 1, sizeof(struct saga_def *));
	world->defs[world->n_defs++] = def;
	return def;
}

struct saga_def *world_definition(const struct world *world, const char *name, int64_t version)
{
	struct saga_def *found = NULL;

	for (size_t i = world->n_defs; i-- > 0 && !found;)
		if (version == 0 || world->defs[i]->version == version)
			found = saga_def_find_block(world->defs[i], name);
	return found;
}

static int find_definition(void *ctx, const char *ns, const char *name, int64_t version,
						   struct saga_def **ret_def, struct err *err)
{
	struct saga_def *def = strcmp(ns, WORLD_NS) == 0 ? world_definition(ctx, name, version) : NULL;

	if (!def)
		return err_set(err, ERR_NOT_FOUND, "no definition %s", name);
	*ret_def = saga_def_ref(def);
	return 0;
}

/* The ports of the turn. */

static void port_call(void *ctx, const char *saga_id, const struct command *command)
{
	struct world *world = ctx;
	struct world_call *call = xcalloc(1, sizeof(*call));

	call->id = ++world->n_calls;
	memcpy(call->saga_id, saga_id, sizeof(call->saga_id));
	call->command = *command;
	call->command.request = request_ref(command->request);
	call->sent_at = world->now;
	*world->calls_tail = call;
	world->calls_tail = &call->next;
	world->hooks.sent(world->hooks.ctx, call);
}

static void port_load(void *ctx, struct loaded_saga *loaded)
{
	posts_push(&((struct world *)ctx)->reads, POST_LOADED, loaded);
}

static void port_list(void *ctx, struct saga_list *list)
{
	posts_push(&((struct world *)ctx)->reads, POST_LISTED, list);
}

static void port_answer(void *ctx, struct engine_call *call)
{
	struct world *world = ctx;

	world->hooks.answered(world->hooks.ctx, call, world->dying);
}

static uint64_t port_random(void *ctx)
{
	struct world *world = ctx;

	return world->hooks.random(world->hooks.ctx);
}

static void port_released(void *ctx, int slot)
{
	struct world *world = ctx;

	CHECK(world->n_released < WORLD_SLOTS);
	world->released[world->n_released++] = slot;
}

static void port_fenced(void *ctx, int slot)
{
	(void)slot;
	((struct world *)ctx)->n_fenced++;
}

static void port_read_inbox(void *ctx, struct inbox_read *read)
{
	posts_push(&((struct world *)ctx)->reads, POST_INBOX, read);
}

static bool port_remove_inbox(void *ctx, struct inbox_removal *removal)
{
	struct world *world = ctx;

	CHECK(!world->removal);
	world->removal = removal;
	return true;
}

static void port_outbox_written(void *ctx, size_t rows)
{
	((struct world *)ctx)->n_outbox += rows;
}

static const struct turn_ports queue_ports = {
	.call = port_call,
	.outbox_written = port_outbox_written,
	.read_inbox = port_read_inbox,
	.remove_inbox = port_remove_inbox,
	.load = port_load,
	.list = port_list,
	.answer = port_answer,
	.random = port_random,
	.released = port_released,
	.fenced = port_fenced,
};

static const struct turn_ports ports = {
	.call = port_call,
	.load = port_load,
	.list = port_list,
	.answer = port_answer,
	.random = port_random,
	.released = port_released,
	.fenced = port_fenced,
};

/* What is free goes to who is first in line; the engine looks into its inbox, as if it was poked.
 */
static void grant_locks(struct world *world)
{
	bool touched[WORLD_SLOTS] = {false};
	struct err err;
	int r;

	if (!world->locks_changed || !world->queues)
		return;
	r = world->store->ops->locks_grant(world->store, world->now, touched, &err);
	if (r == ERR_UNKNOWN)
		world_settle(world);
	world->locks_changed = r != 0;
	if (world->turn)
		world_post(world, POST_POKE, NULL);
}

void world_boot(struct world *world)
{
	struct turn_options options = {
		.ports = world->queues ? &queue_ports : &ports,
		.ctx = world,
		.lifecycle = world->lifecycle,
		.slot_count = WORLD_SLOTS,
		.memory_sagas_max = world->memory_sagas_max,
		.many_nodes = world->many_nodes,
		.poll_every_ms = world->many_nodes ? 1000 : 0,
	};
	struct err err;

	must(world->store->ops->settle(world->store, &err), &err);
	world->turn = turn_new(&options);
	world->locks_changed = true;
	grant_locks(world);
	if (!world->many_nodes)
		turn_recover(world->turn);
}

struct engine_call *world_start_call(struct world *world, struct saga_def *def, const char *key,
									 json_t *input, uint64_t random)
{
	struct engine_call *call = engine_call_new(ENGINE_START);
	struct buf text;
	int slot = (int)(random % WORLD_SLOTS);

	call->ns = xstrdup(WORLD_NS);
	call->def = saga_def_ref(def);
	if (key) {
		call->key = xstrdup(key);
		slot = saga_slot(WORLD_NS, def->name, key, WORLD_SLOTS);
	}
	saga_id_make(world->now, slot, (const unsigned char *)&random, call->id);
	buf_init(&text, 0);
	json_write_canonical(input, &text);
	hash_sha256_hex(text.data, text.len, call->fingerprint);
	buf_release(&text);
	call->input = jval_from_json(input);
	return call;
}

struct engine_call *world_act_call(enum act_kind kind, const char *id, const char *reason)
{
	struct act act;

	act_init(&act, kind);
	act.by = xstrdup("tester");
	act.reason = xstrdup(reason);
	return engine_call_for_act(WORLD_NS, id, &act);
}

struct engine_call *world_wait_call(const char *id)
{
	struct engine_call *call = engine_call_new(ENGINE_WAIT);

	call->ns = xstrdup(WORLD_NS);
	memcpy(call->id, id, SAGA_ID_SIZE);
	return call;
}

void world_post(struct world *world, enum world_post_type type, void *what)
{
	if (world->turn)
		posts_push(&world->mailbox, type, what);
	else
		post_drop(world, (struct world_post){type, what});
}

void world_call_free(struct world *world, struct world_call *call)
{
	struct world_call **link = &world->calls;

	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	if (!call->next)
		world->calls_tail = link;
	request_unref(call->command.request);
	free(call);
}

static struct call_reply *reply_new(const struct world_call *call, enum call_result result,
									int status, json_t *body)
{
	struct call_reply *reply = xcalloc(1, sizeof(*reply));

	memcpy(reply->saga_id, call->saga_id, sizeof(reply->saga_id));
	reply->step = call->command.step;
	reply->item = call->command.item;
	reply->kind = call->command.kind;
	reply->attempt = call->command.attempt;
	reply->run = call->command.run;
	reply->result = result;
	reply->http_status = status;
	reply->body = body ? jval_from_json(body) : NULL;
	reply->retry_after_ms = -1;
	return reply;
}

void world_call_echo(struct world *world, const struct world_call *call, enum call_result result,
					 int status, json_t *body)
{
	world_post(world, POST_REPLY, reply_new(call, result, status, body));
}

void world_call_end(struct world *world, struct world_call *call, enum call_result result,
					int status, json_t *body, int64_t retry_after_ms)
{
	struct call_reply *reply = reply_new(call, result, status, body);

	if (call->orphan) {
		call_reply_free(reply);
		world_call_free(world, call);
		return;
	}
	reply->retry_after_ms = retry_after_ms;
	world_post(world, POST_REPLY, reply);
	world_call_free(world, call);
}

bool world_turn_wanted(const struct world *world)
{
	wall_ms at;

	if (!world->turn)
		return false;
	at = turn_next_at(world->turn);
	return world->mailbox.n > 0 || (at != 0 && at <= world->now);
}

static void deliver(struct world *world, struct world_post post)
{
	switch (post.type) {
	case POST_CALL:
		turn_call(world->turn, post.what);
		break;
	case POST_REPLY:
		turn_reply(world->turn, post.what);
		break;
	case POST_COMMITTED:
		turn_committed(world->turn, post.what);
		break;
	case POST_LOADED:
		turn_loaded(world->turn, post.what);
		break;
	case POST_LISTED:
		turn_listed(world->turn, post.what);
		break;
	case POST_DELIVERY:
		turn_deliver(world->turn, post.what);
		break;
	case POST_INBOX:
		turn_inbox_read(world->turn, post.what);
		break;
	case POST_REMOVED:
		turn_inbox_removed(world->turn, post.what);
		break;
	case POST_QUEUES_READ:
		turn_queues_read(world->turn, *(wall_ms *)post.what);
		free(post.what);
		break;
	case POST_POKE:
		turn_poke(world->turn);
		break;
	}
}

void world_turn(struct world *world, size_t n)
{
	turn_begin(world->turn, world->now);
	while (n-- > 0 && world->mailbox.n > 0)
		deliver(world, posts_take(&world->mailbox, 0));
	turn_run(world->turn, world->mailbox.n == 0);
	if (!world->batch)
		world->batch = turn_take_batch(world->turn);
}

void world_queues_read(struct world *world, wall_ms until)
{
	wall_ms *what = xcalloc(1, sizeof(*what));

	*what = until;
	world_post(world, POST_QUEUES_READ, what);
}

void world_settle(struct world *world)
{
	struct err err;

	while (world->store->ops->settle(world->store, &err) < 0)
		;
}

static void remove_from_inbox(struct world *world)
{
	struct inbox_removal *removal = TAKE(world->removal);

	if (!removal)
		return;
	removal->result =
		world->store->ops->inbox_remove(world->store, removal->rows, removal->n, &removal->err);
	if (removal->result == ERR_UNKNOWN)
		world_settle(world);
	posts_push(&world->mailbox, POST_REMOVED, removal);
}

void world_write(struct world *world)
{
	const struct store_ops *ops = world->store->ops;
	struct batch *batch = world->batch;
	struct err err;

	if (!batch) {
		remove_from_inbox(world);
		return;
	}
	for (size_t i = 0; i < batch->n; i++)
		world->locks_changed |= batch->items[i].n_locks > 0 || batch->items[i].release_all_locks;
	if (!world->batch_unknown) {
		batch->result = ops->commit(world->store, batch->items, batch->n, &batch->err);
		world->batch_unknown = batch->result == ERR_UNKNOWN;
		if (world->batch_unknown)
			return; /* to be settled by the next call */
	} else if (ops->settle(world->store, &err) < 0) {
		return;
	}
	world->batch_unknown = false;
	world->batch = NULL;
	posts_push(&world->mailbox, POST_COMMITTED, batch);
	grant_locks(world);
}

void world_read(struct world *world, size_t i)
{
	struct world_post post = posts_take(&world->reads, i);

	if (post.type == POST_LOADED) {
		struct loaded_saga *loaded = post.what;

		load_saga(world->reader, find_definition, world, loaded);
		if (loaded->result == 0)
			world->hooks.loaded(world->hooks.ctx, loaded->id);
	} else if (post.type == POST_INBOX) {
		load_inbox(world->reader, post.what);
	} else {
		load_list(world->reader, post.what);
	}
	posts_push(&world->mailbox, post.type, post.what);
}
