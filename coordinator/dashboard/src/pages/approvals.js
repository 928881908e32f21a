/*
 * Approvals: what waits for a person's decision, the oldest first, with what the definition shows of
 * it; and the dialog in which it is decided. ?group= shows what one group may decide.
 */
import { html, useEffect, useMemo, useState } from '../h.js';
import { call, get, namespace } from '../api.js';
import { actPath, quote } from '../acts/calls.js';
import { SchemaForm, emptyValues, propertiesOf, readValues } from '../form.js';
import { duration, useNow } from '../format.js';
import { Icon } from '../icons.js';
import { JsonView } from '../json_view.js';
import { useResource } from '../resource.js';
import { at, link, useQuery } from '../router.js';
import { kept } from '../store.js';
import { More, Table } from '../table.js';
import { Ago, Button, CommandLine, Dialog, Empty, Field, Page, Problem, Skeleton, toast, who } from '../ui.js';

const POLL_MS = 3000;

/* The groups that the person says to be in: sent with each decision. */
const mine = kept('groups', '');
const words = (text) => text.split(/[\s,]+/).filter(Boolean);

export const placeOf = (row) => `${row.step}${row.item === null || row.item === undefined || row.item < 0 ? ''
	: `[${row.item}]`}`;
export const keyOf = (row) => `${row.saga}/${placeOf(row)}`;
const itemOf = (row) => (row.item === undefined || row.item < 0 ? null : row.item);

/* "1 of 2" */
export function Quorum({ row }) {
	return html`<span class="num" title=${`${row.approved} of ${row.approve} approvals, ${row.rejected} of ${row.reject
		} rejections`}>${row.approved} of ${row.approve}${row.rejected > 0 ? html`<span class="wrong-text">, ${row.rejected
		} against</span>` : ''}</span>`;
}

function Due({ at: time }) {
	const now = useNow();
	if (!time)
		return html`<span class="faint">–</span>`;
	const left = Date.parse(time) - now;
	return html`<time class=${`num${left < 3600000 ? ' warn' : ''}`} datetime=${time}>${left <= 0 ? 'over'
		: `in ${duration(left)}`}</time>`;
}

function Groups({ row }) {
	const all = [...row.groups, ...row.escalated_groups ?? []].join(', ');
	return html`<span class="cut" title=${all}>${row.groups.join(', ')}${row.escalated_groups?.length ? html`<span class="warn"
		title="since it was escalated">, ${row.escalated_groups.join(', ')}</span>` : ''}</span>`;
}

const columns = (open) => [
	{ id: 'title', title: 'What', class: 'w-p40 grow-narrow', cell: (row) => html`<button type="button" class="link cut"
		title=${row.title} onClick=${() => open(row)}>${row.title}</button><span class="under only-narrow"><${Quorum}
		row=${row} /><span class="cut">${row.definition}</span></span>` },
	{ id: 'saga', title: 'Saga', narrow: false, cell: (row) => html`<a href=${link(at('sagas', row.saga))}
		>${row.definition}</a> <span class="faint">${placeOf(row)}</span>` },
	{ id: 'groups', title: 'Who may', class: 'w-20', narrow: false, cell: (row) => html`<${Groups} row=${row} />` },
	{ id: 'quorum', title: 'Approved', class: 'w-12', narrow: false, cell: (row) => html`<${Quorum} row=${row} />` },
	{ id: 'since', title: 'Waits', class: 'w-8 num', narrow: false, cell: (row) => html`<${Ago} at=${row.since} bare />` },
	{ id: 'due', title: 'Runs out', class: 'w-12 num', cell: (row) => html`<${Due} at=${row.deadline_at} />` },
];

/* What goes with a decision; members that are empty are left out. */
export function decisionBody(row, { by, groups, reason, data }) {
	const body = { by };
	if (itemOf(row) !== null)
		body.item = itemOf(row);
	if (groups.length)
		body.groups = groups;
	if (reason)
		body.reason = reason;
	if (data && Object.keys(data).length)
		body.data = data;
	return body;
}

