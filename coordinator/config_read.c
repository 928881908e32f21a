/* Where the configuration comes from: the file and the environment. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "connectors/yaml.h"
#include "coordinator/config_priv.h"
#include "sagas/base/buf.h"
#include "sagas/base/suggest.h"
#include "sagas/json_text.h"

static const char *const participant_keys[] = {"url",   "headers", "max_connections",
											   "topic", "cluster", "profile"};

static bool is_kafka_key(const char *key)
{
	return strcmp(key, "topic") == 0 || strcmp(key, "cluster") == 0 || strcmp(key, "profile") == 0;
}

/* ---- the file ---- */

struct reader {
	struct config *config;
	const struct doc_places *places;
	struct findings *findings;
};

static void complain(const struct reader *reader, const char *pointer, const char *text,
					 const char *best)
{
	findings_add(reader->findings, FINDING_ERROR, doc_places_line(reader->places, pointer), pointer,
				 best ? "%s; did you mean `%s`?" : "%s", text, best);
}

static void unknown_key(const struct reader *reader, const char *pointer, const char *key,
						const char *const *known, size_t n)
{
	CLEANUP(free_p) char *text = xasprintf("unknown key `%s`", key);
	struct suggest suggest;

	suggest_init(&suggest, key, strlen(key));
	for (size_t i = 0; i < n; i++)
		suggest_offer(&suggest, known[i]);
	complain(reader, pointer, text, suggest_best(&suggest));
}

/* A scalar as text; NULL for anything else. The caller's. */
static char *scalar_text(const json_t *value)
{
	if (json_is_string(value))
		return xstrdup(json_string_value(value));
	if (json_is_integer(value))
		return xasprintf("%lld", (long long)json_integer_value(value));
	return NULL;
}

static void read_headers(const struct reader *reader, struct config_participant *p, json_t *headers,
						 const char *at)
{
	const char *name;
	json_t *value;

	if (!json_is_object(headers)) {
		complain(reader, at, "headers are names with values", NULL);
		return;
	}
	json_object_foreach (headers, name, value) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%s", at, name);
		CLEANUP(free_p) char *text = scalar_text(value);
		const struct config_origin origin = {CONFIG_FROM_FILE,
											 doc_places_line(reader->places, pointer), pointer};

		if (text)
			config__set_header(p, name, text, &origin, reader->findings);
		else
			complain(reader, pointer, "a header's value is a text", NULL);
	}
}

static void read_participant(const struct reader *reader, const char *name, json_t *body,
							 const char *at)
{
	struct config_participant *p = config__participant_add(reader->config, name);
	const char *key;
	json_t *value;

	if (!p || !json_is_object(body)) {
		complain(reader, at,
				 p ? "a participant is {url, headers, max_connections} or {topic, cluster, profile}"
				   : "too many",
				 NULL);
		return;
	}
	json_object_foreach (body, key, value) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%s", at, key);
		CLEANUP(free_p) char *text = scalar_text(value);
		const struct config_origin origin = {CONFIG_FROM_FILE,
											 doc_places_line(reader->places, pointer), pointer};

		if (strcmp(key, "headers") == 0)
			read_headers(reader, p, value, pointer);
		else if (strcmp(key, "url") == 0 && text)
			config__set_url(p, text, &origin, reader->findings);
		else if (strcmp(key, "max_connections") == 0 && text)
			config__set_connections(p, text, &origin, reader->findings);
		else if (is_kafka_key(key) && text)
			config__set_participant_kafka(p, key, text, &origin, reader->findings);
		else if (strcmp(key, "url") == 0 || strcmp(key, "max_connections") == 0 ||
				 is_kafka_key(key))
			complain(reader, pointer, "is one value", NULL);
		else
			unknown_key(reader, pointer, key, participant_keys, ARRAY_SIZE(participant_keys));
	}
	if (!p->url && !p->topic)
		complain(reader, at, "a participant needs a url, or a topic of Kafka", NULL);
}

