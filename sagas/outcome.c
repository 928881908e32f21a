/*
 * The rules that a definition gives come first, nearest first; then the built-in ones:
 *
 *   2xx                          success
 *   408 425 429 5xx              unknown
 *   broken, timed out, too large unknown
 *   never connected              nothing happened (an unknown that was not sent)
 *   other 4xx, 3xx               a definite failure; but 409 on what was sent before is unknown
 *   of a probe: all but 2xx      unknown, since only its own rules may say that nothing happened
 *
 * A reply over Kafka says by itself what it means, and is a success if it does not; the failure of
 * a probe is unknown, as above, while a probe may say `absent`, and nothing else may.
 *
 * A rule whose expression cannot be evaluated does not match.
 */
#include "sagas/outcome.h"

#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"

/* Not over HTTP: there is no status, and what is said is said in words. */
static bool over_messages(const struct action_def *act)
{
	return act->kind == ACTION_COMMAND || act->kind == ACTION_TASK;
}

/* What a reply over Kafka is called: its code, else the name of its type; a worker gives a code. */
static const char *command_code(const struct input *in, const struct action_def *act)
{
	if (in->code && *in->code)
		return in->code;
	if (act->kind == ACTION_TASK)
		return "task_failed";
	return in->reply_type && *in->reply_type ? in->reply_type : "command_failed";
}

static void judge_code(const struct action_def *act, const struct env *env, const struct input *in,
					   struct judgement *ret)
{
	CLEANUP(json_decref_p) json_t *code = NULL;
	struct err err;

	if (over_messages(act))
		snprintf(ret->code, sizeof(ret->code), "%s", command_code(in, act));
	else
		snprintf(ret->code, sizeof(ret->code), "http_%d", in->http_status);
	if (!act->outcome.code || tmpl_eval(act->outcome.code, &env->expr, &code, &err) < 0)
		return;
	if (json_is_string(code) && json_string_length(code) > 0)
		snprintf(ret->code, sizeof(ret->code), "%s", json_string_value(code));
	else if (json_is_integer(code))
		snprintf(ret->code, sizeof(ret->code), "%lld", (long long)json_integer_value(code));
}

static bool rule_matches(const struct outcome_rule *rule, const struct env *env, int status,
						 const char *code)
{
	struct err err;
	bool matches = false;

	switch (rule->match) {
	case MATCH_EXPR:
		return expr_eval_bool(rule->expr, &env->expr, &matches, &err) == 0 && matches;
	case MATCH_STATUS:
		return status == rule->status;
	case MATCH_CODE:
		return strcmp(code, rule->code) == 0;
	case MATCH_STATUS_CLASS:
		return status / 100 == rule->status;
	}
	return false;
}

static enum outcome default_outcome(int status, bool sent_before, bool is_probe)
{
	if (status >= 200 && status < 300)
		return OUTCOME_SUCCESS;
	if (is_probe || status >= 500 || status == 408 || status == 425 || status == 429)
		return OUTCOME_UNKNOWN;
	if (status == 409 && sent_before)
		return OUTCOME_UNKNOWN;
	return OUTCOME_FAILURE;
}

static enum outcome said_outcome(const struct input *in, bool is_probe)
{
	switch (in->said) {
	case OUTCOME_DEFAULT:
	case OUTCOME_SUCCESS:
		return OUTCOME_SUCCESS;
	case OUTCOME_FAILURE:
		return is_probe ? OUTCOME_UNKNOWN : OUTCOME_FAILURE;
	case OUTCOME_ONGOING:
		return OUTCOME_ONGOING;
	case OUTCOME_ABSENT:
		return is_probe ? OUTCOME_ABSENT : OUTCOME_UNKNOWN;
	case OUTCOME_UNKNOWN:
		break;
	}
	return OUTCOME_UNKNOWN;
}

/* A gateway that gives up has not heard the end of it. */
static bool status_is_final(int status)
{
	return status != 408 && status != 502 && status != 503 && status != 504;
}

static void judge_answer(const struct input *in, const struct action_def *act, struct env *env,
						 bool sent_before, bool is_probe, struct judgement *ret)
{
	int status = in->http_status;
	const char *text = NULL;
	size_t i;

	ret->answered = over_messages(act) || status_is_final(status);
	judge_code(act, env, in, ret);
	if (over_messages(act))
		ret->outcome = said_outcome(in, is_probe);
	else
		ret->outcome = default_outcome(status, sent_before, is_probe);
	for (i = 0; i < act->outcome.n_rules; i++) {
		if (rule_matches(&act->outcome.rules[i], env, status, ret->code)) {
			ret->outcome = act->outcome.rules[i].outcome;
			ret->by_rule = true;
			break;
		}
	}
	if (ret->outcome == OUTCOME_SUCCESS)
		return;
	if (over_messages(act)) {
		snprintf(ret->message, sizeof(ret->message), "%s", in->error ? in->error : "");
		return;
	}
	if (in->body && json_is_object(jval_json(in->body)))
		text = json_string_value(json_object_get(jval_json(in->body), "message"));
	snprintf(ret->message, sizeof(ret->message), "answered with status %d%s%s", status,
			 text ? ": " : "", text ? text : "");
}

void outcome_judge(const struct input *in, const struct action_def *act, struct env *env,
				   bool sent_before, bool is_probe, struct judgement *ret)
{
	const char *code = "";

	*ret = (struct judgement){.outcome = OUTCOME_UNKNOWN, .sent = true};
	switch (in->result) {
	case CALL_ANSWERED:
		judge_answer(in, act, env, sent_before, is_probe, ret);
		return;
	case CALL_NOT_CONNECTED:
		code = "not_connected";
		ret->sent = false;
		break;
	case CALL_BROKEN:
		code = "connection_broken";
		break;
	case CALL_TIMED_OUT:
		code = "timeout";
		break;
	case CALL_PUBLISHED: /* says nothing of what will come of it */
		code = "published";
		break;
	case CALL_TOO_LARGE:
		code = "reply_too_large";
		break;
	}
	snprintf(ret->code, sizeof(ret->code), "%s", code);
	snprintf(ret->message, sizeof(ret->message), "%s", in->error ? in->error : code);
}
