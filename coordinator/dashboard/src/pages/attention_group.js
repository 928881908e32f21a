/*
 * One reason: what it is, since when, whose, and every saga that has it; the likeliest acts are the
 * buttons, and all of them lead through the dialog with the dry run.
 */
import { html, useEffect, useState } from '../h.js';
import { post } from '../api.js';
import { Bulk } from '../bulk.js';
import { actsFor } from '../bulk_acts.js';
import { count, plural } from '../format.js';
import { Icon } from '../icons.js';
import { useKeys } from '../keys.js';
import { overview } from '../live.js';
import { useResource } from '../resource.js';
import { at, link } from '../router.js';
import { Ago, At, Button, Dialog, Empty, Field, Kind, Page, Problem, Skeleton, toast, useThrottled, who } from '../ui.js';
import { ATTENTION } from '../words.js';
import { Where, groupTarget, why } from './attention_parts.js';
import { SagaList, useSagaList } from './saga_list.js';

/* Asks what is said about a group: a note with the acknowledgement, or an owner. */
function Say({ group, what, onClose, onSaid }) {
	const [text, setText] = useState(what === 'owner' ? group.owner ?? '' : '');
	const [error, setError] = useState(null);
	const by = who.use();
	const send = async (event) => {
		event.preventDefault();
		try {
			const body = what === 'owner' ? { owner: text.trim() || undefined, by } : { reason: text.trim(), by };
			await post(`${at('attention', group.id)}/${what}`, body);
			toast(what === 'owner' ? (text.trim() ? `${text.trim()} takes care of it.` : 'Nobody takes care of it now.')
				: 'Acknowledged.');
			onSaid();
			onClose();
		} catch (problem) {
			setError(problem);
		}
	};
	const ready = by.trim() && (what === 'owner' || text.trim());
	return html`<${Dialog} title=${what === 'owner' ? 'Who takes care of it?' : 'Acknowledge'} onClose=${onClose} footer=${html`
		<${Button} onClick=${onClose}>Not now</${Button}><${Button} kind="primary" type="submit" form="say-form"
		disabled=${!ready}>${what === 'owner' ? 'Set the owner' : 'Acknowledge'}</${Button}>`}>
		<form id="say-form" onSubmit=${send}>
			<${Field} label=${what === 'owner' ? 'Owner' : 'Note'} hint=${what === 'owner' ? 'Empty: nobody.'
				: 'What others should know, for instance a ticket. It lasts until the reason is gone.'}>
				<input class="input" data-autofocus name="text" value=${text} maxlength=${what === 'owner' ? 200 : 1000}
				onInput=${(event) => setText(event.target.value)} /></${Field}>
			<${Field} label="Your name"><input class="input" name="by" value=${by} maxlength="200"
				onInput=${(event) => who.set(event.target.value)} /></${Field}></form>
		<${Problem} error=${error} /></${Dialog}>`;
}

function Facts({ group, onTake }) {
	return html`<dl class="facts">
		<dt>Means</dt><dd>${ATTENTION[group.kind]?.[3] ?? group.kind}</dd>
		<dt>Error</dt><dd>${group.code && html`<code class="code-mark">${group.code}</code>${' '}`}${why(group)}</dd>
		<dt>First seen</dt><dd><${At} at=${group.first_seen_at} /> <span class="faint">(<${Ago}
			at=${group.first_seen_at} />)</span></dd>
		<dt>Last seen</dt><dd><${At} at=${group.last_seen_at} /> <span class="faint">(<${Ago}
			at=${group.last_seen_at} />)</span></dd>
		<dt>Owner</dt><dd>${group.owner ?? html`<span class="faint">nobody</span>`}${' '}<button type="button"
			class="link" onClick=${onTake}>change</button></dd>
		<dt>Acknowledged</dt><dd>${group.acknowledged ? html`by ${group.acknowledged.by}, <${Ago}
			at=${group.acknowledged.at} />: ${group.acknowledged.note}` : html`<span class="faint">by nobody</span>`}</dd>
		${group.sample && html`<dt>Sample</dt><dd><a class="mono" href=${link(at('sagas', group.sample))}>${group.sample}</a></dd>`}
	</dl>`;
}

export function AttentionGroup({ id }) {
	const { data: group, error, reload } = useResource(at('attention', id));
	const list = useSagaList(`group:${id}`);
	const [acting, setActing] = useState(null);
	const [saying, setSaying] = useState(null);
	const [failed, setFailed] = useState(null);
	const soon = useThrottled(reload, 1500);
	const told = JSON.stringify(overview.use()?.attention);
	useEffect(soon, [told]);

	const acts = group ? actsFor(group) : [];
	const acknowledge = async () => {
		if (!group.acknowledged)
			return setSaying('acknowledge');
		try {
			await post(`${at('attention', id)}/unacknowledge`, { by: who.get() || undefined });
			setFailed(null);
		} catch (problem) {
			setFailed(problem);
		}
		return reload();
	};
	// Of the reason and not of a row: they are there before its sagas have been read.
	useKeys(group ? [['a', 'Act on all of them', () => setActing(acts[0].id)],
		['A', 'Acknowledge, or take it back', acknowledge],
		['w', 'Say who takes care', () => setSaying('owner')]] : [], { title: 'The reason' });

	const back = html`<a class="back" href=${link('/attention')}><${Icon} name="left" />Attention</a>`;
	if (error?.status === 404)
		return html`<${Page} title="Repaired" actions=${back}><${Empty} title="No saga has this trouble any more.">
			<a href=${link('/attention')}>What else needs a person</a></${Empty}></${Page}>`;
	if (!group)
		return html`<${Page} title="Attention" actions=${back}><${Problem} error=${error} onRetry=${reload} />
			${!error && html`<${Skeleton} rows=${8} class="tall" />`}</${Page}>`;
	return html`<${Page} title=${html`<${Where} group=${group} />`} actions=${back}>
		<${Problem} error=${error ?? failed} onRetry=${reload} />
		<section class="panel group-head" aria-label="The reason">
			<div class="group-top"><${Kind} kind=${group.kind} /><b class="group-n num">${count(group.count)}</b>
				<span class="muted">${group.count === 1 ? 'saga' : 'sagas'}</span>
				<div class="buttons push">
					${acts.slice(0, 3).map((act, i) => html`<${Button} key=${act.id} kind=${i === 0 ? 'primary' : ''}
						onClick=${() => setActing(act.id)}>${act.words} …</${Button}>`)}
					<${Button} onClick=${() => setActing(acts[0].id)}>More …</${Button}>
					<${Button} kind="quiet" icon=${group.acknowledged ? 'close' : 'check'} onClick=${acknowledge}
						>${group.acknowledged ? 'Take back' : 'Acknowledge'}</${Button}></div></div>
			<div class="panel-body"><${Facts} group=${group} onTake=${() => setSaying('owner')} /></div></section>
		<${SagaList} list=${list} label=${plural(group.count, 'saga')} empty="No saga has this trouble any more."
			columns=${['saga', 'status', 'id', 'owner', 'updated', 'started']} />
		${acting && html`<${Bulk} target=${groupTarget(group)} initial=${acting} onClose=${() => setActing(null)} />`}
		${saying && html`<${Say} group=${group} what=${saying} onClose=${() => setSaying(null)} onSaid=${reload} />`}
	</${Page}>`;
}
