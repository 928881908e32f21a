/*
 * The adapter's thread, and what waits for it.
 *
 *     any thread --> lookups, writes (lists under a mutex) --> sent (in the order of their answers)
 *
 * Whatever came since the last turn of the thread leaves in one write, so that lookups share round
 * trips. Lookups go before writes. A lookup is accepted only while the circuit is closed, so the
 * thread may block while it connects: nobody waits for it then.
 *
 *                        failed, fewer than failures_max in a row
 *            .------------------------------------------------------.
 *            v                                                      |
 *        HALF_OPEN --connected, logged in, a lookup was tried--> CLOSED
 *          |   ^                                                    |
 *   failed |   | the time is up                                     | failed too often
 *          v   |                                                    |
 *          OPEN <---------------------------------------------------'
 *
 * A failure is a connection that cannot be made or breaks, a lookup that is not answered in time
 * (its connection is given up, because answers come in order), or one answered with an error.
 * Only an answered request ends a row of failures, not the probe: a server that answers probes and
 * nothing else must not be waited for each time.
 *
 * Writes wait while there is no connection, up to a number; then the oldest are dropped. A pointer
 * that is not written costs its next lookup a commit, and nothing else.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "connectors/idempotency_redis_priv.h"

/* Reads "1 <id> <fingerprint>"; anything else is no pointer of ours. */
static bool parse_value(const char *text, size_t len, struct idempotency_lookup *lookup)
{
	const char *id = text + 2, *fingerprint = text + 2 + SAGA_ID_SIZE;

	if (len != VALUE_BYTES || text[0] != '1' || text[1] != ' ' || id[SAGA_ID_SIZE - 1] != ' ')
		return false;
	for (size_t i = 0; i < SHA256_HEX_SIZE - 1; i++)
		if (!strchr("0123456789abcdef", fingerprint[i]) || !fingerprint[i])
			return false;
	memcpy(lookup->id, id, SAGA_ID_SIZE - 1);
	lookup->id[SAGA_ID_SIZE - 1] = '\0';
	if (saga_id_slot(lookup->id) < 0)
		return false;
	memcpy(lookup->fingerprint, fingerprint, SHA256_HEX_SIZE - 1);
	lookup->fingerprint[SHA256_HEX_SIZE - 1] = '\0';
	return true;
}

/* The end of a request; it is freed. */
static void finish(struct idempotency_redis *redis, struct request *request, int result)
{
	static const int64_t bounds[] = {
#define X(us, text) us,
		IDEMPOTENCY_LATENCY_BUCKETS(X)
#undef X
	};
	struct idempotency_lookup *lookup = request->lookup;
	int64_t took_us = now_us() - request->started_us;
	size_t bucket = 0;

	if (request->kind == REQUEST_FIND) {
		while (bucket < ARRAY_SIZE(bounds) && took_us > bounds[bucket])
			bucket++;
		count(&redis->lookup_us[bucket], 1);
		count(&redis->lookup_us_sum, took_us);
	}
	if (lookup) {
		if (result != 0 && result != ERR_NOT_FOUND)
			count(&redis->errors, 1);
		lookup->result = result;
		lookup->done(lookup);
	} else {
		count(result == 0 ? &redis->written : &redis->write_errors, 1);
	}
	free(request);
}

static void finish_all(struct idempotency_redis *redis, struct request_list *list, int result)
{
	struct request *request;

	while ((request = list_pop(list)))
		finish(redis, request, result);
}

static void say(struct idempotency_redis *redis, enum idempotency_circuit circuit, const char *why)
{
	bool open = circuit == CIRCUIT_OPEN;

	if (circuit == CIRCUIT_HALF_OPEN || open == redis->said_open)
		return;
	redis->said_open = open;
	if (redis->options.changed)
		redis->options.changed(redis->options.ctx, circuit, why);
}

