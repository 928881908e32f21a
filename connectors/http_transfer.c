/*
 * What may be said of an exchange that failed is the point of this file. NOT_CONNECTED promises
 * that nothing of the request can have reached the participant, so it takes both: curl failed in a
 * phase before the request, and it counted no byte of a request as written, in any try. In doubt
 * it is BROKEN.
 *
 * curl tries again by itself, on a fresh connection, when a reused one ends before the first byte
 * of an answer. That would be allowed, since the same idempotency key goes with it, but it would
 * hide that the request was sent twice: a participant that is still busy with the first answers the
 * second with 409, which is a definite failure only for a call that was sent once. So a second try
 * is stopped before it is written, unless nothing was written in the first.
 */
#include "connectors/http_transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connectors/http_sockets.h"
#include "sagas/base/macros.h"

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct http_transfer *transfer = ctx;
	size_t len = size * count;

	if (transfer->reply.len + len > HTTP_REPLY_MAX_BYTES) {
		transfer->too_large = true;
		return 0;
	}
	buf_add(&transfer->reply, data, len);
	return transfer->reply.failed ? 0 : len;
}

/* The value of "Name: value\r\n" when the line has that name, else NULL. Not NUL-terminated. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *ret_len)
{
	size_t name_len = strlen(name);

	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
		return NULL;
	line += name_len + 1;
	len -= name_len + 1;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", line[len - 1]))
		len--;
	*ret_len = len;
	return line;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
	struct http_transfer *transfer = ctx;
	struct http_request *request = transfer->request;
	size_t len = size * count, value_len;
	const char *value;
	size_t i;

	/* curl keeps what it is sent, so a participant that never stops sending headers is cut off. */
	transfer->header_bytes += len;
	if (transfer->header_bytes > HTTP_REPLY_HEADERS_MAX_BYTES) {
		transfer->too_large = true;
		return 0;
	}
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {
		/* A new answer begins: what came before was informational (1xx). */
		request->content_type[0] = '\0';
		transfer->retry_after = false;
		for (i = 0; i < request->n_wanted; i++)
			request->wanted[i].value[0] = '\0';
		return len;
	}
	value = header_value(line, len, "content-type", &value_len);
	if (value)
		snprintf(request->content_type, sizeof(request->content_type), "%.*s", (int)value_len,
				 value);
	else if (header_value(line, len, "retry-after", &value_len))
		transfer->retry_after = true;
	for (i = 0; i < request->n_wanted; i++) {
		struct http_wanted_header *wanted = &request->wanted[i];

		value = header_value(line, len, wanted->name, &value_len);
		if (value && value_len < sizeof(wanted->value))
			snprintf(wanted->value, sizeof(wanted->value), "%.*s", (int)value_len, value);
	}
	return len;
}

/* Whether any byte of the request was handed to a socket, in any of curl's tries. */
static bool was_sent(const struct http_transfer *transfer)
{
	long bytes = 0;

	return curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &bytes) != CURLE_OK ||
		   bytes > 0;
}

bool http_is_past(const struct http_request *request, int64_t now_ms)
{
	return request->not_after_ms &&
		   __atomic_load_n(request->not_after_ms, __ATOMIC_ACQUIRE) <= now_ms;
}

/* Called when a connection is ready, before the request is written to it. */
static int on_ready(void *ctx, char *peer_ip, char *local_ip, int peer_port, int local_port)
{
	struct http_transfer *transfer = ctx;

	(void)peer_ip;
	(void)local_ip;
	(void)peer_port;
	(void)local_port;
	transfer->second_try = was_sent(transfer);
	transfer->too_late = http_is_past(transfer->request, http_now_ms());
	return transfer->second_try || transfer->too_late ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

struct http_transfer *http_transfer_new(struct http_sockets *sockets)
{
	struct http_transfer *transfer = xcalloc(1, sizeof(*transfer));
	CURL *easy = curl_easy_init();

	CHECK(easy);
	transfer->easy = easy;
	buf_init(&transfer->url, 0);
	buf_init(&transfer->reply, HTTP_REPLY_MAX_BYTES);
	http_sockets_watch(sockets, easy);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* and none from the environment */
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "skald/" SKALD_VERSION);
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)HTTP_REPLY_MAX_BYTES);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
	return transfer;
}

void http_transfer_free(struct http_transfer *transfer)
{
	if (!transfer)
		return;
	curl_easy_cleanup(transfer->easy);
	buf_release(&transfer->url);
	buf_release(&transfer->reply);
	free(transfer);
}

/* Whether header (in full) and line have the same name. */
static bool same_name(const char *header, const char *line)
{
	size_t len = strcspn(line, ":");

	return strncasecmp(header, line, len) == 0 && header[len] == ':';
}

static bool list_has_name(const char *const *headers, const char *line)
{
	for (; headers && *headers; headers++) {
		if (same_name(*headers, line))
			return true;
	}
	return false;
}

