/* The table of settings, what a value may be, and what the configuration gives. */
#include "coordinator/config.h"

#include <errno.h>
#include <string.h>

#include "coordinator/config_priv.h"
#include "sagas/base/buf.h"
#include "sagas/base/time.h"
#include "sagas/json_text.h"
#include "sagas/kafka_topic.h"

const struct config_setting config_settings[CONFIG_SETTING_COUNT] = {
#define X(section_, key_, flag_, type_, fallback_, least_, most_, help_)                           \
	{#section_,      #key_,     flag_,                                                             \
	 CONFIG_##type_, fallback_, least_,                                                            \
	 most_,          help_,     offsetof(struct config, section_##_##key_)},
	CONFIG_SETTINGS(X)
#undef X
};

static int parse_int(const char *text, int64_t *ret_n)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (end == text || *end || errno)
		return -1;
	*ret_n = n;
	return 0;
}

/* "2097152", "64KiB", "2MiB" */
static int parse_bytes(const char *text, int64_t *ret_n)
{
	static const struct {
		const char *unit;
		int64_t bytes;
	} units[] = {{"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1 << 30}};
	size_t digits = strspn(text, "0123456789");
	CLEANUP(free_p) char *number = xstrndup(text, digits);
	int64_t n;

	if (digits == 0 || digits > 12 || parse_int(number, &n) < 0)
		return -1;
	while (text[digits] == ' ')
		digits++;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(units[i].unit, text + digits) == 0)
			return __builtin_mul_overflow(n, units[i].bytes, ret_n) ? -1 : 0;
	return -1;
}

static int parse_value(const struct config_setting *setting, const char *text, int64_t *ret_n)
{
	switch (setting->type) {
	case CONFIG_INT:
		return parse_int(text, ret_n);
	case CONFIG_BYTES:
		return parse_bytes(text, ret_n);
	case CONFIG_DURATION:
		return duration_parse(text, ret_n, NULL);
	case CONFIG_TEXT:
	case CONFIG_CHOICE:
		break;
	}
	return -1;
}

static const char *type_text(enum config_type type)
{
	switch (type) {
	case CONFIG_INT:
		return "a number";
	case CONFIG_BYTES:
		return "a size such as 2097152 or 2MiB";
	case CONFIG_DURATION:
		return "a duration such as 10s or 30d";
	case CONFIG_TEXT:
	case CONFIG_CHOICE:
		return "a text";
	}
	return "";
}

static const char *const choices[CONFIG_SETTING_COUNT] = {
	[CONFIG_store_batch_by] = "node slot",
	[CONFIG_kafka_outbox] = "relay cdc",
	[CONFIG_log_level] = "off error warn info debug",
	[CONFIG_log_format] = "text json",
};

static bool is_choice(const char *words, const char *text)
{
	size_t len = strlen(text);

	while (*words) {
		size_t word = strcspn(words, " ");

		if (word == len && memcmp(words, text, len) == 0)
			return true;
		words += word + strspn(words + word, " ");
	}
	return false;
}

void config__set(struct config *config, size_t index, const char *text,
				 const struct config_origin *origin, struct findings *findings)
{
	const struct config_setting *setting = &config_settings[index];
	void *field = (char *)config + setting->offset;
	int64_t n;

	if (setting->type == CONFIG_TEXT || setting->type == CONFIG_CHOICE) {
		char **string = field;

		if (setting->type == CONFIG_CHOICE && !is_choice(choices[index], text)) {
			findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
						 "%s.%s is one of %s, not `%s`", setting->section, setting->key,
						 choices[index], text);
			return;
		}
		if (!*text) {
			findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
						 "%s.%s must not be empty", setting->section, setting->key);
			return;
		}
		free(*string);
		*string = xstrdup(text);
	} else if (parse_value(setting, text, &n) < 0) {
		findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
					 "%s.%s is %s, not `%s`", setting->section, setting->key,
					 type_text(setting->type), text);
		return;
	} else if (n < setting->least || n > setting->most) {
		findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
					 "%s.%s lies between %lld and %lld%s, not at %lld", setting->section,
					 setting->key, (long long)setting->least, (long long)setting->most,
					 setting->type == CONFIG_DURATION ? " ms" : "", (long long)n);
		return;
	} else {
		*(int64_t *)field = n;
	}
	config->source[index] = origin->source;
}

