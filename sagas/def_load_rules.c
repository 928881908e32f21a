/*
 * Time limits, retries and outcomes: what a step says itself, and what it takes over from its
 * participant and from `defaults`. Nearest wins.
 *
 * The shared parts are checked once, with findings, where they stand (check_inherited); for each
 * action that uses them they are read again with findings muted. That costs a little at load time
 * and lets every action own its rules.
 */
#include <math.h>
#include <string.h>

#include "sagas/def_priv.h"

enum {
	DEFAULT_TIMEOUT_MS = 30 * 1000,
	DEFAULT_INITIAL_INTERVAL_MS = 1000,
	DEFAULT_MAXIMUM_INTERVAL_MS = 100 * 1000,
	DEFAULT_PROBE_EVERY_MS = 10 * 1000,
	MAX_MATCHES = 100,
};

static const char *const outcome_keys[] = {
	[OUTCOME_SUCCESS] = "success", [OUTCOME_FAILURE] = "failure", [OUTCOME_ONGOING] = "ongoing",
	[OUTCOME_UNKNOWN] = "unknown", [OUTCOME_ABSENT] = "absent",
};

static void read_interval(const struct node *at, int64_t *to)
{
	int64_t ms;

	if (read_duration(at, &ms))
		*to = ms;
}

static void read_initial_interval(const struct node *at, void *to)
{
	read_interval(at, &((struct retry_policy *)to)->initial_interval_ms);
}

static void read_maximum_interval(const struct node *at, void *to)
{
	read_interval(at, &((struct retry_policy *)to)->maximum_interval_ms);
}

static void read_backoff_coefficient(const struct node *at, void *to)
{
	double n = json_number_value(at->value);

	if (!json_is_number(at->value) || !(n >= 1 && n <= 100))
		find_at(at, FINDING_ERROR, "`backoff_coefficient` must be a number from 1 to 100");
	else
		((struct retry_policy *)to)->backoff_coefficient = n;
}

static void read_maximum_attempts(const struct node *at, void *to)
{
	read_int(at, 0, INT32_MAX, &((struct retry_policy *)to)->maximum_attempts);
}

static void read_jitter(const struct node *at, void *to)
{
	double n = json_number_value(at->value);

	if (!json_is_number(at->value) || !(n >= 0 && n <= 1))
		find_at(at, FINDING_ERROR, "`jitter` must be a number from 0 to 1");
	else
		((struct retry_policy *)to)->jitter = n;
}

static void free_non_retryable(struct retry_policy *retry)
{
	for (size_t i = 0; i < retry->n_non_retryable; i++)
		free(retry->non_retryable[i]);
	free(TAKE(retry->non_retryable));
	retry->n_non_retryable = 0;
}

static void read_non_retryable(const struct node *at, void *to)
{
	struct retry_policy *retry = to;

	if (!want_list(at, "[card_expired]"))
		return;
	free_non_retryable(retry);
	retry->non_retryable = xcalloc(json_array_size(at->value), sizeof(char *));
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct node item = node_item(at, i);
		const char *code = read_string(&item);

		if (code)
			retry->non_retryable[retry->n_non_retryable++] = xstrdup(code);
	}
}

static void read_on_exhausted(const struct node *at, void *to)
{
	static const char *const words[] = {"fail", "park"};
	int word = read_word(at, words, ARRAY_SIZE(words));

	if (word >= 0)
		((struct retry_policy *)to)->on_exhausted = word ? ON_EXHAUSTED_PARK : ON_EXHAUSTED_FAIL;
}

static const struct key_rule retry_keys[] = {
	{"initial_interval", read_initial_interval},
	{"backoff_coefficient", read_backoff_coefficient},
	{"maximum_interval", read_maximum_interval},
	{"maximum_attempts", read_maximum_attempts},
	{"jitter", read_jitter},
	{"non_retryable", read_non_retryable},
	{"on_exhausted", read_on_exhausted},
};

/*
 * What an undo takes over from participant and defaults: how fast it is retried, but not when to
 * give up. It is retried without end unless it says otherwise itself.
 */
static const struct key_rule pace_keys[] = {
	{"initial_interval", read_initial_interval},
	{"backoff_coefficient", read_backoff_coefficient},
	{"maximum_interval", read_maximum_interval},
	{"maximum_attempts", NULL},
	{"jitter", read_jitter},
	{"non_retryable", NULL},
	{"on_exhausted", NULL},
};

