/*
 * The client's thread, and what waits for it.
 *
 *     any thread --> incoming (a list under a mutex) --> queue of the participant --> in flight
 *
 * A participant has at most as many requests in flight as it may have connections; the others wait
 * in its own queue, so that a slow one delays nobody else. The deadline counts from the call of
 * http_client_send, waiting included.
 */
#include "connectors/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "connectors/http_sockets.h"
#include "connectors/http_stats.h"
#include "connectors/http_transfer.h"
#include "sagas/base/macros.h"

enum { EXPIRY_INTERVAL_MS = 20, MAX_CACHED_CONNECTIONS = 4096 };

struct request_list {
	struct http_request *first, **last;
	size_t n;
};

struct http_peer {
	char *name;
	char *url;
	char **headers;
	int max_connections;
	int in_flight;
	struct request_list queue;
	struct http_stats stats;
};

struct http_client {
	struct http_peer *peers; /* by name */
	size_t n_peers;
	CURLM *multi;
	struct http_sockets sockets;
	struct http_transfer *in_flight, *idle;
	int64_t expire_at_ms; /* when to look for overdue requests in the queues; -1: none wait */
	pthread_t thread;
	pthread_mutex_t mutex;
	struct request_list incoming; /* under mutex */
	bool stop;                    /* under mutex */
	int64_t stop_at_ms;           /* under mutex */
	_Atomic int64_t n_in_flight, n_queued, n_sent, n_answered, n_failed;
};

static void list_init(struct request_list *list)
{
	*list = (struct request_list){.last = &list->first};
}

static void list_push(struct request_list *list, struct http_request *request)
{
	request->next = NULL;
	*list->last = request;
	list->last = &request->next;
	list->n++;
}

static struct http_request *list_pop(struct request_list *list)
{
	struct http_request *request = list->first;

	if (!request)
		return NULL;
	list->first = request->next;
	if (!list->first)
		list->last = &list->first;
	list->n--;
	request->next = NULL;
	return request;
}

/* The counters have one writer, so that a plain load and store is enough. */
static void count(_Atomic int64_t *counter, int64_t by)
{
	http_stats_add(counter, by);
}

/* peer: NULL when there is no such participant; took_us: -1 when it was never on its way. */
static void finish(struct http_client *client, struct http_peer *peer, struct http_request *request,
				   int64_t took_us)
{
	count(request->result == HTTP_ANSWERED ? &client->n_answered : &client->n_failed, 1);
	if (peer)
		http_stats_ended(&peer->stats, request, took_us, http_now_ms());
	request->done(request);
}

static void finish_unsent(struct http_client *client, struct http_peer *peer,
						  struct http_request *request, enum http_result result, const char *error)
{
	request->result = result;
	snprintf(request->error, sizeof(request->error), "%s", error);
	finish(client, peer, request, -1);
}

static void count_queued(struct http_client *client, struct http_peer *peer, int by)
{
	count(&client->n_queued, by);
	count(&peer->stats.queued, by);
}

static int compare_peers(const void *a, const void *b)
{
	return strcmp(((const struct http_peer *)a)->name, ((const struct http_peer *)b)->name);
}

