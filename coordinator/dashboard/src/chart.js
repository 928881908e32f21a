/*
 * Lines over time, drawn by uPlot, with the numbers in words beside it: a legend that says the sums,
 * or the values under the pointer, and a table of every point for who does not see the drawing.
 *
 *     <Chart label="…" times=${[ms]} series=${[{ label, tone, dash?, values }]} height=${160} />
 */
import uPlot from 'uplot';
import { html, useEffect, useRef, useState } from './h.js';
import { count, timeOfDay } from './format.js';

/* The colours as they are now: a canvas knows no custom properties. */
const probes = new Map();
function colour(name) {
	let probe = probes.get(name);
	if (!probe) {
		probe = document.createElement('span');
		probe.hidden = true;
		probe.style.color = `var(--${name})`;
		document.body.append(probe);
		probes.set(name, probe);
	}
	return getComputedStyle(probe).color;
}

const FONT = '11px Inter, system-ui, "DejaVu Sans", sans-serif';

function options(series, width, height, onHover) {
	const axis = {
		stroke: () => colour('faint'), font: FONT, ticks: { show: false },
		grid: { stroke: () => colour('line'), width: 1 },
	};
	return {
		width, height, padding: [8, 18, 0, 0], legend: { show: false },
		cursor: { points: { size: 6 }, y: false, drag: { setScale: false } },
		scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(4, high * 1.1)] } },
		axes: [
			{ ...axis, grid: { show: false }, space: 80, size: 22,
				values: (_, ticks) => ticks.map((t) => timeOfDay(t * 1000).slice(0, 5)) },
			{ ...axis, size: 40, space: 34, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5] },
		],
		series: [{}, ...series.map((each) => ({
			label: each.label, width: 1.5, dash: each.dash, points: { show: false },
			stroke: () => colour(each.tone),
			fill: each.fill ? () => colour(`${each.tone}-soft`) : undefined,
		}))],
		hooks: { setCursor: [(plot) => onHover(plot.cursor.idx ?? null)] },
	};
}

export function Chart({ label, times, series, height = 168 }) {
	const frame = useRef(null);
	const plot = useRef(null);
	const [hover, setHover] = useState(null);
	const data = [times.map((t) => t / 1000), ...series.map((each) => each.values)];

	useEffect(() => {
		const box = frame.current;
		const width = () => Math.max(120, Math.floor(box.clientWidth));
		const made = plot.current = new uPlot(options(series, width(), height, setHover), data, box);
		const observer = new ResizeObserver(() => width() !== made.width && made.setSize({ width: width(), height }));
		observer.observe(box);
		const redraw = () => requestAnimationFrame(() => plot.current === made && made.redraw(false));
		const scheme = matchMedia('(prefers-color-scheme: dark)');
		scheme.addEventListener('change', redraw);
		const theme = new MutationObserver(redraw);
		theme.observe(document.documentElement, { attributeFilter: ['data-theme'] });
		return () => {
			observer.disconnect();
			theme.disconnect();
			scheme.removeEventListener('change', redraw);
			plot.current = null;
			made.destroy();
		};
	}, [series.length, height]);
	useEffect(() => plot.current?.setData(data));

	const sum = (values) => values.reduce((a, b) => a + b, 0);
	const shown = hover !== null && hover < times.length ? hover : null;
	return html`<figure class="chart" aria-label=${label}>
		<div class="legend">${series.map((each) => html`<span key=${each.label} class=${`tone-${each.tone}`}>
			<svg width="18" height="8" aria-hidden="true"><line x1="0" y1="4" x2="18" y2="4" stroke="var(--tone)"
				stroke-width="2" stroke-dasharray=${each.dash?.map((n) => n * 0.8).join(' ')} /></svg>
			${each.label} <b class="num">${count(shown === null ? sum(each.values) : each.values[shown])}</b></span>`)}
			<span class="legend-when faint num">${shown === null ? 'last hour' : timeOfDay(times[shown]).slice(0, 5)}</span></div>
		<div ref=${frame} class="plot" style=${{ height: `${height}px` }} aria-hidden="true"></div>
		<details class="chart-table"><summary>As a table</summary><div class="chart-table-frame" tabindex="0" role="region"
			aria-label=${`${label}, as a table`}><table><caption class="hidden-visually">${label}</caption>
			<thead><tr><th scope="col">Minute</th>${series.map((each) => html`<th key=${each.label}
				scope="col">${each.label}</th>`)}</tr></thead>
			<tbody>${times.map((t, i) => ({ t, i })).reverse().map(({ t, i }) => html`<tr key=${t}>
				<th scope="row">${timeOfDay(t).slice(0, 5)}</th>${series.map((each) => html`<td key=${each.label}
				>${count(each.values[i])}</td>`)}</tr>`)}</tbody></table></div></details></figure>`;
}
