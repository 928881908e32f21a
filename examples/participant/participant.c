/*
 * The HTTP side of a participant: libmicrohttpd with a thread for each connection, so that a
 * request that hangs or dawdles on purpose simply waits in its own thread.
 */
#include "examples/participant/participant.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "examples/participant/faults.h"
#include "examples/participant/ledger.h"

enum { BODY_MAX = 1024 * 1024, KEY_MAX = 255, HUGE_ANSWER = 100 * 1000 * 1000, CONNECTIONS = 512 };

/* A key whose request is being worked on. */
struct in_progress {
	struct in_progress *next;
	const char *key;
};

struct participant {
	const struct operation *operations;
	size_t n;
	struct ledger *ledger;
	struct faults *faults;
	int stop_fd; /* readable: stop; ends every wait */
	pthread_mutex_t mutex;
	struct in_progress *in_progress; /* under mutex */
};

/* A request while libmicrohttpd reads it. */
struct upload {
	char *data;
	size_t len;
	bool too_large;
};

void call_refuse(struct call *call, int status, const char *code, const char *message)
{
	json_decref(call->reply);
	call->status = status;
	call->reply = json_pack("{s:s, s:s*}", "code", code, "message", message);
}

const char *call_string(const struct call *call, const char *name)
{
	const char *text = json_string_value(json_object_get(call->body, name));

	return text ? text : "";
}

