/*
 * The list: a real table, of which only the rows near the window are in the document, so that it is
 * as fast with 20,000 rows as with 20. It knows the keyboard (j, k, o, x) and the selection; what a
 * row holds is the columns' business.
 *
 *     columns: [{ id, title, class?, narrow?, head?, cell: (row) => … }]
 *         class   "num" (to the right), "grow", or a width like w-8 (tables.css)
 *         narrow  false: not shown on a phone
 *     rows, rowKey(row), label (of the table), href(row) (where `o` and a click lead)
 *     selected: Set of keys, onSelect(Set); without them rows cannot be selected
 *     mark(row)   a class for the row: "changed", "gone"
 *     keys: [['r', 'Retry', (row) => …]]   more keys, told of the row under the cursor
 *     keyboard    false: the page has several tables, and this one leaves the keys to another
 *     total       how many rows there are in all, where it is known (aria-rowcount)
 */
import { html, useEffect, useLayoutEffect, useRef, useState } from './h.js';
import { Icon } from './icons.js';
import { useKeys } from './keys.js';
import { go } from './router.js';

const OVERSCAN = 12;
const VIRTUAL_FROM = 80;

/* Which rows are near the window: [first, past the last, height of a row]. */
function useWindow(ref, n) {
	const [range, setRange] = useState([0, Math.min(n, VIRTUAL_FROM), 36]);
	useLayoutEffect(() => {
		if (n <= VIRTUAL_FROM)
			return undefined;
		let frame = 0;
		const look = () => {
			frame = 0;
			const body = ref.current;
			if (!body)
				return;
			const height = body.querySelector('tr[data-row]')?.getBoundingClientRect().height || 36;
			const top = body.getBoundingClientRect().top;
			const first = Math.max(0, Math.floor(-top / height) - OVERSCAN);
			const last = Math.min(n, Math.ceil((innerHeight - top) / height) + OVERSCAN);
			setRange((now) => (now[0] === first && now[1] === last && now[2] === height
				? now : [first, Math.max(last, first), height]));
		};
		const soon = () => {
			frame ||= requestAnimationFrame(look);
		};
		look();
		addEventListener('scroll', soon, { passive: true, capture: true });
		addEventListener('resize', soon);
		return () => {
			cancelAnimationFrame(frame);
			removeEventListener('scroll', soon, { capture: true });
			removeEventListener('resize', soon);
		};
	}, [n]);
	return n <= VIRTUAL_FROM ? [0, n, range[2]] : [Math.min(range[0], n), Math.min(range[1], n), range[2]];
}

