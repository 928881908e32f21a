/*
 * The small parts that pages are made of. They take data and show it as text; none of them asks the
 * server.
 */
import { cloneElement, html, useEffect, useId, useLayoutEffect, useRef, useState } from './h.js';
import { age, exact, since, useNow } from './format.js';
import { Icon } from './icons.js';
import { useKeys } from './keys.js';
import { kept, store } from './store.js';
import { ATTENTION, SAGA } from './words.js';

/* A status with its shape and its words: <Badge of=${SAGA} status="running" />. */
export function Badge({ of = SAGA, status, title }) {
	const [tone, icon, text] = of[status] ?? ['off', 'ring', String(status ?? '–').replaceAll('_', ' ')];
	return html`<span class=${`badge tone-${tone}`} title=${title}><${Icon} name=${icon} />${text}</span>`;
}

export function Kind({ kind }) {
	const [tone, icon, text, meaning] = ATTENTION[kind] ?? ['off', 'info', kind, ''];
	return html`<span class=${`badge tone-${tone}`} title=${meaning}><${Icon} name=${icon} />${text}</span>`;
}

/* "4m ago", ticking, with the exact time beside the pointer. */
export function Ago({ at, bare = false }) {
	const now = useNow();
	if (!at)
		return html`<span class="faint">–</span>`;
	return html`<time datetime=${at} title=${exact(at)} class="num">${bare
		? age(now - Date.parse(at)) : since(at, now)}</time>`;
}

export const At = ({ at }) => (at
	? html`<time datetime=${at} class="num">${exact(at)}</time>` : html`<span class="faint">–</span>`);

export function Button({ kind = '', icon, children, busy = false, disabled = false, label, ...rest }) {
	return html`<button type="button" class=${`button ${kind}`} disabled=${disabled || busy}
		aria-busy=${busy ? 'true' : undefined} aria-label=${label} title=${rest.title ?? label} ...${rest}>
		${icon && html`<${Icon} name=${icon} />`}${children}</button>`;
}

export const Key = ({ children }) => html`<kbd>${children}</kbd>`;

/* An id or a word that can be copied by a click. */
export function Copy({ text, children, label = 'Copy' }) {
	const [done, setDone] = useState(false);
	const copy = async () => {
		try {
			await navigator.clipboard.writeText(text);
		} catch {
			// Without a secure context there is no clipboard; an old way remains.
			const area = document.createElement('textarea');
			area.value = text;
			(document.querySelector('dialog[open]') ?? document.body).append(area);
			area.select();
			document.execCommand('copy');
			area.remove();
		}
		setDone(true);
		setTimeout(() => setDone(false), 1200);
	};
	return html`<span class="copy">${children ?? html`<code>${text}</code>`}<button type="button"
		class="icon-button" onClick=${copy} aria-label=${done ? 'Copied' : label} title=${label}
		><${Icon} name=${done ? 'check' : 'copy'} /></button></span>`;
}

export function Empty({ icon = 'check', title, children }) {
	return html`<div class="empty"><${Icon} name=${icon} /><p class="empty-title">${title}</p>
		${children && html`<div class="empty-text">${children}</div>`}</div>`;
}

/* What went wrong, with the server's words, and a way to ask again. */
export function Problem({ error, onRetry }) {
	if (!error)
		return null;
	return html`<div class="problem" role="alert"><${Icon} name="attention" />
		<div><p class="problem-title">${error.message}</p>
		${(error.errors ?? []).map((each) => html`<p class="problem-more">
			${each.pointer && html`<code>${each.pointer}</code>`} ${each.detail}</p>`)}
		${error.requestId && html`<p class="faint">request ${error.requestId}</p>`}</div>
		${onRetry && html`<${Button} kind="small" icon="retry" onClick=${onRetry}>Try again</${Button}>`}</div>`;
}

/* Rows of the height that will be there, so that nothing jumps when they come. */
export function Skeleton({ rows = 5, class: cls = '' }) {
	return html`<div class=${`skeleton ${cls}`} aria-hidden="true">
		${Array.from({ length: rows }, () => html`<div></div>`)}</div>`;
}

export function Page({ title, count: n, children, actions, lead, wide = false }) {
	return html`<div class=${`page${wide ? ' wide' : ''}`}>
		<header class="page-head"><div class="page-title"><h1 tabindex="-1">${title}</h1>
			${n !== undefined && n !== null && html`<span class="count num">${n}</span>`}</div>
			${actions && html`<div class="page-actions">${actions}</div>`}
			${lead && html`<p class="lead">${lead}</p>`}</header>
		${children}</div>`;
}

export function Panel({ title, more, children, class: cls = '', id }) {
	const own = useId();
	return html`<section class=${`panel ${cls}`} aria-labelledby=${id ?? own}>
		<header class="panel-head"><h2 id=${id ?? own}>${title}</h2>${more}</header>${children}</section>`;
}