static void read_properties(const struct reader *reader, struct config_cluster *cluster,
							json_t *body, const char *at)
{
	const char *name;
	json_t *value;

	if (!json_is_object(body)) {
		complain(reader, at, "properties are librdkafka's names with values", NULL);
		return;
	}
	json_object_foreach (body, name, value) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%s", at, name);
		CLEANUP(free_p) char *text = scalar_text(value);
		const struct config_origin origin = {CONFIG_FROM_FILE,
											 doc_places_line(reader->places, pointer), pointer};

		if (json_is_boolean(value))
			text = xstrdup(json_is_true(value) ? "true" : "false");
		if (text)
			config__set_property(cluster, name, text, &origin, reader->findings);
		else
			complain(reader, pointer, "is one value", NULL);
	}
}

static void read_cluster(const struct reader *reader, const char *name, json_t *body,
						 const char *at)
{
	static const char *const keys[] = {"brokers", "properties"};
	struct config_cluster *cluster = config__cluster_add(reader->config, name);
	const char *key;
	json_t *value;

	if (!cluster || !json_is_object(body)) {
		complain(reader, at, cluster ? "a cluster is {brokers, properties}" : "too many", NULL);
		return;
	}
	json_object_foreach (body, key, value) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%s", at, key);
		CLEANUP(free_p) char *text = scalar_text(value);
		const struct config_origin origin = {CONFIG_FROM_FILE,
											 doc_places_line(reader->places, pointer), pointer};

		if (strcmp(key, "properties") == 0)
			read_properties(reader, cluster, value, pointer);
		else if (strcmp(key, "brokers") != 0)
			unknown_key(reader, pointer, key, keys, ARRAY_SIZE(keys));
		else if (text)
			config__set_brokers(cluster, text, &origin, reader->findings);
		else
			complain(reader, pointer, "is one value", NULL);
	}
	if (!cluster->brokers && strcmp(name, "default") != 0)
		complain(reader, at, "a cluster needs brokers", NULL);
}

static void read_clusters(const struct reader *reader, json_t *body, const char *at)
{
	const char *name;
	json_t *value;

	if (!json_is_object(body)) {
		complain(reader, at, "clusters are names with {brokers, properties}", NULL);
		return;
	}
	json_object_foreach (body, name, value) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%s", at, name);

		read_cluster(reader, name, value, pointer);
	}
}

/* env, secrets, webhooks: names with a text, or with keys and texts. */
static void read_named(const struct reader *reader, const char *section, const char *name,
					   json_t *body, const char *at)
{
	bool keyed = strcmp(section, "env") != 0;
	const char *key;
	json_t *value;

	if (!keyed) {
		CLEANUP(free_p) char *text = scalar_text(body);
		const struct config_origin origin = {CONFIG_FROM_FILE, doc_places_line(reader->places, at),
											 at};

		if (text)
			config__waiting_set(reader->config, section, name, NULL, text, &origin,
								reader->findings);
		else
			complain(reader, at, "is one value", NULL);
		return;
	}
	if (!json_is_object(body)) {
		complain(reader, at, "is keys with values, such as {file: /run/secrets/psp}", NULL);
		return;
	}
	json_object_foreach (body, key, value) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%s", at, key);
		CLEANUP(free_p) char *text = scalar_text(value);
		const struct config_origin origin = {CONFIG_FROM_FILE,
											 doc_places_line(reader->places, pointer), pointer};

		if (text)
			config__waiting_set(reader->config, section, name, key, text, &origin,
								reader->findings);
		else
			complain(reader, pointer, "is one value", NULL);
	}
}

/* What the section of Kafka has beside the settings of the table. */
static bool read_kafka(const struct reader *reader, const char *key, json_t *value, const char *at)
{
	if (strcmp(key, "properties") == 0)
		read_properties(reader, config__cluster_add(reader->config, "default"), value, at);
	else if (strcmp(key, "clusters") == 0)
		read_clusters(reader, value, at);
	else
		return false;
	return true;
}

