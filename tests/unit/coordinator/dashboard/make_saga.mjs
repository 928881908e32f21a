/* Builds what the API answers, small, for the tests beside this file. */
export const T0 = Date.parse('2026-11-23T10:00:00.000Z');

export function row(seq, afterMs, ...events) {
	return { seq, at: new Date(T0 + afterMs).toISOString(), events: events.map((event) => ({ n: 0, ...event })) };
}

export const http = (to, method, path, key, body) => ({ to, method, path, key, body });

const idleUndo = { status: 'not_armed', attempts: 0, next_at: null, error: null, request: null };

export function action(more = {}) {
	const { compensation, ...rest } = more;
	return {
		status: 'completed', parked: false, tolerated: false, ambiguous: false, attempts: 1, next_at: null,
		error: null, request: null, output: null, ...rest, compensation: { ...idleUndo, ...compensation },
	};
}

export function step(id, actions, more = {}) {
	return {
		id, status: actions[0]?.status ?? 'pending', pivot: false, on_compensated: false,
		compensation: 'declared', output: null, actions, ...more,
	};
}

export function saga(steps, more = {}) {
	return {
		id: '01a20918-9f73-700b-ba4c-d3ee13a14b9b', saga: 'trip', namespace: 'default', version: 1,
		status: 'running', key: 'T-1', started_at: new Date(T0).toISOString(), ended_at: null,
		attention: null, failure: null, summary: '', deadline_at: null, input: {}, output: null, steps, ...more,
	};
}
