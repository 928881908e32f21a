/*
 * Calls: how a request is made from the definition, when it is sent, and when it is sent again.
 *
 * Between two events of an action some of its attempts may go unrecorded (from the tenth on, all
 * but each doubling): then its due time is volatile, and the saga stays in memory until the next
 * event.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/json_text.h"

int decide__limit(const struct ctx *ctx, const struct limit *limit, struct env *env,
				  int64_t *ret_ms, struct err *err)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	wall_ms at;
	int r;

	*ret_ms = limit->ms;
	if (!limit->tmpl)
		return 0;
	r = tmpl_eval(limit->tmpl, &env->expr, &value, err);
	if (r < 0)
		return r;
	if (!json_is_string(value))
		return err_set(err, ERR_INVALID, "a time limit must be a duration or a timestamp");
	if (duration_parse(json_string_value(value), ret_ms, err) == 0)
		return 0;
	r = time_parse(json_string_value(value), &at, err);
	if (r < 0)
		return err_set(err, ERR_INVALID, "`%s` is neither a duration nor a timestamp",
					   json_string_value(value));
	*ret_ms = at > ctx->now ? at - ctx->now : 0;
	return 0;
}

static int write_query(const struct http_action *http, struct env *env, struct buf *path,
					   struct err *err)
{
	CLEANUP(buf_release) struct buf value;
	char separator = strchr(buf_str(path), '?') ? '&' : '?';
	bool present;
	size_t i;
	int r;

	buf_init(&value, 64 * 1024);
	for (i = 0; i < http->n_query; i++) {
		buf_clear(&value);
		r = tmpl_write_text(http->query[i].value, &env->expr, TMPL_TEXT_QUERY, &value, &present,
							err);
		if (r < 0) {
			err_prefix(err, "query `%s`", http->query[i].name);
			return r;
		}
		if (!present)
			continue;
		buf_add_char(path, separator);
		buf_add_str(path, http->query[i].name);
		buf_add_char(path, '=');
		buf_add(path, value.data, value.len);
		separator = '&';
	}
	return 0;
}

static int make_path(const struct http_action *http, struct env *env, struct request *request,
					 struct err *err)
{
	CLEANUP(buf_release) struct buf path;
	bool present = false;
	int r;

	buf_init(&path, 64 * 1024);
	r = tmpl_write_text(http->path, &env->expr, TMPL_TEXT_PATH, &path, &present, err);
	if (r == 0 && !present)
		r = err_set(err, ERR_INVALID, "it gives nothing");
	if (r < 0) {
		err_prefix(err, "path");
		return r;
	}
	r = write_query(http, env, &path, err);
	if (r < 0)
		return r;
	r = buf_check(&path, "the path of a request", err);
	if (r == 0)
		request->path = buf_take(&path, NULL);
	return r;
}

static int make_headers(const struct http_action *http, struct env *env, struct request *request,
						struct err *err)
{
	CLEANUP(buf_release) struct buf line = {0};
	bool present;
	size_t i, n = 0;
	int r;

	if (http->n_headers == 0)
		return 0;
	request->headers = xcalloc(http->n_headers + 1, sizeof(*request->headers));
	buf_init(&line, 16 * 1024);
	for (i = 0; i < http->n_headers; i++) {
		buf_clear(&line);
		buf_printf(&line, "%s: ", http->headers[i].name);
		r = tmpl_write_text(http->headers[i].value, &env->expr, TMPL_TEXT_PLAIN, &line, &present,
							err);
		if (r == 0)
			r = buf_check(&line, "a header", err);
		if (r == 0 && present && strpbrk(line.data, "\r\n"))
			r = err_set(err, ERR_INVALID, "a line break is not allowed there");
		if (r < 0) {
			err_prefix(err, "header `%s`", http->headers[i].name);
			return r;
		}
		if (present)
			request->headers[n++] = buf_take(&line, NULL);
	}
	return 0;
}

static void percent_encode(const char *s, size_t len, struct buf *out)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			strchr("-._~", c))
			buf_add_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* application/x-www-form-urlencoded from an object of plain values. */
static int make_form(const json_t *body, struct buf *out, struct err *err)
{
	CLEANUP(buf_release) struct buf text = {0};
	const char *name;
	json_t *value;

	if (!json_is_object(body))
		return err_set(err, ERR_INVALID, "a form must be an object of plain values");
	buf_init(&text, 0);
	json_object_foreach ((json_t *)body, name, value) {
		if (json_is_object(value) || json_is_array(value))
			return err_set(err, ERR_INVALID, "`%s` of a form must be a plain value", name);
		if (out->len > 0)
			buf_add_char(out, '&');
		percent_encode(name, strlen(name), out);
		buf_add_char(out, '=');
		if (json_is_string(value)) {
			percent_encode(json_string_value(value), json_string_length(value), out);
		} else if (!json_is_null(value)) {
			buf_clear(&text);
			json_write(value, &text);
			percent_encode(buf_str(&text), text.len, out);
		}
	}
	return 0;
}

