#include "coordinator/child_start.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/kafka/trigger_submit.h"
#include "coordinator/log.h"
#include "coordinator/registry.h"
#include "coordinator/start_identity.h"
#include "sagas/json_text.h"

enum { MAIL_START = 1, MAIL_STOP };

struct child_starter {
	struct triggers_options options;
	struct submitter *submitter;
	struct mailbox *box;
	struct mail stop;
	pthread_t thread;
	bool running; /* the thread is */
	bool stopped; /* atomic */
};

/* One start on its way. */
struct child_start {
	struct submission submission; /* first: its mail is that of the box */
	struct child_starter *starter;
	struct call_reply *reply;
	struct request *request;
	char ns[NAMESPACE_MAX_BYTES + 1];
	void (*replied)(void *ctx, struct call_reply *reply);
	void *reply_ctx;
};

static void end(struct child_start *start)
{
	struct call_reply *reply = start->reply;

	request_unref(start->request);
	start->replied(start->reply_ctx, reply);
	free(start);
}

/* The reply goes to another thread, so nothing else may refer to its body. */
static void answer(struct child_start *start, const json_t *json)
{
	struct buf text;
	size_t len;

	buf_init(&text, 0);
	json_write(json, &text);
	len = text.len;
	start->reply->result = CALL_ANSWERED;
	start->reply->body = jval_from_text(buf_take(&text, NULL), len);
	end(start);
}

static void answer_started(struct child_start *start, const char *id)
{
	CLEANUP(json_decref_p) json_t *json = json_pack("{s:s}", "id", id);

	answer(start, json);
}

/* No try will ever succeed. */
static void answer_refused(struct child_start *start, const char *code, const char *message)
{
	CLEANUP(json_decref_p)
	json_t *json = json_pack("{s:s, s:s}", "code", code, "message", message);

	answer(start, json ? json : json_null());
}

/* sure: nothing was started. */
static void answer_later(struct child_start *start, bool sure)
{
	start->reply->result = sure ? CALL_NOT_CONNECTED : CALL_BROKEN;
	start->reply->error = "the child cannot be started now";
	end(start);
}

/* Thread: engine or writer, or that of the starter. */
static void submitted(struct submission *submission)
{
	struct child_start *start = CONTAINER_OF(submission, struct child_start, submission);

	switch (submission->result) {
	case SUBMIT_STARTED:
	case SUBMIT_DUPLICATE:
		answer_started(start, submission->saga_id);
		break;
	case SUBMIT_KEY_CONFLICT:
		answer_refused(start, "key_taken", submission->err.text);
		break;
	case SUBMIT_REFUSED:
		answer_refused(start, "child_refused", submission->err.text);
		break;
	case SUBMIT_LATER:
		log_info("children", start->reply->saga_id, "a child cannot be started now: %s",
				 submission->err.text);
		answer_later(start, false);
		break;
	}
}

static json_t *get_input(void *ctx, enum expr_name name)
{
	return name == EXPR_INPUT ? ctx : NULL;
}

/* The definition's over the input, or the step's. */
static int make_key(const struct saga_def *def, const struct request *request, json_t *input,
					char **ret_key, struct err *err)
{
	struct expr_env env = {.get = get_input, .ctx = input};
	CLEANUP(buf_release) struct buf out;
	bool present = false;
	int r;

	buf_init(&out, 64 * 1024);
	if (!def->key) {
		*ret_key = xstrdup(request->key);
		return 0;
	}
	r = tmpl_write_text(def->key, &env, TMPL_TEXT_PLAIN, &out, &present, err);
	if (r == 0 && !present)
		r = err_set(err, ERR_INVALID, "it gives nothing");
	if (r == 0)
		r = buf_check(&out, "the key", err);
	if (r == 0)
		r = key_check(buf_str(&out), err);
	if (r < 0) {
		err_prefix(err, "the key of %s", def->name);
		return r;
	}
	*ret_key = buf_take(&out, NULL);
	return 0;
}

/* Whose child it is, and by which of its starts: no other request has this. */
static void make_fingerprint(const struct request *request, char fingerprint[SHA256_HEX_SIZE])
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	buf_printf(&text, "child\n%s\n%s\n%s", request->correlation, request->key, request->to);
	hash_sha256_hex(buf_str(&text), text.len, fingerprint);
}

struct first_violation {
	char text[400];
};

static void note_violation(void *ctx, const struct err *err)
{
	struct first_violation *first = ctx;

	if (!*first->text)
		snprintf(first->text, sizeof(first->text), "%.60s: %.300s", *err->place ? err->place : "/",
				 err->text);
}

static int check_input(const struct saga_def *def, const json_t *input, struct err *err)
{
	struct first_violation first = {0};

	if (!def->input_schema ||
		schema_validate(def->input_schema, (json_t *)input, note_violation, &first) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "the input does not fit the schema of %s: %s", def->name,
				   first.text);
}

