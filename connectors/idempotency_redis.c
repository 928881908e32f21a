/*
 * What callers see of the adapter: requests are made and posted here, and carried out by its thread
 * (idempotency_redis_thread.c).
 */
#include "connectors/idempotency_redis.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "connectors/idempotency_redis_priv.h"
#include "sagas/base/buf.h"

static struct idempotency_redis *redis_of(struct idempotency *idempotency)
{
	return (struct idempotency_redis *)idempotency;
}

/* What an identity is called in Redis. No two have the same text before it is hashed. */
static void make_key(const struct idempotency_redis *redis, const char *ns, const char *definition,
					 const char *key, char ret_key[KEY_SIZE])
{
	char hash[SHA256_HEX_SIZE];
	struct buf text;

	buf_init(&text, 0);
	buf_printf(&text, "%zu:%s%zu:%s%zu:%s", strlen(ns), ns, strlen(definition), definition,
			   strlen(key), key);
	hash_sha256_hex(text.data, text.len, hash);
	buf_release(&text);
	snprintf(ret_key, KEY_SIZE, "%s%s", redis->prefix, hash);
}

static struct request *request_new(const struct idempotency_redis *redis, enum request_kind kind,
								   const char *ns, const char *definition, const char *key,
								   struct idempotency_lookup *lookup)
{
	struct request *request = xcalloc(1, sizeof(*request));

	request->kind = kind;
	request->lookup = lookup;
	request->started_us = now_us();
	request->deadline_us = request->started_us + redis->options.timeout_ms * 1000;
	make_key(redis, ns, definition, key, request->key);
	return request;
}

/* ---- the port; thread: any ---- */

