/*
 * The rows of the store that have to do with messages: what sagas wait for, what arrived, what is
 * to be published, what could not be used, and what was said about triggers. The functions that
 * write and read them are in connectors/store.h.
 *
 *   subscriptions   who waits for which event: written in the commit of the transition that waits
 *   events          what arrived lately, kept for those who do not wait for it yet
 *   inbox           what arrived for a saga and is in no history yet
 *   outbox          what the history says was published, and no broker has acknowledged yet
 *   dead_letters    records that started nothing, with the reason
 *   triggers        what persons and policies said about triggers: paused, go on from there
 *
 * Strings and bytes are borrowed from whoever made the struct, except in rows that were copied.
 */
#ifndef CONNECTORS_STORE_MESSAGES_H
#define CONNECTORS_STORE_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/buf.h"
#include "sagas/base/err.h"
#include "sagas/base/time.h"
#include "sagas/hash.h"
#include "sagas/id.h"

/* Limits, the same in every store. What is past them is refused with ERR_LIMIT. */
enum {
	STORE_PUT_MAX = 1000,             /* rows of one call that writes, or page that is read */
	STORE_CHANNEL_MAX_BYTES = 64,     /* of a channel */
	STORE_VALUE_MAX_BYTES = 255,      /* of the value that a subscription matches by */
	STORE_NAME_MAX_BYTES = 512,       /* of a trigger's name, a topic, an event's id, a step */
	STORE_TEXT_MAX_BYTES = 64 * 1024, /* of a message for people, a record's key in the outbox */
	STORE_BODY_MAX_BYTES = 32 * 1024 * 1024, /* of an event, a message, a payload, a record */
};

/*
 * What a saga waits for: events of a channel with one value. (step, item, place) name the place in
 * the saga where the event goes; each has one subscription, and another one takes its place.
 */
struct subscription_row {
	const char *step; /* "": the saga as a whole (cancel_on) */
	int item;         /* -1: the step's only action */
	int place;        /* which of the step's waits; with step "": which entry of cancel_on */
	bool remove;      /* it waits no more: what follows is NULL */
	const char *ns;   /* the saga's */
	const char *channel, *value;
};

/* An event that arrived, under one of the channels that it was looked at through. */
struct event_row {
	const char *ns, *channel, *value;
	const char *id;     /* "<cluster>/<topic>/<partition>/<offset>", "webhook/<source>/<id>" */
	wall_ms at;         /* when it was read from the broker */
	wall_ms expires_at; /* until then it is there for those who come to wait for it */
	const char *event;  /* JSON */
	size_t event_len;
};

/* Something that arrived for one saga; removed by the commit of the transition that took it in. */
struct inbox_row {
	char id[UUID_SIZE]; /* made of what it came from, so that writing it again adds nothing */
	int slot;           /* of the saga */
	const char *ns;
	char saga_id[SAGA_ID_SIZE];
	wall_ms at;
	const char *message; /* a delivery as JSON */
	size_t message_len;
	const char *event_id; /* only when it comes from early_events: for its next page; else NULL */
};

/*
 * Something to publish, named by (saga_id, seq, place): the history row it belongs to, and its
 * number in there. The names of the columns are those that Debezium's outbox event router expects.
 */
struct outbox_row {
	int slot;                   /* when read; in a commit it is the item's */
	char saga_id[SAGA_ID_SIZE]; /* the same */
	int64_t seq;                /* the same */
	int place;
	char id[UUID_SIZE];  /* the event's, for ever */
	const char *cluster; /* where to; not NULL */
	const char *topic;   /* aggregatetype */
	const char *key;     /* aggregateid: the record's key; NULL: none */
	const char *type;    /* of the event */
	const char *headers; /* JSON object of strings */
	const char *payload; /* the record's value; NULL: none */
	size_t payload_len;
	wall_ms created_at;
};

/* X(constant, text) */
#define DEAD_LETTER_STATUSES(X)                                                                    \
	X(DEAD_LETTER_WAITING, "waiting")     /* for a person */                                       \
	X(DEAD_LETTER_REDRIVEN, "redriven")   /* a saga was started from it after all */               \
	X(DEAD_LETTER_DISCARDED, "discarded") /* a person said that nothing is to come of it */

enum dead_letter_status {
#define X(name, text) name,
	DEAD_LETTER_STATUSES(X)
#undef X
		DEAD_LETTER_STATUS_COUNT
};
const char *dead_letter_status_text(enum dead_letter_status status);
/* -1: no such status. */
int dead_letter_status_parse(const char *text);

