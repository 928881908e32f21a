/*
 * What the server says at a path, in a component:
 *
 *     const saga = useResource(`/sagas/${id}`);     // null as path: nothing is asked
 *     saga.data, saga.error, saga.loading, saga.etag, saga.reload()
 *
 * The last answers are kept, so that going back shows a page at once while it is asked anew; data
 * stays while it is reloaded, and stays beside an error, so that nothing on the page jumps.
 */
import { useCallback, useEffect, useRef, useState } from './h.js';
import { address, call, namespace } from './api.js';

const KEEP = 60;
const answers = new Map();

function keep(key, answer) {
	answers.delete(key);
	answers.set(key, answer);
	if (answers.size > KEEP)
		answers.delete(answers.keys().next().value);
}

export function useResource(path, args) {
	const key = path === null ? null : `${namespace()} ${address(path, args)}`;
	const [, again] = useState(0);
	const state = useRef({ key: undefined });
	const now = state.current;

	if (now.key !== key) {
		const known = key === null ? undefined : answers.get(key);
		now.abort?.abort();
		Object.assign(now, { key, data: known?.body, etag: known?.etag, error: null, loading: key !== null });
	}
	const load = useCallback(async () => {
		if (key === null)
			return;
		now.abort?.abort();
		const abort = now.abort = new AbortController();
		now.loading = true;
		try {
			const answer = await call('GET', path, { args, signal: abort.signal });
			keep(key, answer);
			if (now.abort === abort && now.key === key)
				Object.assign(now, { data: answer.body, etag: answer.etag, error: null, loading: false });
		} catch (error) {
			if (error.name === 'AbortError' || now.abort !== abort)
				return;
			Object.assign(now, { error, loading: false });
		}
		again((n) => n + 1);
	}, [key]);

	useEffect(() => {
		load();
		return () => now.abort?.abort();
	}, [load]);
	return {
		data: now.data, etag: now.etag, error: now.error, loading: now.loading, reload: load,
		/* Puts data in place of what was answered; of what a live stream told. */
		put(data) {
			now.data = data;
			again((n) => n + 1);
		},
	};
}
