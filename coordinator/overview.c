/*
 * The document is read piece by piece, from counters and indexes, and not in one snapshot: its
 * pieces may differ by what happens meanwhile.
 *
 * When an answer has become old, whoever asks first reads a new one; others who ask at that moment
 * read one too, as many as there are threads for reads.
 */
#include "coordinator/overview.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/clock.h"
#include "coordinator/json_row.h"
#include "coordinator/node.h"
#include "coordinator/peers.h"
#include "sagas/attention.h"
#include "sagas/json_text.h"

enum { KEPT_MAX = 32, OLDEST_MAX = 10, MINUTE_MS = 60000 };

struct kept {
	char *ns;
	int minutes;
	int64_t at_ms; /* on the monotonic clock */
	char *text;
	size_t len;
	char tag[OVERVIEW_TAG_SIZE];
};

struct overview {
	const struct node *node;
	pthread_mutex_t lock; /* of: */
	struct kept kept[KEPT_MAX];
};

struct overview *overview_new(const struct node *node)
{
	struct overview *overview = xcalloc(1, sizeof(*overview));

	overview->node = node;
	CHECK(pthread_mutex_init(&overview->lock, NULL) == 0);
	return overview;
}

static void kept_release(struct kept *kept)
{
	free(kept->ns);
	free(kept->text);
	*kept = (struct kept){0};
}

void overview_free(struct overview *overview)
{
	if (!overview)
		return;
	for (size_t i = 0; i < KEPT_MAX; i++)
		kept_release(&overview->kept[i]);
	pthread_mutex_destroy(&overview->lock);
	free(overview);
}

/* The pieces. */

static int write_counts(struct store_reader *reader, const char *ns, struct buf *out,
						struct err *err)
{
	int64_t counts[SAGA_STATUS_COUNT] = {0};
	int r = reader->store->ops->counts(reader, ns, counts, err);

	if (r < 0)
		return r;
	buf_add_lit(out, ",\"counts\":{");
	for (int i = 0; i < SAGA_STATUS_COUNT; i++)
		buf_printf(out, "%s\"%s\":%lld", i > 0 ? "," : "", saga_status_text(i),
				   (long long)counts[i]);
	buf_add_char(out, '}');
	return 0;
}

struct trouble {
	int64_t total, groups, unacknowledged;
	int64_t kinds[ATTENTION_KIND_COUNT];
};

static int add_group(void *ctx, const struct attention_group_row *row)
{
	struct trouble *trouble = ctx;
	int kind = attention_kind_parse(row->kind);

	trouble->total += row->n;
	trouble->groups++;
	trouble->unacknowledged += !attention_is_acknowledged(row);
	if (kind >= 0)
		trouble->kinds[kind] += row->n;
	return 0;
}

static int write_attention(struct store_reader *reader, const char *ns, struct buf *out,
						   struct err *err)
{
	struct trouble trouble = {0};
	int r;

	r = reader->store->ops->attention_list(reader, ns, ATTENTION_LIST_MAX, add_group, &trouble,
										   err);
	if (r < 0)
		return r;
	buf_printf(
		out, ",\"attention\":{\"total\":%lld,\"groups\":%lld,\"unacknowledged\":%lld,\"kinds\":{",
		(long long)trouble.total, (long long)trouble.groups, (long long)trouble.unacknowledged);
	for (int i = 0; i < ATTENTION_KIND_COUNT; i++)
		buf_printf(out, "%s\"%s\":%lld", i > 0 ? "," : "", attention_kind_text(i),
				   (long long)trouble.kinds[i]);
	buf_add_lit(out, "}}");
	return 0;
}

static int add_oldest(void *ctx, const struct saga_row *row)
{
	struct buf *out = ctx;

	if (out->data[out->len - 1] != '[')
		buf_add_char(out, ',');
	json_row_saga(row, out);
	return 0;
}

static int write_oldest(struct store_reader *reader, const char *ns, struct buf *out,
						struct err *err)
{
	struct saga_filter filter = {.ns = ns, .oldest_first = true, .limit = OLDEST_MAX};
	int r;

	for (int i = 0; i < SAGA_STATUS_COUNT; i++) {
		if (!saga_status_is_terminal(i))
			filter.status_mask |= 1u << i;
	}
	buf_add_lit(out, ",\"oldest\":[");
	r = reader->store->ops->list(reader, &filter, add_oldest, out, err);
	buf_add_char(out, ']');
	return r;
}

struct minutes {
	struct buf *out;
	wall_ms next;
};

static void add_minute(struct minutes *minutes, const struct rate_row *row)
{
	char at[TIME_TEXT_SIZE];

	time_format(minutes->next, at);
	if (minutes->out->data[minutes->out->len - 1] != '[')
		buf_add_char(minutes->out, ',');
	buf_printf(minutes->out,
			   "{\"at\":\"%s\",\"started\":%lld,\"completed\":%lld,\"compensated\":%lld,"
			   "\"failed\":%lld,\"terminated\":%lld,\"attention\":%lld}",
			   at, (long long)row->started, (long long)row->completed, (long long)row->compensated,
			   (long long)row->failed, (long long)row->terminated, (long long)row->attention);
	minutes->next += MINUTE_MS;
}

