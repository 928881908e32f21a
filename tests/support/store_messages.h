/*
 * Messages for tests of stores: rows that are the same in every test, and what a store holds as
 * text, one line a row, so that a test says by one string what is to be there.
 */
#ifndef TESTS_SUPPORT_STORE_MESSAGES_H
#define TESTS_SUPPORT_STORE_MESSAGES_H

#include "connectors/store.h"

#define MESSAGES_CHANNEL "0123456789abcdef0123456789abcdef"

/* Of a step's only action, in channel MESSAGES_CHANNEL of namespace "default". */
struct subscription_row messages_subscription(const char *step, const char *value);
/* Event k of that channel: {"k":k}, read k seconds after rows_time(0), kept for an hour. */
struct event_row messages_event(const char *value, int k);
/* A message for saga n: {"m":m}, at m seconds after rows_time(0). */
struct inbox_row messages_inbox_row(int n, int m);
/* What a transition publishes, to topic "orders". */
struct outbox_row messages_outbox_row(int place, const char *type);
/* Record `offset` of topic "orders", given up by trigger "order/orders". */
struct dead_letter_row messages_dead_letter(int offset);

/*
 * What follows is valid until the next call of the same function; CHECK fails when the store does.
 * Sagas are told by their number, times by the seconds since rows_time(0).
 */

/* The inbox of all slots: "3: 7s {"m":7}\n" */
const char *messages_in_inbox(struct store *store);
/* What came before saga n waited, in pages of limit: the same. */
const char *messages_early(struct store *store, int n, int limit);
/* The outbox of all slots: "3/2/0 orders order.placed\n", by saga, seq, place, topic and type. */
const char *messages_in_outbox(struct store *store);
/* "17 waiting\n", by offset, of a filter whose namespace is given by default. */
const char *messages_dead_letters(struct store *store, struct dead_letter_filter filter);

/* These CHECK that the store succeeds. */
void messages_commit(struct store *store, struct store_item *items, size_t n);
/* The next transition of saga n subscribes or unsubscribes. */
void messages_subscribe(struct store *store, int n, int64_t seq, const char *step,
						const char *value);
/* Puts one event; returns the slots that were touched as bits. */
unsigned messages_put_event(struct store *store, const char *value, int k);

#endif
