/*
 * The dialog for acts on what is no saga (triggers, dead letters, keys): it shows the call that will
 * be made, the same as a command and for curl, asks who and why where that is kept, and does it.
 *
 *     <PlainAct title="Pause" hint="…" method="POST" path="/triggers/…/pause" body=${{}} reasoned
 *         command="skald trigger pause …" danger verb="Pause" ready=${true} onDone=${…} onClose=${…}>fields</PlainAct>
 *
 * reasoned: the reason and the name go into the body and are asked for.
 */
import { html, useState } from './h.js';
import { call, namespace } from './api.js';
import { quote } from './acts/calls.js';
import { Button, CommandLine, Dialog, Field, Problem, who } from './ui.js';

function curl(method, path, body) {
	const words = ['curl', ...(method === 'POST' ? [] : ['-X', method]), quote(`${location.origin}/v1${path}`)];
	if (namespace() !== 'default')
		words.push('-H', quote(`Skald-Namespace: ${namespace()}`));
	if (method === 'POST')
		words.push('-H', quote('Content-Type: application/json'), '-d', quote(JSON.stringify(body)));
	return words.join(' ');
}

export function PlainAct({
	title, hint, method = 'POST', path, body = {}, reasoned = false, command, danger, verb, ready = true, onDone,
		onClose, children,
}) {
	const [reason, setReason] = useState('');
	const [tried, setTried] = useState(false);
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(null);
	const by = who.use();
	const whole = reasoned ? { ...body, reason: reason.trim(), by: by.trim() } : body;
	const missing = reasoned && (!reason.trim() || !by.trim());

	const perform = async () => {
		setTried(true);
		if (missing || !ready)
			return;
		setBusy(true);
		setError(null);
		try {
			const answer = await call(method, path, method === 'DELETE' ? {} : { body: whole });
			onDone?.(answer.body);
			onClose();
		} catch (caught) {
			setError(caught);
			setBusy(false);
		}
	};
	const line = reasoned ? `${command} --reason ${quote(reason.trim() || '…')}` : command;
	return html`<${Dialog} title=${title} onClose=${onClose} wide
		footer=${html`<${Button} onClick=${onClose}>Leave it</${Button}>
		<${Button} kind=${danger ? 'danger' : 'primary'} busy=${busy} disabled=${!ready} data-perform onClick=${perform}>
			${verb}</${Button}>`}>
		<div class="act">${hint && html`<p class="muted a-hint">${hint}</p>`}
		<${Problem} error=${error} />
		${children}
		${reasoned && html`<${Field} label="Reason" error=${tried && !reason.trim() && 'Say why; it is kept with the act.'}>
			<textarea class="input" rows="2" maxlength="1000" data-autofocus name="reason" value=${reason}
				onInput=${(event) => setReason(event.target.value)}></textarea></${Field}>
		<${Field} label="Who you are" error=${tried && !by.trim() && 'Say who you are; it is kept with the act.'}>
			<input class="input" name="by" maxlength="200" autocomplete="off" value=${by}
				onInput=${(event) => who.set(event.target.value)} />
			</${Field}>`}
		<section class="a-preview" aria-label="The call"><h3>The call</h3><code class="a-line">${method} /v1${path}</code>
			${method === 'POST' && html`<pre class="code-block" tabindex="0">${JSON.stringify(whole, null, 2)}</pre>`}</section>
		<div class="a-same"><${CommandLine} text=${line} /><${CommandLine} text=${curl(method, path, whole)} /></div></div>
			</${Dialog}>`;
}
