/*
 * Which of librdkafka's properties a user may set. librdkafka itself says what exists and which
 * values it takes; the table here says what Skald keeps to itself, and why.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "connectors/kafka_priv.h"
#include "sagas/base/suggest.h"

#define COMMITS "Skald commits an offset when what its record started is durable"
#define ORDER                                                                                      \
	"an idempotent producer that waits for all replicas is what Skald's guarantees rest on"
#define BOUNDS "Skald bounds its queues itself"
#define CODE "functions and pointers cannot be set by text"

static const struct {
	const char *name, *why;
} own_properties[] = {
	{"bootstrap.servers", "it is the setting `brokers`"},
	{"metadata.broker.list", "it is the setting `brokers`"},
	{"group.id", "it follows from the trigger (`group`) or from `kafka.group_prefix`"},
	{"group.instance.id", "several consumers share these properties, and it must differ for each"},
	{"group.protocol.type", "Skald's consumers are of the type `consumer`"},
	{"partition.assignment.strategy", "`range`: others go astray in this version of librdkafka"},
	{"enable.auto.commit", COMMITS},
	{"auto.commit.enable", COMMITS},
	{"auto.commit.interval.ms", COMMITS},
	{"enable.auto.offset.store", COMMITS},
	{"offset.store.method", COMMITS},
	{"offset.store.path", COMMITS},
	{"offset.store.sync.interval.ms", COMMITS},
	{"auto.offset.reset", "it is the trigger's `from`"},
	{"enable.partition.eof", "Skald needs to hear of the end of a partition"},
	{"enable.idempotence", ORDER},
	{"enable.gapless.guarantee", ORDER},
	{"acks", ORDER},
	{"request.required.acks", ORDER},
	{"max.in.flight", ORDER},
	{"max.in.flight.requests.per.connection", ORDER},
	{"retries", ORDER},
	{"message.send.max.retries", ORDER},
	{"queuing.strategy", ORDER},
	{"transactional.id", "Skald does not use transactions of Kafka"},
	{"transaction.timeout.ms", "Skald does not use transactions of Kafka"},
	{"partitioner",
	 "`murmur2_random`, as Java's producers have it, so that a key has one partition"},
	{"message.timeout.ms", "a record that is sent too late could follow its own undo"},
	{"delivery.timeout.ms", "a record that is sent too late could follow its own undo"},
	{"delivery.report.only.error", "Skald waits for the report of each record"},
	{"produce.offset.report", "Skald waits for the report of each record"},
	{"queue.buffering.max.messages", BOUNDS},
	{"queue.buffering.max.kbytes", BOUNDS},
	{"consume.callback.max.messages", BOUNDS},
	{"statistics.interval.ms", "Skald's metrics are read from them"},
	{"builtin.features", "it only tells what librdkafka was built with"},
	{"plugin.library.paths", "it would load foreign code into Skald"},
	{"interceptors", "it would load foreign code into Skald"},
	{"test.mock.num.brokers", "`skald dev --kafka` starts brokers inside the process"},
	{"test.mock.broker.rtt", "`skald dev --kafka` starts brokers inside the process"},
	{"internal.termination.signal", "Skald's threads take no signals"},
	{"enabled_events", CODE},
	{"log.queue", CODE},
	{"enable_sasl_queue", CODE},
	{"opaque", CODE},
	{"default_topic_conf", CODE},
	{"ssl_key", "use ssl.key.pem or ssl.key.location"},
	{"ssl_certificate", "use ssl.certificate.pem or ssl.certificate.location"},
	{"ssl_ca", "use ssl.ca.pem or ssl.ca.location"},
	{"ssl_engine_callback_data", CODE},
	{"ssl.certificate.verify_cb", CODE},
	{"msg_order_cmp", CODE},
};

bool kafka_property_is_secret(const char *name)
{
	static const char *const parts[] = {
		"password", "secret", ".key.pem", "oauthbearer.config", "sasl.kerberos.kinit.cmd",
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (strcasestr(name, parts[i]))
			return true;
	}
	return false;
}

static const char *why_own(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(own_properties); i++) {
		if (strcmp(name, own_properties[i].name) == 0)
			return own_properties[i].why;
	}
	return len > 3 && strcmp(name + len - 3, "_cb") == 0 ? CODE : NULL;
}

/* The names are in a table that librdkafka prints: "name | C/P | …", a line each. */
static int refuse_unknown(const char *name, struct err *err)
{
	CLEANUP(free_p) char *text = NULL;
	struct suggest suggest;
	size_t size = 0;
	char *save = NULL;
	FILE *out = open_memstream(&text, &size);

	CHECK(out);
	rd_kafka_conf_properties_show(out);
	CHECK(fclose(out) == 0);
	suggest_init(&suggest, name, strlen(name));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		size_t len = strcspn(line, " ");

		if (line[len] == '\0' || !strchr(line, '|') || !strchr("abcdefghijklmnopqrstuvwxyz", *line))
			continue;
		line[len] = '\0';
		if (!why_own(line))
			suggest_offer(&suggest, line);
	}
	if (suggest_best(&suggest))
		return err_set(err, ERR_INVALID, "librdkafka %s has no property `%s`; did you mean `%s`?",
					   rd_kafka_version_str(), name, suggest_best(&suggest));
	return err_set(err, ERR_INVALID, "librdkafka %s has no property `%s`", rd_kafka_version_str(),
				   name);
}

int kafka_property_check(const char *name, const char *value, struct err *err)
{
	const char *why = why_own(name);
	rd_kafka_conf_t *conf;
	rd_kafka_conf_res_t res;
	char text[400];

	if (why)
		return err_set(err, ERR_INVALID, "`%s` is set by Skald: %s", name, why);
	conf = rd_kafka_conf_new();
	res = rd_kafka_conf_set(conf, name, value, text, sizeof(text));
	rd_kafka_conf_destroy(conf);
	if (res == RD_KAFKA_CONF_OK)
		return 0;
	if (res == RD_KAFKA_CONF_UNKNOWN)
		return refuse_unknown(name, err);
	if (kafka_property_is_secret(name))
		return err_set(err, ERR_INVALID, "librdkafka does not take this value of `%s`", name);
	/* The text names what an alias stands for. */
	return err_set(err, ERR_INVALID, "property `%s`: %s", name, text);
}
