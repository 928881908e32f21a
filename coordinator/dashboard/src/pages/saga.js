/*
 * The page of one saga: where it stands in words, and tabs that show it from all sides. ?tab= says
 * which, ?at= that all of it is shown as it was after that row of the history.
 */
import { html, useEffect, useMemo, useState } from '../h.js';
import { exact, useNow } from '../format.js';
import { Icon } from '../icons.js';
import { useKeys } from '../keys.js';
import { useResource } from '../resource.js';
import { at as path, link, setQuery } from '../router.js';
import { Ago, Badge, Button, Copy, Kind, Page, Problem, Skeleton, Tabs } from '../ui.js';
import { ActDialog } from '../acts/dialog.js';
import { SagaMenu } from '../saga/acts_menu.js';
import { audit, failingSince } from '../saga/history.js';
import { isEnded, ledger } from '../saga/ledger.js';
import { sentence } from '../saga/sentence.js';
import { Ledger, Owed } from '../saga/tab_ledger.js';
import { Audit } from '../saga/tab_audit.js';
import { Data } from '../saga/tab_data.js';
import { Graph } from '../saga/tab_graph.js';
import { Changed, History } from '../saga/tab_history.js';
import { Messages } from '../saga/tab_messages.js';
import { Relations } from '../saga/tab_relations.js';
import { Timeline } from '../saga/tab_timeline.js';
import { countdown, duration, ms } from '../saga/time.js';
import { Decide, approvalOf } from './approvals.js';
import { useSaga } from '../saga/use_saga.js';

const TABS = [
	['ledger', 'Ledger'], ['timeline', 'Timeline'], ['graph', 'Graph'], ['history', 'History'],
	['messages', 'Messages'], ['data', 'Data'], ['relations', 'Relations'], ['audit', 'Audit'],
];
const WANTS_HISTORY = new Set(['timeline', 'history', 'messages', 'relations', 'audit']);

function Deadline({ saga }) {
	const now = useNow();
	const at = ms(saga.deadline_at);
	if (!at)
		return html`<${Fact} name="Deadline">${NONE}</${Fact}>`;
	const passed = at <= now && !isEnded(saga);
	const over = isEnded(saga) ? '' : passed ? ` · passed ${duration(now - at)} ago` : ` · in ${countdown(at - now)}`;
	return html`<${Fact} name="Deadline" hot=${passed}><time class="num" datetime=${saga.deadline_at}>${exact(at)}</time>
		<span class=${passed ? '' : 'muted'}>${over}</span></${Fact}>`;
}

function Sentence({ saga, since, then, book }) {
	const now = useNow();
	return html`<p class=${`sentence status-${saga.status}`}>${sentence(saga, then ?? now, then ? null : since,
		book)}</p>`;
}

/* Each in a place of its own, whether there is something to say or not: nothing moves when there is. */
function Fact({ name, children, hot = false }) {
	return html`<div class="fact"><dt>${name}</dt><dd class=${hot ? 'hot' : ''}>${children}</dd></div>`;
}

const NONE = html`<span class="faint">–</span>`;

/* Labels may be addresses, such as a runbook's. */
function Linked(value) {
	const text = typeof value === 'string' ? value : JSON.stringify(value);
	return /^https:\/\/\S+$/.test(text) ? html`<a href=${text} rel="noreferrer" target="_blank">${text}</a>` : text;
}

/* By its key, as a person knows it, once that has been read. */
function Parent({ of }) {
	const { data } = useResource(path('sagas', of.id));
	const item = of.item === null || of.item === undefined || of.item < 0 ? '' : `[${of.item}]`;
	return html`<a href=${link(path('sagas', of.id))} title=${of.id}>${data?.key ?? of.id}</a><span class="muted"> · step
		${' '}${of.step}${item}</span>`;
}

function Facts({ saga }) {
	return html`<dl class="head-facts">
		<${Fact} name="Id"><${Copy} text=${saga.id} label="Copy the id" /></${Fact}>
		<${Fact} name="Started"><time class="num" datetime=${saga.started_at}>${exact(saga.started_at)}</time>
			<span class="muted"> · <${Ago} at=${saga.started_at} /></span></${Fact}>
		<${Deadline} saga=${saga} />
		<${Fact} name="Definition"><a href=${link(path('definitions', saga.saga), { version: saga.version })}>
			${saga.saga} · version ${saga.version}</a></${Fact}>
		<${Fact} name="Ended">${saga.ended_at ? html`<time class="num" datetime=${saga.ended_at}>${exact(saga.ended_at)}
			</time>
			<span class="muted"> · after ${duration(ms(saga.ended_at) - ms(saga.started_at))}</span>` : NONE}</${Fact}>
		${saga.parent && html`<${Fact} name="Parent"><${Parent} of=${saga.parent} /></${Fact}>`}
		${Object.entries({ ...saga.labels, ...saga.search }).map(([name, value]) => html`<${Fact} key=${name} name=${name}>
			${Linked(value)}</${Fact}>`)}
		<${Fact} name="Owner">${saga.owner ?? html`<span class="faint">nobody</span>`}</${Fact}>
	</dl>`;
}

/* When that row was written; without the history, when the saga's state last changed. */
const moment = (data, at) => data.history.rows[at - 1]?.at ?? data.saga.updated_at;

function Banner({ data, at }) {
	const end = data.head;
	return html`<div class="notice tone-hold at-banner" role="status"><${Icon} name="clock" />
		<span>You see the saga as it was after event <b class="num">${at}</b> of <span class="num">${end || '…'}</span>
			${data.stale ? ' …' : html`, at <time class="num">${exact(moment(data, at))}</time>.`}</span>
		<span class="push buttons"><${Button} kind="small" icon="left" disabled=${at <= 1} label="Earlier event"
			onClick=${() => setQuery({ at: at - 1 })} />
			<${Button} kind="small" icon="right" disabled=${at >= end} label="Later event"
				onClick=${() => setQuery({ at: at + 1 })} />
			<${Button} kind="small" onClick=${() => setQuery({ at: null })}>Back to now</${Button}></span></div>`;
}

