/* Sagas: a list with a filter. */
import { html } from '../h.js';
import { useResource } from '../resource.js';
import { at, link, useQuery } from '../router.js';
import { Table } from '../table.js';
import { Ago, Badge, Page, Problem, Skeleton } from '../ui.js';

const COLUMNS = [
	{ id: 'saga', title: 'Saga', cell: (row) => html`<a href=${link(at('sagas', row.id))}>${row.saga}</a>` },
	{ id: 'status', title: 'Status', class: 'w-18', cell: (row) => html`<${Badge} status=${row.status} />` },
	{ id: 'key', title: 'Key', narrow: false, cell: (row) => row.key },
	{ id: 'started', title: 'Started', class: 'w-10 num', cell: (row) => html`<${Ago} at=${row.started_at} />` },
];

export function Sagas() {
	const [q] = useQuery('q');
	const { data, error, reload } = useResource('/sagas', { q, limit: 50 });
	return html`<${Page} title="Sagas">
		<${Problem} error=${error} onRetry=${reload} />
		${data ? html`<${Table} label="Sagas" columns=${COLUMNS} rows=${data.sagas}
			href=${(row) => link(at('sagas', row.id))} />` : html`<${Skeleton} rows=${12} />`}
	</${Page}>`;
}
