/*
 * Composition, visibly and in order. A node that could not be started whole is taken down as far as
 * it came, by the same function that stops it.
 */
#include "coordinator/node.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/store_postgres.h"
#include "connectors/store_sqlite.h"
#include "coordinator/batches.h"
#include "coordinator/child_start.h"
#include "coordinator/clock.h"
#include "coordinator/forward.h"
#include "coordinator/kafka/owners.h"
#include "coordinator/log.h"
#include "coordinator/peers.h"
#include "coordinator/schedules.h"
#include "coordinator/server.h"
#include "coordinator/streams.h"
#include "coordinator/task_progress.h"
#include "coordinator/tally.h"
#include "coordinator/webhooks.h"
#include "coordinator/writer.h"

enum { LEASE_DEFAULT_MS = 10000, HAND_OVER_MS = 3000, INTAKE_GRACE_MS = 3000 };

static int open_store(const struct node_options *options, struct store **ret_store, struct err *err)
{
	const char *address = options->store_path;
	struct store_postgres_options postgres = {.url = address,
											  .single_slot_batches = options->single_slot_batches};
	struct store_sqlite_options sqlite = {.path = address};

	return store_postgres_is_url(address) ? store_postgres_open(&postgres, ret_store, err)
										  : store_sqlite_open(&sqlite, ret_store, err);
}

static int start_store(struct node *node, struct err *err)
{
	struct writer_options writer = {
		.retention_ms = node->options.retention_ms,
		.run_retention_ms = node->options.run_retention_ms,
	};
	int r = open_store(&node->options, &node->store, err);

	if (r < 0)
		return r;
	writer.store = node->store;
	return writer_start(&writer, &node->writer, err);
}

/* What membership says to the engine, and the engine to membership. */

static int64_t mono_ms(void *ctx)
{
	(void)ctx;
	return clock_mono_ms();
}

static void slots_gained(void *ctx, const int *slots, size_t n, const int64_t *lease_until_ms)
{
	engine_slots_gained(((struct node *)ctx)->engine, slots, n, lease_until_ms);
}

static void slots_lost(void *ctx, const int *slots, size_t n)
{
	engine_slots_lost(((struct node *)ctx)->engine, slots, n);
}

static void slots_release(void *ctx, const int *slots, size_t n)
{
	engine_slots_release(((struct node *)ctx)->engine, slots, n);
}

static void slot_released(void *ctx, int slot)
{
	member_released(((struct node *)ctx)->member, slot);
}

static void slot_fenced(void *ctx, int slot)
{
	member_fenced(((struct node *)ctx)->member, slot);
}

static void lease_ended(void *ctx, const int64_t *lease_until_ms)
{
	member_lapsed(((struct node *)ctx)->member, lease_until_ms);
}

static void poke(void *ctx, const char *address)
{
	node_poke(((struct node *)ctx)->http, address);
}

static void store_clock(void *ctx, wall_ms at, int64_t mono)
{
	(void)ctx;
	clock_follow(at, mono);
}

static const struct member_ports member_ports = {
	.mono_ms = mono_ms,
	.gained = slots_gained,
	.lost = slots_lost,
	.release = slots_release,
	.poke = poke,
	.store_clock = store_clock,
};

static void make_member(struct node *node, struct engine_options *engine)
{
	struct member_options options = {
		.store = node->store,
		.lease_ms = node->options.lease_ms > 0 ? node->options.lease_ms : LEASE_DEFAULT_MS,
		.ports = &member_ports,
		.ctx = node,
	};

	if (!node->store->ops->node_join)
		return;
	node->member = member_new(&options);
	engine->many_nodes = true;
	engine->slot_released = slot_released;
	engine->slot_fenced = slot_fenced;
	engine->lease_ended = lease_ended;
	engine->slots_ctx = node;
}

/* The port is known only now. */
static int set_address(struct node *node, struct err *err)
{
	const struct node_options *options = &node->options;
	const char *host = options->listen_address;
	CLEANUP(free_p) char *address = NULL;
	size_t len;

	if (options->advertise)
		address = xstrdup(options->advertise);
	else
		address =
			xasprintf(strchr(host, ':') ? "http://[%s]:%d" : "http://%s:%d", host, node->port);
	len = strlen(address);
	while (len > 0 && address[len - 1] == '/')
		address[--len] = '\0';
	if (len >= NODE_ADDRESS_SIZE ||
		(strncmp(address, "http://", 7) != 0 && strncmp(address, "https://", 8) != 0))
		return err_set(err, ERR_INVALID,
					   "node.advertise: a URL as http://10.0.0.7:7878 of less than %d characters, "
					   "not %.100s",
					   NODE_ADDRESS_SIZE, address);
	memcpy(node->address, address, len + 1);
	return 0;
}

