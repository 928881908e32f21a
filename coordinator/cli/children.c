#include "coordinator/cli/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_LINE_MS = 5000, STOP_MS = 3000, STOP_STEP_MS = 10 };

/* In the child, which may have been made beside other threads: never returns. */
static void run(const char *program, const char *folder, const char *brokers, int out, pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before it could be told */
		_exit(1);
	/* Ctrl-C is for Skald, which then stops its children when it has drained. */
	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(out, STDOUT_FILENO);
	execl(program, program, brokers ? "--brokers" : "--port", brokers ? brokers : "0", "--data",
		  folder, (char *)NULL);
	fprintf(stderr, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

static int read_line(int in, char *line, size_t size, const char *name, struct err *err)
{
	struct pollfd fd = {.fd = in, .events = POLLIN};
	size_t len = 0;

	while (len < size - 1) {
		ssize_t n;

		if (poll(&fd, 1, FIRST_LINE_MS) <= 0)
			return err_set(err, ERR_TIMEOUT, "%s does not say where it listens", name);
		n = read(in, line + len, size - 1 - len);
		if (n <= 0)
			return err_set(err, ERR_IO, "%s ended before it listened", name);
		len += (size_t)n;
		line[len] = '\0';
		if (line[len - 1] == '\n')
			break;
	}
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

/* "NAME listening on http://127.0.0.1:PORT\n" */
static int read_url(int in, char *url, size_t size, const char *name, struct err *err)
{
	char line[256];
	const char *at;
	int r = read_line(in, line, sizeof(line), name, err);

	if (r < 0)
		return r;
	at = strstr(line, "http://");
	if (!at || strlen(at) >= size)
		return err_set(err, ERR_INVALID, "%s said `%s` instead of where it listens", name, line);
	memcpy(url, at, strlen(at) + 1);
	return 0;
}

int children_start(struct children *children, const char *name, const char *program,
				   const char *folder, const char *brokers, struct err *err)
{
	struct child *child = &children->list[children->n];
	pid_t parent = getpid();
	char line[256];
	int fds[2], r;

	CHECK(children->n < CHILDREN_MAX);
	if (access(program, X_OK) < 0)
		return err_set(err, ERR_NOT_FOUND, "%s: %s", program, strerror(errno));
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
	child->pid = fork();
	if (child->pid == 0)
		run(program, folder, brokers, fds[1], parent);
	close(fds[1]);
	if (child->pid < 0) {
		close(fds[0]);
		return err_set(err, ERR_IO, "fork: %s", strerror(errno));
	}
	child->name = name;
	children->n++;
	child->url[0] = '\0';
	if (brokers)
		r = read_line(fds[0], line, sizeof(line), name, err);
	else
		r = read_url(fds[0], child->url, sizeof(child->url), name, err);
	close(fds[0]);
	return r;
}

const char *children_forget(struct children *children, pid_t pid)
{
	for (int i = 0; i < children->n; i++) {
		if (children->list[i].pid == pid) {
			children->list[i].pid = 0;
			return children->list[i].name;
		}
	}
	return NULL;
}

static int collect(struct children *children)
{
	int left = 0;

	for (int i = 0; i < children->n; i++) {
		struct child *child = &children->list[i];

		if (child->pid > 0 && waitpid(child->pid, NULL, WNOHANG) != 0)
			child->pid = 0;
		left += child->pid > 0;
	}
	return left;
}

static void signal_all(struct children *children, int number)
{
	for (int i = 0; i < children->n; i++)
		if (children->list[i].pid > 0)
			kill(children->list[i].pid, number);
}

void children_stop(struct children *children)
{
	const struct timespec step = {0, STOP_STEP_MS * 1000000L};

	signal_all(children, SIGTERM);
	for (int waited = 0; collect(children) > 0 && waited < STOP_MS; waited += STOP_STEP_MS)
		nanosleep(&step, NULL);
	signal_all(children, SIGKILL);
	for (int i = 0; i < children->n; i++)
		if (children->list[i].pid > 0)
			waitpid(children->list[i].pid, NULL, 0);
	children->n = 0;
}
