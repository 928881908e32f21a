/*
 * One running coordinator: composes store, writer, engine, HTTP client, registry and HTTP server,
 * in this order, and takes them down in the reverse one.
 */
#ifndef COORDINATOR_NODE_H
#define COORDINATOR_NODE_H

#include "connectors/http_client.h"
#include "connectors/store.h"
#include "coordinator/alerts.h"
#include "coordinator/engine.h"
#include "coordinator/kafka/hub.h"
#include "coordinator/membership.h"
#include "coordinator/registry.h"
#include "coordinator/secrets.h"
#include "coordinator/tasks.h"
#include "coordinator/waits.h"
#include "coordinator/webhook_check.h"

struct node_options {
	const char *store_path;     /* of the SQLite file, or postgresql://… */
	bool single_slot_batches;   /* Postgres: a commit for each slot */
	const char *listen_address; /* "127.0.0.1" */
	int listen_port;            /* 0: any free one */
	const struct http_participant *participants;
	size_t n_participants;
	int64_t retention_ms;     /* of terminal sagas; 0: for ever */
	int64_t run_retention_ms; /* of runs that are over; 0: for ever */
	int64_t drain_ms;         /* how long a graceful stop may take */
	size_t intake_limit;      /* of the engine's mailbox */
	size_t memory_sagas_max;  /* open sagas in memory; past it starts are refused with 429 */
	int streams_max;          /* streams of events at a time */
	size_t payload_max;       /* bytes of a request body */
	const char *public_url;   /* where participants reach this server; NULL: where it listens */
	/* What definitions read of the server. All are borrowed, and outlive the node. */
	json_t *env; /* an object of texts */
	const struct secret *secrets;
	size_t n_secrets;
	const struct webhook_check *webhooks;
	size_t n_webhooks;
	const json_t *approval_groups; /* see approval_groups.h; NULL: none */
	/* Whose pages may act, beside the server's own; see http_text.h. NULL: none. */
	const char *allowed_origins;
	/* Pointers to known keys; see connectors/idempotency_redis.h. */
	const char *redis_url;    /* NULL: the store alone knows keys */
	const char *redis_prefix; /* of their names; NULL: its default */
	int64_t idempotency_ttl_ms, idempotency_timeout_ms;
	/* With a store of many nodes. */
	const char *advertise; /* where the others reach the API; NULL: where it listens */
	int64_t lease_ms;      /* 0: 10 s */
	struct kafka_settings kafka;
	/* See alerts.h. */
	const char *alerts_to; /* a participant; NULL: nobody is told */
	const char *alerts_dashboard;
	int64_t alerts_every_ms, alerts_repeat_ms;
};

struct node {
	struct node_options options;
	struct store *store;
	struct writer *writer;
	struct engine *engine;
	struct http_client *http;
	struct waits *waits;
	struct streams *streams;
	struct tally *tally;
	struct peers *peers;
	struct registry *registry;
	struct server *server;
	struct member *member; /* NULL: the store is of one process */
	struct hub *kafka;
	struct webhooks *webhooks;
	struct batches *batches;
	struct child_starter *children;
	struct alerts *alerts; /* NULL: nobody is told */
	struct surroundings around;
	struct secrets secrets;
	char *public_url; /* around.public_url */
	struct tasks *tasks;
	struct schedules *schedules;
	struct task_progress *progress;
	int port;                        /* on which it listens */
	char address[NODE_ADDRESS_SIZE]; /* URL under which other nodes reach it */
	bool draining;                   /* atomic: intake is closed */
	bool ready;                      /* atomic: recovery is done and the store answers */
};

int node_start(const struct node_options *options, struct node **ret_node,
			   struct err *err) MUST_CHECK;
/* Drains: intake stops (503), what is in flight ends or is handed over to the next start, all is
 * durable. Frees the node. */
void node_stop(struct node *node);

#endif
