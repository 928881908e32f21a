/*
 * JSON to be read: folded, searched, copied. Every part of it is a text node. What is folded is not in
 * the document, long lists come in pieces, so that two megabytes are as quick as two lines.
 *
 *     <JsonView value=${…} find="text" open=${2} />       open: how many levels are unfolded at first
 */
import { html, useMemo, useState } from './h.js';
import { Icon } from './icons.js';

const PIECE = 100;
const TEXT_MOST = 2000;
const FOUND_MOST = 1000;

const isTree = (value) => value !== null && typeof value === 'object';

/* The paths (as JSON) under which something matches; those that match themselves apart. */
function search(value, text) {
	const open = new Set(), hits = new Set();
	if (!text)
		return { open, hits };
	const wanted = text.toLowerCase();
	const walk = (at, node, parents) => {
		if (hits.size >= FOUND_MOST)
			return;
		const found = (key) => {
			hits.add(key);
			parents.forEach((parent) => open.add(parent));
		};
		if (!isTree(node)) {
			if (String(node).toLowerCase().includes(wanted))
				found(at);
			return;
		}
		for (const [name, child] of Object.entries(node)) {
			const path = `${at}/${name}`;
			if (!Array.isArray(node) && name.toLowerCase().includes(wanted)) {
				hits.add(`${path}#`);
				[...parents, at].forEach((parent) => open.add(parent));
			}
			walk(path, child, [...parents, at]);
		}
	};
	walk('', value, []);
	return { open, hits };
}

function Scalar({ value, hit }) {
	const [whole, setWhole] = useState(false);
	const kind = value === null ? 'null' : typeof value;
	const text = JSON.stringify(value) ?? 'undefined';
	const cut = text.length > TEXT_MOST && !whole;
	return html`<span class=${`j-${kind}${hit ? ' j-hit' : ''}`}>${cut ? text.slice(0, TEXT_MOST) : text}</span>${cut &&
		html` <button type="button" class="j-more"
			onClick=${() => setWhole(true)}>… ${text.length - TEXT_MOST} more characters</button>`}`;
}

function Pieces({ entries, ...rest }) {
	const [shown, setShown] = useState(PIECE);
	return html`${entries.slice(0, shown).map(([name, value]) => html`<${Node} key=${name} name=${name} value=${value}
		path=${`${rest.path}/${name}`} depth=${rest.depth + 1} list=${rest.list} found=${rest.found} open=${rest.open} />`)}
		${entries.length > shown && html`<div class="j-line"><button type="button" class="j-more"
			onClick=${() => setShown(shown + PIECE * 5)}>… ${entries.length - shown} more</button></div>`}`;
}

function Node({ name, value, path, depth, list, found, open }) {
	const [turned, setTurned] = useState(null);
	const label = name === null ? null : html`<span class=${`j-name${found.hits.has(`${path}#`) ? ' j-hit' : ''}`}>
		${list ? name : JSON.stringify(name)}</span>: `;
	if (!isTree(value))
		return html`<div class="j-line">${label}<${Scalar} value=${value} hit=${found.hits.has(path)} /></div>`;
	const isList = Array.isArray(value), entries = Object.entries(value);
	const [from, to] = isList ? ['[', ']'] : ['{', '}'];
	if (entries.length === 0)
		return html`<div class="j-line">${label}<span class="j-sign">${from}${to}</span></div>`;
	const shown = found.open.has(path) || (turned ?? depth < open);
	const count = `${entries.length} ${isList ? (entries.length === 1 ? 'item' : 'items') : entries.length === 1 ?
		'member' : 'members'}`;
	return html`<div class="j-tree"><div class="j-line"><button type="button" class="j-fold" aria-expanded=${shown ?
		'true' : 'false'}
		aria-label=${`${shown ? 'Fold' : 'Unfold'} ${name ?? 'the value'}`} onClick=${() => setTurned(!shown)}>
			<${Icon} name=${shown ? 'down' : 'right'} /></button>
		${label}<span class="j-sign">${from}</span>${!shown && html`<span class="j-count"> ${count} </span>
			<span class="j-sign">${to}</span>`}</div>
		${shown && html`<div class="j-inner"><${Pieces} entries=${entries} path=${path} depth=${depth} list=${isList}
			found=${found} open=${open} /></div>
		<div class="j-line j-sign">${to}</div>`}</div>`;
}

export function JsonView({ value, find = '', open = 2, label }) {
	const found = useMemo(() => search(value, find), [value, find]);
	return html`<div class="json" role="group" aria-label=${label}><${Node} key=${open} name=${null} value=${value}
		path="" depth=${0}
		found=${found} open=${open} /></div>`;
}

/* How often something is found, for who shows several values. */
export const countHits = (value, find) => search(value, find).hits.size;
