/*
 * The keyboard. A component says what keys do while it is shown:
 *
 *     useKeys([['j', 'Next row', () => …], ['g n', 'Go to Now', …]]);
 *
 * The last one to come is asked first (bottom: true: the last of all); a dialog (modal: true) hides
 * all that lie under it. Keys that are typed into a field belong to the field, but for Escape, which
 * leaves it. `?` lists what there is.
 */
import { useEffect, useRef } from './h.js';

const layers = [];
const SEQUENCE_MS = 1500;
let first = '', firstAt = 0;

function isField(element) {
	return element instanceof HTMLElement &&
		(element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName)) &&
		!/^(checkbox|radio|button)$/.test(element.type || '');
}

function find(key) {
	for (let i = layers.length - 1; i >= 0; i--) {
		const hit = layers[i].keys.find(([name]) => name === key);
		if (hit)
			return hit;
		if (layers[i].modal)
			return null;
	}
	return null;
}

/* Whether some sequence begins with the key. */
const begins = (key) => layers.some(({ keys }) => keys.some(([name]) => name.startsWith(`${key} `)));

document.addEventListener('keydown', (event) => {
	if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented)
		return;
	if (isField(event.target)) {
		if (event.key === 'Escape' && !event.target.closest('dialog'))
			event.target.blur();
		return;
	}
	// Enter and Space belong to the link or button that has the focus.
	if ((event.key === 'Enter' || event.key === ' ') && event.target.closest?.('a, button, summary, input'))
		return;
	const then = first && event.timeStamp - firstAt < SEQUENCE_MS ? `${first} ${event.key}` : '';
	first = '';
	const hit = (then && find(then)) || find(event.key);
	if (hit) {
		event.preventDefault();
		hit[2](event);
	} else if (begins(event.key)) {
		first = event.key;
		firstAt = event.timeStamp;
	}
});

export function useKeys(keys, { modal = false, title = '', bottom = false } = {}) {
	const layer = useRef(null);
	layer.current ??= { keys, modal, title };
	Object.assign(layer.current, { keys: keys.filter(Boolean), modal, title });
	useEffect(() => {
		const mine = layer.current;
		// Children come before their parents, and so the shell says that it lies under all.
		layers[bottom ? 'unshift' : 'push'](mine);
		return () => layers.splice(layers.indexOf(mine), 1);
	}, []);
}

/* What keys do now, for the help: [{ title, keys: [[key, words]] }]. */
export function keysNow() {
	const modal = layers.findLastIndex((layer) => layer.modal);
	return layers.slice(Math.max(modal, 0)).filter((layer) => layer.keys.length)
		.map(({ title, keys }) => ({ title, keys: keys.filter(([, words]) => words) }));
}
