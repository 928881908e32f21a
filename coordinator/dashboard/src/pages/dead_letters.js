/*
 * Dead letters: records that started nothing, with why. Each can be looked at whole, sent again as it
 * is or edited, or discarded; many that wait can be sent again from the oldest on.
 */
import { html, useState } from '../h.js';
import { count } from '../format.js';
import { get } from '../api.js';
import { Icon } from '../icons.js';
import { JsonView } from '../json_view.js';
import { PlainAct } from '../plain_act.js';
import { quote, readJson } from '../acts/calls.js';
import { useResource } from '../resource.js';
import { at, link, setQuery, useQuery } from '../router.js';
import { More, Table } from '../table.js';
import { Ago, At, Button, Copy, Empty, Field, Page, Problem, Skeleton, toast } from '../ui.js';

const STATUS = { waiting: ['undo', 'clock'], redriven: ['good', 'retry'], discarded: ['off', 'trash'] };

function Status({ status }) {
	const [tone, icon] = STATUS[status] ?? ['wait', 'ring'];
	return html`<span class=${`badge tone-${tone}`}><${Icon} name=${icon} />${status}</span>`;
}

const COLUMNS = [
	{ id: 'reason', title: 'Reason', class: 'w-18', cell: (row) => html`<a href=${link(at('dead-letters', row.id))}>
		${row.reason}</a>` },
	{ id: 'message', title: 'What was wrong', cell: (row) => row.message },
	{ id: 'trigger', title: 'Trigger', class: 'w-20', narrow: false, cell: (row) => row.trigger },
	{ id: 'place', title: 'Record', class: 'w-14', narrow: false, cell: (row) => html`<span class="num">
		${row.partition}:${row.offset}</span>` },
	{ id: 'status', title: 'Status', class: 'w-12', cell: (row) => html`<${Status} status=${row.status} />` },
	{ id: 'failed', title: 'Failed', class: 'w-10 num', cell: (row) => html`<${Ago} at=${row.failed_at} />` },
];

/* Pages of the list, one after the other; a change of the filter begins anew. */
function usePages(args) {
	const key = JSON.stringify(args);
	const first = useResource('/dead-letters', { ...args, limit: 50 });
	const [more, setMore] = useState({ key, rows: [], next: undefined, error: null, busy: false });
	const mine = more.key === key ? more : { key, rows: [], next: undefined, error: null, busy: false };
	const next = mine.next === undefined ? first.data?.next ?? null : mine.next;
	return {
		rows: [...(first.data?.dead_letters ?? []), ...mine.rows], loaded: Boolean(first.data), error: first.error ??
			mine.error, next, busy: mine.busy,
		reload() {
			setMore({ key, rows: [], next: undefined, error: null, busy: false });
			first.reload();
		},
		async load() {
			setMore({ ...mine, busy: true });
			try {
				const page = await get('/dead-letters', { ...args, limit: 50, cursor: next });
				setMore({ key, rows: [...mine.rows, ...page.dead_letters], next: page.next, error: null, busy: false });
			} catch (error) {
				setMore({ ...mine, error, busy: false });
			}
		},
	};
}

function Pick({ name, label, value, options }) {
	return html`<label class="pick"><span class="muted">${label}</span><select class="input" name=${name} value=${value}
		onChange=${(event) => setQuery({ [name]: event.target.value })}><option value="">all</option>
		${options.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label>`;
}

