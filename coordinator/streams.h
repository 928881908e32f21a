/*
 * Streams of server-sent events: what a browser, or a program, follows as it happens.
 *
 * Two kinds: the history of one saga, row by row, and the overview of a namespace, whenever it has
 * changed. One thread serves them all: it reads from the store what a stream has not seen yet, when
 * a commit of this node has touched its saga, and once a second in any case, since another node may
 * be the owner. It sleeps while nobody listens.
 *
 * A stream holds one page at most: the next one is read when the last is sent. So whoever reads
 * slowly costs a page, and delays nobody.
 *
 *     thread of streams:  store --page--> stream --resume-->
 *     thread of the server:              stream --stream_read--> connection, suspended when empty
 *
 * What a stream sends can be taken up anywhere: the id of a row is its sequence, and rows are read
 * from behind it, so nothing is missing and nothing comes twice, whichever node is asked next.
 */
#ifndef COORDINATOR_STREAMS_H
#define COORDINATOR_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connectors/store.h"
#include "coordinator/overview.h"
#include "sagas/base/err.h"
#include "sagas/base/macros.h"

enum { STREAM_RETRY_MS = 1000, STREAM_LOOK_MS = 1000, STREAM_HEARTBEAT_MS = 15000 };

struct stream;
struct streams;

struct streams_options {
	struct store *store; /* all are borrowed until streams_halt */
	struct overview *overview;
	int max; /* streams at a time */
	/* The connection goes on: stream_read is called again. Thread: any. */
	void (*resume)(void *ctx, void *connection);
	void *ctx;
};

/* Without a thread, so that the engine can know it before there is a server. */
struct streams *streams_new(void) MUST_CHECK;
int streams_start(struct streams *streams, const struct streams_options *options,
				  struct err *err) MUST_CHECK;
/* Every stream ends, and none begins any more. Thread: any. */
void streams_end(struct streams *streams);
/* After streams_end: no connection is resumed any more when it returns. */
void streams_halt(struct streams *streams);
/* When all streams are closed, and nobody calls streams_touched. Takes NULL. */
void streams_free(struct streams *streams);

/* A commit of this node has written a row of the saga. Thread: any; does next to nothing while
 * nobody follows the saga. */
void streams_touched(struct streams *streams, const char *saga_id);

struct stream_source {
	const char *ns;
	const char *saga_id;         /* NULL: the overview */
	int64_t after;               /* of a saga: the last sequence that is known */
	int minutes;                 /* of the overview */
	char tag[OVERVIEW_TAG_SIZE]; /* of the overview: that is known; "": none */
};

/* NULL: there are as many as there may be, or they have ended. Thread: the server's, as all that
 * follow. */
struct stream *stream_open(struct streams *streams, const struct stream_source *source,
						   void *connection, int fd) MUST_CHECK;
/* Copies up to max bytes. 0: there is nothing now; -1: it has ended. */
int stream_read(struct stream *stream, char *data, size_t max) MUST_CHECK;
/*
 * After stream_read had nothing, and the connection was suspended: true, and resume is called once
 * when there is something; or false, something came meanwhile: the caller resumes.
 */
bool stream_park(struct stream *stream) MUST_CHECK;
/* The connection is over. */
void stream_close(struct stream *stream);

struct streams_stats {
	int64_t open, opened, refused, events;
};
/* Thread: any. */
void streams_stats(struct streams *streams, struct streams_stats *ret_stats);

#endif