static struct http_peer *find_peer(struct http_client *client, const char *name)
{
	size_t low = 0, high = client->n_peers;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, client->peers[mid].name);

		if (order == 0)
			return &client->peers[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static struct http_transfer *take_idle(struct http_client *client)
{
	struct http_transfer *transfer = client->idle;

	if (!transfer)
		return http_transfer_new(&client->sockets);
	client->idle = transfer->next;
	return transfer;
}

static void give_idle(struct http_client *client, struct http_transfer *transfer)
{
	transfer->next = client->idle;
	client->idle = transfer;
}

static void link_in_flight(struct http_client *client, struct http_peer *peer,
						   struct http_transfer *transfer)
{
	transfer->peer = peer;
	transfer->prev = NULL;
	transfer->next = client->in_flight;
	if (transfer->next)
		transfer->next->prev = transfer;
	client->in_flight = transfer;
	peer->in_flight++;
	count(&client->n_in_flight, 1);
	count(&peer->stats.in_flight, 1);
}

static void unlink_in_flight(struct http_client *client, struct http_transfer *transfer)
{
	if (transfer->prev)
		transfer->prev->next = transfer->next;
	else
		client->in_flight = transfer->next;
	if (transfer->next)
		transfer->next->prev = transfer->prev;
	transfer->peer->in_flight--;
	count(&client->n_in_flight, -1);
	count(&transfer->peer->stats.in_flight, -1);
}

static void launch(struct http_client *client, struct http_peer *peer, struct http_request *request,
				   int64_t now_ms)
{
	struct http_transfer *transfer;
	struct err err = {0};
	int64_t left_ms = request->deadline_ms - now_ms;
	const char *base_url = request->base_url ? request->base_url : peer->url;

	if (http_is_past(request, now_ms)) {
		finish_unsent(client, peer, request, HTTP_CANCELLED, "the time to send it has passed");
		return;
	}
	if (left_ms <= 0) {
		finish_unsent(client, peer, request, HTTP_NOT_CONNECTED,
					  "the deadline passed while it waited for a connection");
		return;
	}
	transfer = take_idle(client);
	if (http_transfer_begin(transfer, base_url, (const char *const *)peer->headers, request,
							left_ms, &err) < 0) {
		give_idle(client, transfer);
		finish_unsent(client, peer, request, HTTP_NOT_CONNECTED, err.text);
		return;
	}
	link_in_flight(client, peer, transfer);
	count(&client->n_sent, 1);
	count(&peer->stats.requests, 1);
	CHECK(curl_multi_add_handle(client->multi, transfer->easy) == CURLM_OK);
}

static void expire_by(struct http_client *client, int64_t deadline_ms)
{
	if (client->expire_at_ms < 0 || deadline_ms < client->expire_at_ms)
		client->expire_at_ms = deadline_ms;
}

static void admit(struct http_client *client, struct http_request *request, int64_t now_ms)
{
	/* All that have an address of their own share the first peer, whose name is empty. */
	struct http_peer *peer = find_peer(client, request->base_url ? "" : request->participant);
	char text[160];

	if (!peer || (!request->base_url && !peer->url)) {
		snprintf(text, sizeof(text), "no address is configured for participant %s",
				 request->participant ? request->participant : "");
		finish_unsent(client, peer, request, HTTP_NOT_CONNECTED, text);
	} else if (peer->in_flight < peer->max_connections && peer->queue.n == 0) {
		launch(client, peer, request, now_ms);
	} else if (peer->queue.n >= HTTP_QUEUE_MAX_REQUESTS) {
		snprintf(text, sizeof(text), "%d requests wait for participant %s already",
				 HTTP_QUEUE_MAX_REQUESTS, peer->name);
		finish_unsent(client, peer, request, HTTP_NOT_CONNECTED, text);
	} else {
		list_push(&peer->queue, request);
		count_queued(client, peer, 1);
		expire_by(client, request->deadline_ms);
	}
}

static void launch_queued(struct http_client *client, struct http_peer *peer, int64_t now_ms)
{
	while (peer->in_flight < peer->max_connections && peer->queue.n > 0) {
		count_queued(client, peer, -1);
		launch(client, peer, list_pop(&peer->queue), now_ms);
	}
}

static void collect(struct http_client *client, int64_t now_ms)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct http_transfer *transfer;
		struct http_request *request;
		struct http_peer *peer;
		CURLcode ended = message->data.result;
		curl_off_t took_us = 0;
		CURL *easy = message->easy_handle;

		if (message->msg != CURLMSG_DONE)
			continue;
		CHECK(curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer) == CURLE_OK);
		request = transfer->request;
		peer = transfer->peer;
		curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &took_us);
		/* The message is gone with this. */
		curl_multi_remove_handle(client->multi, easy);
		http_transfer_end(transfer, ended);
		unlink_in_flight(client, transfer);
		give_idle(client, transfer);
		finish(client, peer, request, took_us);
		launch_queued(client, peer, now_ms);
	}
}

/* Ends what waits too long; looked at now and then, since a request in flight has curl's timer. */
static void expire_queue(struct http_client *client, struct http_peer *peer, int64_t now_ms)
{
	struct request_list all = peer->queue;
	struct http_request *request;

	if (all.n == 0)
		return;
	list_init(&peer->queue);
	while ((request = list_pop(&all))) {
		if (request->deadline_ms > now_ms) {
			list_push(&peer->queue, request);
			expire_by(client, request->deadline_ms);
			continue;
		}
		count_queued(client, peer, -1);
		finish_unsent(client, peer, request, HTTP_NOT_CONNECTED,
					  "the deadline passed while it waited for a connection");
	}
}

