/*
 * The ledger: a row for each step, at the left what was done, at the right how it is undone. Rows
 * never change their order, and each has room for two lines on either side, so that what changes does
 * so in its place. Items of for_each are folded into their counts; what needs a person is unfolded.
 */
import { Fragment, html, useState } from '../h.js';
import { isEnded } from './ledger.js';
import { countdown, ms } from './time.js';
import { useNow } from '../format.js';
import { Icon } from '../icons.js';
import { at as path, link } from '../router.js';
import { Kind } from '../ui.js';
import { RowMenu, Suggested } from './acts_menu.js';

const PIECE = 50;

export function Mark({ tone, icon, children }) {
	return html`<span class=${`badge tone-${tone}`}><${Icon} name=${icon} />${children}</span>`;
}

/* "try 4 in 48 s", by the clock; short, because it stands beside a mark and a button. */
function When({ side, past }) {
	const now = useNow();
	const due = past ? null : ms(side.nextAt);
	const left = due && due > now ? countdown(due - now) : null;
	let words = side.attempts > 1 ? `attempt ${side.attempts}` : '';
	if (due && side.status === 'backing_off')
		words = `try ${side.attempts + 1} ${left ? `in ${left}` : 'now'}`;
	else if (left)
		words = `${words ? `${words} · ` : ''}${side.status === 'awaiting_reply' ? 'looks again in' : 'at most'} ${left}`;
	return words ? html`<span class="when num" title=${words}>${words}</span>` : null;
}

/* "answered with status 503: too busy" -> "503 too busy": the whole of it stands beside the pointer. */
const plain = (message) => (message ?? '').replace(/^answered with status (\d+)(: )?/, '$1 ');

function requestLine(side, action) {
	const request = side.request;
	if (request)
		return { to: request.to ?? request.topic ?? '', what: request.method ? `${request.method} ${request.path}` :
			request.type ?? '' };
	return action ? { to: action.to, what: action.what } : null;
}

/* How far a worker says it is: {done, total} as a bar, anything else as it is. */
export function progressWords(progress) {
	if (progress === null || progress === undefined)
		return null;
	const { done, total } = progress;
	if (Number.isFinite(done) && Number.isFinite(total) && total > 0)
		return { percent: Math.max(0, Math.min(100, (100 * done) / total)), words: `${done} of ${total}` };
	return { percent: null, words: typeof progress === 'string' ? progress : JSON.stringify(progress) };
}

function TaskLine({ task }) {
	const progress = progressWords(task.progress);
	return html`<span class="line task-line"><b><a href=${link(path('queues', task.queue))}>${task.queue}</a></b>
		${' '}${task.worker ? `in work at ${task.worker}` : 'waits for a worker'}
		${progress && html` · ${progress.percent !== null && html`<span class="bar" role="img" aria-label=${progress.words}><span
			style=${{ width: `${progress.percent}%` }}></span></span>`} <span class="num">${progress.words.slice(0, 200)}</span>`}
		</span>`;
}

function ChildLine({ id }) {
	return html`<span class="line"><a href=${link(path('sagas', id))}>its saga</a> <code class="faint">${id}</code></span>`;
}

function ApprovalLine({ approval }) {
	return html`<span class="line"><a href=${link('/approvals')}>waits for a decision</a> ${approval.approved ?? 0} of
		${' '}${approval.approve ?? 1} approvals</span>`;
}

function Line({ side, action }) {
	if (side.error && side.status !== 'completed' && side.status !== 'done')
		return html`<span class="line error" title=${`${side.error.code}: ${side.error.message}`}><b>${side.error.code}
			</b>: ${plain(side.error.message)}</span>`;
	const open = side.status !== 'completed' && side.status !== 'done';
	if (side.task?.queue && open)
		return html`<${TaskLine} task=${side.task} />`;
	if (side.child)
		return html`<${ChildLine} id=${side.child} />`;
	if (side.approval && open)
		return html`<${ApprovalLine} approval=${side.approval} />`;
	const line = requestLine(side, action);
	if (!line)
		return null;
	return html`<span class="line" title=${`${line.to} ${line.what}`}><b>${line.to}</b> ${line.what}</span>`;
}