function Body({ tab, data, book, open, at }) {
	switch (tab) {
	case 'timeline': return html`<${Timeline} data=${data} at=${at} />`;
	case 'graph': return html`<${Graph} data=${data} book=${book} open=${open} past=${Boolean(at)} />`;
	case 'history': return html`<${History} data=${data} at=${at} open=${open} />`;
	case 'messages': return html`<${Messages} data=${data} at=${at} />`;
	case 'data': return html`<${Data} saga=${data.saga} />`;
	case 'relations': return html`<${Relations} data=${data} />`;
	case 'audit': return html`<${Audit} data=${data} open=${open} />`;
	default: return html`<div class="with-aside"><div class="aside"><${Owed} book=${book} saga=${data.saga} open=${open}
		past=${Boolean(at)} /></div>
		<${Ledger} book=${book} open=${open} past=${Boolean(at)} /></div>`;
	}
}

/* The focus goes to the next row of the ledger that something can be done with. */
function step(by) {
	const rows = [...document.querySelectorAll('.ledger tr[data-step]')].map((row) =>
		row.querySelector('.l-acts button, .l-fold'))
		.filter(Boolean);
	const here = rows.findIndex((button) => button.closest('tr').contains(document.activeElement));
	rows[here < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, here + by))]?.focus();
}

export function Saga({ id, query }) {
	const at = /^[1-9]\d*$/.test(query.get('at') ?? '') ? Number(query.get('at')) : null;
	const tab = TABS.some(([name]) => name === query.get('tab')) ? query.get('tab') : 'ledger';
	const data = useSaga(id, at, WANTS_HISTORY.has(tab));
	const { saga } = data;
	const [act, setAct] = useState(null);
	const book = useMemo(() => (saga ? ledger(saga, data.doc, data.acts) : null), [saga, data.doc, data.acts]);
	const since = useMemo(() => failingSince(data.history.entries), [data.history.version]);
	const acts = useMemo(() => audit(data.history.rows).length, [data.history.version]);
	const move = (to) => to >= 1 && to <= data.head && setQuery({ at: to === data.head ? null : to });
	useKeys([
		...TABS.map(([name, words], i) => [String(i + 1), words, () => setQuery({ tab: name === 'ledger' ? null : name },
			{ replace: false })]),
		['[', 'The event before', () => move((at ?? data.head) - 1)],
		[']', 'The event after', () => at && move(at + 1)],
		['r', 'Retry what stands still', () => (data.acts?.saga?.some((entry) => entry.act === 'retry' && entry.allowed)
			? setAct({ act: 'retry' }) : data.reload())],
		...(tab === 'ledger' ? [['j', 'Next row', () => step(1)], ['k', 'Previous row', () => step(-1)],
			['o', 'Open the row', () => document.activeElement?.closest?.('.ledger') && document.activeElement.click()]] : []),
	], { title: 'Saga' });
	useEffect(() => {
		if (data.present)
			document.title = `${data.present.key ?? data.present.id} · ${data.present.saga} · Skald`;
	}, [data.present?.id]);

	if (!saga)
		return html`<${Page} title="Saga" wide><${Problem} error=${data.error} onRetry=${data.reload} />
			${!data.error && html`<${Skeleton} rows=${10} />`}</${Page}>`;
	const toDecide = act && approvalOf(data.present, act);
	const counts = { history: data.head || undefined, audit: acts || undefined };
	return html`<div class="page wide saga-page">
		<header class="saga-head"><div class="saga-title"><h1 tabindex="-1">${saga.key ?? saga.id}</h1>
			<${Badge} status=${saga.status} />${saga.held && html`<span class="badge tone-wait"
				title="it is done, and can be undone until its parent has ended"><${Icon} name="clock" />held</span>`}
			${!at && saga.attention_detail &&
				html`<a class="kind-link" href=${link(path('attention', saga.attention_detail.group))}
				title=${`${saga.attention} — all sagas with this trouble`}><${Kind} kind=${saga.attention_detail.kind} /></a>`}
			<span class="muted cut">${saga.saga}</span>
			<div class="page-actions">${!at && html`<${SagaMenu} acts=${data.acts} open=${setAct} />`}</div></div>
			<${Sentence} saga=${saga} since=${since} then=${at ? ms(moment(data, at)) : null} book=${book} />
			<${Facts} saga=${saga} /></header>
		${at && html`<${Banner} data=${data} at=${at} />`}
		<${Problem} error=${data.error ?? data.history.error} onRetry=${data.error ? data.reload : data.history.retry} />
		${at && tab !== 'history' && html`<details class="changed-fold"><summary>What event ${at} changed</summary>
			<${Changed} data=${data} at=${at} /></details>`}
		<${Tabs} label="Views of the saga" current=${tab} tabs=${TABS.map(([name, words]) => [name, words, counts[name]])}
			href=${(name) => link(path('sagas', id), { tab: name === 'ledger' ? '' : name, at: at ?? '' })} />
		<${Body} tab=${tab} data=${data} book=${book} open=${setAct} at=${at} />
		${act && toDecide && html`<${Decide} row=${toDecide} first=${act.act} onClose=${() => setAct(null)}
			onDone=${() => data.reload()} />`}
		${act && !toDecide && html`<${ActDialog} act=${act} saga=${data.present} seq=${data.seq} doc=${data.doc}
			onClose=${() => setAct(null)} onDone=${() => data.reload()} />`}
	</div>`;
}
