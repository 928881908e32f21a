/*
 * Where the dashboard is: the address holds the page, its filter and what is selected, so that it
 * can be sent to a colleague, and `back` undoes each of them. All addresses lie below /ui.
 *
 *     route()                  { path: "/sagas", parts: ["sagas"], query: URLSearchParams }
 *     go("/sagas?q=…")         a new entry of the browser's history
 *     useQuery("q", "")        a member of the query, and a function that sets it in place
 *     link("/sagas", { q })    the address of a page, for href
 *
 * Links are plain <a href="/ui/…">; one listener makes them navigate without a reload.
 */
import { store } from './store.js';

export const BASE = '/ui';

function here() {
	const path = decodePath(location.pathname.slice(BASE.length)) || '/';
	return {
		path,
		parts: location.pathname.slice(BASE.length).split('/').filter(Boolean).map(decodePath),
		query: new URLSearchParams(location.search),
	};
}

function decodePath(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

const place = store(here());
export const route = () => place.get();
export const useRoute = () => place.use();
export const watchRoute = (watcher) => place.watch(watcher);

/* The namespace stays with every address. */
function withNamespace(url) {
	const ns = place.get().query.get('namespace');
	if (ns && !url.searchParams.has('namespace'))
		url.searchParams.set('namespace', ns);
	return url.pathname + url.search;
}

export function link(path, query = {}) {
	const url = new URL(BASE + path, location.origin);
	for (const [name, value] of Object.entries(query))
		if (value !== undefined && value !== null && value !== '')
			url.searchParams.set(name, value);
	return withNamespace(url);
}

/* A path of segments that may hold anything: at("sagas", id). */
export const at = (...parts) => '/' + parts.map(encodeURIComponent).join('/');

export function go(address, { replace = false } = {}) {
	const url = new URL(address.startsWith(BASE) ? address : BASE + address, location.origin);
	const next = withNamespace(url);
	if (next !== location.pathname + location.search)
		history[replace ? 'replaceState' : 'pushState'](null, '', next);
	const before = place.get();
	place.set(here());
	if (!replace && before.path !== place.get().path)
		scrollTo(0, 0);
}

/* Members of the query; null or "" takes one out. */
export function setQuery(members, { replace = true } = {}) {
	const url = new URL(location.href);
	for (const [name, value] of Object.entries(members)) {
		if (value === null || value === undefined || value === '')
			url.searchParams.delete(name);
		else
			url.searchParams.set(name, value);
	}
	go(url.pathname + url.search, { replace });
}

export function useQuery(name, initial = '') {
	const { query } = useRoute();
	return [query.get(name) ?? initial, (value, options) => setQuery({ [name]: value }, options)];
}

addEventListener('popstate', () => place.set(here()));

document.addEventListener('click', (event) => {
	if (event.defaultPrevented || event.button !== 0 ||
		event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
		return;
	const a = event.target.closest?.('a[href]');
	if (!a || a.target || a.hasAttribute('download') || a.origin !== location.origin)
		return;
	if (a.pathname !== BASE && !a.pathname.startsWith(BASE + '/'))
		return;
	if (a.hash && a.pathname === location.pathname)
		return;
	event.preventDefault();
	go(a.pathname + a.search);
});
