/*
 * A list of sagas that is live without moving: rows that are shown get their new status in place,
 * rows that are new wait behind a bar until they are asked for, and rows that match no more stay,
 * dimmed. The list is read page by page; a page may be short when the server has looked at as much as
 * it may in one go, and then says where to go on.
 */
import { html, useEffect, useRef, useState } from '../h.js';
import { get, namespace } from '../api.js';
import { count } from '../format.js';
import { useKeys } from '../keys.js';
import { overview } from '../live.js';
import { at, link } from '../router.js';
import { More, Table } from '../table.js';
import { Ago, Badge, Button, Empty, Key, Kind, Problem, Skeleton, useThrottled } from '../ui.js';

const PAGE = 100;
const REFRESH_MOST = 500;
const SHORT_PAGES_MOST = 4;
const REFRESH_MS = 2000;

const COLUMNS = {
	saga: { id: 'saga', title: 'Saga', cell: (row) => html`<a href=${link(at('sagas', row.id))}>${row.saga}</a>
		${row.key && html`<span class="key-text">${row.key}</span>`}
		<span class="under only-narrow"><${Badge} status=${row.status} /><span class="cut">${row.attention ?? ''}</span></span>` },
	status: { id: 'status', title: 'Status', class: 'w-status', narrow: false,
		cell: (row) => html`<${Badge} status=${row.status} />` },
	attention: { id: 'attention', title: 'Needs a person because', class: 'w-p30', narrow: false, cell: (row) => row.attention
		&& html`${row.attention_detail && html`<${Kind} kind=${row.attention_detail.kind} />${' '}`}<span class="muted"
			title=${row.attention}>${row.attention}</span>` },
	id: { id: 'id', title: 'Id', class: 'w-30', narrow: false, cell: (row) => html`<code class="faint">${row.id}</code>` },
	version: { id: 'version', title: 'V', class: 'w-4 num', narrow: false, cell: (row) => html`<span
		class="faint">${row.version}</span>` },
	owner: { id: 'owner', title: 'Owner', class: 'w-8', narrow: false, cell: (row) => row.owner
		?? html`<span class="faint">–</span>` },
	updated: { id: 'updated', title: 'Changed', class: 'w-8 num', narrow: false,
		cell: (row) => html`<${Ago} at=${row.updated_at} bare />` },
	started: { id: 'started', title: 'Started', class: 'w-8 num', cell: (row) => html`<${Ago} at=${row.started_at} bare />` },
};

/* Pages from `cursor` on until there are rows enough, or the end, or so many were short. */
async function read(q, cursor, limit, signal, most = SHORT_PAGES_MOST) {
	const rows = [];
	let next = cursor;
	for (let i = 0; i < most; i++) {
		const answer = await get('/sagas', { q, limit: Math.max(1, limit - rows.length), cursor: next }, { signal });
		rows.push(...answer.sagas);
		next = answer.next;
		if (!next || rows.length >= limit)
			break;
	}
	return { rows, next };
}

/* dry: the server has looked far and found nothing; it goes on when it is asked to, and not by itself. */
const EMPTY = {
	rows: null, next: null, error: null, loading: true, dry: false, fresh: 0, gone: new Set(), changed: new Set(),
};

