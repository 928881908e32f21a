/*
 * What the files of the Postgres store share, and nobody else: connections, statements, the binary
 * arrays that a batch travels in, and the store itself.
 */
#ifndef CONNECTORS_STORE_POSTGRES_PRIV_H
#define CONNECTORS_STORE_POSTGRES_PRIV_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "connectors/store.h"
#include "sagas/base/buf.h"

enum {
	PG_MAX_ROW = 64 * 1024 * 1024,    /* of one text */
	PG_MAX_BATCH = 256 * 1024 * 1024, /* bytes of one statement's texts */
	PG_MAX_RETAIN = 10000,
	PG_NAME_SIZE = 64,      /* of a connection: application_name has at most 63 characters */
	PG_CONNECT_SECONDS = 5, /* unless the URL says otherwise */
	PG_ANSWER_MS = 30000,   /* after it a server is taken for gone */
	PG_READ_MS = 10000,     /* the server itself ends a read then */
	PG_TRIES = 4,           /* of what may be tried again without harm */
	PG_MAX_PARAMS = 140,
	PG_UUID_SIZE = 16,
};

/* Connections differ in their settings: the writer's plans must not depend on how full the tables
 * were when they were made. */
enum pg_kind { PG_WRITER, PG_READER, PG_MEMBER };

struct store_postgres;

/* One connection, of one thread at a time. It is made when it is needed, and again when it broke.
 */
struct pg_conn {
	struct store_postgres *store;
	enum pg_kind kind;
	PGconn *pg;              /* NULL: none */
	char name[PG_NAME_SIZE]; /* of the present one: nobody else's, ever */
	unsigned identity;       /* of the store, when it was made */
	uint64_t prepared[2];    /* bits by statement */
	int counting_slot;       /* that the server knows of; -1: none */
	bool warned;             /* the server said WARNING since this was cleared */
	bool ended;              /* the server said goodbye */
};

struct pg_uuid {
	unsigned char bytes[PG_UUID_SIZE];
};

/* What was under way on a connection that broke. */
struct pg_lost {
	char name[PG_NAME_SIZE]; /* "": nothing is lost */
	int *slots;
	size_t n_slots;
};

/* A parameter that is an array, as Postgres's binary format has it. */
struct pg_array {
	struct buf buf;
	uint32_t n;
	bool has_null;
};

struct store_postgres {
	struct store store;
	char *url;
	int slot_count;
	bool exclusive;
	bool single_slot_batches;

	/* Thread: writer. */
	struct pg_conn writer;
	struct pg_lost lost;
	struct pg_array *arrays; /* of a batch's statement, kept for their memory */
	int64_t sized_at_ms;     /* when the bytes were last asked for; monotonic */
	char *retain_ns;         /* where the next retain goes on; NULL: from the start */
	char retain_id[SAGA_ID_SIZE];
	char trim_ns[NAMESPACE_MAX_BYTES + 1]; /* the same for history_trim */
	char trim_id[SAGA_ID_SIZE];
	bool retain_dense; /* the last look found as many as it wanted */

	/* Thread: membership. */
	struct pg_conn member;
	bool joined;

	/* The tokens of our slots, written by the membership thread and read by the writer. */
	pthread_mutex_t mutex;
	struct pg_uuid *tokens; /* all zeros: not ours */
	char node_id[NODE_ID_SIZE];
	unsigned identity; /* counts up with each node_id */

	/* Thread: any. */
	_Atomic int64_t n_commits, n_items, bytes;
};

static inline struct store_postgres *pg__from(const struct store *store)
{
	return (struct store_postgres *)store;
}

