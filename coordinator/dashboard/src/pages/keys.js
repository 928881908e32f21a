/* Keys: which saga has an idempotency key, and whether the pointer in Redis agrees with the store. */
import { html, useState } from '../h.js';
import { PlainAct } from '../plain_act.js';
import { quote } from '../acts/calls.js';
import { duration } from '../format.js';
import { Icon } from '../icons.js';
import { useResource } from '../resource.js';
import { at, link, setQuery, useQuery } from '../router.js';
import { Ago, Badge, Button, Copy, Empty, Page, Problem, Skeleton, toast } from '../ui.js';

const POINTER = {
	agrees: ['good', 'check', 'Redis points to the same saga.'], stale: ['undo', 'attention',
		'Redis points elsewhere. The store is right, and a start looks there.'],
	none: ['off', 'dash', 'Redis holds no pointer. The store is asked.'], unavailable: ['undo', 'clock',
		'Redis does not answer. The store is asked.'],
	off: ['off', 'ring', 'This server keeps no pointers in Redis.'],
};

function Found({ data, onForget }) {
	const [tone, icon, words] = POINTER[data.pointer.state] ?? ['wait', 'info', ''];
	return html`<div class="two"><section class="panel" aria-labelledby="k-store"><header class="panel-head">
		<h2 id="k-store">What the store knows</h2><${Badge} status=${data.saga.status} /></header>
		<div class="panel-body"><dl class="facts"><dt>Saga</dt><dd><a href=${link(at('sagas', data.saga.id))}><code>
			${data.saga.id}</code></a></dd>
			<dt>Definition</dt><dd>${data.definition} version ${data.saga.version}</dd><dt>Key</dt><dd>
				<${Copy} text=${data.key} label="Copy the key" /></dd>
			<dt>Started</dt><dd><${Ago} at=${data.saga.started_at} /></dd>
			<dt>Fingerprint</dt><dd><code>${data.fingerprint}</code></dd></dl></div></section>
	<section class="panel" aria-labelledby="k-pointer"><header class="panel-head">
		<h2 id="k-pointer">Pointer in Redis</h2><span class=${`badge tone-${tone}`}><${Icon} name=${icon} />
		${data.pointer.state}</span></header>
		<div class="panel-body"><p>${words}</p>${data.pointer.saga_id && html`<dl class="facts"><dt>Points to</dt><dd>
			<a href=${link(at('sagas', data.pointer.saga_id))}><code>${data.pointer.saga_id}</code></a></dd>
			<dt>Fingerprint</dt><dd><code>${data.pointer.fingerprint}</code></dd><dt>Goes in</dt><dd>
				${data.pointer.expires_in_ms === null ? 'never' : duration(data.pointer.expires_in_ms)}</dd></dl>
			<p class="k-forget"><${Button} icon="trash" onClick=${onForget}>Remove the pointer</${Button}></p>`}</div>
				</section></div>`;
}

export function Keys() {
	const [definition] = useQuery('definition');
	const [key] = useQuery('key');
	const [form, setForm] = useState({ definition, key });
	const [forget, setForget] = useState(false);
	const names = useResource('/definitions');
	const path = definition && key ? at('idempotency', definition, key) : null;
	const { data, error, loading, reload } = useResource(path);
	const look = (event) => {
		event.preventDefault();
		setQuery({ definition: form.definition.trim(), key: form.key }, { replace: false });
	};
	const all = [...new Set((names.data?.definitions ?? []).map((each) => each.name))].sort();
	return html`<${Page} title="Keys"
		lead="One saga has one key of its definition, whatever a caller sends and however often.">
		<form class="panel key-form" onSubmit=${look}><label class="field"><span class="field-label">Definition</span>
			<input class="input" name="definition" list="definitions" autocomplete="off" value=${form.definition}
				onInput=${(event) => setForm({ ...form, definition: event.target.value })} /></label>
			<datalist id="definitions">${all.map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>
			<label class="field"><span class="field-label">Key</span><input class="input" name="key" autocomplete="off"
				value=${form.key} onInput=${(event) => setForm({ ...form, key: event.target.value })} /></label>
			<${Button} kind="primary" type="submit" disabled=${!form.definition.trim() || !form.key}>Look it up</${Button}>
				</form>
		${path === null ? html`<${Empty} icon="keys" title="Name a definition and a key." />` : error ? (error.status === 404
			? html`<${Empty} icon="keys" title="No saga has this key.">${error.message}</${Empty}>` :
				html`<${Problem} error=${error} onRetry=${reload} />`)
			: data ? html`<${Found} data=${data} onForget=${() => setForget(true)} />` : loading &&
				html`<${Skeleton} rows=${5} />`}
		${forget && html`<${PlainAct} title="Remove the pointer" method="DELETE" verb="Remove" danger path=${path}
			command=${`skald idempotency expire ${quote(definition)} ${quote(key)}`}
			hint="Removes the pointer from Redis, and only that. The key stays taken: the store knows it as long as it keeps the saga."
			onClose=${() => setForget(false)} onDone=${(answer) => { toast(answer.detail); reload(); }} />`}</${Page}>`;
}
