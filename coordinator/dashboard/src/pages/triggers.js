/*
 * Triggers: what starts sagas from records, how far behind each is, and what a person says to one:
 * pause, resume, go on from elsewhere.
 */
import { html, useEffect, useState } from '../h.js';
import { count } from '../format.js';
import { Icon } from '../icons.js';
import { PlainAct } from '../plain_act.js';
import { quote } from '../acts/calls.js';
import { useResource } from '../resource.js';
import { at, link, useQuery } from '../router.js';
import { Table } from '../table.js';
import { Ago, At, Button, Empty, Field, Page, Problem, Skeleton, toast } from '../ui.js';

export const STATES = {
	running: ['good', 'play'], paused: ['hold', 'pause'], starting: ['wait', 'clock'], waiting: ['undo', 'clock'],
	failed: ['bad', 'cross'], refused: ['bad', 'cross'],
};

export function State({ state }) {
	const [tone, icon] = STATES[state] ?? ['wait', 'ring'];
	return html`<span class=${`badge tone-${tone}`}><${Icon} name=${icon} />${state}</span>`;
}

/* "order/orders.placed" -> the two segments of its address. */
export function segments(name) {
	const slash = name.indexOf('/');
	return [name.slice(0, slash), name.slice(slash + 1)];
}

const Lag = ({ lag }) => (lag === null ? html`<span class="faint">–</span>`
	: html`<span class=${`num${lag > 0 ? ' lag' : ''}`}>${count(lag)}</span>`);

const COLUMNS = [
	{ id: 'name', title: 'Trigger', cell: (row) => html`<a href=${link(at('triggers', ...segments(row.name)))}>
		${row.name}</a>` },
	{ id: 'state', title: 'State', class: 'w-12', cell: (row) => html`<${State} state=${row.state} />` },
	{ id: 'lag', title: 'Lag', class: 'w-8 num', cell: (row) => html`<${Lag} lag=${row.lag} />` },
	{ id: 'started', title: 'Started', class: 'w-10 num', narrow: false, cell: (row) => count(row.records.started ?? 0) },
	{ id: 'poison', title: 'Poison', class: 'w-8 num', narrow: false, cell: (row) => count(row.poison) },
	{ id: 'flight', title: 'In flight', class: 'w-8 num', narrow: false, cell: (row) => count(row.in_flight) },
	{ id: 'group', title: 'Group', class: 'w-20', narrow: false, cell: (row) => row.group },
];

function useEvery(reload, ms) {
	useEffect(() => {
		const timer = setInterval(() => document.hidden || reload(), ms);
		return () => clearInterval(timer);
	}, [reload, ms]);
}

export function Triggers() {
	const { data, error, reload } = useResource('/triggers');
	const [definition] = useQuery('definition');
	useEvery(reload, 3000);
	const rows = (data?.triggers ?? []).filter((row) => !definition || row.definition === definition);
	return html`<${Page} title="Triggers" count=${data ? rows.length : null}
		lead=${definition ? `Of the definition ${definition}.` : null}>
		<${Problem} error=${error} onRetry=${reload} />
		${!data ? !error && html`<${Skeleton} rows=${5} />` : rows.length === 0
			? html`<${Empty} icon="triggers"
				title="No definition has a trigger.">start_on in a definition lets records of Kafka start sagas.</${Empty}>`
			: html`<${Table} label="Triggers" columns=${COLUMNS} rows=${rows} rowKey=${(row) => row.name}
				href=${(row) => link(at('triggers', ...segments(row.name)))} />`}</${Page}>`;
}

function Seek({ trigger, onDone, onClose }) {
	const [kind, setKind] = useState('latest');
	const [text, setText] = useState('');
	const [partition, setPartition] = useState('');
	const to = kind === 'offset' ? Number(text) : kind === 'time' ? text.trim() : kind;
	const ready = kind === 'offset' ? /^\d+$/.test(text.trim()) : kind === 'time' ? !Number.isNaN(Date.parse(text)) : true;
	const body = { to, ...(partition === '' ? {} : { partition: Number(partition) }) };
	const choice = (value, words, hint) => html`<label class="choice"><input type="radio" name="to" value=${value}
		checked=${kind === value}
		onChange=${() => setKind(value)} /><span>${words}${hint && html`<span class="field-hint">${hint}</span>`}</span>
			</label>`;
	return html`<${PlainAct} title=${`Go on from elsewhere · ${trigger.name}`} verb="Seek" danger reasoned ready=${ready}
		onClose=${onClose}
		hint="Records that started a saga before are known by their key; records that are left out start nothing."
		path=${`${at('triggers', ...segments(trigger.name))}/seek`} body=${body} onDone=${onDone}
		command=${`skald trigger seek ${quote(trigger.name)} ${quote(String(to))}${partition === '' ? '' :
			` --partition ${partition}`}`}>
		<fieldset class="a-set"><legend class="field-label">Where</legend>
			${choice('latest', 'The end', 'What is there now is left out.')}${choice('earliest', 'The beginning',
				'All that the topic still holds comes again.')}
			${choice('offset', 'An offset')}${choice('time', 'A time')}</fieldset>
		${(kind === 'offset' || kind === 'time') &&
			html`<${Field} label=${kind === 'offset' ? 'Offset' : 'Time, as in 2026-01-31T12:00:00Z'}>
			<input class="input" name="where" value=${text} onInput=${(event) => setText(event.target.value)} /></${Field}>`}
		<${Field} label="Partition"><select class="input" name="partition" value=${partition}
			onChange=${(event) => setPartition(event.target.value)}>
			<option value="">all</option>${trigger.partitions.map((each) => html`<option key=${each.partition}
				value=${String(each.partition)}>${each.partition}</option>`)}</select></${Field}></${PlainAct}>`;
}

