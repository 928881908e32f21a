/*
 * The dialog that acts on many sagas: which act, why, who; then exactly which calls it would make,
 * from a dry run that is made anew whenever something above it changes; and only then the button.
 *
 *     <Bulk target=${{ q, words, count, group }} onClose=${…} />       a batch over a filter
 *     <Bulk target=${{ ids, words, count }} onClose=${…} />            the rows that were selected
 */
import { html, useEffect, useMemo, useRef, useState } from './h.js';
import { call, post } from './api.js';
import { actBody, actsFor, fieldsOf } from './bulk_acts.js';
import { plural } from './format.js';
import { Icon } from './icons.js';
import { at, go, link } from './router.js';
import { Button, CommandLine, Dialog, Field, Problem, shellQuote, toast, who } from './ui.js';

const DRY_RUN_REASON = 'dry run';
const SAMPLE = 10;
const SELECTED_MAX = 200;

/* What the batch's dry run answers, made by hand for a selection: one dry run for each saga. */
async function dryRunIds(ids, act, signal) {
	const sample = await Promise.all(ids.slice(0, SAMPLE).map(async (id) => {
		try {
			const { act: word, ...body } = act;
			const answer = await call('POST', `${at('sagas', id)}/${word}`, { body, args: { dry_run: true }, signal });
			return { id, calls: answer.body?.calls ?? [] };
		} catch (error) {
			if (error.name === 'AbortError')
				throw error;
			return { id, refused: error.message };
		}
	}));
	return { matches: ids.length, truncated: false, sample };
}

function useDryRun(target, body, by) {
	const [state, setState] = useState({ loading: true });
	const key = JSON.stringify([target.q, target.ids, body]);
	useEffect(() => {
		if (!body)
			return setState({ loading: false }), undefined;
		const abort = new AbortController();
		setState((now) => ({ ...now, loading: true, error: null }));
		const timer = setTimeout(async () => {
			try {
				const data = target.ids ? await dryRunIds(target.ids, { ...body, by: by || 'dry run' }, abort.signal)
					: await post('/batches', { act: body, q: target.q, by: by || 'dry run' },
						{ args: { dry_run: true }, signal: abort.signal });
				setState({ data, key, loading: false });
			} catch (error) {
				if (error.name !== 'AbortError')
					setState({ error, key, loading: false });
			}
		}, 250);
		return () => {
			clearTimeout(timer);
			abort.abort();
		};
	}, [key]);
	return { ...state, fresh: state.key === key };
}

const textOf = (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));

/* One call as it would be made: an HTTP request, a command or an event. */
function Call({ each }) {
	const step = each.item === undefined || each.item === null ? each.step : `${each.step}[${each.item}]`;
	const what = each.via === 'command' ? `${each.type} → ${each.to}` : each.via === 'emit'
		? `${each.type} → ${each.topic}` : `${each.to}${each.path ?? ''}`;
	return html`<details class="call"><summary><span class="call-method">${each.method ?? each.via}</span>
		<code>${what}</code><span class="faint push">${each.kind === 'undo' ? 'undoes ' : ''}${step}</span></summary>
		<div class="call-body">${each.key && html`<p><span class="faint">idempotency key</span> <code>${each.key}</code></p>`}
		${each.record_key && html`<p><span class="faint">record key</span> <code>${each.record_key}</code></p>`}
		${each.body === undefined || each.body === null ? html`<p class="faint">no body</p>`
			: html`<pre>${textOf(each.body)}</pre>`}</div></details>`;
}

function DryRun({ run }) {
	const { data, error, loading } = run;
	const none = data && data.matches === 0;
	return html`<section class="dry-run" aria-live="polite" aria-busy=${loading ? 'true' : 'false'}>
		<h3>What it would do ${loading && html`<span class="faint">asking …</span>`}</h3>
		${error ? html`<${Problem} error=${error} />` : !data ? html`<p class="faint">The exact calls are shown here.</p>`
			: none ? html`<p class="muted">No saga matches any more.</p>` : html`
			<p class="muted">${plural(data.matches, 'saga')}${data.truncated ? ' at least' : ''}${data.matches >
				data.sample.length ? `; the first ${data.sample.length} are shown` : ''}:</p>
			<ul class="dry-list">${data.sample.map((each) => html`<li key=${each.id}>
				<a class="mono" href=${link(at('sagas', each.id))} target="_blank">${each.id}</a>
				${each.refused ?? each.error ? html`<p class="refused"><${Icon} name="dash" />refused: ${textOf(each.refused
					?? each.error)}</p>` : (each.calls ?? []).length === 0 ? html`<p class="faint">no call; the history tells it</p>`
					: each.calls.map((one, i) => html`<${Call} key=${i} each=${one} />`)}</li>`)}</ul>`}</section>`;
}

