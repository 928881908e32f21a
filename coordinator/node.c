/*
 * Composition, visibly and in order. A node that could not be started whole is taken down as far as
 * it came, by the same function that stops it.
 */
#include "coordinator/node.h"

#include <stdlib.h>

#include "connectors/store_postgres.h"
#include "connectors/store_sqlite.h"
#include "coordinator/clock.h"
#include "coordinator/log.h"
#include "coordinator/server.h"
#include "coordinator/writer.h"

static int open_store(const char *address, struct store **ret_store, struct err *err)
{
	struct store_postgres_options postgres = {.url = address, .exclusive = true};
	struct store_sqlite_options sqlite = {.path = address};

	return store_postgres_is_url(address) ? store_postgres_open(&postgres, ret_store, err)
										  : store_sqlite_open(&sqlite, ret_store, err);
}

static int start_store(struct node *node, struct err *err)
{
	struct writer_options writer = {.retention_ms = node->options.retention_ms};
	int r = open_store(node->options.store_path, &node->store, err);

	if (r < 0)
		return r;
	writer.store = node->store;
	return writer_start(&writer, &node->writer, err);
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
	r = http_client_start(options->participants, options->n_participants, &node->http, err);
	if (r < 0)
		return r;
	engine.store = node->store;
	engine.writer = node->writer;
	engine.registry = node->registry;
	engine.http = node->http;
	engine.ready = &node->ready;
	r = engine_start(&engine, &node->engine, err);
	if (r < 0)
		return r;
	return server_start(node, &node->server, err);
}

int node_start(const struct node_options *options, struct node **ret_node, struct err *err)
{
	struct node *node = xcalloc(1, sizeof(*node));
	int r;

	clock_start();
	node->options = *options;
	r = start_all(node, err);
	if (r < 0) {
		node_stop(node);
		return r;
	}
	/* The URL of a server may hold a password. */
	log_info("node", NULL, "serves %s:%d from store %s", options->listen_address, node->port,
			 store_postgres_is_url(options->store_path) ? node->store->ops->name
														: options->store_path);
	*ret_node = node;
	return 0;
}

void node_stop(struct node *node)
{
	if (!node)
		return;
	__atomic_store_n(&node->draining, true, __ATOMIC_RELAXED);
	if (node->engine)
		engine_drain(node->engine, node->options.drain_ms);
	if (node->server)
		server_stop(node->server);
	if (node->http)
		http_client_stop(node->http, 0);
	if (node->engine)
		engine_stop(node->engine);
	writer_stop(node->writer);
	engine_free(node->engine);
	registry_free(node->registry);
	if (node->store)
		node->store->ops->close(node->store);
	free(node);
}
