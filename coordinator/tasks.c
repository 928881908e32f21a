/*
 * The thread of tasks: a loop around its mailbox. It gives out what can be given out, asks the
 * store where something may be, and answers polls whose time is up. Answers leave after the lock
 * was given back.
 */
#include "coordinator/tasks_priv.h"

#include <string.h>

#include "coordinator/clock.h"
#include "coordinator/engine.h"

enum { UNREAD_WAIT_MS = 250 };

/* What a commit says of tasks. */
struct committed_task {
	bool queued;
	struct task_row row; /* owned */
};

struct committed_count {
	const char *queue; /* of the definition, which the mail holds */
	int64_t leased, completed, failed, expired;
};

struct committed_mail {
	struct mail mail;
	struct saga_def *def;
	char *ns;
	struct committed_task *tasks;
	size_t n_tasks;
	struct committed_count *counts;
	size_t n_counts;
};

void poll_free(struct poll *poll)
{
	if (!poll)
		return;
	for (size_t i = 0; i < poll->n_queues; i++)
		free(poll->queues[i]);
	for (size_t i = 0; i < poll->n_routes; i++)
		free(poll->routes[i]);
	for (int i = 0; i < poll->n_granted; i++)
		free(poll->tokens[i]);
	free(poll->queues);
	free(poll->routes);
	free(poll->tokens);
	free(poll->places);
	free(poll->ns);
	free(poll->worker);
	free(poll->build);
	buf_release(&poll->granted);
	free(poll);
}

/* What commits say. Thread: engine. */

static struct committed_count *count_of(struct committed_mail *mail, const char *queue)
{
	for (size_t i = 0; i < mail->n_counts; i++)
		if (strcmp(mail->counts[i].queue, queue) == 0)
			return &mail->counts[i];
	mail->counts = xrealloc_array(mail->counts, mail->n_counts + 1, sizeof(*mail->counts));
	mail->counts[mail->n_counts] = (struct committed_count){.queue = queue};
	return &mail->counts[mail->n_counts++];
}

/* An attempt ended badly; what ended without one was nobody's failure. */
static void count_failure(struct committed_count *count, const struct event *event)
{
	if (event->code && strcmp(event->code, "lease_expired") == 0)
		count->expired++;
	else if (!event->by && (!event->code || (strcmp(event->code, "deadline_exceeded") != 0 &&
											 strcmp(event->code, "abandoned") != 0)))
		count->failed++;
}

static void count_event(struct committed_mail *mail, const struct event *event)
{
	const struct step_def *step = event->step < 0 ? NULL : &mail->def->steps[event->step];
	bool undo = event->type == EV_TASK_LEASED ? event->side == SIDE_UNDO
											  : event->type >= EV_COMPENSATION_ARMED &&
													event->type <= EV_COMPENSATION_ONGOING;
	const struct action_def *act = !step ? NULL : undo ? &step->undo : &step->act;

	if (!act || act->kind != ACTION_TASK)
		return;
	if (event->type == EV_TASK_LEASED)
		count_of(mail, act->task.queue)->leased++;
	else if (event->type == EV_STEP_COMPLETED || event->type == EV_COMPENSATION_COMPLETED)
		count_of(mail, act->task.queue)->completed += !event->by;
	else if (event->type == EV_STEP_FAILED || event->type == EV_STEP_ATTEMPT_FAILED ||
			 event->type == EV_STEP_PARKED || event->type == EV_COMPENSATION_ATTEMPT_FAILED ||
			 event->type == EV_COMPENSATION_FAILED)
		count_failure(count_of(mail, act->task.queue), event);
}

static void copy_note(const struct saga_state *state, const struct task_note *note,
					  struct committed_task *to)
{
	struct task_row row = {
		.ns = state->ns,
		.definition = state->def->name,
		.step = state->def->steps[note->step].id,
		.item = note->item,
		.side = note->side,
		.kind = note->kind,
		.queue = note->queue ? note->queue : "",
		.route = note->route,
		.attempt = note->attempt,
		.state = note->state,
		.available_at = note->available_at,
		.doc = "{}",
		.doc_len = 2,
	};

	memcpy(row.saga_id, state->id, sizeof(row.saga_id));
	to->queued = !note->remove && note->state == TASK_QUEUED;
	task_row_copy(&row, &to->row);
}

