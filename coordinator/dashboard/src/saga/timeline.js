/*
 * The timeline of a saga, from its history: for each action and each undo a row of bars (attempts,
 * back-offs, waits, what is parked), and marks for what concerns the saga as a whole. A pure model:
 * what draws it asks `scale` for the place of a time.
 *
 *     timeline(entries, now, ended) = { rows: [{ id, step, item, undo, bars: [bar] }], marks, from, to }
 *     bar = { from, to, kind, seq, attempt, text, open }     kind: attempt, backoff, wait, parked
 *
 * The history tells the failed attempts when they happen, from the tenth on at each doubling; a bar
 * that stands for several says so.
 */
import { isUndo, mark, place, say } from './history.js';

const tone = (event) => mark(event)[0];

class Row {
	bars = [];
	open = null;

	constructor(event, undo) {
		this.id = `${place(event)}/${undo ? 'undo' : 'do'}`;
		this.step = event.step;
		this.item = event.item ?? null;
		this.undo = undo;
	}

	begin(at, kind, more) {
		this.open = { from: at, to: at, kind, open: true, ...more };
		this.bars.push(this.open);
	}

	/* Closes what is open; `more` says how it ended. */
	end(at, more = {}) {
		if (!this.open)
			return;
		Object.assign(this.open, { to: Math.max(at, this.open.from), open: false }, more);
		this.open = null;
	}
}

function begin(row, event, at, seq) {
	row.end(at);
	if (event.type === 'StepScheduled' && !event.request)
		row.begin(at, 'wait', { seq, tone: 'wait', text: say(event, at), until: event.due_at ?? null });
	else
		row.begin(at, 'attempt', { seq, attempt: 1, tone: 'run', text: say(event, at) });
}

/* An attempt failed at `at`; the next is at due_at. */
function failed(row, event, at, seq) {
	const attempt = event.attempt ?? 1, open = row.open;
	if (open?.kind === 'backoff') {
		row.end(Math.min(open.until ?? at, at));
		const from = row.bars.at(-1).to, before = row.bars.at(-1).attempt ?? attempt - 1;
		row.begin(from, 'attempt', { seq, attempt, first: before + 1 });
	}
	row.end(at, {
		seq, attempt, tone: 'undo', failed: true,
		text: row.open?.first < attempt ? `attempts ${row.open.first}–${attempt} failed: ${event.code}` : say(event, at),
	});
	row.begin(at, 'backoff', { seq, attempt, tone: 'undo', text: `backs off after attempt ${attempt}`,
		until: event.due_at ?? null });
}

function over(row, event, at, seq) {
	if (row.open?.kind === 'backoff') {
		row.end(Math.min(row.open.until ?? at, at));
		row.begin(row.bars.at(-1).to, 'attempt', { seq, attempt: (row.bars.at(-1).attempt ?? 0) + 1 });
	}
	if (!row.open)
		row.begin(at, 'attempt', { seq });
	row.end(at, { seq, tone: tone(event), text: say(event, at), ended: true });
}

const BEGINS = new Set(['StepScheduled', 'CompensationStarted']);
const FAILS = new Set(['StepAttemptFailed', 'CompensationAttemptFailed']);
const ENDS = new Set([
	'StepCompleted', 'StepFailed', 'CompensationCompleted', 'CompensationSkipped',
]);
const PARKS = new Set(['StepParked', 'CompensationFailed']);
const WAITS = new Set(['StepOngoing', 'CompensationOngoing', 'CommandPublished']);
const MARKS = new Set([
	'SagaStarted', 'SagaCompensating', 'SagaCompleted', 'SagaCompensated', 'SagaTerminated',
	'SagaCancelRequested', 'SagaDeadlinePassed', 'SagaAttention', 'ActTaken',
]);

function take(row, event, at, seq) {
	if (BEGINS.has(event.type))
		begin(row, event, at, seq);
	else if (FAILS.has(event.type))
		failed(row, event, at, seq);
	else if (ENDS.has(event.type))
		over(row, event, at, seq);
	else if (PARKS.has(event.type)) {
		over(row, event, at, seq);
		row.begin(at, 'parked', { seq, tone: tone(event), text: say(event, at) });
	} else if (WAITS.has(event.type)) {
		row.end(at, { text: row.open?.text });
		row.begin(at, 'wait', { seq, tone: 'wait', text: say(event, at), until: event.due_at ?? null });
	} else if (event.type === 'StepAbsent') {
		row.end(at);
		row.begin(at, 'attempt', { seq, tone: 'run', text: say(event, at) });
	}
}

