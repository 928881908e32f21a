/* The Kafka clusters of the configuration: brokers and properties, by name. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/config_priv.h"
#include "sagas/kafka_topic.h"

struct config_cluster *config__cluster_add(struct config *config, const char *name)
{
	struct config_cluster *cluster;

	if (config->n_clusters == 0 && strcmp(name, "default") != 0)
		config__cluster_add(config, "default");
	for (size_t i = 0; i < config->n_clusters; i++)
		if (strcmp(config->clusters[i].name, name) == 0)
			return &config->clusters[i];
	if (config->n_clusters == CONFIG_MAX_CLUSTERS)
		return NULL;
	config->clusters =
		xrealloc_array(config->clusters, config->n_clusters + 1, sizeof(*config->clusters));
	cluster = &config->clusters[config->n_clusters++];
	*cluster = (struct config_cluster){.name = xstrdup(name)};
	return cluster;
}

void config__set_brokers(struct config_cluster *cluster, const char *text,
						 const struct config_origin *origin, struct findings *findings)
{
	if (!*text) {
		findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
					 "the brokers of cluster %s must not be empty", cluster->name);
		return;
	}
	free(cluster->brokers);
	cluster->brokers = xstrdup(text);
}

void config__set_property(struct config_cluster *cluster, const char *name, const char *value,
						  const struct config_origin *origin, struct findings *findings)
{
	struct config_property *property = NULL;
	struct err err;

	if (kafka_property_check(name, value, &err) < 0) {
		findings_add(findings, FINDING_ERROR, origin->line, origin->pointer, "%s", err.text);
		return;
	}
	for (size_t i = 0; i < cluster->n_properties; i++)
		if (strcmp(cluster->properties[i].name, name) == 0)
			property = &cluster->properties[i];
	if (!property && cluster->n_properties == CONFIG_MAX_PROPERTIES) {
		findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
					 "cluster %s has more than %d properties", cluster->name,
					 CONFIG_MAX_PROPERTIES);
		return;
	}
	if (!property) {
		cluster->properties = xrealloc_array(cluster->properties, cluster->n_properties + 1,
											 sizeof(*cluster->properties));
		property = &cluster->properties[cluster->n_properties++];
		*property = (struct config_property){.name = xstrdup(name)};
	}
	free(property->value);
	property->value = xstrdup(value);
	property->source = origin->source;
}

/* librdkafka's names have points where a variable has `_`. */
static void set_property_variable(struct config_cluster *cluster, const char *name,
								  const char *value, const struct config_origin *origin,
								  struct findings *findings)
{
	CLEANUP(free_p) char *property = xstrdup(name);

	for (char *c = property; *c; c++)
		if (*c == '_')
			*c = '.';
	config__set_property(cluster, property, value, origin, findings);
}

bool config__kafka_variable(struct config *config, const char *name, const char *value,
							const struct config_origin *origin, struct findings *findings)
{
	struct config_cluster *cluster;
	const char *key;

	if (strncmp(name, "properties__", 12) == 0) {
		set_property_variable(config__cluster_add(config, "default"), name + 12, value, origin,
							  findings);
		return true;
	}
	if (strncmp(name, "clusters__", 10) != 0)
		return false;
	name += 10;
	key = strstr(name, "__");
	CLEANUP(free_p) char *alone = xstrndup(name, key ? (size_t)(key - name) : 0);

	cluster = key && key > name ? config__cluster_add(config, alone) : NULL;
	if (cluster && strcmp(key, "__brokers") == 0)
		config__set_brokers(cluster, value, origin, findings);
	else if (cluster && strncmp(key, "__properties__", 14) == 0)
		set_property_variable(cluster, key + 14, value, origin, findings);
	else
		findings_add(findings, FINDING_ERROR, 0, origin->pointer,
					 "is written SKALD_KAFKA__CLUSTERS__NAME__BROKERS or "
					 "..__NAME__PROPERTIES__SASL_USERNAME, for at most %d clusters",
					 CONFIG_MAX_CLUSTERS);
	return true;
}

static bool has_cluster(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_clusters; i++)
		if (strcmp(config->clusters[i].name, name) == 0)
			return true;
	return false;
}

/* host, host:port or [::1]:port, perhaps behind a scheme such as SASL_SSL:// */
static bool is_broker(const char *text, size_t len)
{
	CLEANUP(free_p) char *broker = xstrndup(text, len);
	char *host = strstr(broker, "://"), *port;

	host = host ? host + 3 : broker;
	port = strrchr(host, ':');
	if (host[0] == '[') {
		port = strchr(host, ']');
		if (!port || (port[1] && port[1] != ':'))
			return false;
		port = port[1] ? port + 1 : NULL;
	}
	if (port) {
		size_t digits = strspn(port + 1, "0123456789");
		long n = strtol(port + 1, NULL, 10);

		if (digits == 0 || digits > 5 || port[1 + digits] || n < 1 || n > 65535)
			return false;
		*port = '\0';
	}
	return host[0] && !strpbrk(host, " \t\r\n/@");
}

static void check_brokers(const char *pointer, const char *brokers, struct findings *findings)
{
	while (true) {
		size_t len = strcspn(brokers, ",");

		if (!is_broker(brokers, len))
			findings_add(findings, FINDING_ERROR, 0, pointer,
						 "brokers are host:port,host:port and so on, which `%.*s` is not",
						 len < 100 ? (int)len : 100, brokers);
		if (!brokers[len])
			return;
		brokers += len + 1;
	}
}

static void check_topic(const char *pointer, const char *topic, struct findings *findings)
{
	struct err err;

	if (kafka_topic_check(topic, &err) < 0)
		findings_add(findings, FINDING_ERROR, 0, pointer, "%s", err.text);
}

