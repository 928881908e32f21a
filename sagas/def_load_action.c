/* The actions http, set and fail. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sagas/base/suggest.h"
#include "sagas/def_priv.h"

static void check_participant(const struct node *at, const char *name)
{
	const json_t *participants = at->load->participants;
	struct suggest suggest;
	const char *key;
	json_t *value;

	/* Without `participants` there is nothing to compare with; the server knows its addresses. */
	if (!json_is_object(participants) || json_object_get(participants, name))
		return;
	suggest_init(&suggest, name, strlen(name));
	json_object_foreach ((json_t *)participants, key, value)
		suggest_offer(&suggest, key);
	if (suggest_best(&suggest))
		find_at(at, FINDING_ERROR, "unknown participant `%s`; did you mean `%s`?", name,
				suggest_best(&suggest));
	else
		find_at(at, FINDING_ERROR, "unknown participant `%s`; add `%s: {}` to `participants`", name,
				name);
}

char *read_participant(const struct node *at)
{
	const char *name = read_name(at, "the participant", DEF_MAX_NAME, true);

	if (!name)
		return NULL;
	check_participant(at, name);
	return xstrdup(name);
}

static void read_to(const struct node *at, void *to)
{
	((struct http_action *)to)->to = read_participant(at);
}

static void read_method(const struct node *at, void *to)
{
	static const char *const words[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
	int word = read_word(at, words, ARRAY_SIZE(words));

	if (word >= 0)
		((struct http_action *)to)->method = xstrdup(words[word]);
}

static void read_path(const struct node *at, void *to)
{
	const char *path = read_string(at);

	if (!path)
		return;
	if (path[0] != '/') {
		find_at(at, FINDING_ERROR,
				"`path` must begin with /; the address of the participant is configuration of the "
				"server");
		return;
	}
	for (const char *c = path; *c && strncmp(c, "${", 2) != 0; c++) {
		if (*c == '?' || *c == '#' || (unsigned char)*c <= ' ') {
			find_at(at, FINDING_ERROR, "`path` may not hold %s; parameters belong into `query`",
					*c == '?'   ? "?"
					: *c == '#' ? "#"
								: "blanks");
			return;
		}
	}
	read_tmpl(at, WANT_STRING, &((struct http_action *)to)->path);
}

/* A token of RFC 9110; records of Kafka are held to the same, so that a header goes anywhere. */
bool is_header_name(const char *name)
{
	for (const char *c = name; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
			return false;
	}
	return *name != '\0';
}

static bool header_name_fits(const struct node *at, const char *name)
{
	static const char *const owned[][2] = {
		{"idempotency-key", "say `idempotency_key` on the step"},
		{"content-type", "say `content_type` beside `headers`"},
		{"content-length", "it follows from the body"},
		{"transfer-encoding", "it follows from the body"},
		{"connection", "it is the business of the HTTP client"},
		{"host", "the address is configuration of the server"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		if (strcasecmp(name, owned[i][0]) == 0) {
			find_at(at, FINDING_ERROR, "the header %s cannot be set here: %s", name, owned[i][1]);
			return false;
		}
	}
	if (is_header_name(name))
		return true;
	find_at(at, FINDING_ERROR, "`%.64s` is not the name of a header", name);
	return false;
}

static void read_fields(const struct node *at, bool headers, struct http_field **ret, size_t *ret_n)
{
	const char *name;
	json_t *value;

	if (!json_is_object(at->value)) {
		find_at(at, FINDING_ERROR, "`%s` must be an object of names and values, not %s", at->key,
				type_text(at->value));
		return;
	}
	if (json_object_size(at->value) > MAX_FIELDS) {
		find_at(at, FINDING_ERROR, "`%s` has more than %d entries", at->key, MAX_FIELDS);
		return;
	}
	*ret = xcalloc(json_object_size(at->value), sizeof(**ret));
	json_object_foreach (at->value, name, value) {
		struct node child = node_child(at, name);
		struct http_field *field = &(*ret)[*ret_n];

		if (headers && !header_name_fits(&child, name))
			continue;
		read_tmpl(&child, WANT_SCALAR, &field->value);
		if (!field->value)
			continue;
		field->name = xstrdup(name);
		(*ret_n)++;
	}
}

/* Secrets are resolved when a request is sent, and only where a service expects credentials. */
static struct place place_with_secrets(const struct node *at)
{
	struct place place = *at->place;

	place.names |= BIT(EXPR_SECRET);
	return place;
}

static void read_query(const struct node *at, void *to)
{
	struct http_action *http = to;
	struct place place = place_with_secrets(at);
	struct node placed = node_placed(at, &place);

	read_fields(&placed, false, &http->query, &http->n_query);
}

static void read_headers(const struct node *at, void *to)
{
	struct http_action *http = to;
	struct place place = place_with_secrets(at);
	struct node placed = node_placed(at, &place);

	read_fields(&placed, true, &http->headers, &http->n_headers);
}

static void read_body(const struct node *at, void *to)
{
	read_tmpl(at, WANT_ANY, &((struct http_action *)to)->body);
}

static void read_content_type(const struct node *at, void *to)
{
	struct http_action *http = to;
	const char *type = read_string(at);
	size_t len = type ? strcspn(type, "; ") : 0;
	bool json;

	if (!type)
		return;
	http->form = len == 33 && strncasecmp(type, "application/x-www-form-urlencoded", len) == 0;
	json = (len == 16 && strncasecmp(type, "application/json", len) == 0) ||
		   (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
	for (const char *c = type; *c; c++)
		json &= (unsigned char)*c >= ' ' && (unsigned char)*c < 127;
	if (!http->form && !json) {
		find_at(at, FINDING_ERROR,
				"`content_type` must be application/json, another type that ends with +json, or "
				"application/x-www-form-urlencoded");
		return;
	}
	http->content_type = xstrdup(type);
}

struct names {
	char **list;
	size_t n;
};

static void add_name(void *ctx, const char *name, size_t len)
{
	struct names *names = ctx;

	for (size_t i = 0; i < names->n; i++)
		if (strlen(names->list[i]) == len && memcmp(names->list[i], name, len) == 0)
			return;
	names->list = xrealloc_array(names->list, names->n + 2, sizeof(*names->list));
	names->list[names->n++] = xstrndup(name, len);
	names->list[names->n] = NULL;
}

/* Those that its headers and query name; where more is done with them, lint_uses says so. */
static void find_secrets(struct http_action *http)
{
	struct names names = {0};

	for (size_t i = 0; i < http->n_headers; i++)
		(void)tmpl_secrets(http->headers[i].value, add_name, &names);
	for (size_t i = 0; i < http->n_query; i++)
		(void)tmpl_secrets(http->query[i].value, add_name, &names);
	http->secrets = names.list;
}

static const struct key_rule http_keys[] = {
	{"to", read_to},
	{"method", read_method},
	{"path", read_path},
	{"query", read_query},
	{"headers", read_headers},
	{"body", read_body},
	{"content_type", read_content_type},
};

void read_http(const struct node *at, struct http_action *http, bool *ret_safe)
{
	struct node body = node_child(at, "body");

	*ret_safe = true; /* when it cannot be told, no further finding */
	if (!read_object(at, "http", http_keys, ARRAY_SIZE(http_keys), http))
		return;
	need_key(at, "to", "the participant that is called");
	need_key(at, "method", "GET, POST, PUT, PATCH, DELETE ...");
	need_key(at, "path", "it begins with /");
	find_secrets(http);
	if (!http->method)
		return;
	*ret_safe = strcmp(http->method, "GET") == 0 || strcmp(http->method, "HEAD") == 0;
	if (*ret_safe && body.value)
		find_at(&body, FINDING_WARNING, "the body of a %s is ignored by many servers",
				http->method);
	if (http->form && body.value && !json_is_object(body.value) &&
		!(json_is_string(body.value) && is_whole_expr(json_string_value(body.value))))
		find_at(&body, FINDING_ERROR, "the body of a form must be an object of names and values");
}

void read_set(const struct node *at, struct action_def *act)
{
	act->kind = ACTION_SET;
	read_tmpl(at, WANT_ANY, &act->set);
}

static void read_fail_code(const struct node *at, void *to)
{
	read_tmpl(at, WANT_STRING, &((struct action_def *)to)->fail_code);
}

static void read_fail_message(const struct node *at, void *to)
{
	read_tmpl(at, WANT_SCALAR, &((struct action_def *)to)->fail_message);
}

void read_fail(const struct node *at, struct action_def *act)
{
	static const struct key_rule keys[] = {{"code", read_fail_code},
										   {"message", read_fail_message}};

	act->kind = ACTION_FAIL;
	if (read_object(at, "fail", keys, ARRAY_SIZE(keys), act))
		need_key(at, "code", "what `failure.code` will be, such as out_of_stock");
}

static bool request_reads(const struct action_def *act, enum expr_name name, const char *field)
{
	const struct tmpl *const parts[] = {
		act->http.path,       act->http.body,  act->command.key, act->command.data,
		act->command.headers, act->emit.key,   act->emit.data,   act->emit.headers,
		act->idempotency_key, act->task.route, act->with,
	};
	bool reads = false;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		reads |= parts[i] && tmpl_reads(parts[i], name, field);
	for (size_t i = 0; i < act->http.n_query; i++)
		reads |= tmpl_reads(act->http.query[i].value, name, field);
	for (size_t i = 0; i < act->http.n_headers; i++)
		reads |= tmpl_reads(act->http.headers[i].value, name, field);
	return reads;
}

bool request_reads_failure(const struct action_def *act)
{
	return request_reads(act, EXPR_SAGA, "failure");
}

bool request_reads_callback(const struct action_def *act)
{
	return request_reads(act, EXPR_STEP, "callback_url");
}
