/*
 * One batch: how far it is, and of each saga what the act did to it and what it is now. While it runs
 * it is asked for each second; rows get their results in place.
 */
import { html, useEffect, useRef, useState } from '../h.js';
import { get, post } from '../api.js';
import { effectText } from '../bulk.js';
import { count, duration, plural } from '../format.js';
import { Icon } from '../icons.js';
import { useResource } from '../resource.js';
import { at, link, useQuery } from '../router.js';
import { More, Table } from '../table.js';
import { Ago, At, Badge, Button, Empty, Page, Problem, Skeleton, Tabs, toast, who } from '../ui.js';
import { BATCH, BATCH_ITEM } from '../words.js';
import { PARTS, Progress, actWords } from './batches.js';

const POLL_MS = 1000;
const PAGE = 200;
const goesOn = (batch) => batch.status === 'running' || batch.status === 'selecting';

const COLUMNS = [
	{ id: 'saga', title: 'Saga', class: 'w-30 grow-narrow', cell: (item) => html`<a class="mono"
		href=${link(at('sagas', item.saga))}>${item.saga}</a>
		<span class="under only-narrow"><${Badge} of=${BATCH_ITEM} status=${item.status} /><span class="cut">${item.error
		?? effectText(item.effect)}</span></span>` },
	{ id: 'status', title: 'The act', class: 'w-10', narrow: false,
		cell: (item) => html`<${Badge} of=${BATCH_ITEM} status=${item.status} />` },
	{ id: 'effect', title: 'What it did', narrow: false, cell: (item) => (item.error
		? html`<span class="refused" title=${item.error}>${item.error}</span>`
		: html`<span class="muted" title=${effectText(item.effect)}>${effectText(item.effect)}</span>`) },
	{ id: 'now', title: 'The saga now', class: 'w-status', narrow: false, cell: (item) => item.now
		&& html`<${Badge} status=${item.now.status} title=${item.now.attention} />` },
	{ id: 'at', title: 'When', class: 'w-8 num', narrow: false, cell: (item) => item.status !== 'pending'
		&& html`<${Ago} at=${item.updated_at} bare />` },
];

/* Items of a status, read page by page, and read again while the batch goes on. */
function useItems(id, status, told) {
	const [state, setState] = useState({ items: null, next: null, error: null });
	const turn = useRef(0);
	const path = `${at('batches', id)}/items`;
	const load = async (cursor) => {
		const mine = ++turn.current;
		try {
			const shown = state.items?.length ?? 0;
			const limit = cursor ? PAGE : Math.min(500, Math.max(PAGE, shown));
			const page = await get(path, { status, limit, cursor });
			if (mine !== turn.current)
				return;
			setState((before) => {
				if (cursor)
					return { items: [...before.items, ...page.items], next: page.next, error: null };
				// Pages beyond the first stay as they were read.
				const rest = (before.items ?? []).slice(page.items.length);
				const grown = page.next && rest.length > 0;
				return { items: grown ? [...page.items, ...rest] : page.items, next: grown ? before.next : page.next, error: null };
			});
		} catch (error) {
			setState((before) => ({ ...before, error }));
		}
	};
	useEffect(() => {
		setState({ items: null, next: null, error: null });
		turn.current++;
	}, [id, status]);
	useEffect(() => {
		load();
	}, [id, status, told]);
	return { ...state, more: () => load(state.next), reload: () => load() };
}