static int make_body(const struct http_action *http, struct env *env, struct request *request,
					 struct err *err)
{
	CLEANUP(json_decref_p) json_t *form = NULL;
	CLEANUP(buf_release) struct buf body = {0};
	bool present = false;
	int r;

	if (!http->body)
		return 0;
	buf_init(&body, 2 * 1024 * 1024);
	if (http->form) {
		r = tmpl_eval(http->body, &env->expr, &form, err);
		present = form != NULL;
		if (r == 0 && present)
			r = make_form(form, &body, err);
	} else {
		r = tmpl_write(http->body, &env->expr, &body, &present, err);
	}
	if (r == 0)
		r = buf_check(&body, "the body of a request", err);
	if (r < 0) {
		err_prefix(err, "body");
		return r;
	}
	if (!present)
		return 0;
	request->body = buf_take(&body, &request->body_len);
	request->content_type = xstrdup(http->content_type ? http->content_type
									: http->form       ? "application/x-www-form-urlencoded"
													   : "application/json");
	return 0;
}

static int make_key(const struct action_def *act, struct env *env, const char *what,
					struct request *request, struct err *err)
{
	CLEANUP(buf_release) struct buf text = {0};
	char key[STEP_KEY_SIZE];
	bool present = false;
	int r;

	if (!act->idempotency_key) {
		step_key(env->state, env->step, env->item, what, key);
		request->key = xstrdup(key);
		return 0;
	}
	buf_init(&text, KEY_MAX_BYTES);
	r = tmpl_write_text(act->idempotency_key, &env->expr, TMPL_TEXT_PLAIN, &text, &present, err);
	if (r == 0)
		r = buf_check(&text, "the key", err);
	if (r == 0 && !present)
		r = err_set(err, ERR_INVALID, "it gives nothing");
	if (r == 0)
		r = key_check(buf_str(&text), err);
	if (r < 0) {
		err_prefix(err, "idempotency_key");
		return r;
	}
	request->key = buf_take(&text, NULL);
	return 0;
}

int decide__request(const struct action_def *act, struct env *env, const char *what,
					struct request **ret_request, struct err *err)
{
	CLEANUP(request_unref_p) struct request *request = request_new();
	int r;

	request->to = xstrdup(act->http.to);
	request->method = xstrdup(act->http.method);
	r = make_path(&act->http, env, request, err);
	if (r == 0)
		r = make_headers(&act->http, env, request, err);
	if (r == 0)
		r = make_body(&act->http, env, request, err);
	if (r == 0)
		r = make_key(act, env, what, request, err);
	if (r < 0)
		return r;
	*ret_request = TAKE(request);
	return 0;
}

/* What the definition says of one attempt, whatever is left of the deadline. */
static int64_t full_timeout(struct ctx *ctx, struct target target)
{
	const struct action_def *act = decide__action_def(ctx, target);
	struct env env;
	struct err err;
	int64_t ms;

	env_init(&env, ctx->state, target.step, target.item);
	if (decide__limit(ctx, &act->timeout, &env, &ms, &err) < 0 || ms < 0)
		ms = 30000;
	env_release(&env);
	return ms;
}

/*
 * The attempt's time-out and after it the grace: its time-out again, at least ten seconds. A
 * connection that breaks early does not shorten this: what was sent may still be on its way.
 */
wall_ms decide__settles(struct ctx *ctx, struct target target, bool attempt_is_over)
{
	int64_t timeout_ms = full_timeout(ctx, target);
	int64_t grace_ms = timeout_ms < GRACE_MIN_MS ? GRACE_MIN_MS : timeout_ms;

	return ctx->now + (attempt_is_over ? 0 : timeout_ms) + grace_ms;
}

int64_t decide__timeout(struct ctx *ctx, struct target target)
{
	const struct exec *exec = decide__exec(ctx, target);
	int64_t ms = full_timeout(ctx, target);

	if (exec->deadline_at && exec->deadline_at - ctx->now < ms)
		ms = exec->deadline_at - ctx->now;
	return ms < 1 ? 1 : ms;
}

static void command(struct ctx *ctx, struct target target, enum call_kind kind,
					struct request *request, int64_t timeout_ms)
{
	struct decision *decision = ctx->decision;

	if (decision->n_commands == decision->cap_commands) {
		decision->cap_commands = decision->cap_commands ? 2 * decision->cap_commands : 4;
		decision->commands =
			xrealloc_array(decision->commands, decision->cap_commands, sizeof(*decision->commands));
	}
	decision->commands[decision->n_commands++] = (struct command){
		.step = target.step,
		.item = target.item,
		.kind = kind,
		.attempt = decide__exec(ctx, target)->attempt,
		.timeout_ms = timeout_ms,
		.request = request,
	};
}

