/*
 * Opening, closing and tending the file. One connection writes and checkpoints; a lock file beside
 * the database keeps other processes out, because a second writer would know nothing of what the
 * first one's engine holds in memory. (SQLite's own locks cannot say that: they are free between
 * commits.)
 *
 * Checkpoints are ours, not SQLite's: its automatic one runs inside a commit, whose answers would
 * wait for it. Here it runs before the next commit or when the writer is idle, so what was
 * committed is already on its way.
 */
#include "connectors/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

enum {
	DEFAULT_SLOTS = 16,
	IDLE_FRAMES = 500,        /* a shorter log is not worth a checkpoint when idle */
	CHECKPOINT_FRAMES = 2000, /* past it the next commit begins with one */
	CHECKPOINT_RETRY = 1000,  /* more frames until another try, when a reader was in the way */
};

int store_sqlite__error(sqlite3 *db, int rc, const char *what, struct err *err)
{
	const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
	int os = db ? sqlite3_system_errno(db) : 0;
	enum err_code code = ERR_INTERNAL;

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_FULL:
		code = ERR_UNAVAILABLE;
		break;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		code = ERR_IO;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		code = ERR_INVALID;
		break;
	case SQLITE_NOMEM:
		code = ERR_NO_MEMORY;
		break;
	case SQLITE_INTERRUPT:
	case SQLITE_TOOBIG:
		code = ERR_LIMIT;
		break;
	default:
		break;
	}
	if (os && code == ERR_IO)
		return err_set(err, code, "%s: %s (%s)", what, text, strerror(os));
	return err_set(err, code, "%s: %s", what, text);
}

int store_sqlite__exec(sqlite3 *db, const char *sql, const char *what, struct err *err)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_sqlite__error(db, rc, what, err);
}

int store_sqlite__prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_stmt, struct err *err)
{
	int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_stmt, NULL);

	return rc == SQLITE_OK ? 0 : store_sqlite__error(db, rc, "cannot prepare a statement", err);
}

int store_sqlite__connect(struct store_sqlite *s, int flags, sqlite3 **ret_db, struct err *err)
{
	/*
	 * The page cache is a bound, not a reservation. Nothing is mapped: that gained nothing, and a
	 * disk that fails would be a signal instead of an error.
	 */
	static const char settings[] = "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;"
								   "PRAGMA cache_size = -32768; PRAGMA mmap_size = 0;";
	CLEANUP(free_p) char *what = xasprintf("cannot open the store %s", s->path);
	sqlite3 *db = NULL;
	int rc, r;

	/* A connection of a file belongs to one thread at a time; that in memory is shared. */
	flags |= s->memory ? SQLITE_OPEN_FULLMUTEX : SQLITE_OPEN_NOMUTEX;
	rc = sqlite3_open_v2(s->path, &db, flags, NULL);
	if (rc != SQLITE_OK) {
		r = store_sqlite__error(db, rc, what, err);
		sqlite3_close(db);
		return r;
	}
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, STORE_SQLITE_BUSY_MS);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, STORE_SQLITE_MAX_ROW);
	r = store_sqlite__exec(db, settings, what, err);
	if (r < 0) {
		sqlite3_close(db);
		return r;
	}
	*ret_db = db;
	return 0;
}

/* Creates the file with narrow rights (it holds payloads), and takes the lock beside it. */
static int lock_file(struct store_sqlite *s, struct err *err)
{
	CLEANUP(free_p) char *lock_path = xasprintf("%s.lock", s->path);
	char text[32] = "";
	int fd;

	s->lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return err_set(err, ERR_IO, "cannot open the store's lock file %s: %s", lock_path,
					   strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_set(err, ERR_IO, "cannot lock %s: %s", lock_path, strerror(errno));
		if (pread(s->lock_fd, text, sizeof(text) - 1, 0) < 0)
			text[0] = '\0';
		text[strcspn(text, "\n")] = '\0';
		return err_set(err, ERR_CONFLICT,
					   "the store %s is in use by another process%s%s (it holds the lock %s)",
					   s->path, text[0] ? ", " : "", text, lock_path);
	}
	snprintf(text, sizeof(text), "pid %ld\n", (long)getpid());
	if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, text, strlen(text), 0) < 0)
		return err_set(err, ERR_IO, "cannot write %s: %s", lock_path, strerror(errno));
	fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd); /* before SQLite opens it: closing any descriptor drops the process's locks */
	else if (errno != EEXIST)
		return err_set(err, ERR_IO, "cannot create the store %s: %s", s->path, strerror(errno));
	return 0;
}

