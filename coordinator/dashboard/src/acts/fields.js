/*
 * What is asked for each act beside the reason: outputs, an edited request, an outcome, a place to
 * begin anew from. JSON is typed as text and checked while it is typed.
 */
import { html } from '../h.js';
import { signalsOf, stepsOf } from '../saga/definition.js';
import { Field } from '../ui.js';
import { isOfStep, readJson } from './calls.js';

/* The parts of a request that can be edited, as one types them. */
export function editable(request) {
	if (!request)
		return {};
	const parts = {};
	if (request.path !== undefined)
		parts.path = request.path;
	if (request.record_key !== undefined)
		parts.record_key = request.record_key;
	if (request.headers?.length)
		parts.headers = Object.fromEntries(request.headers.map((line) => {
			const colon = line.indexOf(':');
			return [line.slice(0, colon), line.slice(colon + 1).trim()];
		}));
	if (request.body !== undefined)
		parts.body = request.body;
	return parts;
}

/* Of an edited request only what differs is sent. */
export function edited(request, parts) {
	const before = editable(request), changes = {};
	for (const [name, value] of Object.entries(parts ?? {}))
		if (JSON.stringify(value) !== JSON.stringify(before[name]))
			changes[name] = value;
	return changes;
}

export function emptyForm(act, action) {
	return {
		reason: '', outputText: '', replyText: '', valueText: '', give: 'output', edit: false,
		requestText: JSON.stringify(editable(action?.request), null, 2), request: action?.request ?? null,
		code: '', message: '', outcome: '', owner: '', from: act.from ?? '', to: act.to ?? '', version: '',
		groups: '', dataText: '',
	};
}

const MAY_OUTPUT = (act) => isOfStep(act) && !act.compensation &&
	(act.act === 'complete' || act.act === 'skip' || act.act === 'resolve');

/* { values for calls.js, errors by field }. */
export function readForm(act, form, by) {
	const values = { reason: form.reason.trim(), by: by.trim() }, errors = {};
	const json = (name, text) => {
		const read = readJson(text);
		if (read.error)
			errors[name] = read.error;
		else if (read.value !== undefined)
			values[name] = read.value;
	};
	if (!values.reason)
		errors.reason = act.act === 'note' ? 'A note needs words.' : 'Say why; it is kept with the act.';
	if (!values.by)
		errors.by = 'Say who you are; it is kept with the act.';
	if (MAY_OUTPUT(act) && (act.act !== 'resolve' || form.outcome === 'happened')) {
		if (act.act !== 'skip' && form.give === 'reply')
			json('reply', form.replyText);
		else
			json('output', form.outputText);
	}
	if (act.act === 'retry' && isOfStep(act) && form.edit) {
		const read = readJson(form.requestText);
		const changes = read.error ? null : edited(form.request, read.value);
		if (read.error)
			errors.request = read.error;
		else if (read.value === undefined || read.value === null || typeof read.value !== 'object' ||
			Array.isArray(read.value))
			errors.request = 'It must be an object with path, headers, body or record_key.';
		else if (Object.keys(changes).length === 0)
			errors.request = 'Nothing is changed yet.';
		else
			values.request = changes;
	}
	if (act.act === 'fail' && isOfStep(act)) {
		values.code = form.code.trim();
		values.message = form.message.trim();
	}
	if (act.act === 'resolve') {
		values.outcome = form.outcome;
		if (!form.outcome)
			errors.outcome = 'Say what became of it.';
	}
	if (act.act === 'signal') {
		json('value', form.valueText);
		if (!act.signal)
			errors.signal = 'A signal needs a name.';
	}
	if (act.act === 'approve' || act.act === 'reject') {
		json('data', form.dataText);
		const groups = form.groups.split(/[\s,]+/).filter(Boolean);
		if (groups.length)
			values.groups = groups;
	}
	if (act.act === 'migrate') {
		if (!/^[1-9]\d*$/.test(form.version.trim()))
			errors.version = 'The number of a version of its definition.';
		else
			values.version = Number(form.version);
	}
	if (act.act === 'owner')
		values.owner = form.owner.trim();
	if (act.act === 'retry' && !isOfStep(act) && form.from)
		values.from = form.from;
	if (act.act === 'reset') {
		if (!/^[1-9]\d*$/.test(String(form.to)))
			errors.to = 'The number of an event of the history.';
		else
			values.to = Number(form.to);
	}
	return { values, errors };
}

function Json({ label, name, text, error, hint, change, rows = 5 }) {
	return html`<${Field} label=${label} error=${error} hint=${hint}><textarea class="input code" name=${name}
		rows=${rows} spellcheck="false" autocomplete="off" aria-invalid=${error ? 'true' : undefined}
		value=${text} onInput=${(event) => change({ [name]: event.target.value })}></textarea></${Field}>`;
}

function Choice({ name, value, current, words, hint, change }) {
	return html`<label class="choice"><input type="radio" name=${name} value=${value} checked=${current === value}
		onChange=${() => change({ [name]: value })} />
		<span>${words}${hint && html`<span class="field-hint">${hint}</span>`}</span></label>`;
}

