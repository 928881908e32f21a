/*
 * The graph of a saga: its steps, what each waits for, the line past which nothing is undone, and on
 * each step where it and its undo stand. One step is chosen (?step=), the arrow keys go along the
 * edges; a table with the same stands below. Drawn as well for a definition alone (book null).
 */
import { html, useEffect, useMemo, useRef } from '../h.js';
import { Icon } from '../icons.js';
import { JsonView } from '../json_view.js';
import { setQuery, useQuery } from '../router.js';
import { Button, Empty, Skeleton } from '../ui.js';
import { actionLine, kindWord, stepsOf } from './definition.js';
import { curve, layout, neighbour } from './graph.js';
import { RowMenu, Suggested } from './acts_menu.js';
import { Mark, rowTone } from './tab_ledger.js';

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function worstOf(step) {
	const order = ['bad', 'doubt', 'undo', 'run', 'wait', 'undone', 'good', 'off'];
	return step.rows.map((row) => [rowTone(row), row]).sort((a, b) => order.indexOf(a[0]) - order.indexOf(b[0]))[0];
}

/* The words below the name: what is the matter, or to whom it goes. */
function under(step, def) {
	if (!step)
		return [actionLine(def.action) || kindWord(def.action.kind)];
	const [, row] = worstOf(step);
	const undone = row.undo.status !== 'not_armed' && row.undo.status !== 'armed';
	const words = step.many ? step.counts.run.map((each) => `${each.n} ${each.word}`).join(', ') : row.run.word;
	if (row.undo.status === 'armed' && row.owed)
		return [words, 'undo owed'];
	return undone ? [words, row.undo.status === 'done' ? 'undone' : `undo ${row.undo.word}`] : [words];
}

function Node({ node, step, chosen, first, onChoose, onKey, register }) {
	const { def } = node;
	const [tone, row] = step ? worstOf(step) : ['off', null];
	const lines = under(step, def);
	const side = row && (row.undo.status === 'not_armed' || row.undo.status === 'armed') && !row.owed ? row.run :
		row?.undo;
	const words = [def.id, actionLine(def.action), ...lines, def.pivot ? 'point of no return' : '', def.undoNone ?
		'cannot be undone' : ''].filter(Boolean).join(', ');
	return html`<g class=${`g-node tone-${tone}${chosen ? ' chosen' : ''}${!step || !row.begun ? ' idle' :
		''}${def.pivot ? ' pivot' : ''}`}
		transform=${`translate(${node.x} ${node.y})`} role="button" tabindex=${chosen || first ? '0' : '-1'}
			aria-pressed=${chosen ? 'true' : 'false'} data-step=${def.id}
		ref=${(element) => register(def.id, element)} onClick=${() => onChoose(def.id)} onKeyDown=${(event) =>
			onKey(event, def.id)}>
		<title>${words}</title>
		${def.forEach && html`<rect class="g-behind" x="5" y="-5" width=${node.w} height=${node.h} rx="8" />`}
		<rect class="g-box" width=${node.w} height=${node.h} rx="8" /><rect class="g-edge" width="4" height=${node.h - 16}
			x="0" y="8" rx="2" />
		<text class="g-name" x="16" y="23">${cut(def.id, 22)}</text>
		<text class="g-under" x="16" y="41">${cut(lines.join(' · '), def.when ? 24 : 28)}</text>
		${side && html`<g transform=${`translate(${node.w - 26} 9)`} class="g-icon"><${Icon} name=${side.icon} /></g>`}
		${def.when && html`<text class="g-flag" x=${node.w - 12} y="41" text-anchor="end">if</text>`}</g>`;
}

function Chosen({ def, step, open, anew, past }) {
	if (!def)
		return html`<aside class="chosen g-chosen">
			<p class="faint pad">Choose a step to see what it does and where it stands.</p></aside>`;
	return html`<aside class="chosen g-chosen" aria-label=${`Step ${def.id}`}><header class="panel-head"><h2>${def.id}
		</h2>${def.pivot && html`<span class="badge tone-hold">pivot</span>`}</header>
		<div class="chosen-main"><dl class="facts">
			<dt>Does</dt><dd>${kindWord(def.action.kind)} ${actionLine(def.action)}</dd>
			<dt>Undo</dt><dd>${def.undo ? `${kindWord(def.undo.kind)} ${actionLine(def.undo)}` : def.undoNone ?
				'none: it cannot be undone' : 'nothing to undo'}</dd>
			<dt>Waits for</dt><dd>${def.needs.join(', ') || 'nothing'}</dd>
			${def.when && html`<dt>Only when</dt><dd><code>${def.when}</code></dd>`}
			${def.tolerate && html`<dt>Failure</dt><dd>is tolerated</dd>`}</dl>
		${anew && html`<p class="buttons"><${Button} kind="small" icon="retry"
			onClick=${() => open({ act: 'retry', from: def.id })}>Begin anew from here</${Button}></p>`}
		${step && (step.rows.length <= 20 ? step.rows : [worstOf(step)[1]]).map((row) =>
			html`<div key=${row.item} class="g-row">
			<p class="row wrap">${row.item !== null && html`<b class="num">[${row.item}]</b>`}<${Mark} ...${row.run}>
				${row.run.word}</${Mark}>${row.undo.status !== 'not_armed' && html`<${Mark} ...${row.undo}>
				${row.undo.status === 'armed' ? row.undo.word : `undo ${row.undo.word}`}</${Mark}>`}
				<span class="push"><${RowMenu} row=${row} open=${open} /></span></p>
			${(row.undo.error ?? row.run.error) && html`<p class="next-why">
				${(row.undo.error ?? row.run.error).code}: ${(row.undo.error ?? row.run.error).message}</p>`}
			${!past && html`<${Suggested} row=${row} side=${row.needs ?? (row.undo.status === 'backing_off' ? 'undo' : 'run')}
				open=${open} />`}</div>`)}
		${step && step.rows.length > 20 && html`<p class="faint">and ${step.rows.length - 1} more items, in the ledger</p>`}
		${step?.output !== null && step?.output !== undefined && html`<h3>Output</h3><${JsonView} value=${step.output}
			open=${2} label="Output" />`}</div></aside>`;
}

