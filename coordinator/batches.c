#include "coordinator/batches.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "connectors/http_client.h"
#include "coordinator/batch_call.h"
#include "coordinator/batch_runs.h"
#include "coordinator/clock.h"
#include "coordinator/engine.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/membership.h"
#include "coordinator/metrics_text.h"

enum { ANSWER_MS = 10000, HEADER_SIZE = 128, NOT_READY_MS = 100 };

enum batches_mail { MAIL_ACTED, MAIL_WAKE, MAIL_STOP };

struct batches {
	struct batches_options options;
	pthread_t thread;
	struct mailbox *box;
	struct mail wake, stop;
	bool woken; /* atomic: `wake` is in the mailbox */
	char runner[UUID_SIZE];
	int64_t stop_at_us; /* atomic; 0: it is not to stop */
	/* The thread's own. */
	struct store_reader *reader;
	struct batch_runs *runs;

	pthread_mutex_t mutex;
	struct batch_runs_stats stats;
};

/* Acting. */

static void acted(struct batches *batches, struct batch_act *act)
{
	act->mail.type = MAIL_ACTED;
	mailbox_post_reserved(batches->box, &act->mail);
}

static void not_acted(struct batches *batches, struct batch_act *act, enum batch_act_end end,
					  const char *why)
{
	batch_call_failed(end, why, act);
	acted(batches, act);
}

struct engine_asking {
	struct batches *batches;
	struct batch_act *act;
};

/* Thread: engine. */
static void engine_answered(struct engine_call *call)
{
	struct engine_asking *asking = call->ctx;

	batch_call_ended(call, asking->act);
	acted(asking->batches, asking->act);
	free(asking);
	engine_call_free(call);
}

static void ask_engine(struct batches *batches, struct batch_act *act)
{
	struct engine_asking *asking;
	struct engine_call *call;
	struct act what;
	struct err err;

	if (batch_call_act(act->task, &what, &err) < 0) {
		not_acted(batches, act, BATCH_ACT_FAILED, err.text);
		return;
	}
	asking = xcalloc(1, sizeof(*asking));
	asking->batches = batches;
	asking->act = act;
	call = engine_call_for_act(act->task->ns, act->saga_id, &what);
	call->answer = engine_answered;
	call->ctx = asking;
	if (engine_post(batches->options.engine, call, &err) == 0)
		return;
	not_acted(batches, act, BATCH_ACT_LATER, err.text);
	free(asking);
	engine_call_free(call);
}

struct node_asking {
	struct http_request http;
	struct batches *batches;
	struct batch_act *act;
	struct buf path, body;
	char address[NODE_ADDRESS_SIZE];
	char namespace_header[HEADER_SIZE];
	const char *headers[4];
};

static void node_asking_free(struct node_asking *asking)
{
	buf_release(&asking->path);
	buf_release(&asking->body);
	free(asking->http.reply);
	free(asking);
}

/* Thread: HTTP client. */
static void node_answered(struct http_request *http)
{
	struct node_asking *asking = http->ctx;

	if (http->result == HTTP_ANSWERED)
		batch_call_answered(http->status, http->reply, http->reply_len, asking->act);
	else
		batch_call_failed(BATCH_ACT_LATER, "the node that has the saga did not answer",
						  asking->act);
	acted(asking->batches, asking->act);
	node_asking_free(asking);
}

static void ask_node(struct batches *batches, struct batch_act *act, const char *address)
{
	struct node_asking *asking = xcalloc(1, sizeof(*asking));
	struct err err;

	buf_init(&asking->path, 0);
	buf_init(&asking->body, 0);
	if (batch_call_request(act->task, act->saga_id, &asking->path, &asking->body, &err) < 0) {
		not_acted(batches, act, BATCH_ACT_FAILED, err.text);
		node_asking_free(asking);
		return;
	}
	asking->batches = batches;
	asking->act = act;
	snprintf(asking->address, sizeof(asking->address), "%s", address);
	snprintf(asking->namespace_header, HEADER_SIZE, "Skald-Namespace: %s", act->task->ns);
	asking->headers[0] = "Content-Type: application/json";
	asking->headers[1] = "Skald-Forwarded: 1";
	asking->headers[2] = asking->namespace_header;
	asking->http = (struct http_request){
		.base_url = asking->address,
		.method = "POST",
		.path = buf_str(&asking->path),
		.headers = asking->headers,
		.body = buf_str(&asking->body),
		.body_len = asking->body.len,
		.timeout_ms = ANSWER_MS,
		.done = node_answered,
		.ctx = asking,
	};
	http_client_send(batches->options.http, &asking->http);
}