/* tabs: [[id, words, count?]] as links, so that each has an address. */
export function Tabs({ tabs, current, href, label }) {
	const ref = useRef(null);
	// Where they do not fit, the one that is shown is in view.
	useLayoutEffect(() => {
		const nav = ref.current, on = nav.querySelector('[aria-current]');
		if (on)
			nav.scrollLeft += Math.min(0, on.getBoundingClientRect().left - nav.getBoundingClientRect().left)
				+ Math.max(0, on.getBoundingClientRect().right - nav.getBoundingClientRect().right);
	}, [current, tabs.map(([, , n]) => n).join()]);
	return html`<nav class="tabs" ref=${ref} aria-label=${label}>${tabs.map(([id, text, n]) => html`<a key=${id}
		href=${href(id)} aria-current=${id === current ? 'page' : undefined}>${text}
		${n !== undefined && html`<span class="count num">${n}</span>`}</a>`)}</nav>`;
}

/* A control with its name above it; what is said below describes it, and is no part of its name. */
export function Field({ label, hint, error, children }) {
	const id = useId();
	const said = error || hint;
	const control = Array.isArray(children) ? children.find((child) => child?.type) : children;
	return html`<div class=${`field${error ? ' wrong' : ''}`}><label class="field-label" for=${`${id}-in`}>${label}</label>
		${cloneElement(control, {
			id: `${id}-in`, 'aria-describedby': said ? id : undefined, 'aria-invalid': error ? 'true' : undefined,
		})}
		${said && html`<span id=${id} class=${error ? 'field-error' : 'field-hint'} role=${error ? 'alert' : undefined}
			>${said}</span>`}</div>`;
}

/*
 * A modal dialog: the focus is kept in it and goes back to where it was, Escape closes it, and the
 * keys of the page rest.
 */
export function Dialog({ title, onClose, children, footer, wide = false, keys = [] }) {
	const ref = useRef(null);
	const id = useId();
	useKeys(keys, { modal: true, title });
	useLayoutEffect(() => {
		const before = document.activeElement;
		const dialog = ref.current;
		dialog.showModal();
		// What is to be read first stays in view; what is typed scrolls to its field by itself.
		dialog.querySelector('[data-autofocus]')?.focus({ preventScroll: true });
		return () => {
			if (dialog.open)
				dialog.close();
			if (before?.isConnected)
				before.focus({ preventScroll: true });
		};
	}, []);
	return html`<dialog ref=${ref} class=${wide ? 'wide' : ''} aria-labelledby=${id}
		onCancel=${(event) => { event.preventDefault(); onClose(); }}
		onClick=${(event) => event.target === ref.current && onClose()}>
		<div class="dialog-body"><header class="dialog-head"><h2 id=${id}>${title}</h2>
		<button type="button" class="icon-button" onClick=${onClose} aria-label="Close"
			><${Icon} name="close" /></button></header>
		<div class="dialog-main">${children}</div>
		${footer && html`<footer class="dialog-foot">${footer}</footer>`}</div></dialog>`;
}

/* A line at the foot of the window that says what has just been done. */
const toasts = store([]);
let toastId = 0;
export function toast(text, { tone = 'good', href, more } = {}) {
	const id = ++toastId;
	toasts.set((list) => [...list.slice(-3), { id, text, tone, href, more }]);
	setTimeout(() => toasts.set((list) => list.filter((each) => each.id !== id)), 7000);
}
export function Toasts() {
	const list = toasts.use();
	return html`<div class="toasts" role="status" aria-live="polite">${list.map((each) => html`
		<div key=${each.id} class=${`toast tone-${each.tone}`}><span>${each.text}</span>
		${each.href && html`<a href=${each.href}>${each.more ?? 'Look'}</a>`}</div>`)}</div>`;
}

/* Who acts: asked once, and kept in this browser; it goes into the history with each act. */
export const who = kept('who', '');

/* The same act for a terminal. */
export function CommandLine({ text }) {
	return html`<div class="command"><${Copy} text=${text} label="Copy the command">
		<code>${text}</code></${Copy}></div>`;
}

export function shellQuote(text) {
	return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`;
}

/* Calls `tell` at most once in `ms`, and once more at the end. */
export function useThrottled(tell, ms) {
	const state = useRef({ timer: 0, last: 0 });
	const now = useRef(tell);
	now.current = tell;
	useEffect(() => () => clearTimeout(state.current.timer), []);
	return () => {
		const s = state.current;
		if (s.timer)
			return;
		s.timer = setTimeout(() => {
			s.timer = 0;
			s.last = Date.now();
			now.current();
		}, Math.max(0, s.last + ms - Date.now()));
	};
}