/* From when this returns with another circuit than CLOSED, no lookup is taken. */
static void set_circuit(struct idempotency_redis *redis, enum idempotency_circuit circuit,
						const char *why)
{
	struct request_list lookups;

	list_init(&lookups);
	pthread_mutex_lock(&redis->mutex);
	redis->circuit = circuit;
	if (circuit != CIRCUIT_CLOSED) {
		struct request *request;

		while ((request = list_pop(&redis->lookups)))
			list_push(&lookups, request);
		redis->sleeping = false;
	}
	pthread_mutex_unlock(&redis->mutex);
	finish_all(redis, &lookups, ERR_UNAVAILABLE);
	say(redis, circuit, why);
}

static void note_failure(struct idempotency_redis *redis)
{
	const struct idempotency_redis_options *options = &redis->options;

	if (redis->failures < options->failures_max)
		redis->failures++;
	if (redis->failures < options->failures_max)
		return;
	redis->open_ms = redis->open_ms ? redis->open_ms * 2 : options->open_min_ms;
	if (redis->open_ms > options->open_max_ms)
		redis->open_ms = options->open_max_ms;
	redis->open_until_us = now_us() + redis->open_ms * 1000;
}

static void note_success(struct idempotency_redis *redis)
{
	redis->failures = 0;
	redis->open_ms = 0;
}

static bool is_open(const struct idempotency_redis *redis)
{
	return redis->failures >= redis->options.failures_max && now_us() < redis->open_until_us;
}

/* Gives the connection up. result: of what was sent over it. */
static void drop_link(struct idempotency_redis *redis, int result, const char *why)
{
	redis_link_close(TAKE(redis->link));
	set_circuit(redis, is_open(redis) ? CIRCUIT_OPEN : CIRCUIT_HALF_OPEN, why);
	finish_all(redis, &redis->sent, result);
	redis->unsent = false;
}

static void fail_link(struct idempotency_redis *redis, int result, const char *why)
{
	note_failure(redis);
	drop_link(redis, result, why);
}

/* ---- answers ---- */

static int take_pointer(struct idempotency_redis *redis, struct request *request,
						const struct redis_answer *answer)
{
	if (answer->type == ANSWER_TEXT && answer->len == 0) {
		count(&redis->misses, 1);
		return ERR_NOT_FOUND;
	}
	if (answer->type != ANSWER_TEXT || !parse_value(answer->text, answer->len, request->lookup)) {
		count(&redis->malformed, 1);
		return ERR_NOT_FOUND;
	}
	count(&redis->hits, 1);
	return 0;
}

/* The one answer of a request, or the last of it. */
static int take_answer(struct idempotency_redis *redis, struct request *request,
					   const struct redis_answer *answer)
{
	switch (request->kind) {
	case REQUEST_FIND:
		return take_pointer(redis, request, answer);
	case REQUEST_PEEK:
		request->lookup->expires_in_ms =
			answer->type == ANSWER_INTEGER && answer->integer >= 0 ? answer->integer : -1;
		return request->lookup->result;
	case REQUEST_REMEMBER:
		return answer->type == ANSWER_TEXT ? 0 : ERR_UNAVAILABLE;
	case REQUEST_FORGET:
		return answer->type == ANSWER_INTEGER && answer->integer > 0 ? 0 : ERR_NOT_FOUND;
	}
	return ERR_INTERNAL;
}

static bool begins(const struct redis_answer *answer, const char *word)
{
	return answer->len >= strlen(word) && memcmp(answer->text, word, strlen(word)) == 0;
}

/*
 * An error for an answer. What concerns one key alone is no failure of Redis; a refused write is
 * none of its lookups. Returns why the connection must not be used any more, or NULL.
 */