static void add_zeros(struct minutes *minutes, wall_ms until)
{
	while (minutes->next < until)
		add_minute(minutes, &(struct rate_row){0});
}

static int add_rate(void *ctx, const struct rate_row *row)
{
	struct minutes *minutes = ctx;

	add_zeros(minutes, row->at);
	if (row->at == minutes->next)
		add_minute(minutes, row);
	return 0;
}

int overview_rates(struct store_reader *reader, const char *ns, int minutes, wall_ms now,
				   struct buf *out, struct err *err)
{
	wall_ms until = now - now % MINUTE_MS + MINUTE_MS;
	struct minutes walk = {.out = out, .next = until - (wall_ms)minutes * MINUTE_MS};
	int r;

	buf_add_char(out, '[');
	r = reader->store->ops->rates(reader, ns, walk.next, until, add_rate, &walk, err);
	if (r < 0)
		return r;
	add_zeros(&walk, until);
	buf_add_char(out, ']');
	return 0;
}

struct participants {
	struct buf *out;
	const char *node;
};

static void open_participant(const struct participants *participants, const char *name,
							 const char *transport)
{
	struct buf *out = participants->out;

	if (out->data[out->len - 1] != '[')
		buf_add_char(out, ',');
	buf_add_lit(out, "{\"name\":");
	json_write_string(name, strlen(name), out);
	buf_add_lit(out, ",\"node\":");
	json_write_string(participants->node, strlen(participants->node), out);
	buf_printf(out, ",\"transport\":\"%s\"", transport);
}

static void add_http(void *ctx, const struct http_participant_stats *stats)
{
	struct participants *participants = ctx;
	struct buf *out = participants->out;
	int64_t errors = stats->results[HTTP_NOT_CONNECTED] + stats->results[HTTP_BROKEN] +
					 stats->results[HTTP_TOO_LARGE];

	open_participant(participants, stats->name, "http");
	buf_printf(out,
			   ",\"in_flight\":%lld,\"queued\":%lld,\"requests\":%lld,\"answers\":{\"2xx\":%lld,"
			   "\"3xx\":%lld,\"4xx\":%lld,\"5xx\":%lld},\"errors\":%lld,\"timeouts\":%lld,"
			   "\"latency_ms\":",
			   (long long)stats->in_flight, (long long)stats->queued, (long long)stats->requests,
			   (long long)stats->answers[2], (long long)stats->answers[3],
			   (long long)stats->answers[4], (long long)stats->answers[5], (long long)errors,
			   (long long)stats->results[HTTP_TIMED_OUT]);
	if (stats->recent > 0)
		buf_printf(out, "{\"p50\":%.1f,\"p95\":%.1f,\"p99\":%.1f}}", stats->p50_ms, stats->p95_ms,
				   stats->p99_ms);
	else
		buf_add_lit(out, "null}");
}

/* How participants reply is seen by the node that reads the reply, which need not be this one. */
static void add_kafka(void *ctx, const struct kafka_participant_stats *stats)
{
	struct participants *participants = ctx;

	open_participant(participants, stats->name, "kafka");
	buf_printf(
		participants->out,
		",\"in_flight\":%lld,\"queued\":0,\"requests\":%lld,\"answers\":null,\"errors\":%lld,"
		"\"timeouts\":0,\"latency_ms\":null}",
		(long long)stats->in_flight, (long long)stats->published, (long long)stats->failed);
}

void overview_participants(const struct node *node, struct buf *out)
{
	struct participants participants = {.out = out, .node = node->address};

	buf_add_char(out, '[');
	http_client_participants(node->http, add_http, &participants);
	if (node->kafka)
		hub_participants(node->kafka, add_kafka, &participants);
	buf_add_char(out, ']');
}

/* This node's, and what the others said last. */
static int write_participants(const struct node *node, struct store_reader *reader, struct buf *out,
							  struct err *err)
{
	const struct store_ops *ops = reader->store->ops;
	struct membership membership = {0};
	int asked = 0, answered = 0, r;

	buf_add_lit(out, ",\"participants\":");
	overview_participants(node, out);
	if (ops->nodes && node->peers) {
		r = ops->nodes(reader, &membership, err);
		if (r < 0)
			return r;
		buf_truncate(out, out->len - 1);
		peers_participants(node->peers, &membership, node->address, out, &asked, &answered);
		buf_add_char(out, ']');
		membership_release(&membership);
	}
	buf_printf(out, ",\"nodes_asked\":%d,\"nodes_answered\":%d", asked, answered);
	return 0;
}

static int count_definition(void *ctx, const struct definition_row *row)
{
	(void)row;
	(*(int64_t *)ctx)++;
	return 0;
}

