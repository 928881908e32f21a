/*
 * The acts that can be done to many sagas at once, with what each asks for, in words that say what
 * will happen. A step act names a step and, where its compensation is meant, says so.
 *
 *     { id, act, words, does, of: "saga" | "step", fields: [[name, label, hint]], tone? }
 */
const OUTPUT = ['output', 'Output (JSON)', 'What later steps read as this step’s result. Leave empty for none.'];
const FAILURE = [['code', 'Code', 'for instance rejected_by_hand'], ['message', 'Message', '']];

const STEP_ACTS = [
	{ id: 'step:retry', act: 'retry', words: 'Retry', does: 'tries it again now, with the same idempotency key' },
	{ id: 'step:skip', act: 'skip', words: 'Skip', does: 'goes on as if it were not needed', fields: [OUTPUT], doOnly: ['output'] },
	{ id: 'step:complete', act: 'complete', words: 'Mark completed', does: 'says that it was done by other means',
		fields: [OUTPUT], doOnly: ['output'] },
	{ id: 'step:fail', act: 'fail', words: 'Mark failed', does: 'says that it has definitely failed, without effect',
		fields: FAILURE, tone: 'danger' },
	{ id: 'step:resolve:probe', act: 'resolve', outcome: 'probe', words: 'Ask the probe',
		does: 'asks the participant whether it happened' },
	{ id: 'step:resolve:happened', act: 'resolve', outcome: 'happened', words: 'It happened',
		does: 'says that the unknown outcome was a success', fields: [OUTPUT], doOnly: ['output'] },
	{ id: 'step:resolve:did_not_happen', act: 'resolve', outcome: 'did_not_happen', words: 'It did not happen',
		does: 'says that the unknown outcome had no effect' },
].map((each) => ({ ...each, of: 'step' }));

const SAGA_ACTS = [
	{ id: 'retry', act: 'retry', words: 'Retry', does: 'tries whatever is parked, failed to be undone or backs off, now' },
	{ id: 'compensate', act: 'compensate', words: 'Compensate now', does: 'undoes what was done', tone: 'danger' },
	{ id: 'cancel', act: 'cancel', words: 'Cancel', does: 'stops, and undoes what was done', tone: 'danger' },
	{ id: 'pause', act: 'pause', words: 'Pause', does: 'begins and sends nothing until it is resumed' },
	{ id: 'resume', act: 'resume', words: 'Resume', does: 'goes on after a pause' },
	{ id: 'terminate', act: 'terminate', words: 'Terminate', does: 'ends where it stands and undoes nothing', tone: 'danger' },
	{ id: 'owner', act: 'owner', words: 'Give an owner', does: 'says who takes care of it',
		fields: [['owner', 'Owner', 'Leave empty for nobody.']] },
	{ id: 'acknowledge', act: 'acknowledge', words: 'Acknowledge', does: 'says that the notice is known and dealt with' },
	{ id: 'note', act: 'note', words: 'Note', does: 'writes the reason into the history and changes nothing' },
].map((each) => ({ ...each, of: 'saga' }));

/* The order in which acts are offered for a group, the likeliest first. */
const LIKELY = {
	stuck: ['step:retry', 'step:complete', 'step:skip'],
	unknown: ['step:resolve:probe', 'step:resolve:happened', 'step:resolve:did_not_happen', 'step:retry'],
	parked: ['step:retry', 'step:skip', 'step:complete', 'step:fail'],
	failing: ['step:retry', 'step:skip', 'step:complete', 'step:fail'],
	deadline: ['acknowledge', 'retry', 'note'],
	notice: ['acknowledge', 'note', 'owner'],
};

/* Acts for a group of sagas in the same trouble; without a group, those of the saga as a whole. */
export function actsFor(group) {
	const all = [...(group?.step ? STEP_ACTS : []), ...SAGA_ACTS];
	const first = (LIKELY[group?.kind] ?? []).map((id) => all.find((each) => each.id === id)).filter(Boolean);
	return [...first, ...all.filter((each) => !first.includes(each))
		.filter((each) => !(each.id === 'retry' && first.some((likely) => likely.id === 'step:retry')))];
}

/*
 * The act as the API takes it; values: what the fields hold. Throws an Error in words when a field
 * is no JSON.
 */
export function actBody(act, group, values, reason) {
	const body = { act: act.act, reason };
	if (act.of === 'step') {
		body.step = group.step;
		if (group.side === 'undo')
			body.compensation = true;
	}
	if (act.outcome)
		body.outcome = act.outcome;
	for (const [name, label] of fieldsOf(act, group)) {
		const text = (values[name] ?? '').trim();
		if (!text)
			continue;
		if (name !== 'output') {
			body[name] = text;
			continue;
		}
		try {
			body[name] = JSON.parse(text);
		} catch {
			throw new Error(`${label.replace(' (JSON)', '')} is no JSON`);
		}
	}
	return body;
}

/* A compensation has no output. */
export const fieldsOf = (act, group) => (act.fields ?? [])
	.filter(([name]) => !(group?.side === 'undo' && act.doOnly?.includes(name)));
