/*
 * The timeline: a lane for each action, its attempts, back-offs and waits, and in the same lane its
 * undo. Drawn in SVG to the width of the page; a table with the same stands below it.
 */
import { html, useEffect, useMemo, useRef, useState } from '../h.js';
import { exact, useNow } from '../format.js';
import { at as path, link, go, useQuery } from '../router.js';
import { Empty, Skeleton } from '../ui.js';
import { isEnded } from './ledger.js';
import { clock, duration } from './time.js';
import { scale, tableOf, timeline } from './timeline.js';

const LANE = 26, BAR = 12, HEAD = 30, LANES_MOST = 400, TABLE_MOST = 500;
const KINDS = { attempt: 'attempt', backoff: 'back-off', wait: 'wait', parked: 'waits for a person' };

/* Rows of actions and of their undo in one lane each. */
function lanesOf(model) {
	const lanes = new Map();
	for (const row of model.rows) {
		const name = row.item === null ? row.step : `${row.step}[${row.item}]`;
		const lane = lanes.get(name) ?? { name, bars: [] };
		lane.bars.push(...row.bars.map((bar) => ({ ...bar, undo: row.undo })));
		lanes.set(name, lane);
	}
	return [...lanes.values()];
}

function useWidth(ref) {
	const [width, setWidth] = useState(800);
	useEffect(() => {
		if (!ref.current)
			return undefined;
		const observer = new ResizeObserver(([entry]) => setWidth(Math.max(240, Math.round(entry.contentRect.width))));
		observer.observe(ref.current);
		return () => observer.disconnect();
	}, [ref.current]);
	return width;
}

function Bar({ bar, x, y, saga }) {
	const from = x(bar.from), width = Math.max(3, x(bar.to) - from);
	const top = y + (LANE - BAR) / 2;
	const words = `${bar.undo ? 'undo: ' : ''}${bar.text ??
		KINDS[bar.kind]} — ${clock(bar.from)}, ${duration(bar.to - bar.from)}${bar.open ? ' so far' : ''}`;
	const thin = bar.kind === 'backoff' || bar.kind === 'wait';
	return html`<g class=${`t-bar ${bar.kind} tone-${bar.tone}${bar.undo ? ' back' : ''}${bar.open ? ' open' : ''}`}
		onClick=${() => go(link(path('sagas', saga), { tab: 'history', at: bar.seq }))}><title>${words}</title>
		<rect class="t-hit" x=${from} y=${y} width=${Math.max(8, width)} height=${LANE} />
		${thin ? html`<line x1=${from} x2=${from + width} y1=${top + BAR / 2} y2=${top + BAR / 2} />`
			: html`<rect x=${from} y=${top} width=${width} height=${BAR} rx="3" />`}</g>`;
}

function Drawing({ model, lanes, kind, now, saga }) {
	const frame = useRef(null);
	const width = useWidth(frame);
	const pad = 8;
	const { place, ticks } = useMemo(() => scale(model, kind, now), [model, kind]);
	const x = (at) => pad + place(at) * (width - pad * 2);
	const height = HEAD + lanes.length * LANE + 8;
	const marks = ticks(Math.min(0.5, 84 / width));
	const first = model.from;
	return html`<div class="t-frame"><div class="t-names" aria-hidden="true">
		${lanes.map((lane) => html`<div key=${lane.name} class="t-name cut" title=${lane.name}>${lane.name}</div>`)}</div>
		<div class="t-draw" ref=${frame}><svg class="timeline" width=${width} height=${height}
			viewBox=${`0 0 ${width} ${height}`} role="img"
			aria-label=${`Timeline of ${lanes.length} actions from ${exact(model.from)} to ${exact(model.to)}, as in the table below`}>
			${lanes.map((lane, i) => i % 2 === 0 && html`<rect key=${lane.name} class="t-stripe" x="0" y=${HEAD + i * LANE}
				width=${width} height=${LANE} />`)}
			${marks.map((tick) => html`<g key=${tick.at} class="t-tick"><line x1=${x(tick.at)} x2=${x(tick.at)} y1=${HEAD - 6}
				y2=${height} />
				<text x=${x(tick.at) > width - 50 ? width - pad : Math.max(pad, x(tick.at))} y="14"
					text-anchor=${x(tick.at) > width - 50 ? 'end' : 'start'}>${tick.at === first ? clock(tick.at).slice(0, 8) :
					`+${duration(tick.at - first)}`}</text></g>`)}
			${model.marks.map((mark, i) => html`<g key=${i} class=${`t-mark tone-${mark.tone}`}><title>
				${`${mark.text} — ${clock(mark.at)}`}</title>
				<line x1=${x(mark.at)} x2=${x(mark.at)} y1=${HEAD - 8} y2=${height} /><circle cx=${x(mark.at)} cy=${HEAD - 8}
					r="3.5" /></g>`)}
			${lanes.map((lane, i) => html`<g key=${lane.name}>
				${lane.bars.map((bar, n) => html`<${Bar} key=${n} bar=${bar} x=${x} y=${HEAD + i * LANE} saga=${saga} />`)}</g>`)}
			${now > model.from && now < model.to && html`<line class="t-now" x1=${x(now)} x2=${x(now)} y1=${HEAD - 8}
				y2=${height} />`}
		</svg></div></div>`;
}

