/*
 * What tools read of a running server from outside: its metrics, and the CPU that it has used.
 */
#ifndef TESTS_SUPPORT_SERVER_READING_H
#define TESTS_SUPPORT_SERVER_READING_H

/*
 * The sums over the labels of metrics, from GET /metrics at a port of this machine. Returns 0, or
 * -1 with errno when nobody answers.
 */
int server_metrics(int port, const char *const *names, int n, double *values);
/* User and system time of a process; 0 when it is gone. */
double process_cpu_seconds(int pid);

#endif
