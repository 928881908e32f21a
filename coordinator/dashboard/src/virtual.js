/*
 * A list of any length, of which only what is near its window is in the document. The height of each
 * entry is told and never measured, so that nothing moves while it is read: `heights` is a function of
 * the index, and `version` changes when it has to be asked anew.
 *
 *     <Virtual n=${…} heights=${(i) => 28} version=${…} label="…" active=${index} onActive=${…}
 *         render=${(i, active) => html`…`} keyOf=${(i) => …} handle=${ref} fromEnd />
 *
 * It is a listbox: one entry is the active one, which the arrow keys, Home, End and Page keys move.
 * handle.current: { show(index), toEnd(), atEnd() }. fromEnd: shows the end first, and stays there.
 */
import { html, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from './h.js';

const OVERSCAN_PX = 400;

function sums(n, heights) {
	const tops = new Float64Array(n + 1);
	for (let i = 0; i < n; i++)
		tops[i + 1] = tops[i] + heights(i);
	return tops;
}

/* The last index whose top is not below y. */
function indexAt(tops, y) {
	let low = 0, high = Math.max(0, tops.length - 2);
	while (low < high) {
		const middle = (low + high + 1) >> 1;
		if (tops[middle] <= y)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

export function Virtual({ n, heights, version, label, active, onActive, render, keyOf, handle, fromEnd, onScrolled }) {
	const box = useRef(null);
	const id = useId();
	const [view, setView] = useState([0, 600]);
	const atEnd = useRef(Boolean(fromEnd));
	const tops = useMemo(() => sums(n, heights), [n, version]);
	const total = tops[n];

	const look = useCallback(() => {
		const element = box.current;
		if (!element)
			return;
		atEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - 4;
		onScrolled?.(atEnd.current);
		setView((now) => (now[0] === element.scrollTop && now[1] === element.clientHeight
			? now : [element.scrollTop, element.clientHeight]));
	}, [onScrolled]);

	useLayoutEffect(() => {
		if (atEnd.current)
			box.current.scrollTop = total;
		look();
	}, [total]);
	useEffect(() => {
		const observer = new ResizeObserver(look);
		observer.observe(box.current);
		return () => observer.disconnect();
	}, []);

	const show = (index) => {
		const element = box.current, top = tops[index], bottom = tops[index + 1];
		if (top < element.scrollTop)
			element.scrollTop = top;
		else if (bottom > element.scrollTop + element.clientHeight)
			element.scrollTop = bottom - element.clientHeight;
	};
	if (handle)
		handle.current = {
			show, atEnd: () => atEnd.current,
			toEnd() {
				atEnd.current = true;
				box.current.scrollTop = total;
			},
		};
	useLayoutEffect(() => {
		if (active >= 0 && active < n)
			show(active);
	}, [active]);

	const keys = (event) => {
		if (n === 0 || event.ctrlKey || event.metaKey || event.altKey)
			return;
		const page = Math.max(1, indexAt(tops, view[0] + view[1]) - indexAt(tops, view[0]));
		const from = active >= 0 ? active : indexAt(tops, view[0]) - 1;
		const to = {
			ArrowDown: from + 1, j: from + 1, ArrowUp: from - 1, k: from - 1, PageDown: from + page,
			PageUp: from - page, Home: 0, End: n - 1,
		}[event.key];
		if (to === undefined)
			return;
		event.preventDefault();
		event.stopPropagation();
		onActive(Math.max(0, Math.min(n - 1, to)));
	};

	const first = n ? indexAt(tops, Math.max(0, view[0] - OVERSCAN_PX)) : 0;
	const last = n ? Math.min(n, indexAt(tops, view[0] + view[1] + OVERSCAN_PX) + 1) : 0;
	const list = [];
	for (let i = first; i < last; i++)
		list.push(html`<div key=${keyOf(i)} id=${`${id}-${i}`} role="option" aria-selected=${i === active ? 'true' : 'false'}
			aria-posinset=${i + 1} aria-setsize=${n} class=${`v-row${i === active ? ' active' : ''}`}
			style=${{ height: `${tops[i + 1] - tops[i]}px` }} onClick=${(event) => {
				if (!getSelection().toString() && !event.target.closest('a, button'))
					onActive(i);
			}}>${render(i, i === active)}</div>`);
	return html`<div class="v-list" ref=${box} role="listbox" tabindex="0" aria-label=${label} onScroll=${look}
		onKeyDown=${keys} aria-activedescendant=${active >= first && active < last ? `${id}-${active}` : undefined}>
		<div class="v-space" role="presentation" style=${{ height: `${total}px`, paddingTop: `${tops[first] ?? 0}px` }}>
			${list}</div>
	</div>`;
}
