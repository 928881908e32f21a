/*
 * What a definition's document says of its steps, in one form: what each does and to whom, how it
 * is undone, and what it waits for. Knows only the document; the state of a saga is ledger.js's.
 */

const text = (value) => (typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value));

/* One action: { kind, to, what }; `to` is the participant, or the topic, or ''. */
export function describe(action) {
	if (!action || typeof action !== 'object')
		return { kind: 'none', to: '', what: '' };
	if (action.http)
		return {
			kind: 'http', to: text(action.http.to),
			what: `${text(action.http.method) || 'GET'} ${text(action.http.path)}`,
		};
	if (action.command)
		return { kind: 'command', to: text(action.command.to), what: text(action.command.type) };
	if (action.emit)
		return { kind: 'emit', to: text(action.emit.topic), what: text(action.emit.type) };
	if (action.set !== undefined)
		return { kind: 'set', to: '', what: Object.keys(action.set ?? {}).join(', ') };
	if (action.fail)
		return { kind: 'fail', to: '', what: text(action.fail.code) };
	if (action.await)
		return describeAwaits([].concat(action.await));
	if (action.task !== undefined)
		return { kind: 'task', to: text(action.task?.queue ?? action.task), what: text(action.task?.route) };
	if (action.saga !== undefined)
		return { kind: 'saga', to: text(action.saga), what: '' };
	if (action.approval !== undefined)
		return { kind: 'approval', to: [].concat(action.approval?.groups ?? []).map(text).join(', '),
			what: text(action.approval?.title) };
	if (Array.isArray(action.steps))
		return { kind: 'steps', to: '', what: action.steps.map((step) => step?.id ?? '?').join(', ') };
	if (action.lock !== undefined)
		return { kind: 'lock', to: '', what: text(action.lock?.keys) };
	if (action.continue_as_new !== undefined)
		return { kind: 'continue', to: '', what: '' };
	return { kind: 'none', to: '', what: '' };
}

/* Of several the first wins: they are said one after another. */
function describeAwaits(list) {
	const all = list.map((what) => describeAwait(what ?? {}));
	return all.length <= 1 ? all[0] ?? describeAwait({})
		: { kind: 'event', to: all.map((each) => each.to || each.what).join(' or '), what: '' };
}

function describeAwait(what) {
	if (what.webhook !== undefined)
		return { kind: 'webhook', to: text(what.webhook), what: '' };
	if (what.signal !== undefined)
		return { kind: 'signal', to: '', what: text(what.signal) };
	if (what.kafka !== undefined)
		return { kind: 'event', to: text(what.kafka?.topic ?? what.kafka), what: '' };
	return { kind: 'timer', to: '', what: text(what.after) };
}

/*
 * The steps in the order of the document, those of on_compensated behind them:
 * { id, action, undo, needs, pivot, forEach, repeat, when, tolerate, onCompensated }.
 * undo is null where none is declared; `needs` are resolved: the step before it where nothing is said.
 */
export function stepsOf(doc) {
	const list = [];
	const add = (steps, onCompensated) => {
		let before = null;
		for (const step of Array.isArray(steps) ? steps : []) {
			if (!step || typeof step.id !== 'string')
				continue;
			list.push({
				id: step.id,
				action: describe(step),
				undo: step.compensate && step.compensate !== 'none' ? describe(step.compensate) : null,
				undoNone: step.compensate === 'none',
				needs: Array.isArray(step.needs) ? step.needs.filter((id) => typeof id === 'string')
					: before === null ? [] : [before],
				pivot: step.pivot === true,
				forEach: step.for_each !== undefined,
				repeat: step.repeat !== undefined,
				when: step.when === undefined ? '' : text(step.when),
				tolerate: step.tolerate !== undefined && step.tolerate !== false,
				onCompensated,
			});
			before = step.id;
		}
	};
	add(doc?.steps, false);
	add(doc?.on_compensated, true);
	return list;
}

/* The names of the signals that it waits for, also in blocks. */
export function signalsOf(doc) {
	const names = new Set();
	const walk = (steps) => {
		for (const step of Array.isArray(steps) ? steps : []) {
			for (const each of [].concat(step?.await ?? []))
				if (typeof each?.signal === 'string')
					names.add(each.signal);
			walk(step?.steps);
		}
	};
	walk(doc?.steps);
	walk(doc?.on_compensated);
	return [...names];
}

const KIND_WORDS = {
	http: 'HTTP', command: 'command', emit: 'record', set: 'values', fail: 'failure', timer: 'timer',
	signal: 'signal', event: 'event', task: 'task', saga: 'child saga', approval: 'approval',
	steps: 'steps', lock: 'lock', webhook: 'webhook', continue: 'a new run', none: '',
};
export const kindWord = (kind) => KIND_WORDS[kind] ?? kind;

/* In a few words: "flights · PUT /flights/…". */
export function actionLine(action) {
	if (!action)
		return '';
	return [action.to, action.what].filter(Boolean).join(' · ') || kindWord(action.kind);
}
