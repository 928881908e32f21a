/*
 * Live: server-sent events. A stream resumes by itself with Last-Event-ID; one that the server
 * refuses (too many listen, it restarts) is opened anew after a pause that grows.
 *
 *     overview.use()           the last overview, or null
 *     line.use()               { state: "off" | "connecting" | "live" | "broken", since }
 *     openStream(path, { history: (row) => … }, { after })   returns the function that closes it
 *
 * The overview's stream is open as long as the page is shown; while it is broken the overview is
 * asked for every few seconds instead.
 */
import { address, get, namespace } from './api.js';
import { store } from './store.js';

const RETRY_FIRST_MS = 1000;
const RETRY_MOST_MS = 15000;
const POLL_MS = 4000;

/*
 * on: { eventName: (data, id) => … }; state: (text) => … is told of changes. after: the id from
 * which the first connection goes on.
 */
export function openStream(path, on, { after, args = {}, state = () => {} } = {}) {
	let source, timer, pause = RETRY_FIRST_MS, last = after, closed = false;

	const open = () => {
		const ns = namespace() === 'default' ? undefined : namespace();
		// A stream that is opened anew cannot send Last-Event-ID by itself, so the address says it.
		source = new EventSource(address(path, { ...args, namespace: ns, after: last }));
		source.onopen = () => {
			pause = RETRY_FIRST_MS;
			state('live');
		};
		source.onerror = () => {
			state('broken');
			if (source.readyState !== EventSource.CLOSED)
				return;
			clearTimeout(timer);
			timer = setTimeout(open, pause);
			pause = Math.min(pause * 2, RETRY_MOST_MS);
		};
		for (const [name, tell] of Object.entries(on))
			source.addEventListener(name, (event) => {
				if (closed)
					return;
				if (after !== undefined && event.lastEventId)
					last = event.lastEventId;
				tell(JSON.parse(event.data), event.lastEventId);
			});
	};
	state('connecting');
	open();
	return () => {
		closed = true;
		clearTimeout(timer);
		source.close();
	};
}

export const overview = store(null);
export const line = store({ state: 'off', since: Date.now() });

let close = null, poll = 0, openFor = null;

async function ask() {
	try {
		overview.set(await get('/overview'));
	} catch {
		// The line says that it is broken; the next turn asks again.
	}
}

function setLine(state) {
	if (line.get().state === state)
		return;
	line.set({ state, since: Date.now() });
	clearInterval(poll);
	poll = state === 'live' ? 0 : setInterval(ask, POLL_MS);
}

function connect() {
	const ns = namespace();
	if (close && openFor === ns)
		return;
	close?.();
	if (openFor !== ns)
		overview.set(null);
	openFor = ns;
	close = openStream('/events', { overview: (data) => overview.set(data) }, { state: setLine });
}

function disconnect() {
	close?.();
	close = null;
	clearInterval(poll);
	line.set({ state: 'off', since: Date.now() });
}

/* Begins; a hidden page listens no more, because a browser opens few connections to a server. */
export function startLive(watchRoute) {
	const follow = () => (document.hidden ? disconnect() : connect());
	document.addEventListener('visibilitychange', follow);
	watchRoute(() => {
		if (!document.hidden && namespace() !== openFor)
			connect();
	});
	follow();
}
