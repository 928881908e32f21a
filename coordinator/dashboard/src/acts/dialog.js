/*
 * The dialog in which an act is done to one saga. It shows the exact calls that will be made before
 * they are made (a dry run, renewed while one types), asks for a reason, shows the same act as a
 * command and as a call of curl, and sends it only for the saga as it was looked at (If-Match): when
 * it has moved on since, what changed is shown, and it is decided anew. bulk.js acts on many.
 *
 *     <ActDialog act=${{ act: "retry", step: "hotel", item: 2, compensation: true }}
 *         saga=${saga} seq=${seq} doc=${document}
 *         onClose=${() => …} onDone=${(answer) => …} />
 */
import { html, useEffect, useMemo, useRef, useState } from '../h.js';
import { call, get, namespace, post } from '../api.js';
import { Icon } from '../icons.js';
import { at as path, go, link } from '../router.js';
import { Badge, Button, CommandLine, Dialog, Field, Problem, toast, who } from '../ui.js';
import { say } from '../saga/history.js';
import { clock } from '../saga/time.js';
import { seqOf } from '../saga/use_saga.js';
import { actBody, actPath, actWords, commandLine, curl, target } from './calls.js';
import { ActFields, emptyForm, readForm } from './fields.js';

const SOON_MS = 350;
const CALLS_MOST = 50;

/* The saga in the row of it that the act is about; for what the fields begin with. */
function actionOf(saga, act) {
	const step = saga?.steps?.find((each) => each.id === act.step);
	const action = step?.actions?.find((each) => (act.item ?? null) === (each.item ?? null)) ?? step?.actions?.[0];
	return act.compensation ? action?.compensation ?? null : action ?? null;
}

function Call({ item }) {
	const place = `${item.step}${item.item === undefined ? '' : `[${item.item}]`}`;
	const line = item.method ? `${item.method} ${item.path}` : `${item.type ?? ''} → ${item.topic ?? item.to ?? ''}`;
	return html`<li class="a-call"><p><span class="badge tone-off">
		${{ do: 'do', undo: 'undo', probe: 'probe', probe_undo: 'probe' }[item.kind] ?? item.kind}</span>
		<b>${place}</b> <span class="muted num">attempt ${item.attempt}</span> <span class="a-to">${item.to ?? item.topic}
			</span></p>
		<code class="a-line">${line}</code>${item.key && html`<code class="a-key">Idempotency-Key: ${item.key}</code>`}
		${item.body !== undefined && html`<details><summary>Body</summary><pre class="code-block" tabindex="0">
			${typeof item.body === 'string' ? item.body : JSON.stringify(item.body, null, 2)}</pre></details>`}</li>`;
}

function Calls({ title, list, none }) {
	if (!list?.length)
		return none ? html`<p class="a-none">${none}</p>` : null;
	return html`<h4>${title} <span class="count num">${list.length}</span></h4><ol class="a-calls">
		${list.slice(0, CALLS_MOST).map((item, i) => html`<${Call} key=${i} item=${item} />`)}</ol>
		${list.length > CALLS_MOST && html`<p class="faint">and ${list.length - CALLS_MOST} more</p>`}`;
}

function StatusChange({ from, to }) {
	if (!to)
		return null;
	return html`<p class="a-status"><${Badge} status=${from} />${from === to ? html`<span class="muted">stays</span>` :
		html`<${Icon} name="right" /><${Badge} status=${to} />`}</p>`;
}

function NewRun({ run }) {
	return html`<p>A new saga begins, <code>${run.id}</code>.</p><p>${run.kept.length ? html`It keeps
		${' '}<b>${run.kept.join(', ')}</b>; all else is done by the new one.` : 'It keeps nothing: all is done by the new one.'}
		</p>`;
}