static bool is_migration(const struct batch_task *task)
{
	struct act what;
	struct err err;
	bool is;

	if (batch_call_act(task, &what, &err) < 0)
		return false;
	is = what.kind == ACT_MIGRATE;
	act_release(&what);
	return is;
}

static void begin_act(void *ctx, struct batch_act *act)
{
	struct batches *batches = ctx;
	char address[NODE_ADDRESS_SIZE] = "";
	int slot = saga_id_slot(act->saga_id);
	enum slot_place place = SLOT_HERE;

	if (batches->options.member)
		place = member_slot(batches->options.member, slot, address);
	switch (place) {
	case SLOT_HERE:
		/* What a migration needs is read by the API. */
		if (is_migration(act->task))
			ask_node(batches, act, batches->options.address);
		else
			ask_engine(batches, act);
		break;
	case SLOT_THERE:
		ask_node(batches, act, address);
		break;
	case SLOT_UNKNOWN:
		not_acted(batches, act, BATCH_ACT_LATER, "no node has the saga's slot");
		break;
	}
}

/* Writing. */

struct batch_write {
	struct batch_row *row;
	const struct batch_item_row *items;
	size_t n;
};

static int write_batch(void *ctx, struct store *store, struct err *err)
{
	struct batch_write *write = ctx;

	return store->ops->batch_put(store, write->row, write->items, write->n, err);
}

static int put(void *ctx, struct batch_row *row, const struct batch_item_row *items, size_t n,
			   struct err *err)
{
	struct batches *batches = ctx;
	struct batch_write write = {.row = row, .items = items, .n = n};

	return store_job_run(batches->options.writer, write_batch, &write, err);
}

static const struct batch_ports ports = {.put = put, .act = begin_act};

/* The thread. */

static void take_back(struct batches *batches, struct batch_act *act)
{
	if (batch_call_is_repeated(act) && batches->reader)
		batch_call_find_effect(batches->reader, act);
	batch_runs_acted(batches->runs, act, clock_mono_us());
}

static void handle(struct batches *batches, struct mail *mail)
{
	switch ((enum batches_mail)mail->type) {
	case MAIL_ACTED:
		take_back(batches, CONTAINER_OF(mail, struct batch_act, mail));
		break;
	case MAIL_WAKE:
		__atomic_store_n(&batches->woken, false, __ATOMIC_RELEASE);
		batch_runs_look(batches->runs);
		break;
	case MAIL_STOP:
		batch_runs_leave(batches->runs);
		break;
	}
}

static int64_t patience_ms(int64_t at_us)
{
	int64_t left_us = at_us - clock_mono_us();

	if (at_us == INT64_MAX)
		return -1;
	return left_us > 0 ? (left_us + 999) / 1000 : 0;
}

static bool is_over(struct batches *batches)
{
	int64_t stop_at_us = __atomic_load_n(&batches->stop_at_us, __ATOMIC_ACQUIRE);

	return stop_at_us != 0 && (batches->stats.open == 0 || clock_mono_us() >= stop_at_us);
}

static int64_t step(struct batches *batches)
{
	int64_t now_us = clock_mono_us();

	if (!__atomic_load_n(batches->options.ready, __ATOMIC_ACQUIRE))
		return now_us + NOT_READY_MS * 1000;
	return batch_runs_step(batches->runs, now_us, clock_wall());
}