static const char *take_error(struct idempotency_redis *redis, const struct request *request,
							  const struct redis_answer *answer)
{
	if (begins(answer, "WRONGTYPE"))
		return NULL;
	if (request->kind == REQUEST_REMEMBER || request->kind == REQUEST_FORGET) {
		if (!begins(answer, "READONLY") ||
			now_us() - redis->renewed_us < RENEW_AFTER_MS * INT64_C(1000))
			return NULL;
		/* A fail-over has passed by: perhaps the address leads to the new master now. */
		redis->renewed_us = now_us();
		return "it is read-only";
	}
	note_failure(redis);
	return is_open(redis) ? "it answers with errors" : NULL;
}

static int error_result(struct idempotency_redis *redis, const struct request *request,
						const struct redis_answer *answer)
{
	bool lookup = request->kind == REQUEST_FIND || request->kind == REQUEST_PEEK;

	if (!lookup || !begins(answer, "WRONGTYPE"))
		return ERR_UNAVAILABLE;
	count(&redis->malformed, 1);
	return ERR_NOT_FOUND;
}

/* One answer. NULL, or why the connection must not be used any more. */
static const char *handle(struct idempotency_redis *redis, const struct redis_answer *answer)
{
	struct request *request = redis->sent.first;
	const char *why = NULL;
	int result;

	if (!request)
		return "it answers what nobody asked";
	if (answer->type == ANSWER_ERROR) {
		why = take_error(redis, request, answer);
		result = error_result(redis, request, answer);
	} else if (request->kind == REQUEST_PEEK && request->n_answers == 2) {
		result = take_pointer(redis, request, answer);
		note_success(redis);
	} else {
		result = take_answer(redis, request, answer);
		note_success(redis);
	}
	if (--request->n_answers > 0) {
		request->lookup->result = result;
		return why;
	}
	/* The time of a key that is of another type says nothing. */
	finish(redis, list_pop(&redis->sent), result);
	return why;
}

static void receive(struct idempotency_redis *redis)
{
	struct redis_answer answer;
	const char *why = NULL;
	struct err err;
	int r = redis_link_read(redis->link, &err);

	/* What came before the end of the connection still counts. */
	for (;;) {
		int next = redis_link_next(redis->link, &answer, &err);

		if (next < 0)
			r = next;
		if (next <= 0)
			break;
		why = handle(redis, &answer);
		redis_answer_release(&answer);
		if (why) {
			drop_link(redis, ERR_UNAVAILABLE, why);
			return;
		}
	}
	if (r < 0)
		fail_link(redis, ERR_UNAVAILABLE, err.text);
}

/* ---- sending ---- */

static void send_request(struct idempotency_redis *redis, struct request *request)
{
	const char *get[] = {"GETRANGE", request->key, "0", "255"};
	const char *ttl[] = {"PTTL", request->key};
	const char *set[] = {"SET", request->key, request->value, "PX", redis->ttl_text};
	const char *del[] = {"DEL", request->key};

	request->n_answers = 1;
	switch (request->kind) {
	case REQUEST_FIND:
		redis_link_add(redis->link, 4, get, NULL);
		break;
	case REQUEST_PEEK:
		redis_link_add(redis->link, 4, get, NULL);
		redis_link_add(redis->link, 2, ttl, NULL);
		request->n_answers = 2;
		break;
	case REQUEST_REMEMBER:
		redis_link_add(redis->link, 5, set, NULL);
		request->deadline_us = now_us() + redis->options.timeout_ms * 1000;
		break;
	case REQUEST_FORGET:
		redis_link_add(redis->link, 2, del, NULL);
		break;
	}
	list_push(&redis->sent, request);
}

/* Takes what may be sent. From then on the thread is about to sleep, and has to be woken. */
static void take_waiting(struct idempotency_redis *redis, struct request_list *ret_taken)
{
	size_t room = SENT_MAX > redis->sent.n ? SENT_MAX - redis->sent.n : 0;
	struct request *request;

	list_init(ret_taken);
	pthread_mutex_lock(&redis->mutex);
	while (ret_taken->n < room && (request = list_pop(&redis->lookups)))
		list_push(ret_taken, request);
	while (ret_taken->n < room && (request = list_pop(&redis->writes)))
		list_push(ret_taken, request);
	redis->sleeping = room > 0;
	pthread_mutex_unlock(&redis->mutex);
}