static void read_approvals(const struct reader *reader, const char *key, json_t *body,
						   const char *at)
{
	static const char *const keys[] = {"groups"};
	const char *name;
	json_t *members;

	if (strcmp(key, "groups") != 0) {
		unknown_key(reader, at, key, keys, ARRAY_SIZE(keys));
		return;
	}
	if (!json_is_object(body)) {
		complain(reader, at, "groups are names with lists of persons, such as {sales: [ann]}",
				 NULL);
		return;
	}
	json_object_foreach (body, name, members) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%s", at, name);
		const struct config_origin origin = {CONFIG_FROM_FILE,
											 doc_places_line(reader->places, pointer), pointer};

		config__set_approval_group(reader->config, name, members, &origin, reader->findings);
	}
}

static void read_section(const struct reader *reader, const char *section, json_t *body)
{
	CLEANUP(free_p) char *at = xasprintf("/%s", section);
	bool participants = strcmp(section, "participants") == 0;
	bool kafka = strcmp(section, "kafka") == 0;
	bool named = config__waiting_section(section);
	bool approvals = strcmp(section, "approvals") == 0;
	const char *known[CONFIG_SETTING_COUNT + 2], *key;
	size_t n = 0;
	json_t *value;

	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++)
		if (strcmp(config_settings[i].section, section) == 0)
			known[n++] = config_settings[i].key;
	if (n == 0 && !participants && !named && !approvals) {
		const char *sections[CONFIG_SETTING_COUNT + 5] = {"participants", "env", "secrets",
														  "webhooks", "approvals"};

		for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++)
			sections[i + 5] = config_settings[i].section;
		unknown_key(reader, at, section, sections, CONFIG_SETTING_COUNT + 5);
		return;
	}
	if (kafka) {
		known[n++] = "properties";
		known[n++] = "clusters";
	}
	if (json_is_null(body)) /* a section whose keys are all commented out */
		return;
	if (!json_is_object(body)) {
		complain(reader, at, "a section is keys with values", NULL);
		return;
	}
	json_object_foreach (body, key, value) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%s", at, key);
		CLEANUP(free_p) char *text = scalar_text(value);
		int index = config__find_setting(section, key);
		const struct config_origin origin = {CONFIG_FROM_FILE,
											 doc_places_line(reader->places, pointer), pointer};

		if (participants)
			read_participant(reader, key, value, pointer);
		else if (approvals)
			read_approvals(reader, key, value, pointer);
		else if (named)
			read_named(reader, section, key, value, pointer);
		else if (kafka && read_kafka(reader, key, value, pointer))
			continue;
		else if (index < 0)
			unknown_key(reader, pointer, key, known, n);
		else if (!text)
			complain(reader, pointer, "is one value", NULL);
		else
			config__set(reader->config, (size_t)index, text, &origin, reader->findings);
	}
}

void config_read_text(struct config *config, const char *text, size_t len,
					  struct findings *findings)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct reader reader = {config, places, findings};
	const char *section;
	json_t *body;

	if (strspn(text, " \t\r\n") == len)
		return;
	if (yaml_read(text, len, &doc, places, findings) < 0)
		return;
	if (!json_is_object(doc)) {
		complain(&reader, "", "a configuration is sections with keys", NULL);
		return;
	}
	json_object_foreach (doc, section, body)
		read_section(&reader, section, body);
}

int config_read_file(struct config *config, const char *path, struct findings *findings,
					 struct err *err)
{
	FILE *file = fopen(path, "re");
	struct buf text;
	char block[4096];
	size_t n;
	int r;

	if (!file)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	buf_init(&text, CONFIG_MAX_BYTES);
	while ((n = fread(block, 1, sizeof(block), file)) > 0)
		buf_add(&text, block, n);
	r = ferror(file) ? err_set(err, ERR_IO, "%s: %s", path, strerror(errno)) : 0;
	fclose(file);
	if (!r)
		r = buf_check(&text, path, err);
	if (!r)
		config_read_text(config, buf_str(&text), text.len, findings);
	buf_release(&text);
	return r;
}

/* ---- the environment ---- */

