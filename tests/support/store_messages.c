#include "tests/support/store_messages.h"

#include <stdio.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_rows.h"

enum { TEXT_MAX = 1024 * 1024 };

struct subscription_row messages_subscription(const char *step, const char *value)
{
	return (struct subscription_row){
		.step = step, .item = -1, .ns = "default", .channel = MESSAGES_CHANNEL, .value = value};
}

struct event_row messages_event(const char *value, int k)
{
	static char ids[ROWS_MAX][40], events[ROWS_MAX][24];

	CHECK(k >= 0 && k < ROWS_MAX);
	snprintf(ids[k], sizeof(ids[k]), "main/payments/0/%d", k);
	snprintf(events[k], sizeof(events[k]), "{\"k\":%d}", k);
	return (struct event_row){
		.ns = "default",
		.channel = MESSAGES_CHANNEL,
		.value = value,
		.id = ids[k],
		.at = rows_time(k),
		.expires_at = rows_time(k) + 3600 * 1000,
		.event = events[k],
		.event_len = strlen(events[k]),
	};
}

struct inbox_row messages_inbox_row(int n, int m)
{
	static char messages[ROWS_MAX][24];
	char name[32];
	struct inbox_row row = {
		.slot = n % ROWS_SLOTS, .ns = "default", .at = rows_time(m), .message = messages[m]};

	CHECK(m >= 0 && m < ROWS_MAX);
	snprintf(messages[m], sizeof(messages[m]), "{\"m\":%d}", m);
	row.message_len = strlen(messages[m]);
	snprintf(name, sizeof(name), "%d", m);
	hash_uuid5(name, strlen(name), row.id);
	memcpy(row.saga_id, rows_id(n), sizeof(row.saga_id));
	return row;
}

struct outbox_row messages_outbox_row(int place, const char *type)
{
	static const char payload[] = "{\"order\":1}";
	char name[64];
	struct outbox_row row = {
		.place = place,
		.cluster = "main",
		.topic = "orders",
		.key = "order-1",
		.type = type,
		.headers = "{\"ce_type\":\"t\"}",
		.payload = payload,
		.payload_len = sizeof(payload) - 1,
		.created_at = rows_time(0),
	};

	snprintf(name, sizeof(name), "%s/%d", type, place);
	hash_uuid5(name, strlen(name), row.id);
	return row;
}

struct dead_letter_row messages_dead_letter(int offset)
{
	static const char value[] = {'{', '\0', '\377', '"'};
	struct dead_letter_row row = {
		.ns = "default",
		.trigger = "order/orders",
		.cluster = "main",
		.topic = "orders",
		.partition = 3,
		.offset = offset,
		.at = rows_time(offset),
		.failed_at = rows_time(offset) + 5000,
		.key = "order-1",
		.key_len = 7,
		.value = value,
		.value_len = sizeof(value),
		.headers = "[[\"trace\",\"AAE=\"],[\"empty\",null]]",
		.reason = "unparsable",
		.message = "the value is not JSON",
		.attempts = 4,
		.updated_at = rows_time(offset) + 5000,
	};

	dead_letter_id(&row);
	return row;
}

/* Texts. */

static int number_of(const char *saga_id)
{
	for (int n = 0; n < ROWS_MAX; n++)
		if (strcmp(rows_id(n), saga_id) == 0)
			return n;
	return -1;
}

static void add_inbox(struct buf *text, const struct inbox_row *row)
{
	CHECK(strcmp(row->ns, "default") == 0);
	CHECK(row->slot == number_of(row->saga_id) % ROWS_SLOTS);
	CHECK(strlen(row->id) == UUID_SIZE - 1);
	buf_printf(text, "%d: %llds ", number_of(row->saga_id),
			   (long long)(row->at - rows_time(0)) / 1000);
	buf_add(text, row->message, row->message_len);
	buf_add_char(text, '\n');
}

static struct store_reader *reader_of(struct store *store)
{
	struct store_reader *reader;

	CHECK(store->ops->reader_open(store, &reader, NULL) == 0);
	return reader;
}

static const int *all_slots(void)
{
	static int slots[ROWS_SLOTS];

	for (int i = 0; i < ROWS_SLOTS; i++)
		slots[i] = i;
	return slots;
}

struct walk {
	struct buf text;
	int n;
	struct inbox_page inbox;
	struct outbox_page outbox;
	wall_ms after_at;
	char after_event_id[STORE_NAME_MAX_BYTES + 1];
};

static const char *keep(struct walk *walk, char *text)
{
	CHECK(walk->text.len < TEXT_MAX);
	snprintf(text, TEXT_MAX, "%s", buf_str(&walk->text));
	buf_release(&walk->text);
	return text;
}

static int see_inbox(void *ctx, const struct inbox_row *row)
{
	struct walk *walk = ctx;

	walk->n++;
	walk->inbox.after_at = row->at;
	memcpy(walk->inbox.after_id, row->id, sizeof(row->id));
	CHECK(!row->event_id);
	add_inbox(&walk->text, row);
	return 0;
}