export function useSagaList(q) {
	const [state, setState] = useState(EMPTY);
	const abort = useRef(null);
	const now = useRef(state);
	now.current = state;

	const begin = async () => {
		abort.current?.abort();
		const mine = abort.current = new AbortController();
		setState((before) => ({ ...before, loading: true, error: null }));
		try {
			const { rows, next } = await read(q, undefined, PAGE, mine.signal);
			setState({ ...EMPTY, rows, next, loading: false, dry: rows.length === 0 });
		} catch (error) {
			if (error.name !== 'AbortError')
				setState((before) => ({ ...before, error, loading: false }));
		}
	};
	const more = async () => {
		const { next, loading } = now.current;
		if (!next || loading)
			return;
		const mine = abort.current;
		setState((before) => ({ ...before, loading: true }));
		try {
			const page = await read(q, next, PAGE, mine.signal);
			setState((before) => {
				const known = new Set(before.rows.map((row) => row.id));
				return { ...before, rows: [...before.rows, ...page.rows.filter((row) => !known.has(row.id))],
					next: page.next, loading: false, dry: page.rows.length === 0 };
			});
		} catch (error) {
			if (error.name !== 'AbortError')
				setState((before) => ({ ...before, error, loading: false }));
		}
	};
	/* Reads what is shown again, and takes over what changed without moving anything. */
	const refresh = async () => {
		const shown = now.current.rows;
		const mine = abort.current;
		if (!shown || now.current.loading)
			return;
		try {
			const limit = Math.min(REFRESH_MOST, Math.max(PAGE, shown.length));
			const { rows, next } = await read(q, undefined, limit, mine.signal, 1);
			setState((before) => (before.rows === shown ? merge(before, rows, !next) : before));
		} catch {
			// The next change asks again; what is shown stays.
		}
	};
	useEffect(() => {
		setState(EMPTY);
		begin();
		return () => abort.current?.abort();
	}, [q, namespace()]);
	const soon = useThrottled(refresh, REFRESH_MS);
	useEffect(() => overview.watch(soon), []);
	return { ...state, q, show: begin, more };
}

function merge(before, rows, whole) {
	const read = new Map(rows.map((row) => [row.id, row]));
	const known = new Set(before.rows.map((row) => row.id));
	// Ids are in the order of time: what is older than the last row that was read was not looked at.
	const last = rows.at(-1)?.id;
	const changed = new Set(before.changed);
	const gone = new Set();
	const next = before.rows.map((row) => {
		const newer = read.get(row.id);
		if (!newer) {
			if (whole || (last && row.id >= last))
				gone.add(row.id);
			return row;
		}
		if (newer.updated_at !== row.updated_at)
			changed.add(row.id);
		return newer;
	});
	return { ...before, rows: next, gone, changed, fresh: rows.filter((row) => !known.has(row.id)).length };
}

export function SagaList({
	list, label = 'Sagas', columns, selected, onSelect, keys = [], empty = 'No saga matches.', children,
}) {
	const { rows, next, error, loading, dry, fresh, gone, changed, show, more } = list;
	const end = useRef(null);
	const now = useRef(more);
	now.current = more;
	useEffect(() => {
		if (!end.current || dry)
			return undefined;
		const observer = new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && now.current(),
			{ rootMargin: '600px' });
		observer.observe(end.current);
		return () => observer.disconnect();
	}, [rows?.length, next, dry]);
	// Of the list and not of its rows: there may be none yet.
	useKeys([['r', 'Show what is new, or read again', show]], { title: 'The list' });
	const news = fresh + gone.size;
	return html`<div>
		<${Problem} error=${error} onRetry=${show} />
		${news > 0 && html`<div class="more-bar" role="status"><${Button} onClick=${show}>${fresh >= PAGE ? `${PAGE}+`
			: count(news)} new or changed – show <${Key}>r</${Key}></${Button}></div>`}
		${!rows ? !error && html`<${Skeleton} rows=${10} class="list" />` : rows.length === 0 && !next
			? children ?? html`<${Empty} icon="search" title=${empty} />` : html`
			<${Table} label=${label} columns=${columns.map((id) => COLUMNS[id])} rows=${rows} selected=${selected}
				onSelect=${onSelect} href=${(row) => link(at('sagas', row.id))}
				mark=${(row) => (gone.has(row.id) ? 'gone' : changed.has(row.id) ? 'touched' : '')}
				keys=${keys} />
			${dry && next && html`<p class="list-end faint">${rows.length ? 'No more' : 'None'} so far; the server has
				${' '}looked at many sagas, and can look further back.</p>`}
			<div ref=${end}><${More} next=${next} loading=${loading} onMore=${more} shown=${count(rows.length)} what="sagas" /></div>`}
	</div>`;
}