/* What definitions may read of the server. With any free port the address is known later. */
static void set_surroundings(struct node *node)
{
	const struct node_options *options = &node->options;
	const char **names = xcalloc(options->n_secrets + 1, sizeof(*names));
	const char *host = options->listen_address;
	size_t len;

	for (size_t i = 0; i < options->n_secrets; i++)
		names[i] = options->secrets[i].name;
	node->secrets = (struct secrets){options->secrets, options->n_secrets};
	node->around = (struct surroundings){
		.env = options->env, .secrets = names, .n_secrets = options->n_secrets};
	if (options->public_url || options->advertise)
		node->public_url = xstrdup(options->public_url ? options->public_url : options->advertise);
	else if (options->listen_port || node->port)
		node->public_url = xasprintf(strchr(host, ':') ? "http://[%s]:%d" : "http://%s:%d", host,
									 options->listen_port ? options->listen_port : node->port);
	len = node->public_url ? strlen(node->public_url) : 0;
	while (len > 0 && node->public_url[len - 1] == '/')
		node->public_url[--len] = '\0';
	node->around.public_url = node->public_url;
}

static int start_member(struct node *node, struct err *err)
{
	int r = set_address(node, err);

	if (r == 0 && !node->public_url) {
		node->public_url = xstrdup(node->address);
		__atomic_store_n(&node->around.public_url, node->public_url, __ATOMIC_RELEASE);
	}

	if (r < 0 || !node->member)
		return r;
	member_set_address(node->member, node->address);
	return member_start(node->member, err);
}

/* A saga was started by a record: a start over HTTP with its key finds it. */
static void remember(void *ctx, const char *ns, const char *definition, const char *key,
					 const char *saga_id, const char *fingerprint)
{
	struct node *node = ctx;

	if (!__atomic_load_n(&node->draining, __ATOMIC_RELAXED))
		server_remember(node->server, ns, definition, key, saga_id, fingerprint);
}

static int start_kafka(struct node *node, struct err *err)
{
	const struct hub_start start = {
		.store = node->store,
		.writer = node->writer,
		.registry = node->registry,
		.engine = node->engine,
		.member = node->member,
		.http = node->http,
		.remember = remember,
		.ctx = node,
	};

	return hub_start(node->kafka, &start, err);
}

static int start_alerts(struct node *node, struct err *err)
{
	const struct node_options *options = &node->options;
	const struct alerts_options alerts = {
		.store = node->store,
		.writer = node->writer,
		.http = node->http,
		.member = node->member,
		.participant = options->alerts_to,
		.dashboard = options->alerts_dashboard,
		.every_ms = options->alerts_every_ms,
		.repeat_ms = options->alerts_repeat_ms,
	};

	return options->alerts_to ? alerts_start(&alerts, &node->alerts, err) : 0;
}

static int start_schedules(struct node *node, struct err *err)
{
	const struct schedules_options schedules = {
		.store = node->store,
		.writer = node->writer,
		.registry = node->registry,
		.engine = node->engine,
		.http = node->http,
		.member = node->member,
		.ready = &node->ready,
		.address = node->address,
		.remember = remember,
		.ctx = node,
	};

	return schedules_start(&schedules, &node->schedules, err);
}

static int start_batches(struct node *node, struct err *err)
{
	const struct batches_options batches = {
		.store = node->store,
		.writer = node->writer,
		.engine = node->engine,
		.http = node->http,
		.member = node->member,
		.ready = &node->ready,
		.address = node->address,
	};

	return batches_start(&batches, &node->batches, err);
}

static int start_webhooks(struct node *node, struct err *err)
{
	const struct webhooks_options webhooks = {
		.store = node->store,
		.writer = node->writer,
		.registry = node->registry,
		.owners =
			{
				.engine = node->engine,
				.member = node->member,
				.http = node->http,
				.slot_count = node->store->ops->slot_count(node->store),
			},
		.keep_ms = node->options.kafka.early_events_ms,
		.checks = node->options.webhooks,
		.n_checks = node->options.n_webhooks,
	};

	return webhooks_start(&webhooks, &node->webhooks, err);
}

static int start_tasks(struct node *node, struct engine_options *engine, struct err *err)
{
	const struct tasks_options tasks = {
		.store = node->store,
		.http = node->http,
		.member = node->member,
	};

	engine->tasks_committed = tasks_committed;
	node->progress = task_progress_new(node->writer);
	return tasks_start(&tasks, &node->tasks, err);
}

/* Thread: engine. */
static void touched(void *ctx, const char *saga_id)
{
	streams_touched(((struct node *)ctx)->streams, saga_id);
}

/* engine NULL: this node is not told. */
static void wake_owners(struct node *node, struct engine *engine, const bool *slots)
{
	const struct owners owners = {
		.engine = engine,
		.member = node->member,
		.http = node->http,
		.slot_count = node->store->ops->slot_count(node->store),
	};

	owners_wake(&owners, slots);
}

/* Thread: writer. */
static void locks_granted(void *ctx, const bool *slots)
{
	wake_owners(ctx, ((struct node *)ctx)->engine, slots);
}

/* Thread: engine, whose own slots these are not. */
static void messages_sent(void *ctx, const bool *slots)
{
	wake_owners(ctx, NULL, slots);
}

