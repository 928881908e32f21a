/* Definitions: the newest version of each, and how the sagas on it stand. */
import { html, useMemo } from '../h.js';
import { count } from '../format.js';
import { useResource } from '../resource.js';
import { at, link } from '../router.js';
import { Table } from '../table.js';
import { Ago, Empty, Page, Problem, Skeleton } from '../ui.js';
import { StatusCounts, sumOf } from './status_counts.js';

const COLUMNS = [
	{ id: 'name', title: 'Definition', class: 'w-24 grow-narrow', cell: (row) => html`<a href=${link(at('definitions', row.name))}>
		${row.name}</a>` },
	{ id: 'version', title: 'Newest', class: 'w-8', cell: (row) => `v${row.version}` },
	{ id: 'sagas', title: 'Sagas', cell: (row) => html`<${StatusCounts} counts=${row.counts} name=${row.name} />` },
	{ id: 'total', title: 'In all', class: 'w-8 num', narrow: false, cell: (row) =>
		(row.counts ? count(sumOf(row.counts)) : '–') },
	{ id: 'deployed', title: 'Deployed', class: 'w-10 num', narrow: false, cell: (row) =>
		html`<${Ago} at=${row.deployed_at} />` },
];

/* One row a definition: the newest version, and the counts of all of its versions together. */
export function newest(definitions) {
	const rows = new Map();
	for (const each of definitions) {
		const row = rows.get(each.name);
		if (!row || each.version > row.version)
			rows.set(each.name, { ...each, counts: each.counts ?? row?.counts });
	}
	return [...rows.values()].sort((a, b) => a.name.localeCompare(b.name));
}

export function Definitions() {
	const { data, error, reload } = useResource('/definitions', { counts: true });
	const rows = useMemo(() => newest(data?.definitions ?? []), [data]);
	return html`<${Page} title="Definitions" count=${data ? rows.length : null}>
		<${Problem} error=${error} onRetry=${reload} />
		${!data ? !error && html`<${Skeleton} rows=${8} />` : rows.length === 0
			? html`<${Empty} icon="definitions"
				title="Nothing is deployed yet.">skald def deploy FILE makes a definition known.</${Empty}>`
			: html`<${Table} label="Definitions" columns=${COLUMNS} rows=${rows} rowKey=${(row) => row.name}
				href=${(row) => link(at('definitions', row.name))} />`}</${Page}>`;
}