/* The earliest time at which somebody's patience ends; 0: nobody waits. */
static int64_t next_deadline(struct idempotency_redis *redis)
{
	int64_t at = redis->sent.first ? redis->sent.first->deadline_us : 0;

	pthread_mutex_lock(&redis->mutex);
	if (redis->lookups.first && (!at || redis->lookups.first->deadline_us < at))
		at = redis->lookups.first->deadline_us;
	pthread_mutex_unlock(&redis->mutex);
	return at;
}

static void drain_wake(struct idempotency_redis *redis)
{
	uint64_t n;

	while (read(redis->wake_fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

/* Waits for the socket, for a wake-up, or until a time (0: none). Whether the socket has news. */
static bool wait_until(struct idempotency_redis *redis, int64_t until_us)
{
	struct pollfd fds[2] = {{.fd = redis->wake_fd, .events = POLLIN}};
	int64_t left_ms = until_us ? (until_us - now_us() + 999) / 1000 : -1;
	nfds_t n = 1;

	if (until_us && left_ms < 0)
		left_ms = 0;
	if (redis->link) {
		fds[1].fd = redis_link_fd(redis->link);
		fds[1].events = (short)(POLLIN | (redis->unsent ? POLLOUT : 0));
		n = 2;
	}
	if (poll(fds, n, (int)left_ms) <= 0)
		return false;
	if (fds[0].revents)
		drain_wake(redis);
	return n == 2 && (fds[1].revents & (POLLIN | POLLHUP | POLLERR));
}

/* A turn with a connection. */
static void turn(struct idempotency_redis *redis)
{
	struct request_list taken;
	struct request *request;
	int64_t deadline_us;
	struct err err;

	take_waiting(redis, &taken);
	while ((request = list_pop(&taken)))
		send_request(redis, request);
	if (redis_link_flush(redis->link, &redis->unsent, &err) < 0) {
		fail_link(redis, ERR_UNAVAILABLE, err.text);
		return;
	}
	deadline_us = next_deadline(redis);
	if (wait_until(redis, deadline_us))
		receive(redis);
	deadline_us = redis->link ? next_deadline(redis) : 0;
	if (deadline_us && deadline_us <= now_us())
		fail_link(redis, ERR_TIMEOUT, "no answer in time");
}

/* A turn without one. */
static void connect_again(struct idempotency_redis *redis)
{
	struct redis_link *link;
	struct err err;
	int r;

	if (is_open(redis)) {
		wait_until(redis, redis->open_until_us);
		return;
	}
	set_circuit(redis, CIRCUIT_HALF_OPEN, "");
	r = redis_link_open(&redis->url, redis->probe_key, redis->options.timeout_ms, &link, &err);
	if (r < 0) {
		note_failure(redis);
		set_circuit(redis, is_open(redis) ? CIRCUIT_OPEN : CIRCUIT_HALF_OPEN, err.text);
		return;
	}
	redis->link = link;
	count(&redis->connects, 1);
	set_circuit(redis, CIRCUIT_CLOSED, "");
}

static bool stopping(struct idempotency_redis *redis)
{
	bool stop;

	pthread_mutex_lock(&redis->mutex);
	stop = redis->stop;
	pthread_mutex_unlock(&redis->mutex);
	return stop;
}

void *redis__run(void *arg)
{
	struct idempotency_redis *redis = arg;
	sigset_t signals;

	/* hiredis writes without MSG_NOSIGNAL. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	while (!stopping(redis)) {
		if (redis->link)
			turn(redis);
		else
			connect_again(redis);
	}
	redis->options.changed = NULL;
	drop_link(redis, ERR_UNAVAILABLE, "");
	return NULL;
}