const char *messages_in_inbox(struct store *store)
{
	static char text[TEXT_MAX];
	struct walk walk = {.inbox = {.slots = all_slots(), .n_slots = ROWS_SLOTS, .limit = 3}};
	struct store_reader *reader = reader_of(store);

	buf_init(&walk.text, 0);
	do {
		walk.n = 0;
		CHECK(store->ops->inbox_list(reader, &walk.inbox, see_inbox, &walk, NULL) == 0);
		CHECK(walk.n <= 3);
	} while (walk.n == 3);
	store->ops->reader_close(reader);
	return keep(&walk, text);
}

static int see_early(void *ctx, const struct inbox_row *row)
{
	struct walk *walk = ctx;

	walk->n++;
	walk->after_at = row->at;
	snprintf(walk->after_event_id, sizeof(walk->after_event_id), "%s", row->event_id);
	add_inbox(&walk->text, row);
	return 0;
}

const char *messages_early(struct store *store, int n, int limit)
{
	static char text[TEXT_MAX];
	struct store_reader *reader = reader_of(store);
	struct walk walk = {.n = 0};

	buf_init(&walk.text, 0);
	do {
		walk.n = 0;
		CHECK(store->ops->early_events(reader, n % ROWS_SLOTS, rows_id(n), walk.after_at,
									   walk.after_event_id, limit, see_early, &walk, NULL) == 0);
	} while (walk.n >= limit);
	store->ops->reader_close(reader);
	return keep(&walk, text);
}

static int see_outbox(void *ctx, const struct outbox_row *row)
{
	struct walk *walk = ctx;

	walk->n++;
	memcpy(walk->outbox.after_saga_id, row->saga_id, sizeof(row->saga_id));
	walk->outbox.after_seq = row->seq;
	walk->outbox.after_place = row->place;
	CHECK(row->slot == number_of(row->saga_id) % ROWS_SLOTS);
	buf_printf(&walk->text, "%d/%lld/%d %s %s\n", number_of(row->saga_id), (long long)row->seq,
			   row->place, row->topic, row->type);
	return 0;
}

const char *messages_in_outbox(struct store *store)
{
	static char text[TEXT_MAX];
	struct walk walk = {.outbox = {.slots = all_slots(), .n_slots = ROWS_SLOTS, .limit = 2}};
	struct store_reader *reader = reader_of(store);

	buf_init(&walk.text, 0);
	do {
		walk.n = 0;
		CHECK(store->ops->outbox_list(reader, &walk.outbox, see_outbox, &walk, NULL) == 0);
		CHECK(walk.n <= 2);
	} while (walk.n == 2);
	store->ops->reader_close(reader);
	return keep(&walk, text);
}

struct letters {
	struct buf text;
	struct dead_letter_filter filter;
	int n;
};

static int see_letter(void *ctx, const struct dead_letter_row *row)
{
	struct letters *letters = ctx;

	letters->n++;
	letters->filter.after_failed_at = row->failed_at;
	memcpy(letters->filter.after_id, row->id, sizeof(row->id));
	CHECK(!letters->filter.without_record == (row->value != NULL));
	buf_printf(&letters->text, "%lld %s\n", (long long)row->offset,
			   dead_letter_status_text(row->status));
	return 0;
}

const char *messages_dead_letters(struct store *store, struct dead_letter_filter filter)
{
	static char text[TEXT_MAX];
	struct store_reader *reader = reader_of(store);
	struct letters letters = {.filter = filter};
	int limit = filter.limit ? filter.limit : 2;

	letters.filter.ns = filter.ns ? filter.ns : "default";
	letters.filter.limit = limit;
	buf_init(&letters.text, 0);
	do {
		letters.n = 0;
		CHECK(store->ops->dead_letter_list(reader, &letters.filter, see_letter, &letters, NULL) ==
			  0);
		CHECK(letters.n <= limit);
	} while (letters.n == limit);
	store->ops->reader_close(reader);
	snprintf(text, sizeof(text), "%s", buf_str(&letters.text));
	buf_release(&letters.text);
	return text;
}

/* Writing. */

void messages_commit(struct store *store, struct store_item *items, size_t n)
{
	CHECK(store->ops->commit(store, items, n, NULL) == 0);
}

void messages_subscribe(struct store *store, int n, int64_t seq, const char *step,
						const char *value)
{
	struct subscription_row row = messages_subscription(step, value);
	struct store_item item = rows_next(n, seq, NULL);

	if (!value)
		row = (struct subscription_row){.step = step, .item = -1, .remove = true};
	item.subscriptions = &row;
	item.n_subscriptions = 1;
	messages_commit(store, &item, 1);
	CHECK(item.verdict == STORE_ACCEPTED);
}

unsigned messages_put_event(struct store *store, const char *value, int k)
{
	bool touched[ROWS_SLOTS] = {false};
	struct event_row event = messages_event(value, k);
	unsigned bits = 0;

	CHECK(store->ops->events_put(store, &event, 1, touched, NULL) == 0);
	for (int slot = 0; slot < ROWS_SLOTS; slot++)
		bits |= touched[slot] ? 1U << slot : 0;
	return bits;
}
