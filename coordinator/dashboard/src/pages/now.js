/*
 * Now: what needs a person, first and in full sentences; then what runs, how it went over the last
 * hour, what is oldest, and how the participants answer. It shows one document, the overview, which
 * comes whenever it has changed; nothing here changes its place when a number does.
 */
import { html, useEffect } from '../h.js';
import { Chart } from '../chart.js';
import { count, duration, plural, short } from '../format.js';
import { Icon } from '../icons.js';
import { useKeys } from '../keys.js';
import { line, overview } from '../live.js';
import { useResource } from '../resource.js';
import { at, go, link } from '../router.js';
import { Table } from '../table.js';
import { Ago, Badge, Button, Empty, Key, Page, Panel, Skeleton, useThrottled } from '../ui.js';
import { ATTENTION, SAGA } from '../words.js';
import { GROUP_COLUMNS, useSteadyGroups } from './attention_parts.js';

const LINES = [
	{ label: 'started', tone: 'wait', dash: [4, 3] },
	{ label: 'completed', tone: 'good' },
	{ label: 'compensated', tone: 'undone', dash: [8, 3] },
	{ label: 'failed', tone: 'bad', dash: [2, 2] },
];
const ACTIVE = ['running', 'waiting', 'compensating', 'paused'];

function Tile({ tone, icon, n, words, href, title }) {
	return html`<a class=${`tile tone-${tone}${n ? '' : ' zero'}`} href=${href} title=${title}>
		<span class="tile-words"><${Icon} name=${icon} />${words}</span>
		<span class="tile-n num">${n === undefined ? '–' : short(n)}</span></a>`;
}

function Headline({ attention }) {
	if (!attention.total)
		return html`<p class="headline tone-good"><${Icon} name="check" />Nothing needs a person.</p>`;
	const { unacknowledged } = attention;
	return html`<p class="headline tone-bad"><${Icon} name="attention" /><span><a href=${link('/attention')}
		>${attention.total === 1 ? '1 saga needs' : `${count(attention.total)} sagas need`} a person</a>${' '}
		<span class="headline-more">${plural(attention.groups, 'reason')}, ${unacknowledged
			? `${count(unacknowledged)} not acknowledged` : 'all acknowledged'}</span></span></p>`;
}

function Needs({ attention }) {
	const groups = useResource('/attention');
	const soon = useThrottled(groups.reload, 2000);
	const told = JSON.stringify(attention);
	useEffect(soon, [told]);
	const { rows: list, fresh, gone, show } = useSteadyGroups(groups.data);
	const news = fresh + gone;
	useEffect(() => {
		// Whoever is about to point at something here is not to find another thing under the pointer.
		if (news && !document.querySelector('main:hover'))
			show();
	}, [news]);
	useKeys([['r', 'Show what is new', show]], { title: 'Now' });
	return html`<section class="needs" aria-label="What needs a person">
		<div class="headline-row"><${Headline} attention=${attention} />${news > 0 && html`<${Button} kind="small"
			onClick=${show}>${plural(news, 'reason')} changed – show <${Key}>r</${Key}></${Button}>`}</div>
		<div class="tiles kinds">${Object.entries(ATTENTION).map(([kind, [tone, icon, words, meaning]]) => html`
			<${Tile} key=${kind} tone=${tone} icon=${icon} words=${words} title=${meaning}
				n=${attention.kinds?.[kind] ?? 0} href=${link('/attention', { kind })} />`)}</div>
		${list.length > 0 && html`<${Table} label="Reasons" columns=${GROUP_COLUMNS} rows=${list.slice(0, 5)}
			mark=${(group) => (group.count === 0 ? 'gone' : '')} href=${(group) => link(at('attention', group.id))} />`}
		${list.length > 5 && html`<p class="after-table"><a href=${link('/attention')}
			>All ${count(attention.groups)} reasons</a></p>`}</section>`;
}

const OLDEST = [
	{ id: 'saga', title: 'Saga', cell: (row) => html`<a href=${link(at('sagas', row.id))}>${row.saga}</a>
		<span class="faint"> ${row.key}</span>` },
	{ id: 'status', title: 'Status', class: 'w-status', cell: (row) => html`<${Badge} status=${row.status} />` },
	{ id: 'age', title: 'Started', class: 'w-8 num', cell: (row) => html`<${Ago} at=${row.started_at} />` },
];

