/*
 * The history of a saga as a list of events. A row of GET /sagas/{id}/history is one transition; its
 * events share its sequence number. `Events` takes rows in the order of their numbers, from pages and
 * from the live stream, whichever comes first: a row that is known already changes nothing.
 *
 * An entry: { seq, at, i, first, event, row }, i counted over the whole history, first: of its row.
 */
import { clock, countdown, duration } from './time.js';

export class Events {
	entries = [];
	rows = [];
	lastSeq = 0;
	version = 0; /* changes with every row, for who memoises */

	/* false: the row is known, or does not follow (somebody has to ask for what is between). */
	add(row) {
		if (row.seq !== this.lastSeq + 1)
			return false;
		const at = Date.parse(row.at);
		this.rows.push(row);
		row.events.forEach((event, n) => this.entries.push({
			seq: row.seq, at, i: this.entries.length, first: n === 0, event, row,
		}));
		this.lastSeq = row.seq;
		this.version++;
		return true;
	}
}

export const isUndo = (event) => event.side === 'undo' || event.type.startsWith('Compensation');

export const place = (event) =>
	event.step === undefined ? '' : event.item === undefined ? event.step : `${event.step}[${event.item}]`;

/* The tone (tokens.css) and the shape of an event's mark. */
const MARKS = {
	SagaStarted: ['run', 'play'], StepScheduled: ['run', 'play'], StepCompleted: ['good', 'check'],
	StepFailed: ['bad', 'cross'], StepAttemptFailed: ['undo', 'clock'], StepOngoing: ['wait', 'clock'],
	StepSkipped: ['off', 'skip'], StepExpanded: ['off', 'sagas'], StepSettled: ['good', 'check'],
	StepParked: ['bad', 'pause'], CompensationArmed: ['wait', 'armed'],
	CompensationStarted: ['run', 'undo'], CompensationCompleted: ['undone', 'undo'],
	CompensationAttemptFailed: ['undo', 'clock'], CompensationFailed: ['bad', 'attention'],
	CompensationSkipped: ['off', 'skip'], CompensationOngoing: ['wait', 'clock'],
	SagaCompensating: ['undo', 'undo'], SagaCompleted: ['good', 'check'],
	SagaCompensated: ['undone', 'undo'], SagaTerminated: ['hold', 'stop'],
	SagaCancelRequested: ['hold', 'user'], SagaDeadlinePassed: ['undo', 'clock'],
	ReplyIgnored: ['off', 'dash'], SagaAttention: ['bad', 'attention'], StepAbsent: ['off', 'question'],
	CommandPublished: ['wait', 'external'], ActTaken: ['hold', 'user'],
	TaskLeased: ['run', 'user'], ChildStarted: ['run', 'right'], Escalated: ['undo', 'attention'],
	SagaHeld: ['wait', 'clock'], SagaContinued: ['run', 'retry'], SagaReset: ['run', 'retry'],
};
export function mark(event) {
	if ((event.type === 'StepFailed' || event.type === 'StepParked') && event.ambiguous)
		return ['doubt', 'question'];
	if (event.type === 'StepFailed' && event.tolerated)
		return ['off', 'cross'];
	return MARKS[event.type] ?? ['off', 'ring'];
}

const error = (event) => [event.code, event.message].filter(Boolean).join(': ');
const next = (event, at) => (event.due_at > at ? `; next try in ${countdown(event.due_at - at)}` : '');
const attempt = (event) => (event.attempt ? ` attempt ${event.attempt}` : '');
const quoted = (text) => (text ? `: “${text}”` : '');

function request(req) {
	if (!req)
		return '';
	if (req.method)
		return `${req.method} ${req.to}${req.path}`;
	if (req.kind === 'child')
		return `a saga of ${req.to}`;
	if (req.kind === 'task')
		return `a task for ${req.queue ?? req.to ?? ''}`;
	return `${req.kind ?? ''} ${req.type ?? ''} to ${req.to ?? req.topic ?? ''}`.trim();
}

