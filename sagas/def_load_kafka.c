/*
 * Records that a saga writes: command and emit.
 *
 * Topics, clusters and types are constant, so that what a saga says to whom can be told from its
 * definition. The topic of a command is none of it: where a participant listens, and in which words
 * it answers, is configuration, as the address of one that is called over HTTP.
 */
#include <string.h>
#include <strings.h>

#include "sagas/def_priv.h"
#include "sagas/kafka_topic.h"

char *read_constant(const struct node *at)
{
	const char *text = read_string(at);

	if (!text)
		return NULL;
	if (strstr(text, "${")) {
		find_at(at, FINDING_ERROR, "`%s` must be constant text, without ${}", at->key);
		return NULL;
	}
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 127) {
			find_at(at, FINDING_ERROR, "`%s` may not hold control characters", at->key);
			return NULL;
		}
	}
	if (strlen(text) > MAX_CONSTANT) {
		find_at(at, FINDING_ERROR, "`%s` may have at most %d bytes", at->key, MAX_CONSTANT);
		return NULL;
	}
	return xstrdup(text);
}

char *read_topic(const struct node *at)
{
	CLEANUP(free_p) char *topic = read_constant(at);
	struct err err;

	if (!topic)
		return NULL;
	if (kafka_topic_check(topic, &err) < 0) {
		find_at(at, FINDING_ERROR, "%s", err.text);
		return NULL;
	}
	return TAKE(topic);
}

char *read_cluster(const struct node *at)
{
	const char *name = read_name(at, "the cluster", DEF_MAX_NAME, true);

	return name ? xstrdup(name) : NULL;
}

char *default_cluster(void)
{
	return xstrdup(DEF_DEFAULT_CLUSTER);
}

/* ---- headers ---- */

/* What Skald says in headers itself: of every record, and of those that are to be answered. */
static const char *const owned_by_events[] = {
	"ce_specversion", "ce_id",   "ce_source",    "ce_type",
	"ce_subject",     "ce_time", "content-type", "traceparent",
};
static const char *const owned_by_commands[] = {"correlation-id", "reply-to", "idempotency-key"};
/* How the profiles of Spring and Eventuate begin theirs. */
static const char *const owned_prefixes[] = {"kafka_", "command_"};

static bool is_owned(const char *name, bool command)
{
	for (size_t i = 0; i < ARRAY_SIZE(owned_by_events); i++) {
		if (strcasecmp(name, owned_by_events[i]) == 0)
			return true;
	}
	for (size_t i = 0; command && i < ARRAY_SIZE(owned_by_commands); i++) {
		if (strcasecmp(name, owned_by_commands[i]) == 0)
			return true;
	}
	for (size_t i = 0; command && i < ARRAY_SIZE(owned_prefixes); i++) {
		if (strncasecmp(name, owned_prefixes[i], strlen(owned_prefixes[i])) == 0)
			return true;
	}
	return false;
}

static void read_record_headers(const struct node *at, bool command, struct tmpl **ret)
{
	const char *name;
	json_t *value;
	bool fits = true;

	if (!json_is_object(at->value)) {
		find_at(at, FINDING_ERROR, "`headers` must be an object of names and values, not %s",
				type_text(at->value));
		return;
	}
	if (json_object_size(at->value) > MAX_FIELDS) {
		find_at(at, FINDING_ERROR, "`headers` has more than %d entries", MAX_FIELDS);
		return;
	}
	json_object_foreach (at->value, name, value) {
		struct node child = node_child(at, name);
		struct tmpl *tmpl = NULL;

		if (!is_header_name(name))
			find_at(&child, FINDING_ERROR, "`%.64s` is not the name of a header", name);
		else if (is_owned(name, command))
			find_at(&child, FINDING_ERROR, "the header %s cannot be set here: Skald writes it",
					name);
		else
			read_tmpl(&child, WANT_SCALAR, NULL);
		/* The same again without findings, for a definition is all or nothing. */
		fits &= tmpl_compile(value, NULL, NULL, &tmpl) == 0;
		tmpl_free(tmpl);
	}
	at->load->muted++;
	if (fits)
		read_tmpl(at, WANT_ANY, ret);
	at->load->muted--;
}

/* ---- command ---- */

static void read_command_to(const struct node *at, void *to)
{
	((struct command_action *)to)->to = read_participant(at);
}

static void read_command_type(const struct node *at, void *to)
{
	((struct command_action *)to)->type = read_constant(at);
}

static void read_command_key(const struct node *at, void *to)
{
	read_tmpl(at, WANT_SCALAR, &((struct command_action *)to)->key);
}

static void read_command_data(const struct node *at, void *to)
{
	read_tmpl(at, WANT_ANY, &((struct command_action *)to)->data);
}

static void read_command_headers(const struct node *at, void *to)
{
	read_record_headers(at, true, &((struct command_action *)to)->headers);
}

void read_command(const struct node *at, struct command_action *command)
{
	static const struct key_rule keys[] = {{"to", read_command_to},
										   {"key", read_command_key},
										   {"type", read_command_type},
										   {"data", read_command_data},
										   {"headers", read_command_headers}};

	if (!read_object(at, "command", keys, ARRAY_SIZE(keys), command))
		return;
	need_key(at, "to", "the participant that answers");
	need_key(at, "type", "the type of the command, such as ReserveCredit");
}

void warn_statuses(const struct node *at)
{
	static const char *const lists[] = {"success", "failure", "ongoing", "unknown", "absent"};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct node list = node_child(at, lists[i]);

		for (size_t k = 0; k < json_array_size(list.value); k++) {
			struct node item = node_item(&list, k);
			const char *text = json_string_value(item.value);

			if (json_is_integer(item.value) ||
				(text && strlen(text) == 3 && strcasecmp(text + 1, "xx") == 0))
				find_at(&item, FINDING_WARNING,
						"a reply over Kafka has no status, so this never matches; name an error "
						"code, or write an expression over `reply`");
		}
	}
}

/* ---- emit ---- */

static void read_emit_cluster(const struct node *at, void *to)
{
	((struct emit_action *)to)->cluster = read_cluster(at);
}

static void read_emit_topic(const struct node *at, void *to)
{
	((struct emit_action *)to)->topic = read_topic(at);
}

static void read_emit_type(const struct node *at, void *to)
{
	((struct emit_action *)to)->type = read_constant(at);
}

static void read_emit_key(const struct node *at, void *to)
{
	read_tmpl(at, WANT_SCALAR, &((struct emit_action *)to)->key);
}

static void read_emit_data(const struct node *at, void *to)
{
	read_tmpl(at, WANT_ANY, &((struct emit_action *)to)->data);
}

static void read_emit_headers(const struct node *at, void *to)
{
	read_record_headers(at, false, &((struct emit_action *)to)->headers);
}

void read_emit(const struct node *at, struct emit_action *emit)
{
	static const struct key_rule keys[] = {
		{"cluster", read_emit_cluster}, {"topic", read_emit_topic}, {"key", read_emit_key},
		{"type", read_emit_type},       {"data", read_emit_data},   {"headers", read_emit_headers},
	};

	if (!read_object(at, "emit", keys, ARRAY_SIZE(keys), emit))
		return;
	need_key(at, "topic", "the Kafka topic");
	need_key(at, "type", "the type of the event, such as OrderConfirmed");
	if (!emit->cluster)
		emit->cluster = default_cluster();
}