/* A record that started nothing, unchanged, with the reason. */
struct dead_letter_row {
	char id[UUID_SIZE];       /* of dead_letter_id */
	const char *ns, *trigger; /* the trigger's name */
	const char *cluster, *topic;
	int partition;
	int64_t offset;
	wall_ms at;              /* the record's own time */
	wall_ms failed_at;       /* when it was given up */
	const void *key, *value; /* any bytes; NULL: none */
	size_t key_len, value_len;
	const char *headers; /* JSON: [[name, base64 of the value or null], …] */
	const char *reason;  /* a word: "unparsable", "key_conflict" … */
	const char *message; /* for people */
	int64_t attempts;
	enum dead_letter_status status;
	const char *saga_id; /* REDRIVEN: that was started; else NULL */
	wall_ms updated_at;  /* of the status */
};

/* Filters are joined by AND. Pages go from what was given up last to what was first. */
struct dead_letter_filter {
	const char *ns;
	const char *trigger; /* NULL: any */
	const char *reason;  /* NULL: any */
	int status;          /* enum dead_letter_status, or -1: any */
	/* Keyset: what comes after this row; "": from the top. */
	wall_ms after_failed_at;
	char after_id[UUID_SIZE];
	bool without_record; /* key, value and headers are left out (NULL; their lengths are there) */
	int limit;           /* 1 to STORE_PUT_MAX */
};

/* What was said about a trigger. A trigger of which nothing was said has no row. */
struct trigger_row {
	const char *ns, *name; /* "<definition>/<topic>" */
	bool paused;
	const char *reason; /* of the pause; NULL: none */
	const char *seeks;  /* JSON: {partition: offset | "earliest" | …}; NULL: none */
	const char *by;     /* who said it; NULL: nobody in particular */
	wall_ms updated_at;
	/*
	 * How often it was written. trigger_put takes the revision that was read (0: there was no row)
	 * and sets the one that is there now.
	 */
	int64_t revision;
};

/* A page of the inbox, oldest first by (at, id). */
struct inbox_page {
	const int *slots; /* only rows of these */
	size_t n_slots;
	wall_ms after_at; /* keyset: what comes after this row; after_id "": from the oldest */
	char after_id[UUID_SIZE];
	int limit; /* 1 to STORE_PUT_MAX */
};

/* A page of the outbox, by (saga_id, seq, place): of one saga, in the order of its history. */
struct outbox_page {
	const int *slots;
	size_t n_slots;
	char after_saga_id[SAGA_ID_SIZE]; /* keyset: what comes after this row; "": from the start */
	int64_t after_seq;
	int after_place;
	int limit; /* 1 to STORE_PUT_MAX */
};

/* Copies with owned strings, and their release, which leaves an empty row. */
void outbox_row_copy(const struct outbox_row *from, struct outbox_row *ret_row);
void outbox_row_release(struct outbox_row *row);
void dead_letter_row_copy(const struct dead_letter_row *from, struct dead_letter_row *ret_row);
void dead_letter_row_release(struct dead_letter_row *row);
void trigger_row_copy(const struct trigger_row *from, struct trigger_row *ret_row);
void trigger_row_release(struct trigger_row *row);

/*
 * Fills in row->id from namespace, trigger, cluster, topic, partition, offset and at: the same
 * record given up again by the same trigger is the same dead letter.
 */
void dead_letter_id(struct dead_letter_row *row);

/*
 * For the stores. What an event becomes for one subscription: the id of the inbox row, and its
 * message {"kind":"event","step","item","place","event_id","event"}, which is appended.
 */
void store_event_inbox_id(const char *saga_id, const char *step, int item, int place,
						  const char *event_id, char ret_id[UUID_SIZE]);
void store_event_message(const struct event_row *event, const char *step, int item, int place,
						 struct buf *out);

/*
 * For the stores: whether what an item of a commit carries is within the limits; else the item is
 * STORE_UNSTORABLE.
 */
bool store_messages_fit(const struct subscription_row *subscriptions, size_t n_subscriptions,
						const struct outbox_row *outbox, size_t n_outbox);
/* For the stores: whether rows are within the limits; ERR_LIMIT, ERR_INVALID, and which row. */
int store_check_events(const struct event_row *rows, size_t n, struct err *err) MUST_CHECK;
int store_check_inbox(const struct inbox_row *rows, size_t n, struct err *err) MUST_CHECK;
int store_check_dead_letter(const struct dead_letter_row *row, struct err *err) MUST_CHECK;
int store_check_trigger(const struct trigger_row *row, struct err *err) MUST_CHECK;
int store_check_count(size_t n, struct err *err) MUST_CHECK;  /* at most STORE_PUT_MAX */
int store_check_limit(int limit, struct err *err) MUST_CHECK; /* 1 to STORE_PUT_MAX */

#endif