static void expire(struct http_client *client, int64_t now_ms)
{
	size_t i;

	if (client->expire_at_ms < 0 || client->expire_at_ms > now_ms)
		return;
	client->expire_at_ms = -1;
	for (i = 0; i < client->n_peers; i++)
		expire_queue(client, &client->peers[i], now_ms);
	if (client->expire_at_ms >= 0 && client->expire_at_ms < now_ms + EXPIRY_INTERVAL_MS)
		client->expire_at_ms = now_ms + EXPIRY_INTERVAL_MS;
}

static void cancel_waiting(struct http_client *client)
{
	struct http_request *request;
	size_t i;

	for (i = 0; i < client->n_peers; i++) {
		while ((request = list_pop(&client->peers[i].queue))) {
			count_queued(client, &client->peers[i], -1);
			finish_unsent(client, &client->peers[i], request, HTTP_CANCELLED,
						  "the client was stopped");
		}
	}
}

static void cut_in_flight(struct http_client *client)
{
	while (client->in_flight) {
		struct http_transfer *transfer = client->in_flight;
		struct http_request *request = transfer->request;
		struct http_peer *peer = transfer->peer;

		http_transfer_cut(transfer);
		curl_multi_remove_handle(client->multi, transfer->easy);
		unlink_in_flight(client, transfer);
		give_idle(client, transfer);
		finish(client, peer, request, -1);
	}
}

static void *run(void *arg)
{
	struct http_client *client = arg;

	for (;;) {
		struct request_list incoming;
		struct http_request *request;
		int64_t now_ms, until_ms = client->expire_at_ms, stop_at_ms;
		bool stop;

		pthread_mutex_lock(&client->mutex);
		incoming = client->incoming;
		if (incoming.n == 0)
			incoming.last = &incoming.first;
		list_init(&client->incoming);
		stop = client->stop;
		stop_at_ms = client->stop_at_ms;
		pthread_mutex_unlock(&client->mutex);

		now_ms = http_now_ms();
		while ((request = list_pop(&incoming))) {
			if (stop)
				finish_unsent(client, NULL, request, HTTP_CANCELLED, "the client was stopped");
			else
				admit(client, request, now_ms);
		}
		if (stop) {
			cancel_waiting(client);
			if (!client->in_flight || now_ms >= stop_at_ms)
				break;
			until_ms = stop_at_ms;
		} else if (client->expire_at_ms >= 0) {
			until_ms = client->expire_at_ms;
		}
		http_sockets_turn(&client->sockets, until_ms);
		now_ms = http_now_ms();
		collect(client, now_ms);
		expire(client, now_ms);
	}
	cut_in_flight(client);
	return NULL;
}

void http_client_send(struct http_client *client, struct http_request *request)
{
	bool wake;

	request->deadline_ms = http_now_ms() + request->timeout_ms;
	request->status = 0;
	request->reply = NULL;
	request->reply_len = 0;
	request->content_type[0] = '\0';
	request->retry_after_ms = -1;
	request->error[0] = '\0';
	for (size_t i = 0; i < request->n_wanted; i++)
		request->wanted[i].value[0] = '\0';
	pthread_mutex_lock(&client->mutex);
	/* Who finds it empty wakes the thread; the others ride along. */
	wake = client->incoming.n == 0;
	list_push(&client->incoming, request);
	pthread_mutex_unlock(&client->mutex);
	if (wake)
		http_sockets_wake(&client->sockets);
}

static void init_curl(void)
{
	CHECK(curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK);
}

static int check_peer_headers(const struct http_participant *from, struct err *err)
{
	size_t i;

	for (i = 0; from->headers && from->headers[i]; i++) {
		const char *line = from->headers[i];

		if (!strchr(line, ':') || strpbrk(line, "\r\n") || i + 1 >= HTTP_REQUEST_MAX_HEADERS)
			return err_set(err, ERR_INVALID, "participant %s: header %zu is not \"Name: value\"",
						   from->name, i + 1);
	}
	return 0;
}

static int copy_peer(const struct http_participant *from, struct http_peer *to, struct err *err)
{
	size_t i, n = 0;
	int r;

	r = check_peer_headers(from, err);
	if (r < 0)
		return r;
	r = http_base_url(from->url, &to->url, err);
	if (r < 0) {
		err_prefix(err, "participant %s", from->name);
		return r;
	}
	while (from->headers && from->headers[n])
		n++;
	to->name = xstrdup(from->name);
	to->headers = xcalloc(n + 1, sizeof(*to->headers));
	for (i = 0; i < n; i++)
		to->headers[i] = xstrdup(from->headers[i]);
	to->max_connections =
		from->max_connections > 0 ? from->max_connections : HTTP_DEFAULT_CONNECTIONS;
	return 0;
}

