/* Relations: the key of the saga and who else has it, what started it, batches that acted on it. */
import { html, useMemo } from '../h.js';
import { useResource } from '../resource.js';
import { at as path, link } from '../router.js';
import { Ago, Badge, Copy, Skeleton } from '../ui.js';
import { audit } from './history.js';

const quoted = (text) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

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
		<dt>Started by</dt><dd>${started?.reason ? html`<code>${started.reason}</code>` : started?.by ? started.by :
			'a call of the API, or a record of a trigger'} ${started?.name &&
			html`<a href=${link('/triggers', { definition: saga.saga })}>its triggers</a>`}</dd>
		${history.rows.flatMap((row) => row.events).filter((event) => event.type === 'SagaCancelRequested' &&
			event.id).map((event) => html`<dt>Cancelled by record</dt><dd><code>${event.id}</code></dd>`)}
		<dt>Child sagas</dt><dd class="faint">none: this definition starts no other sagas</dd></dl></div></section>
		<div><${Others} saga=${saga} /><section class="panel" aria-labelledby="its-batches"><header class="panel-head">
			<h2 id="its-batches">Acts with an id</h2></header><div class="panel-body">
			${batches.length === 0 ? html`<p class="faint">No batch has acted on it.</p>` : html`<ul class="plain-list">
				${batches.map((act) => html`<li key=${act.id} class="row wrap"><b>${act.act}</b>
				<a href=${link(path('batches', act.id))}><code>${act.id}</code></a><${Ago} at=${new Date(act.at).toISOString()} />
				</li>`)}</ul>`}</div></section></div></div>`;
}
