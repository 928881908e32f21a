#!/usr/bin/env node
import assert from 'node:assert/strict';
import test from 'node:test';
import { hunks, jsonDiff, lineDiff, pathText, stateDiff } from '../../../../coordinator/dashboard/src/saga/diff.js';
import { duration, countdown } from '../../../../coordinator/dashboard/src/saga/time.js';
import { action, saga, step } from './make_saga.mjs';

test('diff__names_steps_and_items_in_the_path', () => {
	const before = saga([step('hotel', [action({ item: 0 }), action({ item: 1 })])]);
	const after = saga([step('hotel', [action({ item: 0 }), action({ item: 1, compensation: { status: 'armed' } })])],
		{ updated_at: 'x' });
	const list = stateDiff(before, after);
	assert.equal(list.length, 1);
	assert.equal(pathText(list[0].path), 'hotel › [1] › compensation › status');
	assert.deepEqual([list[0].before, list[0].after], ['not_armed', 'armed']);
});

test('diff__what_is_new_or_gone_is_one_difference', () => {
	assert.deepEqual(jsonDiff({ a: { b: 1 } }, { c: { d: 2 } }),
		[{ path: ['a'], before: { b: 1 }, after: undefined }, { path: ['c'], before: undefined, after: { d: 2 } }]);
	assert.deepEqual(jsonDiff([1, 2], [1, 2]), []);
	assert.equal(jsonDiff({ a: null }, { a: {} }).length, 1);
});

test('diff__has_a_limit', () => {
	const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]));
	assert.equal(jsonDiff({}, many, 50).length, 50);
});

const apply = (lines) => [lines.filter((l) => l.kind !== 'add').map((l) => l.text).join('\n'),
	lines.filter((l) => l.kind !== 'del').map((l) => l.text).join('\n')];

test('lines__give_both_texts_back_and_few_edits', () => {
	let seed = 7;
	const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
	for (let round = 0; round < 200; round++) {
		const a = Array.from({ length: random(12) }, () => 'abc'[random(3)]);
		const b = a.filter(() => random(4) > 0).flatMap((x) => (random(4) === 0 ? [x, 'abc'[random(3)]] : [x]));
		const lines = lineDiff(a.join('\n'), b.join('\n'));
		assert.deepEqual(apply(lines), [a.join('\n'), b.join('\n')]);
	}
	const lines = lineDiff('a\nb\nc\nd', 'a\nc\nd\ne');
	assert.deepEqual(lines.map(({ kind, text }) => kind[0] + text), ['sa', 'db', 'sc', 'sd', 'ae']);
});

test('lines__past_the_limit_are_exchanged', () => {
	const a = Array.from({ length: 50 }, (_, i) => `a${i}`).join('\n'), b = Array.from({ length: 50 }, (_, i) =>
		`b${i}`).join('\n');
	assert.deepEqual(apply(lineDiff(a, b, 10)), [a, b]);
});

test('hunks__keep_what_is_near_a_difference', () => {
	const text = Array.from({ length: 40 }, (_, i) => `l${i}`);
	const other = text.with(20, 'x');
	const list = hunks(lineDiff(text.join('\n'), other.join('\n')), 2);
	assert.deepEqual(list.map((line) => line?.text ?? null), [null, 'l18', 'l19', 'l20', 'x', 'l21', 'l22', null]);
});

test('time__durations_have_few_words', () => {
	assert.deepEqual([371, 1500, 9999, 48_000, 119_999, 14 * 60_000, 3 * 3_600_000 + 5 * 60_000,
		50 * 3_600_000].map(duration),
		['371 ms', '1.5 s', '9.9 s', '48 s', '119 s', '14 min', '3 h 5 min', '2 d 2 h']);
	assert.deepEqual([1, 1000, 47_001, 200_000].map(countdown), ['1 s', '1 s', '48 s', '3 min']);
});
