#!/usr/bin/env node
import assert from 'node:assert/strict';
import test from 'node:test';
import { stepsOf } from '../../../../coordinator/dashboard/src/saga/definition.js';
import { NODE, layout, neighbour } from '../../../../coordinator/dashboard/src/saga/graph.js';

const http = { to: 'x', method: 'PUT', path: '/' };
const doc = (...steps) =>
	({ steps: steps.map(([id, needs, more]) => ({ id, http, ...(needs ? { needs } : {}), ...more })) });
const lay = (...steps) => layout(stepsOf(doc(...steps)));
const by = (graph, id) => graph.nodes.find((node) => node.id === id);

test('definition__needs_are_the_step_before_unless_they_are_said', () => {
	const steps = stepsOf({ steps: [{ id: 'a', http }, { id: 'b', http }, { id: 'c', needs: [], set: { x: 1 } }],
		on_compensated: [{ id: 'd', http }] });
	assert.deepEqual(steps.map(({ id, needs }) => [id, needs]), [['a', []], ['b', ['a']], ['c', []], ['d', []]]);
	assert.equal(steps[3].onCompensated, true);
	assert.equal(steps[2].action.kind, 'set');
});

test('graph__a_step_stands_below_all_that_it_needs', () => {
	const graph = lay(['a'], ['b', ['a']], ['c', ['a']], ['d', ['b', 'c']], ['e', ['a', 'd']]);
	for (const edge of graph.edges)
		assert.ok(by(graph, edge.from).y < by(graph, edge.to).y, `${edge.from} -> ${edge.to}`);
	assert.equal(by(graph, 'b').y, by(graph, 'c').y);
	assert.ok(!graph.edges.some((edge) => edge.from === 'a' && edge.to === 'e'), 'a -> d -> e says it already');
});

test('graph__nodes_do_not_overlap_and_are_inside', () => {
	const steps = [['r', []]];
	for (let i = 0; i < 40; i++)
		steps.push([`s${i}`, i < 7 ? ['r'] : [`s${i % 7}`, `s${(i * 3) % 7}`]]);
	const graph = lay(...steps);
	for (const a of graph.nodes) {
		assert.ok(a.x >= 0 && a.x + a.w <= graph.width && a.y + a.h <= graph.height, a.id);
		for (const b of graph.nodes)
			if (a !== b && a.y === b.y)
				assert.ok(Math.abs(a.x - b.x) >= NODE.w, `${a.id} ${b.id}`);
	}
});

test('graph__the_pivot_line_parts_what_can_be_undone', () => {
	const graph = lay(['a', []], ['b', []], ['b2', ['b']], ['p', ['a'], { pivot: true }], ['after', ['p']]);
	for (const id of ['a', 'b', 'b2'])
		assert.ok(by(graph, id).y + NODE.h < graph.pivotY, id);
	for (const id of ['p', 'after'])
		assert.ok(by(graph, id).y > graph.pivotY, id);
	assert.equal(lay(['a']).pivotY, null);
});

test('graph__a_circle_does_not_hang', () => {
	const graph = lay(['a', ['b']], ['b', ['a']], ['c', ['c']]);
	assert.equal(graph.nodes.length, 3);
});

test('graph__five_hundred_steps_are_laid_out', () => {
	const steps = [];
	for (let i = 0; i < 500; i++)
		steps.push([`s${i}`, i < 10 ? [] : [`s${i - 10}`, `s${i - (i % 7) - 1}`]]);
	assert.equal(lay(...steps).nodes.length, 500);
});

test('graph__arrows_lead_to_the_nearest', () => {
	const { nodes } = lay(['a', []], ['b', ['a']], ['c', ['a']], ['d', ['b', 'c']]);
	assert.ok(['b', 'c'].includes(neighbour(nodes, 'a', 'ArrowDown')));
	assert.equal(neighbour(nodes, 'd', 'ArrowDown'), null);
	const left = neighbour(nodes, 'b', 'ArrowLeft') ?? neighbour(nodes, 'b', 'ArrowRight');
	assert.equal(left, 'c');
	assert.equal(neighbour(nodes, 'a', 'x'), null);
});