void config_init(struct config *config)
{
	const struct config_origin origin = {CONFIG_FROM_DEFAULT, 0, ""};
	struct findings findings = {0};

	*config = (struct config){0};
	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++)
		config__set(config, i, config_settings[i].fallback, &origin, &findings);
	CHECK(findings.n == 0); /* a default of the table that its own bounds refuse */
}

static void participant_release(struct config_participant *participant)
{
	free(participant->name);
	free(participant->url);
	free(participant->topic);
	free(participant->cluster);
	for (int i = 0; i < participant->n_headers; i++)
		free(participant->headers[i]);
}

void config_release(struct config *config)
{
	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++)
		if (config_settings[i].type == CONFIG_TEXT || config_settings[i].type == CONFIG_CHOICE)
			free(*(char **)((char *)config + config_settings[i].offset));
	for (size_t i = 0; i < config->n_participants; i++)
		participant_release(&config->participants[i]);
	free(config->participants);
	free(config->view);
	config__kafka_release(config);
	config__waiting_release(config);
	json_decref(config->approval_groups);
	*config = (struct config){0};
}

struct config_participant *config__participant_add(struct config *config, const char *name)
{
	struct config_participant *p;

	for (size_t i = 0; i < config->n_participants; i++)
		if (strcmp(config->participants[i].name, name) == 0)
			return &config->participants[i];
	if (config->n_participants == CONFIG_MAX_PARTICIPANTS)
		return NULL;
	config->participants = xrealloc_array(config->participants, config->n_participants + 1,
										  sizeof(*config->participants));
	p = &config->participants[config->n_participants++];
	*p = (struct config_participant){.name = xstrdup(name)};
	return p;
}

void config__set_url(struct config_participant *p, const char *url,
					 const struct config_origin *origin, struct findings *findings)
{
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
		findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
					 "the url of participant %s must begin with http:// or https://", p->name);
		return;
	}
	free(p->url);
	p->url = xstrdup(url);
	p->source = origin->source;
}

void config__set_header(struct config_participant *p, const char *name, const char *value,
						const struct config_origin *origin, struct findings *findings)
{
	size_t len = strlen(name);
	int i;

	if (len == 0 || strpbrk(name, " :\r\n") || strpbrk(value, "\r\n")) {
		findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
					 "a header is a name without spaces, and a value of one line");
		return;
	}
	for (i = 0; i < p->n_headers; i++)
		if (strncasecmp(p->headers[i], name, len) == 0 && p->headers[i][len] == ':')
			break;
	if (i == CONFIG_MAX_HEADERS) {
		findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
					 "participant %s has more than %d headers", p->name, CONFIG_MAX_HEADERS);
		return;
	}
	free(p->headers[i]);
	p->headers[i] = xasprintf("%s: %s", name, value);
	if (i == p->n_headers)
		p->n_headers++;
}

void config__set_connections(struct config_participant *p, const char *text,
							 const struct config_origin *origin, struct findings *findings)
{
	int64_t n;

	if (parse_int(text, &n) < 0 || n < 1 || n > 10000)
		findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
					 "max_connections is a number from 1 to 10000, not `%s`", text);
	else
		p->max_connections = n;
}

static void set_text(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text);
}

void config__set_participant_kafka(struct config_participant *p, const char *key, const char *text,
								   const struct config_origin *origin, struct findings *findings)
{
	if (!*text) {
		findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
					 "%s of participant %s must not be empty", key, p->name);
	} else if (strcmp(key, "topic") == 0) {
		struct err err;

		if (kafka_topic_check(text, &err) < 0)
			findings_add(findings, FINDING_ERROR, origin->line, origin->pointer, "%s", err.text);
		set_text(&p->topic, text);
		p->source = origin->source;
	} else if (strcmp(key, "cluster") == 0) {
		set_text(&p->cluster, text);
	} else {
		int profile = reply_profile_parse(text);

		if (profile >= 0)
			p->profile = (enum reply_profile)profile;
		else
			findings_add(findings, FINDING_ERROR, origin->line, origin->pointer,
						 "the profile of participant %s is one of native, spring and eventuate, "
						 "not `%s`",
						 p->name, text);
	}
}