export function GraphDrawing({ steps, book, chosen, onChoose, label }) {
	const graph = useMemo(() => layout(steps), [steps]);
	const elements = useRef(new Map());
	const states = useMemo(() => new Map((book?.steps ?? []).map((step) => [step.id, step])), [book]);
	const register = (id, element) => (element ? elements.current.set(id, element) : elements.current.delete(id));
	const key = (event, id) => {
		const to = event.key === 'Enter' || event.key === ' ' ? id : neighbour(graph.nodes, id, event.key);
		if (!to)
			return;
		event.preventDefault();
		event.stopPropagation();
		onChoose(to);
		elements.current.get(to)?.focus();
	};
	const gone = (edge) => ['completed', 'skipped', 'failed'].includes(states.get(edge.from)?.status) &&
		states.get(edge.to)?.status !== 'pending';
	return html`<div class="g-scroll" tabindex="0" role="region" aria-label=${label}>
		<svg class="graph" width=${graph.width} height=${graph.height} viewBox=${`0 0 ${graph.width} ${graph.height}`}
		role="group" aria-label=${label}>
		<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
			<path class="g-arrow" d="M0 0.5 L7 4 L0 7.5" /></marker></defs>
		${graph.pivotY !== null && html`<g class="g-line"><line x1="0" x2=${graph.width} y1=${graph.pivotY}
			y2=${graph.pivotY} /><text x=${graph.width - 8} y=${graph.pivotY - 6} text-anchor="end">point of no return</text>
			</g>`}
		${graph.apartY !== null && html`<g class="g-line apart"><line x1="0" x2=${graph.width} y1=${graph.apartY}
			y2=${graph.apartY} /><text x=${graph.width - 8} y=${graph.apartY - 6} text-anchor="end">when all is undone</text>
			</g>`}
		${graph.edges.map((edge) =>
			html`<path key=${`${edge.from} ${edge.to}`} class=${`g-path${gone(edge) ? ' done' : ''}`} d=${curve(edge.points)}
			marker-end="url(#arrow)" />`)}
		${graph.nodes.map((node, i) => html`<${Node} key=${node.id} node=${node} step=${states.get(node.id)}
			chosen=${chosen === node.id} first=${i === 0 && !chosen} onChoose=${onChoose} onKey=${key} register=${register} />`)}
	</svg></div>`;
}

/* The graph as a table, for who does not see it, and for who likes tables. */
export function GraphTable({ steps, book }) {
	const states = new Map((book?.steps ?? []).map((step) => [step.id, step]));
	return html`<details class="as-table"><summary>The same as a table</summary><div class="scroll-x" tabindex="0"
		role="region" aria-label="Graph as a table"><table class="plain"><thead><tr><th scope="col">Step</th>
		<th scope="col">Does</th><th scope="col">Undo</th><th scope="col">Waits for</th>
		${book && html`<th scope="col">Stands</th>`}<th scope="col">Notes</th></tr></thead><tbody>
			${steps.map((def) => html`<tr key=${def.id}><th scope="row">${def.id}</th><td>${actionLine(def.action) ||
			kindWord(def.action.kind)}</td>
			<td>${def.undo ? actionLine(def.undo) : def.undoNone ? 'none' : '–'}</td><td>${def.needs.join(', ') || '–'}</td>
				${book && html`<td>${states.has(def.id) ? under(states.get(def.id), def).join(', ') : ''}</td>`}
			<td>${[def.pivot && 'point of no return', def.when && 'conditional', def.forEach && 'for each', def.repeat &&
				'repeated', def.tolerate && 'may fail', def.onCompensated && 'when all is undone'].filter(Boolean).join(', ')}
				</td></tr>`)}</tbody></table></div></details>`;
}

export function Graph({ data, book, open, past }) {
	const [chosen] = useQuery('step');
	const steps = useMemo(() => stepsOf(data.doc), [data.doc]);
	if (!data.doc)
		return html`<${Skeleton} rows=${8} />`;
	if (steps.length === 0)
		return html`<${Empty} icon="definitions" title="The definition has no steps." />`;
	const def = steps.find((each) => each.id === chosen);
	/* A saga on its way back can be turned round. */
	const anew = !past && def && !def.onCompensated && ['compensating', 'compensation_failed'].includes(data.saga.status);
	return html`<div class="with-chosen"><section class="panel graph-panel" aria-label="Graph">
		<${GraphDrawing} steps=${steps} book=${book} chosen=${chosen} label="Steps and what they wait for"
		onChoose=${(id) => setQuery({ step: id })} />
		<${GraphTable} steps=${steps} book=${book} /></section>
		<${Chosen} def=${def} anew=${anew} step=${book.steps.find((step) => step.id === chosen)}
			open=${open} past=${past} /></div>`;
}
