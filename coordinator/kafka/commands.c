#include "coordinator/kafka/commands.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/clock.h"

/* All atomic. */
struct counts {
	int64_t in_flight, published, failed;
};

struct commands {
	struct commands_options options;
	int64_t published, failed; /* atomic */
	struct counts *counts;     /* by participant */
};

/* One command on its way; one allocation holds the reply for the engine and what the producer
 * needs. */
struct sending {
	struct call_reply reply;
	struct kafka_send send;
	struct commands *commands;
	struct counts *counts; /* of its participant; NULL: there is no such one */
	void (*replied)(void *ctx, struct call_reply *reply);
	void *reply_ctx;
	char error[sizeof(((struct err *)NULL)->text) + 1];
};

struct commands *commands_new(const struct commands_options *options)
{
	struct commands *commands = xcalloc(1, sizeof(*commands));

	commands->options = *options;
	commands->counts = xcalloc(options->settings->n_participants + 1, sizeof(*commands->counts));
	return commands;
}

void commands_free(struct commands *commands)
{
	if (commands)
		free(commands->counts);
	free(commands);
}

static void release(struct call_reply *reply)
{
	free(CONTAINER_OF(reply, struct sending, reply));
}

static void tell(struct sending *sending, enum call_result result, const char *error)
{
	struct commands *commands = sending->commands;
	int64_t *count = result == CALL_PUBLISHED ? &commands->published : &commands->failed;

	__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
	if (sending->counts) {
		struct counts *own = sending->counts;

		__atomic_sub_fetch(&own->in_flight, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(result == CALL_PUBLISHED ? &own->published : &own->failed, 1,
						   __ATOMIC_RELAXED);
	}
	sending->reply.result = result;
	if (error) {
		snprintf(sending->error, sizeof(sending->error), "%s", error);
		sending->reply.error = sending->error;
	}
	sending->replied(sending->reply_ctx, &sending->reply);
}

/* What is past a limit is so another time, too: it need not be tried again. */
static enum call_result not_sent(const struct err *err)
{
	return err->code == ERR_LIMIT ? CALL_TOO_LARGE : CALL_NOT_CONNECTED;
}

/* Thread: the producer's, or the engine's when the record was refused at once. */
static void sent(struct kafka_send *send)
{
	struct sending *sending = CONTAINER_OF(send, struct sending, send);

	switch (send->result) {
	case KAFKA_SENT:
		tell(sending, CALL_PUBLISHED, NULL);
		break;
	case KAFKA_NOT_SENT:
		sending->reply.cancelled = send->err.code == ERR_FENCED;
		tell(sending, not_sent(&send->err), send->err.text);
		break;
	case KAFKA_SENT_UNKNOWN:
		tell(sending, CALL_BROKEN, send->err.text);
		break;
	}
}

static const struct kafka_participant *find(const struct commands *commands, const char *name)
{
	const struct kafka_settings *settings = commands->options.settings;

	for (size_t i = 0; i < settings->n_participants; i++)
		if (strcmp(settings->participants[i].name, name) == 0)
			return &settings->participants[i];
	return NULL;
}

static int publish(struct sending *sending, const struct kafka_participant *participant,
				   const struct command_address *address, const struct command *command,
				   struct err *err)
{
	struct commands *commands = sending->commands;
	struct kafka_producer *producer;
	struct command_record record;
	int r;

	producer = commands->options.producer(commands->options.ctx, participant->cluster);
	if (!producer)
		return err_set(err, ERR_INVALID,
					   "participant %s: there is no Kafka cluster `%s` in the configuration",
					   participant->name, participant->cluster);
	r = command_record_make(participant->profile, command->request, address, &record, err);
	if (r < 0)
		return r;
	sending->send.record = record.record;
	sending->send.record.partition = -1;
	kafka_produce(producer, &sending->send);
	command_record_release(&record);
	return 0;
}

void commands_send(struct commands *commands, const char *saga_id, const char *ns,
				   const struct saga_def *def, const struct command *command,
				   const int64_t *not_after_ms,
				   void (*replied)(void *ctx, struct call_reply *reply), void *reply_ctx)
{
	const struct kafka_participant *participant = find(commands, command->request->to);
	struct sending *sending = xcalloc(1, sizeof(*sending));
	struct command_address address = {
		.ns = ns,
		.definition = def->name,
		.saga_id = saga_id,
		.reply_topic = commands->options.settings->reply_topic,
		.attempt = command->attempt,
		.at = clock_wall(),
	};
	struct err err;
	int r;

	call_reply_name(&sending->reply, saga_id, command);
	sending->reply.release = release;
	sending->reply.not_after_ms = not_after_ms;
	sending->commands = commands;
	sending->replied = replied;
	sending->reply_ctx = reply_ctx;
	sending->send.not_after_ms = not_after_ms;
	sending->send.done = sent;
	if (!participant) {
		r = err_set(&err, ERR_INVALID,
					"participant %s has no topic in the configuration (participants.%s.topic)",
					command->request->to, command->request->to);
	} else {
		address.cluster = participant->cluster;
		address.topic = participant->topic;
		sending->counts = &commands->counts[participant - commands->options.settings->participants];
		__atomic_add_fetch(&sending->counts->in_flight, 1, __ATOMIC_RELAXED);
		r = publish(sending, participant, &address, command, &err);
	}
	if (r < 0)
		tell(sending, not_sent(&err), err.text);
}

void commands_stats(struct commands *commands, struct commands_stats *ret_stats)
{
	ret_stats->published = __atomic_load_n(&commands->published, __ATOMIC_RELAXED);
	ret_stats->failed = __atomic_load_n(&commands->failed, __ATOMIC_RELAXED);
}

void commands_participants(const struct commands *commands,
						   void (*each)(void *ctx, const struct kafka_participant_stats *stats),
						   void *ctx)
{
	const struct kafka_settings *settings = commands->options.settings;

	for (size_t i = 0; i < settings->n_participants; i++) {
		const struct counts *counts = &commands->counts[i];
		const struct kafka_participant_stats stats = {
			.name = settings->participants[i].name,
			.in_flight = __atomic_load_n(&counts->in_flight, __ATOMIC_RELAXED),
			.published = __atomic_load_n(&counts->published, __ATOMIC_RELAXED),
			.failed = __atomic_load_n(&counts->failed, __ATOMIC_RELAXED),
		};

		each(ctx, &stats);
	}
}
