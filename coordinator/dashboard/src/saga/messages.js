/*
 * What went to participants and came from them, one exchange for each action and each undo, read
 * from the history: the request as it was stored, the idempotency key that every attempt carried, and
 * how each attempt that the history tells of ended. Skald keeps the output of a reply and not its raw
 * bytes; so that is what is shown.
 *
 *     [{ step, item, undo, run, via, to, line, key, correlation, request, at, seq,
 *        replies: [{ seq, at, attempt, outcome, status, code, message, value, word, mark }] }]
 */
import { isUndo, mark } from './history.js';

const REPLIES = {
	StepCompleted: 'success', StepFailed: 'failure', StepAttemptFailed: 'attempt failed',
	StepOngoing: 'ongoing', StepParked: 'parked', StepAbsent: 'absent',
	CompensationCompleted: 'success', CompensationFailed: 'failure',
	CompensationAttemptFailed: 'attempt failed', CompensationOngoing: 'ongoing',
	ReplyIgnored: 'ignored', CommandPublished: 'published',
};

export const via = (request) => request.kind ?? 'http';

export function line(request) {
	switch (via(request)) {
	case 'http': return `${request.method} ${request.path}`;
	case 'task': return request.route ? `a task for ${request.route}` : 'a task';
	case 'child': return request.version > 0 ? `a saga of version ${request.version}` : 'a saga';
	default: return `${request.type} → ${request.topic ?? request.to}`;
	}
}

export function messages(rows) {
	const list = [], open = new Map();
	const keyOf = (event, undo) => `${event.step}[${event.item ?? ''}]${undo ? 'u' : 'd'}`;

	for (const row of rows) {
		const at = Date.parse(row.at);
		for (const event of row.events) {
			if (event.step === undefined)
				continue;
			const undo = isUndo(event), key = keyOf(event, undo);
			if (event.request && event.type !== 'ActTaken') {
				const exchange = {
					step: event.step, item: event.item ?? null, undo, via: via(event.request),
					to: event.request.to ?? event.request.queue ?? event.request.topic ?? '', line: line(event.request),
					key: event.request.key ?? '', correlation: event.request.correlation ?? '',
					request: event.request, at, seq: row.seq,
					sent: event.type !== 'CompensationArmed', replies: [],
				};
				open.set(key, exchange);
				list.push(exchange);
			} else if (event.type === 'CompensationStarted' && open.has(key)) {
				Object.assign(open.get(key), { sent: true, at, seq: row.seq });
			}
			const reply = REPLIES[event.type];
			if (!reply || !open.has(key))
				continue;
			open.get(key).replies.push({
				seq: row.seq, at, attempt: event.attempt ?? null, outcome: event.outcome ?? null,
				status: event.status ?? null, code: event.code ?? null, message: event.message ?? null,
				value: event.value, by: event.by ?? null, word: reply, mark: mark(event),
			});
		}
	}
	return list;
}

/* The request as one would read it on the wire; headers that Skald adds when it sends are not stored. */
export function requestText(request) {
	const lines = [];
	if (via(request) === 'http') {
		lines.push(`${request.method} ${request.path}`, `Participant: ${request.to}`);
		lines.push(`Idempotency-Key: ${request.key}`);
	} else {
		lines.push(request.type ? `${request.kind} ${request.type}` : request.kind);
		if (request.to)
			lines.push(`${request.kind === 'child' ? 'definition' : 'participant'}: ${request.to}`);
		if (request.version > 0)
			lines.push(`version: ${request.version}`);
		if (request.queue)
			lines.push(`queue: ${request.queue}`);
		if (request.topic)
			lines.push(`topic: ${request.topic}`);
		if (request.cluster)
			lines.push(`cluster: ${request.cluster}`);
		if (request.record_key !== undefined)
			lines.push(`record key: ${request.record_key}`);
		if (request.key)
			lines.push(`idempotency-key: ${request.key}`);
		if (request.correlation)
			lines.push(`correlation-id: ${request.correlation}`);
	}
	for (const header of request.headers ?? [])
		lines.push(header);
	if (request.body !== undefined)
		lines.push('', JSON.stringify(request.body, null, 2));
	else if (request.body_text !== undefined)
		lines.push(`Content-Type: ${request.content_type ?? 'text/plain'}`, '', request.body_text);
	return lines.join('\n');
}
