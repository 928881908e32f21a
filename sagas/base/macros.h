/*
 * The few language helpers that every file may use: ownership (CLEANUP, TAKE), checked results
 * (MUST_CHECK) and the assertion that stays on (CHECK).
 *
 * CHECK is for a wrong state inside the program, never for wrong input from outside. It aborts: the
 * history makes the restart safe.
 */
#ifndef SAGAS_BASE_MACROS_H
#define SAGAS_BASE_MACROS_H

#include <stddef.h>
#include <stdlib.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

/* Runs fn(&variable) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Defines fn_p(type *) for CLEANUP from a destructor that takes the pointer itself (and NULL). */
#define DEFINE_CLEANUP(type, fn)                                                                   \
	static inline UNUSED void fn##_p(type *ptr_)                                                   \
	{                                                                                              \
		fn(*ptr_);                                                                                 \
	}

/* Gives up ownership: yields the value and leaves NULL behind, so that CLEANUP frees nothing. */
#define TAKE(ptr)                                                                                  \
	({                                                                                             \
		__typeof__(ptr) *take_ = &(ptr);                                                           \
		__typeof__(ptr) taken_ = *take_;                                                           \
		*take_ = NULL;                                                                             \
		taken_;                                                                                    \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define CHECK(cond)                                                                                \
	do {                                                                                           \
		if (__builtin_expect(!(cond), 0))                                                          \
			check_failed(#cond, __FILE__, __LINE__);                                               \
	} while (0)

NORETURN void check_failed(const char *cond, const char *file, int line);

static inline UNUSED void free_p(void *ptr)
{
	free(*(void **)ptr);
}

/*
 * Allocation of what is small and of a fixed size. They abort when memory is gone, because nothing
 * sensible can be done then; whatever a client controls the size of is limited first, and goes
 * through struct buf.
 */
void *xcalloc(size_t count, size_t size) MUST_CHECK;
void *xrealloc_array(void *ptr, size_t count, size_t size) MUST_CHECK;
char *xstrdup(const char *s) MUST_CHECK;
char *xstrndup(const char *s, size_t len) MUST_CHECK;
char *xasprintf(const char *fmt, ...) MUST_CHECK PRINTF_LIKE(1, 2);

#endif
