/* The cluster: which nodes are there, and who has how many slots. */
import { html, useEffect } from '../h.js';
import { count } from '../format.js';
import { Icon } from '../icons.js';
import { useResource } from '../resource.js';
import { Table } from '../table.js';
import { Ago, Empty, Page, Problem, Skeleton } from '../ui.js';

function Alive({ row }) {
	const [tone, icon, words] = !row.alive ? ['bad', 'cross', 'gone'] : row.draining ? ['undo', 'clock', 'draining'] :
		['good', 'check', 'alive'];
	return html`<span class=${`badge tone-${tone}`}><${Icon} name=${icon} />${words}</span>`;
}

function Share({ slots, all }) {
	return html`<span class="share"><svg width="96" height="8" aria-hidden="true"><rect class="share-all" width="96"
		height="8" rx="4" /><rect class="share-own"
		width=${all ? Math.round(96 * slots / all) : 0} height="8" rx="4" /></svg><span class="num">${count(slots)}</span>
			</span>`;
}

export function Nodes() {
	const { data, error, reload } = useResource('/nodes');
	useEffect(() => {
		const timer = setInterval(() => document.hidden || reload(), 3000);
		return () => clearInterval(timer);
	}, [reload]);
	const columns = [
		{ id: 'id', title: 'Node', cell: (row) => html`<span><code>${row.id}</code>
			${row.self && html` <span class="count">this one</span>`}</span>` },
		{ id: 'alive', title: 'State', class: 'w-12', cell: (row) => html`<${Alive} row=${row} />` },
		{ id: 'slots', title: 'Slots', class: 'w-20', cell: (row) =>
			html`<${Share} slots=${row.slots} all=${data.slots} />` },
		{ id: 'address', title: 'Address', class: 'w-24', narrow: false, cell: (row) => row.address },
		{ id: 'version', title: 'Version', class: 'w-10', narrow: false, cell: (row) => row.version },
		{ id: 'renewed', title: 'Lease renewed', class: 'w-12 num', narrow: false, cell: (row) =>
			html`<${Ago} at=${row.renewed_at} />` },
		{ id: 'started', title: 'Started', class: 'w-10 num', narrow: false, cell: (row) =>
			html`<${Ago} at=${row.started_at} />` },
	];
	return html`<${Page} title="Cluster" count=${data?.nodes.length || null}>
		<${Problem} error=${error} onRetry=${reload} />
		${!data ? !error && html`<${Skeleton} rows=${4} />` : html`
			${data.slots_unowned > 0 && html`<div class="notice tone-bad"><${Icon} name="attention" /><span><b class="num">
				${data.slots_unowned}</b> of ${data.slots} slots have no owner:
				their sagas stand still until a node takes them.</span></div>`}
			${data.nodes.length === 0 ?
				html`<${Empty} icon="nodes"
				title="This server is alone.">Its store belongs to one process, which owns all ${data.slots} slots.</${Empty}>`
				: html`<${Table} label="Nodes" columns=${columns} rows=${data.nodes} />`}`}</${Page}>`;
}
