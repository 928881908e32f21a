/*
 * Every page in one table: the way around, the keys `g …` and the router read it. A page is a
 * component that gets { parts, query }; parts are the segments of its address.
 *
 *     { path, page, title, nav?, icon?, group?, key? }     path: "/sagas/:id"; nav: in the menu
 */
import { Sagas } from './sagas.js';

export const PAGES = [
	{ path: '/sagas', page: Sagas, title: 'Sagas', nav: true, icon: 'sagas', group: 'Operate', key: 's' },
];

/* The page for the segments of an address, with the members that the path names. */
export function findPage(parts) {
	for (const each of PAGES) {
		const pattern = each.path.split('/').filter(Boolean);
		if (pattern.length !== parts.length)
			continue;
		if (pattern.every((part, i) => part.startsWith(':') || part === parts[i]))
			return {
				...each,
				args: Object.fromEntries(pattern.flatMap((part, i) =>
					(part.startsWith(':') ? [[part.slice(1), parts[i]]] : []))),
			};
	}
	return null;
}