static int check_header(const char *line, struct err *err)
{
	size_t name_len = strcspn(line, ":");

	/* A line break would let a value from outside write headers or a request of its own. */
	if (name_len == 0 || line[name_len] != ':' || strcspn(line, "\r\n") != strlen(line) ||
		strcspn(line, " \t") < name_len)
		return err_set(err, ERR_INVALID, "header \"%.*s\" cannot be sent", (int)name_len, line);
	return 0;
}

static int add_header(struct http_transfer *transfer, size_t *n, const char *line)
{
	if (*n == ARRAY_SIZE(transfer->headers))
		return -1;
	if (*n > 0)
		transfer->headers[*n - 1].next = &transfer->headers[*n];
	transfer->headers[*n].data = (char *)line;
	transfer->headers[*n].next = NULL;
	(*n)++;
	return 0;
}

static int set_headers(struct http_transfer *transfer, const char *const *peer_headers,
					   const struct http_request *request, struct err *err)
{
	const char *const *line;
	size_t n = 0;
	int r = 0;

	for (line = peer_headers; line && *line && r == 0; line++)
		r = add_header(transfer, &n, *line);
	for (line = request->headers; line && *line && r == 0; line++) {
		if (list_has_name(peer_headers, *line))
			continue;
		if (check_header(*line, err) < 0)
			return ERR_INVALID;
		r = add_header(transfer, &n, *line);
	}
	if (r < 0 || n > HTTP_REQUEST_MAX_HEADERS)
		return err_set(err, ERR_INVALID, "more than %d headers", HTTP_REQUEST_MAX_HEADERS);
	/* curl must not wait for leave to send a body, nor call every body a form. */
	(void)add_header(transfer, &n, "Expect:");
	if (request->body && !list_has_name(peer_headers, "content-type:") &&
		!list_has_name(request->headers, "content-type:"))
		(void)add_header(transfer, &n, "Content-Type:");
	curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
	return 0;
}

static int set_url(struct http_transfer *transfer, const char *base_url, const char *path,
				   struct err *err)
{
	const unsigned char *at;

	if (path[0] && path[0] != '/')
		return err_set(err, ERR_INVALID, "a path begins with /");
	for (at = (const unsigned char *)path; *at; at++) {
		if (*at <= ' ' || *at >= 0x7f || *at == '#')
			return err_set(err, ERR_INVALID, "the path holds a character that is not encoded");
	}
	buf_clear(&transfer->url);
	buf_add_str(&transfer->url, base_url);
	buf_add_str(&transfer->url, path);
	if (curl_easy_setopt(transfer->easy, CURLOPT_URL, buf_str(&transfer->url)) != CURLE_OK)
		return err_set(err, ERR_INVALID, "the path is too long");
	/* Over TLS the first connection tells whether it carries many exchanges at once (HTTP/2), so
	 * the others wait for that instead of opening one each. */
	curl_easy_setopt(transfer->easy, CURLOPT_PIPEWAIT,
					 strncmp(base_url, "https:", 6) == 0 ? 1L : 0L);
	return 0;
}

/* POST and its kin say how long their body is even when they have none. */
static bool method_has_body(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
		   strcmp(method, "PATCH") == 0;
}

static int set_method(struct http_transfer *transfer, const struct http_request *request,
					  struct err *err)
{
	const char *method = request->method;
	size_t len = strlen(method);
	CURL *easy = transfer->easy;

	if (len == 0 || len >= sizeof(transfer->method) ||
		strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != len)
		return err_set(err, ERR_INVALID, "the method cannot be sent");
	if (strcmp(transfer->method, method) != 0) {
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
		memcpy(transfer->method, method, len + 1);
	}
	if (request->body || method_has_body(method)) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
						 (curl_off_t)(request->body ? request->body_len : 0));
	} else if (strcmp(method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	}
	return 0;
}

int http_transfer_begin(struct http_transfer *transfer, const char *base_url,
						const char *const *peer_headers, struct http_request *request,
						int64_t left_ms, struct err *err)
{
	int r;

	r = set_method(transfer, request, err);
	if (r < 0)
		return r;
	r = set_url(transfer, base_url, request->path, err);
	if (r < 0)
		return r;
	r = set_headers(transfer, peer_headers, request, err);
	if (r < 0)
		return r;
	curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 0 ? left_ms : 1));
	transfer->request = request;
	transfer->header_bytes = 0;
	transfer->too_large = false;
	transfer->second_try = transfer->too_late = false;
	transfer->retry_after = false;
	transfer->error[0] = '\0';
	return 0;
}