/* Statements that are prepared on the connection that first needs them. */
#define PG_STATEMENTS(X)                                                                           \
	X(PG_COMMIT)                                                                                   \
	X(PG_COMMIT_ALL)                                                                               \
	X(PG_COMMIT_LONG)                                                                              \
	X(PG_KEYS_FIND)                                                                                \
	X(PG_SETTLE)                                                                                   \
	X(PG_DEF_PUT)                                                                                  \
	X(PG_RETAIN_NAMESPACE)                                                                         \
	X(PG_RETAIN_FIND)                                                                              \
	X(PG_RETAIN_DELETE)                                                                            \
	X(PG_SIZE)                                                                                     \
	X(PG_EVENTS_PUT)                                                                               \
	X(PG_EVENTS_MATCH)                                                                             \
	X(PG_EVENTS_EXPIRE)                                                                            \
	X(PG_INBOX_PUT)                                                                                \
	X(PG_INBOX_REMOVE)                                                                             \
	X(PG_OUTBOX_REMOVE)                                                                            \
	X(PG_OUTBOX_EXPIRE)                                                                            \
	X(PG_DEAD_LETTER_PUT)                                                                          \
	X(PG_DEAD_LETTER_UPDATE)                                                                       \
	X(PG_DEAD_LETTERS_RETAIN)                                                                      \
	X(PG_TRIGGER_PUT)                                                                              \
	X(PG_INBOX_LIST)                                                                               \
	X(PG_EARLY_EVENTS)                                                                             \
	X(PG_OUTBOX_LIST)                                                                              \
	X(PG_DEAD_LETTER_GET)                                                                          \
	X(PG_TRIGGER_LIST)                                                                             \
	X(PG_SAGA_GET)                                                                                 \
	X(PG_HISTORY)                                                                                  \
	X(PG_COMPENSATIONS)                                                                            \
	X(PG_AWAKE)                                                                                    \
	X(PG_DUE)                                                                                      \
	X(PG_KEY_FIND)                                                                                 \
	X(PG_DEF_GET)                                                                                  \
	X(PG_DEF_VERSIONS)                                                                             \
	X(PG_DEF_NEWEST)                                                                               \
	X(PG_COUNTS)                                                                                   \
	X(PG_COUNTED_DEFINITIONS)                                                                      \
	X(PG_DEFINITION_COUNTS)                                                                        \
	X(PG_RATES)                                                                                    \
	X(PG_ATTENTION_LIST)                                                                           \
	X(PG_ATTENTION_TOLD)                                                                           \
	X(PG_ATTENTION_GET)                                                                            \
	X(PG_ATTENTION_PUT)                                                                            \
	X(PG_ATTENTION_RETAIN)                                                                         \
	X(PG_SAID_RETAIN)                                                                              \
	X(PG_COUNTS_RETAIN)                                                                            \
	X(PG_RATES_RETAIN)                                                                             \
	X(PG_BATCH_PUT)                                                                                \
	X(PG_BATCH_UPDATE)                                                                             \
	X(PG_BATCH_SAME)                                                                               \
	X(PG_BATCHES_RETAIN)                                                                           \
	X(PG_ROUTING_PUT)                                                                              \
	X(PG_ROUTING)                                                                                  \
	X(PG_ROUTINGS)                                                                                 \
	X(PG_SCHEDULE_PUT)                                                                             \
	X(PG_SCHEDULE)                                                                                 \
	X(PG_SCHEDULES)                                                                                \
	X(PG_LOCKS_GRANT)                                                                              \
	X(PG_LOCK_KEYS_FORGET)                                                                         \
	X(PG_TASK_NOTE)                                                                                \
	X(PG_QUEUE_PUT)                                                                                \
	X(PG_HISTORY_TRIM)                                                                             \
	X(PG_TASKS_QUEUE)                                                                              \
	X(PG_TASKS_QUEUE_ANY)                                                                          \
	X(PG_TASKS_ALL)                                                                                \
	X(PG_TASKS_ALL_ANY)                                                                            \
	X(PG_SAGA_TASKS)                                                                               \
	X(PG_QUEUE_COUNTS)                                                                             \
	X(PG_APPROVALS)                                                                                \
	X(PG_QUEUE_NAMESPACE)                                                                          \
	X(PG_QUEUE)                                                                                    \
	X(PG_QUEUES)                                                                                   \
	X(PG_LOCK_LINE)                                                                                \
	X(PG_LOCKS_OF)                                                                                 \
	X(PG_TERMINATE)                                                                                \
	X(PG_TAKE_ALL)                                                                                 \
	X(PG_JOIN)                                                                                     \
	X(PG_SWEEP)                                                                                    \
	X(PG_RENEW)                                                                                    \
	X(PG_NODES)                                                                                    \
	X(PG_OWNERS)                                                                                   \
	X(PG_TERMINATE_EXPIRED)                                                                        \
	X(PG_ACQUIRE)                                                                                  \
	X(PG_RELEASE)                                                                                  \
	X(PG_RELEASE_ALL)                                                                              \
	X(PG_LEAVE)