static char *lower(const char *text, size_t len)
{
	char *copy = xstrndup(text, len);

	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

/* `_` of the environment may mean `-` of a name that is known. */
static bool same_name(const char *known, const char *name)
{
	for (; *known && *name; known++, name++)
		if (*known != *name && !(*known == '-' && *name == '_'))
			return false;
	return *known == *name;
}

/* name: what follows SKALD_PARTICIPANTS__, in small letters: stock__url */
static void read_participant_variable(struct config *config, const char *name, const char *value,
									  const struct config_origin *origin, struct findings *findings)
{
	const char *key = strstr(name, "__");
	struct config_participant *p = NULL;

	if (!key || key == name) {
		findings_add(findings, FINDING_ERROR, 0, origin->pointer,
					 "is written SKALD_PARTICIPANTS__NAME__URL");
		return;
	}
	CLEANUP(free_p) char *alone = xstrndup(name, (size_t)(key - name));

	key += 2;
	for (size_t i = 0; i < config->n_participants && !p; i++)
		if (same_name(config->participants[i].name, alone))
			p = &config->participants[i];
	if (!p)
		p = config__participant_add(config, alone);
	if (!p) {
		findings_add(findings, FINDING_ERROR, 0, origin->pointer, "more than %d participants",
					 CONFIG_MAX_PARTICIPANTS);
	} else if (strcmp(key, "url") == 0) {
		config__set_url(p, value, origin, findings);
	} else if (strcmp(key, "max_connections") == 0) {
		config__set_connections(p, value, origin, findings);
	} else if (is_kafka_key(key)) {
		config__set_participant_kafka(p, key, value, origin, findings);
	} else if (strncmp(key, "headers__", 9) == 0) {
		CLEANUP(free_p) char *header = xstrdup(key + 9);

		for (char *c = header; *c; c++)
			if (*c == '_')
				*c = '-';
		config__set_header(p, header, value, origin, findings);
	} else {
		findings_add(findings, FINDING_ERROR, 0, origin->pointer,
					 "unknown key `%s` of a participant; there are url, max_connections, "
					 "headers__NAME, topic, cluster and profile",
					 key);
	}
}

static void read_variable(struct config *config, const char *variable, const char *value,
						  struct findings *findings)
{
	CLEANUP(free_p) char *name = lower(variable + 6, strlen(variable + 6));
	const struct config_origin origin = {CONFIG_FROM_ENV, 0, variable};
	char *key = strstr(name, "__");
	struct suggest suggest;
	const char *best;
	int index;

	if (!key)
		return; /* SKALD_SERVER and the like are no settings */
	*key = '\0';
	key += 2;
	if (strcmp(name, "participants") == 0) {
		read_participant_variable(config, key, value, &origin, findings);
		return;
	}
	if (config__waiting_section(name)) {
		config__waiting_variable(config, name, key, value, &origin, findings);
		return;
	}
	if (strcmp(name, "approvals") == 0 &&
		config__approvals_variable(config, key, value, &origin, findings))
		return;
	if (strcmp(name, "kafka") == 0 && config__kafka_variable(config, key, value, &origin, findings))
		return;
	index = config__find_setting(name, key);
	if (index >= 0) {
		config__set(config, (size_t)index, value, &origin, findings);
		return;
	}
	CLEANUP(free_p) char *said = xasprintf("%s.%s", name, key);
	char *names[CONFIG_SETTING_COUNT];

	suggest_init(&suggest, said, strlen(said));
	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++) {
		names[i] = xasprintf("%s.%s", config_settings[i].section, config_settings[i].key);
		suggest_offer(&suggest, names[i]);
	}
	best = suggest_best(&suggest);
	findings_add(findings, FINDING_ERROR, 0, variable,
				 best ? "unknown setting %s; did you mean %s?" : "unknown setting %s", said, best);
	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++)
		free(names[i]);
}

void config_read_environment(struct config *config, char *const *environment,
							 struct findings *findings)
{
	for (; *environment; environment++) {
		const char *equals = strchr(*environment, '=');

		if (strncmp(*environment, "SKALD_", 6) != 0 || !equals)
			continue;
		CLEANUP(free_p) char *variable = xstrndup(*environment, (size_t)(equals - *environment));

		read_variable(config, variable, equals + 1, findings);
	}
}