function Preview({ dry, saga }) {
	if (dry.new_run)
		return html`<${NewRun} run=${dry.new_run} />`;
	const to = dry.effect?.status_after ?? dry.status_after ?? dry.status;
	return html`<${StatusChange} from=${dry.effect?.status_before ?? dry.status_before ?? saga?.status ?? dry.status}
		to=${to} />
		<${Calls} title="Calls that will be made" list=${dry.calls} none="No call is made." />
		<${Calls} title="Calls that will be made when it is resumed" list=${dry.calls_at_resume} />
		<${Calls} title="Already on their way, and waited for" list=${dry.in_flight} />
		${dry.events?.length > 0 && html`<p class="faint a-events">Written into the history: ${dry.events.join(', ')}</p>`}`;
}

/* Asks for the dry run a moment after the last change. */
function useDryRun(ask, key, ready) {
	const [state, setState] = useState({ dry: null, error: null, busy: true });
	useEffect(() => {
		if (!ready) {
			setState((now) => ({ ...now, busy: false }));
			return undefined;
		}
		const abort = new AbortController();
		setState((now) => ({ ...now, busy: true }));
		const timer = setTimeout(async () => {
			try {
				const dry = await ask(abort.signal);
				setState({ dry, error: null, busy: false });
			} catch (error) {
				if (error.name !== 'AbortError')
					setState({ dry: null, error, busy: false });
			}
		}, SOON_MS);
		return () => {
			clearTimeout(timer);
			abort.abort();
		};
	}, [key, ready]);
	return state;
}

/* What happened since the saga was looked at. */
function MovedOn({ rows, from }) {
	return html`<div class="notice tone-undo a-moved" role="alert"><${Icon} name="attention" /><div><p>
		<b>The saga has moved on since you looked.</b> Nothing was done. Since event ${from}:</p>
		<ul>${rows.flatMap((row) => row.events.map((event, i) => html`<li key=${`${row.seq}/${i}`}><span class="num faint">
			${clock(Date.parse(row.at))}</span> ${say(event, Date.parse(row.at))}</li>`)).slice(0, 30)}</ul>
		<p>Below is what the act would do now; decide again.</p></div></div>`;
}

const TABS = [['command', 'Command line'], ['curl', 'curl']];

function Same({ lines }) {
	const [tab, setTab] = useState('command');
	return html`<div class="a-same"><div class="segments" role="group" aria-label="The same act elsewhere">
		${TABS.map(([id, words]) => html`<button key=${id} type="button" aria-pressed=${tab === id ? 'true' : 'false'}
		onClick=${() => setTab(id)}>${words}</button>`)}</div>
		<${CommandLine} text=${lines[tab]} /></div>`;
}