function scheduled(event, at) {
	if (event.request)
		return `${place(event)} scheduled: ${request(event.request)}`;
	if (event.due_at)
		return `${place(event)} waits ${event.value ? 'for an event, at most' : ''} until ${clock(event.due_at,
			at)} (${duration(event.due_at - at)})`.replace('  ', ' ');
	return event.value?.topic ? `${place(event)} waits for an event of ${event.value.topic}` : `${place(event)} begun`;
}

const SAYS = {
	SagaStarted: (e) => `started: ${e.name} version ${e.version}${e.key ? `, key ${e.key}` : ''}`,
	StepScheduled: scheduled,
	StepCompleted: (e) => `${place(e)} completed`,
	StepFailed: (e) => `${place(e)} ${e.ambiguous ? 'gave up, outcome unknown' : 'failed'}${e.tolerated ? ', tolerated' :
		''}: ${error(e)}`,
	StepAttemptFailed: (e, at) => `${place(e)}${attempt(e)} failed: ${error(e)}${next(e, at)}`,
	StepOngoing: (e) => `${place(e)} is being worked on by the participant`,
	StepSkipped: (e) => `${place(e)} skipped`,
	StepExpanded: (e) => `${place(e)} has ${Array.isArray(e.value) ? e.value.length : '?'} items`,
	StepSettled: (e) => `${place(e)}: all items are over`,
	StepParked: (e) => `${place(e)} parked${e.ambiguous ? ', outcome unknown' : ''}, waits for a person: ${error(e)}`,
	CompensationArmed: (e) => `undo of ${place(e)} armed${e.request ? `: ${request(e.request)}` : ''}`,
	CompensationStarted: (e) => `undo of ${place(e)} begun${e.request ? `: ${request(e.request)}` : ''}`,
	CompensationCompleted: (e) => (e.by ? `undo of ${place(e)} resolved by ${e.by}` : `${place(e)} undone`),
	CompensationAttemptFailed: (e, at) => `undo of ${place(e)}${attempt(e)} failed: ${error(e)}${next(e, at)}`,
	CompensationFailed: (e) => `undo of ${place(e)} failed for good, waits for a person: ${error(e)}`,
	CompensationSkipped: (e) => `undo of ${place(e)} skipped`,
	CompensationOngoing: (e) => `undo of ${place(e)} is being worked on by the participant`,
	SagaCompensating: (e) => `the way back begins${e.step ? ` at ${e.step}` : ''}: ${error(e)}`,
	SagaCompleted: () => 'completed',
	SagaCompensated: () => 'compensated: all is undone',
	SagaTerminated: (e) => `terminated${e.by ? ` by ${e.by}` : ''}${quoted(e.reason)}`,
	SagaCancelRequested: (e) => `cancel asked for${e.by ? ` by ${e.by}` : ''}${quoted(e.reason)}`,
	SagaDeadlinePassed: () => 'the deadline has passed, past the point of no return: the saga goes on',
	ReplyIgnored: (e) => `a ${e.outcome ?? ''} reply of ${isUndo(e) ? 'the undo of ' :
		''}${place(e)} came late or twice, and changed nothing`.replace('  ', ' '),
	SagaAttention: (e) => `a person should look: ${e.reason ?? error(e)}`,
	StepAbsent: (e) => `${place(e)}: the probe says that it never took effect; sent again`,
	CommandPublished: (e) => `${isUndo(e) ? 'undo of ' : ''}${place(e)}: the broker has the command${attempt(e)}`,
	TaskLeased: (e) => `${isUndo(e) ? 'undo of ' : ''}${place(e)} given to ${e.by ?? 'a worker'}${e.name ?
		` (build ${e.name})` : ''}${attempt(e)}`,
	ChildStarted: (e) => `${isUndo(e) ? 'undo of ' : ''}${place(e)} has started saga ${e.id}`,
	Escalated: (e) => `${e.step ? place(e) : 'the saga'} takes longer than was promised: escalated`,
	SagaHeld: () => 'done; held until its parent has ended',
	SagaContinued: () => 'goes on as a new run',
	SagaReset: (e) => `a new run of saga ${e.value?.run_of?.id ?? ''}, from event ${e.value?.run_of?.seq ?? ''} on${e.by ?
		`, by ${e.by}` : ''}${quoted(e.reason)}`,
	ActTaken: (e) => `${e.by ?? 'somebody'}: ${e.name}${e.step ? ` ${isUndo(e) ? 'the undo of ' : ''}${place(e)}` :
		''}${quoted(e.reason)}`,
};

