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
		return describeAwait([].concat(action.await)[0] ?? {});
	for (const kind of ['task', 'saga', 'approval', 'steps', 'lock'])
		if (action[kind] !== undefined)
			return { kind, to: text(action[kind]?.queue ?? action[kind]?.to ?? ''), what: '' };
	return { kind: 'none', to: '', what: '' };
}

function describeAwait(what) {
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

const KIND_WORDS = {
	http: 'HTTP', command: 'command', emit: 'record', set: 'values', fail: 'failure', timer: 'timer',
	signal: 'signal', event: 'event', task: 'task', saga: 'child saga', approval: 'approval',
	steps: 'steps', lock: 'lock', none: '',
};
export const kindWord = (kind) => KIND_WORDS[kind] ?? kind;

/* In a few words: "flights · PUT /flights/…". */
export function actionLine(action) {
	if (!action)
		return '';
	return [action.to, action.what].filter(Boolean).join(' · ') || kindWord(action.kind);
}
