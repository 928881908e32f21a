/*
 * A world (tests/support/world.h) with an inbox, for tests of what goes through queues: definitions
 * that wait for replies and events, deliveries that say what they were told, and a look into the
 * store.
 */
#ifndef TESTS_SUPPORT_QUEUES_H
#define TESTS_SUPPORT_QUEUES_H

#include "coordinator/delivery.h"
#include "sagas/event.h"
#include "tests/support/world.h"

enum { Q_MINUTE = 60 * 1000, Q_HOUR = 60 * Q_MINUTE };

enum queues_def {
	Q_HOLD,         /* a command, whose reply may take 10 s */
	Q_HOLD_THEN,    /* the same, and a second one */
	Q_HOLD_EMIT,    /* the same, and a record that is published */
	Q_HOLD_LATE,    /* the same, which is told when the saga takes longer than a minute */
	Q_PAID,         /* awaits an event of channel `payments` by input.id, for 3 h */
	Q_PAID_BESIDE,  /* the same, beside an HTTP call that is tried again every second */
	Q_CANCELLED_BY, /* an hour's rest, cancelled by an event of `stops` by input.id */
	Q_DEFS,
};

/* What who offered a delivery was told. */
struct told {
	int n; /* how often */
	int result;
	bool has_value;
	unsigned value_refs;
	char value[64];
};

struct queues {
	struct world world;
	struct saga_def *defs[Q_DEFS];
	enum store_fault fault;        /* of the next commit */
	enum store_fault always_fault; /* of all */
	bool reads_fail;
	bool definitions_gone;
	uint64_t next; /* the low bits of the next id */
	char ids[16][SAGA_ID_SIZE];
	int n_ids;
};
extern struct queues q;

/* Fixtures: one process that owns all slots. */
void queues_setup(void);
void queues_teardown(void);
/* Begins anew as one of many nodes, with these slots. */
void queues_many(const int *slots, size_t n);
/* Begins anew, with lifecycle events. */
void queues_lifecycle(const char *topic);
/* Definitions cannot be found: sagas that are loaded are parked. */
void queues_hide_definitions(bool hidden);

/* A saga with input {"id": event_id} (NULL: {}), in slot 0, 1, 2, … in turn. */
void queues_start(enum queues_def def, const char *event_id, char id[SAGA_ID_SIZE]);
/* An id that nobody has. */
void queues_id(int slot, char id[SAGA_ID_SIZE]);

void queues_turn(void);
/* Until nothing is under way but calls. */
void queues_settle(void);
/* Time goes on; what is due happens. */
void queues_pass(int64_t ms);
/* The oldest command that is out is published. */
void queues_published(void);

struct delivery *queues_reply(const char *id, const char *step, const char *value);
struct delivery *queues_event(const char *id, const char *step, const char *event_id,
							  const char *event);
void queues_deliver(struct delivery *delivery, struct told *told);

/* What another node writes: a reply into the inbox, an event of a topic. */
void queues_put_reply(const char *id, const char *step, const char *value, int inbox_id);
void queues_put_message(const char *id, const char *message, int inbox_id);
void queues_put_event(enum queues_def def, const char *value, const char *event_id);
int queues_inbox_rows(void);

enum saga_status queues_status(const char *id);
wall_ms queues_due_at(const char *id);
int queues_rows(const char *id);
int queues_count(const char *id, enum event_type type); /* events in the history */
/* Rows of the outbox; type NULL: any. */
int queues_outbox(const char *id, const char *type);
bool queues_outbox_ids_differ(const char *id);
const struct engine_stats *queues_stats(void);

#endif
