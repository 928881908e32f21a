/*
 * Answers without an end: libmicrohttpd asks for more whenever the last is sent, and while there is
 * nothing its connection is suspended, so that it takes no turns of the server's thread.
 */
#include <microhttpd.h>

#include "coordinator/server_priv.h"
#include "coordinator/streams.h"

enum { BLOCK_BYTES = 16 * 1024 };

struct live {
	struct stream *stream;
	struct MHD_Connection *connection;
};

static ssize_t read_more(void *cls, uint64_t pos, char *data, size_t max)
{
	struct live *live = cls;
	int n = stream_read(live->stream, data, max);

	(void)pos;
	if (n < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		MHD_suspend_connection(live->connection);
		if (!stream_park(live->stream))
			MHD_resume_connection(live->connection);
	}
	return n;
}

static void free_live(void *cls)
{
	free(cls);
}

struct MHD_Response *server_stream_response(struct exchange *ex)
{
	struct live *live = xcalloc(1, sizeof(*live));
	struct MHD_Response *response;

	live->stream = ex->stream;
	live->connection = ex->connection;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_more, live,
												 free_live);
	CHECK(response);
	return response;
}

struct stream *server_stream_open(struct exchange *ex, const struct stream_source *source)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return stream_open(ex->node->streams, source, ex->connection, info ? info->connect_fd : -1);
}

/* Thread: that of streams. The lock is as of exchange_resume. */
static void resume(void *ctx, void *connection)
{
	struct server *server = ctx;

	pthread_mutex_lock(&server->resuming);
	MHD_resume_connection(connection);
	pthread_mutex_unlock(&server->resuming);
}

int server_start_streams(struct server *server, struct err *err)
{
	struct node *node = server->node;
	const struct streams_options options = {
		.store = node->store,
		.overview = server->overview,
		.max = node->options.streams_max,
		.resume = resume,
		.ctx = server,
	};

	return streams_start(node->streams, &options, err);
}
