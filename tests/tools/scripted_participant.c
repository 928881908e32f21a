/*
 * A participant that answers, hangs, redirects, sends garbage or 100 MB, as the path of a request
 * asks for (tests/support/http_script.h lists what there is). Prints "listening on URL", and runs
 * until SIGTERM.
 */
#include <signal.h>
#include <stdio.h>

#include "tests/support/http_script.h"

int main(void)
{
	struct http_script *script;
	sigset_t stop;
	int signal_number;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	/* Before there are threads, so that none of them takes the signal. */
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	script = http_script_start();
	printf("listening on %s\n", http_script_url(script));
	fflush(stdout);
	sigwait(&stop, &signal_number);
	http_script_stop(script);
	return 0;
}