static void client_free(struct http_client *client)
{
	struct http_transfer *transfer;
	size_t i, j;

	while ((transfer = client->idle)) {
		client->idle = transfer->next;
		http_transfer_free(transfer);
	}
	/* Closes the idle connections, through sockets. */
	if (client->multi)
		curl_multi_cleanup(client->multi);
	http_sockets_release(&client->sockets);
	for (i = 0; i < client->n_peers; i++) {
		free(client->peers[i].name);
		free(client->peers[i].url);
		for (j = 0; client->peers[i].headers && client->peers[i].headers[j]; j++)
			free(client->peers[i].headers[j]);
		free(client->peers[i].headers);
		http_stats_release(&client->peers[i].stats);
	}
	free(client->peers);
	pthread_mutex_destroy(&client->mutex);
	free(client);
}

int http_client_start(const struct http_participant *participants, size_t n,
					  struct http_client **ret_client, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http_client *client;
	long connections = 16;
	size_t i;
	int r = 0;

	pthread_once(&once, init_curl);
	client = xcalloc(1, sizeof(*client));
	client->sockets.epoll_fd = client->sockets.wake_fd = -1;
	client->expire_at_ms = -1;
	list_init(&client->incoming);
	pthread_mutex_init(&client->mutex, NULL);
	client->peers = xcalloc(n + 1, sizeof(*client->peers));
	client->peers[client->n_peers++] =
		(struct http_peer){.name = xstrdup(""), .max_connections = HTTP_DEFAULT_CONNECTIONS};
	connections += HTTP_DEFAULT_CONNECTIONS;
	for (i = 0; i < n && r == 0; i++) {
		r = copy_peer(&participants[i], &client->peers[client->n_peers], err);
		if (r == 0)
			connections += client->peers[client->n_peers++].max_connections;
	}
	qsort(client->peers, client->n_peers, sizeof(*client->peers), compare_peers);
	for (i = 0; i < client->n_peers; i++)
		list_init(&client->peers[i].queue);
	if (r == 0) {
		client->multi = curl_multi_init();
		CHECK(client->multi);
		curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS,
						  connections > MAX_CACHED_CONNECTIONS ? MAX_CACHED_CONNECTIONS
															   : connections);
		r = http_sockets_init(&client->sockets, client->multi, err);
	}
	if (r == 0 && pthread_create(&client->thread, NULL, run, client) != 0)
		r = err_set(err, ERR_UNAVAILABLE, "the thread of the HTTP client cannot be started");
	if (r < 0) {
		client_free(client);
		return r;
	}
	pthread_setname_np(client->thread, "skald-http");
	*ret_client = client;
	return 0;
}

void http_client_stop(struct http_client *client, int64_t grace_ms)
{
	struct http_request *request;

	pthread_mutex_lock(&client->mutex);
	client->stop = true;
	client->stop_at_ms = http_now_ms() + grace_ms;
	pthread_mutex_unlock(&client->mutex);
	http_sockets_wake(&client->sockets);
	pthread_join(client->thread, NULL);
	/* A last one may have come from done, when the thread no longer looked. */
	while ((request = list_pop(&client->incoming)))
		finish_unsent(client, NULL, request, HTTP_CANCELLED, "the client was stopped");
	client_free(client);
}

void http_client_stats(struct http_client *client, struct http_client_stats *ret_stats)
{
	*ret_stats = (struct http_client_stats){
		.in_flight = client->n_in_flight,
		.queued = client->n_queued,
		.sent = client->n_sent,
		.answered = client->n_answered,
		.failed = client->n_failed,
	};
}

void http_client_participants(struct http_client *client,
							  void (*each)(void *ctx, const struct http_participant_stats *stats),
							  void *ctx)
{
	int64_t now_ms = http_now_ms();

	for (size_t i = 0; i < client->n_peers; i++) {
		const struct http_peer *peer = &client->peers[i];
		struct http_participant_stats stats = {.name = peer->name};

		/* The one without a name is for addresses of other nodes. */
		if (!*peer->name)
			continue;
		http_stats_read(&peer->stats, now_ms, &stats);
		each(ctx, &stats);
	}
}
