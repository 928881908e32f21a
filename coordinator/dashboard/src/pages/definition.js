/*
 * One definition: its graph, its source, what the linter says of it, its versions with the sagas on
 * each, and the difference between two of them. ?version= says which, ?against= with which other.
 */
import { html, useEffect, useMemo, useState } from '../h.js';
import { call } from '../api.js';
import { count, plural } from '../format.js';
import { Icon } from '../icons.js';
import { Menu } from '../menu.js';
import { PlainAct } from '../plain_act.js';
import { quote } from '../acts/calls.js';
import { useResource } from '../resource.js';
import { at, link, setQuery, useQuery } from '../router.js';
import { actionLine, kindWord, stepsOf } from '../saga/definition.js';
import { hunks, lineDiff } from '../saga/diff.js';
import { GraphDrawing, GraphTable } from '../saga/tab_graph.js';
import { Table } from '../table.js';
import { Ago, Copy, Empty, Field, Page, Problem, Skeleton, Tabs, toast } from '../ui.js';
import { StatusCounts, sumOf } from './status_counts.js';

const TABS = [['graph', 'Graph'], ['versions', 'Versions'], ['source', 'Source'], ['lint', 'Lint'], ['diff', 'Diff']];

function StepFacts({ def }) {
	if (!def)
		return html`<p class="faint pad">Choose a step to see what it does.</p>`;
	return html`<div class="chosen-main"><h2>${def.id}</h2><dl class="facts">
		<dt>Does</dt><dd>${kindWord(def.action.kind)} ${actionLine(def.action)}</dd>
		<dt>Undo</dt><dd>${def.undo ? `${kindWord(def.undo.kind)} ${actionLine(def.undo)}`
			: def.undoNone ? 'none: it cannot be undone' : 'nothing to undo'}</dd>
		<dt>Waits for</dt><dd>${def.needs.join(', ') || 'nothing'}</dd>
		${def.when && html`<dt>Only when</dt><dd><code>${def.when}</code></dd>`}
		${def.pivot && html`<dt>Pivot</dt><dd>the point of no return</dd>`}
		${def.tolerate && html`<dt>Failure</dt><dd>is tolerated</dd>`}</dl></div>`;
}

function GraphTab({ doc }) {
	const steps = useMemo(() => stepsOf(doc), [doc]);
	const [chosen] = useQuery('step');
	return html`<div class="with-chosen"><section class="panel graph-panel" aria-label="Graph">
		<${GraphDrawing} steps=${steps}
		chosen=${chosen} label="Steps and what they wait for" onChoose=${(id) => setQuery({ step: id })} />
		<${GraphTable} steps=${steps} /></section>
		<aside class="chosen" aria-label="Step"><${StepFacts} def=${steps.find((def) => def.id === chosen)} /></aside></div>`;
}

function Lines({ text, marks = new Map() }) {
	return html`<div class="source" role="region" aria-label="Source" tabindex="0"><table class="lines"><tbody>
		${text.replace(/\n$/, '').split('\n').map((line, i) =>
			html`<tr key=${i} class=${marks.has(i + 1) ? `tone-${marks.get(i + 1)}` : ''}>
			<td class="l-no num">${i + 1}</td><td class="l-text"><code>${line}</code></td></tr>`)}</tbody></table></div>`;
}

const LEVELS = { error: ['bad', 'cross', 'error'], not_built: ['undo', 'clock', 'not built yet'],
	warning: ['undo', 'attention', 'warning'] };

function LintTab({ source }) {
	const [state, setState] = useState({ found: null, error: null });
	useEffect(() => {
		const abort = new AbortController();
		call('POST', '/definitions/validate', { text: source, signal: abort.signal }).then(
			(answer) => setState({ found: answer.body, error: null }),
			(error) => error.name !== 'AbortError' && setState({ found: null, error }));
		return () => abort.abort();
	}, [source]);
	const { found, error } = state;
	if (error)
		return html`<${Problem} error=${error} />`;
	if (!found)
		return html`<${Skeleton} rows=${4} />`;
	const marks = new Map(found.findings.map((each) => [each.line, LEVELS[each.level]?.[0] ?? 'wait']));
	return html`<div class="with-chosen"><section class="panel" aria-label="Source with marks"><${Lines} text=${source}
		marks=${marks} /></section>
		<section class="panel" aria-label="Findings"><header class="panel-head"><h2>Findings</h2><span class="count num">
			${found.findings.length}</span></header>
		${found.findings.length === 0 ? html`<${Empty} title="Nothing to say against it." />` : html`<ul class="findings">
			${found.findings.map((each, i) => {
				const [tone, icon, words] = LEVELS[each.level] ?? ['wait', 'info', each.level];
				return html`<li key=${i}><p><span class=${`badge tone-${tone}`}><${Icon} name=${icon} />${words}</span>
					<span class="faint num">${each.line ? `line ${each.line}` : ''}</span> <code>${each.pointer}</code></p><p>
						${each.text}</p></li>`;
			})}</ul>`}</section></div>`;
}

