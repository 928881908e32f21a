#include "coordinator/alerts.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/clock.h"
#include "coordinator/json_attention.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/log.h"
#include "sagas/hash.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

enum {
	GROWN = 10,
	TELL_TIMEOUT_MS = 10000,
	APART_MAX_MS = 5 * 60 * 1000, /* of rounds, while the webhook fails */
};

#define X(name, text) [name] = text,
static const char *const reasons[] = {ALERT_REASONS(X)};
#undef X

const char *alert_reason_text(enum alert_reason reason)
{
	return reasons[reason];
}

int alert_due(const struct attention_group_row *row, wall_ms now, int64_t repeat_ms)
{
	if (row->n <= 0)
		return row->notified_at ? ALERT_REPAIRED : -1;
	if (attention_is_acknowledged(row))
		return -1;
	if (!attention_was_told(row))
		return ALERT_NEW;
	if (row->n >= GROWN * row->notified_n)
		return ALERT_GROWING;
	return now - row->notified_at >= repeat_ms ? ALERT_STILL : -1;
}

/* What a person reads first. */
static char *alert_text(const struct attention_group_row *row, enum alert_reason reason)
{
	static const char *const words[] = {
		[ALERT_NEW] = "need",
		[ALERT_GROWING] = "(more and more) need",
		[ALERT_STILL] = "still need",
	};
	bool one = row->n == 1;

	if (reason == ALERT_REPAIRED)
		return xasprintf("Skald: repaired: %s: %s", row->definition, row->message);
	return xasprintf("Skald: %lld %s of %s %s%s a person (%s): %s", (long long)row->n,
					 one ? "saga" : "sagas", row->definition, words[reason], one ? "s" : "",
					 row->kind, row->message);
}

void alert_write(const struct attention_group_row *row, enum alert_reason reason, wall_ms now,
				 const char *dashboard, struct buf *out)
{
	CLEANUP(free_p) char *text = alert_text(row, reason);
	CLEANUP(free_p)
	char *name = xasprintf("%s/%s/%s/%lld/%lld", row->ns, row->id, reasons[reason],
						   (long long)row->revision, (long long)row->notified_at);
	char id[UUID_SIZE];

	/* The same telling, done again, is the same event. */
	hash_uuid5(name, strlen(name), id);
	buf_printf(out, "{\"specversion\":\"1.0\",\"id\":\"%s\"", id);
	buf_add_lit(out, ",\"source\":\"/skald/attention\",\"type\":\"skald.attention.alert\"");
	json_member_time(out, "time", now);
	json_member_text(out, "subject", row->id);
	buf_add_lit(out, ",\"datacontenttype\":\"application/json\"");
	json_member_text(out, "text", text);
	buf_printf(out, ",\"data\":{\"reason\":\"%s\"", reasons[reason]);
	json_member_text(out, "namespace", row->ns);
	buf_add_lit(out, ",\"group\":");
	json_attention(row, out);
	if (dashboard) {
		CLEANUP(free_p)
		char *link = xasprintf("%s/ui/attention/%s?namespace=%s", dashboard, row->id, row->ns);

		json_member_text(out, "link", link);
	}
	buf_add_lit(out, "}}");
}

struct round {
	struct attention_group_row due[ALERTS_A_ROUND];
	enum alert_reason reasons[ALERTS_A_ROUND];
	int n;
	wall_ms now;
	int64_t repeat_ms;
};

static int gather(void *ctx, const struct attention_group_row *row)
{
	struct round *round = ctx;
	int reason = alert_due(row, round->now, round->repeat_ms);

	if (reason < 0)
		return 0;
	attention_group_row_copy(row, &round->due[round->n]);
	round->reasons[round->n++] = (enum alert_reason)reason;
	return round->n == ALERTS_A_ROUND;
}

static int tell(const struct alert_ports *ports, void *ctx, const struct round *round, int i,
				const char *dashboard, struct err *err)
{
	struct attention_group_row row = round->due[i];
	bool repaired = round->reasons[i] == ALERT_REPAIRED;
	struct buf body;
	int r;

	buf_init(&body, 0);
	alert_write(&row, round->reasons[i], round->now, dashboard, &body);
	r = ports->tell(ctx, &body, err);
	buf_release(&body);
	if (r < 0)
		return r;
	row.notified_at = repaired ? 0 : round->now;
	row.notified_n = repaired ? 0 : row.n;
	r = ports->put(ctx, &row, err);
	return r == ERR_CONFLICT ? 0 : r; /* it is told again, as of what was said */
}

int alerts_round(const struct alert_ports *ports, void *ctx, wall_ms now, int64_t repeat_ms,
				 const char *dashboard, struct err *err)
{
	struct round *round = xcalloc(1, sizeof(*round));
	bool unwanted = false;
	int r, i;

	round->now = now;
	round->repeat_ms = repeat_ms;
	r = ports->list(ctx, gather, round, err);
	for (i = 0; i < round->n && (r >= 0 || unwanted); i++) {
		int told = tell(ports, ctx, round, i, dashboard, err);

		unwanted = told == ERR_INVALID;
		r = told < 0 ? told : r;
	}
	r = r < 0 ? r : round->n;
	for (i = 0; i < round->n; i++)
		attention_group_row_release(&round->due[i]);
	free(round);
	return r;
}

/* The thread. */

struct alerts {
	struct alerts_options options;
	struct store_reader *reader;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool stop;
	struct alerts_stats stats; /* atomic */
};

static int list_groups(void *ctx, int (*row)(void *ctx, const struct attention_group_row *row),
					   void *row_ctx, struct err *err)
{
	struct alerts *alerts = ctx;
	int r = alerts->options.store->ops->attention_told(alerts->reader, row, row_ctx, err);

	return r < 0 ? r : 0;
}

