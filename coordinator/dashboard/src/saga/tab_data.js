/* Data: the input, the output, and the output of each step, to be read, searched and copied. */
import { html, useMemo } from '../h.js';
import { Icon } from '../icons.js';
import { JsonView, countHits } from '../json_view.js';
import { useQuery } from '../router.js';
import { Copy, Empty } from '../ui.js';

/* What is large is folded at first. */
const LARGE = 4096;

function Part({ title, value, find }) {
	const text = useMemo(() => JSON.stringify(value, null, 2), [value]);
	return html`<section class="panel data-part" aria-label=${title}><header class="panel-head"><h2>${title}</h2>
		<span class="faint num">${text.length > 1024 ? `${(text.length / 1024).toFixed(1)} KiB` : `${text.length} bytes`}
		<${Copy} text=${text} label=${`Copy ${title}`}><span></span></${Copy}></span></header><div class="panel-body">
			<${JsonView} value=${value} find=${find} open=${text.length > LARGE ? 1 : 2} label=${title} /></div></section>`;
}

export function Data({ saga }) {
	const [find, setFind] = useQuery('d');
	const parts = useMemo(() => {
		const list = [['Input', saga.input]];
		if (saga.output !== null && saga.output !== undefined)
			list.push(['Output', saga.output]);
		for (const step of saga.steps ?? [])
			if (step.output !== null && step.output !== undefined)
				list.push([`Output of ${step.id}`, step.output]);
		for (const signal of saga.signals ?? [])
			list.push([`Signal ${signal.name ?? ''}`, signal.value ?? signal]);
		return list;
	}, [saga]);
	const hits = useMemo(() => parts.map(([, value]) => countHits(value, find)), [parts, find]);
	const shown = parts.map((part, i) => [...part, hits[i]]).filter((part) => !find || part[2] > 0);
	return html`<div><div class="panel find-bar"><div class="h-bar"><div class="h-find"><${Icon} name="search" />
		<input class="input" type="search" placeholder="Search names and values" aria-label="Search the data" value=${find}
		onInput=${(event) => setFind(event.target.value)} /></div><span class="faint num h-count" role="status">
			${find ? `${hits.reduce((a, b) => a + b, 0)} found` : ''}</span></div></div>
		${shown.length === 0 ? html`<${Empty} icon="search" title="Nothing fits." />` : html`<div class="data-parts">
			${shown.map(([title, value]) => html`<${Part} key=${title} title=${title} value=${value} find=${find}
			/>`)}</div>`}</div>`;
}
