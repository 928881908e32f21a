/*
 * The vocabulary of states with the tone, shape and words that they have on every page. A tone is a
 * pair of colours in tokens.css; what is not known here is shown as it is.
 */

/* saga statuses: [tone, icon, words] */
export const SAGA = {
	running: ['run', 'play', 'running'],
	waiting: ['wait', 'clock', 'waiting'],
	paused: ['hold', 'pause', 'paused'],
	compensating: ['undo', 'undo', 'compensating'],
	completed: ['good', 'check', 'completed'],
	compensated: ['undone', 'undo', 'compensated'],
	compensation_failed: ['bad', 'attention', 'compensation failed'],
	failed: ['bad', 'cross', 'failed'],
	terminated: ['off', 'stop', 'terminated'],
};

export const STEP = {
	pending: ['off', 'ring', 'pending'],
	running: ['run', 'play', 'running'],
	awaiting_reply: ['wait', 'clock', 'awaiting reply'],
	backing_off: ['undo', 'clock', 'backing off'],
	completed: ['good', 'check', 'completed'],
	failed: ['bad', 'cross', 'failed'],
	outcome_unknown: ['doubt', 'question', 'outcome unknown'],
	skipped: ['off', 'skip', 'skipped'],
};

export const COMPENSATION = {
	not_armed: ['off', 'dash', '–'],
	armed: ['wait', 'armed', 'armed'],
	running: ['run', 'undo', 'undoing'],
	backing_off: ['undo', 'clock', 'backing off'],
	done: ['undone', 'check', 'undone'],
	failed: ['bad', 'attention', 'failed'],
	skipped: ['off', 'skip', 'skipped'],
	resolved: ['undone', 'check', 'resolved'],
	released: ['good', 'check', 'released'],
};

/* Kinds of attention: [tone, icon, word, what it means] */
export const ATTENTION = {
	stuck: ['bad', 'attention', 'stuck', 'a compensation failed for good'],
	unknown: ['doubt', 'question', 'unknown', 'nobody knows whether it took effect'],
	parked: ['bad', 'pause', 'parked', 'parked after a definite failure'],
	failing: ['undo', 'retry', 'failing', 'tried again and again without success'],
	late: ['undo', 'clock', 'late', 'it takes longer than was promised'],
	deadline: ['undo', 'clock', 'deadline', 'its deadline has passed and it goes on'],
	notice: ['wait', 'info', 'notice', 'something a person should know'],
};

export const BATCH = {
	selecting: ['wait', 'filter', 'selecting'],
	running: ['run', 'play', 'running'],
	stopped: ['hold', 'pause', 'stopped'],
	done: ['good', 'check', 'done'],
};

export const BATCH_ITEM = {
	pending: ['off', 'ring', 'pending'],
	done: ['good', 'check', 'done'],
	refused: ['undo', 'dash', 'refused'],
	failed: ['bad', 'cross', 'failed'],
};

export const TERMINAL = ['completed', 'compensated', 'failed', 'terminated'];
export const words = (table, status) => table[status]?.[2] ?? String(status ?? '').replaceAll('_', ' ');