/* Thread: batches. */
static void *batches_main(void *arg)
{
	struct batches *batches = arg;
	struct batch_runs_stats stats;
	int64_t at_us = 0;

	do {
		int64_t stop_at_us = __atomic_load_n(&batches->stop_at_us, __ATOMIC_ACQUIRE);
		struct mail *mail;

		if (stop_at_us != 0 && stop_at_us < at_us)
			at_us = stop_at_us;
		mail = mailbox_drain(batches->box, patience_ms(at_us));
		while (mail) {
			struct mail *next = mail->next;

			handle(batches, mail);
			mail = next;
		}
		at_us = step(batches);
		batch_runs_stats(batches->runs, &stats);
		pthread_mutex_lock(&batches->mutex);
		batches->stats = stats;
		pthread_mutex_unlock(&batches->mutex);
	} while (!is_over(batches));
	return NULL;
}

static int open_all(struct batches *batches, struct err *err)
{
	struct store *store = batches->options.store;
	struct batch_runs_options options = {
		.ports = &ports,
		.ctx = batches,
		.runner = batches->runner,
		.alone = !batches->options.member,
	};
	unsigned char random[16];
	int r = store->ops->reader_open(store, &batches->reader, err);

	if (r < 0)
		return r;
	CHECK(getrandom(random, sizeof(random), 0) == sizeof(random));
	hash_uuid5((const char *)random, sizeof(random), batches->runner);
	options.reader = batches->reader;
	batches->runs = batch_runs_new(&options);
	if (pthread_create(&batches->thread, NULL, batches_main, batches) != 0)
		return err_set(err, ERR_UNAVAILABLE, "cannot start the thread of batches");
	pthread_setname_np(batches->thread, "skald-batches");
	return 0;
}

int batches_start(const struct batches_options *options, struct batches **ret_batches,
				  struct err *err)
{
	struct batches *batches = xcalloc(1, sizeof(*batches));
	int r;

	batches->options = *options;
	batches->box = mailbox_new(1);
	CHECK(pthread_mutex_init(&batches->mutex, NULL) == 0);
	r = open_all(batches, err);
	if (r < 0) {
		if (batches->reader)
			options->store->ops->reader_close(TAKE(batches->reader));
		batches_free(batches);
		return r;
	}
	*ret_batches = batches;
	return 0;
}

void batches_wake(struct batches *batches)
{
	if (!batches || __atomic_exchange_n(&batches->woken, true, __ATOMIC_ACQ_REL))
		return;
	batches->wake.type = MAIL_WAKE;
	mailbox_post_reserved(batches->box, &batches->wake);
}

void batches_stop(struct batches *batches, int64_t grace_ms)
{
	if (!batches || !batches->reader)
		return;
	__atomic_store_n(&batches->stop_at_us, clock_mono_us() + grace_ms * 1000, __ATOMIC_RELEASE);
	batches->stop.type = MAIL_STOP;
	mailbox_post_reserved(batches->box, &batches->stop);
	pthread_join(batches->thread, NULL);
	batches->options.store->ops->reader_close(TAKE(batches->reader));
}

void batches_free(struct batches *batches)
{
	struct mail *mail;

	if (!batches)
		return;
	mail = mailbox_drain(batches->box, 0);
	while (mail) {
		struct mail *next = mail->next;

		handle(batches, mail);
		mail = next;
	}
	batch_runs_free(batches->runs);
	mailbox_free(batches->box);
	pthread_mutex_destroy(&batches->mutex);
	free(batches);
}

void batches_write_metrics(struct batches *batches, struct buf *out)
{
	struct batch_runs_stats stats;

	if (!batches)
		return;
	pthread_mutex_lock(&batches->mutex);
	stats = batches->stats;
	pthread_mutex_unlock(&batches->mutex);
	metrics_write_head(out, "skald_batches_open", "gauge", "Batches that this node does now.");
	buf_printf(out, "skald_batches_open %lld\n", (long long)stats.open);
	metrics_write_head(out, "skald_batch_items_total", "counter",
					   "Sagas that this node's batches have come to, by result.");
	for (int i = BATCH_ITEM_DONE; i < BATCH_ITEM_STATUS_COUNT; i++)
		buf_printf(out, "skald_batch_items_total{result=\"%s\"} %lld\n", batch_item_status_text(i),
				   (long long)stats.items[i]);
}