/* Thread: engine. */
static void start_child(void *ctx, const char *saga_id, const char *ns,
						const struct command *command,
						void (*replied)(void *ctx, struct call_reply *reply), void *reply_ctx)
{
	child_starter_add(((struct node *)ctx)->children, saga_id, ns, command, replied, reply_ctx);
}

static int start_children(struct node *node, struct err *err)
{
	const struct triggers_options options = {
		.store = node->store,
		.writer = node->writer,
		.registry = node->registry,
		.engine = node->engine,
		.member = node->member,
		.http = node->http,
	};

	return child_starter_start(node->children, &options, err);
}

static int start_all(struct node *node, struct err *err)
{
	const struct node_options *options = &node->options;
	struct engine_options engine = {
		.intake_limit = options->intake_limit,
		.memory_sagas_max = options->memory_sagas_max,
	};
	int r = start_store(node, err);

	if (r < 0)
		return r;
	r = registry_new(node->store, node->writer, &node->registry, err);
	if (r < 0)
		return r;
	set_surroundings(node);
	registry_surround(node->registry, &node->around);
	engine.secrets = &node->secrets;
	r = http_client_start(options->participants, options->n_participants, &node->http, err);
	if (r < 0)
		return r;
	node->peers = peers_new(node->http);
	r = hub_new(&node->options.kafka, &node->kafka, err);
	if (r < 0)
		return r;
	r = waits_start(&node->waits, err);
	if (r < 0)
		return r;
	engine.store = node->store;
	engine.writer = node->writer;
	engine.registry = node->registry;
	engine.http = node->http;
	engine.ready = &node->ready;
	engine.tally = node->tally;
	engine.committed = touched;
	engine.messages_sent = messages_sent;
	engine.committed_ctx = node;
	make_member(node, &engine);
	node->children = child_starter_new();
	engine.start_child = start_child;
	engine.children_ctx = node;
	hub_engine_options(node->kafka, &engine);
	r = start_tasks(node, &engine, err);
	if (r < 0)
		return r;
	engine.tasks_ctx = node->tasks;
	r = engine_start(&engine, &node->engine, err);
	if (r < 0)
		return r;
	writer_on_granted(node->writer, locks_granted, node);
	tasks_set_engine(node->tasks, node->engine);
	r = start_children(node, err);
	if (r < 0)
		return r;
	r = start_batches(node, err);
	if (r < 0)
		return r;
	r = start_webhooks(node, err);
	if (r < 0)
		return r;
	r = server_start(node, &node->server, err);
	if (r < 0)
		return r;
	r = start_member(node, err);
	if (r == 0)
		r = start_alerts(node, err);
	if (r == 0)
		r = start_schedules(node, err);
	return r == 0 ? start_kafka(node, err) : r;
}

int node_start(const struct node_options *options, struct node **ret_node, struct err *err)
{
	struct node *node = xcalloc(1, sizeof(*node));
	int r;

	clock_start();
	node->options = *options;
	node->streams = streams_new();
	node->tally = tally_new();
	r = start_all(node, err);
	if (r < 0) {
		node_stop(node);
		return r;
	}
	/* The URL of a server may hold a password. */
	log_info(
		"node", NULL, "listening on http://%s:%d, store %s", options->listen_address, node->port,
		store_postgres_is_url(options->store_path) ? node->store->ops->name : options->store_path);
	*ret_node = node;
	return 0;
}

void node_stop(struct node *node)
{
	if (!node)
		return;
	__atomic_store_n(&node->draining, true, __ATOMIC_RELAXED);
	/* Who follows something goes on elsewhere, and does not wait for what is to end here. */
	streams_end(node->streams);
	tasks_end(node->tasks);
	if (node->member)
		member_announce_drain(node->member);
	alerts_stop(node->alerts);
	schedules_stop(node->schedules);
	if (node->kafka)
		hub_stop(node->kafka, INTAKE_GRACE_MS);
	batches_stop(node->batches, INTAKE_GRACE_MS);
	if (node->engine)
		engine_drain(node->engine, node->options.drain_ms);
	child_starter_stop(node->children);
	if (node->kafka)
		hub_end(node->kafka, INTAKE_GRACE_MS);
	waits_end(node->waits);
	if (node->writer)
		writer_on_granted(node->writer, NULL, NULL);
	if (node->member)
		member_stop(node->member, HAND_OVER_MS);
	if (node->server)
		server_stop(node->server);
	webhooks_stop(node->webhooks);
	if (node->http)
		http_client_stop(node->http, 0);
	waits_stop(node->waits);
	tasks_stop(node->tasks);
	if (node->engine)
		engine_stop(node->engine);
	writer_stop(node->writer);
	engine_free(node->engine);
	child_starter_free(node->children);
	webhooks_free(node->webhooks);
	tasks_free(node->tasks);
	task_progress_free(node->progress);
	batches_free(node->batches);
	schedules_free(node->schedules);
	hub_free(node->kafka);
	member_free(node->member);
	registry_free(node->registry);
	streams_free(node->streams);
	peers_free(node->peers);
	tally_free(node->tally);
	free((void *)node->around.secrets);
	free(node->public_url);
	if (node->store)
		node->store->ops->close(node->store);
	free(node);
}
