/*
 * The configuration of a server: defaults < file (YAML) < environment < flags. One table says of
 * each setting its name, flag, type, default, bounds and help; the file's grammar, the
 * environment's names (SKALD_SECTION__KEY), the flags, `--print-config` and docs/configuration.md
 * follow from it.
 *
 * Beside the table stand the participants, by name:
 *
 *   participants:
 *     stock: {url: "http://stock:8080", headers: {Authorization: "Bearer ..."}, max_connections:
 * 64}
 *
 * in the environment SKALD_PARTICIPANTS__STOCK__URL, ..__STOCK__HEADERS__AUTHORIZATION and
 * ..__STOCK__MAX_CONNECTIONS, and as a flag --participant stock=http://stock:8080. In a name of the
 * environment `_` stands for `-` too, where a participant with dashes is known. A participant that
 * is reached over Kafka has {topic, cluster, profile} instead of, or beside, its url; as a flag
 * --participant credit=kafka:credit.commands.
 *
 * And the Kafka clusters: kafka.brokers and kafka.properties are those of the cluster `default`,
 * kafka.clusters.NAME.brokers and .properties those of others. A property is librdkafka's; in the
 * environment SKALD_KAFKA__PROPERTIES__SASL_PASSWORD is `sasl.password`.
 *
 * And what definitions read of a server, and may be told by others:
 *
 *   env: {region: eu}                                    # env.region
 *   secrets: {psp_token: {file: /run/secrets/psp}, pin: {env: PSP_PIN}}   # secret.psp_token
 *   webhooks: {psp: {scheme: standard, secret_file: /run/secrets/psp_hook}}
 *
 * in the environment SKALD_ENV__REGION, SKALD_SECRETS__PSP_TOKEN__FILE and
 * SKALD_WEBHOOKS__PSP__SECRET_FILE. What is read from files and variables is read when the server
 * starts (config_read_secrets), and never printed.
 *
 * And who is in the groups that decide approvals: approvals.groups: {sales: [ann, bob]}; in the
 * environment SKALD_APPROVALS__GROUPS__SALES="ann, bob".
 *
 * Everything wrong is reported at once, in findings whose pointer names the setting or variable.
 */
#ifndef COORDINATOR_CONFIG_H
#define COORDINATOR_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#include "connectors/kafka.h"
#include "coordinator/node.h"
#include "sagas/def_load.h"

enum config_type { CONFIG_TEXT, CONFIG_CHOICE, CONFIG_INT, CONFIG_BYTES, CONFIG_DURATION };

/* X(section, key, flag, type, default, least, most, help); durations are bounded in milliseconds.
 */
