/*
 * C11's threads by way of POSIX's, for ThreadSanitizer: it knows the latter alone, and librdkafka
 * is built on the former. Without this its threads are unknown to the sanitizer, which crashes in
 * the first of them. glibc's types of both kinds have the same layout.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

const char *__tsan_default_suppressions(void);

/* Of the library itself it sees only what passes through the C library, and none of its atomics. */
const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:librdkafka.so\n"
		   "race:c11_threads.c\n";
}

static int result_of(int r)
{
	switch (r) {
	case 0:
		return thrd_success;
	case ETIMEDOUT:
		return thrd_timedout;
	case EBUSY:
		return thrd_busy;
	default:
		return thrd_error;
	}
}

struct beginning {
	thrd_start_t run;
	void *arg;
};

static void *begin(void *arg)
{
	struct beginning beginning = *(struct beginning *)arg;

	free(arg);
	return (void *)(intptr_t)beginning.run(beginning.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
	struct beginning *beginning = malloc(sizeof(*beginning));
	int r;

	if (!beginning)
		return thrd_nomem;
	*beginning = (struct beginning){run, arg};
	r = pthread_create((pthread_t *)thread, NULL, begin, beginning);
	if (r != 0)
		free(beginning);
	return result_of(r);
}

int thrd_join(thrd_t thread, int *ret_result)
{
	void *result;
	int r = pthread_join((pthread_t)thread, &result);

	if (r == 0 && ret_result)
		*ret_result = (int)(intptr_t)result;
	return result_of(r);
}

int mtx_init(mtx_t *mutex, int type)
{
	pthread_mutexattr_t attr;
	int r;

	pthread_mutexattr_init(&attr);
	if (type & mtx_recursive)
		pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	r = pthread_mutex_init((pthread_mutex_t *)mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return result_of(r);
}

int mtx_lock(mtx_t *mutex)
{
	return result_of(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_unlock(mtx_t *mutex)
{
	return result_of(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

void mtx_destroy(mtx_t *mutex)
{
	pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int cnd_init(cnd_t *cond)
{
	return result_of(pthread_cond_init((pthread_cond_t *)cond, NULL));
}

int cnd_signal(cnd_t *cond)
{
	return result_of(pthread_cond_signal((pthread_cond_t *)cond));
}

int cnd_broadcast(cnd_t *cond)
{
	return result_of(pthread_cond_broadcast((pthread_cond_t *)cond));
}

int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
	return result_of(pthread_cond_wait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until)
{
	return result_of(
		pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until));
}

void cnd_destroy(cnd_t *cond)
{
	pthread_cond_destroy((pthread_cond_t *)cond);
}

void call_once(once_flag *flag, void (*run)(void))
{
	pthread_once((pthread_once_t *)flag, run);
}
