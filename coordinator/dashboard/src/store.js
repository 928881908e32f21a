/*
 * A value that components watch. `kept` survives the page in localStorage, where there is one.
 */
import { useLayoutEffect, useState } from './h.js';

export function store(value) {
	const watchers = new Set();
	const self = {
		get: () => value,
		set(next) {
			const then = typeof next === 'function' ? next(value) : next;
			if (Object.is(then, value))
				return;
			value = then;
			for (const watcher of [...watchers])
				watcher(value);
		},
		watch(watcher) {
			watchers.add(watcher);
			return () => watchers.delete(watcher);
		},
		use() {
			const [, again] = useState(0);
			const seen = value; // as of the rendering: it may change before there is a watcher
			useLayoutEffect(() => {
				const off = self.watch(() => again((n) => n + 1));
				if (!Object.is(seen, value))
					again((n) => n + 1);
				return off;
			}, []);
			return value;
		},
	};
	return self;
}

export function kept(name, initial) {
	let value = initial;
	try {
		const text = localStorage.getItem(`skald.${name}`);
		if (text !== null)
			value = JSON.parse(text);
	} catch {
		// A browser that keeps nothing, or something that is no JSON: begin anew.
	}
	const self = store(value);
	self.watch((next) => {
		try {
			localStorage.setItem(`skald.${name}`, JSON.stringify(next));
		} catch {
			// It is then forgotten with the page.
		}
	});
	return self;
}