#define CONFIG_SETTINGS(X)                                                                         \
	X(server, listen, "listen", TEXT, "127.0.0.1", 0, 0,                                           \
	  "address to listen on; there is no authentication yet, so beyond loopback let nobody in "    \
	  "whom you do not trust")                                                                     \
	X(server, port, "port", INT, "7878", 0, 65535, "port to listen on; 0 takes any free one")      \
	X(server, payload_max, "payload-max", BYTES, "2MiB", 1024, 67108864,                           \
	  "largest request body that is read; a larger one is answered 413")                           \
	X(server, streams_max, "streams-max", INT, "256", 0, 2000,                                     \
	  "streams of events at a time; one more is answered 503")                                     \
	X(server, allowed_origins, "allowed-origins", TEXT, "none", 0, 0,                              \
	  "origins whose pages may act, beside the server's own, as https://skald.example.com,…; "   \
	  "also names that it goes by; none: no others")                                               \
	X(server, public_url, "public-url", TEXT, "auto", 0, 0,                                        \
	  "URL under which participants reach this server, for step.callback_url; auto: the address "  \
	  "and port it listens on")                                                                    \
	X(server, drain, "drain", DURATION, "10s", 0, 3600000,                                         \
	  "how long a stop by SIGTERM waits for calls that are out")                                   \
	X(store, path, "store", TEXT, "skald-data/skald.db", 0, 0,                                     \
	  "file of the embedded store (SQLite); its folder is made when missing; or the URL of a "     \
	  "Postgres")                                                                                  \
	X(store, retention, "retention", DURATION, "30d", 0, 315360000000,                             \
	  "how long sagas are kept after their end; 0s: for ever")                                     \
	X(store, run_retention, "run-retention", DURATION, "30d", 0, 315360000000,                     \
	  "how long the history of a run is kept after the saga has continued as new; 0s: for ever")   \
	X(store, batch_by, "batch-by", CHOICE, "node", 0, 0,                                           \
	  "with Postgres, what one commit carries: all that a node has (node), or one slot's (slot), " \
	  "for a Postgres that is distributed by slot")                                                \
	X(engine, intake_limit, "intake-limit", INT, "10000", 1, 1000000,                              \
	  "starts that may wait for the engine; past it they are answered 429")                        \
	X(engine, memory_sagas_max, "memory-sagas-max", INT, "100000", 1, 10000000,                    \
	  "open sagas that are kept in memory; past it starts are answered 429")                       \
	X(idempotency, redis_url, "redis-url", TEXT, "none", 0, 0,                                     \
	  "where pointers to known keys are kept: redis://, redis+sentinel:// or unix://; none: the "  \
	  "store alone knows keys")                                                                    \
	X(idempotency, redis_prefix, "redis-prefix", TEXT, "skald:", 0, 0,                             \
	  "what the names of keys in Redis begin with")                                                \
	X(idempotency, ttl, "idempotency-ttl", DURATION, "1d", 1000, 31536000000,                      \
	  "how long a pointer is kept in Redis; the store knows the key as long as the saga")          \
	X(idempotency, timeout, "redis-timeout", DURATION, "50ms", 1, 10000,                           \
	  "how long a start waits for Redis at most before it goes on without")                        \
	X(node, advertise, "advertise", TEXT, "auto", 0, 0,                                            \
	  "with a store of many nodes: URL under which the others reach this one's API; auto: the "    \
	  "address and port it listens on")                                                            \
	X(node, lease, "node-lease", DURATION, "10s", 1000, 600000,                                    \
	  "with a store of many nodes: how long a node that says nothing keeps its slots")             \
	X(kafka, brokers, "kafka-brokers", TEXT, "none", 0, 0,                                         \
	  "host:port,… of the Kafka cluster named default; none: no such cluster")                     \
	X(kafka, group_prefix, "kafka-group-prefix", TEXT, "skald", 0, 0,                              \
	  "what the names of consumer groups begin with; one for each installation on a cluster")      \
	X(kafka, reply_topic, "kafka-reply-topic", TEXT, "skald.replies", 0, 0,                        \
	  "topic to which participants reply to commands; made when missing")                          \
	X(kafka, reply_partitions, "kafka-reply-partitions", INT, "12", 1, 1000,                       \
	  "partitions of the reply topic when it is made")                                             \
	X(kafka, events_topic, "kafka-events-topic", TEXT, "none", 0, 0,                               \
	  "topic to which what happens to sagas is published; none: it is not")                        \
	X(kafka, outbox, "kafka-outbox", CHOICE, "relay", 0, 0,                                        \
	  "who publishes the outbox: Skald (relay), or a connector that reads the table's changes "    \
	  "(cdc)")                                                                                     \
	X(kafka, early_events, "kafka-early-events", DURATION, "1h", 1000, 604800000,                  \
	  "how long an event, also of a webhook, is kept for sagas that do not await it yet")          \
	X(kafka, in_flight, "kafka-in-flight", INT, "1000", 1, 100000,                                 \
	  "records of one partition that are worked on at a time; past it the partition is paused")    \
	X(alerts, to, "alerts-to", TEXT, "none", 0, 0,                                                 \
	  "participant whose address is told (POST) of sagas that need a person; none: nobody is")     \
	X(alerts, every, "alerts-every", DURATION, "10s", 100, 3600000,                                \
	  "how often is looked for something to tell")                                                 \
	X(alerts, repeat, "alerts-repeat", DURATION, "4h", 1000, 31536000000,                          \
	  "when it is told again of what nobody has acknowledged or repaired")                         \
	X(alerts, dashboard, "alerts-dashboard", TEXT, "none", 0, 0,                                   \
	  "URL of the dashboard as people reach it, for links in alerts; none: no links")              \
	X(log, level, "log-level", CHOICE, "info", 0, 0, "off, error, warn, info or debug")            \
	X(log, format, "log-format", CHOICE, "text", 0, 0, "text or json; the log goes to stderr")

#define CONFIG_TYPE_OF_TEXT char *
#define CONFIG_TYPE_OF_CHOICE char *
#define CONFIG_TYPE_OF_INT int64_t
#define CONFIG_TYPE_OF_BYTES int64_t
#define CONFIG_TYPE_OF_DURATION int64_t

enum config_index {
#define X(section, key, flag, type, fallback, least, most, help) CONFIG_##section##_##key,
	CONFIG_SETTINGS(X)
#undef X
		CONFIG_SETTING_COUNT
};

enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENV, CONFIG_FROM_FLAG };

struct config_setting {
	const char *section, *key;
	const char *flag;
	enum config_type type;
	const char *fallback;
	int64_t least, most;
	const char *help;
	size_t offset; /* in struct config */
};

extern const struct config_setting config_settings[CONFIG_SETTING_COUNT];

enum {
	CONFIG_MAX_PARTICIPANTS = 1000,
	CONFIG_MAX_HEADERS = 32,
	CONFIG_MAX_BYTES = 1024 * 1024,
	CONFIG_MAX_CLUSTERS = 16,
	CONFIG_MAX_PROPERTIES = 100,
	CONFIG_MAX_ENV = 1000,
	CONFIG_MAX_SECRETS = 1000,
	CONFIG_MAX_WEBHOOKS = 1000,
};

struct config_participant {
	char *name;
	char *url;
	char *headers[CONFIG_MAX_HEADERS + 1]; /* "Name: value", NULL-terminated */
	int n_headers;
	int64_t max_connections; /* 0: the client's default */
	char *topic;             /* of its commands; NULL: it is not reached over Kafka */
	char *cluster;           /* NULL: default */
	enum reply_profile profile;
	enum config_source source;
};

struct config_property {
	char *name, *value;
	enum config_source source;
};

struct config_cluster {
	char *name;
	char *brokers; /* NULL: not said, and of `default` the setting kafka.brokers */
	struct config_property *properties;
	size_t n_properties;
};

/* A value of `env`. */
struct config_value {
	char *name, *text;
	enum config_source source;
};

/* Where a secret comes from: a file, or a variable of the process. */
struct config_secret {
	char *name;
	char *file, *variable; /* one of them; both NULL: not said */
	char *value;           /* once it is read */
	enum config_source source;
};

/* How what is posted to a webhook's source is checked. */
struct config_webhook {
	struct config_secret secret; /* its name is the source's */
	enum webhook_scheme scheme;
	char *header;      /* that holds the signature; NULL: the scheme's */
	int64_t tolerance; /* of its time, in ms */
};

struct config {
#define X(section, key, flag, type, fallback, least, most, help)                                   \
	CONFIG_TYPE_OF_##type section##_##key;
	CONFIG_SETTINGS(X)
#undef X
	enum config_source source[CONFIG_SETTING_COUNT];
	struct config_participant *participants;
	size_t n_participants;
	struct config_cluster *clusters; /* the first is `default` */
	size_t n_clusters;
	struct config_value *env;
	size_t n_env;
	struct config_secret *secrets;
	size_t n_secrets;
	struct config_webhook *webhooks;
	size_t n_webhooks;
	json_t *approval_groups; /* {name: [persons]}; NULL: none is said */
	/* For node_options. */
	struct secret *secret_view;
	struct webhook_check *webhook_view;
	json_t *env_view;
	struct http_participant *view;
	struct kafka_participant *kafka_view;
	struct kafka_cluster_options *cluster_view;
};

/* Everything at its default. */
void config_init(struct config *config);
void config_release(struct config *config);

/*
 * Each adds what is wrong to findings and goes on. The file's findings have lines; those of the
 * environment and of flags name the variable or flag in their pointer.
 */
int config_read_file(struct config *config, const char *path, struct findings *findings,
					 struct err *err) MUST_CHECK; /* ERR_IO: cannot be read */
void config_read_text(struct config *config, const char *text, size_t len,
					  struct findings *findings);
/* environment: as environ. Only names with `__` after SKALD_ are settings. */
void config_read_environment(struct config *config, char *const *environment,
							 struct findings *findings);
void config_set_flag(struct config *config, const char *flag, const char *value,
					 struct findings *findings);
/* "name=url" */
void config_set_participant_flag(struct config *config, const char *text,
								 struct findings *findings);
/* Adds the participant, or replaces its address, unless it was said by a stronger source. */
void config_set_participant(struct config *config, const char *name, const char *url,
							enum config_source source);

/* Reads the secrets from where they are. Those that are not there are findings. */
void config_read_secrets(struct config *config, struct findings *findings);

/* What can be said only when all sources are read: whether what is named is there. */
void config_check(const struct config *config, struct findings *findings);

/* The effective values as YAML, each with where it comes from; secrets are masked. */
void config_print(const struct config *config, FILE *out);

/* The address without its user and password, as it may be shown; the caller's. */
char *config_masked_url(const char *url) MUST_CHECK;

/* What of it a node takes; borrowed from config. */
void config_node_options(struct config *config, struct node_options *ret_options);

#endif