function Output({ act, form, change, errors }) {
	if (act.act === 'skip')
		return html`<${Json} label="Output (JSON, optional)" name="outputText" text=${form.outputText}
			error=${errors.output} change=${change} hint="What the steps after it are to read as its output; empty: none."
			rows="3" />`;
	return html`<fieldset class="field a-set"><legend class="field-label">What it gave</legend>
		<${Choice} name="give" value="output" current=${form.give} words="Its output" change=${change} />
		<${Choice} name="give" value="reply" current=${form.give} words="The participant's reply"
			hint="The output is made from it, as the definition says." change=${change} /></fieldset>
		${form.give === 'reply' ? html`<${Json} label="Reply (JSON)" name="replyText" text=${form.replyText}
			error=${errors.reply} change=${change} />`
			: html`<${Json} label="Output (JSON, optional)" name="outputText" text=${form.outputText} error=${errors.output}
				change=${change} />`}`;
}

function signalHint(doc) {
	const names = signalsOf(doc);
	return names.length ? `Its definition waits for ${names.join(', ')}.` : null;
}

export function ActFields({ act, form, change, setAct, errors, doc }) {
	const step = isOfStep(act);
	if (act.act === 'retry' && step)
		return html`<label class="choice"><input type="checkbox" name="edit" checked=${form.edit}
			onChange=${(event) => change({ edit: event.target.checked })} /><span>Edit the request<span
			class="field-hint">It then has a new idempotency key. Refused as long as an attempt may have taken
			effect.</span></span></label>
			${form.edit && html`<${Json} label="Request (JSON)" name="requestText" text=${form.requestText}
				error=${errors.request} change=${change} rows="10" />`}`;
	if (act.act === 'retry' && !step && doc)
		return html`<${Field} label="From"
			hint="Choosing a step turns a saga round that is on its way back: it and all that depends on it begin anew.">
			<select class="input" name="from" value=${form.from} onChange=${(event) => change({ from: event.target.value })}>
			<option value="">where it stands</option>${stepsOf(doc).filter((def) => !def.onCompensated).map((def) =>
				html`<option key=${def.id} value=${def.id}>${def.id}</option>`)}</select></${Field}>`;
	if (act.act === 'reset')
		return html`<${Field} label="Back to event" error=${errors.to}
			hint="The saga is then as it was after this event of its history; what was not done there begins anew.">
			<input class="input" name="to" inputmode="numeric" value=${form.to}
			onInput=${(event) => change({ to: event.target.value })} /></${Field}>`;
	if (act.act === 'migrate')
		return html`<${Field} label="Version" error=${errors.version}><input class="input" name="version" inputmode="numeric"
			value=${form.version} onInput=${(event) => change({ version: event.target.value })} /></${Field}>`;
	if (act.act === 'approve' || act.act === 'reject')
		return html`<${Field} label="Your groups (optional)"><input class="input" name="groups" maxlength="400"
			value=${form.groups} onInput=${(event) => change({ groups: event.target.value })} /></${Field}>
			${act.act === 'approve' && html`<${Json} label="Data (JSON, optional)" name="dataText" text=${form.dataText}
				error=${errors.data} change=${change} rows="3" hint="What the form of the definition asks for." />`}`;
	if (act.act === 'signal')
		return html`${signalHint(doc) && html`<p class="muted a-hint">${signalHint(doc)}</p>`}
			<${Field} label="Signal" error=${errors.signal}><input class="input" name="signal"
			maxlength="200" value=${act.signal ?? ''}
			onInput=${(event) => setAct({ ...act, signal: event.target.value })} /></${Field}>
			<${Json} label="Value (JSON, optional)" name="valueText" text=${form.valueText} error=${errors.value}
				change=${change} rows="3" />`;
	if (act.act === 'owner')
		return html`<${Field} label="Owner" hint="Empty: nobody."><input class="input" name="owner" maxlength="200"
			value=${form.owner} onInput=${(event) => change({ owner: event.target.value })} /></${Field}>`;
	if (act.act === 'fail' && step)
		return html`<div class="fields"><${Field} label="Code (optional)"><input class="input" name="code"
			value=${form.code} onInput=${(event) => change({ code: event.target.value })} /></${Field}>
			<${Field} label="Message (optional)"><input class="input" name="message" value=${form.message}
				onInput=${(event) => change({ message: event.target.value })} /></${Field}></div>`;
	if (act.act === 'resolve')
		return html`<fieldset class=${`field a-set${errors.outcome ? ' wrong' : ''}`}>
			<legend class="field-label">What became of it</legend>
			<${Choice} name="outcome" value="happened" current=${form.outcome} words="It happened"
				hint="It took effect: it counts as completed." change=${change} />
			<${Choice} name="outcome" value="did_not_happen" current=${form.outcome} words="It did not happen"
				hint="It had no effect: then it can be retried, skipped or failed." change=${change} />
			<${Choice} name="outcome" value="probe" current=${form.outcome} words="Ask the participant now"
				hint="The probe of the definition is asked." change=${change} /></fieldset>
			${form.outcome === 'happened' && !act.compensation && html`<${Output} act=${act} form=${form} change=${change}
				errors=${errors} />`}`;
	if (MAY_OUTPUT(act))
		return html`<${Output} act=${act} form=${form} change=${change} errors=${errors} />`;
	return null;
}