static int on_wal(void *ctx, sqlite3 *db, const char *name, int frames)
{
	struct store_sqlite *s = ctx;

	(void)db;
	(void)name;
	if (frames < s->wal_frames) /* all was in the file, so the log began again */
		s->checkpointed = 0;
	s->wal_frames = frames;
	return SQLITE_OK;
}

static int checkpoint(struct store_sqlite *s, struct err *err)
{
	int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	s->checkpointed = s->wal_frames; /* also when it failed: not again at every commit */
	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		return store_sqlite__error(s->db, rc, "cannot write a checkpoint of the store", err);
	return 0;
}

int store_sqlite__idle(struct store *store, struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);

	if (s->memory || s->wal_frames - s->checkpointed < IDLE_FRAMES)
		return 0;
	return checkpoint(s, err);
}

static void bound_log(struct store_sqlite *s)
{
	int limit = s->checkpointed ? CHECKPOINT_RETRY : CHECKPOINT_FRAMES;

	/* A failure is not this commit's; what is wrong will show in the commit itself. */
	if (!s->memory && s->wal_frames - s->checkpointed >= limit)
		checkpoint(s, NULL);
}

int store_sqlite__begin(struct store_sqlite *s, struct err *err)
{
	int rc;

	bound_log(s);
	store_sqlite__tally_reset(&s->tally);
	rc = store_sqlite__run(s->stmts[W_BEGIN]);
	return rc == SQLITE_DONE ? 0 : store_sqlite__error(s->db, rc, "cannot begin to write", err);
}

void store_sqlite__rollback(struct store_sqlite *s)
{
	/* Some errors (a full disk) have rolled back already. */
	if (!sqlite3_get_autocommit(s->db))
		store_sqlite__run(s->stmts[W_ROLLBACK]);
	CHECK(sqlite3_get_autocommit(s->db));
}

int store_sqlite__end(struct store_sqlite *s, struct err *err)
{
	int rc = store_sqlite__run(s->stmts[W_COMMIT]), r;

	if (rc == SQLITE_DONE) {
		s->unsettled = false;
		return 0;
	}
	r = store_sqlite__error(s->db, rc, "cannot commit", err);
	store_sqlite__rollback(s);
	/*
	 * SQLite has forgotten the transaction. But when the disk failed while the log was written or
	 * synced, its last frame may be in the log all the same, and a start after a crash would find
	 * it, until another commit has overwritten it. That is what settle does.
	 */
	if ((rc & 0xff) == SQLITE_IOERR) {
		s->unsettled = true;
		if (err)
			err->code = ERR_UNKNOWN;
		return ERR_UNKNOWN;
	}
	return r;
}

int store_sqlite__settle(struct store *store, struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int rc, r;

	if (!s->unsettled)
		return 0;
	r = store_sqlite__begin(s, err);
	if (r < 0)
		return r;
	rc = store_sqlite__run(s->stmts[W_FENCE]);
	if (rc != SQLITE_DONE) {
		r = store_sqlite__error(s->db, rc, "cannot settle", err);
		store_sqlite__rollback(s);
		return r;
	}
	return store_sqlite__end(s, err);
}

static void stats(struct store *store, struct store_stats *ret_stats)
{
	struct store_sqlite *s = store_sqlite__from(store);
	static const char *const suffixes[] = {"", "-wal"};
	struct stat st;

	*ret_stats = (struct store_stats){
		.commits = atomic_load_explicit(&s->n_commits, memory_order_relaxed),
		.items = atomic_load_explicit(&s->n_items, memory_order_relaxed),
	};
	for (size_t i = 0; !s->memory && i < ARRAY_SIZE(suffixes); i++) {
		CLEANUP(free_p) char *path = xasprintf("%s%s", s->path, suffixes[i]);

		if (stat(path, &st) == 0)
			ret_stats->bytes += st.st_size;
	}
}

static int slot_count(const struct store *store)
{
	return store_sqlite__from(store)->slot_count;
}

static void close_store(struct store *store)
{
	struct store_sqlite *s = store ? store_sqlite__from(store) : NULL;

	if (!s)
		return;
	for (int i = 0; i < W_STATEMENT_COUNT; i++)
		sqlite3_finalize(s->stmts[i]);
	/* The last connection to close writes a checkpoint and removes the log. */
	CHECK(sqlite3_close(s->db) == SQLITE_OK); /* else a reader of it was left open */
	if (s->lock_fd >= 0)
		close(s->lock_fd); /* the lock file stays: removing it would race with who waits for it */
	pthread_mutex_destroy(&s->mutex);
	store_sqlite__tally_release(&s->tally);
	free(s->retain_ns);
	free(s->path);
	free(s);
}

static void store_sqlite_close(struct store_sqlite *s)
{
	close_store(s ? &s->store : NULL);
}
DEFINE_CLEANUP(struct store_sqlite *, store_sqlite_close)