function VersionPick({ versions, name, value, label, onPick }) {
	return html`<label class="pick"><span class="muted">${label}</span><select class="input" name=${name}
		value=${String(value)}
		onChange=${(event) => onPick(event.target.value)}>${versions.map((each) => html`<option key=${each.version}
		value=${String(each.version)}>version ${each.version}</option>`)}</select></label>`;
}

function DiffTab({ name, version, versions, source }) {
	const other = versions.map((each) => each.version).filter((n) => n !== version);
	const [against] = useQuery('against');
	const from = Number(against) || other.filter((n) => n < version).at(0) || other[0];
	const { data, error } = useResource(from ? at('definitions', name, 'versions', String(from)) : null);
	const [all, setAll] = useState(false);
	const lines = useMemo(() => (data ? lineDiff(data.source, source) : []), [data, source]);
	const shown = useMemo(() => (all ? lines : hunks(lines)), [lines, all]);
	const changed = lines.filter((line) => line.kind !== 'same').length;
	if (!from)
		return html`<${Empty} icon="definitions" title="There is only one version." />`;
	return html`<section class="panel" aria-label="Difference"><div class="h-bar">
		<${VersionPick} versions=${versions.filter((each) => each.version !== version)} name="against" value=${from}
			label="From"
			onPick=${(value) => setQuery({ against: value })} />
		<span class="muted">to version ${version}</span><span class="faint num">${data ? plural(changed, 'changed line') :
			''}</span>
		<label class="choice push"><input type="checkbox" checked=${all} onChange=${() => setAll(!all)} />
			<span>All lines</span></label></div>
		<${Problem} error=${error} />
		${data && changed === 0 && html`<${Empty} title="They say the same, line for line." />`}
		${data && (changed > 0 || all) && html`<div class="source" role="region" aria-label="Lines" tabindex="0">
			<table class="lines diff"><tbody>
			${shown.map((line, i) => (line === null ? html`<tr key=${i} class="gap"><td class="l-no"></td><td class="l-no"></td>
				<td class="l-text faint">…</td></tr>` : html`<tr key=${i} class=${line.kind}><td class="l-no num">${line.a ?? ''}
					</td>
				<td class="l-no num">${line.b ?? ''}</td><td class="l-text"><span class="l-sign">
					${{ add: '+', del: '−', same: ' ' }[line.kind]}</span>
				<span class="hidden-visually">${{ add: 'added: ', del: 'removed: ', same: '' }[line.kind]}</span><code>
					${line.text}</code></td></tr>`))}
			</tbody></table></div>`}</section>`;
}

/* What a version is for new sagas: [tone, icon, words]. */
export function roleOf(version, routes, newest) {
	if (!routes)
		return null;
	if (routes.canary?.version === version)
		return ['doubt', 'question', `canary, ${routes.canary.percent} %`];
	if ((routes.current ?? newest) === version)
		return ['good', 'check', routes.canary ? `current, ${100 - routes.canary.percent} %` : 'current'];
	return null;
}

function Role({ version, routes, newest }) {
	const role = roleOf(version, routes, newest);
	return role ? html`<span class=${`badge tone-${role[0]}`}><${Icon} name=${role[1]} />${role[2]}</span>` : null;
}