function Head({ batch, onAct }) {
	const { counts, total } = batch;
	const bad = counts.refused + counts.failed;
	const done = total - counts.pending;
	const took = (batch.ended_at ? Date.parse(batch.ended_at) : Date.now()) - Date.parse(batch.created_at);
	return html`<section class="panel group-head" aria-label="Progress"><div class="group-top">
		<${Badge} of=${BATCH} status=${batch.status} /><b class="group-n num">${count(done)}</b>
		<span class="muted">of ${plural(total, 'saga')}${batch.status === 'selecting' ? ', and it still selects' : ''}</span>
		<div class="buttons push">
			${goesOn(batch) && html`<${Button} icon="pause" onClick=${() => onAct('stop')}>Stop</${Button}>`}
			${batch.status === 'stopped' && html`<${Button} kind="primary" icon="play"
				onClick=${() => onAct('resume')}>Resume</${Button}>`}
			${bad > 0 && !goesOn(batch) && html`<${Button} icon="retry" kind=${batch.status === 'done' ? 'primary' : ''}
				onClick=${() => onAct('retry')}>Try ${count(bad)} again</${Button}>`}</div></div>
		<div class="panel-body"><${Progress} batch=${batch} thick />
			<ul class="legend">${PARTS.map(([part, tone]) => html`<li key=${part} class=${`tone-${tone}`}><span
				class=${`swatch part-${part}`}></span>${part} <b class="num">${count(counts[part])}</b></li>`)}</ul>
			<dl class="facts"><dt>Reason</dt><dd>${batch.act.reason}</dd><dt>By</dt><dd>${batch.by}</dd>
			<dt>Filter</dt><dd><a class="mono" href=${link('/sagas', { q: batch.q })}>${batch.q}</a></dd>
			<dt>Begun</dt><dd><${At} at=${batch.created_at} />${batch.ended_at && html`
				${' '}<span class="faint">(took ${duration(took)})</span>`}</dd>
			<dt>Rate</dt><dd>${batch.rate ? `${batch.rate} in a second` : 'as fast as it goes'}</dd></dl></div></section>`;
}

export function Batch({ id }) {
	const { data: batch, error, reload } = useResource(at('batches', id));
	const [status] = useQuery('status');
	const told = batch && `${batch.status} ${JSON.stringify(batch.counts)}`;
	const { items, next, error: itemsError, more, reload: again } = useItems(id, status, told);
	const [failed, setFailed] = useState(null);
	const live = batch && goesOn(batch);
	useEffect(() => {
		const timer = setInterval(() => {
			if (document.hidden)
				return;
			reload();
			// What became of the sagas goes on after the act.
			if (!live)
				again();
		}, live ? POLL_MS : POLL_MS * 4);
		return () => clearInterval(timer);
	}, [live, again]);
	const act = async (word) => {
		setFailed(null);
		try {
			await post(`${at('batches', id)}/${word}`, { by: who.get() || undefined });
			toast({ stop: 'The batch stops.', resume: 'The batch goes on.', retry: 'Those that were not done are tried again.' }[word]);
		} catch (problem) {
			setFailed(problem);
		}
		reload();
	};
	const back = html`<a class="back" href=${link('/batches')}><${Icon} name="left" />Batches</a>`;
	if (!batch)
		return html`<${Page} title="Batch" actions=${back}><${Problem} error=${error} onRetry=${reload} />
			${!error && html`<${Skeleton} rows=${8} class="tall" />`}</${Page}>`;
	return html`<${Page} title=${actWords(batch.act)} actions=${back}>
		<${Problem} error=${error ?? failed} onRetry=${reload} />
		<${Head} batch=${batch} onAct=${act} />
		<${Tabs} label="Sagas by result" current=${status} href=${(each) => link(at('batches', id), { status: each })}
			tabs=${[['', 'All', count(batch.total)], ...PARTS.map(([part]) => [part, part, count(batch.counts[part])])]} />
		<${Problem} error=${itemsError} onRetry=${again} />
		${!items ? html`<${Skeleton} rows=${8} class="list" />` : items.length === 0
			? html`<${Empty} icon="sagas" title=${batch.status === 'selecting' ? 'Its sagas are being found.' : 'None.'} />`
			: html`<${Table} label="Sagas of the batch" columns=${COLUMNS} rows=${items} rowKey=${(item) => item.saga}
				href=${(item) => link(at('sagas', item.saga))} total=${batch.total}
				keys=${[['r', 'Ask again', () => { reload(); again(); }]]} />
			<${More} next=${next} onMore=${more} shown=${count(items.length)} what="sagas" />`}</${Page}>`;
}
