/*
 * A participant for tests that does what the path of a request asks for:
 *
 *     /ok             200 {"ok":true}
 *     /echo           200, text/plain: the request as it came
 *     /status/422     that status, {"code":"declined"}
 *     /redirect       302 to /ok
 *     /retry-after    429 with Retry-After: 7
 *     /empty          204
 *     /interim        103, then 200 {"ok":true}
 *     /chunked        200 {"ok":true} in three chunks
 *     /length/N       200 with a body of N bytes
 *     /close          reads the request and closes the connection
 *     /garbage        bytes that are not HTTP
 *     /short          promises 100 bytes, sends 10, closes
 *     /hang           never answers
 *     /drip           promises 1000 bytes and sends one in 5 ms
 *     /huge           100 MB; /huge-chunked: without saying so first
 *     /headers        headers without end
 *     /record         204; the body, which is JSON, is kept
 *     /recorded       200 with those bodies as a list, the first one first
 *     /gate           waits for http_script_open_gate, then 200 {"ok":true}
 *
 * A thread for each connection; keep-alive; the query string is ignored.
 */
#ifndef TESTS_SUPPORT_HTTP_SCRIPT_H
#define TESTS_SUPPORT_HTTP_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

struct http_script;

/* Listens on a free port of 127.0.0.1. Aborts when it cannot. */
struct http_script *http_script_start(void);
void http_script_stop(struct http_script *script);

int http_script_port(const struct http_script *script);
/* "http://127.0.0.1:PORT", borrowed. */
const char *http_script_url(const struct http_script *script);

/* From now on connections are refused; those that stand go on. */
void http_script_refuse(struct http_script *script);
void http_script_open_gate(struct http_script *script);

/* Requests read whole so far; connections accepted; the most requests that were open at once. */
int http_script_requests(struct http_script *script);
int http_script_connections(struct http_script *script);
int http_script_most_open(struct http_script *script);
/* Returns when n requests have been read. */
void http_script_await_requests(struct http_script *script, int n);
/* The path of the n-th request (from 0), to be freed; NULL when there were fewer. */
char *http_script_path(struct http_script *script, int n);

#endif