/* 409, "409" and "2xx"; false for anything else. */
static bool status_match(const json_t *value, struct outcome_rule *rule)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value)) {
		*rule = (struct outcome_rule){.match = MATCH_STATUS, .status = 0};
		if (json_integer_value(value) >= 100 && json_integer_value(value) <= 599)
			rule->status = (int)json_integer_value(value);
		return true;
	}
	if (!text || strlen(text) != 3 || text[0] < '1' || text[0] > '5')
		return false;
	if ((text[1] | 32) == 'x' && (text[2] | 32) == 'x') {
		*rule = (struct outcome_rule){.match = MATCH_STATUS_CLASS, .status = text[0] - '0'};
		return true;
	}
	if (strspn(text, "0123456789") != 3)
		return false;
	*rule = (struct outcome_rule){.match = MATCH_STATUS,
								  .status = (text[0] - '0') * 100 + (text[1] - '0') * 10 +
											(text[2] - '0')};
	return true;
}

static int parse_whole_expr(const json_t *value, struct expr **ret_expr)
{
	CLEANUP(tmpl_free_p) struct tmpl *tmpl = NULL;
	const struct expr *expr;
	struct err err;

	if (tmpl_compile(value, NULL, NULL, &tmpl) < 0)
		return ERR_INVALID;
	expr = tmpl_as_expr(tmpl);
	if (!expr)
		return ERR_INVALID;
	return expr_parse(expr_text(expr), strlen(expr_text(expr)), ret_expr, &err);
}

/* One element of an outcome's list. The rule owns its parts. */
static bool read_match(const struct node *at, enum outcome outcome, struct outcome_rule *rule)
{
	const char *text = json_string_value(at->value);

	if (status_match(at->value, rule)) {
		rule->outcome = outcome;
		if (rule->status)
			return true;
		find_at(at, FINDING_ERROR, "a status is from 100 to 599");
		return false;
	}
	*rule = (struct outcome_rule){.outcome = outcome, .match = MATCH_CODE};
	if (!text || !*text) {
		find_at(at, FINDING_ERROR,
				"`%s` lists statuses (409, 2xx), error codes and \"${expressions}\", not %s",
				outcome_keys[outcome], text ? "empty text" : type_text(at->value));
		return false;
	}
	if (strstr(text, "${")) {
		if (!at->load->muted)
			read_tmpl(at, WANT_BOOL, NULL);
		rule->match = MATCH_EXPR;
		return parse_whole_expr(at->value, &rule->expr) == 0;
	}
	rule->code = xstrdup(text);
	return true;
}

/* In which order rules of one level are tried: lower first. */
static int rule_rank(const struct outcome_rule *rule)
{
	static const int by_outcome[] = {
		[OUTCOME_ABSENT] = 0,  [OUTCOME_FAILURE] = 1, [OUTCOME_UNKNOWN] = 2,
		[OUTCOME_ONGOING] = 3, [OUTCOME_SUCCESS] = 4,
	};
	int by_match = rule->match == MATCH_EXPR ? 0 : rule->match == MATCH_STATUS_CLASS ? 2 : 1;

	return by_match * 5 + by_outcome[rule->outcome];
}

static void insert_rule(struct outcome_rules *rules, size_t first, struct outcome_rule rule)
{
	size_t i = rules->n_rules;

	rules->rules = xrealloc_array(rules->rules, rules->n_rules + 1, sizeof(*rules->rules));
	for (; i > first && rule_rank(&rules->rules[i - 1]) > rule_rank(&rule); i--)
		rules->rules[i] = rules->rules[i - 1];
	rules->rules[i] = rule;
	rules->n_rules++;
}

static bool same_match(const struct outcome_rule *a, const struct outcome_rule *b)
{
	if (a->match != b->match || a->match == MATCH_EXPR)
		return false;
	return a->match == MATCH_CODE ? strcmp(a->code, b->code) == 0 : a->status == b->status;
}

static void find_contradiction(const struct node *at, const struct outcome_rules *rules,
							   size_t first, const struct outcome_rule *rule)
{
	for (size_t i = first; i < rules->n_rules; i++) {
		const struct outcome_rule *other = &rules->rules[i];

		if (same_match(other, rule) && other->outcome != rule->outcome)
			find_at(at, FINDING_ERROR, "this is said to be `%s` and `%s` at once",
					outcome_keys[other->outcome], outcome_keys[rule->outcome]);
	}
}

