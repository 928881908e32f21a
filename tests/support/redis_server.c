#include "tests/support/redis_server.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sagas/base/macros.h"

enum { TRIES = 2000 }; /* a millisecond each */

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	close(fd);
	return ntohs(address.sin_port);
}

static redisContext *connect_to(const struct redis_server *server)
{
	struct timeval limit = {.tv_sec = 5};
	redisContext *context = redisConnectWithTimeout("127.0.0.1", server->port, limit);

	CHECK(context);
	if (context->err || redisSetTimeout(context, limit) != REDIS_OK) {
		redisFree(context);
		return NULL;
	}
	return context;
}

static bool answers(const struct redis_server *server)
{
	redisContext *context = connect_to(server);
	redisReply *reply = context ? redisCommand(context, "PING") : NULL;
	bool yes = reply && reply->type != REDIS_REPLY_ERROR;

	if (reply)
		freeReplyObject(reply);
	if (context)
		redisFree(context);
	return yes;
}

static void write_conf(struct redis_server *server)
{
	FILE *file;

	snprintf(server->conf, sizeof(server->conf), "%s/sentinel-%d.conf", server->dir, server->port);
	file = fopen(server->conf, "w");
	CHECK(file);
	fprintf(file, "bind 127.0.0.1\nport %d\ndir %s\n", server->port, server->dir);
	CHECK(fclose(file) == 0);
}

static void become(const struct redis_server *server)
{
	char port[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CHECK(freopen("/dev/null", "w", stdout));
	snprintf(port, sizeof(port), "%d", server->port);
	if (server->sentinel)
		execlp("redis-server", "redis-server", server->conf, "--sentinel", (char *)NULL);
	else
		execlp("redis-server", "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir",
			   server->dir, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
			   "--enable-debug-command", "yes", (char *)NULL);
	_exit(127);
}

void redis_server_start(struct redis_server *server)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	int status;

	CHECK(!server->pid && server->dir);
	if (!server->port)
		server->port = free_port();
	if (server->sentinel)
		write_conf(server);
	snprintf(server->url, sizeof(server->url), "redis://127.0.0.1:%d", server->port);
	server->pid = fork();
	CHECK(server->pid >= 0);
	if (server->pid == 0)
		become(server);
	for (int i = 0; i < TRIES; i++) {
		if (answers(server))
			return;
		if (waitpid(server->pid, &status, WNOHANG) == server->pid)
			break;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "redis-server cannot be started; on Debian: apt-get install redis-server\n");
	abort();
}

void redis_server_kill(struct redis_server *server)
{
	int status;

	if (!server->pid)
		return;
	kill(server->pid, SIGKILL);
	CHECK(waitpid(server->pid, &status, 0) == server->pid);
	server->pid = 0;
}

void redis_server_freeze(struct redis_server *server)
{
	int status;

	kill(server->pid, SIGSTOP);
	CHECK(waitpid(server->pid, &status, WUNTRACED) == server->pid && WIFSTOPPED(status));
}

void redis_server_thaw(struct redis_server *server)
{
	kill(server->pid, SIGCONT);
}

static const char *text_of(const redisReply *reply)
{
	static char text[65536];

	if (!reply)
		return "";
	if (reply->type == REDIS_REPLY_INTEGER)
		snprintf(text, sizeof(text), "%lld", reply->integer);
	else if (reply->type == REDIS_REPLY_ARRAY)
		return reply->elements ? text_of(reply->element[0]) : "";
	else
		snprintf(text, sizeof(text), "%s", reply->str ? reply->str : "");
	return text;
}

const char *redis_server_run(struct redis_server *server, const char *command)
{
	redisContext *context = connect_to(server);
	const char *words[16], *text;
	char *copy = xstrdup(command), *rest = copy, *word;
	redisReply *reply;
	int n = 0;

	CHECK(context);
	while ((word = strsep(&rest, " ")) && n < (int)ARRAY_SIZE(words))
		words[n++] = word;
	reply = redisCommandArgv(context, n, words, NULL);
	text = text_of(reply);
	if (reply)
		freeReplyObject(reply);
	redisFree(context);
	free(copy);
	return text;
}

void redis_server_set(struct redis_server *server, const char *key, const char *value, size_t len)
{
	redisContext *context = connect_to(server);
	redisReply *reply;

	CHECK(context);
	reply = redisCommand(context, "SET %s %b", key, value, len);
	CHECK(reply && reply->type == REDIS_REPLY_STATUS);
	freeReplyObject(reply);
	redisFree(context);
}
