/*
 * Lays the steps of a definition out as a layered graph, top to bottom: a step stands below all that
 * it needs; within a layer steps stand where their neighbours are (a few sweeps over their middles);
 * an edge over several layers runs through a free place in each. The steps of on_compensated stand
 * below, apart. The pivot line lies above the layer of the pivot: what is above can be undone.
 *
 *     layout(steps) = { nodes: [{ id, def, layer, x, y, w, h }], edges: [{ from, to, points }],
 *                       pivotY, apartY, width, height }
 */

export const NODE = { w: 196, h: 54, gapX: 28, gapY: 46, pad: 16 };

function layers(steps) {
	const byId = new Map(steps.map((def) => [def.id, { id: def.id, def, layer: -1, needs: [] }]));
	for (const node of byId.values())
		node.needs = node.def.needs.filter((id) => byId.has(id) && id !== node.id);
	/* The list of a definition that was accepted has no circles; of one that was not, each is cut. */
	const depth = (node, path) => {
		if (node.layer >= 0)
			return node.layer;
		if (path.has(node.id))
			return 0;
		path.add(node.id);
		let layer = 0;
		for (const id of node.needs)
			layer = Math.max(layer, depth(byId.get(id), path) + 1);
		path.delete(node.id);
		return node.layer = layer;
	};
	for (const node of byId.values())
		depth(node, new Set());
	/* No step runs beside a pivot: what does not depend on it comes before it. */
	const pivot = [...byId.values()].find((node) => node.def.pivot);
	if (pivot) {
		const after = new Set([pivot.id]);
		for (let found = true; found;) {
			found = false;
			for (const node of byId.values())
				if (!after.has(node.id) && node.needs.some((id) => after.has(id)))
					found = Boolean(after.add(node.id));
		}
		const before = Math.max(-1, ...[...byId.values()].filter((n) => !after.has(n.id)).map((n) => n.layer));
		const shift = before + 1 - pivot.layer;
		if (shift > 0)
			for (const id of after)
				byId.get(id).layer += shift;
	}
	return byId;
}

/* Direct needs only: an edge that a longer way says already is left out. */
function reduced(node, byId) {
	const reach = (from, goal, seen = new Set()) => {
		for (const id of byId.get(from).needs) {
			if (id === goal)
				return true;
			if (!seen.has(id) && byId.get(id).layer > byId.get(goal).layer) {
				seen.add(id);
				if (reach(id, goal, seen))
					return true;
			}
		}
		return false;
	};
	if (node.needs.length > 12)
		return node.needs;
	return node.needs.filter((id) => !node.needs.some((other) => other !== id && reach(other, id)));
}

function addDummies(byId) {
	const rows = [], links = [];
	const put = (cell) => (rows[cell.layer] ??= []).push(cell);
	for (const node of byId.values()) {
		node.up = [];
		node.down = [];
		put(node);
	}
	for (const node of byId.values())
		for (const id of reduced(node, byId)) {
			const from = byId.get(id), chain = [from];
			for (let layer = from.layer + 1; layer < node.layer; layer++) {
				const dummy = { dummy: true, layer, up: [], down: [] };
				put(dummy);
				chain.push(dummy);
			}
			chain.push(node);
			for (let i = 1; i < chain.length; i++) {
				chain[i - 1].down.push(chain[i]);
				chain[i].up.push(chain[i - 1]);
			}
			links.push({ from: id, to: node.id, chain });
		}
	for (let i = 0; i < rows.length; i++)
		rows[i] ??= [];
	return { rows, links };
}

const mean = (list, value) => list.reduce((sum, item) => sum + value(item), 0) / list.length;

function order(rows) {
	rows.forEach((row) => row.forEach((cell, i) => { cell.i = i; }));
	for (let sweep = 0; sweep < 8; sweep++) {
		const downward = sweep % 2 === 0;
		const list = downward ? rows.slice(1) : rows.slice(0, -1).reverse();
		for (const row of list) {
			for (const cell of row) {
				const near = downward ? cell.up : cell.down;
				cell.bary = near.length ? mean(near, (other) => other.i) : cell.i;
			}
			row.sort((a, b) => a.bary - b.bary || a.i - b.i);
			row.forEach((cell, i) => { cell.i = i; });
		}
	}
}

/* Middles: each cell goes to the middle of its neighbours, as far as the order lets it. */
function spread(rows) {
	const width = (cell) => (cell.dummy ? 20 : NODE.w);
	const apart = (a, b) => (width(a) + width(b)) / 2 + NODE.gapX;
	for (const row of rows) {
		let x = 0;
		row.forEach((cell, i) => {
			if (i > 0)
				x += apart(row[i - 1], cell);
			cell.x = x;
		});
		const middle = x / 2;
		row.forEach((cell) => { cell.x -= middle; });
	}
	for (let sweep = 0; sweep < 12; sweep++) {
		const downward = sweep % 2 === 0;
		for (const row of downward ? rows : [...rows].reverse()) {
			const want = row.map((cell) => {
				const near = downward ? cell.up : cell.down;
				return near.length ? mean(near, (other) => other.x) : cell.x;
			});
			place(row, want, apart);
		}
	}
}