static const struct store_ops ops = {
	.name = "sqlite",
	.commit = store_sqlite__commit,
	.settle = store_sqlite__settle,
	.definition_put = store_sqlite__definition_put,
	.retain = store_sqlite__retain,
	.idle = store_sqlite__idle,
	.stats = stats,
	.slot_count = slot_count,
	.close = close_store,
	.reader_open = store_sqlite__reader_open,
	.reader_close = store_sqlite__reader_close,
	.saga_get = store_sqlite__saga_get,
	.history = store_sqlite__history,
	.compensations = store_sqlite__compensations,
	.list = store_sqlite__list,
	.load_due = store_sqlite__load_due,
	.find_key = store_sqlite__find_key,
	.definition_get = store_sqlite__definition_get,
	.definition_list = store_sqlite__definition_list,
	.counts = store_sqlite__counts,
	.events_put = store_sqlite__events_put,
	.events_expire = store_sqlite__events_expire,
	.inbox_put = store_sqlite__inbox_put,
	.inbox_remove = store_sqlite__inbox_remove,
	.outbox_remove = store_sqlite__outbox_remove,
	.outbox_expire = store_sqlite__outbox_expire,
	.dead_letter_put = store_sqlite__dead_letter_put,
	.dead_letter_update = store_sqlite__dead_letter_update,
	.trigger_put = store_sqlite__trigger_put,
	.inbox_list = store_sqlite__inbox_list,
	.early_events = store_sqlite__early_events,
	.outbox_list = store_sqlite__outbox_list,
	.dead_letter_get = store_sqlite__dead_letter_get,
	.dead_letter_list = store_sqlite__dead_letter_list,
	.trigger_list = store_sqlite__trigger_list,
	.attention_put = store_sqlite__attention_put,
	.attention_list = store_sqlite__attention_list,
	.attention_told = store_sqlite__attention_told,
	.attention_get = store_sqlite__attention_get,
	.definition_counts = store_sqlite__definition_counts,
	.rates = store_sqlite__rates,
	.batch_put = store_sqlite__batch_put,
	.batch_get = store_sqlite__batch_get,
	.batch_list = store_sqlite__batch_list,
	.batch_open = store_sqlite__batch_open,
	.batch_items = store_sqlite__batch_items,
	.locks_grant = store_sqlite__locks_grant,
	.task_note = store_sqlite__task_note,
	.queue_put = store_sqlite__queue_put,
	.history_trim = store_sqlite__history_trim,
	.tasks_list = store_sqlite__tasks_list,
	.saga_tasks = store_sqlite__saga_tasks,
	.queue_counts = store_sqlite__queue_counts,
	.approval_counts = store_sqlite__approval_counts,
	.queue_get = store_sqlite__queue_get,
	.queue_list = store_sqlite__queue_list,
	.locks_list = store_sqlite__locks_list,
	.routing_put = store_sqlite__routing_put,
	.routing_list = store_sqlite__routing_list,
	.schedule_put = store_sqlite__schedule_put,
	.schedule_list = store_sqlite__schedule_list,
};

static const char *const statement_texts[] = {
#define X(name, sql) sql,
	STORE_SQLITE_WRITES(X)
#undef X
};

static void init_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
}

/* Before SQLite's first use: without its statistics, each allocation is one mutex cheaper. */
static void configure_sqlite(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int store_sqlite_open(const struct store_sqlite_options *options, struct store **ret_store,
					  struct err *err)
{
	int slots = options->slot_count > 0 ? options->slot_count : DEFAULT_SLOTS, r;
	CLEANUP(store_sqlite_close_p) struct store_sqlite *s = NULL;
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, configure_sqlite);
	if (slots > SLOTS_MAX)
		return err_set(err, ERR_INVALID, "a store has at most %d slots", SLOTS_MAX);
	s = xcalloc(1, sizeof(*s));
	s->store.ops = &ops;
	s->path = xstrdup(options->path);
	s->memory = strcmp(options->path, ":memory:") == 0;
	s->no_sync = options->no_sync;
	s->lock_fd = -1;
	init_mutex(&s->mutex);
	r = s->memory ? 0 : lock_file(s, err);
	if (r < 0)
		return r;
	r = store_sqlite__connect(s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s->db, err);
	if (r < 0)
		return r;
	r = store_sqlite__migrate(s, slots, err);
	if (r < 0)
		return r;
	sqlite3_wal_hook(s->db, on_wal, s); /* replaces the automatic checkpoint */
	for (int i = 0; i < W_STATEMENT_COUNT; i++) {
		r = store_sqlite__prepare(s->db, statement_texts[i], &s->stmts[i], err);
		if (r < 0)
			return r;
	}
	*ret_store = &TAKE(s)->store;
	return 0;
}
