/*
 * Every page in one table: the way around, the keys `g …` and the router read it. A page is a
 * component that gets { parts, query } and the members of its address.
 *
 *     { path, page, title, nav?, icon?, group?, key? }     path: "/sagas/:id"; nav: in the menu
 */
import { Approvals } from './approvals.js';
import { Attention } from './attention.js';
import { AttentionGroup } from './attention_group.js';
import { Batch } from './batch.js';
import { Batches } from './batches.js';
import { DeadLetter, DeadLetters } from './dead_letters.js';
import { Definition } from './definition.js';
import { Definitions } from './definitions.js';
import { Keys } from './keys.js';
import { Nodes } from './nodes.js';
import { Now } from './now.js';
import { Queue, Queues } from './queues.js';
import { Saga } from './saga.js';
import { Sagas } from './sagas.js';
import { Schedule, Schedules } from './schedules.js';
import { Trigger, Triggers } from './triggers.js';

export const PAGES = [
	{ path: '/', page: Now, title: 'Now', nav: true, icon: 'now', group: 'Operate', key: 'n' },
	{ path: '/attention', page: Attention, title: 'Attention', nav: true, icon: 'attention', group: 'Operate', key: 'a' },
	{ path: '/attention/:id', page: AttentionGroup, title: 'Attention' },
	{ path: '/sagas', page: Sagas, title: 'Sagas', nav: true, icon: 'sagas', group: 'Operate', key: 's' },
	{ path: '/approvals', page: Approvals, title: 'Approvals', nav: true, icon: 'approvals', group: 'Operate', key: 'p' },
	{ path: '/batches', page: Batches, title: 'Batches', nav: true, icon: 'batches', group: 'Operate', key: 'b' },
	{ path: '/batches/:id', page: Batch, title: 'Batch' },
	{ path: '/definitions', page: Definitions, title: 'Definitions', nav: true, icon: 'definitions', group: 'Look',
		key: 'd' },
	{ path: '/definitions/:name', page: Definition, title: 'Definition' },
	{ path: '/queues', page: Queues, title: 'Queues', nav: true, icon: 'queues', group: 'Look', key: 'q' },
	{ path: '/queues/:queue', page: Queue, title: 'Queue' },
	{ path: '/schedules', page: Schedules, title: 'Schedules', nav: true, icon: 'clock', group: 'Look', key: 'e' },
	{ path: '/schedules/:definition/:entry', page: Schedule, title: 'Schedule' },
	{ path: '/triggers', page: Triggers, title: 'Triggers', nav: true, icon: 'triggers', group: 'Look', key: 't' },
	{ path: '/triggers/:definition/:topic', page: Trigger, title: 'Trigger' },
	{ path: '/dead-letters', page: DeadLetters, title: 'Dead letters', nav: true, icon: 'dead-letters', group: 'Look',
		key: 'l' },
	{ path: '/dead-letters/:id', page: DeadLetter, title: 'Dead letter' },
	{ path: '/keys', page: Keys, title: 'Keys', nav: true, icon: 'keys', group: 'Look', key: 'k' },
	{ path: '/nodes', page: Nodes, title: 'Cluster', nav: true, icon: 'nodes', group: 'Look', key: 'c' },
	{ path: '/sagas/:id', page: Saga, title: 'Saga' },
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