void tasks_committed(void *ctx, const struct saga_state *state, const struct decision *decision)
{
	struct tasks *tasks = ctx;
	struct committed_mail *mail = xcalloc(1, sizeof(*mail));

	mail->mail.type = TASKS_MAIL_COMMITTED;
	mail->def = saga_def_ref(state->def);
	mail->ns = xstrdup(state->ns);
	mail->tasks = xcalloc(decision->n_tasks + 1, sizeof(*mail->tasks));
	for (size_t i = 0; i < decision->n_tasks; i++)
		if (decision->tasks[i].remove || decision->tasks[i].kind == TASK_WORKER)
			copy_note(state, &decision->tasks[i], &mail->tasks[mail->n_tasks++]);
	for (size_t i = 0; i < decision->n_events; i++)
		count_event(mail, &decision->events[i]);
	mailbox_post_reserved(tasks->box, &mail->mail);
}

static void committed_free(struct committed_mail *mail)
{
	for (size_t i = 0; i < mail->n_tasks; i++)
		task_row_release(&mail->tasks[i].row);
	free(mail->tasks);
	free(mail->counts);
	free(mail->ns);
	saga_def_unref(mail->def);
	free(mail);
}

/* Thread: tasks. */
static void take_count(struct tasks *tasks, const char *ns, const struct committed_count *count)
{
	struct queue *queue = tasks__queue(tasks, ns, count->queue, true);

	if (!queue)
		return;
	queue->look.leased += count->leased;
	queue->look.completed += count->completed;
	queue->look.failed += count->failed;
	queue->look.expired += count->expired;
	minute_add(&queue->leased, tasks->now, count->leased);
	minute_add(&queue->completed, tasks->now, count->completed);
	minute_add(&queue->failed, tasks->now, count->failed);
	/* Somebody may be had room for by a limit. */
	queue->count_again = true;
	tasks__list(tasks, queue);
}

static void take_committed(struct tasks *tasks, struct committed_mail *mail)
{
	for (size_t i = 0; i < mail->n_counts; i++)
		take_count(tasks, mail->ns, &mail->counts[i]);
	for (size_t i = 0; i < mail->n_tasks; i++) {
		const struct task_row *row = &mail->tasks[i].row;
		struct queue *queue;

		if (!mail->tasks[i].queued) {
			tasks__forget(tasks, row->saga_id, row->step, row->item, row->side);
			continue;
		}
		queue = tasks__queue(tasks, row->ns, row->queue, true);
		if (!queue)
			continue;
		tasks__offer(tasks, queue, row);
		tasks->poke_owed |= queue->n_waiting == 0;
	}
	committed_free(mail);
}

/* Polls. */

static void leave_lines(struct poll *poll)
{
	for (size_t i = 0; poll->waiting && i < poll->n_queues; i++) {
		struct poll_place *place = &poll->places[i];
		struct queue *queue = place->queue;

		if (place->prev)
			place->prev->next = place->next;
		else
			queue->waiting = place->next;
		if (place->next)
			place->next->prev = place->prev;
		else
			queue->waiting_last = place->prev;
		place->prev = place->next = NULL;
		queue->n_waiting--;
	}
	poll->waiting = false;
}

/* By age, so that who was put off by a task that was not to be had keeps its place. */
static void enter_line(struct poll_place *place)
{
	struct queue *queue = place->queue;
	struct poll_place *after = queue->waiting_last;

	while (after && after->poll->order > place->poll->order)
		after = after->prev;
	place->prev = after;
	place->next = after ? after->next : queue->waiting;
	if (after)
		after->next = place;
	else
		queue->waiting = place;
	if (place->next)
		place->next->prev = place;
	else
		queue->waiting_last = place;
	queue->n_waiting++;
}

void tasks__poll_wait(struct tasks *tasks, struct poll *poll)
{
	if (poll->waiting)
		return;
	poll->waiting = true;
	for (size_t i = 0; i < poll->n_queues; i++) {
		enter_line(&poll->places[i]);
		tasks__list(tasks, poll->places[i].queue);
	}
}

static void poll_ends(struct tasks *tasks, struct poll *poll)
{
	leave_lines(poll);
	heap_remove(&tasks->waits, &poll->timer);
	for (size_t i = 0; i < poll->n_queues; i++)
		tasks__note_worker(tasks, poll->places[i].queue, poll, -1);
	tasks->n_polls--;
	poll->mail.next = tasks->answers;
	tasks->answers = &poll->mail;
}

