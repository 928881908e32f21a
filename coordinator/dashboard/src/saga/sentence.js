/*
 * Where a saga stands, in words, counted on by the reader's clock: "Compensating: 2 of 3 undone;
 * refund failing for 14 min, attempt 7, next try in 48 s." The server says the same of the moment in
 * which it was asked (`summary`), which is shown for what is not known here.
 */
import { ledger } from './ledger.js';
import { countdown, duration, ms } from './time.js';

const label = (row) => (row.item === null ? row.step : `${row.step}[${row.item}]`);
const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/* since: Map from rowKey to when the present row of failures began; see history.js. */
function trying(row, side, now, since) {
	const at = side === 'undo' ? row.undo : row.run;
	const from = since?.get(`${label(row)}/${side}`), due = ms(at.nextAt);
	const parts = [`${side === 'undo' ? 'undo of ' : ''}${label(row)} ` +
		(at.error ? `failing${from && now - from >= 1000 ? ` for ${duration(now - from)}` : ''}` : at.word)];
	if (at.attempts > 0)
		parts.push(`attempt ${at.attempts}`);
	if (due && at.status === 'backing_off')
		parts.push(due > now ? `next try in ${countdown(due - now)}` : 'next try now');
	return parts.join(', ');
}

function back(saga, book, now, since) {
	const parts = [`${book.undone} of ${book.undone + book.owed} undone`];
	const rows = book.steps.flatMap((step) => step.rows);
	const failed = rows.filter((row) => row.undo.status === 'failed');
	const off = rows.filter((row) => row.undo.status === 'backing_off');
	if (failed.length)
		parts.push(`undo of ${failed.slice(0, 2).map(label).join(' and ')}` +
			`${failed.length > 2 ? ` and ${failed.length - 2} more` : ''} ` +
			`failed and ${failed.length === 1 ? 'waits' : 'wait'} for a person`);
	if (off.length) {
		off.sort((a, b) => (ms(a.undo.nextAt) ?? 0) - (ms(b.undo.nextAt) ?? 0));
		parts.push(trying(off[0], 'undo', now, since) + (off.length > 1 ? `; ${off.length - 1} more back off` : ''));
	}
	const head = saga.status === 'compensating' ? 'Compensating' : 'Compensation failed';
	return `${head} after ${saga.failure?.code ?? 'a failure'}: ${parts.join('; ')}.`;
}

function forward(saga, book, now, since) {
	const rows = book.steps.flatMap((step) => step.rows);
	const done = book.steps.filter((step) => ['completed', 'skipped'].includes(step.status) && !step.onCompensated).length;
	const all = book.steps.filter((step) => !step.onCompensated).length;
	const parts = [`${done} of ${plural(all, 'step')} done`];
	const parked = rows.filter((row) => row.run.parked);
	const off = rows.filter((row) => row.run.status === 'backing_off');
	const busy = rows.filter((row) => ['running', 'awaiting_reply'].includes(row.run.status));
	if (parked.length)
		parts.push(`${parked.slice(0, 2).map(label).join(' and ')}` +
			`${parked.length > 2 ? ` and ${parked.length - 2} more` : ''} ` +
			`${parked.length === 1 ? 'is' : 'are'} parked` +
			`${parked[0].run.status === 'outcome_unknown' ? ' with an unknown outcome' : ''} ` +
			`and ${parked.length === 1 ? 'waits' : 'wait'} for a person`);
	if (off.length)
		parts.push(trying(off[0], 'run', now, since));
	if (busy.length) {
		const due = ms(busy[0].run.nextAt);
		parts.push(busy.length === 1
			? `${label(busy[0])} is ${busy[0].run.word}${due && due > now ?
				`, until in ${countdown(due - now)}`.replace('until in', 'for at most') : ''}`
			: `${plural(busy.length, 'action')} running`);
	}
	const head = saga.status === 'paused' || saga.paused ? 'Paused' : saga.status === 'waiting' ? 'Waiting' : 'Running';
	return `${head}: ${parts.join('; ')}.`;
}

export function sentence(saga, now, since = null, book = ledger(saga)) {
	const at = ms(saga.ended_at), from = ms(saga.started_at);
	const took = at && from ? ` in ${duration(at - from)}` : '';
	switch (saga.status) {
	case 'completed':
		return `Completed${took}.`;
	case 'compensated':
		return `Compensated after ${saga.failure?.code ?? 'a failure'}${took}: ${book.undone} undone, nothing owed.`;
	case 'failed':
		return `Failed${saga.failure ? ` with ${saga.failure.code}` :
			''}${took}: ${book.undone} undone, ${book.owed} still owed.`;
	case 'terminated':
		return `Terminated by a person${took}: ${book.undone} undone, ${book.owed} still owed.`;
	case 'compensating':
	case 'compensation_failed':
		return back(saga, book, now, since);
	case 'running':
	case 'waiting':
	case 'paused':
		return saga.failure && saga.status === 'paused' ?
			`Paused. ${back({ ...saga, status: 'compensating' }, book, now, since)}`
			: forward(saga, book, now, since);
	default:
		return saga.summary ?? '';
	}
}