const PARTICIPANTS = [
	{ id: 'name', title: 'Participant', cell: (row) => html`<span class="strong">${row.name}</span>` },
	{ id: 'flight', title: 'In flight', class: 'w-8 num', cell: (row) => html`${count(row.in_flight)}${row.queued
		? html`<span class="warn" title="waiting for a free connection"> +${short(row.queued)}</span>` : ''}` },
	{ id: 'errors', title: 'Errors', class: 'w-8 num', cell: (row) => {
		const failed = row.answers?.['5xx'] || 0;
		const bad = row.errors + row.timeouts + failed;
		const share = row.requests ? (100 * bad) / row.requests : 0;
		return bad ? html`<span class=${share >= 1 ? 'wrong-text' : ''} title=${`${plural(row.errors, 'error')}, ` +
			`${plural(row.timeouts, 'time-out')}, ${plural(failed, 'answer')} 5xx of ${plural(row.requests, 'request')}`}>${share >= 1
			? '▲ ' : ''}${share < 0.1 ? '<0.1' : share.toFixed(1)}%</span>` : html`<span class="faint">0</span>`;
	} },
	{ id: 'p50', title: 'p50', class: 'w-8 num', narrow: false, cell: (row) => latency(row.latency_ms?.p50) },
	{ id: 'p95', title: 'p95', class: 'w-8 num', cell: (row) => latency(row.latency_ms?.p95) },
	{ id: 'p99', title: 'p99', class: 'w-8 num', narrow: false, cell: (row) => latency(row.latency_ms?.p99) },
];
const latency = (ms) => (Number.isFinite(ms) ? duration(ms) : html`<span class="faint">–</span>`);

/* Each participant once: what its calls from all nodes add up to, and the slowest node's latencies. */
function overNodes(rows) {
	const names = new Map();
	for (const row of rows) {
		const sum = names.get(row.name);
		if (!sum) {
			names.set(row.name, { ...row, answers: { ...row.answers }, latency_ms: { ...row.latency_ms }, nodes: 1 });
			continue;
		}
		sum.nodes++;
		for (const each of ['in_flight', 'queued', 'requests', 'errors', 'timeouts'])
			sum[each] += row[each];
		for (const [kind, n] of Object.entries(row.answers ?? {}))
			sum.answers[kind] = (sum.answers[kind] ?? 0) + n;
		for (const each of ['p50', 'p95', 'p99'])
			sum.latency_ms[each] = Math.max(sum.latency_ms[each] ?? 0, row.latency_ms?.[each] ?? 0);
	}
	return [...names.values()];
}

/* Whose numbers they are: a node that did not answer is missing among them. */
function NodesAsked({ data }) {
	const { nodes_asked: asked = 0, nodes_answered: answered = 0 } = data;
	if (answered < asked)
		return html`<span class="warn"><${Icon} name="attention" /> ${asked - answered} of ${plural(asked + 1, 'node')}
			${' '}did not answer</span>`;
	return html`<span class="faint">${asked ? `on ${plural(asked + 1, 'node')}; the slowest one’s latency`
		: 'since the node began'}</span>`;
}

export function Now() {
	const data = overview.use();
	const { state } = line.use();
	if (!data)
		return html`<${Page} title="Now">${state === 'broken'
			? html`<p class="notice tone-undo"><${Icon} name="clock" />The server does not answer; it is asked again and again.</p>` : ''}
			<${Skeleton} rows=${9} class="tall" /></${Page}>`;
	const { counts, rates, oldest, participants } = data;
	return html`<${Page} title="Now" actions=${html`<span class="faint not-narrow">${plural(data.nodes, 'node')},
			${' '}${plural(data.definitions, 'definition')}</span>`}>
		<${Needs} attention=${data.attention} />
		<div class="tiles flow">${[...ACTIVE, 'compensation_failed'].map((status) => html`<${Tile} key=${status}
			tone=${SAGA[status][0]} icon=${SAGA[status][1]} words=${SAGA[status][2]} n=${counts[status] ?? 0}
			href=${link('/sagas', { q: `status:${status}` })} />`)}</div>
		<${Panel} title="The last hour, by the minute">
			<div class="panel-body"><${Chart} label="Sagas started and ended in each minute of the last hour"
				times=${rates.map((rate) => Date.parse(rate.at))}
				series=${LINES.map((each) => ({ ...each, values: rates.map((rate) =>
					rate[each.label] + (each.label === 'failed' ? rate.terminated ?? 0 : 0)) }))} /></div></${Panel}>
		<div class="columns">
			<${Panel} title="Oldest that have not ended" more=${html`<${Button} kind="quiet small"
				onClick=${() => go(link('/sagas', { q: `status:${ACTIVE.join(',')}` }))}>All active</${Button}>`}>
				${oldest.length ? html`<${Table} label="Oldest sagas" columns=${OLDEST} rows=${oldest} keyboard=${false}
					href=${(row) => link(at('sagas', row.id))} />` : html`<${Empty} title="Nothing is running." />`}</${Panel}>
			<${Panel} title="Participants" more=${html`<${NodesAsked} data=${data} />`}>
				${participants.length ? html`<${Table} label="Participants" columns=${PARTICIPANTS} rows=${overNodes(participants)}
					rowKey=${(row) => row.name} keyboard=${false} />`
					: html`<${Empty} icon="info" title="No participant has been called yet." />`}</${Panel}>
		</div></${Page}>`;
}