enum pg_statement {
#define X(name) name,
	PG_STATEMENTS(X)
#undef X
		PG_STATEMENT_COUNT
};

extern const char *const pg__sql[PG_STATEMENT_COUNT];

/* Parameters in text, and texts for numbers. */
struct pg_args {
	const char *values[PG_MAX_PARAMS];
	int lengths[PG_MAX_PARAMS];
	int formats[PG_MAX_PARAMS]; /* 0: text, 1: binary */
	char numbers[10][24];
	int n, n_numbers;
};
void pg__arg_text(struct pg_args *args, const char *text); /* NULL is NULL; borrowed */
void pg__arg_int(struct pg_args *args, int64_t number);
void pg__arg_time(struct pg_args *args, wall_ms at);                     /* 0 is NULL */
void pg__arg_array(struct pg_args *args, const struct pg_array *array);  /* borrowed */
void pg__arg_bytes(struct pg_args *args, const void *bytes, size_t len); /* bytea; the same */

/* Arrays. reset keeps the memory; elements are added in order. */
enum pg_type { PG_BOOL = 16, PG_INT8 = 20, PG_INT4 = 23, PG_TEXT = 25, PG_UUID = 2950 };
void pg__array_reset(struct pg_array *array, enum pg_type type);
void pg__array_finish(struct pg_array *array);
void pg__add_int4(struct pg_array *array, int32_t number);
void pg__add_int8(struct pg_array *array, int64_t number);
void pg__add_time(struct pg_array *array, wall_ms at); /* 0 is NULL */
void pg__add_bool(struct pg_array *array, bool value);
void pg__add_text(struct pg_array *array, const char *text, size_t len); /* NULL is NULL */
void pg__add_str(struct pg_array *array, const char *text);              /* the same */
void pg__add_uuid(struct pg_array *array, const struct pg_uuid *uuid);

void pg__array_release(struct pg_array *array);

/* "0198c0de-…" to 16 bytes; false when it is none. */
bool pg__uuid_parse(const char *text, struct pg_uuid *ret_uuid);

/*
 * Connections. Every wait ends after PG_ANSWER_MS. A connection that broke is closed at once, so
 * conn->pg is either usable or NULL.
 */
void pg__conn_init(struct pg_conn *conn, struct store_postgres *s, enum pg_kind kind);
/* Connects unless connected; *conn->name then names it for pg_stat_activity. */
int pg__connect(struct pg_conn *conn, struct err *err) MUST_CHECK;
void pg__disconnect(struct pg_conn *conn);
/* Whether the server has hung up meanwhile; then it is closed here. */
void pg__notice_hangup(struct pg_conn *conn);

/* What a failure means for what was asked. */
enum pg_fault {
	PG_FAULT_NONE,
	PG_FAULT_AGAIN,   /* nothing happened; the same may pass now */
	PG_FAULT_DATA,    /* what was to be stored cannot be */
	PG_FAULT_SERVER,  /* nothing happened: no space, shutting down, read-only */
	PG_FAULT_LOST,    /* the connection broke; the outcome is unknown */
	PG_FAULT_INTERNAL /* a statement that this schema does not know, and the like */
};
struct pg_failure {
	enum pg_fault fault;
	bool unique;    /* a unique constraint */
	bool timed_out; /* the server's own limit */
	bool stale;     /* passes on a new connection, perhaps */
	char text[480];
};

DEFINE_CLEANUP(PGresult *, PQclear)

/* Sends bytes until all have left, and waits for input; false: the connection is lost. */
bool pg__flush(struct pg_conn *conn, int64_t deadline_ms) MUST_CHECK;
/* The next result, NULL at the end of a statement; false: the connection is lost. */
bool pg__next_result(struct pg_conn *conn, int64_t deadline_ms, PGresult **ret_result) MUST_CHECK;
void pg__judge(const PGresult *result, struct pg_failure *ret_failure);
/* Fills err from the failure; never 0. LOST becomes ERR_UNKNOWN. */
int pg__fail(const struct pg_failure *failure, const char *what, struct err *err);
int64_t pg__mono_ms(void);
/* libpq's messages have several lines. */
void pg__copy_line(const char *from, char *to, size_t size);

/* Prepares a statement, and waits for it. */
int pg__prepare_now(struct pg_conn *conn, enum pg_statement which,
					struct pg_failure *failure) MUST_CHECK;