static int find_definition(struct child_start *start, struct saga_def **ret_def, struct err *err)
{
	struct registry *registry = start->starter->options.registry;
	const struct request *request = start->request;

	if (strchr(request->to, '#'))
		return registry_get(registry, start->ns, request->to, request->version, ret_def, err);
	return registry_start(registry, start->ns, request->to, request->key, ret_def, err);
}

/* ERR_NOT_FOUND, ERR_INVALID and the like: never; retriable: later. */
static int prepare(struct child_start *start, struct err *err)
{
	struct submission *submission = &start->submission;
	const struct request *request = start->request;
	struct store *store = start->starter->options.store;
	int r = find_definition(start, &submission->def, err);

	if (r == 0)
		r = json_parse_stored(request->body ? request->body : "{}",
							  request->body ? request->body_len : 2, &submission->input, err);
	if (r == 0)
		r = check_input(submission->def, submission->input, err);
	if (r == 0)
		r = make_key(submission->def, request, submission->input, &submission->key, err);
	if (r < 0)
		return r;
	make_fingerprint(request, submission->fingerprint);
	start_make_id(start->ns, submission->def->name, submission->key, store->ops->slot_count(store),
				  submission->id);
	submission->ns = start->ns;
	submission->parent = request->correlation;
	submission->depth = request->depth;
	submission->hold = request->hold;
	submission->done = submitted;
	return 0;
}

static void carry_out(struct child_start *start)
{
	struct err err;
	int r;

	if (__atomic_load_n(&start->starter->stopped, __ATOMIC_RELAXED)) {
		start->reply->cancelled = true;
		answer_later(start, true);
		return;
	}
	r = prepare(start, &err);
	if (r == 0) {
		submitter_add(start->starter->submitter, &start->submission);
		return;
	}
	submission_release(&start->submission);
	if (r == ERR_NOT_FOUND)
		answer_refused(start, "definition_not_found", err.text);
	else if (r == ERR_INVALID || r == ERR_LIMIT || r == ERR_NOT_BUILT)
		answer_refused(start, r == ERR_INVALID ? "invalid_input" : "child_refused", err.text);
	else
		answer_later(start, true);
}

static void *starter_main(void *arg)
{
	struct child_starter *starter = arg;
	bool going = true;

	while (going) {
		struct mail *mail = mailbox_drain(starter->box, -1);

		while (mail) {
			struct mail *next = mail->next;

			if (mail->type == MAIL_STOP)
				going = false;
			else
				carry_out(CONTAINER_OF(mail, struct child_start, submission.mail));
			mail = next;
		}
	}
	return NULL;
}

struct child_starter *child_starter_new(void)
{
	struct child_starter *starter = xcalloc(1, sizeof(*starter));

	starter->box = mailbox_new(0);
	starter->stop.type = MAIL_STOP;
	return starter;
}

int child_starter_start(struct child_starter *starter, const struct triggers_options *options,
						struct err *err)
{
	starter->options = *options;
	starter->submitter = submitter_new(options);
	if (pthread_create(&starter->thread, NULL, starter_main, starter) != 0)
		return err_set(err, ERR_UNAVAILABLE, "cannot start the thread that starts children");
	starter->running = true;
	pthread_setname_np(starter->thread, "skald-children");
	return 0;
}

void child_starter_stop(struct child_starter *starter)
{
	struct mail *mail;

	if (!starter)
		return;
	__atomic_store_n(&starter->stopped, true, __ATOMIC_RELAXED);
	if (starter->running) {
		mailbox_post_reserved(starter->box, &starter->stop);
		pthread_join(starter->thread, NULL);
	}
	/* What came behind the stop; the engine sends nothing more by now. */
	for (mail = mailbox_drain(starter->box, 0); mail;) {
		struct mail *next = mail->next;

		carry_out(CONTAINER_OF(mail, struct child_start, submission.mail));
		mail = next;
	}
}

void child_starter_free(struct child_starter *starter)
{
	if (!starter)
		return;
	mailbox_free(starter->box);
	submitter_free(starter->submitter);
	free(starter);
}

/* What is out is bounded by what the engine has out of all its sagas. */
void child_starter_add(struct child_starter *starter, const char *saga_id, const char *ns,
					   const struct command *command,
					   void (*replied)(void *ctx, struct call_reply *reply), void *reply_ctx)
{
	struct child_start *start = xcalloc(1, sizeof(*start));

	start->starter = starter;
	start->reply = call_reply_new(saga_id, command);
	start->request = request_ref(command->request);
	memcpy(start->ns, ns, strnlen(ns, sizeof(start->ns) - 1));
	start->replied = replied;
	start->reply_ctx = reply_ctx;
	start->submission.mail.type = MAIL_START;
	mailbox_post_reserved(starter->box, &start->submission.mail);
}