function Canary({ name, versions, ...rest }) {
	const [version, setVersion] = useState(String(versions[0].version));
	const [percent, setPercent] = useState('10');
	const ready = /^\d+$/.test(percent.trim()) && Number(percent) <= 100;
	return html`<${PlainAct} title=${`Canary · ${name}`} verb="Give it a share" reasoned ready=${ready}
		hint="So much of the new sagas begins on this version; those that run stay on theirs."
		path=${`${at('definitions', name)}/canary`} body=${{ version: Number(version), percent: Number(percent) }}
		command=${`skald def canary ${quote(name)} ${percent.trim()} ${version}`} ...${rest}>
		<div class="fields"><${Field} label="Version"><select class="input" name="canary-version" data-autofocus value=${version}
			onChange=${(event) => setVersion(event.target.value)}>${versions.map((each) => html`<option key=${each.version}
			value=${String(each.version)}>${each.version}</option>`)}</select></${Field}>
		<${Field} label="Percent of new sagas" error=${!ready && '0 to 100.'}><input class="input" name="percent"
			inputmode="decimal" value=${percent} onInput=${(event) => setPercent(event.target.value)} /></${Field}></div>
		</${PlainAct}>`;
}

const ROUTING = {
	promote: ['Promote', 'Every new saga begins on this version; the canary ends.', 'primary'],
	rollback: ['Roll back', 'New sagas begin on the version before again; a canary ends. Those that run stay on theirs.', 'danger'],
	pause: ['Pause', 'No new saga begins: starts are refused, triggers hold their records, schedules pass. Those that run go on.',
		'danger'],
	resume: ['Resume', 'New sagas begin again.', 'primary'],
};

/* What is done with a definition as a whole; ?version= is what the page shows. */
function Acts({ name, versions, version, routes, onDone }) {
	const [act, setAct] = useState(null);
	const close = () => setAct(null);
	const done = (words) => () => {
		toast(words);
		onDone();
	};
	const words = ROUTING[act];
	const promoted = act === 'promote' ? { version: routes?.canary?.version ?? version } : {};
	return html`<${Menu} label="Acts on the definition" class="button" icon="down" groups=${[{ items: [
		{ id: 'canary', text: 'Canary …', hint: 'A share of new sagas on another version.', icon: 'question',
			disabled: versions.length < 2, why: 'there is only one version', onChoose: () => setAct('canary') },
		{ id: 'promote', text: `Promote version ${routes?.canary?.version ?? version} …`, hint: ROUTING.promote[1], icon: 'check',
			onChoose: () => setAct('promote') },
		{ id: 'rollback', text: 'Roll back …', hint: ROUTING.rollback[1], icon: 'left', disabled: versions.length < 2,
			why: 'there is only one version', onChoose: () => setAct('rollback') },
		routes?.paused ? { id: 'resume', text: 'Resume …', hint: ROUTING.resume[1], icon: 'play', onChoose: () =>
			setAct('resume') } : { id: 'pause', text: 'Pause …', hint: ROUTING.pause[1], icon: 'pause', danger: true,
			onChoose: () => setAct('pause') },
	] }]}>Acts</${Menu}>
	${act === 'canary' && html`<${Canary} name=${name} versions=${versions} onClose=${close}
		onDone=${done('The canary has its share.')} />`}
	${words && html`<${PlainAct} title=${`${words[0]} · ${name}`} verb=${words[0]} danger=${words[2] === 'danger'} reasoned
		hint=${words[1]} path=${`${at('definitions', name)}/${act}`} body=${promoted}
		command=${`skald def ${act} ${quote(name)}${promoted.version ? ` --version ${promoted.version}` : ''}`}
		onClose=${close} onDone=${done(`${words[0]}: done; it holds on all nodes within seconds.`)} />`}`;
}

function VersionsTab({ name, versions, counts, routes }) {
	const columns = [
		{ id: 'version', title: 'Version', class: 'w-10', cell: (row) =>
			html`<a href=${link(at('definitions', name), { version: row.version })}>version ${row.version}</a>` },
		{ id: 'role', title: 'New sagas', class: 'w-14', cell: (row) => html`<${Role} version=${row.version} routes=${routes}
			newest=${versions[0].version} />` },
		{ id: 'sagas', title: 'Sagas', cell: (row) => html`<${StatusCounts} counts=${counts.get(row.version)} name=${name}
			version=${row.version} />` },
		{ id: 'total', title: 'In all', class: 'w-8 num', narrow: false, cell: (row) => (counts.has(row.version) ?
			count(sumOf(counts.get(row.version))) : '–') },
		{ id: 'hash', title: 'Content', class: 'w-14', narrow: false, cell: (row) => html`<code title=${row.hash}>
			${row.hash.slice(0, 12)}</code>` },
		{ id: 'deployed', title: 'Deployed', class: 'w-10 num', narrow: false, cell: (row) =>
			html`<${Ago} at=${row.deployed_at} />` },
	];
	return html`<${Table} label="Versions" columns=${columns} rows=${versions} rowKey=${(row) => String(row.version)}
		href=${(row) => link(at('definitions', name), { version: row.version })} />`;
}

