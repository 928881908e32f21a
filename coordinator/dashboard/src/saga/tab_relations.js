/* Relations: the key of the saga and who else has it, what started it, batches that acted on it. */
import { html, useMemo, useState } from '../h.js';
import { get } from '../api.js';
import { useResource } from '../resource.js';
import { at as path, link } from '../router.js';
import { Ago, Badge, Button, Copy, Skeleton } from '../ui.js';
import { audit } from './history.js';

const quoted = (text) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

const CHILDREN_PAGE = 100;

function Children({ saga }) {
	const where = path('sagas', saga.id) + '/children';
	const { data, error } = useResource(where, { limit: CHILDREN_PAGE });
	const [more, setMore] = useState([]);
	const pages = [data, ...more].filter(Boolean);
	const rows = pages.flatMap((page) => page.children), next = pages.at(-1)?.next;
	const onMore = async () => {
		const page = await get(where, { limit: CHILDREN_PAGE, cursor: next });
		setMore((list) => [...list, page]);
	};
	return html`<section class="panel" aria-labelledby="its-children"><header class="panel-head">
		<h2 id="its-children">Child sagas</h2>${rows.length > 0 && html`<span class="count num">${rows.length}${next ? '+' : ''}
		</span>`}</header><div class="panel-body">
		${error ? html`<p class="faint">${error.message}</p>` : !data ? html`<${Skeleton} rows=${2} />` :
			rows.length === 0 ? html`<p class="faint">It has started no other sagas.</p>`
			: html`<ul class="plain-list">${rows.map((row) => html`<li key=${row.id} class="row wrap"><${Badge}
				status=${row.status} /><span class="muted">${row.step}${row.item === null || row.item === undefined || row.item < 0
				? '' : `[${row.item}]`}</span><a href=${link(path('sagas', row.id))}>${row.key ?? row.id}</a><span class="faint"
				>${row.saga}</span><${Ago} at=${row.started_at} /></li>`)}</ul>
				${next && html`<${Button} kind="small" onClick=${onMore}>Show more</${Button}>`}`}</div></section>`;
}

function Others({ saga }) {
	const { data, error } = useResource(saga.key ? '/sagas' : null, { q: `key:${quoted(saga.key ?? '')}`, limit: 20 });
	if (!saga.key)
		return null;
	const rows = (data?.sagas ?? []).filter((row) => row.id !== saga.id);
	return html`<section class="panel" aria-labelledby="same-key"><header class="panel-head">
		<h2 id="same-key">Sagas with the same key</h2></header><div class="panel-body">
		${error ? html`<p class="faint">${error.message}</p>` : !data ? html`<${Skeleton} rows=${2} />` :
			rows.length === 0 ? html`<p class="faint">No other saga has this key.</p>`
			: html`<ul class="plain-list">
				${rows.map((row) => html`<li key=${row.id} class="row wrap"><${Badge} status=${row.status} />
				<a href=${link(path('sagas', row.id))}>${row.saga}</a><code>${row.id}</code><${Ago} at=${row.started_at} />
				</li>`)}</ul>`}</div></section>`;
}

export function Relations({ data }) {
	const { saga, history } = data;
	const started = history.rows[0]?.events[0];
	const batches = useMemo(() => [...new Map(audit(history.rows).filter((act) => act.id).map((act) =>
		[act.id, act])).values()], [history.version]);
	return html`<div class="two"><section class="panel" aria-labelledby="where-from"><header class="panel-head">
		<h2 id="where-from">Where it comes from</h2></header><div class="panel-body"><dl class="facts">
		<dt>Key</dt><dd>${saga.key ? html`<${Copy} text=${saga.key} label="Copy the key" /> <a
			href=${link('/keys', { definition: saga.saga, key: saga.key })}>Look the key up</a>` :
			html`<span class="faint">none: the saga's id is its identity</span>`}</dd>
		<dt>Definition</dt><dd><a href=${link(path('definitions', saga.saga), { version: saga.version })}>
			${saga.saga} version ${saga.version}
			</a> · <a href=${link('/sagas', { q: `saga:${saga.saga} version:${saga.version}` })}>all sagas on it</a></dd>
		<dt>Namespace</dt><dd>${saga.namespace}</dd>
		<dt>Started by</dt><dd>${saga.parent ? 'its parent' : started?.reason ? html`<code>${started.reason}</code>`
			: started?.by ? started.by : 'a call of the API, or a record of a trigger'}${started?.name && !saga.parent &&
			html` · <a href=${link('/triggers', { definition: saga.saga })}>its triggers</a>`}</dd>
		${history.rows.flatMap((row) => row.events).filter((event) => event.type === 'SagaCancelRequested' &&
			event.id).map((event) => html`<dt>Cancelled by record</dt><dd><code>${event.id}</code></dd>`)}
		${saga.parent && html`<dt>Parent</dt><dd><a href=${link(path('sagas', saga.parent.id))}>${saga.parent.id}</a>, step
			${' '}${saga.parent.step}${saga.parent.item === null || saga.parent.item === undefined || saga.parent.item < 0 ? ''
			: `[${saga.parent.item}]`}${saga.held ? '; it is done, and held until that has ended' : ''}</dd>`}
		${saga.run_of && html`<dt>New run of</dt><dd><a href=${link(path('sagas', saga.run_of.id), { tab: 'history',
			at: saga.run_of.seq })}>${saga.run_of.id}</a>, from event ${saga.run_of.seq} on</dd>`}
		${saga.continued_by && html`<dt>Its new run</dt><dd><a href=${link(path('sagas', saga.continued_by))}>
			${saga.continued_by}</a></dd>`}
		</dl></div></section>
		<div><${Children} saga=${saga} /><${Others} saga=${saga} /><section class="panel"
			aria-labelledby="its-batches"><header class="panel-head">
			<h2 id="its-batches">Acts with an id</h2></header><div class="panel-body">
			${batches.length === 0 ? html`<p class="faint">None: no batch has acted on it.</p>` : html`<ul class="plain-list">
				${batches.map((act) => html`<li key=${act.id} class="row wrap"><b>${act.act}</b>
				<a href=${link(path('batches', act.id))}><code>${act.id}</code></a><${Ago} at=${new Date(act.at).toISOString()} />
				</li>`)}</ul>`}</div></section></div></div>`;
}
