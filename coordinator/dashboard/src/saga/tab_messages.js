/*
 * Messages: what was sent to whom under which key, and what came back; one entry for each action and
 * each undo, opened to see the whole of it.
 */
import { html, useMemo, useState } from '../h.js';
import { plural } from '../format.js';
import { JsonView } from '../json_view.js';
import { Icon } from '../icons.js';
import { at as path, link, useQuery } from '../router.js';
import { Copy, Empty, Skeleton } from '../ui.js';
import { messages, requestText } from './messages.js';
import { clock } from './time.js';
import { Mark } from './tab_ledger.js';

const PIECE = 100;
const NOTE = 'Skald keeps the output of a reply, not its raw bytes. Headers that are added when it is sent, and ' +
	'secrets, are not stored.';

function Reply({ reply, saga }) {
	const [tone, icon] = reply.mark;
	return html`<li class="m-reply"><a class="num" href=${link(path('sagas', saga), { tab: 'history', at: reply.seq })}
		title="Show it in the history">${clock(reply.at)}</a>
		<${Mark} tone=${tone} icon=${icon}>${reply.word}</${Mark}>
		<span class="muted">${[reply.attempt && `attempt ${reply.attempt}`, reply.status && `status ${reply.status}`,
			reply.outcome, reply.by && `by ${reply.by}`].filter(Boolean).join(' · ')}</span>
		${reply.code && html`<span class="m-error"><b>${reply.code}</b> ${reply.message}</span>`}
		${reply.value !== undefined && html`<div class="m-value"><${JsonView} value=${reply.value} open=${2}
			label="Output" /></div>`}</li>`;
}

function Whole({ message, saga }) {
	const text = requestText(message.request);
	return html`<div class="m-whole"><div class="m-part"><h3>${message.sent ? 'Request' :
		'Request, ready but not sent'} <${Copy} text=${text} label="Copy the request"><span></span></${Copy}></h3>
		<pre class="code-block" tabindex="0">${text}</pre></div>
		<div class="m-part"><h3>What came back</h3>${message.replies.length ?
			html`<ul>${message.replies.map((reply, i) => html`<${Reply} key=${i} reply=${reply} saga=${saga} />`)}</ul>`
			: html`<p class="faint">Nothing yet.</p>`}
		<p class="faint m-note">${NOTE}</p></div></div>`;
}

function Message({ message, saga }) {
	const [open, setOpen] = useState(false);
	const last = message.replies.at(-1);
	const name = message.item === null ? message.step : `${message.step}[${message.item}]`;
	return html`<li class="message"><div class="m-head"><button type="button" class="m-fold" aria-expanded=${open ?
		'true' : 'false'} onClick=${() => setOpen(!open)}>
		<${Icon} name=${open ? 'down' : 'right'} /><span class="m-name">${message.undo ? html`<${Icon} name="undo" />` :
			null}${name}</span>
		<span class="m-line"><b>${message.to}</b> ${message.line}</span>
		<span class="m-end">${last ? html`<${Mark} tone=${last.mark[0]} icon=${last.mark[1]}>${last.word}</${Mark}>` :
			message.sent ? html`<${Mark} tone="run" icon="play">sent</${Mark}>` :
			html`<${Mark} tone="wait" icon="armed">not sent</${Mark}>`}
			${message.replies.length > 1 && html`<span class="num muted">×${message.replies.length}</span>`}</span></button>
		<p class="m-key"><span class="faint">${message.key ? 'idempotency key' : 'record'}
			</span> <${Copy} text=${message.key || message.request.record_key || ''} label="Copy the key" />
		${message.correlation && html`<span class="faint">correlation</span> <${Copy} text=${message.correlation}
			label="Copy the correlation" />`}</p></div>
		${open && html`<${Whole} message=${message} saga=${saga} />`}</li>`;
}

export function Messages({ data, at }) {
	const { history } = data;
	const [find, setFind] = useQuery('m');
	const [shown, setShown] = useState(PIECE);
	const all = useMemo(() => messages(at ? history.rows.filter((row) => row.seq <= at) : history.rows),
		[history.version, at]);
	const list = useMemo(() => {
		const wanted = find.trim().toLowerCase();
		return wanted ? all.filter((each) =>
			`${each.step} ${each.to} ${each.line} ${each.key} ${each.correlation} ${each.undo ? 'undo' :
			'do'} ${each.replies.map((reply) =>
			`${reply.word} ${reply.code ?? ''}`).join(' ')}`.toLowerCase().includes(wanted)) : all;
	}, [all, find]);
	if (!history.whole && history.rows.length === 0)
		return html`<${Skeleton} rows=${8} />`;
	return html`<section class="panel" aria-label="Messages"><div class="h-bar"><div class="h-find">
		<${Icon} name="filter" /><input class="input" type="search" placeholder="Filter: participant, step, key, outcome"
		aria-label="Filter the messages" value=${find}
		onInput=${(event) => setFind(event.target.value)} /></div><span class="faint num h-count" role="status">
			${list.length === all.length ? plural(all.length, 'message') : `${list.length} of ${all.length}`}</span></div>
		${list.length === 0 ? html`<${Empty} icon="dead-letters" title=${all.length ? 'No message fits.' :
			'Nothing was sent yet.'} />`
			: html`<ul class="messages">
				${list.slice(0, shown).map((message, i) =>
				html`<${Message} key=${`${message.seq}/${message.step}/${message.item}/${message.undo}/${i}`} message=${message}
				saga=${data.id} />`)}</ul>`}
		${list.length > shown && html`<div class="list-end"><button type="button" class="button"
			onClick=${() => setShown(shown + PIECE)}>Show more of ${list.length}</button></div>`}</section>`;
}