export function ActDialog({ act: first, saga: given, seq: givenSeq, doc, onClose, onDone }) {
	const [act, setAct] = useState(first);
	const [form, setForm] = useState(() => emptyForm(first, actionOf(given, first)));
	const [saga, setSaga] = useState(given);
	const [seq, setSeq] = useState(givenSeq);
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(null);
	const [moved, setMoved] = useState(null);
	const [tried, setTried] = useState(false);
	const by = who.use();
	const [text, hint, kind] = actWords(act);
	const alive = useRef(true);
	useEffect(() => () => { alive.current = false; }, []);

	const { values, errors } = useMemo(() => readForm(act, form, by), [act, form, by]);
	const valid = Object.keys(errors).filter((name) => name !== 'reason' && name !== 'by').length === 0;
	const options = { namespace: namespace(), ifMatch: seq };
	const dryValues = { ...values, reason: values.reason || 'dry run', by: values.by || 'dashboard' };
	const key = JSON.stringify([act, { ...dryValues, reason: '' }, seq]);
	const { dry, error: refused, busy: looking } = useDryRun((signal) =>
		post(actPath(saga.id, act), actBody(act, dryValues), { args: { dry_run: true }, signal }), key, valid);

	const change = (members) => setForm((now) => ({ ...now, ...members }));

	const catchUp = async () => {
		const page = await get(path('sagas', saga.id, 'history'), { after: seq, limit: 200 });
		const now = await call('GET', path('sagas', saga.id));
		if (!alive.current)
			return;
		setMoved({ rows: page.history, from: seq });
		setSaga(now.body);
		setSeq(seqOf(now.etag) || seq);
	};

	const perform = async () => {
		setTried(true);
		if (Object.keys(errors).length)
			return;
		setBusy(true);
		setError(null);
		try {
			const answer = await call('POST', actPath(saga.id, act), { body: actBody(act, values), ifMatch: `"${seq}"` });
			if (!alive.current)
				return;
			if (answer.status === 201 && answer.body?.run_of) {
				toast('A new run has begun.');
				onClose();
				go(path('sagas', answer.body.id));
				return;
			}
			const effect = answer.body?.effect;
			toast(`${text}${target(act) ? ` ${target(act)}` : ''}: ${effect ? [...new Set(effect.events)].join(', ') ||
				'nothing had to be done' : 'done'}${effect && effect.status_before !== effect.status_after ?
				` — the saga is ${effect.status_after.replaceAll('_', ' ')}` : ''}`,
				effect?.seq ? { href: link(path('sagas', saga.id), { tab: 'history', at: effect.seq }),
					more: `Event ${effect.seq}` } : {});
			onDone?.(answer.body);
			onClose();
		} catch (caught) {
			if (!alive.current)
				return;
			if (caught.status === 412)
				await catchUp().catch(setError);
			else
				setError(caught);
		}
		if (alive.current)
			setBusy(false);
	};

	const lines = {
		command: commandLine(saga.id, act, values, options), curl: curl(location.origin, saga.id, act, values, options),
	};
	const name = `${text}${target(act) ? ` · ${target(act)}` : ''}`;
	const stop = refused && refused.status !== 0;
	return html`<${Dialog} title=${html`${name} <span class="muted a-what">${saga.key ?? saga.id}</span>`}
		onClose=${onClose} wide footer=${html`
		<span class="a-foot faint">for the saga as it was at event ${seq}</span>
		<${Button} onClick=${onClose}>Leave it</${Button}>
		<${Button} kind=${kind === 'danger' ? 'danger' : 'primary'} busy=${busy} disabled=${Boolean(stop)} data-perform
			onClick=${perform}>${moved ? 'Do it all the same' : text}</${Button}>`}>
		<div class="act" data-act=${act.act}>
		<p class="muted a-hint">${hint}</p>
		${moved && html`<${MovedOn} ...${moved} />`}
		<${Problem} error=${error} />
		<${ActFields} act=${act} form=${form} change=${change} setAct=${setAct} errors=${tried ? errors :
			{ ...errors, reason: undefined, by: undefined }} doc=${doc} />
		<${Field} label=${act.act === 'note' ? 'Note' : 'Reason'} error=${tried && errors.reason}
			hint="It stays in the history, for whoever comes after you.">
			<textarea class="input" rows="2" maxlength="1000" data-autofocus name="reason" aria-required="true"
				value=${form.reason} onInput=${(event) => change({ reason: event.target.value })}></textarea></${Field}>
		<${Field} label="Who you are" error=${tried && errors.by}><input class="input" name="by" maxlength="200"
			autocomplete="off" value=${by} onInput=${(event) => who.set(event.target.value)} /></${Field}>
		<section class=${`a-preview${looking ? ' busy' : ''}`} aria-label="What will happen" aria-busy=${looking ? 'true' :
			'false'} aria-live="polite"><h3>What will happen</h3>
			${!valid ? html`<p class="faint">Fill in what is missing, and it is shown here.</p>`
				: refused ? html`<div class="a-refused"><${Icon} name="cross" /><div><p><b>${refused.status === 409 ?
					'This is refused now.' : refused.title ?? 'It cannot be shown.'}</b></p><p>${refused.message}</p>
					${(refused.errors ?? []).map((each, i) => html`<p key=${i} class="m-error"><code>${each.pointer}
						</code> ${each.detail}</p>`)}</div></div>`
					: dry ? html`<${Preview} dry=${dry} saga=${saga} />` : html`<p class="faint">Looking …</p>`}</section>
		<${Same} lines=${lines} /></div></${Dialog}>`;
}
