/* Batches: one act on many sagas, each with how far it has come. */
import { html, useEffect, useState } from '../h.js';
import { get } from '../api.js';
import { count } from '../format.js';
import { useResource } from '../resource.js';
import { at, link } from '../router.js';
import { More, Table } from '../table.js';
import { Ago, Badge, Empty, Page, Problem, Skeleton } from '../ui.js';
import { BATCH } from '../words.js';

const POLL_MS = 3000;
export const PARTS = [['done', 'good'], ['refused', 'undo'], ['failed', 'bad'], ['pending', 'off']];

/* "Retry charge (compensation)". */
export function actWords(act = {}) {
	const outcome = act.outcome ? ` ${act.outcome.replaceAll('_', ' ')}` : '';
	const word = `${act.act ?? ''}`;
	const step = act.step ? ` ${act.compensation ? 'compensation of ' : ''}${act.step}` : '';
	return `${word.charAt(0).toUpperCase()}${word.slice(1)}${outcome}${step}`;
}

export function Progress({ batch, thick = false }) {
	const { counts, total } = batch;
	const words = PARTS.filter(([part]) => counts[part]).map(([part]) => `${count(counts[part])} ${part}`).join(', ');
	return html`<span class=${`progress${thick ? ' thick' : ''}`} role="img" aria-label=${words || 'nothing yet'} title=${words}>
		${PARTS.map(([part, tone]) => html`<span key=${part} class=${`tone-${tone} part-${part}`}
			style=${{ width: `${total ? (100 * counts[part]) / total : 0}%` }}></span>`)}</span>`;
}

const COLUMNS = [
	{ id: 'act', title: 'Act', class: 'w-p30', cell: (batch) => html`<a href=${link(at('batches', batch.id))}
		>${actWords(batch.act)}</a>` },
	{ id: 'status', title: 'Status', class: 'w-12', cell: (batch) => html`<${Badge} of=${BATCH} status=${batch.status} />` },
	{ id: 'progress', title: 'Progress', class: 'w-14', narrow: false, cell: (batch) => html`<${Progress} batch=${batch} />` },
	{ id: 'n', title: 'Sagas', class: 'w-8 num', cell: (batch) => count(batch.total) },
	{ id: 'bad', title: 'Not done', class: 'w-8 num', narrow: false, cell: (batch) => {
		const bad = batch.counts.refused + batch.counts.failed;
		return bad ? html`<span class="wrong-text">${count(bad)}</span>` : html`<span class="faint">0</span>`;
	} },
	{ id: 'why', title: 'Why', narrow: false, cell: (batch) => html`<span class="muted" title=${batch.act.reason}
		>${batch.act.reason}</span>` },
	{ id: 'by', title: 'By', class: 'w-8', narrow: false, cell: (batch) => batch.by },
	{ id: 'at', title: 'Begun', class: 'w-8 num', narrow: false, cell: (batch) => html`<${Ago} at=${batch.created_at} bare />` },
];

export function Batches() {
	const { data, error, reload } = useResource('/batches', { limit: 50 });
	const [pages, setPages] = useState([]);
	const [loading, setLoading] = useState(false);
	const running = data?.batches.some((batch) => batch.status === 'running' || batch.status === 'selecting');
	useEffect(() => {
		const timer = setInterval(() => document.hidden || reload(), running ? POLL_MS / 3 : POLL_MS);
		return () => clearInterval(timer);
	}, [running]);
	const next = pages.length ? pages.at(-1).next : data?.next;
	const more = async () => {
		setLoading(true);
		try {
			const page = await get('/batches', { limit: 50, cursor: next });
			setPages((list) => [...list, page]);
		} finally {
			setLoading(false);
		}
	};
	const seen = new Set();
	const rows = [...data?.batches ?? [], ...pages.flatMap((page) => page.batches)]
		.filter((batch) => !seen.has(batch.id) && seen.add(batch.id));
	return html`<${Page} title="Batches"
		lead="One act on many sagas. A batch goes on when a node stops, and says what came of each saga.">
		<${Problem} error=${error} onRetry=${reload} />
		${!data ? !error && html`<${Skeleton} rows=${6} class="list" />` : rows.length === 0
			? html`<${Empty} icon="batches" title="No batch has been made yet.">Select sagas, or open a reason under
				${' '}<a href=${link('/attention')}>Attention</a>, and act on all of them.</${Empty}>`
			: html`<${Table} label="Batches" columns=${COLUMNS} rows=${rows} href=${(batch) => link(at('batches', batch.id))}
				keys=${[['r', 'Ask again', reload]]} />
			<${More} next=${next} loading=${loading} onMore=${more} shown=${count(rows.length)} what="batches" />`}</${Page}>`;
}
