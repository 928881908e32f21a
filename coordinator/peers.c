/*
 * A place for each node, by address. A request belongs to its place, and there is one at a time; a
 * place whose node is gone is used again when its request has ended.
 */
#include "coordinator/peers.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "connectors/http_client.h"
#include "coordinator/clock.h"

enum { ASK_EVERY_MS = 1000, ANSWER_MS = 500, FRESH_MS = 5000 };

struct peer {
	struct peers *peers;
	char address[NODE_ADDRESS_SIZE]; /* "": free */
	char *text;                      /* members of the array; NULL: none is known */
	int64_t asked_ms, answered_ms, seen_ms;
	bool asking;
	struct http_request request;
};

struct peers {
	struct http_client *http;
	pthread_mutex_t lock; /* of: */
	struct peer list[PEERS_MAX];
};

struct peers *peers_new(struct http_client *http)
{
	struct peers *peers = xcalloc(1, sizeof(*peers));

	peers->http = http;
	CHECK(pthread_mutex_init(&peers->lock, NULL) == 0);
	for (size_t i = 0; i < PEERS_MAX; i++)
		peers->list[i].peers = peers;
	return peers;
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;
	for (size_t i = 0; i < PEERS_MAX; i++) {
		CHECK(!peers->list[i].asking);
		free(peers->list[i].text);
	}
	pthread_mutex_destroy(&peers->lock);
	free(peers);
}

/* The members of "participants" as text; NULL: it is no such answer. */
static char *members_of(const char *reply)
{
	json_t *json = reply ? json_loads(reply, 0, NULL) : NULL;
	json_t *list = json_object_get(json, "participants"), *member;
	struct buf out;
	size_t i, len;

	if (!json_is_array(list)) {
		json_decref(json);
		return NULL;
	}
	buf_init(&out, 0);
	buf_add_lit(&out, ""); /* an empty text, and not none */
	json_array_foreach (list, i, member) {
		char *text = json_dumps(member, JSON_COMPACT | JSON_REAL_PRECISION(6));

		if (text && out.len > 0)
			buf_add_char(&out, ',');
		if (text)
			buf_add_str(&out, text);
		free(text);
	}
	json_decref(json);
	return buf_take(&out, &len);
}

/* Thread: HTTP client. */
static void answered(struct http_request *request)
{
	struct peer *peer = request->ctx;
	struct peers *peers = peer->peers;
	char *text = NULL;

	if (request->result == HTTP_ANSWERED && request->status == 200)
		text = members_of(request->reply);
	free(request->reply);
	pthread_mutex_lock(&peers->lock);
	peer->asking = false;
	if (text) {
		free(peer->text);
		peer->text = text;
		peer->answered_ms = clock_mono_ms();
	}
	pthread_mutex_unlock(&peers->lock);
}

/* Its place; NULL: there are too many. */
static struct peer *find(struct peers *peers, const char *address, int64_t now_ms)
{
	struct peer *place = NULL;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &peers->list[i];

		if (strcmp(peer->address, address) == 0)
			return peer;
		if (!peer->asking && (!peer->address[0] || now_ms - peer->seen_ms > FRESH_MS) && !place)
			place = peer;
	}
	if (!place)
		return NULL;
	free(place->text);
	*place = (struct peer){.peers = peers};
	snprintf(place->address, sizeof(place->address), "%s", address);
	return place;
}

static void prepare(struct peer *peer, int64_t now_ms)
{
	peer->asking = true;
	peer->asked_ms = now_ms;
	peer->request = (struct http_request){
		.base_url = peer->address,
		.method = "GET",
		.path = "/v1/participants",
		.timeout_ms = ANSWER_MS,
		.done = answered,
		.ctx = peer,
	};
}

void peers_participants(struct peers *peers, const struct membership *nodes, const char *self,
						struct buf *out, int *ret_asked, int *ret_answered)
{
	int64_t now_ms = clock_mono_ms();
	struct peer *to_ask[PEERS_MAX];
	size_t n = 0;

	*ret_asked = *ret_answered = 0;
	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < nodes->n_nodes; i++) {
		const struct node_row *node = &nodes->nodes[i];
		struct peer *peer;

		if (!node->alive || strcmp(node->address, self) == 0)
			continue;
		(*ret_asked)++;
		peer = find(peers, node->address, now_ms);
		if (!peer)
			continue;
		peer->seen_ms = now_ms;
		if (peer->text && now_ms - peer->answered_ms <= FRESH_MS) {
			if (*peer->text && out->len > 0 && out->data[out->len - 1] != '[')
				buf_add_char(out, ',');
			buf_add_str(out, peer->text);
			(*ret_answered)++;
		}
		if (!peer->asking && (!peer->asked_ms || now_ms - peer->asked_ms >= ASK_EVERY_MS)) {
			prepare(peer, now_ms);
			to_ask[n++] = peer;
		}
	}
	pthread_mutex_unlock(&peers->lock);
	/* The answer may come before this returns, and takes the lock. */
	for (size_t i = 0; i < n; i++)
		http_client_send(peers->http, &to_ask[i]->request);
}
