/* Schedules: when sagas are started by the clock, what became of the last time, and acts on them. */
import { html, useEffect, useState } from '../h.js';
import { count, exact } from '../format.js';
import { quote } from '../acts/calls.js';
import { Icon } from '../icons.js';
import { PlainAct } from '../plain_act.js';
import { useResource } from '../resource.js';
import { at, link, useQuery } from '../router.js';
import { Table } from '../table.js';
import { Ago, At, Button, Empty, Field, Page, Panel, Problem, Skeleton, toast } from '../ui.js';

const POLL_MS = 3000;

function useEvery(reload) {
	useEffect(() => {
		const timer = setInterval(() => document.hidden || reload(), POLL_MS);
		return () => clearInterval(timer);
	}, [reload]);
}

const addressOf = (row) => link(at('schedules', row.definition, String(row.entry)));
const nameOf = (row) => `${row.definition}/${row.entry}`;

function State({ row }) {
	const [tone, icon, words] = row.paused ? ['hold', 'pause', 'paused'] : ['good', 'play', 'running'];
	return html`<span class=${`badge tone-${tone}`}><${Icon} name=${icon} />${words}</span>`;
}

function Last({ row }) {
	if (!row.last)
		return html`<span class="faint">never</span>`;
	return html`${row.last.saga ? html`<a href=${link(at('sagas', row.last.saga))}><${Ago} at=${row.last.at} /></a>`
		: html`<${Ago} at=${row.last.at} />`}${row.last.result && row.last.result !== 'started' ? html`<span class="warn">
		${' '}${row.last.result}</span>` : ''}`;
}

/* The start that a person asked for last, and which saga came of it. */
function Triggered({ row }) {
	const { at: time, result, saga, detail } = row.triggered;
	return html`<${Ago} at=${time} />: ${saga ? html`<a class="mono" href=${link(at('sagas', saga))}>${saga}</a>`
		: result ? html`<span class="warn">${result}${detail ? `: ${detail}` : ''}</span>`
			: html`<span class="faint">it is about to begin</span>`}${result === 'duplicate' ? ' was there already' : ''}`;
}

const COLUMNS = [
	{ id: 'name', title: 'Definition', class: 'w-24 grow-narrow', cell: (row) => html`<a href=${addressOf(row)}>
		${row.definition}</a><span class="under only-narrow"><code>${row.schedule}</code><span class="cut">${row.time_zone}
		</span></span>` },
	{ id: 'cron', title: 'When', narrow: false, cell: (row) => html`<code>${row.schedule}</code> <span class="faint">
		${row.time_zone}</span>` },
	{ id: 'state', title: 'State', class: 'w-12', cell: (row) => html`<${State} row=${row} />` },
	{ id: 'next', title: 'Next', class: 'w-20 num', narrow: false, cell: (row) => (row.paused ? html`<span class="faint">–</span>`
		: html`<${At} at=${row.next?.[0]} />`) },
	{ id: 'last', title: 'Last', class: 'w-14', narrow: false, cell: (row) => html`<${Last} row=${row} />` },
	{ id: 'overlap', title: 'Overlap', class: 'w-10', narrow: false, cell: (row) => row.overlap },
];

export function Schedules() {
	const { data, error, reload } = useResource('/schedules');
	const [definition] = useQuery('definition');
	useEvery(reload);
	const rows = (data?.schedules ?? []).filter((row) => !definition || row.definition === definition);
	return html`<${Page} title="Schedules" count=${data ? rows.length : null}
		lead=${definition ? `Of the definition ${definition}.` : null}>
		<${Problem} error=${error} onRetry=${reload} />
		${!data ? !error && html`<${Skeleton} rows=${5} />` : rows.length === 0
			? html`<${Empty} icon="clock" title=${definition ? `${definition} has no schedule.`
				: 'No definition has a schedule.'}><code>start_on: [{"{"}schedule: "0 3 * * *"{"}"}]
				</code> in a definition starts sagas by the clock.</${Empty}>`
			: html`<${Table} label="Schedules" columns=${COLUMNS} rows=${rows} rowKey=${nameOf} href=${addressOf} />`}</${Page}>`;
}

const isTime = (text) => text.trim() !== '' && !Number.isNaN(Date.parse(text));

function Backfill({ row, path, ...rest }) {
	const [from, setFrom] = useState('');
	const [to, setTo] = useState('');
	const iso = (text) => (isTime(text) ? new Date(text).toISOString() : '');
	return html`<${PlainAct} title=${`Backfill · ${nameOf(row)}`} verb="Backfill" reasoned ready=${isTime(from) && isTime(to)}
		hint="Each planned time from the first to the second starts a saga; a time that has started one already does not do so again."
		path=${`${path}/backfill`} body=${{ from: iso(from), to: iso(to) }}
		command=${`skald schedule backfill ${quote(nameOf(row))} --from ${quote(iso(from) || 'TIME')} --to ${quote(iso(to)
			|| 'TIME')}`} ...${rest}><div class="fields">
		<${Field} label="From, as in 2026-01-31T12:00:00Z"><input class="input" name="from" data-autofocus value=${from}
			onInput=${(event) => setFrom(event.target.value)} /></${Field}>
		<${Field} label="To"><input class="input" name="to" value=${to}
			onInput=${(event) => setTo(event.target.value)} /></${Field}></div></${PlainAct}>`;
}