/* What an act is done to, in words. */
function objectOf(act, group) {
	if (act.of === 'saga')
		return 'the saga';
	return group.side === 'undo' ? `compensation of ${group.step}` : `step ${group.step}`;
}

/* Acts on the selected sagas one after another, and says of each what came of it. */
function useEach(ids) {
	const [results, setResults] = useState(null);
	const stop = useRef(false);
	useEffect(() => () => {
		stop.current = true;
	}, []);
	const begin = async (body, by) => {
		const { act: word, ...rest } = body;
		const id = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
		setResults([]);
		for (const saga of ids) {
			if (stop.current)
				return;
			let result;
			try {
				const answer = await post(`${at('sagas', saga)}/${word}`, { ...rest, by, id });
				result = { saga, ok: true, text: answer?.effect ? effectText(answer.effect) : 'done' };
			} catch (error) {
				result = { saga, ok: false, text: error.message };
			}
			setResults((list) => [...list, result]);
		}
	};
	return [results, begin];
}

/* "compensation_failed → compensating". */
export function effectText(effect) {
	if (!effect)
		return '';
	const { status_before: before, status_after: after, events = [] } = effect;
	const change = before && after && before !== after ? `${before} → ${after}` : after ?? '';
	const more = events.filter((event) => event !== 'ActTaken').join(', ');
	return [change.replaceAll('_', ' '), more].filter(Boolean).join(' · ');
}

const flag = (name, value) => ` --${name} ${shellQuote(value)}`;
function commandLine(target, act, body, rate) {
	if (target.ids)
		return `skald saga ${body.act} ${target.ids[0]}${target.ids.length > 1 ? ' …' : ''}${flag('reason', body.reason)}`;
	return `skald batch start ${body.act}${act.of === 'step' ? ` ${shellQuote(body.step)}` : ''} -q ${shellQuote(target.q)}` +
		(body.compensation ? ' --compensation' : '') +
		['outcome', 'code', 'message', 'owner'].map((name) => (body[name] ? flag(name, body[name]) : '')).join('') +
		(body.output !== undefined ? flag('output', JSON.stringify(body.output)) : '') +
		(rate ? flag('rate', rate) : '') + flag('reason', body.reason);
}

function Results({ results, total }) {
	const bad = results.filter((each) => !each.ok).length;
	return html`<section class="dry-run" aria-live="polite"><h3>${results.length} of ${total} acted on${bad
		? `, ${bad} refused` : ''}</h3><ul class="dry-list">${results.map((each) => html`<li key=${each.saga}>
		<a class="mono" href=${link(at('sagas', each.saga))}>${each.saga}</a>
		<p class=${each.ok ? 'muted' : 'refused'}><${Icon} name=${each.ok ? 'check' : 'dash'} />${each.text}</p>
		</li>`)}</ul></section>`;
}

