/*
 * hiredis makes the connection while it blocks, with a time limit on each step: login, database and
 * probe are then plain calls one after another. After that the same connection is used without
 * blocking, through hiredis's buffers.
 */
#include "connectors/redis_link.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <string.h>

enum {
	HANDSHAKE_MS = 500,             /* of each step but the probe; no request waits for these */
	UNREAD_MAX_BYTES = 1024 * 1024, /* of answers that are not whole; ours are tiny */
};

struct redis_link {
	redisContext *context;
};

static struct timeval timeval_of(int64_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static int failed(const redisContext *context, struct err *err, const char *what)
{
	/* Of a time-out on a blocking socket hiredis only knows errno. */
	if (context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK))
		return err_set(err, ERR_UNAVAILABLE, "%s: no answer in time", what);
	return err_set(err, ERR_UNAVAILABLE, "%s: %s", what, context->errstr);
}

static void free_reply(redisReply **reply)
{
	if (*reply)
		freeReplyObject(*reply);
}

static void context_free(redisContext **context)
{
	if (*context)
		redisFree(*context);
}

static int connect_to(const struct redis_host *host, const char *path, struct timeval limit,
					  redisContext **ret_context, struct err *err)
{
	redisContext *context = path ? redisConnectUnixWithTimeout(path, limit)
								 : redisConnectWithTimeout(host->name, host->port, limit);
	int r = 0;

	CHECK(context); /* no memory */
	if (context->err)
		r = failed(context, err, "connecting");
	else if (redisSetTimeout(context, limit) != REDIS_OK)
		r = failed(context, err, "setting a time limit");
	if (r < 0)
		redisFree(context);
	else
		*ret_context = context;
	return r;
}

/* One command and its answer, while the connection still blocks. */
static int command(redisContext *context, const char *what, int n, const char **words,
				   redisReply **ret_reply, struct err *err)
{
	redisReply *reply = redisCommandArgv(context, n, words, NULL);

	if (!reply)
		return failed(context, err, what);
	if (reply->type == REDIS_REPLY_ERROR) {
		err_set(err, ERR_UNAVAILABLE, "%s: %.200s", what, reply->str);
		freeReplyObject(reply);
		return ERR_UNAVAILABLE;
	}
	*ret_reply = reply;
	return 0;
}

static int run(redisContext *context, const char *what, int n, const char **words, struct err *err)
{
	redisReply *reply = NULL;
	int r = command(context, what, n, words, &reply, err);

	if (r == 0)
		freeReplyObject(reply);
	return r;
}

/* What one sentinel says of the master. */
static int ask_sentinel(const struct redis_host *sentinel, const char *master,
						struct redis_host *ret_host, struct err *err)
{
	const char *words[] = {"SENTINEL", "get-master-addr-by-name", master};
	CLEANUP(context_free) redisContext *context = NULL;
	CLEANUP(free_reply) redisReply *reply = NULL;
	long port;
	int r;

	r = connect_to(sentinel, NULL, timeval_of(HANDSHAKE_MS), &context, err);
	if (r == 0)
		r = command(context, "asking for the master", 3, words, &reply, err);
	if (r < 0)
		return r;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !reply->element[0]->str ||
		!reply->element[1]->str)
		return err_set(err, ERR_UNAVAILABLE, "it knows no master %.100s", master);
	port = strtol(reply->element[1]->str, NULL, 10);
	if (port < 1 || port > 65535)
		return err_set(err, ERR_UNAVAILABLE, "it names a port that is none");
	ret_host->name = xstrdup(reply->element[0]->str);
	ret_host->port = (int)port;
	return 0;
}

/* Sentinels may lag behind a fail-over, so the server is asked for its own opinion too. */
static int check_role(redisContext *context, struct err *err)
{
	const char *words[] = {"ROLE"};
	CLEANUP(free_reply) redisReply *reply = NULL;
	int r = command(context, "asking for the role", 1, words, &reply, err);

	if (r < 0)
		return r;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 || !reply->element[0]->str ||
		strcmp(reply->element[0]->str, "master") != 0)
		return err_set(err, ERR_UNAVAILABLE, "the sentinels name a server that is no master");
	return 0;
}

static int connect_to_master(const struct redis_url *url, redisContext **ret_context,
							 struct err *err)
{
	struct redis_host host = {0};
	int r = ERR_UNAVAILABLE;