void decide__send(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);

	exec->out = true;
	command(ctx, target, target.side == SIDE_DO ? CALL_DO : CALL_UNDO, request_ref(exec->request),
			decide__timeout(ctx, target));
}

/* `ongoing` without a probe is asked again with the call itself: its key makes that harmless. */
void decide__probe(struct ctx *ctx, struct target target)
{
	const struct action_def *act = decide__action_def(ctx, target);
	struct exec *exec = decide__exec(ctx, target);
	struct request *request;
	struct env env;
	struct err err;
	int64_t timeout_ms;
	int r;

	if (!act->probe) {
		decide__send(ctx, target);
		return;
	}
	env_init(&env, ctx->state, target.step, target.item);
	env.has_reply = exec->ongoing_reply != NULL;
	env.reply_body = exec->ongoing_reply;
	env.saga_failure = target.side == SIDE_UNDO;
	r = decide__request(&act->probe->act, &env, "probe", &request, &err);
	if (r == 0 && (decide__limit(ctx, &act->probe->act.timeout, &env, &timeout_ms, &err) < 0 ||
				   timeout_ms < 0))
		timeout_ms = 30000;
	env_release(&env);
	if (r < 0) {
		/* A probe that reads a reply which never came cannot be asked: send the call again. */
		decide__send(ctx, target);
		return;
	}
	exec->probe_out = true;
	command(ctx, target, target.side == SIDE_DO ? CALL_PROBE_DO : CALL_PROBE_UNDO, request,
			timeout_ms);
}

static wall_ms later(wall_ms a, wall_ms b)
{
	return a > b ? a : b;
}

static void timer_ended(struct ctx *ctx, struct target target)
{
	struct env env;

	env_init(&env, ctx->state, target.step, target.item);
	decide__completed(ctx, target.step, target.item, NULL, &env);
	env_release(&env);
}

static void give_up(struct ctx *ctx, struct target target, enum outcome outcome, const char *code,
					const char *message);

void decide__due(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);

	switch (exec->status) {
	case EXEC_RUNNING:
		if (exec->due_at && exec->due_at <= ctx->now)
			timer_ended(ctx, target);
		break;
	case EXEC_BACKING_OFF:
	case EXEC_ONGOING:
		if (exec->deadline_at && exec->deadline_at <= ctx->now) {
			if (exec->status == EXEC_ONGOING)
				exec->settle_at = later(exec->settle_at, decide__settles(ctx, target, true));
			give_up(ctx, target, exec->ambiguous ? OUTCOME_UNKNOWN : OUTCOME_FAILURE,
					"deadline_exceeded", exec->message);
			break;
		}
		if (exec->status == EXEC_ONGOING || exec->probe_first) {
			decide__probe(ctx, target);
			break;
		}
		/* The next attempt. The history learns of it when it ends. */
		exec->status = EXEC_RUNNING;
		exec->due_at = 0;
		exec->attempt++;
		decide__send(ctx, target);
		break;
	case EXEC_IDLE:
	case EXEC_DONE:
	case EXEC_FAILED:
	case EXEC_GAVE_UP:
	case EXEC_PARKED:
		break;
	}
}

