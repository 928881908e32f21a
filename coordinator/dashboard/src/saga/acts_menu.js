/*
 * From what may be done (GET /sagas/{id}/acts) to menus and buttons: an act that is not allowed stands
 * in the menu all the same, with the server's words why not.
 */
import { html } from '../h.js';
import { actWords } from '../acts/calls.js';
import { Menu } from '../menu.js';
import { Button } from '../ui.js';
import { suggested } from './ledger.js';

const ICONS = {
	retry: 'retry', skip: 'skip', complete: 'check', fail: 'cross', resolve: 'question', cancel: 'undo',
	terminate: 'stop', pause: 'pause', resume: 'play', compensate: 'undo', reset: 'left', signal: 'triggers',
	note: 'definitions', owner: 'user', approve: 'check', reject: 'cross', migrate: 'right',
};

function item(entry, act, open) {
	const [text, hint, kind] = actWords(act);
	return {
		id: entry.act, text, hint, icon: ICONS[entry.act], danger: kind === 'danger',
		disabled: !entry.allowed, why: entry.why ?? 'not now', onChoose: () => open(act),
	};
}

/* Where nothing is allowed, the reasons alone, each once. */
function items(entries, of, open) {
	if (entries.some((entry) => entry.allowed))
		return entries.map((entry) => item(entry, { act: entry.act, ...of }, open));
	const whys = [...new Set(entries.map((entry) => entry.why))];
	return entries.length ? [{ id: 'none', text: 'No act helps now', icon: 'dash', disabled: true,
		why: whys.join('; ') }] : [];
}

const placed = (row, compensation) => ({ step: row.step, item: row.item, compensation });

export function RowMenu({ row, open }) {
	const name = row.item === null ? row.step : `${row.step}[${row.item}]`;
	if (row.acts.length + row.undoActs.length === 0)
		return null;
	return html`<${Menu} label=${`Acts on ${name}`} groups=${[
		{ title: `Undo of ${name}`, items: items(row.undoActs, placed(row, true), open) },
		{ title: name, items: items(row.acts, placed(row, false), open) },
	]} />`;
}

export function SagaMenu({ acts, open }) {
	return html`<${Menu} label="Acts on the saga" class="button" icon="down" groups=${[{
		items: (acts?.saga ?? []).map((entry) => item(entry, { act: entry.act }, open)),
	}]}>Acts</${Menu}>`;
}

const SHORT = { retry: 'Retry', skip: 'Skip', complete: 'Mark done', resolve: 'Resolve', fail: 'Mark failed',
	approve: 'Approve', reject: 'Reject' };

/* The acts that help, as buttons: the first is the one to think of. */
export function Suggested({ row, side, open, most = 3 }) {
	const list = suggested(row, side).slice(0, most);
	if (list.length === 0)
		return null;
	return html`<span class="suggested">
		${list.map((act, i) => html`<${Button} key=${act} kind=${`small${i > 0 ? ' quiet' : ''}`}
		data-act=${act} title=${actWords({ act, ...placed(row, side === 'undo') })[1]}
		onClick=${() => open({ act, ...placed(row, side === 'undo') })}>${SHORT[act]}</${Button}>`)}</span>`;
}
