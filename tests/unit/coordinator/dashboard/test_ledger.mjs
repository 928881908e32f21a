#!/usr/bin/env node
import assert from 'node:assert/strict';
import test from 'node:test';
import { isWayBack, ledger, suggested } from '../../../../coordinator/dashboard/src/saga/ledger.js';
import { sentence } from '../../../../coordinator/dashboard/src/saga/sentence.js';
import { T0, action, saga, step } from './make_saga.mjs';

const FAILURE = { code: 'card_declined', message: 'no funds', step: 'hold' };
const undo = (status, to, more = {}) => action({ compensation: { status, request: { to }, ...more } });

test('ledger__what_is_armed_is_owed_only_on_the_way_back', () => {
	const steps = [step('hotel', [undo('armed', 'hotels')])];
	const forward = ledger(saga(steps));
	assert.equal(forward.owed, 0);
	assert.equal(forward.steps[0].rows[0].undo.word, 'armed');
	const back = ledger(saga(steps, { status: 'compensating', failure: FAILURE }));
	assert.equal(back.owed, 1);
	assert.equal(back.steps[0].rows[0].undo.word, 'owed');
	assert.deepEqual(back.owedTo, [{ to: 'hotels', n: 1, failed: 0 }]);
});

test('ledger__counts_undone_and_owed_and_to_whom_the_failed_first', () => {
	const book = ledger(saga([
		step('a', [undo('done', 'x')]), step('b', [undo('armed', 'y')]), step('c', [undo('armed', 'y')]),
		step('d', [undo('failed', 'z')]), step('e', [undo('resolved', 'x')]),
	], { status: 'compensation_failed', failure: FAILURE }));
	assert.equal(book.undone, 2);
	assert.equal(book.owed, 3);
	assert.deepEqual(book.owedTo, [{ to: 'z', n: 1, failed: 1 }, { to: 'y', n: 2, failed: 0 }]);
	assert.deepEqual(book.next.map((row) => row.step), ['d']);
});

test('ledger__the_participant_comes_from_the_definition_before_the_request_is_known', () => {
	const doc = { steps: [{ id: 'a', http: {}, compensate: { http: { to: 'stock', method: 'DELETE', path: '/x' } } }] };
	const book = ledger(saga([step('a', [action({ compensation: { status: 'armed' } })])],
		{ status: 'compensating', failure: FAILURE }), doc);
	assert.equal(book.owedTo[0].to, 'stock');
});

test('ledger__items_are_counted_by_their_words', () => {
	const book = ledger(saga([step('f', [
		action({ item: 0 }), action({ item: 1 }), action({ item: 2, status: 'failed' }),
	], { status: 'running' })]));
	assert.equal(book.steps[0].many, true);
	assert.deepEqual(book.steps[0].counts.run.map(({ word, n }) => [word, n]), [['completed', 2], ['failed', 1]]);
});

test('ledger__a_step_that_has_not_begun_has_one_row', () => {
	const book = ledger(saga([step('later', [], { status: 'pending' })]));
	assert.equal(book.steps[0].rows.length, 1);
	assert.equal(book.steps[0].rows[0].begun, false);
	assert.equal(book.steps[0].many, false);
});

test('ledger__acts_belong_to_their_row_and_side', () => {
	const acts = { actions: [
		{ step: 'f', item: 1, compensation: true, acts: [{ act: 'retry', allowed: true }, { act: 'skip', allowed: false,
			why: 'x' }] },
		{ step: 'f', item: 1, compensation: false, acts: [{ act: 'retry', allowed: true }] },
	] };
	const book = ledger(saga([step('f', [action({ item: 0 }), action({ item: 1, compensation: { status: 'failed' } })])],
		{ status: 'compensation_failed', failure: FAILURE }), null, acts);
	assert.deepEqual(suggested(book.steps[0].rows[1], 'undo'), ['retry']);
	assert.deepEqual(suggested(book.steps[0].rows[0], 'undo'), []);
	assert.deepEqual(suggested(book.steps[0].rows[1], 'run'), []);
});

test('ledger__terminated_is_a_way_back_and_completed_is_not', () => {
	assert.equal(isWayBack(saga([], { status: 'terminated' })), true);
	assert.equal(isWayBack(saga([], { status: 'completed' })), false);
});

test('sentence__counts_to_the_next_try', () => {
	const one = saga([
		step('a', [undo('done', 'x')]), step('b', [undo('done', 'x')]),
		step('refund', [undo('backing_off', 'pay', {
			attempts: 7, next_at: new Date(T0 + 14 * 60_000 + 48_000).toISOString(), error: { code: 'busy', message: '' },
		})]),
	], { status: 'compensating', failure: FAILURE });
	const since = new Map([['refund/undo', T0]]);
	assert.equal(sentence(one, T0 + 14 * 60_000, since),
		'Compensating after card_declined: 2 of 3 undone; undo of refund failing for 14 min, attempt 7, next try in 48 s.');
	assert.match(sentence(one, T0 + 14 * 60_000 + 1000, since), /next try in 47 s/);
	assert.match(sentence(one, T0 + 20 * 60_000, since), /next try now/);
});

test('sentence__says_who_is_waited_for', () => {
	const stuck = saga([step('hotel', [undo('failed', 'hotels')])], { status: 'compensation_failed', failure: FAILURE });
	assert.equal(sentence(stuck, T0),
		'Compensation failed after card_declined: 0 of 1 undone; undo of hotel failed and waits for a person.');
	const parked = saga([step('a', [action()]), step('capture', [action({ status: 'outcome_unknown', parked: true })])],
		{ status: 'waiting' });
	assert.equal(sentence(parked, T0),
		'Waiting: 1 of 2 steps done; capture is parked with an unknown outcome and waits for a person.');
});

test('sentence__of_every_status_says_something', () => {
	for (const status of ['running', 'waiting', 'paused', 'compensating', 'completed', 'compensated',
		'compensation_failed', 'failed', 'terminated'])
		assert.match(sentence(saga([step('a', [action()])], { status, failure: FAILURE }), T0), /^[A-Z].{8,}\.$/);
	assert.equal(sentence(saga([], { status: 'new_in_a_later_version', summary: 'As the server says.' }), T0),
		'As the server says.');
});
