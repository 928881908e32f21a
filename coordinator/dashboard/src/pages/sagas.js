/*
 * Sagas: a filter, views that were saved in this browser, and the list; rows can be selected, or all
 * that match, and acted on together. The filter and the selection are in the address.
 */
import { html, useState } from '../h.js';
import { Bulk } from '../bulk.js';
import { FilterBox } from '../filter_box.js';
import { plural, short } from '../format.js';
import { Icon } from '../icons.js';
import { overview } from '../live.js';
import { link, setQuery, useQuery } from '../router.js';
import { kept } from '../store.js';
import { Button, Dialog, Empty, Field, Page } from '../ui.js';
import { SagaList, useSagaList } from './saga_list.js';

const SELECTED_IN_ADDRESS = 60;
const views = kept('views', []);
const sum = (counts, ...names) => names.reduce((n, name) => n + (counts?.[name] ?? 0), 0);

/* Views that are always there, with what the overview counts for them. */
const PRESETS = [
	['All', '', () => undefined],
	['Need a person', 'attention:true', ({ attention }) => attention?.total],
	['Compensating', 'status:compensating', ({ counts }) => sum(counts, 'compensating')],
	['Active', 'status:running,waiting,compensating,paused', ({ counts }) =>
		sum(counts, 'running', 'waiting', 'compensating', 'paused')],
	['Failed or stuck', 'status:failed,compensation_failed', ({ counts }) => sum(counts, 'failed', 'compensation_failed')],
];

function Views({ q }) {
	const saved = views.use();
	const data = overview.use() ?? {};
	const [naming, setNaming] = useState(false);
	const known = [...PRESETS.map(([, each]) => each), ...saved.map((each) => each.q)];
	return html`<nav class="views" aria-label="Views">
		${PRESETS.map(([name, each, n]) => html`<a key=${name} class="view" href=${link('/sagas', { q: each })}
			aria-current=${each === q ? 'page' : undefined}>${name}${n(data) !== undefined && html`
			<span class="count num">${short(n(data))}</span>`}</a>`)}
		${saved.map((each) => html`<span key=${each.name} class="view saved" aria-current=${each.q === q ? 'page' : undefined}>
			<a href=${link('/sagas', { q: each.q })} title=${each.q}>${each.name}</a><button type="button" class="icon-button"
			aria-label=${`Forget the view ${each.name}`} onClick=${() => views.set((list) => list.filter((one) => one !== each))}
			><${Icon} name="close" /></button></span>`)}
		${q && !known.includes(q) && html`<${Button} kind="quiet small" icon="save" onClick=${() => setNaming(true)}
			>Save this view</${Button}>`}
		${naming && html`<${NameView} q=${q} onClose=${() => setNaming(false)} />`}</nav>`;
}

function NameView({ q, onClose }) {
	const [name, setName] = useState('');
	const taken = views.get().some((each) => each.name === name.trim());
	const save = (event) => {
		event.preventDefault();
		if (!name.trim() || taken)
			return;
		views.set((list) => [...list, { name: name.trim(), q }]);
		onClose();
	};
	return html`<${Dialog} title="Save this view" onClose=${onClose} footer=${html`<${Button} onClick=${onClose}>Not
		now</${Button}><${Button} kind="primary" type="submit" form="view-form" disabled=${!name.trim() || taken}>Save</${Button}>`}>
		<form id="view-form" onSubmit=${save}><${Field} label="Name" hint=${`It is kept in this browser: ${q}`}
			error=${taken && 'There is a view of this name.'}><input class="input" data-autofocus maxlength="60" value=${name}
			onInput=${(event) => setName(event.target.value)} /></${Field}></form></${Dialog}>`;
}

/* What is selected: "all" that match, or a set of ids; in the address as long as it is short. */
function useSelection(q) {
	const [text] = useQuery('sel');
	const [many, setMany] = useState(null);
	const all = text === 'all' && q !== '';
	const ids = all ? new Set() : many ?? new Set(text && text !== 'all' ? text.split(',') : []);
	const set = (next) => {
		setMany(next.size > SELECTED_IN_ADDRESS ? next : null);
		setQuery({ sel: next.size > SELECTED_IN_ADDRESS ? null : [...next].join(',') });
	};
	return { all, ids, set, setAll: () => { setMany(null); setQuery({ sel: 'all' }); }, clear: () => set(new Set()) };
}

function SelectionBar({ selection, q, onAct }) {
	const { all, ids } = selection;
	if (!all && ids.size === 0)
		return null;
	return html`<div class="selection" role="region" aria-label="Selection">
		<b>${all ? 'All that match' : plural(ids.size, 'saga')}</b>
		<span class="muted">${all ? html`<code>${q}</code>` : 'selected'}</span>
		<div class="buttons push">
			${!all && q && html`<${Button} kind="quiet" onClick=${selection.setAll}>Select all that match</${Button}>`}
			<${Button} kind="quiet" onClick=${selection.clear}>Clear</${Button}>
			<${Button} kind="primary" onClick=${onAct}>Act …</${Button}></div></div>`;
}

export function Sagas() {
	const [q, setQ] = useQuery('q');
	const [find] = useQuery('find');
	const list = useSagaList(q);
	const selection = useSelection(q);
	const [acting, setActing] = useState(null);
	const invalid = list.error?.code === 'invalid_query' || list.error?.status === 400 ? list.error : null;
	const target = selection.all ? { q, words: `Act on all sagas that match ${q}` }
		: { ids: [...selection.ids], count: selection.ids.size, words: `Act on ${plural(selection.ids.size, 'selected saga')}` };
	const selected = selection.all && list.rows ? new Set(list.rows.map((row) => row.id)) : selection.ids;
	return html`<${Page} title="Sagas" wide>
		<${FilterBox} value=${q} error=${invalid} focus=${find}
			onChange=${(text) => setQuery({ q: text, sel: null, find: null }, { replace: text === q })} />
		<${Views} q=${q} />
		<${SagaList} list=${invalid ? { ...list, error: null, rows: list.rows ?? [] } : list}
			columns=${['saga', 'status', 'attention', 'owner', 'updated', 'started']}
			selected=${selected} onSelect=${selection.set}
			keys=${[['a', 'Act on what is selected', () => (selection.all || selection.ids.size) && setActing(target)],
				['*', 'Select all that match', () => q && selection.setAll()],
				['Escape', 'Select nothing', selection.clear]]}>
			${invalid ? html`<${Empty} icon="filter" title="The filter cannot be read." />`
				: q ? html`<${Empty} icon="search" title="No saga matches."><button type="button" class="link"
				onClick=${() => setQ(null, { replace: false })}>Show all sagas</button></${Empty}>`
				: html`<${Empty} icon="sagas" title="There are no sagas yet.">Start one:
				<p><code>skald saga start NAME '{"…": "…"}'</code></p></${Empty}>`}</${SagaList}>
		<${SelectionBar} selection=${selection} q=${q} onAct=${() => setActing(target)} />
		${acting && html`<${Bulk} target=${acting} onClose=${() => setActing(null)} onDone=${selection.clear} />`}
	</${Page}>`;
}