void config__kafka_check(const struct config *config, struct findings *findings)
{
	if (strcmp(config->kafka_brokers, "none") != 0)
		check_brokers("/kafka/brokers", config->kafka_brokers, findings);
	for (size_t i = 0; i < config->n_clusters; i++) {
		CLEANUP(free_p)
		char *pointer = xasprintf("/kafka/clusters/%s/brokers", config->clusters[i].name);

		if (config->clusters[i].brokers)
			check_brokers(pointer, config->clusters[i].brokers, findings);
	}
	check_topic("/kafka/reply_topic", config->kafka_reply_topic, findings);
	check_topic("/kafka/events_topic", config->kafka_events_topic, findings);
	for (size_t i = 0; i < config->n_participants; i++) {
		const struct config_participant *p = &config->participants[i];
		CLEANUP(free_p) char *pointer = NULL;

		if (!p->cluster || strcmp(p->cluster, "default") == 0 || has_cluster(config, p->cluster))
			continue;
		pointer = xasprintf("/participants/%s/cluster", p->name);
		findings_add(findings, FINDING_ERROR, 0, pointer,
					 "there is no Kafka cluster `%s`; kafka.clusters.%s.brokers says where it is",
					 p->cluster, p->cluster);
	}
}

static void print_properties(const struct config_cluster *cluster, const char *indent, FILE *out)
{
	fprintf(out, "%sproperties:\n", indent);
	for (size_t i = 0; i < cluster->n_properties; i++) {
		const struct config_property *property = &cluster->properties[i];

		fprintf(out, "%s  %s: ", indent, property->name);
		config__print_string(kafka_property_is_secret(property->name) ? "***" : property->value,
							 out);
		fprintf(out, "  # %s\n", config__source_text(property->source));
	}
}

void config__kafka_print(const struct config *config, FILE *out)
{
	if (config->n_clusters > 0 && config->clusters[0].n_properties > 0)
		print_properties(&config->clusters[0], "  ", out);
	if (config->n_clusters > 1)
		fputs("  clusters:\n", out);
	for (size_t i = 1; i < config->n_clusters; i++) {
		const struct config_cluster *cluster = &config->clusters[i];

		fprintf(out, "    %s:\n      brokers: ", cluster->name);
		config__print_string(cluster->brokers ? cluster->brokers : "", out);
		fputc('\n', out);
		if (cluster->n_properties > 0)
			print_properties(cluster, "      ", out);
	}
}

void config__kafka_release(struct config *config)
{
	for (size_t i = 0; i < config->n_clusters; i++) {
		struct config_cluster *cluster = &config->clusters[i];

		free(cluster->name);
		free(cluster->brokers);
		for (size_t k = 0; k < cluster->n_properties; k++) {
			free(cluster->properties[k].name);
			free(cluster->properties[k].value);
		}
		free(cluster->properties);
	}
	free(config->clusters);
	for (size_t i = 0; config->cluster_view && i < config->n_clusters + 1; i++)
		free((void *)config->cluster_view[i].properties);
	free(config->cluster_view);
	free(config->kafka_view);
}

static void view_cluster(const struct config_cluster *cluster, const char *brokers,
						 struct kafka_cluster_options *ret)
{
	size_t n = cluster ? cluster->n_properties : 0;
	struct kafka_property *properties = xcalloc(n + 1, sizeof(*properties));

	for (size_t i = 0; i < n; i++)
		properties[i] = (struct kafka_property){.name = cluster->properties[i].name,
												.value = cluster->properties[i].value};
	*ret = (struct kafka_cluster_options){
		.name = cluster ? cluster->name : "default",
		.brokers = brokers,
		.properties = properties,
		.n_properties = n,
	};
}

/* The clusters that have brokers, and the participants that have topics. */
void config__kafka_options(struct config *config, struct kafka_settings *ret_settings)
{
	const struct config_cluster *first = config->n_clusters ? &config->clusters[0] : NULL;
	const char *brokers = config__or_null(config->kafka_brokers);
	size_t n = 0, n_participants = 0;

	if (!brokers && first)
		brokers = first->brokers;
	config->cluster_view = xcalloc(config->n_clusters + 1, sizeof(*config->cluster_view));
	if (brokers)
		view_cluster(first, brokers, &config->cluster_view[n++]);
	for (size_t i = 1; i < config->n_clusters; i++)
		view_cluster(&config->clusters[i], config->clusters[i].brokers, &config->cluster_view[n++]);
	config->kafka_view = xcalloc(config->n_participants + 1, sizeof(*config->kafka_view));
	for (size_t i = 0; i < config->n_participants; i++) {
		const struct config_participant *p = &config->participants[i];

		if (p->topic)
			config->kafka_view[n_participants++] = (struct kafka_participant){
				.name = p->name,
				.cluster = p->cluster ? p->cluster : "default",
				.topic = p->topic,
				.profile = p->profile,
			};
	}
	*ret_settings = (struct kafka_settings){
		.clusters = config->cluster_view,
		.n_clusters = n,
		.participants = config->kafka_view,
		.n_participants = n_participants,
		.group_prefix = config->kafka_group_prefix,
		.reply_topic = config->kafka_reply_topic,
		.reply_partitions = (int)config->kafka_reply_partitions,
		.events_topic = config__or_null(config->kafka_events_topic),
		.cdc = strcmp(config->kafka_outbox, "cdc") == 0,
		.early_events_ms = config->kafka_early_events,
		.in_flight = (int)config->kafka_in_flight,
	};
}