/* The places nearest to those that are wanted that keep the order and the distances (blocks that
 * touch are moved as one). */
function place(row, want, apart) {
	const blocks = [];
	row.forEach((cell, i) => {
		let block = { cells: [cell], offset: [0], sum: want[i], n: 1 };
		while (blocks.length) {
			const last = blocks.at(-1);
			const end = last.sum / last.n + last.offset.at(-1);
			const need = apart(last.cells.at(-1), block.cells[0]);
			if (end + need <= block.sum / block.n)
				break;
			const shift = last.offset.at(-1) + need;
			blocks.pop();
			block = {
				cells: [...last.cells, ...block.cells],
				offset: [...last.offset, ...block.offset.map((x) => x + shift)],
				sum: last.sum + block.sum - shift * block.n, n: last.n + block.n,
			};
		}
		blocks.push(block);
	});
	for (const block of blocks)
		block.cells.forEach((cell, i) => { cell.x = block.sum / block.n + block.offset[i]; });
}

function part(steps, top) {
	const byId = layers(steps);
	const { rows, links } = addDummies(byId);
	order(rows);
	spread(rows);
	const pitch = NODE.h + NODE.gapY;
	const y = (cell) => top + cell.layer * pitch;
	const nodes = [...byId.values()].map((node) => ({
		id: node.id, def: node.def, layer: node.layer, cx: node.x, y: y(node), w: NODE.w, h: NODE.h, i: node.i,
	}));
	const edges = links.map(({ from, to, chain }) => ({
		from, to,
		points: chain.flatMap((cell, i) => {
			if (cell.dummy)
				return [[cell.x, y(cell)], [cell.x, y(cell) + NODE.h]];
			return i === 0 ? [[cell.x, y(cell) + NODE.h]] : [[cell.x, y(cell)]];
		}),
	}));
	return { nodes, edges, bottom: top + rows.length * pitch - NODE.gapY };
}

export function layout(steps) {
	const forward = steps.filter((def) => !def.onCompensated);
	const apart = steps.filter((def) => def.onCompensated);
	const first = part(forward, NODE.pad);
	const second = apart.length ? part(apart, first.bottom + NODE.gapY * 1.6) : { nodes: [], edges: [],
		bottom: first.bottom };
	const nodes = [...first.nodes, ...second.nodes], edges = [...first.edges, ...second.edges];
	const left = Math.min(0, ...nodes.map((node) => node.cx - NODE.w / 2),
		...edges.flatMap((edge) => edge.points.map((p) => p[0])));
	const shift = NODE.pad - left;
	for (const node of nodes)
		node.x = node.cx + shift - NODE.w / 2;
	for (const edge of edges)
		edge.points = edge.points.map(([x, y]) => [x + shift, y]);
	const pivot = first.nodes.find((node) => node.def.pivot);
	return {
		nodes, edges,
		pivotY: pivot ? pivot.y - NODE.gapY / 2 : null,
		apartY: apart.length ? first.bottom + NODE.gapY * 0.8 : null,
		width: Math.max(NODE.w, ...nodes.map((node) => node.x + node.w),
			...edges.flatMap((edge) => edge.points.map((p) => p[0]))) + NODE.pad,
		height: second.bottom + NODE.pad,
	};
}

/* The path of an edge: straight pieces down the layers, curves between them. */
export function curve(points) {
	let path = `M${round(points[0][0])} ${round(points[0][1])}`;
	for (let i = 1; i < points.length; i++) {
		const [x0, y0] = points[i - 1], [x1, y1] = points[i];
		const middle = (y0 + y1) / 2;
		path += x0 === x1 ? `L${round(x1)} ${round(y1)}`
			: `C${round(x0)} ${round(middle)} ${round(x1)} ${round(middle)} ${round(x1)} ${round(y1)}`;
	}
	return path;
}
const round = (n) => Math.round(n * 10) / 10;

/* Where an arrow key leads from a node: the nearest in that direction; null: nowhere. */
export function neighbour(nodes, id, key) {
	const from = nodes.find((node) => node.id === id);
	if (!from)
		return null;
	const fits = {
		ArrowDown: (node) => node.y > from.y, ArrowUp: (node) => node.y < from.y,
		ArrowRight: (node) => node.y === from.y && node.x > from.x,
		ArrowLeft: (node) => node.y === from.y && node.x < from.x,
	}[key];
	if (!fits)
		return null;
	const far = (node) => Math.abs(node.y - from.y) * 4 + Math.abs(node.x - from.x);
	return nodes.filter(fits).sort((a, b) => far(a) - far(b))[0]?.id ?? null;
}