struct outcome_read {
	struct outcome_rules *rules;
	size_t first; /* where the rules of this level begin */
	bool probe;
	bool inherited; /* by a probe: what success means, a probe must say itself */
};

static void read_matches(const struct node *at, struct outcome_read *read, enum outcome outcome)
{
	if (!want_list(at, "[409, 2xx]"))
		return;
	if (json_array_size(at->value) > MAX_MATCHES) {
		find_at(at, FINDING_ERROR, "at most %d can be listed here", MAX_MATCHES);
		return;
	}
	if (outcome == OUTCOME_ABSENT && !read->probe) {
		find_at(at, FINDING_ERROR, "`absent` is an outcome of a probe only");
		return;
	}
	if (read->probe && read->inherited &&
		(outcome == OUTCOME_SUCCESS || outcome == OUTCOME_FAILURE))
		return;
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct node item = node_item(at, i);
		struct outcome_rule rule = {0};

		if (at->load->n_rules++ > DEF_MAX_EXPRS || !read_match(&item, outcome, &rule))
			continue;
		find_contradiction(&item, read->rules, read->first, &rule);
		insert_rule(read->rules, read->first, rule);
	}
}

#define OUTCOME_READER(name, outcome)                                                              \
	static void name(const struct node *at, void *to)                                              \
	{                                                                                              \
		read_matches(at, to, outcome);                                                             \
	}
OUTCOME_READER(read_success, OUTCOME_SUCCESS)
OUTCOME_READER(read_failure, OUTCOME_FAILURE)
OUTCOME_READER(read_ongoing, OUTCOME_ONGOING)
OUTCOME_READER(read_unknown, OUTCOME_UNKNOWN)
OUTCOME_READER(read_absent, OUTCOME_ABSENT)

static void read_code(const struct node *at, void *to)
{
	struct outcome_read *read = to;
	struct tmpl *tmpl = NULL;

	read_tmpl(at, WANT_SCALAR, &tmpl);
	if (!read->rules->code)
		read->rules->code = tmpl;
	else if (at->load->muted)
		tmpl_free(tmpl);
	else
		CHECK(false); /* the nearest level is read first, and only it is not muted */
}

static const struct key_rule outcome_rules_keys[] = {
	{"success", read_success}, {"failure", read_failure}, {"ongoing", read_ongoing},
	{"unknown", read_unknown}, {"absent", read_absent},   {"code", read_code},
};

static void read_outcome(const struct node *at, bool probe, bool inherited,
						 struct outcome_rules *rules)
{
	struct outcome_read read = {rules, rules->n_rules, probe, inherited};
	struct place place = *at->place;
	struct node placed;

	place.names |= BIT(EXPR_REPLY);
	place.undo = false;
	placed = node_placed(at, &place);
	read_object(&placed, "outcome", outcome_rules_keys, ARRAY_SIZE(outcome_rules_keys), &read);
}

static void set_limit(const struct node *at, const char *key, struct limit *limit)
{
	struct node child = node_child(at, key);
	struct limit said = {.ms = -1};

	if (!child.value)
		return;
	read_limit(&child, &said);
	tmpl_free(limit->tmpl);
	*limit = said;
}

/* One level of what nearest wins for; outcomes are not here, for they add up. */
static void read_level(const struct node *at, struct action_def *act, bool pace_only)
{
	struct node retry = node_child(at, "retry");

	set_limit(at, "timeout", &act->timeout);
	if (!pace_only)
		set_limit(at, "deadline", &act->deadline);
	if (retry.value)
		read_object(&retry, "retry", pace_only ? pace_keys : retry_keys, ARRAY_SIZE(retry_keys),
					&act->retry);
}

static void fill_built_in(struct action_def *act, bool waits)
{
	act->timeout = (struct limit){.ms = waits ? -1 : DEFAULT_TIMEOUT_MS};
	act->deadline = (struct limit){.ms = -1};
	act->retry = (struct retry_policy){
		.initial_interval_ms = DEFAULT_INITIAL_INTERVAL_MS,
		.backoff_coefficient = 2,
		.maximum_interval_ms = DEFAULT_MAXIMUM_INTERVAL_MS,
		.jitter = 0.2,
	};
}