void tasks__poll_settle(struct tasks *tasks, struct poll *poll)
{
	if (poll->asked > 0) {
		leave_lines(poll);
		return;
	}
	if (poll->n_granted > 0 || poll->over || __atomic_load_n(&tasks->ended, __ATOMIC_ACQUIRE))
		poll_ends(tasks, poll);
	else
		tasks__poll_wait(tasks, poll);
}

static void take_poll(struct tasks *tasks, struct poll *poll)
{
	bool unread = false;

	poll->order = ++tasks->order;
	poll->places = xcalloc(poll->n_queues, sizeof(*poll->places));
	for (size_t i = 0; i < poll->n_queues; i++) {
		struct queue *queue = tasks__queue(tasks, poll->ns, poll->queues[i], true);

		/* Too many queues: those that it would wait for are not to be had. */
		if (!queue) {
			poll->n_queues = i;
			poll->over = true;
			break;
		}
		poll->places[i] = (struct poll_place){.poll = poll, .queue = queue};
		queue->more |= tasks->now - queue->asked_at > IDLE_AFTER_MS;
		queue->asked_at = tasks->now;
		unread |= queue->more;
		tasks__note_worker(tasks, queue, poll, 1);
	}
	tasks->n_polls++;
	/* Who does not want to wait wants to know all the same. */
	if (unread && poll->wait_ms < UNREAD_WAIT_MS)
		poll->wait_ms = UNREAD_WAIT_MS;
	heap_add(&tasks->waits, &poll->timer, tasks->now + poll->wait_ms);
	if (!poll->over)
		tasks__serve_poll(tasks, poll);
	poll->over |= poll->wait_ms == 0;
	tasks__poll_settle(tasks, poll);
}

static void end_polls(struct tasks *tasks, bool all)
{
	struct heap_node *node;

	while ((node = heap_min(&tasks->waits)) && (all || node->at <= tasks->now)) {
		struct poll *poll = CONTAINER_OF(node, struct poll, timer);

		poll->over = true;
		heap_remove(&tasks->waits, node);
		tasks__poll_settle(tasks, poll);
	}
}

/* The loop. */

static void take_mail(struct tasks *tasks, struct mail *mail)
{
	switch ((enum tasks_mail)mail->type) {
	case TASKS_MAIL_POLL:
		take_poll(tasks, CONTAINER_OF(mail, struct poll, mail));
		break;
	case TASKS_MAIL_COMMITTED:
		take_committed(tasks, CONTAINER_OF(mail, struct committed_mail, mail));
		break;
	case TASKS_MAIL_LEASED:
		tasks__leased(tasks, mail);
		break;
	case TASKS_MAIL_READ:
		tasks__read_done(tasks, mail);
		break;
	case TASKS_MAIL_LOOK:
		__atomic_store_n(&tasks->look_out, false, __ATOMIC_RELEASE);
		tasks->settings_wanted = true;
		tasks__look_all(tasks);
		break;
	case TASKS_MAIL_END:
		break;
	case TASKS_MAIL_STOP:
		tasks->stopping = true;
		break;
	}
}

static void earlier(wall_ms *at, wall_ms other)
{
	if (other != 0 && (*at == 0 || other < *at))
		*at = other;
}

static int64_t patience_ms(const struct tasks *tasks)
{
	const struct heap_node *node = heap_min(&tasks->waits);
	wall_ms at = node ? node->at : 0;
	int64_t left;

	node = heap_min(&tasks->times);
	earlier(&at, node ? node->at : 0);
	earlier(&at, tasks->serve_at);
	earlier(&at, tasks__read_next_at(tasks));
	if (tasks->poke_owed)
		earlier(&at, tasks->poked_at + POKE_EVERY_MS);
	if (at == 0)
		return -1;
	left = at - clock_wall();
	return left > 0 ? left : 1;
}

static struct mail *work(struct tasks *tasks, struct mail *mail)
{
	struct mail *answers;

	pthread_mutex_lock(&tasks->lock);
	tasks->now = clock_wall();
	while (mail) {
		struct mail *next = mail->next;

		take_mail(tasks, mail);
		mail = next;
	}
	tasks__times(tasks);
	tasks__serve(tasks);
	end_polls(tasks, __atomic_load_n(&tasks->ended, __ATOMIC_ACQUIRE));
	if (!tasks->stopping) {
		tasks__read(tasks);
		tasks__poke(tasks);
	}
	answers = tasks->answers;
	tasks->answers = NULL;
	pthread_mutex_unlock(&tasks->lock);
	return answers;
}

