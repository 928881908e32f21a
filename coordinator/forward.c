#include "coordinator/forward.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/node.h"
#include "coordinator/waits.h"

enum { ANSWER_MS = 5000, POKE_MS = 1000, HEADERS_MAX = 9, HEADER_SIZE = 640 };

/* Of the request and of the answer, these go through. */
static const char *const sent_on[] = {"Idempotency-Key", "Prefer", "If-Match"};
static const char *const relayed[] = {"Location", "ETag", "Idempotent-Replayed",
									  "Preference-Applied", "Retry-After"};

struct forwarding {
	struct http_request http;
	struct waits *waits;
	struct wait wait; /* taken out by who ends it: the answer, or the end of all waits */
	int holders;      /* atomic; when the answer is no longer waited for */
	struct buf body;
	struct exchange *ex;
	void (*failed)(struct exchange *ex, enum forward_failure failure);
	enum forward_failure failure;
	struct http_wanted_header wanted[ARRAY_SIZE(relayed)];
	const char *headers[HEADERS_MAX + 1];
	char lines[HEADERS_MAX][HEADER_SIZE];
	int n_headers;
	char address[NODE_ADDRESS_SIZE];
	char path[FORWARD_PATH_SIZE];
};

bool exchange_was_forwarded(struct exchange *ex)
{
	return exchange_header(ex, "Skald-Forwarded") != NULL;
}

const char *exchange_forwarded_id(struct exchange *ex)
{
	return exchange_was_forwarded(ex) ? exchange_header(ex, "Skald-Saga-Id") : NULL;
}

static void add_header(struct forwarding *f, const char *name, const char *value)
{
	char *line = f->lines[f->n_headers];
	int len = snprintf(line, HEADER_SIZE, "%s: %s", name, value);

	/* What was read as a header is shorter, or it would have been refused. */
	if (len < 0 || len >= HEADER_SIZE)
		return;
	CHECK(f->n_headers < HEADERS_MAX);
	f->headers[f->n_headers++] = line;
}

static void fill_headers(struct forwarding *f, const char *saga_id)
{
	struct exchange *ex = f->ex;

	add_header(f, "Content-Type", "application/json");
	add_header(f, "Skald-Forwarded", "1");
	add_header(f, "Skald-Namespace", ex->ns);
	add_header(f, "X-Request-Id", ex->request_id);
	if (saga_id)
		add_header(f, "Skald-Saga-Id", saga_id);
	for (size_t i = 0; i < ARRAY_SIZE(sent_on); i++) {
		const char *value = exchange_header(ex, sent_on[i]);

		if (value)
			add_header(f, sent_on[i], value);
	}
}

static void forwarding_free(struct forwarding *f)
{
	buf_release(&f->body);
	free(f);
}

static void run_failed(struct exchange *ex)
{
	struct forwarding *f = TAKE(ex->forwarding);
	void (*failed)(struct exchange * ex, enum forward_failure failure) = f->failed;
	enum forward_failure failure = f->failure;

	forwarding_free(f);
	failed(ex, failure);
}

static void relay(struct forwarding *f)
{
	struct exchange *ex = f->ex;
	const struct http_request *http = &f->http;

	buf_add(&ex->out, http->reply ? http->reply : "", http->reply_len);
	if (strncmp(http->content_type, "application/problem+json", 24) == 0)
		ex->content_type = "application/problem+json";
	for (size_t i = 0; i < ARRAY_SIZE(relayed); i++)
		if (f->wanted[i].value[0])
			exchange_add_header(ex, relayed[i], "%.*s", EXCHANGE_HEADER_MAX_BYTES - 1,
								f->wanted[i].value);
	exchange_answer(ex, http->status);
}

static void let_go(struct forwarding *f)
{
	if (__atomic_sub_fetch(&f->holders, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(f->http.reply);
	forwarding_free(f);
}

/* Nobody is to wait for the answer any more; the request goes on without the exchange. */
static void fail_early(struct forwarding *f)
{
	struct exchange *ex = f->ex;
	struct forwarding *failed = xcalloc(1, sizeof(*failed));

	failed->failed = f->failed;
	failed->failure = FORWARD_UNKNOWN;
	ex->forwarding = failed;
	ex->next = run_failed;
	exchange_resume(ex);
}

/* Thread: who ends all waits. */
static void broken_off(struct wait *wait)
{
	struct forwarding *f = CONTAINER_OF(wait, struct forwarding, wait);

	fail_early(f);
	let_go(f);
}

/* Thread: HTTP client. */
static void answered(struct http_request *http)
{
	struct forwarding *f = http->ctx;
	struct exchange *ex = f->ex;

	if (!waits_remove(f->waits, &f->wait)) {
		let_go(f);
		return;
	}
	if (http->result == HTTP_ANSWERED && http->status != 503 && http->status >= 200) {
		relay(f);
		free(http->reply);
		forwarding_free(f);
	} else {
		f->failure = http->result == HTTP_ANSWERED || http->result == HTTP_NOT_CONNECTED ||
							 http->result == HTTP_CANCELLED
						 ? FORWARD_REFUSED
						 : FORWARD_UNKNOWN;
		free(http->reply);
		ex->forwarding = f;
		ex->next = run_failed;
	}
	exchange_resume(ex);
}

void exchange_forward(struct exchange *ex, const struct forward *forward)
{
	struct forwarding *f = xcalloc(1, sizeof(*f));
	struct http_client *client = ex->node->http;

	f->ex = ex;
	f->waits = ex->node->waits;
	f->wait.over = broken_off;
	f->holders = 2;
	/* The request may outlive the exchange. */
	f->body = ex->body;
	buf_init(&ex->body, 0);
	f->failed = forward->failed;
	snprintf(f->address, sizeof(f->address), "%s", forward->address);
	snprintf(f->path, sizeof(f->path), "%s", forward->path);
	fill_headers(f, forward->saga_id);
	for (size_t i = 0; i < ARRAY_SIZE(relayed); i++)
		f->wanted[i].name = relayed[i];
	f->http = (struct http_request){
		.base_url = f->address,
		.method = "POST",
		.path = f->path,
		.headers = f->headers,
		.body = buf_str(&f->body),
		.body_len = f->body.len,
		.timeout_ms = forward->wait_ms + ANSWER_MS,
		.wanted = f->wanted,
		.n_wanted = ARRAY_SIZE(f->wanted),
		.done = answered,
		.ctx = f,
	};
	exchange_suspend(ex);
	if (waits_add(f->waits, &f->wait)) {
		http_client_send(client, &f->http);
	} else {
		/* The process stops, and nothing was sent. */
		f->failure = FORWARD_REFUSED;
		ex->forwarding = f;
		ex->next = run_failed;
		exchange_resume(ex);
	}
}

/* Poking. */

struct poke {
	struct http_request http;
	char address[NODE_ADDRESS_SIZE];
};

static void poked(struct http_request *http)
{
	struct poke *poke = http->ctx;

	free(http->reply);
	free(poke);
}

void node_poke(struct http_client *http, const char *address)
{
	struct poke *poke = xcalloc(1, sizeof(*poke));

	snprintf(poke->address, sizeof(poke->address), "%s", address);
	poke->http = (struct http_request){
		.base_url = poke->address,
		.method = "POST",
		.path = "/v1/nodes/poke",
		.timeout_ms = POKE_MS,
		.done = poked,
		.ctx = poke,
	};
	http_client_send(http, &poke->http);
}
