#include "coordinator/kafka/trigger_bury.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/clock.h"
#include "coordinator/failpoint.h"
#include "sagas/base/base64.h"
#include "sagas/json_text.h"

static const char *const added[] = {
	"skald-dlt-topic",   "skald-dlt-partition", "skald-dlt-offset",  "skald-dlt-timestamp",
	"skald-dlt-trigger", "skald-dlt-reason",    "skald-dlt-message", "skald-dlt-attempts",
};

void headers_write(const struct kafka_header *headers, size_t n, struct buf *out)
{
	buf_add_char(out, '[');
	for (size_t i = 0; i < n; i++) {
		buf_add_str(out, i > 0 ? ",[" : "[");
		json_write_string(headers[i].name, strlen(headers[i].name), out);
		if (headers[i].value) {
			buf_add_lit(out, ",\"");
			base64_encode(headers[i].value, headers[i].value_len, out);
			buf_add_lit(out, "\"]");
		} else {
			buf_add_lit(out, ",null]");
		}
	}
	buf_add_char(out, ']');
}

static void make_headers(struct burial *burial)
{
	const struct run_record *record = burial->record;
	const struct kafka_record *from = &record->taken->record;
	size_t n = from->n_headers;

	burial->texts[0] = xstrdup(from->topic);
	burial->texts[1] = xasprintf("%d", from->partition);
	burial->texts[2] = xasprintf("%lld", (long long)from->offset);
	burial->texts[3] = xasprintf("%lld", (long long)from->at);
	burial->texts[4] = xstrdup(burial->trigger);
	burial->texts[5] = xstrdup(record->reason);
	burial->texts[6] = xstrdup(record->message);
	burial->texts[7] = xasprintf("%lld", (long long)record->attempts);
	burial->headers = xcalloc(n + ARRAY_SIZE(added), sizeof(*burial->headers));
	for (size_t i = 0; i < n; i++)
		burial->headers[i] = from->headers[i];
	for (size_t i = 0; i < ARRAY_SIZE(added); i++)
		burial->headers[n + i] =
			(struct kafka_header){added[i], burial->texts[i], strlen(burial->texts[i])};
}

static void make_row(struct burial *burial)
{
	const struct run_record *record = burial->record;
	const struct kafka_record *from = &record->taken->record;

	buf_init(&burial->row_headers, 0);
	headers_write(from->headers, from->n_headers, &burial->row_headers);
	burial->message = xstrdup(record->message);
	burial->row = (struct dead_letter_row){
		.ns = burial->ns,
		.trigger = burial->trigger,
		.cluster = from->cluster,
		.topic = from->topic,
		.partition = from->partition,
		.offset = from->offset,
		.at = from->at,
		.failed_at = clock_wall(),
		.key = from->key,
		.key_len = from->key_len,
		.value = from->value,
		.value_len = from->value_len,
		.headers = buf_str(&burial->row_headers),
		.reason = record->reason,
		.message = burial->message,
		.attempts = record->attempts,
		.status = DEAD_LETTER_WAITING,
	};
	burial->row.updated_at = burial->row.failed_at;
	dead_letter_id(&burial->row);
}

void burial_release(struct burial *burial)
{
	for (size_t i = 0; i < ARRAY_SIZE(burial->texts); i++)
		free(TAKE(burial->texts[i]));
	free(TAKE(burial->headers));
	free(TAKE(burial->message));
	buf_release(&burial->row_headers);
}

static void conclude(struct burial *burial, int r)
{
	burial->result = r;
	burial->done(burial);
}

/* A record that is past the store's limits is kept without what it carries. */
static int put(struct burial *burial, struct store *store)
{
	struct dead_letter_row *row = &burial->row;
	int r = store->ops->dead_letter_put(store, row, &burial->err);
	char *message;

	if (r != ERR_LIMIT && r != ERR_INVALID)
		return r;
	message = xasprintf("%.2000s; it cannot be kept here (%s), see topic %s", burial->message,
						burial->err.text, burial->topic);
	free(burial->message);
	row->message = burial->message = message;
	row->key = row->value = NULL;
	row->key_len = row->value_len = 0;
	row->headers = "[]";
	return store->ops->dead_letter_put(store, row, &burial->err);
}

/* Thread: writer. */
static int run(struct writer_job *job, struct store *store)
{
	struct burial *burial = CONTAINER_OF(job, struct burial, job);
	int r;

	failpoint(FP_DEAD_LETTER_BEFORE);
	r = put(burial, store);
	failpoint(FP_DEAD_LETTER_AFTER);
	if (r == ERR_UNKNOWN && job->tries + 1 < WRITER_JOB_TRIES)
		return r;
	conclude(burial, r);
	return 0;
}

/* Thread: producer, or that of bury. */
static void sent(struct kafka_send *send)
{
	struct burial *burial = send->ctx;

	if (send->result != KAFKA_SENT && send->err.code == ERR_LIMIT) {
		char *message = xasprintf("%.2000s; topic %s does not take it: %s", burial->message,
								  burial->topic, send->err.text);

		free(burial->message);
		burial->row.message = burial->message = message;
	} else if (send->result != KAFKA_SENT) {
		burial->err = send->err;
		err_prefix(&burial->err, "topic %s of dead letters: ", burial->topic);
		conclude(burial, send->err.code);
		return;
	}
	burial->job.run = run;
	if (!writer_post(burial->writer, &burial->job))
		conclude(burial, err_set(&burial->err, ERR_UNAVAILABLE,
								 "too many writes are waiting, or the server stops"));
}

void bury(struct burial *burial)
{
	const struct kafka_record *from = &burial->record->taken->record;

	make_headers(burial);
	make_row(burial);
	burial->send = (struct kafka_send){
		.record =
			{
				.topic = burial->topic,
				.partition = -1,
				.key = from->key,
				.key_len = from->key_len,
				.value = from->value,
				.value_len = from->value_len,
				.headers = burial->headers,
				.n_headers = from->n_headers + ARRAY_SIZE(added),
			},
		.done = sent,
		.ctx = burial,
	};
	kafka_produce(burial->producer, &burial->send);
}