export function timeline(entries, now) {
	const rows = new Map(), marks = [];
	let from = entries.length ? entries[0].at : now, to = from;

	for (const { event, at, seq } of entries) {
		to = Math.max(to, at);
		if (MARKS.has(event.type))
			marks.push({ at, seq, type: event.type, tone: tone(event), text: say(event, at) });
		if (event.step === undefined || event.type === 'SagaCompensating' || event.type === 'ActTaken')
			continue;
		const undo = isUndo(event), id = `${place(event)}/${undo ? 'undo' : 'do'}`;
		const known = rows.get(id);
		/* Values that are set, and steps that are skipped, took no time. */
		if (!known && !BEGINS.has(event.type))
			continue;
		const row = known ?? new Row(event, undo);
		rows.set(id, row);
		take(row, event, at, seq);
	}
	const list = [...rows.values()];
	for (const row of list)
		if (row.open) {
			row.open.to = Math.max(row.open.from, row.open.until > now ? row.open.until : now);
			to = Math.max(to, Math.min(row.open.to, Math.max(now, to)));
		}
	return { rows: list, marks, from, to: Math.max(to, from + 1) };
}

/*
 * The place of a time, 0 to 1. `true`: in proportion. `squeezed`: stretches in which nothing changes
 * take room by the logarithm of their length, so that the milliseconds of the calls and the hours of a
 * wait are both to be seen. Monotone; ticks are [{ at, x }], at least `gap` apart.
 */
export function scale(model, kind, now) {
	const { from, to } = model;
	if (kind === 'true')
		return linear(from, to);
	const times = [from, to];
	for (const row of model.rows)
		for (const bar of row.bars)
			times.push(Math.min(bar.from, to), Math.min(bar.to, to));
	for (const mark of model.marks)
		times.push(mark.at);
	if (now > from && now < to)
		times.push(now);
	const points = [...new Set(times)].filter((at) => at >= from && at <= to).sort((a, b) => a - b);
	const places = [0];
	for (let i = 1; i < points.length; i++)
		places.push(places[i - 1] + Math.log2(1 + points[i] - points[i - 1]) + 0.2);
	const total = places.at(-1) || 1;
	return {
		place: (at) => interpolate(points, places, at) / total,
		ticks: (gap) => {
			const ticks = [];
			for (let i = 0; i < points.length; i++) {
				const x = places[i] / total;
				if (ticks.length === 0 || x - ticks.at(-1).x >= gap)
					ticks.push({ at: points[i], x });
			}
			return ticks;
		},
	};
}

function interpolate(points, places, at) {
	let low = 0, high = points.length - 1;
	if (at <= points[0] || high === 0)
		return 0;
	if (at >= points[high])
		return places[high];
	while (high - low > 1) {
		const mid = (low + high) >> 1;
		if (points[mid] <= at)
			low = mid;
		else
			high = mid;
	}
	return places[low] + (places[high] - places[low]) * (at - points[low]) / (points[high] - points[low]);
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000,
	120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000,
	43_200_000, 86_400_000, 172_800_000, 604_800_000];

function linear(from, to) {
	const span = to - from || 1;
	return {
		place: (at) => Math.min(1, Math.max(0, (at - from) / span)),
		ticks: (gap) => {
			const step = STEPS.find((size) => size / span >= gap) ?? Math.ceil(span * gap);
			const ticks = [];
			for (let at = from; at <= to; at += step)
				ticks.push({ at, x: (at - from) / span });
			return ticks;
		},
	};
}

/* The same as rows of a table. */
export function tableOf(model) {
	const lines = [];
	for (const row of model.rows)
		for (const bar of row.bars)
			lines.push({ id: row.id, step: row.step, item: row.item, undo: row.undo, ...bar });
	return lines.sort((a, b) => a.from - b.from);
}