/* "12 started, 1 skipped" */
const soFar = (row) => Object.entries(row.counts ?? {}).filter(([, n]) => n > 0).map(([what, n]) =>
	`${count(n)} ${what}`).join(', ') || html`<span class="faint">none of its times has come</span>`;

/* The time of day there, for whoever reads it elsewhere; '' for a zone that this browser does not know. */
function inZone(time, zone) {
	try {
		return new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' }).format(new Date(time));
	} catch {
		return '';
	}
}

const ACTS = {
	pause: ['Pause', 'Its times pass without a start until it is resumed.', 'Paused.'],
	resume: ['Resume', 'Its times start sagas again; those that passed meanwhile are not made up for.', 'Resumed.'],
	trigger: ['Start now', 'Starts a saga now, whatever is open.', 'It is about to start.'],
};

export function Schedule({ definition, entry }) {
	const path = at('schedules', definition, entry);
	const { data: row, error, reload } = useResource(path);
	const [act, setAct] = useState(null);
	useEvery(reload);
	if (!row)
		return html`<${Page} title=${`${definition}/${entry}`}><${Problem} error=${error} onRetry=${reload} />
			${!error && html`<${Skeleton} rows=${6} />`}</${Page}>`;
	const done = (words) => () => {
		toast(words);
		reload();
	};
	const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
	const back = html`<a class="back" href=${link('/schedules')}><${Icon} name="left" />Schedules</a>`;
	return html`<${Page} title=${nameOf(row)} actions=${html`${back}
		<${Button} icon=${row.paused ? 'play' : 'pause'} onClick=${() => setAct(row.paused ? 'resume' : 'pause')}>
			${row.paused ? 'Resume' : 'Pause'}</${Button}>
		<${Button} onClick=${() => setAct('trigger')}>Start now</${Button}>
		<${Button} onClick=${() => setAct('backfill')}>Backfill</${Button}>`}>
		<${Problem} error=${error} />
		${row.problem && html`<div class="notice tone-bad" role="alert"><${Icon} name="attention" /><span>${row.problem}
			</span></div>`}
		${row.paused && html`<div class="notice tone-hold"><${Icon} name="pause" /><span>Paused${row.by ? ` by ${row.by}`
			: ''}${row.pause_reason ? `: ${row.pause_reason}` : '.'}</span></div>`}
		<div class="two"><${Panel} title="What it does" more=${html`<${State} row=${row} />`}><div class="panel-body">
		<dl class="facts"><dt>Starts</dt><dd><a href=${link(at('definitions', row.definition))}>${row.definition}</a></dd>
		<dt>When</dt><dd><code>${row.schedule}</code></dd><dt>Time zone</dt><dd>${row.time_zone}</dd>
		<dt>Overlap</dt><dd>${row.overlap}</dd><dt>Catch-up</dt><dd>${row.catch_up}</dd>
		<dt>Last</dt><dd><${Last} row=${row} /></dd>
		${row.triggered && html`<dt>Asked for</dt><dd><${Triggered} row=${row} /></dd>`}
		${row.running && html`<dt>Running</dt><dd><a class="mono" href=${link(at('sagas', row.running))}>${row.running}</a></dd>`}
		${row.queued && html`<dt>Queued</dt><dd>its time of <${At} at=${row.queued} /> waits for that to end</dd>`}
		${row.backfill && html`<dt>Backfill</dt><dd>on the way to <${At} at=${row.backfill.to} /></dd>`}
		<dt>So far</dt><dd>${soFar(row)}</dd></dl></div></${Panel}>
		<${Panel} title="The next times"><div class="panel-body">${row.paused ? html`<p class="faint">None while it is paused.</p>`
			: html`<ol class="plain-list">${(row.next ?? []).map((time) => html`<li key=${time}><time class="num" datetime=${time}
				>${exact(time)}</time>${row.time_zone !== here && html`<span class="faint"> · ${inZone(time, row.time_zone)} in
				${' '}${row.time_zone}</span>`}</li>`)}</ol>`}</div></${Panel}></div>
		${act === 'backfill' && html`<${Backfill} row=${row} path=${path} onClose=${() => setAct(null)}
			onDone=${done('Backfill has begun.')} />`}
		${ACTS[act] && html`<${PlainAct} title=${`${ACTS[act][0]} · ${nameOf(row)}`} verb=${ACTS[act][0]} reasoned hint=${ACTS[act][1]}
			path=${`${path}/${act}`} command=${`skald schedule ${act} ${quote(nameOf(row))}`} onClose=${() => setAct(null)}
			onDone=${done(ACTS[act][2])} />`}</${Page}>`;
}
