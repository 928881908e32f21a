#include "tests/support/server_reading.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sagas/base/buf.h"

static double value_of(const char *text, const char *name)
{
	size_t len = strlen(name);
	double value = 0;
	const char *at;

	for (at = strchr(text, '\n'); at; at = strchr(at, '\n')) {
		at++;
		if (strncmp(at, name, len) == 0 && (at[len] == ' ' || at[len] == '{'))
			value += strtod(at + strcspn(at, " "), NULL);
	}
	return value;
}

static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
								  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
								  .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int server_metrics(int port, const char *const *names, int n, double *values)
{
	static const char request[] =
		"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
	char block[4096];
	struct buf in;
	ssize_t got;
	int fd = connect_to(port);

	if (fd < 0)
		return -1;
	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0) {
		close(fd);
		return -1;
	}
	buf_init(&in, 0);
	while ((got = recv(fd, block, sizeof(block), 0)) > 0)
		buf_add(&in, block, (size_t)got);
	close(fd);
	for (int i = 0; i < n; i++)
		values[i] = value_of(buf_str(&in), names[i]);
	buf_release(&in);
	return 0;
}

double process_cpu_seconds(int pid)
{
	char path[64], text[1024], *at;
	unsigned long user = 0, kernel = 0;
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	at = strrchr(text, ')'); /* the name in front may hold anything */
	if (!at ||
		sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
		return 0;
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}