/* Whether curl's word is one that it only has before a request is written. */
static bool ended_before_request(const struct http_transfer *transfer, CURLcode ended)
{
	curl_off_t ready_us = 0;

	if (ended == CURLE_OPERATION_TIMEDOUT)
		return curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us) ==
				   CURLE_OK &&
			   ready_us == 0;
	return ended == CURLE_COULDNT_RESOLVE_HOST || ended == CURLE_COULDNT_CONNECT ||
		   ended == CURLE_SSL_CONNECT_ERROR || ended == CURLE_PEER_FAILED_VERIFICATION ||
		   ended == CURLE_SSL_CACERT_BADFILE || ended == CURLE_SSL_ISSUER_ERROR ||
		   ended == CURLE_SSL_CERTPROBLEM || ended == CURLE_SSL_CIPHER ||
		   ended == CURLE_URL_MALFORMAT;
}

static enum http_result result_of(const struct http_transfer *transfer, CURLcode ended)
{
	if (ended == CURLE_OK)
		return HTTP_ANSWERED;
	if (transfer->too_late && !was_sent(transfer))
		return HTTP_CANCELLED;
	if (transfer->too_large || ended == CURLE_FILESIZE_EXCEEDED)
		return HTTP_TOO_LARGE;
	if (ended_before_request(transfer, ended) && !was_sent(transfer))
		return HTTP_NOT_CONNECTED;
	return ended == CURLE_OPERATION_TIMEDOUT ? HTTP_TIMED_OUT : HTTP_BROKEN;
}

static void say(struct http_transfer *transfer, CURLcode ended)
{
	struct http_request *request = transfer->request;
	const char *text = transfer->error[0] ? transfer->error : curl_easy_strerror(ended);
	char *at;

	if (transfer->too_late)
		text = "the time to send it has passed";
	else if (transfer->second_try)
		text = "the connection ended before an answer came";
	if (transfer->header_bytes > HTTP_REPLY_HEADERS_MAX_BYTES)
		snprintf(request->error, sizeof(request->error),
				 "the headers of the answer exceed %d bytes", HTTP_REPLY_HEADERS_MAX_BYTES);
	else if (transfer->too_large || ended == CURLE_FILESIZE_EXCEEDED)
		snprintf(request->error, sizeof(request->error), "the answer exceeds %d bytes",
				 HTTP_REPLY_MAX_BYTES);
	else
		snprintf(request->error, sizeof(request->error), "%.*s", (int)sizeof(request->error) - 1,
				 text);
	for (at = request->error; *at; at++) {
		/* curl may quote what the participant sent. */
		if ((unsigned char)*at < ' ' || (unsigned char)*at >= 0x7f)
			*at = '?';
	}
}

void http_transfer_end(struct http_transfer *transfer, CURLcode ended)
{
	struct http_request *request = transfer->request;
	curl_off_t retry_after_s = 0;
	long status = 0;

	request->result = result_of(transfer, ended);
	if (request->result == HTTP_ANSWERED || request->result == HTTP_TOO_LARGE) {
		curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
		request->status = (int)status;
	}
	if (request->result == HTTP_ANSWERED) {
		if (transfer->retry_after &&
			curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s) == CURLE_OK &&
			retry_after_s >= 0)
			request->retry_after_ms =
				(int64_t)(retry_after_s > 86400 ? 86400 : retry_after_s) * 1000;
		if (transfer->reply.len > 0)
			request->reply = buf_take(&transfer->reply, &request->reply_len);
	} else {
		say(transfer, ended);
		request->content_type[0] = '\0';
	}
	/* What is not handed over is let go of: idle handles must not hold megabytes. */
	buf_release(&transfer->reply);
	transfer->request = NULL;
}

void http_transfer_cut(struct http_transfer *transfer)
{
	struct http_request *request = transfer->request;

	request->result = was_sent(transfer) ? HTTP_BROKEN : HTTP_CANCELLED;
	request->content_type[0] = '\0';
	snprintf(request->error, sizeof(request->error), "the client was stopped");
	buf_release(&transfer->reply);
	transfer->request = NULL;
}

int http_base_url(const char *url, char **ret_url, struct err *err)
{
	static const CURLUPart unwanted[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
										 CURLUPART_FRAGMENT};
	CURLU *parts = curl_url();
	char *scheme = NULL, *part;
	size_t i, len = strlen(url);
	int r = 0;

	CHECK(parts);
	if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
		curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		(strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		r = err_set(err, ERR_INVALID, "not an http or https address");
	for (i = 0; r == 0 && i < ARRAY_SIZE(unwanted); i++) {
		part = NULL;
		if (curl_url_get(parts, unwanted[i], &part, 0) == CURLUE_OK)
			r = err_set(err, ERR_INVALID,
						"a base address has no user, password, query or fragment; credentials "
						"belong into headers");
		curl_free(part);
	}
	curl_free(scheme);
	curl_url_cleanup(parts);
	if (r < 0)
		return r;
	while (len > 0 && url[len - 1] == '/')
		len--;
	*ret_url = xstrndup(url, len);
	return 0;
}