function Side({ row, which, action, open, past }) {
	const side = row[which];
	const quiet = which === 'undo' && side.status === 'not_armed';
	return html`<div class=${`side-cell${quiet ? ' quiet' : ''}`}>
		<div class="side-top">${quiet ? html`<span class="faint">${side.word}</span>` : html`<${Mark} ...${side}>
			${side.word}</${Mark}>`}
			<${When} side=${side} past=${past} />${side.ambiguous && side.status !== 'outcome_unknown' &&
				html`<span class="badge tone-doubt" title="an attempt may have taken effect without having been confirmed">
					<${Icon} name="question" />in doubt</span>`}
			<${Suggested} row=${row} side=${which} open=${open} most=${side.word.length > 10 ? 1 : 3} /></div>
		${quiet ? null : html`<${Line} side=${side} action=${action} />`}</div>`;
}

/* What the row as a whole is, for its edge. */
export function rowTone(row) {
	if (row.undo.status === 'failed')
		return 'bad';
	if (row.run.parked)
		return row.run.tone;
	if (row.owed)
		return 'undo';
	if (['done', 'skipped', 'resolved'].includes(row.undo.status))
		return 'undone';
	return row.run.tone;
}

function Row({ row, step, number, open, past, item }) {
	const tone = rowTone(row);
	return html`<tr class=${`tone-${tone}${row.begun ? '' : ' idle'}${item ? ' item' : ''}${row.needs ? ' needs' : ''}`}
		data-step=${step.id} data-item=${row.item ?? undefined}>
		<th scope="row" class="l-step">${item ? html`<span class="l-item num">[${row.item}]</span>` :
			html`<span class="l-number num">${number}</span>
			<span class="l-name">${step.id}</span>`}</th>
		<td class="l-run"><${Side} row=${row} which="run" action=${step.def?.action} open=${open} past=${past} /></td>
		<td class="l-undo"><${Side} row=${row} which="undo" action=${step.def?.undo} open=${open} past=${past} /></td>
		<td class="l-acts"><${RowMenu} row=${row} open=${open} /></td></tr>`;
}

const Counts = ({ list }) => html`<span class="counts">
	${list.map((each) => html`<${Mark} key=${each.word} ...${each}><span class="num">${each.n}</span> ${each.word}
	</${Mark}>`)}</span>`;

function worst(step) {
	const order = ['bad', 'doubt', 'undo', 'run', 'wait', 'undone', 'good', 'off'];
	return step.rows.map(rowTone).sort((a, b) => order.indexOf(a) - order.indexOf(b))[0];
}

function Many({ step, number, open, past }) {
	const [opened, setOpened] = useState(null);
	const [all, setAll] = useState(false);
	const [shown, setShown] = useState(PIECE);
	const unfolded = opened ?? step.needs > 0;
	/* Unfolded because of what needs a person: those first are to be seen, the others on demand. */
	const wanted = opened === null && step.needs > 0 && !all ? step.rows.filter((row) => row.needs) : step.rows;
	return html`<${Fragment}>
		<tr class=${`tone-${worst(step)} many`} data-step=${step.id}>
			<th scope="row" class="l-step"><span class="l-number num">${number}</span><button type="button" class="l-fold"
				aria-expanded=${unfolded ? 'true' : 'false'}
				onClick=${() => setOpened(!unfolded)}><span class="l-name">${step.id}</span>
					<${Icon} name=${unfolded ? 'down' : 'right'} /></button></th>
			<td class="l-run"><div class="side-cell"><${Counts} list=${step.counts.run} />
				<span class="line"><b>${step.def?.action.to}</b> ${step.rows.length} ${step.def?.repeat ? 'turns' :
					step.rows.length === 1 ? 'item' : 'items'}</span></div></td>
			<td class="l-undo"><div class="side-cell">
				<${Counts} list=${step.counts.undo.filter((each) => each.icon !== 'dash')} />
				<span class="line">${step.undoKind === 'declared' ? html`<b>${step.def?.undo?.to}
					</b> ${step.owed ? `${step.owed} owed` : ''}`
					: step.undoKind === 'none' ? 'cannot be undone' : 'nothing to undo'}</span></div></td>
			<td class="l-acts"></td></tr>
		${unfolded && wanted.slice(0, shown).map((row) => html`<${Row} key=${row.item} row=${row} step=${step} open=${open}
			past=${past} item />`)}
		${unfolded && (wanted.length > shown || wanted.length < step.rows.length) && html`<tr class="l-more"><td colspan="4">
			${wanted.length > shown && html`<button type="button" class="button small quiet"
				onClick=${() => setShown(shown + PIECE)}>Show more of ${wanted.length}</button>`}
			${wanted.length < step.rows.length && html`<button type="button" class="button small quiet"
				onClick=${() => setAll(true)}>Show all ${step.rows.length} items</button>`}</td></tr>`}
	</${Fragment}>`;
}

