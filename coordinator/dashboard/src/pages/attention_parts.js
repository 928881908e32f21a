/* What the pages Now and Attention both say of a group: where it is, why, since when, and whose. */
import { html, useEffect, useState } from '../h.js';
import { count, plural } from '../format.js';
import { Icon } from '../icons.js';
import { at, link } from '../router.js';
import { Ago, Kind } from '../ui.js';
import { ATTENTION } from '../words.js';

/* "refund of charge" in few words: the step, and whether its doing or its undoing is in trouble. */
export function Where({ group }) {
	return html`<span class="where"><span class="strong">${group.saga}</span>${group.step && html`
		<span class="faint">›</span> <code>${group.step}</code>${group.side === 'undo' && html`
		<span class="side-mark" title="its compensation"><${Icon} name="undo" />undo</span>`}`}</span>`;
}

const order = Object.keys(ATTENTION);
const worst = (a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || b.count - a.count;

/*
 * The groups in the order in which they were first shown: those that are known keep their places and
 * get new numbers; one that is gone stays, dimmed, until the list is shown anew.
 */
export function useSteadyGroups(data) {
	const [shown, setShown] = useState(null);
	const all = data?.groups ?? [];
	const show = () => data && setShown(all.toSorted(worst).map((group) => group.id));
	useEffect(() => {
		if (data && !shown)
			show();
	}, [data]);
	const [old, setOld] = useState({});
	useEffect(() => {
		if (data)
			setOld((before) => ({ ...before, ...Object.fromEntries(all.map((group) => [group.id, group])) }));
	}, [data]);
	const byId = new Map(all.map((group) => [group.id, group]));
	const rows = (shown ?? []).map((id) => byId.get(id) ?? (old[id] && { ...old[id], count: 0 })).filter(Boolean);
	const fresh = shown ? all.filter((group) => !shown.includes(group.id)).length : 0;
	const gone = rows.filter((group) => !byId.has(group.id)).length;
	return { rows, fresh, gone, show };
}

/* What a batch over a group acts on (bulk.js). */
export const groupTarget = (group) => ({
	q: `group:${group.id}`, group, count: group.count,
	words: `Act on ${plural(group.count, 'saga')}: ${group.saga}${group.step ? `, ${group.side === 'undo'
		? 'compensation of ' : ''}${group.step}` : ''}`,
});

/* What went wrong, without the names that stand beside it already. */
export function why(group) {
	let text = group.message ?? '';
	for (const known of [group.step, 'the compensation failed', 'parked', group.code])
		if (known && text.startsWith(`${known}: `))
			text = text.slice(known.length + 2);
	return text.replace(/^answered with status (\d+): /, '$1: ');
}

export const Owed = ({ group }) => (group.acknowledged
	? html`<span class="cut" title=${group.acknowledged.note}><${Icon} name="check" class="tick" />${group.owner
		?? group.acknowledged.by}</span>`
	: group.owner ? html`<span class="cut"><${Icon} name="user" class="tick" />${group.owner}</span>`
		: html`<span class="faint">nobody</span>`);

export const GROUP_COLUMNS = [
	{ id: 'where', title: 'Where', class: 'w-where', cell: (group) => html`<a class="plain"
		href=${link(at('attention', group.id))}><${Where} group=${group} /></a>
		<span class="under only-narrow"><${Kind} kind=${group.kind} /><span class="cut">${why(group)}</span></span>` },
	{ id: 'kind', title: 'Kind', class: 'w-12', narrow: false, cell: (group) => html`<${Kind} kind=${group.kind} />` },
	{ id: 'why', title: 'Why', narrow: false, cell: (group) => html`${group.code && html`<code
		class="code-mark">${group.code}</code> `}<span class="muted" title=${group.message}>${why(group)}</span>` },
	{ id: 'n', title: 'Sagas', class: 'w-8 num', cell: (group) => html`<b>${count(group.count)}</b>` },
	{ id: 'age', title: 'Since', class: 'w-8 num', narrow: false,
		cell: (group) => html`<${Ago} at=${group.first_seen_at} bare />` },
	{ id: 'owner', title: 'Owner', class: 'w-10', narrow: false, cell: (group) => html`<${Owed} group=${group} />` },
];
