/*
 * The statement of a batch: its arrays, in the order of its parameters, and how items get into
 * them.
 */
#ifndef CONNECTORS_STORE_POSTGRES_BATCH_H
#define CONNECTORS_STORE_POSTGRES_BATCH_H

#include "connectors/store_postgres_priv.h"

/* X(name, type): the parameters $1 to $45 of PG_COMMIT, which are arrays; $46 is the slot whose
 * rows count. */
#define PG_BATCH_ARRAYS(X)                                                                         \
	X(FENCE_SLOT, PG_INT4)                                                                         \
	X(FENCE_TOKEN, PG_UUID)                                                                        \
	X(SAGA_SLOT, PG_INT4)                                                                          \
	X(SAGA_ID, PG_UUID)                                                                            \
	X(SAGA_NAMESPACE, PG_TEXT)                                                                     \
	X(SAGA_DEFINITION, PG_TEXT)                                                                    \
	X(SAGA_VERSION, PG_INT8)                                                                       \
	X(SAGA_STATUS, PG_TEXT)                                                                        \
	X(SAGA_KEY, PG_TEXT)                                                                           \
	X(SAGA_STARTED_AT, PG_INT8)                                                                    \
	X(SAGA_UPDATED_AT, PG_INT8)                                                                    \
	X(SAGA_ENDED_AT, PG_INT8)                                                                      \
	X(SAGA_DUE_AT, PG_INT8)                                                                        \
	X(SAGA_ATTENTION, PG_TEXT)                                                                     \
	X(SAGA_KEY_SLOT, PG_INT4)                                                                      \
	X(SAGA_FINGERPRINT, PG_TEXT)                                                                   \
	X(SAGA_FENCED, PG_BOOL)                                                                        \
	X(HISTORY_SLOT, PG_INT4)                                                                       \
	X(HISTORY_ID, PG_UUID)                                                                         \
	X(HISTORY_SEQ, PG_INT4)                                                                        \
	X(HISTORY_AT, PG_INT8)                                                                         \
	X(HISTORY_EVENTS, PG_TEXT)                                                                     \
	X(COMP_SLOT, PG_INT4)                                                                          \
	X(COMP_ID, PG_UUID)                                                                            \
	X(COMP_STEP, PG_TEXT)                                                                          \
	X(COMP_ITEM, PG_INT4)                                                                          \
	X(COMP_SEQ, PG_INT4)                                                                           \
	X(COMP_PLACE, PG_INT4)                                                                         \
	X(COMP_ACTION, PG_TEXT)                                                                        \
	X(COMP_STATUS, PG_TEXT)                                                                        \
	X(COMP_ATTEMPTS, PG_INT8)                                                                      \
	X(COMP_UPDATED_AT, PG_INT8)                                                                    \
	X(COMP_LAST_ERROR, PG_TEXT)                                                                    \
	X(COMP_REQUEST, PG_TEXT)                                                                       \
	X(CHANGE_SLOT, PG_INT4)                                                                        \
	X(CHANGE_ID, PG_UUID)                                                                          \
	X(CHANGE_STATUS, PG_TEXT)                                                                      \
	X(CHANGE_UPDATED_AT, PG_INT8)                                                                  \
	X(CHANGE_ENDED_AT, PG_INT8)                                                                    \
	X(CHANGE_DUE_AT, PG_INT8)                                                                      \
	X(CHANGE_ATTENTION, PG_TEXT)