export function DeadLetters() {
	const [trigger] = useQuery('trigger');
	const [reason] = useQuery('reason');
	const [status] = useQuery('status');
	const list = usePages({ trigger, reason, status });
	const [many, setMany] = useState(false);
	const triggers = useResource('/triggers');
	const names = [...new Set([...(triggers.data?.triggers ?? []).map((each) => each.name), ...list.rows.map((row) =>
		row.trigger), trigger].filter(Boolean))];
	const reasons = [...new Set([...list.rows.map((row) => row.reason), reason].filter(Boolean))];
	const body = { ...(trigger && { trigger }), ...(reason && { reason }) };
	return html`<${Page} title="Dead letters"
		actions=${html`<${Button} icon="retry" onClick=${() => setMany(true)}>Send many again</${Button}>`}>
		<div class="panel find-bar"><div class="h-bar"><${Pick} name="status" label="Status" value=${status}
			options=${Object.keys(STATUS)} />
			<${Pick} name="trigger" label="Trigger" value=${trigger} options=${names} /><${Pick} name="reason" label="Reason"
				value=${reason} options=${reasons} /></div></div>
		<${Problem} error=${list.error} onRetry=${list.reload} />
		${!list.loaded ? !list.error && html`<${Skeleton} rows=${8} />` : list.rows.length === 0
			? html`<${Empty} icon="dead-letters" title=${trigger || reason || status ? 'Nothing fits.' :
				'No record was given up.'} />`
			: html`<${Table} label="Dead letters" columns=${COLUMNS} rows=${list.rows}
				href=${(row) => link(at('dead-letters', row.id))} />
			<${More} next=${list.next} loading=${list.busy} onMore=${list.load} shown=${count(list.rows.length)}
				what="dead letters" />`}
		${many && html`<${PlainAct} title="Send dead letters again" verb="Send again" path="/dead-letters/redrive"
			body=${body}
			hint=${`Those that wait${trigger ? ` of ${trigger}` : ''}${reason ? ` with ${reason}` :
				''}, the oldest first, ` +
				'at most 100. What still starts nothing stays, and says why.'}
			command=${`skald dlq redrive${trigger ? ` --trigger ${quote(trigger)}` : ''}${reason ?
				` --reason ${quote(reason)}` : ''}${trigger || reason ? '' : ' --all'}`}
			onClose=${() => setMany(false)} onDone=${(answer) => {
				toast(`${answer.redriven} started, ${answer.failed} still failed${answer.more ? '; there are more' : ''}.`,
					{ tone: answer.failed ? 'undo' : 'good' });
				list.reload();
			}} />`}</${Page}>`;
}

function Bytes({ part, label }) {
	if (part === null || part === undefined)
		return html`<span class="faint">none</span>`;
	if (part.text === undefined)
		return html`<code class="bytes">${part.base64}</code> <span class="faint">(base64: it is no text)</span>`;
	const read = part.text.trim().startsWith('{') || part.text.trim().startsWith('[') ? readJson(part.text) : {};
	return read.value !== undefined ? html`<${JsonView} value=${read.value} open=${3} label=${label} />` :
		html`<pre class="code-block" tabindex="0">${part.text}</pre>`;
}

const textOf = (part) => part?.text ?? '';

/* The record edited: what is changed goes along, the rest stays as it is. */
function Edit({ letter, onClose, onDone }) {
	const [key, setKey] = useState(textOf(letter.key));
	const [value, setValue] = useState(textOf(letter.value));
	const body = {};
	if (key !== textOf(letter.key))
		body.key = { text: key };
	if (value !== textOf(letter.value))
		body.value = { text: value };
	const json = value.trim() ? readJson(value) : {};
	const changed = Object.keys(body).length > 0;
	return html`<${PlainAct} title="Edit, and send again" verb="Send again"
		path=${`${at('dead-letters', letter.id)}/redrive`} body=${body} ready=${changed}
		hint="It is evaluated as if it came again from its place, with what you change; the dead letter stays as it was."
		command=${`skald dlq redrive ${letter.id}${body.key ? ` --key ${quote(key)}` : ''}${body.value ?
			` --value ${quote(value)}` : ''}`}
		onClose=${onClose} onDone=${onDone}>
		<${Field} label="Key"><input class="input code" name="key" value=${key}
			onInput=${(event) => setKey(event.target.value)} /></${Field}>
		<${Field} label="Value" error=${json.error ? `No JSON: ${json.error}` : undefined} hint="Sent as it stands here.">
			<textarea class="input code" name="value" rows="14"
			spellcheck="false" value=${value} onInput=${(event) => setValue(event.target.value)}></textarea></${Field}>
				</${PlainAct}>`;
}

