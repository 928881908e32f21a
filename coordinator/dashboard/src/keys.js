/*
 * The keyboard. A component says what keys do while it is shown:
 *
 *     useKeys([['j', 'Next row', () => …], ['g n', 'Go to Now', …]]);
 *
 * The last one to come is asked first (bottom: true: the last of all); a dialog (modal: true) hides
 * all others, those too that come to the page under it while it is open. Keys that are typed into a
 * field belong to the field, but for Escape, which leaves it. `?` lists what there is.
 *
 * The keys are there with what is shown, and not a moment later: somebody who knows them types ahead
 * of the screen, and a slow machine paints late.
 */
import { useLayoutEffect, useRef } from './h.js';

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
	useLayoutEffect(() => {
		const mine = layer.current;
		const dialog = layers.findIndex((each) => each.modal);
		// Children come before their parents, and so the shell says that it lies under all.
		layers.splice(bottom ? 0 : modal || dialog < 0 ? layers.length : dialog, 0, mine);
		return () => layers.splice(layers.indexOf(mine), 1);
	}, []);
}

/* What keys do now, for the help: [{ title, keys: [[key, words]] }]. */
export function keysNow() {
	const modal = layers.findLastIndex((layer) => layer.modal);
	return layers.slice(Math.max(modal, 0)).filter((layer) => layer.keys.length)
		.map(({ title, keys }) => ({ title, keys: keys.filter(([, words]) => words) }));
}
