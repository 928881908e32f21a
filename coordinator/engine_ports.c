/*
 * The turn's ports, in the engine: what the turn asks of the world goes to the HTTP client, to the
 * producer of commands, to the loader and to the writer.
 */
#include "coordinator/engine_priv.h"

#include <sys/random.h>
#include "coordinator/failpoint.h"
#include "coordinator/participant_call.h"
#include "coordinator/writer.h"

/* Thread: HTTP client, or that of the producer. */
static void post_reply(void *ctx, struct call_reply *reply)
{
	struct engine *engine = ctx;

	reply->mail.type = ENGINE_MAIL_REPLY;
	mailbox_post_reserved(engine->box, &reply->mail);
}

static void port_call(void *ctx, const char *saga_id, const struct command *command)
{
	struct engine *engine = ctx;

	failpoint(FP_SEND_BEFORE);
	participant_call_send(engine->options.http, saga_id, command, engine->options.secrets,
						  engine->lease, post_reply, engine);
	failpoint(FP_SEND_AFTER);
}

static void port_publish(void *ctx, const char *saga_id, const char *ns, const struct saga_def *def,
						 const struct command *command)
{
	struct engine *engine = ctx;
	const struct engine_options *options = &engine->options;
	struct call_reply *reply;

	failpoint(FP_SEND_BEFORE);
	if (options->send_command) {
		options->send_command(options->kafka_ctx, saga_id, ns, def, command, engine->lease,
							  post_reply, engine);
	} else {
		reply = call_reply_new(saga_id, command);
		reply->result = CALL_NOT_CONNECTED;
		reply->error = "no Kafka is configured (kafka.brokers)";
		post_reply(engine, reply);
	}
	failpoint(FP_SEND_AFTER);
}

static void port_start_child(void *ctx, const char *saga_id, const char *ns,
							 const struct command *command)
{
	struct engine *engine = ctx;
	const struct engine_options *options = &engine->options;
	struct call_reply *reply;

	failpoint(FP_SEND_BEFORE);
	if (options->start_child) {
		options->start_child(options->children_ctx, saga_id, ns, command, post_reply, engine);
	} else {
		reply = call_reply_new(saga_id, command);
		reply->result = CALL_NOT_CONNECTED;
		reply->error = "children are not started here";
		post_reply(engine, reply);
	}
	failpoint(FP_SEND_AFTER);
}

static void port_outbox_written(void *ctx, size_t rows)
{
	struct engine *engine = ctx;

	if (engine->options.outbox_written)
		engine->options.outbox_written(engine->options.kafka_ctx, rows);
}

static void port_committed(void *ctx, const char *saga_id)
{
	struct engine *engine = ctx;

	if (engine->options.committed)
		engine->options.committed(engine->options.committed_ctx, saga_id);
}

static void port_messages_sent(void *ctx, const bool *slots)
{
	struct engine *engine = ctx;

	if (engine->options.messages_sent)
		engine->options.messages_sent(engine->options.committed_ctx, slots);
}

static void port_tasks(void *ctx, const struct saga_state *state, const struct decision *decision)
{
	struct engine *engine = ctx;

	if (engine->options.tasks_committed)
		engine->options.tasks_committed(engine->options.tasks_ctx, state, decision);
}

static void port_read_inbox(void *ctx, struct inbox_read *read)
{
	struct engine *engine = ctx;

	loader_inbox(engine->loader, read);
}

/* A removal as a job of the writer. */
struct removal_job {
	struct writer_job job;
	struct inbox_removal *removal;
	struct engine *engine;
};

/* Thread: writer. */
static int run_removal(struct writer_job *job, struct store *store)
{
	struct removal_job *own = CONTAINER_OF(job, struct removal_job, job);
	struct inbox_removal *removal = own->removal;
	int r;

	failpoint(FP_INBOX_REMOVE_BEFORE);
	r = store->ops->inbox_remove(store, removal->rows, removal->n, &removal->err);
	failpoint(FP_INBOX_REMOVE_AFTER);
	if (r == ERR_UNKNOWN && job->tries + 1 < WRITER_JOB_TRIES)
		return r;
	removal->result = r;
	removal->mail.type = ENGINE_MAIL_REMOVED;
	mailbox_post_reserved(own->engine->box, &removal->mail);
	free(own);
	return 0;
}

static bool port_remove_inbox(void *ctx, struct inbox_removal *removal)
{
	struct engine *engine = ctx;
	struct removal_job *job = xcalloc(1, sizeof(*job));

	job->job.run = run_removal;
	job->removal = removal;
	job->engine = engine;
	if (writer_post(engine->options.writer, &job->job))
		return true;
	free(job);
	return false;
}

static void port_load(void *ctx, struct loaded_saga *loaded)
{
	struct engine *engine = ctx;

	loader_load(engine->loader, loaded);
}

static void port_list(void *ctx, struct saga_list *list)
{
	struct engine *engine = ctx;

	loader_list(engine->loader, list);
}

static void port_answer(void *ctx, struct engine_call *call)
{
	(void)ctx;
	failpoint(FP_ANSWER_BEFORE);
	call->answer(call);
	failpoint(FP_ANSWER_AFTER);
}

/* Nonces are made of it, so what was seen of it must not tell what comes. */
static uint64_t port_random(void *ctx)
{
	struct engine *engine = ctx;

	if (engine->n_randoms == 0) {
		CHECK(getrandom(engine->randoms, sizeof(engine->randoms), 0) ==
			  (ssize_t)sizeof(engine->randoms));
		engine->n_randoms = ENGINE_RANDOMS;
	}
	return engine->randoms[--engine->n_randoms];
}

static void port_released(void *ctx, int slot)
{
	struct engine *engine = ctx;

	engine->options.slot_released(engine->options.slots_ctx, slot);
}

static void port_fenced(void *ctx, int slot)
{
	struct engine *engine = ctx;

	engine->options.slot_fenced(engine->options.slots_ctx, slot);
}

const struct turn_ports engine__ports = {
	.call = port_call,
	.publish = port_publish,
	.start_child = port_start_child,
	.outbox_written = port_outbox_written,
	.committed = port_committed,
	.messages_sent = port_messages_sent,
	.tasks = port_tasks,
	.read_inbox = port_read_inbox,
	.remove_inbox = port_remove_inbox,
	.load = port_load,
	.list = port_list,
	.answer = port_answer,
	.random = port_random,
	.released = port_released,
	.fenced = port_fenced,
};