export function Bulk({ target, initial, onClose, onDone = () => {} }) {
	const acts = useMemo(() => actsFor(target.group), [target.group?.id]);
	const [id, setId] = useState(initial ?? acts[0].id);
	const [values, setValues] = useState({});
	const [reason, setReason] = useState('');
	const [rate, setRate] = useState('');
	const [tried, setTried] = useState(false);
	const [sending, setSending] = useState(false);
	const [error, setError] = useState(null);
	const by = who.use();
	const [results, each] = useEach(target.ids ?? []);
	const act = acts.find((one) => one.id === id) ?? acts[0];

	let body = null, wrong = null;
	try {
		body = actBody(act, target.group, values, reason.trim() || DRY_RUN_REASON);
	} catch (problem) {
		wrong = problem.message;
	}
	// The reason does not change what a dry run shows.
	const run = useDryRun(target, body && { ...body, reason: DRY_RUN_REASON }, by);
	const matches = run.fresh ? run.data?.matches : undefined;
	const n = matches ?? target.count;
	const perSecond = Number(rate);
	const rateWrong = rate !== '' && !(perSecond > 0 && perSecond <= 10000);
	const ready = body && reason.trim() && by.trim() && !rateWrong && run.fresh && run.data && matches > 0;

	const send = async (event) => {
		event?.preventDefault();
		setTried(true);
		if (!ready || sending || results)
			return;
		setSending(true);
		setError(null);
		try {
			if (target.ids) {
				await each(body, by.trim());
				onDone();
			} else {
				const batch = await post('/batches', { act: body, q: target.q, by: by.trim(), ...(rate && { rate: perSecond }) });
				toast(`${act.words}: a batch over ${plural(n, 'saga')} has begun.`);
				onClose();
				go(link(at('batches', batch.id)));
			}
		} catch (problem) {
			setError(problem);
		}
		setSending(false);
	};
	const many = target.ids && target.ids.length > SELECTED_MAX;
	const what = `${act.words} ${n === undefined ? '' : plural(n, 'saga')}`;
	return html`<${Dialog} wide title=${target.words} onClose=${onClose} footer=${results ? html`<${Button}
		kind="primary" onClick=${onClose}>Close</${Button}>` : html`
		<span class="foot-hint faint">${!run.fresh || run.loading ? 'Asking what it would do …'
			: !reason.trim() ? 'A reason is missing.' : !by.trim() ? 'Your name is missing.' : ''}</span>
		<${Button} onClick=${onClose}>Not now</${Button}>
		<${Button} kind=${act.tone ?? 'primary'} type="submit" form="bulk-form" busy=${sending}
			disabled=${!ready || many}>${what}</${Button}>`}>
		${results ? html`<${Results} results=${results} total=${target.ids.length} />` : html`
		<form id="bulk-form" onSubmit=${send}>
			<div class="fields"><${Field} label="Act" hint=${act.does}><select class="input" value=${act.id}
				data-autofocus onChange=${(event) => setId(event.target.value)}>${acts.map((one) => html`<option
				key=${one.id} value=${one.id}>${one.words} – ${objectOf(one, target.group)}</option>`)}</select></${Field}>
			${!target.ids && html`<${Field} label="Rate" hint="Sagas in a second; empty: as fast as it goes."
				error=${rateWrong && 'A number above 0, please.'}><input class="input" inputmode="decimal" value=${rate}
				placeholder="no limit" onInput=${(event) => setRate(event.target.value)} /></${Field}>`}</div>
			${fieldsOf(act, target.group).map(([name, label, hint]) => html`<${Field} key=${name} label=${label} hint=${hint}
				error=${name === 'output' && wrong}>${name === 'output' ? html`<textarea class="input code" rows="2"
				value=${values[name] ?? ''} onInput=${(event) => setValues({ ...values, [name]: event.target.value })}></textarea>`
				: html`<input class="input" value=${values[name] ?? ''}
				onInput=${(event) => setValues({ ...values, [name]: event.target.value })} />`}</${Field}>`)}
			<div class="fields why"><${Field} label="Reason" hint="It stays in the history of each saga."
				error=${tried && !reason.trim() && 'Say why.'}><input class="input" value=${reason} maxlength="1000" name="reason"
				required onInput=${(event) => setReason(event.target.value)} /></${Field}>
			<${Field} label="Your name" error=${tried && !by.trim() && 'Say who you are.'}><input class="input" value=${by}
				name="by" maxlength="200" autocomplete="username" required
				onInput=${(event) => who.set(event.target.value)} /></${Field}></div>
			${many && html`<p class="field-error">At most ${SELECTED_MAX} can be acted on one by one; select all that match instead.</p>`}
		</form>
		<${DryRun} run=${run} />
		<${Problem} error=${error} />
		${body && html`<section class="dry-run"><h3>The same from a terminal</h3><${CommandLine}
			text=${commandLine(target, act, { ...body, reason: reason.trim() || 'why' }, rate)} /></section>`}`}
	</${Dialog}>`;
}
