#include "connectors/http_sync.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "sagas/base/buf.h"

struct http_sync {
	CURL *curl;
	char error[CURL_ERROR_SIZE];
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void global_init(void)
{
	CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

int http_sync_new(struct http_sync **ret_sync, struct err *err)
{
	struct http_sync *sync;

	pthread_once(&global_once, global_init);
	sync = xcalloc(1, sizeof(*sync));
	sync->curl = curl_easy_init();
	if (!sync->curl) {
		free(sync);
		return err_set(err, ERR_NO_MEMORY, "cannot set up an HTTP client");
	}
	*ret_sync = sync;
	return 0;
}

void http_sync_free(struct http_sync *sync)
{
	if (!sync)
		return;
	curl_easy_cleanup(sync->curl);
	free(sync);
}

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
	struct buf *body = ctx;

	buf_add(body, data, size * count);
	return body->failed ? 0 : size * count;
}

/* The value of a header line if it is this header's; a pointer into line. */
static const char *header_value(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	return line + strspn(line, " \t");
}

static void keep(char *to, size_t size, const char *value)
{
	size_t len = strcspn(value, "\r\n");

	if (len >= size) /* cut text would be wrong text */
		len = 0;
	memcpy(to, value, len);
	to[len] = '\0';
}

static size_t take_header(char *data, size_t size, size_t count, void *ctx)
{
	struct http_sync_reply *reply = ctx;
	size_t len = size * count;
	char line[1024];
	const char *value;

	if (len >= sizeof(line))
		return len;
	memcpy(line, data, len);
	line[len] = '\0';
	if ((value = header_value(line, "ETag")))
		keep(reply->etag, sizeof(reply->etag), value);
	else if ((value = header_value(line, "Location")))
		keep(reply->location, sizeof(reply->location), value);
	else if ((value = header_value(line, "Content-Type")))
		keep(reply->content_type, sizeof(reply->content_type), value);
	else if ((value = header_value(line, "Retry-After")))
		reply->retry_after_s = strtoll(value, NULL, 10);
	return len;
}

/* What curl said, as one of ours. */
static int failure(struct http_sync *sync, CURLcode code, const char *url, struct err *err)
{
	const char *text = *sync->error ? sync->error : curl_easy_strerror(code);
	bool sent;
	curl_off_t uploaded = 0;
	long written = 0;

	curl_easy_getinfo(sync->curl, CURLINFO_SIZE_UPLOAD_T, &uploaded);
	curl_easy_getinfo(sync->curl, CURLINFO_REQUEST_SIZE, &written);
	sent = uploaded > 0 || written > 0;
	if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
		return err_set(err, ERR_INVALID, "%s: %s", url, text);
	if (code == CURLE_WRITE_ERROR)
		return err_set(err, ERR_LIMIT, "%s: the answer is larger than %d bytes", url,
					   HTTP_SYNC_MAX_BYTES);
	if (!sent)
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", url, text);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return err_set(err, ERR_TIMEOUT, "%s: %s", url, text);
	return err_set(err, ERR_UNKNOWN, "%s: %s", url, text);
}

static void set_options(struct http_sync *sync, const struct http_sync_request *request,
						struct curl_slist *headers, struct buf *body, struct http_sync_reply *reply)
{
	CURL *curl = sync->curl;

	curl_easy_reset(curl);
	sync->error[0] = '\0';
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, sync->error);
	curl_easy_setopt(curl, CURLOPT_URL, request->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (request->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
	}
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "skald/" SKALD_VERSION);
}

int http_sync_send(struct http_sync *sync, const struct http_sync_request *request,
				   struct http_sync_reply *ret_reply, struct err *err)
{
	struct http_sync_reply reply = {.retry_after_s = -1};
	struct curl_slist *headers = NULL;
	struct buf body;
	CURLcode code;
	long status = 0;

	/* No round of `Expect: 100-continue`, which costs a second where it is not known. */
	headers = curl_slist_append(headers, "Expect:");
	for (int i = 0; request->headers && request->headers[i]; i++)
		headers = curl_slist_append(headers, request->headers[i]);
	buf_init(&body, HTTP_SYNC_MAX_BYTES);
	set_options(sync, request, headers, &body, &reply);
	code = curl_easy_perform(sync->curl);
	curl_slist_free_all(headers);
	if (code != CURLE_OK) {
		buf_release(&body);
		return failure(sync, code, request->url, err);
	}
	curl_easy_getinfo(sync->curl, CURLINFO_RESPONSE_CODE, &status);
	reply.status = (int)status;
	reply.body = buf_take(&body, &reply.body_len);
	*ret_reply = reply;
	return 0;
}

/* A body that is given away as it comes. */
struct stream {
	struct http_sync *sync;
	struct buf body; /* of an answer that is none of 200 */
	bool (*piece)(void *ctx, const char *data, size_t len);
	void *ctx;
	bool over; /* who reads has enough */
};

static size_t take_piece(char *data, size_t size, size_t count, void *ctx)
{
	struct stream *stream = ctx;
	long status = 0;

	curl_easy_getinfo(stream->sync->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return take_body(data, size, count, &stream->body);
	stream->over = !stream->piece(stream->ctx, data, size * count);
	return stream->over ? 0 : size * count;
}

int http_sync_stream(struct http_sync *sync, const struct http_sync_request *request,
					 int64_t quiet_ms, bool (*piece)(void *ctx, const char *data, size_t len),
					 void *ctx, struct http_sync_reply *ret_reply, struct err *err)
{
	struct http_sync_reply reply = {.retry_after_s = -1};
	struct stream stream = {.sync = sync, .piece = piece, .ctx = ctx};
	struct curl_slist *headers = NULL;
	CURLcode code;
	long status = 0;

	for (int i = 0; request->headers && request->headers[i]; i++)
		headers = curl_slist_append(headers, request->headers[i]);
	buf_init(&stream.body, HTTP_SYNC_MAX_BYTES);
	set_options(sync, request, headers, &stream.body, &reply);
	curl_easy_setopt(sync->curl, CURLOPT_WRITEFUNCTION, take_piece);
	curl_easy_setopt(sync->curl, CURLOPT_WRITEDATA, &stream);
	curl_easy_setopt(sync->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(sync->curl, CURLOPT_LOW_SPEED_TIME, (long)((quiet_ms + 999) / 1000));
	code = curl_easy_perform(sync->curl);
	curl_slist_free_all(headers);
	if (code != CURLE_OK && !stream.over) {
		buf_release(&stream.body);
		return failure(sync, code, request->url, err);
	}
	curl_easy_getinfo(sync->curl, CURLINFO_RESPONSE_CODE, &status);
	reply.status = (int)status;
	reply.body = buf_take(&stream.body, &reply.body_len);
	*ret_reply = reply;
	return 0;
}

void http_sync_reply_release(struct http_sync_reply *reply)
{
	free(reply->body);
	*reply = (struct http_sync_reply){0};
}

char *http_sync_escape(const char *text)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	struct buf out;

	buf_init(&out, 0);
	for (; *text; text++) {
		if (strchr(plain, *text))
			buf_add_char(&out, *text);
		else
			buf_printf(&out, "%%%02X", (unsigned char)*text);
	}
	return buf_take(&out, NULL);
}