export function decisionCommand(row, decision, body) {
	const line = ['skald', ...(namespace() !== 'default' ? ['-n', namespace()] : []), 'approval', decision, row.saga, row.step];
	if (body.item !== undefined)
		line.push('--item', String(body.item));
	line.push('--by', body.by || '…');
	for (const group of body.groups ?? [])
		line.push('--group', group);
	if (body.data)
		line.push('--data', JSON.stringify(body.data));
	if (body.reason)
		line.push('--reason', body.reason);
	return line.map(quote).join(' ');
}

const isPlain = (value) => value === null || typeof value !== 'object';

/* Members by their names, as a person reads them; what is nested is shown as what it is. */
function Shown({ value }) {
	if (isPlain(value) || Array.isArray(value))
		return isPlain(value) ? html`<p>${String(value)}</p>`
			: html`<${JsonView} value=${value} open=${3} label="What it is about" />`;
	return html`<dl class="facts">${Object.entries(value).map(([name, each]) => html`<dt key=${name}>${name}</dt>
		<dd>${isPlain(each) ? String(each ?? '–') : html`<${JsonView} value=${each} open=${2} label=${name} />`}</dd>`)}</dl>`;
}

function Decisions({ list }) {
	if (!list?.length)
		return null;
	return html`<h3 class="sub">Decided so far</h3><ul class="plain-list">${list.map((each, i) => html`<li key=${i}
		class="row wrap"><span class=${`badge tone-${each.decision === 'approved' ? 'good' : 'bad'}`}><${Icon}
		name=${each.decision === 'approved' ? 'check' : 'cross'} />${each.decision}</span><b>${each.by}</b>
		<${Ago} at=${each.at} />${each.reason && html`<span class="muted">“${each.reason}”</span>`}</li>`)}</ul>`;
}

/* What an approval of that saga is, as the inbox has it; null for other acts. */
export function approvalOf(saga, act) {
	if (act.act !== 'approve' && act.act !== 'reject')
		return null;
	const actions = saga.steps.find((step) => step.id === act.step)?.actions ?? [];
	const action = actions.find((each) => (each.item ?? null) === (act.item ?? null));
	return action?.approval ? { ...action.approval, saga: saga.id, definition: saga.saga, step: act.step,
		item: act.item ?? null } : null;
}

export function Decide({ row, first = 'approve', onClose, onDone }) {
	const [decision, setDecision] = useState(first);
	const [values, setValues] = useState(() => emptyValues(row.form));
	const [reason, setReason] = useState('');
	const [tried, setTried] = useState(false);
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(null);
	const by = who.use(), groups = mine.use();
	const { data, errors } = useMemo(() => readValues(row.form, values), [row, values]);
	/* Who rejects need not fill in what the approved thing is to be. */
	const wrong = decision === 'approve' && Object.keys(errors).length > 0;
	const body = decisionBody(row, { by: by.trim(), groups: words(groups), reason: reason.trim(),
		data: decision === 'approve' ? data : {} });
	const act = { act: decision, step: row.step, item: itemOf(row) };

	const perform = async () => {
		setTried(true);
		if (wrong || !by.trim())
			return;
		setBusy(true);
		setError(null);
		try {
			await call('POST', actPath(row.saga, act), { body });
			toast(`${row.title}: ${decision === 'approve' ? 'approved' : 'rejected'}.`,
				{ href: link(at('sagas', row.saga)), more: 'The saga' });
			onDone();
			onClose();
		} catch (caught) {
			setError(caught);
			setBusy(false);
		}
	};
	const choice = (value, text) => html`<label class="choice"><input type="radio" name="decision" value=${value}
		data-autofocus=${value === first ? true : undefined} checked=${decision === value}
		onChange=${() => setDecision(value)} /><span>${text}</span></label>`;
	return html`<${Dialog} title=${row.title} onClose=${onClose} wide footer=${html`
		<${Button} onClick=${onClose}>Not now</${Button}>
		<${Button} kind=${decision === 'approve' ? 'primary' : 'danger'} busy=${busy} data-perform onClick=${perform}>
			${decision === 'approve' ? 'Approve' : 'Reject'}</${Button}>`}>
		<div class="act"><p class="muted a-hint"><a href=${link(at('sagas', row.saga))}>${row.definition}</a>, step
			${' '}${placeOf(row)}${row.since && html`; asked <${Ago} at=${row.since} />`}; <${Quorum} row=${row} /> approvals.</p>
		<${Problem} error=${error} />
		${row.show !== undefined && row.show !== null && html`<section class="panel data-part" aria-label="What it is about">
			<div class="panel-body"><${Shown} value=${row.show} /></div></section>`}
		<${Decisions} list=${row.decisions} />
		<fieldset class="a-set"><legend class="field-label">Your decision</legend><div class="row">
			${choice('approve', 'Approve')}${choice('reject', 'Reject')}</div></fieldset>
		${decision === 'approve' && propertiesOf(row.form).length > 0 && html`<${SchemaForm} schema=${row.form} values=${values}
			onChange=${setValues} errors=${tried ? errors : {}} />`}
		<${Field} label="Remark (optional)" hint="It stays in the history."><textarea class="input" rows="2" maxlength="1000"
			name="reason" value=${reason} onInput=${(event) => setReason(event.target.value)}></textarea></${Field}>
		<div class="fields"><${Field} label="Who you are" error=${tried && !by.trim() && 'Say who decides.'}>
			<input class="input" name="by" maxlength="200" autocomplete="off" value=${by}
			onInput=${(event) => who.set(event.target.value)} /></${Field}>
		<${Field} label="Your groups" hint=${`Asked for: ${[...row.groups, ...row.escalated_groups ?? []].join(', ')}`}>
			<input class="input" name="groups" maxlength="400" autocomplete="off" value=${groups}
			onInput=${(event) => mine.set(event.target.value)} /></${Field}></div>
		<div class="a-same"><${CommandLine} text=${decisionCommand(row, decision, body)} /></div></div></${Dialog}>`;
}

