/*
 * What workers say of their progress, on its way into the store, so that every node can show it and
 * who takes a task over knows how far it was. Only the last word matters: of an attempt one is
 * written every PROGRESS_EVERY_MS at most, and one that is lost is followed by another.
 */
#ifndef COORDINATOR_TASK_PROGRESS_H
#define COORDINATOR_TASK_PROGRESS_H

#include "sagas/base/macros.h"

enum { PROGRESS_EVERY_MS = 1000 };

struct engine_call;
struct saga_view;
struct store_reader;
struct task_progress;
struct writer;

/* writer is borrowed, and outlives it. */
struct task_progress *task_progress_new(struct writer *writer) MUST_CHECK;
void task_progress_free(struct task_progress *progress); /* takes NULL */

/* A heartbeat was taken, and had details. Thread: any; not blocking. */
void task_progress_told(struct task_progress *progress, const struct engine_call *call);

/* Adds to what is leased in the view what its worker said last; of PROGRESS_READ_MAX tasks at most.
 * Thread: the reader's. */
enum { PROGRESS_READ_MAX = 200 };
void task_progress_read(struct store_reader *reader, struct saga_view *view);

#endif