/* The mutex is held; it is let go of. */
static void wake_and_unlock(struct idempotency_redis *redis)
{
	static const uint64_t one = 1;
	bool wake = redis->sleeping;

	redis->sleeping = false;
	pthread_mutex_unlock(&redis->mutex);
	/* A full counter is a wake-up too. */
	while (wake && write(redis->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static bool may_ask(struct idempotency *idempotency)
{
	struct idempotency_redis *redis = redis_of(idempotency);

	if (redis->circuit == CIRCUIT_CLOSED)
		return true;
	count(&redis->refused, 1);
	return false;
}

/* false: it is not taken, and was finished with. */
static void post(struct idempotency_redis *redis, struct request *request)
{
	pthread_mutex_lock(&redis->mutex);
	if (redis->circuit == CIRCUIT_CLOSED && redis->lookups.n < REDIS_LOOKUPS_MAX && !redis->stop) {
		list_push(&redis->lookups, request);
		wake_and_unlock(redis);
		return;
	}
	pthread_mutex_unlock(&redis->mutex);
	count(&redis->refused, 1);
	request->lookup->result = ERR_UNAVAILABLE;
	request->lookup->done(request->lookup);
	free(request);
}

static void ask(struct idempotency *idempotency, struct idempotency_lookup *lookup)
{
	struct idempotency_redis *redis = redis_of(idempotency);

	lookup->expires_in_ms = -1;
	post(redis,
		 request_new(redis, REQUEST_FIND, lookup->ns, lookup->definition, lookup->key, lookup));
}

/* For those who wait after all. */
struct waiter {
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	bool done;
};

static void wake_waiter(struct idempotency_lookup *lookup)
{
	struct waiter *waiter = lookup->ctx;

	pthread_mutex_lock(&waiter->mutex);
	waiter->done = true;
	pthread_cond_signal(&waiter->ended);
	pthread_mutex_unlock(&waiter->mutex);
}

static int wait_for(struct idempotency_redis *redis, enum request_kind kind,
					struct idempotency_lookup *lookup, struct err *err)
{
	struct waiter waiter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

	lookup->done = wake_waiter;
	lookup->ctx = &waiter;
	lookup->expires_in_ms = -1;
	post(redis, request_new(redis, kind, lookup->ns, lookup->definition, lookup->key, lookup));
	pthread_mutex_lock(&waiter.mutex);
	while (!waiter.done)
		pthread_cond_wait(&waiter.ended, &waiter.mutex);
	pthread_mutex_unlock(&waiter.mutex);
	pthread_cond_destroy(&waiter.ended);
	pthread_mutex_destroy(&waiter.mutex);
	if (lookup->result == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "Redis holds no pointer for this key");
	if (lookup->result == ERR_TIMEOUT)
		return err_set(err, ERR_TIMEOUT, "Redis did not answer in time");
	if (lookup->result < 0)
		return err_set(err, lookup->result, "Redis cannot be asked now");
	return 0;
}

static int find(struct idempotency *idempotency, const char *ns, const char *definition,
				const char *key, char ret_id[SAGA_ID_SIZE], char ret_fingerprint[SHA256_HEX_SIZE],
				struct err *err)
{
	struct idempotency_lookup lookup = {.ns = ns, .definition = definition, .key = key};
	int r = wait_for(redis_of(idempotency), REQUEST_FIND, &lookup, err);

	if (r < 0)
		return r;
	memcpy(ret_id, lookup.id, SAGA_ID_SIZE);
	memcpy(ret_fingerprint, lookup.fingerprint, SHA256_HEX_SIZE);
	return 0;
}

static int peek(struct idempotency *idempotency, struct idempotency_lookup *lookup, struct err *err)
{
	return wait_for(redis_of(idempotency), REQUEST_PEEK, lookup, err);
}

static int forget(struct idempotency *idempotency, const char *ns, const char *definition,
				  const char *key, struct err *err)
{
	struct idempotency_lookup lookup = {.ns = ns, .definition = definition, .key = key};

	return wait_for(redis_of(idempotency), REQUEST_FORGET, &lookup, err);
}

static int remember(struct idempotency *idempotency, const char *ns, const char *definition,
					const char *key, const char *id, const char *fingerprint, struct err *err)
{
	struct idempotency_redis *redis = redis_of(idempotency);
	struct request *request, *oldest = NULL;

	if (strlen(id) != SAGA_ID_SIZE - 1 || strlen(fingerprint) != SHA256_HEX_SIZE - 1)
		return err_set(err, ERR_INVALID, "a pointer has the id of a saga and a fingerprint");
	request = request_new(redis, REQUEST_REMEMBER, ns, definition, key, NULL);
	snprintf(request->value, sizeof(request->value), "1 %s %s", id, fingerprint);
	pthread_mutex_lock(&redis->mutex);
	if (redis->writes.n >= REDIS_WRITES_MAX)
		oldest = list_pop(&redis->writes);
	list_push(&redis->writes, request);
	wake_and_unlock(redis);
	if (oldest)
		count(&redis->dropped, 1);
	free(oldest);
	return 0;
}

static void stats(struct idempotency *idempotency, struct idempotency_stats *ret_stats)
{
	const struct idempotency_redis *redis = redis_of(idempotency);

	*ret_stats = (struct idempotency_stats){
		.hits = redis->hits,
		.misses = redis->misses,
		.malformed = redis->malformed,
		.errors = redis->errors,
		.refused = redis->refused,
		.writes = redis->written,
		.dropped = redis->dropped,
		.write_errors = redis->write_errors,
		.connects = redis->connects,
		.lookup_us_sum = redis->lookup_us_sum,
		.circuit = (enum idempotency_circuit)redis->circuit,
	};
	for (size_t i = 0; i < IDEMPOTENCY_N_BUCKETS; i++)
		ret_stats->lookup_us[i] = redis->lookup_us[i];
}

static void redis_free(struct idempotency_redis *redis)
{
	struct request *request;

	while ((request = list_pop(&redis->writes)))
		free(request);
	redis_url_release(&redis->url);
	if (redis->wake_fd >= 0)
		close(redis->wake_fd);
	pthread_mutex_destroy(&redis->mutex);
	free(redis);
}

static void close_redis(struct idempotency *idempotency)
{
	struct idempotency_redis *redis = redis_of(idempotency);

	if (!redis)
		return;
	pthread_mutex_lock(&redis->mutex);
	redis->stop = true;
	redis->sleeping = true;
	wake_and_unlock(redis);
	pthread_join(redis->thread, NULL);
	redis_free(redis);
}

static const struct idempotency_ops ops = {
	.name = "redis",
	.find = find,
	.remember = remember,
	.close = close_redis,
	.may_ask = may_ask,
	.ask = ask,
	.peek = peek,
	.forget = forget,
	.stats = stats,
};

static void set_options(struct idempotency_redis *redis,
						const struct idempotency_redis_options *options)
{
	struct idempotency_redis_options *own = &redis->options;

	*own = *options;
	own->url = own->prefix = NULL;
	if (!own->ttl_ms)
		own->ttl_ms = DEFAULT_TTL_MS;
	if (!own->timeout_ms)
		own->timeout_ms = DEFAULT_TIMEOUT_MS;
	if (!own->failures_max)
		own->failures_max = DEFAULT_FAILURES;
	if (!own->open_min_ms)
		own->open_min_ms = DEFAULT_OPEN_MIN_MS;
	if (!own->open_max_ms)
		own->open_max_ms = DEFAULT_OPEN_MAX_MS;
	snprintf(redis->ttl_text, sizeof(redis->ttl_text), "%lld", (long long)own->ttl_ms);
}

int idempotency_redis_check_url(const char *url, struct err *err)
{
	struct redis_url parsed;
	int r = redis_url_parse(url, &parsed, err);

	if (r == 0)
		redis_url_release(&parsed);
	return r;
}

int idempotency_redis_open(const struct idempotency_redis_options *options,
						   struct idempotency **ret_idempotency, struct err *err)
{
	const char *prefix = options->prefix ? options->prefix : "skald:";
	struct idempotency_redis *redis;
	struct redis_url url;
	int r;

	if (strlen(prefix) > REDIS_KEY_PREFIX_MAX)
		return err_set(err, ERR_INVALID, "the prefix of keys in Redis is longer than %d bytes",
					   REDIS_KEY_PREFIX_MAX);
	r = redis_url_parse(options->url, &url, err);
	if (r < 0)
		return r;
	redis = xcalloc(1, sizeof(*redis));
	redis->idempotency.ops = &ops;
	redis->url = url;
	set_options(redis, options);
	snprintf(redis->prefix, sizeof(redis->prefix), "%s", prefix);
	snprintf(redis->probe_key, sizeof(redis->probe_key), "%sprobe", prefix);
	redis->circuit = CIRCUIT_HALF_OPEN;
	list_init(&redis->lookups);
	list_init(&redis->writes);
	list_init(&redis->sent);
	pthread_mutex_init(&redis->mutex, NULL);
	redis->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (redis->wake_fd < 0)
		r = err_set(err, ERR_UNAVAILABLE, "no eventfd: %s", strerror(errno));
	else if (pthread_create(&redis->thread, NULL, redis__run, redis) != 0)
		r = err_set(err, ERR_UNAVAILABLE, "the thread for Redis cannot be started");
	if (r < 0) {
		redis_free(redis);
		return r;
	}
	pthread_setname_np(redis->thread, "skald-redis");
	*ret_idempotency = &redis->idempotency;
	return 0;
}