export function Approvals() {
	const [group, setGroup] = useQuery('group');
	const first = useResource('/approvals', { group: group || undefined, limit: 100 });
	const [more, setMore] = useState([]);
	const [loading, setLoading] = useState(false);
	const [chosen, setChosen] = useState(null);
	const [failed, setFailed] = useState(null);
	useEffect(() => setMore([]), [group]);
	useEffect(() => {
		const timer = setInterval(() => document.hidden || first.reload(), POLL_MS);
		return () => clearInterval(timer);
	}, [first.reload]);
	const pages = [first.data, ...more].filter(Boolean);
	const rows = [...new Map(pages.flatMap((page) => page.approvals).map((row) => [keyOf(row), row])).values()];
	const next = pages.at(-1)?.next;
	const onMore = async () => {
		setLoading(true);
		try {
			const page = await get('/approvals', { group: group || undefined, limit: 100, cursor: next });
			setMore((list) => [...list, page]);
			setFailed(null);
		} catch (error) {
			setFailed(error);
		}
		setLoading(false);
	};
	return html`<${Page} title="Approvals" count=${first.data ? `${rows.length}${next ? '+' : ''}` : null}
		lead="What waits for a person's decision, the oldest first." actions=${html`<label class="pick"><span class="muted">Group
		</span><input class="input" name="group" placeholder="all" value=${group}
		onChange=${(event) => setGroup(event.target.value.trim())} /></label>`}>
		<${Problem} error=${first.error ?? failed} onRetry=${first.reload} />
		${!first.data ? !first.error && html`<${Skeleton} rows=${6} />` : rows.length === 0
			? html`<${Empty} icon="approvals" title=${group ? `Nothing waits for ${group}.` : 'Nothing waits for a decision.'} />`
			: html`<${Table} label="Approvals" columns=${columns(setChosen)} rows=${rows} rowKey=${keyOf}
				onOpen=${setChosen} /><${More} next=${next} loading=${loading} onMore=${onMore} shown=${rows.length}
				what="approvals" />`}
		${chosen && html`<${Decide} key=${keyOf(chosen)} row=${rows.find((row) => keyOf(row) === keyOf(chosen)) ?? chosen}
			onClose=${() => setChosen(null)} onDone=${first.reload} />`}</${Page}>`;
}