static int write_counts_of_things(const struct node *node, struct store_reader *reader,
								  const char *ns, struct buf *out, struct err *err)
{
	struct member_stats member = {.nodes_alive = 1};
	int64_t n = 0;
	int r = reader->store->ops->definition_list(reader, ns, NULL, count_definition, &n, err);

	if (r < 0 && r != ERR_NOT_FOUND)
		return r;
	if (node->member)
		member_stats(node->member, &member);
	buf_printf(out, ",\"nodes\":%lld,\"definitions\":%lld}", (long long)member.nodes_alive,
			   (long long)n);
	return 0;
}

/* All but what it begins with: {"at":…,"namespace":… */
static int write_pieces(const struct node *node, struct store_reader *reader, const char *ns,
						int minutes, wall_ms now, struct buf *out, struct err *err)
{
	int r = write_counts(reader, ns, out, err);

	if (r == 0)
		r = write_attention(reader, ns, out, err);
	if (r == 0)
		r = write_oldest(reader, ns, out, err);
	if (r < 0)
		return r;
	buf_add_lit(out, ",\"rates\":");
	r = overview_rates(reader, ns, minutes, now, out, err);
	if (r < 0)
		return r;
	r = write_participants(node, reader, out, err);
	if (r < 0)
		return r;
	return write_counts_of_things(node, reader, ns, out, err);
}

static int read_now(struct overview *overview, struct store_reader *reader, const char *ns,
					int minutes, struct buf *out, char tag[OVERVIEW_TAG_SIZE], struct err *err)
{
	char at[TIME_TEXT_SIZE], hex[SHA256_HEX_SIZE];
	wall_ms now = clock_wall();
	size_t head;
	int r;

	time_format(now, at);
	buf_printf(out, "{\"at\":\"%s\",\"namespace\":\"%s\"", at, ns);
	head = out->len;
	r = write_pieces(overview->node, reader, ns, minutes, now, out, err);
	if (r == 0)
		r = buf_check(out, "the overview", err);
	if (r < 0)
		return r;
	hash_sha256_hex(out->data + head, out->len - head, hex);
	snprintf(tag, OVERVIEW_TAG_SIZE, "%.16s", hex);
	return 0;
}

/* What is kept. */

static struct kept *find_kept(struct overview *overview, const char *ns, int minutes)
{
	for (size_t i = 0; i < KEPT_MAX; i++) {
		struct kept *kept = &overview->kept[i];

		if (kept->ns && kept->minutes == minutes && strcmp(kept->ns, ns) == 0)
			return kept;
	}
	return NULL;
}

bool overview_known(struct overview *overview, const char *ns, int minutes, struct buf *out,
					char ret_tag[OVERVIEW_TAG_SIZE])
{
	int64_t now_ms = clock_mono_ms();
	bool known = false;
	struct kept *kept;

	pthread_mutex_lock(&overview->lock);
	kept = find_kept(overview, ns, minutes);
	if (kept && now_ms - kept->at_ms < OVERVIEW_FRESH_MS) {
		buf_add(out, kept->text, kept->len);
		if (ret_tag)
			memcpy(ret_tag, kept->tag, OVERVIEW_TAG_SIZE);
		known = true;
	}
	pthread_mutex_unlock(&overview->lock);
	return known;
}

/* In the place of the same, or of the oldest. */
static void keep(struct overview *overview, struct kept *fresh)
{
	struct kept *place;

	pthread_mutex_lock(&overview->lock);
	place = find_kept(overview, fresh->ns, fresh->minutes);
	for (size_t i = 0; !place && i < KEPT_MAX; i++) {
		if (!overview->kept[i].ns)
			place = &overview->kept[i];
	}
	if (!place) {
		place = &overview->kept[0];
		for (size_t i = 1; i < KEPT_MAX; i++) {
			if (overview->kept[i].at_ms < place->at_ms)
				place = &overview->kept[i];
		}
	}
	kept_release(place);
	*place = *fresh;
	pthread_mutex_unlock(&overview->lock);
}

int overview_get(struct overview *overview, struct store_reader *reader, const char *ns,
				 int minutes, struct buf *out, char ret_tag[OVERVIEW_TAG_SIZE], struct err *err)
{
	struct kept fresh = {.minutes = minutes, .at_ms = clock_mono_ms()};
	struct buf text;
	int r;

	if (overview_known(overview, ns, minutes, out, ret_tag))
		return 0;
	buf_init(&text, 0);
	r = read_now(overview, reader, ns, minutes, &text, fresh.tag, err);
	if (r < 0) {
		buf_release(&text);
		return r;
	}
	buf_add(out, text.data, text.len);
	if (ret_tag)
		memcpy(ret_tag, fresh.tag, OVERVIEW_TAG_SIZE);
	fresh.ns = xstrdup(ns);
	fresh.text = buf_take(&text, &fresh.len);
	keep(overview, &fresh);
	return 0;
}
