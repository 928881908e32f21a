#include "coordinator/child_start.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/child_request.h"
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
	CLEANUP(json_decref_p) json_t *json = child_started_answer(id);

	answer(start, json);
}

/* No try will ever succeed. */
static void answer_refused(struct child_start *start, const char *code, const char *message)
{
	CLEANUP(json_decref_p) json_t *json = child_refused_answer(code, message);

	answer(start, json);
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
	struct child_request child;
	int r = find_definition(start, &submission->def, err);

	if (r == 0)
		r = child_request_make(request, submission->def, &child, err);
	if (r < 0)
		return r;
	submission->input = TAKE(child.input);
	submission->key = TAKE(child.key);
	memcpy(submission->fingerprint, child.fingerprint, sizeof(child.fingerprint));
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
	const char *code;
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
	code = child_request_refusal(r);
	if (code)
		answer_refused(start, code, err.text);
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
