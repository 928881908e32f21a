/*
 * Queues and the workers that poll them: how much waits and for how long, who works, on which
 * builds, and the limits and the routing of a queue.
 */
import { html, useEffect, useState } from '../h.js';
import { call, get } from '../api.js';
import { quote } from '../acts/calls.js';
import { count } from '../format.js';
import { Icon } from '../icons.js';
import { useResource } from '../resource.js';
import { at, link, useQuery } from '../router.js';
import { More, Table } from '../table.js';
import { Ago, Button, CommandLine, Dialog, Empty, Field, Page, Panel, Problem, Skeleton, toast, who } from '../ui.js';
import { placeOf } from './approvals.js';

const POLL_MS = 2000;

function useEvery(reload) {
	useEffect(() => {
		const timer = setInterval(() => document.hidden || reload(), POLL_MS);
		return () => clearInterval(timer);
	}, [reload]);
}

/* Work without anybody who asks for it. */
function Pollers({ row }) {
	return row.queued > 0 && !row.pollers ? html`<span class="wrong-text" title="work waits, and no worker asks for it"
		>none</span>` : html`<span class="num">${count(row.pollers)}</span>`;
}

const rate = (row, what) => count(row.rates?.[what] ?? 0);

const COLUMNS = [
	{ id: 'queue', title: 'Queue', cell: (row) => html`<a href=${link(at('queues', row.queue))}>${row.queue}</a>
		<span class="under only-narrow"><span class="cut">${row.oldest_at && html`oldest <${Ago}
		at=${row.oldest_at} bare /> · `}${count(row.leased)} in work</span></span>` },
	{ id: 'queued', title: 'Waiting', class: 'w-8 num', cell: (row) => count(row.queued) },
	{ id: 'oldest', title: 'Oldest', class: 'w-8 num', narrow: false, cell: (row) => html`<${Ago} at=${row.oldest_at} bare />` },
	{ id: 'leased', title: 'In work', class: 'w-8 num', narrow: false, cell: (row) => count(row.leased) },
	{ id: 'pollers', title: 'Pollers', class: 'w-8 num', cell: (row) => html`<${Pollers} row=${row} />` },
	{ id: 'workers', title: 'Workers', class: 'w-8 num', narrow: false, cell: (row) => count(row.workers_seen ?? 0) },
	{ id: 'done', title: 'Done / min', class: 'w-10 num', narrow: false, cell: (row) => rate(row, 'completed') },
	{ id: 'failed', title: 'Failed / min', class: 'w-10 num', narrow: false, cell: (row) => rate(row, 'failed') },
];

export function Queues() {
	const { data, error, reload } = useResource('/queues');
	useEvery(reload);
	return html`<${Page} title="Queues" count=${data ? data.queues.length : null}>
		<${Problem} error=${error} onRetry=${reload} />
		${!data ? !error && html`<${Skeleton} rows=${5} />` : data.queues.length === 0
			? html`<${Empty} icon="queues" title="No queue has work or workers.">A step with <code>task</code> puts work into a
				queue; workers poll it over HTTP.</${Empty}>`
			: html`<${Table} label="Queues" columns=${COLUMNS} rows=${data.queues} rowKey=${(row) => row.queue}
				href=${(row) => link(at('queues', row.queue))} />`}</${Page}>`;
}

const WORKERS = [
	{ id: 'worker', title: 'Worker', cell: (row) => html`<span title=${row.worker}>${row.worker}</span>` },
	{ id: 'build', title: 'Build', class: 'w-14', narrow: false, cell: (row) => (row.build ? html`<code>${row.build}</code>`
		: html`<span class="faint">–</span>`) },
	{ id: 'leased', title: 'In work', class: 'w-8 num', cell: (row) => count(row.leased) },
	{ id: 'seen', title: 'Last seen', class: 'w-10 num', cell: (row) => html`<${Ago} at=${row.last_seen} />` },
	{ id: 'node', title: 'Node', class: 'w-20', narrow: false, cell: (row) => html`<code class="faint" title=${row.node}>
		${row.node ?? ''}</code>` },
];

