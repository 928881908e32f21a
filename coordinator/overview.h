/*
 * What an operator sees first: how many sagas have which status, what concerns a person, which
 * sagas are the oldest that go on, what happened in each of the last minutes, and how the
 * participants answer. One JSON document for a namespace, GET /v1/overview.
 *
 * Many look at once, each at the same. So an answer is kept for a second: what it costs depends on
 * the namespaces that are looked at, not on who looks.
 */
#ifndef COORDINATOR_OVERVIEW_H
#define COORDINATOR_OVERVIEW_H

#include "connectors/store.h"
#include "sagas/base/buf.h"

enum {
	OVERVIEW_MINUTES = 60,
	OVERVIEW_MINUTES_MAX = 24 * 60,
	OVERVIEW_FRESH_MS = 1000,
	OVERVIEW_TAG_SIZE = 17,
};

struct node;
struct overview;

struct overview *overview_new(const struct node *node) MUST_CHECK;
void overview_free(struct overview *overview); /* takes NULL */

/*
 * Appends what was read within the last second, if somebody did. ret_tag, which may be NULL, gets
 * a hash of what it says but for the time: the same while nothing changes. Thread: any.
 */
bool overview_known(struct overview *overview, const char *ns, int minutes, struct buf *out,
					char ret_tag[OVERVIEW_TAG_SIZE]) MUST_CHECK;
/* The same, and reads it if nobody did. Thread: the reader's. */
int overview_get(struct overview *overview, struct store_reader *reader, const char *ns,
				 int minutes, struct buf *out, char ret_tag[OVERVIEW_TAG_SIZE],
				 struct err *err) MUST_CHECK;

/* Appends an array of the calls of this node to each participant. */
void overview_participants(const struct node *node, struct buf *out);
/* Appends rates of `minutes` minutes up to that of `now`, with zeros where nothing happened. */
int overview_rates(struct store_reader *reader, const char *ns, int minutes, wall_ms now,
				   struct buf *out, struct err *err) MUST_CHECK;

#endif