export function Table({
	columns, rows, rowKey = (row) => row.id, href, selected, onSelect, label, mark = () => '',
	keys = [], keyboard = true, total, onOpen, compact = false,
}) {
	const body = useRef(null);
	const [cursor, setCursor] = useState(-1);
	const wanted = useRef(-1);
	const anchor = useRef(-1);
	const [first, last, height] = useWindow(body, rows.length);
	const open = (row) => (onOpen ? onOpen(row) : href && go(href(row)));

	const move = (to) => {
		const next = Math.max(0, Math.min(rows.length - 1, to));
		if (!rows.length)
			return;
		setCursor(next);
		wanted.current = next;
		// A row that is not in the document yet: scroll to where it will be.
		if (next < first || next >= last) {
			const top = body.current.getBoundingClientRect().top + next * height;
			scrollBy(0, top - innerHeight / 2);
		}
	};
	useLayoutEffect(() => {
		if (wanted.current < 0)
			return;
		const row = body.current?.querySelector(`tr[data-row="${wanted.current}"]`);
		if (!row)
			return;
		wanted.current = -1;
		row.scrollIntoView({ block: 'nearest' });
		(row.querySelector('[data-main] a, [data-main] button') ?? row).focus({ preventScroll: true });
	});
	useEffect(() => {
		if (cursor >= rows.length)
			setCursor(rows.length - 1);
	}, [rows.length]);

	const toggle = (index, range) => {
		if (!onSelect)
			return;
		const next = new Set(selected);
		const on = !next.has(rowKey(rows[index]));
		const from = range && anchor.current >= 0 ? Math.min(anchor.current, index) : index;
		const to = range && anchor.current >= 0 ? Math.max(anchor.current, index) : index;
		for (let i = from; i <= to; i++)
			next[on ? 'add' : 'delete'](rowKey(rows[i]));
		anchor.current = index;
		onSelect(next);
	};
	const here = () => rows[cursor];
	useKeys(!keyboard ? [] : [
		['j', 'Next row', () => move(cursor + 1)],
		['k', 'Previous row', () => move(cursor < 0 ? 0 : cursor - 1)],
		['ArrowDown', '', () => move(cursor + 1)],
		['ArrowUp', '', () => move(cursor < 0 ? 0 : cursor - 1)],
		(href || onOpen) && ['o', 'Open the row', () => here() && open(here())],
		(href || onOpen) && ['Enter', '', () => here() && open(here())],
		onSelect && ['x', 'Select the row', () => here() && toggle(cursor)],
		...keys.map(([key, text, act]) => [key, text, () => act(here())]),
	], { title: label });

	const all = onSelect && rows.length > 0 && rows.every((row) => selected.has(rowKey(row)));
	const some = onSelect && !all && rows.some((row) => selected.has(rowKey(row)));
	return html`<div class=${`table-frame${compact ? ' compact' : ''}`}>
	<table class="table" aria-label=${label} aria-rowcount=${(total ?? rows.length) + 1}>
		<thead><tr aria-rowindex="1">
			${onSelect && html`<th class="check" scope="col"><input type="checkbox" checked=${all}
				ref=${(input) => input && (input.indeterminate = some)} aria-label="Select all that are shown"
				onChange=${() => onSelect(all ? new Set() : new Set(rows.map(rowKey)))} /></th>`}
			${columns.map((column) => html`<th key=${column.id} scope="col"
				class=${`${column.class ?? ''} ${column.narrow === false ? 'not-narrow' : ''}`}
				>${column.head ?? column.title}</th>`)}</tr></thead>
		<tbody ref=${body}>
			${first > 0 && html`<tr class="space" aria-hidden="true"><td
				style=${{ height: `${first * height}px` }}></td></tr>`}
			${rows.slice(first, last).map((row, i) => {
				const index = first + i, key = rowKey(row), on = onSelect && selected.has(key);
				return html`<tr key=${key} data-row=${index} data-key=${key} aria-rowindex=${index + 2}
					class=${`${mark(row)} ${on ? 'selected' : ''} ${index === cursor ? 'cursor' : ''}
						${href || onOpen ? 'opens' : ''}`}
					onClick=${(event) => {
						if (event.target.closest('a, button, input, label') || getSelection().toString())
							return;
						setCursor(index);
						open(row);
					}}
					onfocusin=${() => cursor !== index && setCursor(index)}>
					${onSelect && html`<td class="check"><input type="checkbox" checked=${on}
						aria-label=${`Select ${key}`} onClick=${(event) => toggle(index, event.shiftKey)} /></td>`}
					${columns.map((column, c) => html`<td key=${column.id} data-main=${c === 0 ? '' : undefined}
						class=${`${column.class ?? ''} ${column.narrow === false ? 'not-narrow' : ''}`}
						>${column.cell(row, index)}</td>`)}</tr>`;
			})}
			${last < rows.length && html`<tr class="space" aria-hidden="true"><td
				style=${{ height: `${(rows.length - last) * height}px` }}></td></tr>`}
		</tbody>
	</table></div>`;
}

/* The foot of a list that is read page by page. */
export function More({ next, loading, onMore, shown, what = 'rows' }) {
	if (!next)
		return html`<p class="list-end faint">${shown ? `All ${shown} ${what} are shown.` : ''}</p>`;
	return html`<div class="list-end"><button type="button" class="button" disabled=${loading}
		onClick=${onMore}>${loading ? 'Loading …' : 'Show more'}<${Icon} name="down" /></button></div>`;
}