/* A number in [0, 1) from the input's randomness (splitmix64). */
static double draw(struct ctx *ctx)
{
	uint64_t z = (ctx->random += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static int64_t retry_delay(struct ctx *ctx, const struct retry_policy *retry, int64_t attempt)
{
	double delay = (double)retry->initial_interval_ms;
	double most = (double)retry->maximum_interval_ms;
	int64_t i;

	for (i = 1; i < attempt && delay < most; i++)
		delay *= retry->backoff_coefficient;
	if (delay > most)
		delay = most;
	delay *= 1.0 - retry->jitter * draw(ctx);
	/* Retry-After is the participant's word, within an hour. */
	if (ctx->in->type == INPUT_REPLY && ctx->in->retry_after_ms > (int64_t)delay)
		return ctx->in->retry_after_ms < 3600000 ? ctx->in->retry_after_ms : 3600000;
	return delay < 1 ? 1 : (int64_t)delay;
}

static bool non_retryable(const struct retry_policy *retry, const char *code)
{
	size_t i;

	for (i = 0; i < retry->n_non_retryable; i++)
		if (strcmp(retry->non_retryable[i], code) == 0)
			return true;
	return false;
}

/* The first nine attempts, then each doubling of ten. */
static bool attempt_is_recorded(int64_t attempt)
{
	int64_t at;

	if (attempt < 10)
		return true;
	for (at = 10; at < attempt; at *= 2)
		;
	return at == attempt;
}

void decide__park(struct ctx *ctx, struct target target, enum outcome outcome, const char *code,
				  const char *message)
{
	struct event event = decide__event(EV_STEP_PARKED, target.step, target.item);

	event.outcome = outcome;
	/* A turn that was never begun has nothing that could take effect. */
	if (outcome == OUTCOME_UNKNOWN)
		event.settle_at = decide__exec(ctx, target)->settle_at;
	decide__error(&event, code, message);
	decide__emit(ctx, &event);
}

/* No further attempt. outcome: OUTCOME_UNKNOWN, or OUTCOME_FAILURE when nothing can have happened.
 */
static void give_up(struct ctx *ctx, struct target target, enum outcome outcome, const char *code,
					const char *message)
{
	const struct action_def *act = decide__action_def(ctx, target);
	struct exec *exec = decide__exec(ctx, target);
	bool forward_only = decide__forward_only(ctx->state, target.step);
	bool unknown_pivot = target.step == ctx->state->def->pivot && outcome == OUTCOME_UNKNOWN;
	struct event event;
	struct env env;

	if (target.side == SIDE_UNDO) {
		event = decide__event(EV_COMPENSATION_FAILED, target.step, target.item);
		event.outcome = outcome;
		decide__error(&event, code, message);
		decide__emit(ctx, &event);
		return;
	}
	if (!ctx->state->failing && !forward_only && !unknown_pivot &&
		act->retry.on_exhausted == ON_EXHAUSTED_PARK) {
		decide__park(ctx, target, outcome, code, message);
		return;
	}
	env_init(&env, ctx->state, target.step, target.item);
	decide__failed(ctx, target.step, target.item, outcome,
				   outcome == OUTCOME_UNKNOWN || exec->ambiguous, exec->settle_at, code, message,
				   &env);
	env_release(&env);
}

static void back_off(struct ctx *ctx, struct target target, enum outcome outcome, bool ambiguous,
					 wall_ms settle_at, int64_t delay, const char *code, const char *message)
{
	struct exec *exec = decide__exec(ctx, target);
	bool news = (ambiguous && !exec->ambiguous) || exec->status == EXEC_ONGOING;
	struct event event;

	if (!news && !attempt_is_recorded(exec->attempt)) {
		exec->status = EXEC_BACKING_OFF;
		exec->due_at = ctx->now + delay;
		exec->due_is_volatile = true;
		exec->settle_at = settle_at;
		return;
	}
	event = decide__event(target.side == SIDE_DO ? EV_STEP_ATTEMPT_FAILED
												 : EV_COMPENSATION_ATTEMPT_FAILED,
						  target.step, target.item);
	event.attempt = exec->attempt;
	event.outcome = outcome;
	event.ambiguous = ambiguous;
	event.settle_at = settle_at;
	event.due_at = ctx->now + delay;
	event.http_status = ctx->in->type == INPUT_REPLY ? ctx->in->http_status : 0;
	decide__error(&event, code, message);
	decide__emit(ctx, &event);
}

void decide__attempt_failed(struct ctx *ctx, struct target target, enum outcome outcome, bool sent,
							bool answered, const char *code, const char *message)
{
	const struct action_def *act = decide__action_def(ctx, target);
	struct exec *exec = decide__exec(ctx, target);
	bool forward_only = decide__forward_only(ctx->state, target.step);
	bool ambiguous = exec->ambiguous || (sent && outcome == OUTCOME_UNKNOWN);
	/* The way back has begun, so a sibling is not tried again; the pivot and an undo are. */
	bool stops = ctx->state->failing && target.side == SIDE_DO && !forward_only;
	wall_ms settle_at = exec->settle_at;
	int64_t delay = retry_delay(ctx, &act->retry, exec->attempt);
	bool timed_out = ctx->in->type == INPUT_REPLY && ctx->in->result == CALL_TIMED_OUT;
	bool exhausted;

	exec->out = false;
	exec->sent_before |= sent;
	if (sent && outcome == OUTCOME_UNKNOWN)
		exec->denied = false;
	/* What the participant said to go on goes on, whatever became of this question. */
	if ((sent && !answered && outcome == OUTCOME_UNKNOWN) || exec->status == EXEC_ONGOING)
		settle_at = later(settle_at, decide__settles(ctx, target, timed_out));
	exec->settle_at = settle_at;
	exhausted = stops || non_retryable(&act->retry, code) ||
				(act->retry.maximum_attempts && exec->attempt >= act->retry.maximum_attempts) ||
				(exec->deadline_at && ctx->now + delay >= exec->deadline_at);
	exec->probe_first = act->probe && ambiguous && outcome == OUTCOME_UNKNOWN;
	if (exhausted)
		give_up(ctx, target, ambiguous ? OUTCOME_UNKNOWN : OUTCOME_FAILURE, code, message);
	else
		back_off(ctx, target, outcome, ambiguous, settle_at, delay, code, message);
}