function Legend() {
	const items = [['attempt tone-good', 'attempt'], ['attempt tone-good back', 'undo'],
		['backoff tone-undo', 'back-off'], ['wait tone-wait', 'wait'], ['parked tone-bad', 'waits for a person']];
	return html`<ul class="t-legend" aria-label="Legend">
		${items.map(([cls, words]) => html`<li key=${words}><svg class="timeline" width="22" height="12" aria-hidden="true">
		<g class=${`t-bar ${cls}`}>
		${/backoff|wait/.test(cls) ? html`<line x1="0" x2="22" y1="6" y2="6" />` :
			html`<rect x="1" y="1" width="20" height="10" rx="3" />`}</g></svg>${words}</li>`)}</ul>`;
}

function TextTable({ model }) {
	const [open, setOpen] = useState(false);
	const lines = useMemo(() => (open ? tableOf(model) : []), [open, model]);
	return html`<details class="as-table" onToggle=${(event) => setOpen(event.target.open)}>
		<summary>The same as a table</summary>
		${open && html`<div class="scroll-x" tabindex="0" role="region" aria-label="Timeline as a table">
			<table class="plain"><thead><tr><th scope="col">Action</th><th scope="col">Side</th><th scope="col">What</th>
			<th scope="col">From</th><th scope="col">For</th><th scope="col">Result</th></tr></thead>
		<tbody>${lines.slice(0, TABLE_MOST).map((line, i) => html`<tr key=${i}><th scope="row">
			${line.item === null ? line.step : `${line.step}[${line.item}]`}</th><td>${line.undo ? 'undo' : 'do'}</td>
			<td>${KINDS[line.kind]}${line.attempt ? ` ${line.attempt}` : ''}</td><td class="num">
				${clock(line.from, model.from)}</td><td class="num">${duration(line.to - line.from)}${line.open ? ' so far' : ''}
				</td><td>${line.text ?? ''}</td></tr>`)}</tbody></table>
		${lines.length > TABLE_MOST &&
			html`<p class="faint">The first ${TABLE_MOST} of ${lines.length}; the history has all.</p>`}</div>`}</details>`;
}

export function Timeline({ data, at }) {
	const { history, saga } = data;
	const [kind, setKind] = useQuery('scale', 'squeezed');
	const [all, setAll] = useState(false);
	const tick = useNow();
	const ended = isEnded(saga) && !at;
	const now = ended ? Date.parse(saga.ended_at) : at ? Date.parse(saga.updated_at) : tick;
	const model = useMemo(() => {
		const entries = at ? history.entries.filter((entry) => entry.seq <= at) : history.entries;
		return timeline(entries, now);
	}, [history.version, at, ended ? 0 : now]);
	const lanes = useMemo(() => lanesOf(model), [model]);
	if (!history.whole && history.entries.length === 0)
		return html`<${Skeleton} rows=${6} />`;
	if (lanes.length === 0)
		return html`<${Empty} icon="clock" title="No action has begun yet." />`;
	const shown = all ? lanes : lanes.slice(0, LANES_MOST);
	return html`<section class="panel timeline-panel" aria-label="Timeline"><div class="t-bar-top">
		<div class="segments" role="group" aria-label="Time axis">
		<button type="button" aria-pressed=${kind === 'squeezed' ? 'true' : 'false'} onClick=${() => setKind(null)}
			title="Long quiet stretches take less room">Squeezed</button>
		<button type="button" aria-pressed=${kind === 'true' ? 'true' : 'false'} onClick=${() => setKind('true')}
			title="In proportion">True to scale</button></div><${Legend} />
		<span class="faint num push">${duration(model.to - model.from)}</span></div>
		<${Drawing} model=${model} lanes=${shown} kind=${kind === 'true' ? 'true' : 'squeezed'} now=${now} saga=${data.id} />
		${lanes.length > shown.length && html`<p class="list-end"><button type="button" class="button"
			onClick=${() => setAll(true)}>Show all ${lanes.length} actions</button></p>`}
		<${TextTable} model=${model} /></section>`;
}
