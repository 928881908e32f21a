#!/usr/bin/env node
import assert from 'node:assert/strict';
import test from 'node:test';
import { Events } from '../../../../coordinator/dashboard/src/saga/history.js';
import { scale, timeline } from '../../../../coordinator/dashboard/src/saga/timeline.js';
import { T0, http, row } from './make_saga.mjs';

const PUT = http('hotels', 'PUT', '/rooms/1', 'k');
function entries(...rows) {
	const list = new Events();
	rows.forEach((each) => list.add(each));
	return list.entries;
}
const shape = (bars) => bars.map(({ kind, from, to, attempt, open }) => [kind, from - T0, to - T0, attempt ?? null,
	open]);

test('timeline__attempts_and_back_offs_follow_each_other', () => {
	const { rows } = timeline(entries(
		row(1, 0, { type: 'StepScheduled', step: 'a', request: PUT }),
		row(2, 100, { type: 'StepAttemptFailed', step: 'a', attempt: 1, due_at: T0 + 600, code: 'x' }),
		row(3, 700, { type: 'StepCompleted', step: 'a' })), T0 + 5000);
	assert.equal(rows.length, 1);
	assert.deepEqual(shape(rows[0].bars), [['attempt', 0, 100, 1, false], ['backoff', 100, 600, 1, false],
		['attempt', 600, 700, 2, false]]);
	assert.equal(rows[0].bars[2].tone, 'good');
});

test('timeline__what_is_not_over_reaches_to_now_or_to_when_it_ends', () => {
	const { rows, to } = timeline(entries(row(1, 0, { type: 'StepScheduled', step: 'a', request: PUT })), T0 + 900);
	assert.deepEqual(shape(rows[0].bars), [['attempt', 0, 900, 1, true]]);
	assert.equal(to, T0 + 900);
	const wait = timeline(entries(row(1, 0, { type: 'StepScheduled', step: 'w', due_at: T0 + 7_200_000 })), T0 + 900);
	assert.deepEqual(shape(wait.rows[0].bars), [['wait', 0, 7_200_000, null, true]]);
});

test('timeline__an_undo_has_a_row_of_its_own_and_a_failed_one_stays_parked', () => {
	const { rows, marks } = timeline(entries(
		row(1, 0, { type: 'StepScheduled', step: 'a', request: PUT }), row(2, 10, { type: 'StepCompleted', step: 'a' }),
		row(3, 20, { type: 'SagaCompensating', step: 'b', code: 'x' }, { type: 'CompensationStarted', step: 'a' }),
		row(4, 30, { type: 'CompensationFailed', step: 'a', code: 'no' })), T0 + 1000);
	assert.deepEqual(rows.map((each) => each.id), ['a/do', 'a/undo']);
	assert.deepEqual(shape(rows[1].bars), [['attempt', 20, 30, 1, false], ['parked', 30, 1000, null, true]]);
	assert.deepEqual(marks.map((each) => each.type), ['SagaCompensating']);
});

test('timeline__attempts_that_the_history_leaves_out_are_told_together', () => {
	const { rows } = timeline(entries(
		row(1, 0, { type: 'CompensationStarted', step: 'a' }),
		row(2, 10, { type: 'CompensationAttemptFailed', step: 'a', attempt: 10, due_at: T0 + 20, code: 'x' }),
		row(3, 900, { type: 'CompensationAttemptFailed', step: 'a', attempt: 20, due_at: T0 + 950, code: 'x' })), T0 + 910);
	assert.equal(rows[0].bars[2].text, 'attempts 11–20 failed: x');
});

test('scale__is_monotone_and_squeezes_what_is_long', () => {
	const model = timeline(entries(
		row(1, 0, { type: 'StepScheduled', step: 'a', request: PUT }), row(2, 20, { type: 'StepCompleted', step: 'a' }),
		row(3, 20, { type: 'StepScheduled', step: 'w', due_at: T0 + 3_600_000 }),
		row(4, 3_600_000, { type: 'StepCompleted', step: 'w' })), T0 + 3_600_001);
	for (const kind of ['true', 'squeezed']) {
		const { place, ticks } = scale(model, kind, T0 + 3_600_001);
		let before = -1;
		for (const after of [0, 5, 10, 20, 50, 1000, 60_000, 1_800_000, 3_600_000]) {
			const x = place(T0 + after);
			assert.ok(x >= before && x >= 0 && x <= 1, `${kind} ${after}: ${x}`);
			before = x;
		}
		assert.equal(place(T0), 0);
		const marks = ticks(0.1);
		for (let i = 1; i < marks.length; i++)
			assert.ok(marks[i].x - marks[i - 1].x >= 0.1 - 1e-9);
	}
	assert.ok(scale(model, 'true').place(T0 + 20) < 0.0001);
	assert.ok(scale(model, 'squeezed').place(T0 + 20) > 0.1);
});

test('timeline__twenty_thousand_events_are_modelled_in_a_moment', () => {
	const rows = [];
	for (let i = 0; i < 10_000; i++)
		rows.push(row(i + 1, i * 10, { type: 'StepScheduled', step: `s${i % 50}`, item: i % 997, request: PUT },
			{ type: 'StepCompleted', step: `s${i % 50}`, item: i % 997 }));
	const list = new Events();
	rows.forEach((each) => list.add(each));
	assert.equal(list.entries.length, 20_000);
	const model = timeline(list.entries, T0 + 200_000);
	assert.equal(model.rows.reduce((sum, each) => sum + each.bars.length, 0), 10_000);
});
