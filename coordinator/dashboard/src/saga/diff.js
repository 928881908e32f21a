/*
 * Differences: between two states of a saga (JSON values), and between two texts (definitions).
 */

const isObject = (value) => value !== null && typeof value === 'object';

/* Steps and their items are told apart by their names, so that the path reads as one would say it. */
function keysOf(value) {
	if (!Array.isArray(value))
		return Object.keys(value).map((key) => [key, value[key]]);
	return value.map((item, i) => [
		isObject(item) && typeof item.id === 'string' ? item.id
			: isObject(item) && Number.isInteger(item.item) ? `[${item.item}]` : `[${i}]`, item]);
}

/*
 * [{ path: ["steps", "hotel", "status"], before, after }], before or after undefined where there is
 * none; at most `limit`. A value that is there on one side only is one difference.
 */
export function jsonDiff(before, after, limit = 500) {
	const list = [];
	const walk = (a, b, path) => {
		if (list.length >= limit || Object.is(a, b))
			return;
		if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) {
			list.push({ path, before: a, after: b });
			return;
		}
		const left = new Map(keysOf(a)), right = new Map(keysOf(b));
		for (const [key, value] of left)
			walk(value, right.get(key), [...path, key]);
		for (const [key, value] of right)
			if (!left.has(key))
				walk(undefined, value, [...path, key]);
	};
	walk(before, after, []);
	return list;
}

/* What changes with every event, and says nothing. */
const NOISE = new Set(['updated_at', 'summary', 'next_due_at']);

/* What an event has changed of a saga; before null: there was nothing. */
export function stateDiff(before, after) {
	return jsonDiff(before ?? {}, after).filter((entry) => !NOISE.has(entry.path[0]));
}

/* "steps › hotel › [0] › compensation › status" without what is plain. */
export const pathText = (path) =>
	path.filter((part, i) => !(part === 'actions' || (i === 0 && part === 'steps'))).join(' › ');

/*
 * Lines of two texts: [{ kind: "same" | "del" | "add", a, b, text }], a and b the line numbers.
 * Myers' algorithm with a limit on the edits: past it everything in the middle is exchanged.
 */
export function lineDiff(before, after, limit = 3000) {
	const a = before.split('\n'), b = after.split('\n');
	let start = 0, endA = a.length, endB = b.length;
	while (start < endA && start < endB && a[start] === b[start])
		start++;
	while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
		endA--;
		endB--;
	}
	const out = [];
	const same = (i, j) => out.push({ kind: 'same', a: i + 1, b: j + 1, text: a[i] });
	const del = (i) => out.push({ kind: 'del', a: i + 1, b: null, text: a[i] });
	const add = (j) => out.push({ kind: 'add', a: null, b: j + 1, text: b[j] });
	for (let i = 0; i < start; i++)
		same(i, i);
	for (const edit of middle(a.slice(start, endA), b.slice(start, endB), limit)) {
		if (edit[0] === 'same')
			same(start + edit[1], start + edit[2]);
		else if (edit[0] === 'del')
			del(start + edit[1]);
		else
			add(start + edit[1]);
	}
	for (let i = endA, j = endB; i < a.length; i++, j++)
		same(i, j);
	return out;
}

function middle(a, b, limit) {
	const n = a.length, m = b.length, most = Math.min(n + m, limit);
	const trace = [];
	let v = new Map([[1, 0]]);
	for (let d = 0; d <= most; d++) {
		trace.push(new Map(v));
		for (let k = -d; k <= d; k += 2) {
			let x = k === -d || (k !== d && (v.get(k - 1) ?? -1) < (v.get(k + 1) ?? -1))
				? v.get(k + 1) ?? 0 : (v.get(k - 1) ?? 0) + 1;
			while (x < n && x - k < m && a[x] === b[x - k])
				x++;
			v.set(k, x);
			if (x >= n && x - k >= m)
				return backtrack(trace, n, m, d);
		}
	}
	return [...a.map((_, i) => ['del', i]), ...b.map((_, j) => ['add', j])];
}

function backtrack(trace, n, m, depth) {
	const edits = [];
	let x = n, y = m;
	for (let d = depth; d >= 0; d--) {
		const v = trace[d], k = x - y;
		const before = k === -d || (k !== d && (v.get(k - 1) ?? -1) < (v.get(k + 1) ?? -1)) ? k + 1 : k - 1;
		const px = v.get(before) ?? 0, py = px - before;
		while (x > px && y > py && x > 0 && y > 0) {
			x--;
			y--;
			edits.push(['same', x, y]);
		}
		if (d > 0) {
			if (x === px) {
				y--;
				edits.push(['add', y]);
			} else {
				x--;
				edits.push(['del', x]);
			}
		}
	}
	return edits.reverse();
}

/* Of a diff only what differs, with `around` lines beside it; null stands for what is left out. */
export function hunks(lines, around = 3) {
	const keep = new Uint8Array(lines.length);
	lines.forEach((line, i) => {
		if (line.kind !== 'same')
			keep.fill(1, Math.max(0, i - around), Math.min(lines.length, i + around + 1));
	});
	const out = [];
	lines.forEach((line, i) => {
		if (keep[i])
			out.push(line);
		else if (out.length === 0 || out.at(-1) !== null)
			out.push(null);
	});
	return out;
}