/* Runs one prepared statement, or, with sql, that text. 0 with *ret_result (which may be NULL in
 * the call), or -1 with the failure. A broken connection is closed. */
int pg__run(struct pg_conn *conn, enum pg_statement which, const struct pg_args *args,
			PGresult **ret_result, struct pg_failure *failure) MUST_CHECK;
int pg__run_sql(struct pg_conn *conn, const char *sql, const struct pg_args *args,
				PGresult **ret_result, struct pg_failure *failure) MUST_CHECK;
/* The same for what changes nothing, or nothing twice: connects, and tries again what may pass.
 * args may be NULL. An error is never ERR_UNKNOWN. */
int pg__ask(struct pg_conn *conn, enum pg_statement which, const struct pg_args *args,
			PGresult **ret_result, struct err *err) MUST_CHECK;
int pg__ask_sql(struct pg_conn *conn, const char *sql, const struct pg_args *args,
				PGresult **ret_result, struct err *err) MUST_CHECK;

/* Checks the schema, makes one in an empty database, and reads the slot count. */
int pg__open_schema(struct store_postgres *s, int slot_count, struct err *err) MUST_CHECK;

/* Columns of a result in text. NULL is NULL, 0, or "". */
const char *pg__text(const PGresult *result, int row, int col);
int64_t pg__int(const PGresult *result, int row, int col);
#define PG_COPY(result, row, col, array) pg__copy((result), (row), (col), (array), sizeof(array))
void pg__copy(const PGresult *result, int row, int col, char *to, size_t size);

#define PG_SAGA_COLUMNS                                                                            \
	"slot, id, namespace, definition, version, status, key, started_at, updated_at, ended_at,"     \
	" due_at, attention, attention_group, attention_kind, attention_step, attention_side,"         \
	" attention_code, attention_at, owner, parent_id, base_seq"
/* Calls row for each of the first n_rows rows of these columns; *n counts, and may be NULL. */
int pg__each_saga(const PGresult *result, int n_rows,
				  int (*row)(void *ctx, const struct saga_row *row), void *ctx, int *n,
				  struct err *err) MUST_CHECK;

/* Takes the tokens out of rows (slot, token). */
int pg__keep_tokens(struct store_postgres *s, const PGresult *result, bool *own, struct err *err);
/* Exclusive: takes every slot, and ends the connections of who had them. */
int pg__take_all(struct store_postgres *s, struct err *err) MUST_CHECK;
/* A new random id for this process, under which its connections are made from now on. */
void pg__new_identity(struct store_postgres *s);

/* Runs one statement of the writer. A broken connection is noted for settle, and is ERR_UNKNOWN. */
int pg__write(struct store_postgres *s, enum pg_statement which, const struct pg_args *args,
			  PGresult **ret_result, const char *what, struct err *err) MUST_CHECK;

/*
 * Writes a row with a revision, with a statement made by PUT_REVISED. *revision is what the row has
 * then; ERR_CONFLICT when somebody else has written it. what and name say which, for a person.
 */
int pg__put_revised(struct store_postgres *s, enum pg_statement which, const struct pg_args *args,
					const char *what, const char *name, int64_t *revision,
					struct err *err) MUST_CHECK;

/* The first slot that is this process's, to whose rows it counts; -1: it has none. */
int pg__first_slot(struct store_postgres *s);

/* The slot under which an event and who waits for it are stored. */
static inline int pg__event_slot(const struct store_postgres *s, const char *ns,
								 const char *channel, const char *value)
{
	return saga_slot(ns, channel, value, s->slot_count);
}

/* What a dead letter is read from, in this order; the record itself, or its lengths alone. */
#define PG_DEAD_LETTER_COLUMNS                                                                     \
	"id, namespace, trigger, cluster, topic, partition, \"offset\", at, failed_at, reason,"        \
	" message, attempts, status, saga_id, updated_at, octet_length(key), octet_length(value)"
#define PG_DEAD_LETTER_RECORD ", key, value, headers"

/* The functions of store_ops. */
int pg__commit(struct store *store, struct store_item *items, size_t n, struct err *err);
int pg__settle(struct store *store, struct err *err);
/* Notes what the broken connection of the writer may have done, for settle. */
void pg__note_lost(struct store_postgres *s, const char *name, const struct store_item *items,
				   size_t n);