/* The parameters $43 and on of PG_COMMIT_ALL. */
#define PG_BATCH_MORE_ARRAYS(X)                                                                    \
	X(SUB_SLOT, PG_INT4)                                                                           \
	X(SUB_NAMESPACE, PG_TEXT)                                                                      \
	X(SUB_CHANNEL, PG_TEXT)                                                                        \
	X(SUB_VALUE, PG_TEXT)                                                                          \
	X(SUB_SAGA_SLOT, PG_INT4)                                                                      \
	X(SUB_SAGA_ID, PG_UUID)                                                                        \
	X(SUB_STEP, PG_TEXT)                                                                           \
	X(SUB_ITEM, PG_INT4)                                                                           \
	X(SUB_PLACE, PG_INT4)                                                                          \
	X(UNSUB_SLOT, PG_INT4)                                                                         \
	X(UNSUB_ID, PG_UUID)                                                                           \
	X(UNSUB_STEP, PG_TEXT)                                                                         \
	X(UNSUB_ITEM, PG_INT4)                                                                         \
	X(UNSUB_PLACE, PG_INT4)                                                                        \
	X(OUT_SLOT, PG_INT4)                                                                           \
	X(OUT_SAGA_ID, PG_UUID)                                                                        \
	X(OUT_SEQ, PG_INT4)                                                                            \
	X(OUT_PLACE, PG_INT4)                                                                          \
	X(OUT_ID, PG_UUID)                                                                             \
	X(OUT_CLUSTER, PG_TEXT)                                                                        \
	X(OUT_TOPIC, PG_TEXT)                                                                          \
	X(OUT_KEY, PG_TEXT)                                                                            \
	X(OUT_TYPE, PG_TEXT)                                                                           \
	X(OUT_HEADERS, PG_TEXT)                                                                        \
	X(OUT_PAYLOAD, PG_TEXT)                                                                        \
	X(OUT_CREATED_AT, PG_INT8)                                                                     \
	X(IN_SLOT, PG_INT4)                                                                            \
	X(IN_ID, PG_UUID)                                                                              \
	X(IN_SAGA_ID, PG_UUID)                                                                         \
	X(SAGA_AT, PG_INT8)                                                                            \
	X(SAGA_CONCERN, PG_TEXT)                                                                       \
	X(CHANGE_AT, PG_INT8)                                                                          \
	X(CHANGE_CONCERN, PG_TEXT)

/* The parameters $76 and on of PG_COMMIT_LONG. */
#define PG_BATCH_LONG_ARRAYS(X)                                                                    \
	X(SAGA_PARENT, PG_UUID)                                                                        \
	X(SAGA_BASE_SEQ, PG_INT4)                                                                      \
	X(SAGA_REUSE, PG_BOOL)                                                                         \
	X(CHANGE_VERSION, PG_INT8)                                                                     \
	X(CHANGE_BASE_SEQ, PG_INT4)                                                                    \
	X(TASK_SLOT, PG_INT4)                                                                          \
	X(TASK_SAGA_ID, PG_UUID)                                                                       \
	X(TASK_STEP, PG_TEXT)                                                                          \
	X(TASK_ITEM, PG_INT4)                                                                          \
	X(TASK_SIDE, PG_TEXT)                                                                          \
	X(TASK_NAMESPACE, PG_TEXT)                                                                     \
	X(TASK_DEFINITION, PG_TEXT)                                                                    \
	X(TASK_KIND, PG_TEXT)                                                                          \
	X(TASK_QUEUE, PG_TEXT)                                                                         \
	X(TASK_ROUTE, PG_TEXT)                                                                         \
	X(TASK_ATTEMPT, PG_INT8)                                                                       \
	X(TASK_STATE, PG_TEXT)                                                                         \
	X(TASK_QUEUED_AT, PG_INT8)                                                                     \
	X(TASK_AVAILABLE_AT, PG_INT8)                                                                  \
	X(TASK_DEADLINE_AT, PG_INT8)                                                                   \
	X(TASK_LEASED_UNTIL, PG_INT8)                                                                  \
	X(TASK_WORKER, PG_TEXT)                                                                        \
	X(TASK_BUILD, PG_TEXT)                                                                         \
	X(TASK_DOC, PG_TEXT)                                                                           \
	X(TASK_GONE_SLOT, PG_INT4)                                                                     \
	X(TASK_GONE_SAGA_ID, PG_UUID)                                                                  \
	X(TASK_GONE_STEP, PG_TEXT)                                                                     \
	X(TASK_GONE_ITEM, PG_INT4)                                                                     \
	X(TASK_GONE_SIDE, PG_TEXT)                                                                     \
	X(MESSAGE_SLOT, PG_INT4)                                                                       \
	X(MESSAGE_ID, PG_UUID)                                                                         \
	X(MESSAGE_SAGA_ID, PG_UUID)                                                                    \
	X(MESSAGE_NAMESPACE, PG_TEXT)                                                                  \
	X(MESSAGE_AT, PG_INT8)                                                                         \
	X(MESSAGE_MESSAGE, PG_TEXT)                                                                    \
	X(MESSAGE_SENDER, PG_UUID)                                                                     \
	X(SEARCH_SLOT, PG_INT4)                                                                        \
	X(SEARCH_SAGA_ID, PG_UUID)                                                                     \
	X(SEARCH_NAME, PG_TEXT)                                                                        \
	X(SEARCH_VALUE, PG_TEXT)                                                                       \
	X(SEARCH_NAMESPACE, PG_TEXT)                                                                   \
	X(ASK_NAMESPACE, PG_TEXT)                                                                      \
	X(ASK_KEY, PG_TEXT)                                                                            \
	X(ASK_TICKET, PG_UUID)                                                                         \
	X(ASK_SLOT, PG_INT4)                                                                           \
	X(ASK_SAGA_ID, PG_UUID)                                                                        \
	X(ASK_STEP, PG_TEXT)                                                                           \
	X(ASK_ITEM, PG_INT4)                                                                           \
	X(ASK_ASKED_AT, PG_INT8)                                                                       \
	X(ASK_SEQ, PG_INT4)                                                                            \
	X(RELEASE_SLOT, PG_INT4)                                                                       \
	X(RELEASE_SAGA_ID, PG_UUID)                                                                    \
	X(RELEASE_STEP, PG_TEXT)                                                                       \
	X(RELEASE_ITEM, PG_INT4)                                                                       \
	X(RELEASE_KEY, PG_TEXT)                                                                        \
	X(RELEASE_SEQ, PG_INT4)                                                                        \
	X(SAGA_COPIED_OF, PG_UUID)                                                                     \
	X(SAGA_COPIED_FIRST, PG_INT4)                                                                  \
	X(SAGA_COPIED_N, PG_INT4)

