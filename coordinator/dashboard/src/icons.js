/*
 * The pictures beside words: 16 by 16, drawn with lines in the colour of the text. Each status has a
 * shape of its own, so that it is known without colour too.
 */
import { html } from './h.js';

const paths = {
	now: 'M2 9h3l2-6 3 10 2-4h2',
	attention: 'M8 2 14.5 13.5h-13zM8 6.5v3M8 11.6v.1',
	sagas: 'M2.5 4h11M2.5 8h11M2.5 12h7',
	approvals: 'M2.5 2.5h11v8h-6l-3 3v-3h-2zM5.5 6.5l2 2 3.5-3.5',
	queues: 'M2.5 3h4v4h-4zM2.5 9h4v4h-4zM9.5 5h4.5M9.5 11h4.5M11.5 3l2.5 2-2.5 2M11.5 9l2.5 2-2.5 2',
	lock: 'M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
	batches: 'M2.5 2.5h8v8h-8zM5.5 13.5h8v-8',
	definitions: 'M4 2h5.5L12 4.5V14H4zM6 7h4M6 10h4',
	triggers: 'M9 1.5 3.5 9H8l-1 5.5L12.5 7H8z',
	'dead-letters': 'M2 4h12v8.5H2zM2 4.5l6 4.5 6-4.5',
	keys: 'M9.5 6.5a3 3 0 1 0-3 3 3 3 0 0 0 3-3zM9 8.5l5 5M12 11.5l1.5-1.5',
	nodes: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5v.1M5 11v.1',
	search: 'M11 7a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM10 10l4 4',
	menu: 'M2 4h12M2 8h12M2 12h12',
	close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
	check: 'M3 8.5 6.5 12 13 4.5',
	copy: 'M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1',
	sun: 'M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1',
	moon: 'M13.5 9.5A6 6 0 0 1 6.5 2.5 6 6 0 1 0 13.5 9.5z',
	auto: 'M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12',
	keyboard: 'M1.5 4h13v8h-13zM4 6.5v.1M7 6.5v.1M10 6.5v.1M12.5 6.5v.1M5 9.5h6',
	right: 'M6 3.5 10.5 8 6 12.5',
	left: 'M10 3.5 5.5 8l4.5 4.5',
	down: 'M3.5 6 8 10.5 12.5 6',
	external: 'M6.5 3.5h-3v9h9v-3M9 3h4v4M13 3 7.5 8.5',
	save: 'M4 2.5h8v11L8 10.5l-4 3z',
	trash: 'M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.5 9h6l.5-9',
	user: 'M8 8a2.6 2.6 0 1 0 0-5.2A2.6 2.6 0 0 0 8 8zM3 13.5c.4-2.6 2.3-4 5-4s4.6 1.4 5 4',
	retry: 'M13 8a5 5 0 1 1-1.5-3.5L13.5 6M13.5 2.5V6H10',
	filter: 'M2 3.5h12L9.5 9v4.5l-3-1.5V9z',
	info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.5v3.5M8 5v.1',
	clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.5V8l2.5 1.5',
	pause: 'M5.5 3.5v9M10.5 3.5v9',
	play: 'M4.5 3l8.5 5-8.5 5z',
	stop: 'M4 4h8v8H4z',
	undo: 'M6 3 2.5 6.5 6 10M3 6.5h6a4 4 0 0 1 0 8H7',
	question: 'M5.5 6A2.5 2.5 0 1 1 8 8.5V10M8 12.5v.1',
	cross: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4',
	half: 'M8 14A6 6 0 1 0 8 2',
	ring: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12z',
	dash: 'M3.5 8h9',
	skip: 'M3 3.5 8.5 8 3 12.5zM11.5 3.5v9',
	more: 'M3.5 8v.1M8 8v.1M12.5 8v.1',
	armed: 'M8 13.5s5-2 5-6V3.5L8 2 3 3.5v4c0 4 5 6 5 6z',
};

export function Icon({ name, label, class: cls = '' }) {
	return html`<svg class=${`icon ${cls}`} viewBox="0 0 16 16" width="16" height="16" fill="none"
		stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"
		role=${label ? 'img' : undefined} aria-label=${label} aria-hidden=${label ? undefined : 'true'}
		focusable="false"><path d=${paths[name] || paths.ring} /></svg>`;
}
