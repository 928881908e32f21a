/* Audit: who did what to the saga and why, and what followed from it. */
import { html, useMemo } from '../h.js';
import { Icon } from '../icons.js';
import { JsonView } from '../json_view.js';
import { at as path, link } from '../router.js';
import { Button, Empty, Skeleton } from '../ui.js';
import { audit } from './history.js';
import { clock, day } from './time.js';

function Act({ act, saga }) {
	const place = act.step === null ? '' : `${act.undo ? 'the undo of ' : ''}${act.step}${act.item === null ? '' :
		`[${act.item}]`}`;
	return html`<li class="audit-act"><div class="audit-when num"><span class="muted">${day(act.at)}
		</span> ${clock(act.at)}<br /><a href=${link(path('sagas', saga), { tab: 'history', at: act.seq })}>event ${act.seq}
		</a></div>
		<div class="audit-what"><p><b>${act.by || 'somebody'}</b> <span class="badge tone-hold"><${Icon} name="user" />
			${act.act}</span> ${place}</p>
			${act.reason && html`<blockquote>${act.reason}</blockquote>`}
			${act.value !== undefined && act.value !== null && html`<${JsonView} value=${act.value} open=${1}
				label="What was given" />`}
			${act.effects.length > 0 && html`<ul class="audit-effects">
				${act.effects.map((text, i) => html`<li key=${i}>${text}</li>`)}</ul>`}</div></li>`;
}

export function Audit({ data, open }) {
	const { history } = data;
	const acts = useMemo(() => audit(data.at ? history.rows.filter((row) => row.seq <= data.at) :
		history.rows).reverse(), [history.version, data.at]);
	const note = data.acts?.saga?.find((entry) => entry.act === 'note');
	if (!history.whole && history.rows.length === 0)
		return html`<${Skeleton} rows=${5} />`;
	return html`<section class="panel" aria-label="Audit"><header class="panel-head"><h2>What people did</h2>
		${note?.allowed && html`<${Button} kind="small" icon="definitions"
		onClick=${() => open({ act: 'note' })}>Add a note</${Button}>`}</header>
		${acts.length === 0 ? html`<${Empty} icon="user"
			title="Nobody has touched this saga.">Acts of people and of batches stand here, with who, why, and what followed.</${Empty}>`
			: html`<ol class="audit">
				${acts.map((act, i) => html`<${Act} key=${`${act.seq}/${i}`} act=${act} saga=${data.id} />`)}</ol>`}</section>`;
}