const TASKS = [
	{ id: 'saga', title: 'Saga', cell: (row) => html`<a href=${link(at('sagas', row.saga))}>${row.definition ?? row.saga}</a>
		${' '}<span class="faint">${placeOf(row)}${row.side === 'undo' ? ', undo' : ''}</span>` },
	{ id: 'id', title: 'Id', class: 'w-30', narrow: false, cell: (row) => html`<code class="faint">${row.saga}</code>` },
	{ id: 'state', title: 'State', class: 'w-10', narrow: false, cell: (row) => html`<span
		class=${`badge tone-${row.state === 'leased' ? 'run' : 'wait'}`}><${Icon}
		name=${row.state === 'leased' ? 'play' : 'clock'} />${row.state}</span>` },
	{ id: 'attempt', title: 'Attempt', class: 'w-8 num', cell: (row) => count(row.attempt) },
	{ id: 'worker', title: 'Worker', class: 'w-14', narrow: false, cell: (row) => row.worker
		?? html`<span class="faint">–</span>` },
	{ id: 'since', title: 'Queued', class: 'w-10 num', cell: (row) => html`<${Ago} at=${row.queued_at} bare />` },
	{ id: 'until', title: 'Lease until', class: 'w-14 num', narrow: false, cell: (row) => html`<${Ago} at=${row.leased_until} />` },
];

function Tasks({ queue }) {
	const [state, setState] = useQuery('state', 'queued');
	const path = `${at('queues', queue)}/tasks`;
	const first = useResource(path, { state, limit: 100 });
	const [more, setMore] = useState([]);
	useEvery(first.reload);
	useEffect(() => setMore([]), [state]);
	const pages = [first.data, ...more].filter(Boolean);
	const rows = [...new Map(pages.flatMap((page) => page.tasks).map((row) =>
		[`${row.saga}/${placeOf(row)}/${row.side}`, row])).values()];
	const next = pages.at(-1)?.next;
	const onMore = async () => {
		try {
			const page = await get(path, { state, limit: 100, cursor: next });
			setMore((list) => [...list, page]);
		} catch {
			first.reload();
		}
	};
	return html`<${Panel} title="Tasks" more=${html`<div class="segments" role="group" aria-label="State">
		${['queued', 'leased'].map((each) => html`<button key=${each} type="button" aria-pressed=${state === each ? 'true'
		: 'false'} onClick=${() => setState(each)}>${each === 'queued' ? 'Waiting' : 'In work'}</button>`)}</div>`}>
		<${Problem} error=${first.error} />
		${first.data && (rows.length === 0 ? html`<p class="faint pad">None.</p>` : html`<${Table} label="Tasks" columns=${TASKS}
			rows=${rows} rowKey=${(row) => `${row.saga}/${placeOf(row)}/${row.side}`} compact keyboard=${false} /><${More}
			next=${next} onMore=${onMore} shown=${rows.length} what="tasks" />`)}</${Panel}>`;
}

/* Texts of the form to settings, and what is wrong with them. */
export function readSettings(form) {
	const settings = {}, errors = {};
	const number = (name, text, whole) => {
		const n = Number(text);
		if (text.trim() === '')
			return;
		if (!Number.isFinite(n) || n <= 0 || (whole && !Number.isInteger(n)))
			errors[name] = whole ? 'A whole number above 0, or nothing.' : 'A number above 0, or nothing.';
		else
			settings[name] = n;
	};
	number('rate_per_second', form.rate, false);
	number('max_concurrent', form.most, true);
	if (form.build.trim()) {
		settings.builds = { default: form.build.trim() };
		if (form.ramp.trim()) {
			const percent = Number(form.percent);
			if (!Number.isFinite(percent) || percent < 0 || percent > 100 || form.percent.trim() === '')
				errors.percent = '0 to 100.';
			settings.builds.ramp = { build: form.ramp.trim(), percent };
		}
	} else if (form.ramp.trim()) {
		errors.build = 'A gradual rollout begins from a build that has the rest.';
	}
	return { settings, errors };
}

