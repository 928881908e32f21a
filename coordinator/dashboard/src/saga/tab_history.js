/*
 * The history: every event, in a list that is as fast with 20,000 as with 20. Three ways to read it:
 * compact (a line each), full (with its fields), JSON (a row as it is stored). Choosing an event shows
 * what it changed, and the whole page as it was after it.
 */
import { html, useEffect, useMemo, useRef, useState } from '../h.js';
import { Icon } from '../icons.js';
import { JsonView } from '../json_view.js';
import { useResource } from '../resource.js';
import { at as path, setQuery, useQuery } from '../router.js';
import { Button, Copy, Problem, Skeleton } from '../ui.js';
import { Virtual } from '../virtual.js';
import { pathText, stateDiff } from './diff.js';
import { fieldText, fields, filter, mark, say } from './history.js';
import { isEnded } from './ledger.js';
import { clock, day, duration } from './time.js';

const LINE = 28, FIELD = 18, PAD = 10, JSON_LINES = 24;

const MODES = [['compact', 'Compact'], ['full', 'Full'], ['json', 'JSON']];

const short = (value) => {
	const text = value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value);
	return text.length > 400 ? `${text.slice(0, 400)} …` : text;
};

/* What the row `at` has changed of the state. */
export function Changed({ data, at }) {
	const after = useResource(path('sagas', data.id), { at });
	const before = useResource(at > 1 ? path('sagas', data.id) : null, { at: at - 1 });
	const list = useMemo(() => (after.data && (at === 1 || before.data) ? stateDiff(before.data ?? null, after.data) :
		null),
		[after.data, before.data, at]);
	if (after.error || before.error)
		return html`<${Problem} error=${after.error ?? before.error} />`;
	if (!list)
		return html`<${Skeleton} rows=${4} />`;
	if (list.length === 0)
		return html`<p class="faint pad">Nothing that is shown of the state.</p>`;
	return html`<div class="changed" role="region" aria-label=${`What event ${at} changed`} tabindex="0">
		<table class="changes"><thead><tr><th scope="col">What</th><th scope="col">Before</th><th scope="col">After</th>
		</tr></thead>
		<tbody>${list.map((each, i) => html`<tr key=${i}><th scope="row">${pathText(each.path)}</th>
			<td class="was">${short(each.before)}</td><td class="is">${short(each.after)}</td></tr>`)}</tbody></table></div>`;
}

function Chosen({ data, at, open }) {
	const row = data.history.rows[at - 1];
	const ended = data.present && isEnded(data.present);
	const resettable = data.present && at < data.head && !data.present.continued_by;
	return html`<aside class="chosen" aria-label=${`Event ${at}`}>
		<header class="panel-head"><h2>Event ${at}</h2>${row && html`<time class="num muted" datetime=${row.at}>
			${day(Date.parse(row.at))} ${clock(Date.parse(row.at))}</time>`}</header>
		<div class="chosen-main">${resettable && html`<p class="buttons"><${Button} kind="small" icon="left"
			onClick=${() => open({ act: 'reset', to: at, ended })}>${ended ? 'A new run from here' : 'Reset the saga to here'}
			</${Button}></p>`}
		<h3>What it changed</h3><${Changed} key=${at} data=${data} at=${at} />
		${row && html`<h3>As it is stored <${Copy} text=${JSON.stringify(row, null, 2)} label="Copy the row"><span></span>
			</${Copy}></h3><${JsonView} key=${`json${at}`} value=${row} open=${3} label=${`Row ${at}`} />`}</div></aside>`;
}

const jsonLines = new WeakMap();
function jsonOf(row) {
	let lines = jsonLines.get(row);
	if (!lines)
		jsonLines.set(row, lines = JSON.stringify(row, null, 2).split('\n'));
	return lines;
}

function Line({ entry, start }) {
	const [tone, icon] = mark(entry.event);
	return html`<div class="h-line"><time class="h-time num" title=${`${duration(entry.at - start)} after the start`}>
		${clock(entry.at)}</time>
		<span class="h-seq num">${entry.first ? entry.seq : ''}</span>
		<span class=${`h-mark tone-${tone}`}><${Icon} name=${icon} /></span>
		<span class="h-text" title=${say(entry.event, entry.at)}>${say(entry.event, entry.at)}</span></div>`;
}