int pg__definition_put(struct store *store, struct definition_row *row, struct err *err);
int pg__retain(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err);
int pg__events_put(struct store *store, const struct event_row *rows, size_t n, bool *touched,
				   struct err *err);
int pg__events_expire(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err);
int pg__inbox_put(struct store *store, const struct inbox_row *rows, size_t n, struct err *err);
int pg__inbox_remove(struct store *store, const struct inbox_row *rows, size_t n, struct err *err);
int pg__outbox_remove(struct store *store, const struct outbox_row *rows, size_t n,
					  struct err *err);
int pg__outbox_expire(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err);
int pg__dead_letter_put(struct store *store, const struct dead_letter_row *row, struct err *err);
int pg__dead_letter_update(struct store *store, const char *ns, const char *id,
						   enum dead_letter_status status, const char *saga_id, wall_ms at,
						   struct err *err);
int pg__dead_letters_retain(struct store_postgres *s, wall_ms before, int limit, struct err *err);
int pg__routing_put(struct store *store, struct routing_row *row, struct err *err);
int pg__schedule_put(struct store *store, struct schedule_row *row, struct err *err);
int pg__trigger_put(struct store *store, struct trigger_row *row, struct err *err);
int pg__attention_put(struct store *store, struct attention_group_row *row, struct err *err);
int pg__batch_put(struct store *store, struct batch_row *row, const struct batch_item_row *items,
				  size_t n, struct err *err);
int pg__locks_grant(struct store *store, wall_ms now, bool *touched, struct err *err);
int pg__lock_keys_retain(struct store_postgres *s, wall_ms before, int limit, struct err *err);
int pg__task_note(struct store *store, const struct task_row *row, struct err *err);
int pg__queue_put(struct store *store, struct queue_row *row, struct err *err);
int pg__history_trim(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err);
/* What of that is too old, or counts nothing any more. */
int pg__operators_retain(struct store_postgres *s, wall_ms before, int limit, struct err *err);
int pg__node_join(struct store *store, const char *address, int64_t lease_ms,
				  char ret_id[NODE_ID_SIZE], struct err *err);
int pg__node_renew(struct store *store, bool draining, struct membership *ret_membership,
				   struct err *err);
int pg__slots_acquire(struct store *store, const int *slots, size_t n, bool *ret_got,
					  struct err *err);
int pg__slots_release(struct store *store, const int *slots, size_t n, struct err *err);
int pg__node_leave(struct store *store, struct err *err);

/* Readers. */
struct pg_reader {
	struct store_reader reader;
	struct pg_conn conn;
};
static inline struct pg_conn *pg__reader_conn(struct store_reader *reader)
{
	return &((struct pg_reader *)reader)->conn;
}
int pg__nodes(struct store_reader *reader, struct membership *ret_membership, struct err *err);
int pg__reader_open(struct store *store, struct store_reader **ret_reader, struct err *err);
void pg__reader_close(struct store_reader *reader);
int pg__saga_get(struct store_reader *reader, const char *ns, const char *id,
				 struct saga_row *ret_row, struct err *err);
int pg__history(struct store_reader *reader, const char *id, int64_t after_seq, int limit,
				int (*row)(void *ctx, const struct history_row *row), void *ctx, struct err *err);
int pg__compensations(struct store_reader *reader, const char *id,
					  int (*row)(void *ctx, const struct compensation_row *row), void *ctx,
					  struct err *err);
int pg__list(struct store_reader *reader, struct saga_filter *filter,
			 int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err);
int pg__load_due(struct store_reader *reader, int first_slot, int last_slot, wall_ms due_before,
				 bool awake_too, int limit, int (*row)(void *ctx, const struct saga_row *row),
				 void *ctx, struct err *err);
int pg__load_due_slots(struct store_reader *reader, const int *slots, size_t n, wall_ms due_before,
					   bool awake_too, int limit, int (*row)(void *ctx, const struct saga_row *row),
					   void *ctx, struct err *err);
int pg__find_key(struct store_reader *reader, const char *ns, const char *definition,
				 const char *key, char ret_id[SAGA_ID_SIZE], char ret_fingerprint[SHA256_HEX_SIZE],
				 struct err *err);
int pg__definition_get(struct store_reader *reader, const char *ns, const char *name,
					   int64_t version, struct definition_row *ret_row, struct err *err);