/* A call that is waited for. */
struct telling {
	struct http_request request;
	struct alerts *alerts;
	bool done;
};

static void told(struct http_request *request)
{
	struct telling *telling = request->ctx;
	struct alerts *alerts = telling->alerts;

	pthread_mutex_lock(&alerts->lock);
	telling->done = true;
	pthread_cond_broadcast(&alerts->cond);
	pthread_mutex_unlock(&alerts->lock);
}

static bool is_stopping(struct alerts *alerts)
{
	bool stop;

	pthread_mutex_lock(&alerts->lock);
	stop = alerts->stop;
	pthread_mutex_unlock(&alerts->lock);
	return stop;
}

static int tell_webhook(void *ctx, const struct buf *body, struct err *err)
{
	static const char *const headers[] = {"Content-Type: application/cloudevents+json", NULL};
	struct alerts *alerts = ctx;
	struct telling telling = {
		.request =
			{
				.participant = alerts->options.participant,
				.method = "POST",
				.path = "",
				.headers = headers,
				.body = body->data,
				.body_len = body->len,
				.timeout_ms = TELL_TIMEOUT_MS,
				.done = told,
				.ctx = &telling,
			},
		.alerts = alerts,
	};
	struct http_request *request = &telling.request;
	bool taken;

	if (is_stopping(alerts))
		return err_set(err, ERR_UNAVAILABLE, "the server is about to stop");
	http_client_send(alerts->options.http, request);
	pthread_mutex_lock(&alerts->lock);
	while (!telling.done)
		pthread_cond_wait(&alerts->cond, &alerts->lock);
	pthread_mutex_unlock(&alerts->lock);
	taken = request->result == HTTP_ANSWERED && request->status >= 200 && request->status < 300;
	free(request->reply);
	__atomic_fetch_add(taken ? &alerts->stats.sent : &alerts->stats.failed, 1, __ATOMIC_RELAXED);
	if (taken)
		return 0;
	if (request->result == HTTP_ANSWERED)
		return err_set(err,
					   request->status >= 400 && request->status < 500 && request->status != 429
						   ? ERR_INVALID
						   : ERR_UNAVAILABLE,
					   "the webhook answered %d", request->status);
	return err_set(err, ERR_UNAVAILABLE, "the webhook: %s", request->error);
}

static int put_job(void *ctx, struct store *store, struct err *err)
{
	return store->ops->attention_put(store, ctx, err);
}

static int put_group(void *ctx, struct attention_group_row *row, struct err *err)
{
	struct alerts *alerts = ctx;

	return store_job_run(alerts->options.writer, put_job, row, err);
}

static const struct alert_ports real_ports = {list_groups, tell_webhook, put_group};

/* False: the thread is to end. */
static bool wait_for_round(struct alerts *alerts, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;
	bool stop;

	pthread_mutex_lock(&alerts->lock);
	while (!alerts->stop && clock_mono_ms() < until) {
		struct timespec at = {until / 1000, (until % 1000) * 1000000};

		pthread_cond_timedwait(&alerts->cond, &alerts->lock, &at);
	}
	stop = alerts->stop;
	pthread_mutex_unlock(&alerts->lock);
	return !stop;
}

static bool is_ours(const struct alerts *alerts)
{
	char address[NODE_ADDRESS_SIZE];

	return !alerts->options.member || member_slot(alerts->options.member, 0, address) == SLOT_HERE;
}

static void *run(void *arg)
{
	struct alerts *alerts = arg;
	const struct alerts_options *options = &alerts->options;
	int64_t apart = options->every_ms;
	struct err err;

	while (wait_for_round(alerts, apart)) {
		int r = !is_ours(alerts) ? 0
								 : alerts_round(&real_ports, alerts, clock_wall(),
												options->repeat_ms, options->dashboard, &err);

		if (r >= 0) {
			apart = options->every_ms;
			continue;
		}
		log_warn("alerts", NULL, "a person could not be told: %s", err.text);
		apart = apart > APART_MAX_MS / 2 ? APART_MAX_MS : 2 * apart;
	}
	return NULL;
}

int alerts_start(const struct alerts_options *options, struct alerts **ret_alerts, struct err *err)
{
	struct alerts *alerts = xcalloc(1, sizeof(*alerts));
	const struct store_ops *ops = options->store->ops;
	int r;

	alerts->options = *options;
	r = ops->reader_open(options->store, &alerts->reader, err);
	if (r < 0) {
		free(alerts);
		return r;
	}
	pthread_mutex_init(&alerts->lock, NULL);
	clock_cond_init(&alerts->cond);
	if (pthread_create(&alerts->thread, NULL, run, alerts) != 0) {
		ops->reader_close(alerts->reader);
		free(alerts);
		return err_set(err, ERR_NO_MEMORY, "no thread for alerts");
	}
	*ret_alerts = alerts;
	return 0;
}

void alerts_stop(struct alerts *alerts)
{
	if (!alerts)
		return;
	pthread_mutex_lock(&alerts->lock);
	alerts->stop = true;
	pthread_cond_broadcast(&alerts->cond);
	pthread_mutex_unlock(&alerts->lock);
	pthread_join(alerts->thread, NULL);
	alerts->options.store->ops->reader_close(alerts->reader);
	pthread_cond_destroy(&alerts->cond);
	pthread_mutex_destroy(&alerts->lock);
	free(alerts);
}

void alerts_stats(struct alerts *alerts, struct alerts_stats *ret_stats)
{
	ret_stats->sent = __atomic_load_n(&alerts->stats.sent, __ATOMIC_RELAXED);
	ret_stats->failed = __atomic_load_n(&alerts->stats.failed, __ATOMIC_RELAXED);
}