/* One line for people. `at` is the time of its row. */
export function say(event, at) {
	const says = SAYS[event.type];
	return says ? says(event, at) : event.type;
}

/* What a filter is matched with: everything that is said of it, and the names. */
const texts = new WeakMap();
export function haystack(entry) {
	let text = texts.get(entry);
	if (text === undefined) {
		const { event } = entry;
		text = `${entry.seq} ${event.type} ${say(event, entry.at)} ${event.by ?? ''} ${event.reason ??
			''} ${event.request?.key ?? ''}`
			.toLowerCase();
		texts.set(entry, text);
	}
	return text;
}

/* Every word must be there; `step:x` and `type:X` must fit the field. */
export function filter(entries, query) {
	const words = query.trim().toLowerCase().split(/\s+/).filter(Boolean);
	if (words.length === 0)
		return entries;
	return entries.filter((entry) => words.every((word) => {
		if (word.startsWith('step:'))
			return (entry.event.step ?? '').toLowerCase() === word.slice(5);
		if (word.startsWith('type:'))
			return entry.event.type.toLowerCase().includes(word.slice(5));
		return haystack(entry).includes(word);
	}));
}

/* Since when what fails has failed without a success: "step[item]/do|undo" -> ms. */
export function failingSince(entries) {
	const since = new Map();
	for (const { event, at } of entries) {
		const run = `${place(event)}/run`, undo = `${place(event)}/undo`;
		switch (event.type) {
		case 'StepAttemptFailed':
			if (!since.has(run))
				since.set(run, at);
			break;
		case 'CompensationAttemptFailed':
			if (!since.has(undo))
				since.set(undo, at);
			break;
		case 'StepCompleted': case 'StepFailed': case 'StepScheduled': case 'StepOngoing':
			since.delete(run);
			break;
		case 'CompensationCompleted': case 'CompensationStarted': case 'CompensationOngoing':
			since.delete(undo);
			break;
		}
	}
	return since;
}

/* The fields of an event beside its number, type and place, in the order in which they are stored. */
export const fields = (event) =>
	Object.entries(event).filter(([name]) => !['n', 'type', 'step', 'item', 'v'].includes(name));

const TIMES = new Set(['due_at', 'deadline_at', 'settle_at']);
export function fieldText(name, value, at) {
	if (TIMES.has(name) && typeof value === 'number')
		return `${clock(value, at)} (${value >= at ? `${duration(value - at)} later` : `${duration(at - value)} before`})`;
	return typeof value === 'string' ? value : JSON.stringify(value);
}

/*
 * Who did what and why: rows of acts with what followed in the same transition.
 * [{ seq, at, act, by, reason, step, item, undo, id, value, effects: [text] }]
 */
export function audit(rows) {
	const acts = [];
	for (const row of rows) {
		const at = Date.parse(row.at);
		row.events.forEach((event, i) => {
			const is = ['ActTaken', 'SagaCancelRequested', 'SagaTerminated'].includes(event.type);
			if (!is)
				return;
			const name = event.type === 'ActTaken' ? event.name : event.type === 'SagaTerminated' ? 'terminate' : 'cancel';
			acts.push({
				seq: row.seq, at, act: name ?? '', by: event.by ?? '', reason: event.reason ?? '',
				step: event.step ?? null, item: event.item ?? null, undo: isUndo(event), id: event.id ?? null,
				value: event.value,
				effects: row.events.filter((other, j) => j > i && other.type !== 'ActTaken').map((other) => say(other, at)),
			});
		});
	}
	return acts;
}