const PARTITIONS = [
	{ id: 'n', title: 'Partition', class: 'w-10 num', cell: (row) => row.partition },
	{ id: 'assigned', title: 'Here', class: 'w-8', cell: (row) => (row.assigned ? 'yes' :
		html`<span class="faint">no</span>`) },
	{ id: 'committed', title: 'Committed', class: 'num', cell: (row) => (row.committed === null ? '–' :
		count(row.committed)) },
	{ id: 'end', title: 'End', class: 'num', cell: (row) => (row.end === null ? '–' : count(row.end)) },
	{ id: 'lag', title: 'Lag', class: 'num', cell: (row) => html`<${Lag} lag=${row.lag} />` },
	{ id: 'flight', title: 'In flight', class: 'num', narrow: false, cell: (row) => count(row.in_flight) },
];

export function Trigger({ definition, topic }) {
	const path = at('triggers', definition, topic);
	const { data, error, reload } = useResource(path);
	const [act, setAct] = useState(null);
	useEvery(reload, 3000);
	if (!data)
		return html`<${Page} title=${`${definition}/${topic}`}><${Problem} error=${error} onRetry=${reload} />
			${!error && html`<${Skeleton} rows=${8} />`}</${Page}>`;
	const paused = Boolean(data.pause);
	const done = (words) => () => {
		toast(`${words}; it takes effect within seconds, on all nodes.`);
		reload();
	};
	return html`<${Page} title=${data.name} actions=${html`
		<${Button} icon=${paused ? 'play' : 'pause'} onClick=${() => setAct(paused ? 'resume' : 'pause')}>
			${paused ? 'Resume' : 'Pause'}</${Button}>
		<${Button} onClick=${() => setAct('seek')}>Seek</${Button}>
		<a class="button" href=${link('/dead-letters', { trigger: data.name })}>Dead letters</a>`}>
		<${Problem} error=${error} />
		${data.pause && html`<div class="notice tone-hold"><${Icon} name="pause" /><span>Paused${data.pause.by ?
			` by ${data.pause.by}` : ''}${data.pause.reason
			? `: ${data.pause.reason}` : ''}${data.pause.at && html` · <${Ago} at=${data.pause.at} />`}</span></div>`}
		${data.detail && html`<div class="notice tone-undo"><${Icon} name="info" /><span>${data.detail}</span></div>`}
		${data.brokers_error && html`<div class="notice tone-undo"><${Icon} name="attention" />
			<span>The brokers do not answer: ${data.brokers_error}</span></div>`}
		<div class="two"><section class="panel" aria-labelledby="t-facts"><header class="panel-head">
			<h2 id="t-facts">What it does</h2><${State} state=${data.state} /></header>
			<div class="panel-body"><dl class="facts"><dt>Starts</dt><dd><a href=${link(at('definitions', data.definition))}>
				${data.definition}</a> version ${data.version}</dd>
			<dt>Topic</dt><dd>${data.topic}</dd><dt>Cluster</dt><dd>${data.cluster}</dd><dt>Group</dt><dd>${data.group}</dd>
			<dt>Dead letters</dt><dd>${data.dead_letter_topic}</dd></dl></div></section>
		<section class="panel" aria-labelledby="t-counts"><header class="panel-head">
			<h2 id="t-counts">Records of this node</h2><span>lag <${Lag} lag=${data.lag} /></span></header>
			<div class="panel-body"><dl class="facts t-counts">
				${Object.entries({ ...data.records, poison: data.poison, retries: data.retries, retrying: data.retrying,
				held: data.held, waiting: data.waiting, in_flight: data.in_flight }).map(([name, n]) =>
					html`<dt key=${name}>${name.replaceAll('_', ' ')}</dt>
				<dd class="num">${count(n)}</dd>`)}</dl></div></section></div>
		<h2 class="sub">Partitions</h2><${Table} label="Partitions" columns=${PARTITIONS} rows=${data.partitions}
			rowKey=${(row) => String(row.partition)} compact />
		${act === 'seek' && html`<${Seek} trigger=${data} onClose=${() => setAct(null)} onDone=${done('Seek asked for')} />`}
		${(act === 'pause' || act === 'resume') &&
			html`<${PlainAct} title=${`${act === 'pause' ? 'Pause' : 'Resume'} · ${data.name}`} reasoned
			verb=${act === 'pause' ? 'Pause' : 'Resume'} path=${`${path}/${act}`}
				command=${`skald trigger ${act} ${quote(data.name)}`}
			hint=${act === 'pause' ? 'No more records are taken, on all nodes; what is under way ends. Restarts do not resume it.'
				: 'Records are taken again, on all nodes; one that paused the trigger by its policy is tried again first.'}
			onClose=${() => setAct(null)} onDone=${done(act === 'pause' ? 'Paused' : 'Resumed')} />`}</${Page}>`;
}