static void *tasks_main(void *arg)
{
	struct tasks *tasks = arg;
	bool stop = false;

	while (!stop) {
		struct mail *answers = work(tasks, mailbox_drain(tasks->box, patience_ms(tasks)));

		while (answers) {
			struct poll *poll = CONTAINER_OF(answers, struct poll, mail);

			answers = answers->next;
			poll->answer(poll);
		}
		stop = tasks->stopping && tasks->jobs_out == 0;
	}
	return NULL;
}

/* Thread: any. */

bool tasks_poll(struct tasks *tasks, struct poll *poll)
{
	poll->mail.type = TASKS_MAIL_POLL;
	return !__atomic_load_n(&tasks->ended, __ATOMIC_ACQUIRE) &&
		   mailbox_post(tasks->box, &poll->mail);
}

void tasks_look(struct tasks *tasks)
{
	if (__atomic_exchange_n(&tasks->look_out, true, __ATOMIC_ACQ_REL))
		return;
	tasks->look.type = TASKS_MAIL_LOOK;
	mailbox_post_reserved(tasks->box, &tasks->look);
}

/* Starting and stopping. */

int tasks_start(const struct tasks_options *options, struct tasks **ret_tasks, struct err *err)
{
	struct tasks *tasks = xcalloc(1, sizeof(*tasks));
	int r;

	tasks->options = *options;
	tasks->box = mailbox_new(POLLS_MAX);
	tasks->settings_wanted = true;
	CHECK(pthread_mutex_init(&tasks->lock, NULL) == 0);
	r = read_pool_start(options->store, &tasks->pool, err);
	if (r == 0 && pthread_create(&tasks->thread, NULL, tasks_main, tasks) != 0)
		r = err_set(err, ERR_UNAVAILABLE, "no thread for tasks can be started");
	if (r < 0) {
		tasks_free(tasks);
		return r;
	}
	tasks->started = true;
	pthread_setname_np(tasks->thread, "skald-tasks");
	*ret_tasks = tasks;
	return 0;
}

void tasks_set_engine(struct tasks *tasks, struct engine *engine)
{
	tasks->engine = engine;
}

void tasks_end(struct tasks *tasks)
{
	if (!tasks || __atomic_exchange_n(&tasks->ended, true, __ATOMIC_ACQ_REL))
		return;
	tasks->end.type = TASKS_MAIL_END;
	mailbox_post_reserved(tasks->box, &tasks->end);
}

void tasks_stop(struct tasks *tasks)
{
	if (!tasks || !tasks->started)
		return;
	tasks->started = false;
	tasks->stop.type = TASKS_MAIL_STOP;
	mailbox_post_reserved(tasks->box, &tasks->stop);
	pthread_join(tasks->thread, NULL);
}

static void throw_away(struct mail *mail)
{
	switch ((enum tasks_mail)mail->type) {
	case TASKS_MAIL_COMMITTED:
		committed_free(CONTAINER_OF(mail, struct committed_mail, mail));
		break;
	case TASKS_MAIL_LEASED:
		tasks__lease_throw_away(mail);
		break;
	case TASKS_MAIL_READ:
		tasks__read_throw_away(mail);
		break;
	case TASKS_MAIL_POLL:
	case TASKS_MAIL_LOOK:
	case TASKS_MAIL_END:
	case TASKS_MAIL_STOP:
		break;
	}
}

void tasks_free(struct tasks *tasks)
{
	struct map_entry *entry;
	struct mail *mail, *next;
	size_t pos = 0;

	if (!tasks)
		return;
	CHECK(!tasks->started);
	read_pool_stop(tasks->pool);
	for (mail = mailbox_drain(tasks->box, 0); mail; mail = next) {
		next = mail->next;
		throw_away(mail);
	}
	while ((entry = map_next(&tasks->candidates, &pos))) {
		tasks__candidate_free(tasks, entry->value);
		pos = 0;
	}
	pos = 0;
	while ((entry = map_next(&tasks->queues, &pos)))
		tasks__queue_free(entry->value);
	map_release(&tasks->queues);
	map_release(&tasks->candidates);
	heap_release(&tasks->times);
	heap_release(&tasks->waits);
	mailbox_free(tasks->box);
	pthread_mutex_destroy(&tasks->lock);
	free(tasks);
}
