/*
 * Acts as the API takes them: where an act is posted and with which body; and the same act as a line
 * for a terminal and as a call of curl, to be copied. Pure.
 *
 *     act = { act, step?, item?, compensation?, signal? }      what is done, and to what
 *     form = { reason, by, output?, reply?, request?, value?, code?, message?, outcome?, owner?, from?, to? }
 */

export const isOfStep = (act) => act.step !== undefined && act.step !== null;

const seg = encodeURIComponent;

/* The path below /v1. */
export function actPath(id, act) {
	const saga = `/sagas/${seg(id)}`;
	if (isOfStep(act))
		return `${saga}/steps/${seg(act.step)}${act.compensation ? '/compensation' : ''}/${act.act}`;
	return act.act === 'signal' ? `${saga}/signals/${seg(act.signal ?? '')}` : `${saga}/${act.act}`;
}

const MEMBERS = ['output', 'reply', 'request', 'value', 'code', 'message', 'outcome', 'owner', 'from', 'to', 'version',
	'groups', 'data'];

/* The body; members that were left empty are left out. */
export function actBody(act, form) {
	const body = { reason: form.reason, by: form.by };
	if (isOfStep(act) && act.item !== null && act.item !== undefined)
		body.item = act.item;
	for (const name of MEMBERS)
		if (form[name] !== undefined && form[name] !== '')
			body[name] = form[name];
	return body;
}

export function quote(text) {
	return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`;
}

const VALUES = ['output', 'reply', 'request', 'data'];
const TEXTS = ['code', 'message', 'from', 'to'];

/* What is said with options. */
function options(act, form) {
	const words = [];
	if (isOfStep(act) && act.item !== null && act.item !== undefined)
		words.push('--item', String(act.item));
	if (act.compensation)
		words.push('--compensation');
	for (const name of VALUES)
		if (form[name] !== undefined && form[name] !== '')
			words.push(`--${name}`, JSON.stringify(form[name]));
	for (const name of TEXTS)
		if (form[name] !== undefined && form[name] !== '')
			words.push(`--${name}`, String(form[name]));
	for (const group of form.groups ?? [])
		words.push('--group', group);
	if (form.by)
		words.push('--by', form.by);
	return words;
}

const opening = (namespace) => ['skald', ...(namespace && namespace !== 'default' ? ['-n', namespace] : [])];

/* `skald …`: the command that does the same. */
export function commandLine(id, act, form, { namespace, ifMatch } = {}) {
	const words = opening(namespace), reason = form.reason || '…';
	if (isOfStep(act)) {
		words.push(act.act === 'approve' || act.act === 'reject' ? 'approval' : 'step', act.act, id, act.step);
		if (act.act === 'resolve')
			words.push(form.outcome || 'OUTCOME');
	} else {
		words.push('saga', act.act, id);
		if (act.act === 'signal')
			words.push(act.signal || 'NAME', ...(form.value !== undefined ? [JSON.stringify(form.value)] : []));
		if (act.act === 'owner' && form.owner)
			words.push(form.owner);
		if (act.act === 'note')
			words.push(reason);
		if (act.act === 'migrate')
			words.push(String(form.version ?? 'VERSION'));
	}
	words.push(...options(act, form));
	if (act.act !== 'note')
		words.push('--reason', reason);
	if (ifMatch)
		words.push('--if-match', String(ifMatch));
	return words.map(quote).join(' ');
}

export function curl(origin, id, act, form, { namespace, ifMatch } = {}) {
	const lines = [`curl -X POST ${quote(`${origin}/v1${actPath(id, act)}`)}`, "-H 'Content-Type: application/json'"];
	if (ifMatch)
		lines.push(`-H ${quote(`If-Match: "${ifMatch}"`)}`);
	if (namespace && namespace !== 'default')
		lines.push(`-H ${quote(`Skald-Namespace: ${namespace}`)}`);
	lines.push(`-d ${quote(JSON.stringify(actBody(act, { ...form, reason: form.reason || '…' })))}`);
	return lines.join(' \\\n  ');
}

/* What each act is called and does; the wording of menus and of the dialog. */
export const SAGA_ACTS = {
	cancel: ['Cancel', 'Undoes what was done, and ends.', 'danger'],
	terminate: ['Terminate', 'Ends it where it stands. Nothing is undone; what is owed stays owed.', 'danger'],
	pause: ['Pause', 'Begins nothing and sends nothing until it is resumed. Replies are taken in, deadlines stand still.', ''],
	resume: ['Resume', 'Goes on; deadlines move by the length of the pause.', ''],
	compensate: ['Compensate now',
		'Undoes what was done; of a saga on its way back, each undo that failed or backs off is tried now.', 'danger'],
	retry: ['Retry now', 'Each action that is parked or backs off, and each undo that failed or backs off, is tried now.', ''],
	reset: ['Reset to an event',
		'Goes back to a place in the history: what was not done there begins anew. Refused where an effect would be lost.',
		'danger'],
	signal: ['Send a signal', 'Something that the saga waits for, or will.', ''],
	acknowledge: ['Acknowledge', 'What a person was to know is known and dealt with.', ''],
	note: ['Add a note', 'A remark in the history.', ''],
	owner: ['Set the owner', 'Who takes care of it.', ''],
	migrate: ['Migrate to another version',
		'Goes on with another version of its definition. Refused where that would have decided its history otherwise.', ''],
};

export const STEP_ACTS = {
	retry: ['Retry now', 'A new attempt now, with the same idempotency key.', ''],
	skip: ['Skip', 'It is not needed: the saga goes on without it.', ''],
	complete: ['Mark completed', 'It was done by other means.', ''],
	fail: ['Mark failed', 'It has definitely failed, without effect.', 'danger'],
	resolve: ['Resolve outcome', 'The outcome is unknown, and you know it, or ask the probe.', ''],
	approve: ['Approve', 'A decision of a person; enough of them, and the saga goes on.', ''],
	reject: ['Reject', 'A decision of a person; enough of them, and the step fails.', 'danger'],
};

export const UNDO_ACTS = {
	retry: ['Retry the undo', 'A new attempt now, with the same idempotency key.', ''],
	skip: ['Skip the undo', 'It is not needed: nothing is owed any more.', 'danger'],
	complete: ['Mark as undone', 'It was undone by other means.', ''],
	fail: ['Stop trying', 'The undo has failed for good; it waits for a person.', 'danger'],
	resolve: ['Resolve outcome', 'The outcome of the undo is unknown, and you know it, or ask the probe.', ''],
};

/* Of a saga that has ended. */
const NEW_RUN = ['A new run from here',
	'Makes another saga, which has the key and begins with the history up to that event: what was settled there is not ' +
	'done again. Refused where an effect would be lost. This saga stays as it is.', ''];

export function actWords(act) {
	if (act.act === 'reset' && act.ended)
		return NEW_RUN;
	const table = !isOfStep(act) ? SAGA_ACTS : act.compensation ? UNDO_ACTS : STEP_ACTS;
	return table[act.act] ?? [act.act, '', ''];
}

export const target = (act) => (!isOfStep(act) ? '' :
	`${act.step}${act.item !== null && act.item !== undefined ? `[${act.item}]` : ''}`);

/* "/reservations\n{ … }" typed by a person: undefined for nothing, else { value } or { error }. */
export function readJson(text) {
	if (!text.trim())
		return { value: undefined };
	try {
		return { value: JSON.parse(text) };
	} catch (error) {
		return { error: error.message };
	}
}