void config_set_participant(struct config *config, const char *name, const char *url,
							enum config_source source)
{
	struct config_participant *p = config__participant_add(config, name);

	if (!p || (p->url && p->source > source))
		return;
	free(p->url);
	p->url = xstrdup(url);
	p->source = source;
}

void config_set_participant_flag(struct config *config, const char *text, struct findings *findings)
{
	const struct config_origin origin = {CONFIG_FROM_FLAG, 0, "--participant"};
	const char *equals = strchr(text, '=');
	struct config_participant *p;

	if (!equals || equals == text) {
		findings_add(findings, FINDING_ERROR, 0, origin.pointer,
					 "is NAME=URL or NAME=kafka:TOPIC, not `%s`", text);
		return;
	}
	CLEANUP(free_p) char *name = xstrndup(text, (size_t)(equals - text));

	p = config__participant_add(config, name);
	if (p && strncmp(equals + 1, "kafka:", 6) == 0)
		config__set_participant_kafka(p, "topic", equals + 7, &origin, findings);
	else if (p)
		config__set_url(p, equals + 1, &origin, findings);
	else
		findings_add(findings, FINDING_ERROR, 0, origin.pointer, "more than %d participants",
					 CONFIG_MAX_PARTICIPANTS);
}

int config__find_setting(const char *section, const char *key)
{
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++)
		if (strcmp(config_settings[i].section, section) == 0 &&
			strcmp(config_settings[i].key, key) == 0)
			return i;
	return -1;
}

void config_set_flag(struct config *config, const char *flag, const char *value,
					 struct findings *findings)
{
	CLEANUP(free_p) char *shown = xasprintf("--%s", flag);
	const struct config_origin origin = {CONFIG_FROM_FLAG, 0, shown};

	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++)
		if (strcmp(config_settings[i].flag, flag) == 0)
			config__set(config, i, value, &origin, findings);
}

/* ---- what it gives ---- */

const char *config__source_text(enum config_source source)
{
	switch (source) {
	case CONFIG_FROM_DEFAULT:
		return "default";
	case CONFIG_FROM_FILE:
		return "file";
	case CONFIG_FROM_ENV:
		return "environment";
	case CONFIG_FROM_FLAG:
		return "flag";
	}
	return "";
}

void config__print_string(const char *text, FILE *out)
{
	struct buf quoted;

	buf_init(&quoted, 0);
	json_write_string(text, strlen(text), &quoted);
	fputs(buf_str(&quoted), out);
	buf_release(&quoted);
}

/* One that is written wrong is rather masked too far. */
char *config_masked_url(const char *url)
{
	const char *host = strstr(url, "://");
	const char *at = host ? strrchr(host, '@') : NULL;

	return at ? xasprintf("%.*s://***%s", (int)(host - url), url, at) : xstrdup(url);
}

static void print_value(const struct config *config, const struct config_setting *setting,
						FILE *out)
{
	const void *field = (const char *)config + setting->offset;

	switch (setting->type) {
	case CONFIG_TEXT:
	case CONFIG_CHOICE: {
		CLEANUP(free_p) char *text = config_masked_url(*(char *const *)field);

		config__print_string(text, out);
		break;
	}
	case CONFIG_INT:
	case CONFIG_BYTES:
		fprintf(out, "%lld", (long long)*(const int64_t *)field);
		break;
	case CONFIG_DURATION: {
		int64_t ms = *(const int64_t *)field;

		if (ms % 1000 == 0)
			fprintf(out, "%llds", (long long)(ms / 1000));
		else
			fprintf(out, "%lldms", (long long)ms);
		break;
	}
	}
}