export function DeadLetter({ id }) {
	const { data, error, reload } = useResource(at('dead-letters', id));
	const [act, setAct] = useState(null);
	if (!data)
		return html`<${Page} title="Dead letter"><${Problem} error=${error} onRetry=${reload} />
			${!error && html`<${Skeleton} rows=${8} />`}</${Page}>`;
	const waits = data.status === 'waiting';
	const redriven = (answer) => {
		toast(answer.duplicate ? 'It was known already: its saga is there.' : 'It has started a saga.',
			{ href: link(at('sagas', answer.saga_id)), more: 'The saga' });
		reload();
	};
	return html`<${Page} title=${data.reason}
		actions=${waits && html`<${Button} kind="primary" icon="retry"
		onClick=${() => setAct('redrive')}>Send again</${Button}>
		<${Button} onClick=${() => setAct('edit')}>Edit and send again</${Button}><${Button} icon="trash"
			onClick=${() => setAct('discard')}>Discard</${Button}>`}>
		<div class=${`notice tone-${waits ? 'undo' : 'wait'}`}><${Icon} name="dead-letters" /><span>${data.message}</span>
			</div>
		<div class="two"><section class="panel" aria-labelledby="d-facts"><header class="panel-head">
			<h2 id="d-facts">Record</h2><${Status} status=${data.status} /></header><div class="panel-body"><dl class="facts">
			<dt>Id</dt><dd><${Copy} text=${data.id} label="Copy the id" /></dd>
			<dt>Trigger</dt><dd>${data.trigger}</dd><dt>Topic</dt><dd>${data.topic} <span class="faint">on ${data.cluster}
				</span></dd>
			<dt>Partition, offset</dt><dd class="num">${data.partition}, ${data.offset}</dd>
			<dt>Written</dt><dd><${At} at=${data.timestamp} /></dd><dt>Given up</dt><dd><${At} at=${data.failed_at} /> <span
				class="faint">after ${data.attempts} attempts</span></dd>
			${data.saga_id && html`<dt>Saga</dt><dd><a href=${link(at('sagas', data.saga_id))}><code>${data.saga_id}</code></a>
				</dd>`}</dl></div></section>
		<section class="panel" aria-labelledby="d-headers"><header class="panel-head"><h2 id="d-headers">Headers</h2>
			<span class="count num">${data.headers.length}</span></header>
			<div class="panel-body">${data.headers.length === 0 ? html`<p class="faint">none</p>` : html`<dl class="facts">
				${data.headers.map((each, i) => html`<dt key=${`${i}n`}>${each.name}</dt>
				<dd key=${`${i}v`}><code>${each.text ?? each.base64 ?? ''}</code>${each.base64 !== undefined &&
					html` <span class="faint">(base64)</span>`}</dd>`)}</dl>`}</div></section></div>
		<section class="panel" aria-labelledby="d-key"><header class="panel-head"><h2 id="d-key">Key</h2>
			<span class="faint num">${count(data.key_bytes)} bytes</span></header>
			<div class="panel-body"><${Bytes} part=${data.key} label="Key" /></div></section>
		<section class="panel" aria-labelledby="d-value"><header class="panel-head"><h2 id="d-value">Value</h2>
			<span class="faint num">${count(data.value_bytes)} bytes</span></header>
			<div class="panel-body"><${Bytes} part=${data.value} label="Value" /></div></section>
		${act === 'redrive' && html`<${PlainAct} title="Send again" verb="Send again"
			path=${`${at('dead-letters', id)}/redrive`} command=${`skald dlq redrive ${id}`}
			hint="It is evaluated as if it came again, by the newest version of the definition." onClose=${() => setAct(null)}
				onDone=${redriven} />`}
		${act === 'edit' && html`<${Edit} letter=${data} onClose=${() => setAct(null)} onDone=${redriven} />`}
		${act === 'discard' && html`<${PlainAct} title="Discard" verb="Discard" danger
			path=${`${at('dead-letters', id)}/discard`} command=${`skald dlq discard ${id}`}
			hint="Nothing is to come of it. It stays until retention removes it, and is listed as discarded."
				onClose=${() => setAct(null)}
			onDone=${() => { toast('Discarded.'); reload(); }} />`}</${Page}>`;
}