export function Definition({ name, query }) {
	const list = useResource(at('definitions', name, 'versions'));
	const stats = useResource(at('definitions', name, 'counts'));
	const routes = useResource(at('definitions', name));
	const versions = useMemo(() => [...(list.data?.versions ?? [])].sort((a, b) => b.version - a.version), [list.data]);
	const version = Number(query.get('version')) || versions[0]?.version;
	const tab = TABS.some(([id]) => id === query.get('tab')) ? query.get('tab') : 'graph';
	const one = useResource(version ? at('definitions', name, 'versions', String(version)) : null);
	const counts = useMemo(() => new Map((stats.data?.versions ?? []).map((each) => [each.version, each.counts])),
		[stats.data]);
	const error = list.error ?? one.error;
	if (error)
		return html`<${Page} title=${name}><${Problem} error=${error} onRetry=${() => { list.reload(); one.reload(); }} />
			</${Page}>`;
	const doc = one.data?.definition, labels = Object.entries(doc?.labels ?? {});
	return html`<${Page} title=${name} wide actions=${version && html`<${Acts} name=${name} versions=${versions} version=${version}
		routes=${routes.data} onDone=${routes.reload} /><${VersionPick} versions=${versions} name="version"
		value=${version}
		label="Version" onPick=${(value) => setQuery({ version: value, against: null, step: null })} />`}>
		${routes.data?.paused && html`<div class="notice tone-hold"><${Icon} name="pause" /><span>Paused: no new saga
			begins.</span></div>`}
		<dl class="head-facts def-facts"><div class="fact"><dt title="on this version">Sagas</dt><dd>
			<${StatusCounts} counts=${counts.get(version)} name=${name} version=${version} /></dd></div>
			${one.data && html`<div class="fact"><dt>Deployed</dt><dd><${Ago} at=${one.data.deployed_at} /></dd></div>
			<div class="fact"><dt>Content</dt><dd><${Copy} text=${one.data.hash} label="Copy the hash"><code>
				${one.data.hash.slice(0, 12)}</code></${Copy}></dd></div>`}
			${doc?.key && html`<div class="fact"><dt>Key</dt><dd><code>${String(doc.key)}</code></dd></div>`}
			${doc?.deadline !== undefined && html`<div class="fact"><dt>Deadline</dt><dd><code>${String(doc.deadline)}</code>
				</dd></div>`}
			${labels.map(([label, value]) => html`<div key=${label} class="fact"><dt>${label}</dt><dd>
				${typeof value === 'string' ? value : JSON.stringify(value)}</dd></div>`)}</dl>
		<${Tabs} label="Views of the definition" current=${tab}
			tabs=${TABS.map(([id, words]) => [id, words, id === 'versions' ? versions.length : undefined])}
			href=${(id) => link(at('definitions', name), { tab: id === 'graph' ? '' : id, version: query.get('version') })} />
		${!one.data ? html`<${Skeleton} rows=${8} />` : tab === 'versions' ?
			html`<${VersionsTab} name=${name} versions=${versions} counts=${counts} routes=${routes.data} />`
			: tab === 'source' ? html`<section class="panel" aria-label="Source"><header class="panel-head">
				<h2>As it was deployed</h2>
				<${Copy} text=${one.data.source} label="Copy the source"><span></span></${Copy}></header>
					<${Lines} text=${one.data.source} /></section>`
				: tab === 'lint' ? html`<${LintTab} source=${one.data.source} />`
					: tab === 'diff' ? html`<${DiffTab} name=${name} version=${version} versions=${versions}
						source=${one.data.source} />`
						: html`<${GraphTab} doc=${doc} />`}</${Page}>`;
}