void check_inherited(const struct node *at, const char *what)
{
	static const struct key_rule keys[] = {
		{"timeout", NULL}, {"deadline", NULL}, {"retry", NULL}, {"outcome", NULL}};
	struct action_def scratch = {0};
	struct node outcome = node_child(at, "outcome");

	if (!read_object(at, what, keys, ARRAY_SIZE(keys), NULL))
		return;
	fill_built_in(&scratch, false);
	read_level(at, &scratch, false);
	if (outcome.value)
		read_outcome(&outcome, false, false, &scratch.outcome);
	load_keep(at->load, &scratch);
}

void read_rules(const struct node *at, const char *to, struct action_def *act, enum rules_of of)
{
	struct node root = {.load = at->load, .value = at->load->doc, .place = at->place};
	struct node levels[3]; /* nearest first */
	struct node participants = node_child(&root, "participants");
	bool waits = !to;

	levels[0] = *at;
	levels[1] = node_child(&participants, to ? to : "");
	levels[2] = node_child(&root, "defaults");
	if (!to)
		levels[1].value = NULL;
	fill_built_in(act, waits);
	for (int i = 2; i >= 0; i--) {
		if (!json_is_object(levels[i].value) || (i > 0 && waits))
			continue;
		at->load->muted += i > 0;
		read_level(&levels[i], act, of == RULES_OF_UNDO && i > 0);
		at->load->muted -= i > 0;
	}
	for (int i = 0; i < 3; i++) {
		struct node outcome = node_child(&levels[i], "outcome");

		if (!outcome.value || (i > 0 && waits))
			continue;
		at->load->muted += i > 0;
		read_outcome(&outcome, of == RULES_OF_PROBE, i > 0, &act->outcome);
		at->load->muted -= i > 0;
	}
}

struct probe_read {
	struct probe_def *probe;
	bool asked; /* http or command is there */
};

static void read_probe_http(const struct node *at, void *to)
{
	struct probe_read *read = to;
	bool safe;

	read->asked = true;
	read->probe->act.kind = ACTION_HTTP;
	read_http(at, &read->probe->act.http, &safe);
}

static void read_probe_command(const struct node *at, void *to)
{
	struct probe_read *read = to;

	read->asked = true;
	read->probe->act.kind = ACTION_COMMAND;
	read_command(at, &read->probe->act.command);
}

static void read_probe_every(const struct node *at, void *to)
{
	read_interval(at, &((struct probe_read *)to)->probe->every_ms);
}

static const struct key_rule probe_keys[] = {
	{"http", read_probe_http},   {"command", read_probe_command},
	{"every", read_probe_every}, {"timeout", NULL},
	{"outcome", NULL},           {"output", NULL},
};

void read_probe(const struct node *at, struct probe_def **ret_probe)
{
	struct probe_def *probe = xcalloc(1, sizeof(*probe));
	struct probe_read read = {probe, false};
	struct place place = *at->place;
	struct node placed, output, outcome;
	const char *to;

	*ret_probe = probe;
	probe->every_ms = DEFAULT_PROBE_EVERY_MS;
	/* It may ask with what the last reply gave, the id of a job that goes on, say. */
	place.names |= BIT(EXPR_REPLY);
	place.undo = false;
	placed = node_placed(at, &place);
	if (!read_object(&placed, "probe", probe_keys, ARRAY_SIZE(probe_keys), &read))
		return;
	if (!read.asked)
		find_at(at, FINDING_ERROR, "`probe` has no action: say http: {...} or command: {...}");
	if (json_object_get(at->value, "http") && json_object_get(at->value, "command"))
		find_at(at, FINDING_ERROR, "`probe` has two actions; it asks in one way");
	to = probe->act.kind == ACTION_COMMAND ? probe->act.command.to : probe->act.http.to;
	read_rules(&placed, to ? to : "", &probe->act, RULES_OF_PROBE);
	if (probe->act.kind == ACTION_COMMAND) {
		outcome = node_child(at, "outcome");
		warn_statuses(&outcome);
	}
	output = node_child(&placed, "output");
	if (output.value)
		read_tmpl(&output, WANT_ANY, &probe->act.output);
}