function Full({ entry, start }) {
	return html`<${Line} entry=${entry} start=${start} /><div class="h-fields"><div class="h-field">
		<span class="h-name">type</span><span class="h-value">${entry.event.type}</span></div>
		${fields(entry.event).map(([name, value]) => html`<div key=${name} class="h-field"><span class="h-name">${name}
			</span><span class="h-value">${fieldText(name, value, entry.at).slice(0, 1000)}</span></div>`)}</div>`;
}

function Row({ row }) {
	const lines = jsonOf(row);
	return html`<pre class="h-json">${lines.slice(0, JSON_LINES).join('\n')}${lines.length > JSON_LINES ?
		`\n… ${lines.length - JSON_LINES} more lines: choose it to see all` : ''}</pre>`;
}

/* What the list shows: entries, or in JSON rows (those of which an event fits). */
function useLines(history, query, mode) {
	return useMemo(() => {
		const entries = filter(history.entries, query);
		if (mode !== 'json')
			return entries.map((entry) => ({ entry, seq: entry.seq, i: entry.i }));
		const seen = new Set();
		return entries.filter((entry) => !seen.has(entry.seq) && seen.add(entry.seq))
			.map((entry) => ({ row: entry.row, seq: entry.seq, i: entry.i }));
	}, [history.version, query, mode]);
}

export function History({ data, at, open }) {
	const { history } = data;
	const [query, setFilter] = useQuery('f');
	const [mode, setMode] = useQuery('view', 'compact');
	const lines = useLines(history, query, mode);
	const handle = useRef(null);
	const [end, setEnd] = useState(true);
	const seen = useRef(0);
	const [chosen, setChosen] = useState(-1);
	const start = history.entries[0]?.at ?? 0;
	if (end)
		seen.current = lines.length;
	/* Back and forward, and the keys [ and ], choose by the address. */
	const active = useMemo(() => {
		if (!at)
			return -1;
		return lines[chosen]?.seq === at ? chosen : lines.findIndex((line) => line.seq === at);
	}, [at, lines, chosen]);
	const heights = (i) => {
		const line = lines[i];
		if (mode === 'json')
			return Math.min(JSON_LINES + 1, jsonOf(line.row).length) * FIELD + PAD * 2;
		return mode === 'full' ? LINE + (fields(line.entry.event).length + 1) * FIELD + PAD : LINE;
	};
	const choose = (i) => {
		setChosen(i);
		setQuery({ at: lines[i].seq });
	};
	useEffect(() => {
		if (active >= 0)
			handle.current?.show(active);
	}, [lines.length > 0]);
	const fresh = lines.length - seen.current;

	return html`<div class=${`history${at ? ' with-chosen' : ''}`}>
		<section class="panel history-panel" aria-label="History"><div class="h-bar">
			<div class="h-find"><${Icon} name="filter" /><input class="input" type="search"
				placeholder="Filter: words, step:hotel, type:failed" aria-label="Filter the history"
				value=${query} onInput=${(event) => setFilter(event.target.value)} /></div>
			<div class="segments" role="group" aria-label="How to show it">
				${MODES.map(([name, words]) => html`<button key=${name} type="button" aria-pressed=${mode === name ? 'true' :
				'false'}
				onClick=${() => setMode(name === 'compact' ? null : name)}>${words}</button>`)}</div>
			<span class="faint num h-count" role="status">
				${history.loading ? `${history.entries.length} events, reading on …` : query ?
				`${lines.length} of ${history.entries.length}` : `${history.entries.length} events`}</span>
			<${Button} kind="small quiet" icon="down" onClick=${() => handle.current?.toEnd()}>End</${Button}></div>
		<${Virtual} n=${lines.length} heights=${heights} version=${`${mode} ${history.version} ${query}`} label="Events"
			active=${active} onActive=${choose} handle=${handle}
			keyOf=${(i) => lines[i].i} fromEnd=${!at} onScrolled=${setEnd}
			render=${(i) => (mode === 'json' ? html`<${Row} row=${lines[i].row} />` : mode === 'full' ?
				html`<${Full} entry=${lines[i].entry} start=${start} />`
				: html`<${Line} entry=${lines[i].entry} start=${start} />`)} />
		${fresh > 0 && !end && html`<div class="h-fresh"><button type="button" class="button small primary"
			onClick=${() => handle.current?.toEnd()}>${fresh} new <${Icon} name="down" /></button></div>`}
		</section>
		${at && html`<${Chosen} data=${data} at=${at} open=${open} />`}</div>`;
}
