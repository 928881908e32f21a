#include "coordinator/task_progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/store.h"
#include "coordinator/clock.h"
#include "coordinator/engine.h"
#include "coordinator/log.h"
#include "coordinator/saga_view.h"
#include "coordinator/writer.h"
#include "sagas/base/hash.h"
#include "sagas/json_text.h"

/* Attempts that share a place in the table are written more often, and never held back. */
enum { PLACES = 4096 };

struct task_progress {
	struct writer *writer;
	pthread_mutex_t mutex;
	struct {
		uint64_t attempt;
		int64_t at; /* monotonic */
	} written[PLACES];
};

struct note {
	struct writer_job job;
	struct task_row row;
	char *step, *doc;
};

struct task_progress *task_progress_new(struct writer *writer)
{
	struct task_progress *progress = xcalloc(1, sizeof(*progress));

	progress->writer = writer;
	CHECK(pthread_mutex_init(&progress->mutex, NULL) == 0);
	return progress;
}

void task_progress_free(struct task_progress *progress)
{
	if (!progress)
		return;
	pthread_mutex_destroy(&progress->mutex);
	free(progress);
}

static void note_free(struct note *note)
{
	free(note->step);
	free(note->doc);
	free(note);
}

/* Thread: writer. */
static int run(struct writer_job *job, struct store *store)
{
	struct note *note = CONTAINER_OF(job, struct note, job);
	struct err err;
	int r = store->ops->task_note(store, &note->row, &err);

	if (r == ERR_UNKNOWN && job->tries + 1 < WRITER_JOB_TRIES)
		return r;
	if (r < 0)
		log_debug("tasks", NULL, "the progress of a task was not written: %s", err.text);
	note_free(note);
	return 0;
}

static uint64_t attempt_hash(const struct engine_call *call)
{
	const struct task_call *task = call->task;
	const int64_t numbers[] = {task->item, task->side, task->attempt};
	uint64_t hash = fnv_1a(FNV_1A_START, call->id, strlen(call->id));

	hash = fnv_1a(hash, task->step, strlen(task->step));
	return fnv_1a(hash, numbers, sizeof(numbers));
}

static bool is_its_turn(struct task_progress *progress, uint64_t attempt)
{
	size_t place = attempt % PLACES;
	int64_t now = clock_mono_ms();
	bool turn;

	pthread_mutex_lock(&progress->mutex);
	turn = progress->written[place].attempt != attempt ||
		   now - progress->written[place].at >= PROGRESS_EVERY_MS;
	if (turn) {
		progress->written[place].attempt = attempt;
		progress->written[place].at = now;
	}
	pthread_mutex_unlock(&progress->mutex);
	return turn;
}

void task_progress_told(struct task_progress *progress, const struct engine_call *call)
{
	const struct task_call *task = call->task;
	struct note *note;
	struct buf doc;

	if (!task->details_text || !is_its_turn(progress, attempt_hash(call)))
		return;
	note = xcalloc(1, sizeof(*note));
	buf_init(&doc, 0);
	buf_add_lit(&doc, "{\"progress\":");
	buf_add_str(&doc, task->details_text);
	buf_add_char(&doc, '}');
	note->step = xstrdup(task->step);
	note->row = (struct task_row){
		.slot = saga_id_slot(call->id),
		.step = note->step,
		.item = task->item,
		.side = task->side,
		.attempt = task->attempt,
		.doc_len = doc.len,
	};
	memcpy(note->row.saga_id, call->id, sizeof(note->row.saga_id));
	note->row.doc = note->doc = buf_take(&doc, NULL);
	note->job.run = run;
	if (!writer_post(progress->writer, &note->job))
		note_free(note);
}

static bool is_leased(const struct exec *exec)
{
	return exec->status == EXEC_RUNNING && exec->request && exec->request->kind == REQUEST_TASK;
}

/* The attempt that the row is of, when that has its lease still; else NULL. */
static struct exec *find_leased(struct saga_state *state, const struct task_row *row)
{
	int index = saga_def_step(state->def, row->step), at = row->item < 0 ? 0 : row->item;
	struct step_state *step = index < 0 ? NULL : &state->steps[index];
	struct exec *exec;

	if (!step || at >= step->n_actions)
		return NULL;
	exec = row->side == SIDE_DO ? &step->actions[at].run : &step->actions[at].undo;
	return is_leased(exec) && exec->attempt == row->attempt ? exec : NULL;
}

static int add_progress(void *ctx, const struct task_row *row)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct exec *exec = find_leased(ctx, row);
	struct err err;
	json_t *said;

	if (!exec || json_parse_stored(row->doc, row->doc_len, &doc, &err) < 0)
		return 0;
	said = json_object_get(doc, "progress");
	if (said) {
		jval_unref(exec->progress);
		exec->progress = jval_from_json(json_incref(said));
	}
	return 0;
}

static bool has_leases(const struct saga_state *state)
{
	for (int i = 0; i < state->def->n_steps; i++) {
		const struct step_state *step = &state->steps[i];

		for (int j = 0; j < step->n_actions; j++)
			if (is_leased(&step->actions[j].run) || is_leased(&step->actions[j].undo))
				return true;
	}
	return false;
}

void task_progress_read(struct store_reader *reader, struct saga_view *view)
{
	struct err err;

	/* What cannot be read is left out: it is not what the saga's state is made of. */
	if (has_leases(view->state) &&
		reader->store->ops->saga_tasks(reader, view->row.slot, view->row.id, TASK_LEASED,
									   PROGRESS_READ_MAX, add_progress, view->state, &err) < 0)
		log_debug("tasks", NULL, "the progress of tasks was not read: %s", err.text);
}
