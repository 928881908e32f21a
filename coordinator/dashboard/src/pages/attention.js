/*
 * Attention: the reasons why sagas concern a person. Each row is one reason with all the sagas that
 * have it, because what has the same reason is repaired in the same way. Rows keep their places
 * while the page is shown; what comes new waits behind a bar.
 */
import { html, useEffect, useState } from '../h.js';
import { Bulk } from '../bulk.js';
import { count } from '../format.js';
import { Icon } from '../icons.js';
import { overview } from '../live.js';
import { useResource } from '../resource.js';
import { at, link, useQuery } from '../router.js';
import { Table } from '../table.js';
import { Button, Empty, Key, Page, Problem, Skeleton, Tabs, useThrottled } from '../ui.js';
import { ATTENTION } from '../words.js';
import { GROUP_COLUMNS, groupTarget, useSteadyGroups } from './attention_parts.js';

const order = Object.keys(ATTENTION);

export function Attention() {
	const [kind] = useQuery('kind');
	const [open, setOpen] = useQuery('open');
	const { data, error, loading, reload } = useResource('/attention');
	const { rows, fresh, gone, show } = useSteadyGroups(data);
	const [acting, setActing] = useState(null);
	const attention = overview.use()?.attention;
	const soon = useThrottled(reload, 1500);
	const told = JSON.stringify(attention);
	useEffect(soon, [told]);

	const of = (name) => rows.filter((group) => !name || group.kind === name);
	const list = of(kind).filter((group) => open !== '1' || !group.acknowledged);
	const total = rows.reduce((sum, group) => sum + group.count, 0);
	const hidden = of(kind).length - list.length;
	const columns = [...GROUP_COLUMNS, {
		id: 'act', title: '', head: html`<span class="hidden-visually">Act</span>`, class: 'w-10 act', narrow: false,
		cell: (group) => html`<${Button} kind="small" onClick=${() => setActing(group)} disabled=${group.count === 0}
			label=${`Act on the sagas of ${group.saga} ${group.step ?? ''}`}>Act …</${Button}>`,
	}];
	return html`<${Page} title="Attention" count=${data ? count(total) : null}
		lead="Sagas that need a person, by reason. All that have the same reason can be repaired together."
		actions=${html`<label class="switch"><input type="checkbox" checked=${open === '1'}
			onChange=${(event) => setOpen(event.target.checked ? '1' : null)} />Only not acknowledged</label>`}>
		<${Problem} error=${error} onRetry=${reload} />
		<${Tabs} label="Kinds" current=${kind} href=${(id) => link('/attention', { kind: id, open })}
			tabs=${[['', 'All', rows.length], ...order.filter((id) => of(id).length || id === kind)
				.map((id) => [id, ATTENTION[id][2], of(id).length])]} />
		${fresh + gone > 0 && html`<div class="more-bar"><${Button} onClick=${show}>${[fresh && `${fresh} new`,
			gone && `${gone} gone`].filter(Boolean).join(', ')} – show <${Key}>r</${Key}></${Button}></div>`}
		${!data && !error ? html`<${Skeleton} rows=${6} class="tall" />`
			: list.length ? html`<${Table} label="Reasons" columns=${columns} rows=${list}
				mark=${(group) => (group.count === 0 ? 'gone' : '')} href=${(group) => link(at('attention', group.id))}
				keys=${[['r', 'Show what is new, or ask again', () => { show(); reload(); }],
					['a', 'Act on all sagas of the row', (group) => group && group.count > 0 && setActing(group)]]} />`
			: data && !loading && html`<${Empty} title=${hidden ? 'All are acknowledged.' : 'Nothing needs a person.'}>${hidden
				? html`<a href=${link('/attention', { kind })}>Show those that are</a>`
				: 'What cannot be finished or undone without you will be here.'}</${Empty}>`}
		${data?.truncated && html`<p class="list-end faint"><${Icon} name="info" />There are more reasons than are listed.</p>`}
		${acting && html`<${Bulk} target=${groupTarget(acting)} onClose=${() => setActing(null)} />`}</${Page}>`;
}