function Settings({ data, etag, onClose, onDone }) {
	const now = data.settings ?? {};
	const [form, setForm] = useState({
		rate: String(now.rate_per_second ?? ''), most: String(now.max_concurrent ?? ''), build: now.builds?.default ?? '',
		ramp: now.builds?.ramp?.build ?? '', percent: String(now.builds?.ramp?.percent ?? ''),
	});
	const [error, setError] = useState(null);
	const [busy, setBusy] = useState(false);
	const by = who.use();
	const { settings, errors } = readSettings(form);
	const text = (name) => ({ class: 'input', name, value: form[name], autocomplete: 'off',
		onInput: (event) => setForm({ ...form, [name]: event.target.value }) });
	const save = async () => {
		if (Object.keys(errors).length)
			return;
		setBusy(true);
		try {
			await call('PUT', at('queues', data.queue), { body: { ...settings, by: by.trim() || undefined }, ifMatch: etag });
			toast('The settings hold on all nodes within seconds.');
			onDone();
			onClose();
		} catch (caught) {
			setError(caught);
			setBusy(false);
		}
	};
	const builds = settings.builds;
	const command = ['skald', 'queue', 'set', data.queue,
		...(settings.rate_per_second ? ['--rate', String(settings.rate_per_second)] : []),
		...(settings.max_concurrent ? ['--max-concurrent', String(settings.max_concurrent)] : []),
		...(builds ? ['--build', builds.default] : []),
		...(builds?.ramp ? ['--ramp', `${builds.ramp.build}=${builds.ramp.percent}`] : [])].map(quote).join(' ');
	return html`<${Dialog} title=${`Settings of ${data.queue}`} onClose=${onClose} wide footer=${html`
		<${Button} onClick=${onClose}>Leave it</${Button}><${Button} kind="primary" busy=${busy} data-perform onClick=${save}
		disabled=${Object.keys(errors).length > 0}>Save</${Button}>`}>
		<div class="act"><${Problem} error=${error} /><div class="fields">
		<${Field} label="Tasks a second" hint="Nothing: no limit." error=${errors.rate_per_second}><input ...${text('rate')}
			data-autofocus /></${Field}>
		<${Field} label="In work at a time" hint="Nothing: no limit." error=${errors.max_concurrent}><input ...${text('most')} />
			</${Field}></div><div class="fields">
		<${Field} label="Build" hint="Nothing: a worker of any build gets any task." error=${errors.build}
			><input ...${text('build')} /></${Field}>
		<${Field} label="Roll out to build"><input ...${text('ramp')} /></${Field}>
		<${Field} label="Percent of the sagas" error=${errors.percent}><input ...${text('percent')} /></${Field}></div>
		<${Field} label="Who you are"><input class="input" name="by" maxlength="200" autocomplete="off" value=${by}
			onInput=${(event) => who.set(event.target.value)} /></${Field}>
		<div class="a-same"><${CommandLine} text=${command} /></div></div></${Dialog}>`;
}

export function Queue({ queue }) {
	const { data, etag, error, reload } = useResource(at('queues', queue));
	const [editing, setEditing] = useState(false);
	useEvery(reload);
	if (!data)
		return html`<${Page} title=${queue}><${Problem} error=${error} onRetry=${reload} />
			${!error && html`<${Skeleton} rows=${8} />`}</${Page}>`;
	const { settings } = data, builds = settings?.builds;
	const back = html`<a class="back" href=${link('/queues')}><${Icon} name="left" />Queues</a>`;
	return html`<${Page} title=${data.queue} actions=${html`${back}<${Button}
		onClick=${() => setEditing(true)}>Settings</${Button}>`}>
		<${Problem} error=${error} />
		${data.queued > 0 && !data.pollers && html`<div class="notice tone-bad"><${Icon} name="attention" /><span>
			${data.queued === 1 ? '1 task waits, and no worker asks for it.'
			: `${count(data.queued)} tasks wait, and no worker asks for them.`}</span></div>`}
		<div class="two"><${Panel} title="Work"><div class="panel-body"><dl class="facts">
			<dt>Waiting</dt><dd class="num">${count(data.queued)}</dd><dt>Oldest</dt><dd><${Ago} at=${data.oldest_at} /></dd>
			<dt>In work</dt><dd class="num">${count(data.leased)}</dd><dt>Pollers</dt><dd><${Pollers} row=${data} /></dd>
			<dt>Done / min</dt><dd class="num">${rate(data, 'completed')}</dd><dt>Failed / min</dt><dd class="num">
			${rate(data, 'failed')}</dd></dl></div></${Panel}>
		<${Panel} title="Limits and routing"><div class="panel-body"><dl class="facts">
			<dt>Tasks a second</dt><dd>${settings?.rate_per_second ?? html`<span class="faint">no limit</span>`}</dd>
			<dt>In work at a time</dt><dd>${settings?.max_concurrent ?? html`<span class="faint">no limit</span>`}</dd>
			<dt>Build</dt><dd>${builds ? html`<code>${builds.default}</code>` : html`<span class="faint">any</span>`}</dd>
			<dt>Rollout</dt><dd>${builds?.ramp ? html`<code>${builds.ramp.build}</code> gets ${builds.ramp.percent} %`
			: html`<span class="faint">none</span>`}</dd></dl></div></${Panel}></div>
		<h2 class="sub">Workers</h2>
		${(data.workers ?? []).length === 0 ? html`<p class="faint">None has asked for work lately.</p>`
			: html`<${Table} label="Workers" columns=${WORKERS} rows=${data.workers} rowKey=${(row) => `${row.worker} ${row.node}`}
				compact keyboard=${false} />`}
		<div class="apart"><${Tasks} queue=${queue} /></div>
		${editing && html`<${Settings} data=${data} etag=${etag} onClose=${() => setEditing(false)} onDone=${reload} />`}</${Page}>`;
}