enum pg_batch_array {
#define X(name, type) PG_BATCH_##name,
	PG_BATCH_ARRAYS(X) PG_BATCH_MORE_ARRAYS(X) PG_BATCH_LONG_ARRAYS(X)
#undef X
		PG_BATCH_ARRAY_COUNT
};

/*
 * One statement's share of a batch: items by index, each of another saga. Statements of one
 * transaction follow each other; what a later one needs an earlier one has written.
 */
struct pg_part {
	struct store_item **items;
	size_t n;
};

/* Whether the item's slot must be ours: all but the beginning of a saga that nobody has yet. */
bool pg__is_fenced(const struct store_item *item);
/* The slot of a saga's key. */
int pg__key_slot(const struct store_postgres *s, const struct saga_row *row);

/* The least statement that writes all that the item has. */
enum pg_statement pg__statement_for(const struct store_item *item);
/* Fills the store's arrays and args with a part. Returns the statement that it needs. */
enum pg_statement pg__batch_fill(struct store_postgres *s, const struct pg_part *part,
								 struct pg_args *args);
/* Whether those rows are such as can be sent. */
bool pg__queues_fit(const struct store_item *item);
/* Adds them. */
void pg__batch_add_queues(struct store_postgres *s, const struct store_item *item);
/* The same of what runs long. */
bool pg__has_long(const struct store_item *item);
bool pg__long_fits(const struct store_postgres *s, const struct store_item *item);
/* Which history the beginning of a saga copies: for each one a row. */
void pg__batch_add_copied(struct pg_array *arrays, const struct store_item *item);
void pg__batch_add_long(struct store_postgres *s, const struct store_item *item);
/* Adds to two arrays the slots that are marked, each once and in order, and our tokens for them. */
void pg__add_fences(struct store_postgres *s, const bool needed[SLOTS_MAX], struct pg_array *slots,
					struct pg_array *tokens);
/* Reads the answer: every item gets ACCEPTED, FENCED, or CONFLICT, which may be a duplicate. */
int pg__batch_read(struct store_postgres *s, const struct pg_part *part, const PGresult *result,
				   struct err *err) MUST_CHECK;
/* Bytes of texts in an item; the largest of its rows in *ret_row. */
size_t pg__item_bytes(const struct store_item *item, size_t *ret_row);

#endif