function rule(step, before) {
	if (step.pivot)
		return ['pivot', 'Point of no return', 'what lies below is not undone'];
	if (step.onCompensated && !before?.onCompensated)
		return ['apart', 'When all is undone', 'these steps run after the last undo'];
	return null;
}

export function Ledger({ book, open, past }) {
	return html`<div class="panel ledger-panel">
		<table class="ledger" aria-label="Ledger: each action and how it is undone">
		<thead><tr><th scope="col" class="l-step">Step</th><th scope="col" class="l-run">Done</th>
			<th scope="col" class="l-undo">Undo</th><th scope="col" class="l-acts"><span class="hidden-visually">Acts</span>
				</th></tr></thead>
		<tbody>${book.steps.map((step, i) => {
			const line = rule(step, book.steps[i - 1]);
			return html`<${Fragment} key=${step.id}>
				${line && html`<tr class=${`l-rule ${line[0]}`}><td colspan="4"><div><span>${line[1]}</span>
					<span class="faint"> — ${line[2]}</span></div></td></tr>`}
				${step.many ? html`<${Many} step=${step} number=${i + 1} open=${open} past=${past} />`
					: html`<${Row} row=${step.rows[0]} step=${step} number=${i + 1} open=${open} past=${past} />`}</${Fragment}>`;
		})}</tbody></table></div>`;
}

const Group = ({ saga }) => (saga.attention_detail ? html`<p class="owed-sum">
	<a href=${link(path('attention', saga.attention_detail.group))}>All sagas with this trouble</a></p>` : null);

/* Beside the ledger: what is owed and to whom, and what waits for a person. */
export function Owed({ book, saga, open, past }) {
	const total = book.owed;
	return html`<section class="panel owed" aria-labelledby="owed-title"><header class="panel-head">
		<h2 id="owed-title">Still owed</h2>
		<span class=${`count num${total ? ' hot' : ''}`}>${total}</span></header>
		${total === 0 ? html`<p class="owed-none">${saga.failure ? 'Nothing is owed to anybody.' : isEnded(saga) ?
			'Nothing: the saga has ended.' : 'Nothing: the saga is on its way forward.'}</p>`
			: html`<ul class="owed-list">${book.owedTo.map((each) => html`<li key=${each.to}><span class="cut">
				${each.to || '—'}</span>
				${each.failed > 0 && html`<${Mark} tone="bad" icon="attention"><span class="num">${each.failed}
					</span> failed</${Mark}>`}
				<span class="num owed-n">${each.n}</span></li>`)}</ul>`}
		<p class="owed-sum faint num">${book.undone} undone of ${book.undone + total}</p></section>
	${!past && saga.attention && book.next.length === 0 && html`<section class="panel next" aria-labelledby="why-title">
		<header class="panel-head">
		<h2 id="why-title">Concerns a person</h2>${saga.attention_detail &&
			html`<${Kind} kind=${saga.attention_detail.kind} />`}</header>
		<p class="concern">${saga.attention}</p><${Group} saga=${saga} /></section>`}
	${book.next.length > 0 && html`<section class="panel next" aria-labelledby="next-title"><header class="panel-head">
		<h2 id="next-title">Waits for a person</h2>
		<span class="count num hot">${book.next.length}</span></header>
		<ul class="next-list">${book.next.slice(0, 5).map((row) => {
			const side = row.needs, at = side === 'undo' ? row.undo : row.run;
			const name = row.item === null ? row.step : `${row.step}[${row.item}]`;
			return html`<li key=${`${name}/${side}`}><p class="next-what"><b>${side === 'undo' ? `Undo of ${name}` : name}
				</b> <span class="muted">${at.word}</span></p>
				${at.error && html`<p class="next-why">${at.error.code}: ${at.error.message}</p>`}
				${!past && html`<${Suggested} row=${row} side=${side} open=${open} />`}</li>`;
		})}</ul>${book.next.length > 5 &&
			html`<p class="owed-sum faint">and ${book.next.length - 5} more, in the ledger</p>`}
		${!past && html`<${Group} saga=${saga} />`}</section>`}`;
}