static void print_key(const char *key, const char *text, FILE *out)
{
	fprintf(out, "    %s: ", key);
	config__print_string(text, out);
	fputc('\n', out);
}

void config_print(const struct config *config, FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++) {
		const struct config_setting *setting = &config_settings[i];

		if (strcmp(section, setting->section) != 0)
			fprintf(out, "%s:\n", setting->section);
		section = setting->section;
		fprintf(out, "  %s: ", setting->key);
		print_value(config, setting, out);
		fprintf(out, "  # %s\n", config__source_text(config->source[i]));
		/* The section's last setting: what it has beside the table follows. */
		if (i + 1 == CONFIG_alerts_to)
			config__kafka_print(config, out);
	}
	config__waiting_print(config, out);
	config__approvals_print(config, out);
	fputs(config->n_participants ? "participants:\n" : "participants: {}\n", out);
	for (size_t i = 0; i < config->n_participants; i++) {
		const struct config_participant *p = &config->participants[i];

		fprintf(out, "  %s:  # %s\n", p->name, config__source_text(p->source));
		if (p->url) {
			CLEANUP(free_p) char *url = config_masked_url(p->url);

			print_key("url", url, out);
		}
		if (p->topic)
			print_key("topic", p->topic, out);
		if (p->cluster)
			print_key("cluster", p->cluster, out);
		if (p->profile != PROFILE_NATIVE)
			print_key("profile", reply_profile_text(p->profile), out);
		if (p->max_connections)
			fprintf(out, "    max_connections: %lld\n", (long long)p->max_connections);
		if (p->n_headers)
			fputs("    headers:\n", out);
		for (int h = 0; h < p->n_headers; h++)
			fprintf(out, "      %.*s: \"***\"\n", (int)strcspn(p->headers[h], ":"), p->headers[h]);
	}
}

const char *config__or_null(const char *text)
{
	return strcmp(text, "none") == 0 ? NULL : text;
}

void config_node_options(struct config *config, struct node_options *ret_options)
{
	size_t n = 0;

	free(config->view);
	config->view = xcalloc(config->n_participants + 1, sizeof(*config->view));
	for (size_t i = 0; i < config->n_participants; i++) {
		const struct config_participant *p = &config->participants[i];

		if (!p->url)
			continue;
		config->view[n++] = (struct http_participant){
			.name = p->name,
			.url = p->url,
			.headers = (const char *const *)p->headers,
			.max_connections = (int)p->max_connections,
		};
	}
	*ret_options = (struct node_options){
		.store_path = config->store_path,
		.single_slot_batches = strcmp(config->store_batch_by, "slot") == 0,
		.listen_address = config->server_listen,
		.listen_port = (int)config->server_port,
		.participants = config->view,
		.n_participants = n,
		.retention_ms = config->store_retention,
		.run_retention_ms = config->store_run_retention,
		.drain_ms = config->server_drain,
		.intake_limit = (size_t)config->engine_intake_limit,
		.memory_sagas_max = (size_t)config->engine_memory_sagas_max,
		.payload_max = (size_t)config->server_payload_max,
		.streams_max = (int)config->server_streams_max,
		.public_url =
			strcmp(config->server_public_url, "auto") == 0 ? NULL : config->server_public_url,
		.allowed_origins = config__or_null(config->server_allowed_origins),
		.advertise = strcmp(config->node_advertise, "auto") == 0 ? NULL : config->node_advertise,
		.lease_ms = config->node_lease,
		.redis_url = config__or_null(config->idempotency_redis_url),
		.redis_prefix = config->idempotency_redis_prefix,
		.idempotency_ttl_ms = config->idempotency_ttl,
		.idempotency_timeout_ms = config->idempotency_timeout,
		.alerts_to = config__or_null(config->alerts_to),
		.alerts_dashboard = config__or_null(config->alerts_dashboard),
		.alerts_every_ms = config->alerts_every,
		.alerts_repeat_ms = config->alerts_repeat,
	};
	config__kafka_options(config, &ret_options->kafka);
	config__waiting_options(config, ret_options);
	ret_options->approval_groups = config->approval_groups;
}