int pg__definition_list(struct store_reader *reader, const char *ns, const char *name,
						int (*row)(void *ctx, const struct definition_row *row), void *ctx,
						struct err *err);
int pg__inbox_list(struct store_reader *reader, const struct inbox_page *page,
				   int (*row)(void *ctx, const struct inbox_row *row), void *ctx, struct err *err);
int pg__early_events(struct store_reader *reader, int slot, const char *saga_id, wall_ms after_at,
					 const char *after_event_id, int limit,
					 int (*row)(void *ctx, const struct inbox_row *row), void *ctx,
					 struct err *err);
int pg__outbox_list(struct store_reader *reader, const struct outbox_page *page,
					int (*row)(void *ctx, const struct outbox_row *row), void *ctx,
					struct err *err);
int pg__dead_letter_get(struct store_reader *reader, const char *ns, const char *id,
						struct dead_letter_row *ret_row, struct err *err);
int pg__dead_letter_list(struct store_reader *reader, const struct dead_letter_filter *filter,
						 int (*row)(void *ctx, const struct dead_letter_row *row), void *ctx,
						 struct err *err);
int pg__routing_list(struct store_reader *reader, const char *ns, const char *name,
					 int (*row)(void *ctx, const struct routing_row *row), void *ctx,
					 struct err *err);
int pg__schedule_list(struct store_reader *reader, const char *ns, const char *name,
					  int (*row)(void *ctx, const struct schedule_row *row), void *ctx,
					  struct err *err);
int pg__trigger_list(struct store_reader *reader, const char *ns,
					 int (*row)(void *ctx, const struct trigger_row *row), void *ctx,
					 struct err *err);
int pg__counts(struct store_reader *reader, const char *ns, int64_t counts[SAGA_STATUS_COUNT],
			   struct err *err);

int pg__definition_counts(struct store_reader *reader, const char *ns, const char *definition,
						  int (*row)(void *ctx, const struct definition_count_row *row), void *ctx,
						  struct err *err);
int pg__rates(struct store_reader *reader, const char *ns, wall_ms from, wall_ms until,
			  int (*row)(void *ctx, const struct rate_row *row), void *ctx, struct err *err);
int pg__attention_list(struct store_reader *reader, const char *ns, int limit,
					   int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
					   struct err *err);
int pg__attention_told(struct store_reader *reader,
					   int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
					   struct err *err);
int pg__attention_get(struct store_reader *reader, const char *ns, const char *id,
					  struct attention_group_row *ret_row, struct err *err);
int pg__batch_get(struct store_reader *reader, const char *ns, const char *id,
				  struct batch_row *ret_row, struct err *err);
int pg__batch_list(struct store_reader *reader, const char *ns, const char *after_id, int limit,
				   int (*row)(void *ctx, const struct batch_row *row), void *ctx, struct err *err);
int pg__batch_open(struct store_reader *reader, int limit,
				   int (*row)(void *ctx, const struct batch_row *row), void *ctx, struct err *err);
int pg__batch_items(struct store_reader *reader, const struct batch_item_filter *filter,
					int (*row)(void *ctx, const struct batch_item_row *row), void *ctx,
					struct err *err);
int pg__tasks_list(struct store_reader *reader, const struct task_filter *filter,
				   int (*row)(void *ctx, const struct task_row *row), void *ctx, struct err *err);
int pg__saga_tasks(struct store_reader *reader, int slot, const char *saga_id, int state, int limit,
				   int (*row)(void *ctx, const struct task_row *row), void *ctx, struct err *err);
int pg__approval_counts(struct store_reader *reader, struct approval_counts *ret_counts,
						struct err *err);
int pg__queue_counts(struct store_reader *reader, const char *ns, const char *after_ns,
					 const char *after_queue, int limit,
					 int (*row)(void *ctx, const struct queue_count_row *row), void *ctx,
					 struct err *err);
int pg__queue_get(struct store_reader *reader, const char *ns, const char *name,
				  struct queue_row *ret_row, struct err *err);
int pg__queue_list(struct store_reader *reader, const char *ns,
				   int (*row)(void *ctx, const struct queue_row *row), void *ctx, struct err *err);
int pg__locks_list(struct store_reader *reader, const char *ns, const char *key,
				   const char *saga_id, int limit,
				   int (*row)(void *ctx, const struct lock_row *row), void *ctx, struct err *err);

#endif