	for (size_t i = 0; i < url->n_hosts && r < 0; i++) {
		r = ask_sentinel(&url->hosts[i], url->master, &host, err);
		if (r < 0)
			err_prefix(err, "sentinel %.100s:%d", url->hosts[i].name, url->hosts[i].port);
	}
	if (r == 0)
		r = connect_to(&host, NULL, timeval_of(HANDSHAKE_MS), ret_context, err);
	free(host.name);
	return r;
}

static int log_in(redisContext *context, const struct redis_url *url, struct err *err)
{
	const char *with_user[] = {"AUTH", url->user, url->password};
	const char *without[] = {"AUTH", url->password};
	char db[16];
	const char *choose[] = {"SELECT", db};
	int r = 0;

	if (url->user)
		r = run(context, "logging in", 3, with_user, err);
	else if (url->password)
		r = run(context, "logging in", 2, without, err);
	if (r == 0 && url->db > 0) {
		snprintf(db, sizeof(db), "%d", url->db);
		r = run(context, "choosing the database", 2, choose, err);
	}
	return r;
}

static int stop_blocking(redisContext *context, struct err *err)
{
	int flags = fcntl(context->fd, F_GETFL);

	if (flags < 0 || fcntl(context->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set(err, ERR_UNAVAILABLE, "the socket: %s", strerror(errno));
	context->flags &= ~REDIS_BLOCK;
	return 0;
}

int redis_link_open(const struct redis_url *url, const char *probe_key, int64_t timeout_ms,
					struct redis_link **ret_link, struct err *err)
{
	const char *probe[] = {"GETRANGE", probe_key, "0", "1"};
	CLEANUP(context_free) redisContext *context = NULL;
	int r;

	if (url->master)
		r = connect_to_master(url, &context, err);
	else
		r = connect_to(&url->hosts[0], url->path, timeval_of(HANDSHAKE_MS), &context, err);
	if (r == 0)
		r = log_in(context, url, err);
	if (r == 0 && url->master)
		r = check_role(context, err);
	if (r == 0 && redisSetTimeout(context, timeval_of(timeout_ms)) != REDIS_OK)
		r = failed(context, err, "setting a time limit");
	if (r == 0)
		r = run(context, "trying a lookup", 4, probe, err);
	if (r == 0)
		r = stop_blocking(context, err);
	if (r < 0)
		return r;
	*ret_link = xcalloc(1, sizeof(**ret_link));
	(*ret_link)->context = TAKE(context);
	return 0;
}

void redis_link_close(struct redis_link *link)
{
	if (!link)
		return;
	redisFree(link->context);
	free(link);
}

int redis_link_fd(const struct redis_link *link)
{
	return link->context->fd;
}

void redis_link_add(struct redis_link *link, int n, const char *const *words, const size_t *lens)
{
	CHECK(redisAppendCommandArgv(link->context, n, (const char **)words, lens) == REDIS_OK);
}

int redis_link_flush(struct redis_link *link, bool *ret_pending, struct err *err)
{
	int done = 0;

	if (redisBufferWrite(link->context, &done) != REDIS_OK)
		return failed(link->context, err, "sending");
	*ret_pending = !done;
	return 0;
}

int redis_link_read(struct redis_link *link, struct err *err)
{
	const redisReader *reader = link->context->reader;

	if (redisBufferRead(link->context) != REDIS_OK)
		return failed(link->context, err, "reading");
	if (reader->len - reader->pos > UNREAD_MAX_BYTES)
		return err_set(err, ERR_UNAVAILABLE, "reading: an answer is larger than any of ours");
	return 0;
}

int redis_link_next(struct redis_link *link, struct redis_answer *ret_answer, struct err *err)
{
	redisReply *reply = NULL;

	if (redisGetReplyFromReader(link->context, (void **)&reply) != REDIS_OK)
		return failed(link->context, err, "reading");
	if (!reply)
		return 0;
	*ret_answer = (struct redis_answer){.type = ANSWER_OTHER, .reply = reply};
	if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS)
		ret_answer->type = ANSWER_TEXT;
	else if (reply->type == REDIS_REPLY_ERROR)
		ret_answer->type = ANSWER_ERROR;
	else if (reply->type == REDIS_REPLY_INTEGER)
		ret_answer->type = ANSWER_INTEGER;
	else if (reply->type == REDIS_REPLY_NIL)
		ret_answer->type = ANSWER_NIL;
	ret_answer->text = reply->str;
	ret_answer->len = reply->str ? reply->len : 0;
	ret_answer->integer = reply->integer;
	return 1;
}

void redis_answer_release(struct redis_answer *answer)
{
	if (answer->reply)
		freeReplyObject(answer->reply);
	*answer = (struct redis_answer){0};
}
