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
#include "sagas/json_text.h"

/* Two tasks of one place in the table may hold each other back for a moment, and no more. */
enum { PLACES = 4096 };

struct task_progress {
	struct writer *writer;
	pthread_mutex_t mutex;
	int64_t written_at[PLACES]; /* monotonic; 0: never */
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

/* FNV-1a. */
static uint32_t place_of(const struct engine_call *call)
{
	uint32_t hash = 2166136261u;

	for (const char *c = call->id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	for (const char *c = call->task->step; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return (hash ^ (uint32_t)call->task->item) * 16777619u % PLACES;
}

static bool is_its_turn(struct task_progress *progress, uint32_t place)
{
	int64_t now = clock_mono_ms();
	bool turn;

	pthread_mutex_lock(&progress->mutex);
	turn =
		progress->written_at[place] == 0 || now - progress->written_at[place] >= PROGRESS_EVERY_MS;
	if (turn)
		progress->written_at[place] = now;
	pthread_mutex_unlock(&progress->mutex);
	return turn;
}

void task_progress_told(struct task_progress *progress, const struct engine_call *call)
{
	const struct task_call *task = call->task;
	struct note *note;
	struct buf doc;

	if (!task->details_text || !is_its_turn(progress, place_of(call)))
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

static void read_one(struct store_reader *reader, const struct saga_view *view, int step, int item,
					 enum side side, struct exec *exec)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct task_row row;
	struct err err;
	json_t *said;

	if (reader->store->ops->task_get(reader, view->row.slot, view->row.id,
									 view->state->def->steps[step].id, item, side, &row, &err) < 0)
		return;
	if (row.attempt == exec->attempt && json_parse_stored(row.doc, row.doc_len, &doc, &err) == 0) {
		said = json_object_get(doc, "progress");
		if (said) {
			jval_unref(exec->progress);
			exec->progress = jval_from_json(json_incref(said));
		}
	}
	task_row_release(&row);
}

static bool is_leased(const struct exec *exec)
{
	return exec->status == EXEC_RUNNING && exec->request && exec->request->kind == REQUEST_TASK;
}

void task_progress_read(struct store_reader *reader, struct saga_view *view)
{
	const struct saga_def *def = view->state->def;
	int n = 0;

	for (int i = 0; i < def->n_steps; i++) {
		struct step_state *step = &view->state->steps[i];

		for (int j = 0; j < step->n_actions; j++) {
			int item = def->steps[i].for_each || def->steps[i].repeat_until ? j : -1;
			struct action_state *action = &step->actions[j];

			if (is_leased(&action->run) && n++ < PROGRESS_READ_MAX)
				read_one(reader, view, i, item, SIDE_DO, &action->run);
			if (is_leased(&action->undo) && n++ < PROGRESS_READ_MAX)
				read_one(reader, view, i, item, SIDE_UNDO, &action->undo);
		}
	}
}
