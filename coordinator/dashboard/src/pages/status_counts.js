/* How many sagas stand where: one mark a status, each a link to those sagas. */
import { html } from '../h.js';
import { count, short } from '../format.js';
import { Icon } from '../icons.js';
import { link } from '../router.js';
import { SAGA } from '../words.js';

export const sumOf = (counts) => Object.values(counts ?? {}).reduce((sum, n) => sum + n, 0);

export function StatusCounts({ counts, name, version }) {
	if (!counts)
		return html`<span class="faint">–</span>`;
	const list = Object.keys(SAGA).filter((status) => counts[status] > 0);
	if (list.length === 0)
		return html`<span class="faint">none</span>`;
	return html`<span class="status-counts">${list.map((status) => {
		const [tone, icon, words] = SAGA[status];
		return html`<a key=${status} class=${`badge tone-${tone}`} title=${`${count(counts[status])} ${words}`}
			aria-label=${`${count(counts[status])} ${words}`}
			href=${link('/sagas', { q: `saga:${name}${version ? ` version:${version}` : ''} status:${status}` })}>
			<${Icon} name=${icon} /><span class="num">${short(counts[status])}</span></a>`;
	})}</span>`;
}
