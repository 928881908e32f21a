/*
 * What the store keeps for those who operate sagas: groups of sagas that concern a person for the
 * same reason, how many sagas began and ended in each minute, how many there are of each version of
 * a definition, and batches (one act on many sagas). The functions on them stand in store.h.
 *
 * Strings are borrowed from whoever made the struct. Times are in milliseconds since 1970.
 */
#ifndef CONNECTORS_STORE_OPERATORS_H
#define CONNECTORS_STORE_OPERATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/time.h"
#include "sagas/hash.h"
#include "sagas/id.h"
#include "sagas/status.h"

enum {
	ATTENTION_GROUP_SIZE = 17, /* 16 hexadecimal digits */
	ATTENTION_LIST_MAX = 500,
	OWNER_MAX_BYTES = 200,
	BATCH_ITEMS_MAX = 100000, /* sagas of one batch */
	BATCH_PUT_MAX = 1000,     /* items that one call writes */
	RATE_KEEP_DAYS = 8,       /* minutes so long before the newest one are removed by `retain` */
};

/*
 * Why a saga concerns a person, as its row has it. group names the reason: all sagas with the same
 * one are repaired in the same way (sagas/attention.h).
 */
struct attention_ref {
	const char *text; /* a line for people; NULL: it concerns nobody, and all others are NULL too */
	const char *group; /* 16 hexadecimal digits */
	const char *kind;  /* "stuck" … */
	const char *step;  /* NULL: the saga as a whole */
	const char *side;  /* "do" | "undo"; NULL with step */
	const char *code;  /* of the error; NULL: none */
};

/*
 * A group, counted within the commits that bring sagas into it and out of it; and what persons said
 * about it. Groups without sagas are not listed, and removed by `retain` when last_seen_at is old
 * and notified_at 0. first_seen_at begins anew when a group without sagas gets one.
 */
struct attention_group_row {
	const char *ns, *id;
	const char *definition, *kind;
	const char *step, *side, *code; /* may be NULL */
	const char *message;            /* the text of one of its sagas */
	char sample[SAGA_ID_SIZE];      /* a saga that was in it when it was last written */
	int64_t n;                      /* sagas in it now */
	wall_ms first_seen_at, last_seen_at;
	/* Said by persons, and by who tells persons; attention_put writes these alone. */
	const char *acknowledged_by; /* NULL: nobody has */
	wall_ms acknowledged_at;
	const char *note, *owner; /* NULL: none */
	wall_ms notified_at;      /* 0: nobody was told yet */
	int64_t notified_n;       /* how many sagas it had then */
	int64_t revision;         /* as of a trigger's row: 0: nothing was said yet */
};

/* What happened in one minute: that in which the history row was (its `at`). */
struct rate_row {
	wall_ms at; /* the minute's beginning */
	int64_t started, completed, compensated, failed, terminated;
	int64_t attention; /* sagas that began to concern a person, or do so for another reason */
};

/* Sagas of one version with one status. Only the sum over all rows that are given means something;
 * each combination is given once. */
struct definition_count_row {
	const char *definition;
	int64_t version;
	enum saga_status status;
	int64_t n;
};

/*
 * A batch: one act on every saga that a filter matched when the batch was made. First `selecting`:
 * its sagas are found and written as items, page by page; then `running`: each item is acted on.
 */
#define BATCH_STATUSES(X)                                                                          \
	X(BATCH_SELECTING, "selecting")                                                                \
	X(BATCH_RUNNING, "running")                                                                    \
	X(BATCH_STOPPED, "stopped") /* by a person; it can be resumed */                               \
	X(BATCH_DONE, "done")

#define BATCH_ITEM_STATUSES(X)                                                                     \
	X(BATCH_ITEM_PENDING, "pending")                                                               \
	X(BATCH_ITEM_DONE, "done")       /* the act is in the saga's history, at seq */                \
	X(BATCH_ITEM_REFUSED, "refused") /* the saga's state does not allow it: error says why */      \
	X(BATCH_ITEM_FAILED, "failed")   /* it could not be asked, or nobody knows: error says why */

#define X(name, text) name,
enum batch_status { BATCH_STATUSES(X) BATCH_STATUS_COUNT };
enum batch_item_status { BATCH_ITEM_STATUSES(X) BATCH_ITEM_STATUS_COUNT };
#undef X

const char *batch_status_text(enum batch_status status);
const char *batch_item_status_text(enum batch_item_status status);
/* Return -1 for an unknown text. */
int batch_status_parse(const char *text);
int batch_item_status_parse(const char *text);

struct batch_row {
	const char *ns;
	char id[UUID_SIZE];
	const char *act;   /* JSON: what is done to each saga, as the API takes it (reason included) */
	const char *query; /* the filter as it was given */
	const char *by;
	double rate; /* sagas a second; 0: as fast as it goes */
	enum batch_status status;
	wall_ms created_at, updated_at, ended_at; /* ended_at 0: it has not */
	const char *cursor; /* how far selecting, or running, has come; NULL: from the beginning */
	int64_t n[BATCH_ITEM_STATUS_COUNT]; /* items by status */
	const char *runner;                 /* id of the process that does it; NULL: nobody */
	wall_ms runner_seen_at;             /* when it last wrote */
	int64_t revision;                   /* how often it was written */
};

struct batch_item_row {
	char saga_id[SAGA_ID_SIZE];
	enum batch_item_status status;
	const char *effect; /* JSON: what the act did; NULL: nothing yet */
	const char *error;  /* NULL: none */
	int64_t seq;        /* the history row of the act; 0: none */
	wall_ms updated_at;
};

struct batch_item_filter {
	const char *ns, *batch_id;
	int status;                       /* enum batch_item_status; -1: any */
	char after_saga_id[SAGA_ID_SIZE]; /* keyset, by saga id upwards; "": from the beginning */
	int limit;                        /* 1 to BATCH_PUT_MAX */
};

/* What was said holds for the trouble that it was said of: once a group had no sagas, it is
 * another.
 */
bool attention_is_acknowledged(const struct attention_group_row *row);
bool attention_was_told(const struct attention_group_row *row);

/* Copies with owned strings, and their release. */
void attention_ref_copy(const struct attention_ref *from, struct attention_ref *ret_ref);
void attention_ref_release(struct attention_ref *ref);
void attention_group_row_copy(const struct attention_group_row *from,
							  struct attention_group_row *ret_row);
void attention_group_row_release(struct attention_group_row *row);
void batch_row_copy(const struct batch_row *from, struct batch_row *ret_row);
void batch_row_release(struct batch_row *row);

#endif