bool text_ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static enum MHD_Result answer(struct MHD_Connection *connection, int status, json_t *body,
							  const char *header, const char *value)
{
	char *text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
	struct MHD_Response *response;
	enum MHD_Result result;

	if (!text)
		return MHD_NO;
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(response, "Content-Type", "application/json");
	if (header)
		MHD_add_response_header(response, header, value);
	result = MHD_queue_response(connection, (unsigned)status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_code(struct MHD_Connection *connection, int status, const char *code)
{
	json_t *body = json_pack("{s:s}", "code", code);
	enum MHD_Result result = answer(connection, status, body, NULL, NULL);

	json_decref(body);
	return result;
}

static ssize_t fill_huge(void *ctx, uint64_t at, char *to, size_t max)
{
	(void)ctx;
	(void)at;
	memset(to, 'x', max);
	return (ssize_t)max;
}

static enum MHD_Result answer_huge(struct MHD_Connection *connection)
{
	struct MHD_Response *response =
		MHD_create_response_from_callback(HUGE_ANSWER, 65536, fill_huge, NULL, NULL);
	enum MHD_Result result = MHD_queue_response(connection, 200, response);

	MHD_destroy_response(response);
	return result;
}

/* Waits until the time is up (-1: for ever), the caller has gone, or the program stops. */
static void wait_in_vain(struct participant *participant, struct MHD_Connection *connection,
						 int timeout_ms)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd fds[] = {{.fd = participant->stop_fd, .events = POLLIN},
						   {.fd = info->connect_fd, .events = POLLRDHUP}};

	(void)!poll(fds, 2, timeout_ms);
}

static enum MHD_Result answer_garbage(struct MHD_Connection *connection)
{
	static const char garbage[] = "\x16\x03 this is not HTTP \xff\xfe\n\n";
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	(void)!send(info->connect_fd, garbage, sizeof(garbage) - 1, MSG_NOSIGNAL);
	return MHD_NO;
}

/* Whether the path is the operation's; *id gets what stands for {id}. */
static bool path_matches(const char *pattern, const char *path, char *id, size_t id_size)
{
	const char *brace = strstr(pattern, "{id}");
	size_t before = (size_t)(brace - pattern), len = strlen(path), after = strlen(brace + 4);

	if (len <= before + after || len - before - after >= id_size ||
		strncmp(path, pattern, before) != 0 || strcmp(path + len - after, brace + 4) != 0)
		return false;
	memcpy(id, path + before, len - before - after);
	id[len - before - after] = '\0';
	return strchr(id, '/') == NULL;
}

/* The operation, or NULL; *ret_other_method tells whether the path at least is known. */
static const struct operation *find_operation(const struct participant *participant,
											  const char *method, const char *path,
											  struct call *call, bool *ret_other_method)
{
	size_t i;

	*ret_other_method = false;
	for (i = 0; i < participant->n; i++) {
		const struct operation *operation = &participant->operations[i];

		if (!path_matches(operation->path, path, call->id, sizeof(call->id)))
			continue;
		if (strcmp(operation->method, method) == 0)
			return operation;
		*ret_other_method = true;
	}
	return NULL;
}

static bool begin(struct participant *participant, struct in_progress *mine)
{
	struct in_progress *other;

	pthread_mutex_lock(&participant->mutex);
	for (other = participant->in_progress; other && strcmp(other->key, mine->key) != 0;)
		other = other->next;
	if (!other) {
		mine->next = participant->in_progress;
		participant->in_progress = mine;
	}
	pthread_mutex_unlock(&participant->mutex);
	return !other;
}

static void end(struct participant *participant, struct in_progress *mine)
{
	struct in_progress **at;

	pthread_mutex_lock(&participant->mutex);
	for (at = &participant->in_progress; *at != mine;)
		at = &(*at)->next;
	*at = mine->next;
	pthread_mutex_unlock(&participant->mutex);
}

/* Does what the call asks for, or what it was ordered to do instead. */
static void carry_out(struct participant *participant, struct MHD_Connection *connection,
					  struct call *call, struct fault fault)
{
	switch (fault.mode) {
	case FAULT_FAIL:
	case FAULT_REDIRECT:
		return;
	case FAULT_HANG:
		wait_in_vain(participant, connection, -1);
		return;
	case FAULT_SLOW:
		wait_in_vain(participant, connection, fault.delay_ms);
		break;
	case FAULT_NONE:
	case FAULT_DECLINE:
	case FAULT_LOSE_REPLY:
	case FAULT_GARBAGE:
	case FAULT_HUGE:
		break;
	}
	ledger_call(participant->ledger, call, fault.mode == FAULT_DECLINE ? fault.code : NULL);
}

/* Answers a call that was carried out, or as it was ordered to go wrong. */
static enum MHD_Result answer_call(struct MHD_Connection *connection, const struct call *call,
								   struct fault fault)
{
	enum MHD_Result result;
	json_t *body;

	switch (fault.mode) {
	case FAULT_FAIL:
		return answer_code(connection, 503, "out_of_order");
	case FAULT_REDIRECT:
		body = json_object();
		result = answer(connection, 302, body, "Location", "/elsewhere");
		json_decref(body);
		return result;
	case FAULT_GARBAGE:
		return call->lose_reply ? MHD_NO : answer_garbage(connection);
	case FAULT_HUGE:
		return call->lose_reply ? MHD_NO : answer_huge(connection);
	case FAULT_HANG:
	case FAULT_LOSE_REPLY:
		return MHD_NO; /* closes the connection */
	case FAULT_NONE:
	case FAULT_DECLINE:
	case FAULT_SLOW:
		break;
	}
	if (call->lose_reply)
		return MHD_NO;
	return answer(connection, call->status, call->reply,
				  call->replayed ? "Idempotent-Replayed" : NULL, "true");
}

static enum MHD_Result serve_operation(struct participant *participant,
									   struct MHD_Connection *connection, struct call *call,
									   const char *path)
{
	struct in_progress mine;
	struct fault fault;

	call->key = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Idempotency-Key");
	if (call->operation->role == ROLE_READ) {
		fault = faults_take(participant->faults, path, call->body);
		carry_out(participant, connection, call, fault);
		return answer_call(connection, call, fault);
	}
	if (!call->key || !*call->key || strlen(call->key) > KEY_MAX)
		return answer_code(connection, 400, "idempotency_key_required");
	mine.key = call->key;
	if (!begin(participant, &mine))
		return answer_code(connection, 409, "in_progress");
	fault = faults_take(participant->faults, path, call->body);
	carry_out(participant, connection, call, fault);
	/* Before the first byte of an answer leaves: who has it may ask again at once. */
	end(participant, &mine);
	return answer_call(connection, call, fault);
}

static enum MHD_Result serve_control(struct participant *participant,
									 struct MHD_Connection *connection, json_t *body)
{
	const char *problem = faults_add(participant->faults, body);
	json_t *reply = problem ? json_pack("{s:s, s:s}", "code", "bad_order", "detail", problem)
							: json_pack("{s:b}", "ok", 1);
	enum MHD_Result result = answer(connection, problem ? 400 : 200, reply, NULL, NULL);

	json_decref(reply);
	return result;
}

static enum MHD_Result serve(struct participant *participant, struct MHD_Connection *connection,
							 const char *method, const char *path, const struct upload *upload)
{
	struct call call = {0};
	enum MHD_Result result;
	bool other_method;
	char *request = NULL;

	if (upload->too_large)
		return answer_code(connection, 413, "too_large");
	call.body = upload->len > 0 ? json_loadb(upload->data, upload->len, 0, NULL) : json_object();
	if (!json_is_object(call.body)) {
		json_decref(call.body);
		return answer_code(connection, 400, "not_a_json_object");
	}
	call.operation = find_operation(participant, method, path, &call, &other_method);
	if (call.operation) {
		if (asprintf(&request, "%s %s\n%.*s", method, path, (int)upload->len,
					 upload->len > 0 ? upload->data : "") < 0)
			abort();
		call.request = request;
		result = serve_operation(participant, connection, &call, path);
	} else if (strcmp(path, "/control") == 0 && strcmp(method, "POST") == 0) {
		result = serve_control(participant, connection, call.body);
	} else if (strcmp(path, "/ledger") == 0 && strcmp(method, "GET") == 0) {
		call.reply = ledger_list(participant->ledger);
		result = answer(connection, 200, call.reply, NULL, NULL);
	} else if (strcmp(path, "/livez") == 0) {
		result = answer_code(connection, 200, "alive");
	} else {
		result = answer_code(connection, other_method ? 405 : 404,
							 other_method ? "method_not_allowed" : "no_such_path");
	}
	free(request);
	json_decref(call.body);
	json_decref(call.thing);
	json_decref(call.reply);
	return result;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
								  const char *method, const char *version, const char *data,
								  size_t *data_len, void **connection_ctx)
{
	struct upload *upload = *connection_ctx;
	char *grown;

	(void)version;
	if (!upload) {
		*connection_ctx = calloc(1, sizeof(*upload));
		return *connection_ctx ? MHD_YES : MHD_NO;
	}
	if (*data_len == 0)
		return serve(ctx, connection, method, path, upload);
	if (upload->len + *data_len > BODY_MAX) {
		upload->too_large = true;
	} else {
		grown = realloc(upload->data, upload->len + *data_len);
		if (!grown)
			return MHD_NO;
		memcpy(grown + upload->len, data, *data_len);
		upload->data = grown;
		upload->len += *data_len;
	}
	*data_len = 0;
	return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **connection_ctx,
						 enum MHD_RequestTerminationCode code)
{
	struct upload *upload = *connection_ctx;

	(void)ctx;
	(void)connection;
	(void)code;
	if (upload)
		free(upload->data);
	free(upload);
	*connection_ctx = NULL;
}

struct options {
	int port;              /* 0: any free one */
	struct in_addr listen; /* loopback unless said */
	const char *data;
};

static int run(struct participant *participant, const char *name, const struct options *options,
			   const sigset_t *signals)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
								  .sin_addr = options->listen,
								  .sin_port = htons((uint16_t)options->port)};
	char host[INET_ADDRSTRLEN] = "";
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon;
	uint64_t one = 1;
	int number;

	daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
								  MHD_USE_POLL,
							  (uint16_t)options->port, NULL, NULL, on_request, participant,
							  MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED,
							  on_completed, NULL, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
							  MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_END);
	inet_ntop(AF_INET, &options->listen, host, sizeof(host));
	if (!daemon) {
		fprintf(stderr, "%s: cannot listen on %s:%d: %s\n", name, host, options->port,
				strerror(errno));
		return 1;
	}
	info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	printf("%s listening on http://%s:%d\n", name, host, info->port);
	fflush(stdout);
	sigwait(signals, &number);
	(void)!write(participant->stop_fd, &one, sizeof(one));
	MHD_stop_daemon(daemon);
	return 0;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {{"port", required_argument, NULL, 'p'},
										  {"data", required_argument, NULL, 'd'},
										  {"listen", required_argument, NULL, 'l'},
										  {0}};
	char *rest = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		if (c == 'p')
			options->port = (int)strtol(optarg, &rest, 10);
		else if (c == 'd')
			options->data = optarg;
		else if (c != 'l' || inet_pton(AF_INET, optarg, &options->listen) != 1)
			return false;
	}
	return optind == argc && options->data && options->port >= 0 && options->port <= 65535 &&
		   (!rest || !*rest);
}

int participant_main(int argc, char **argv, const char *name, const struct operation *operations,
					 size_t n)
{
	struct participant participant = {
		.operations = operations, .n = n, .mutex = PTHREAD_MUTEX_INITIALIZER};
	struct options options = {.listen.s_addr = htonl(INADDR_LOOPBACK)};
	sigset_t signals;
	int code = 1;

	if (!parse_options(argc, argv, &options)) {
		fprintf(stderr, "usage: %s --data DIR [--port N] [--listen IPV4]\n", name);
		return 2;
	}
	/* Before any thread starts, so that the signals wait for sigwait. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	participant.stop_fd = eventfd(0, EFD_CLOEXEC);
	participant.faults = faults_new();
	participant.ledger = ledger_open(options.data);
	if (participant.ledger)
		code = run(&participant, name, &options, &signals);
	ledger_close(participant.ledger);
	faults_free(participant.faults);
	close(participant.stop_fd);
	return code;
}
