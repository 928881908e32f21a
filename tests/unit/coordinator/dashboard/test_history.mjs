#!/usr/bin/env node
import assert from 'node:assert/strict';
import test from 'node:test';
import { Events, audit, failingSince, filter, mark, say } from '../../../../coordinator/dashboard/src/saga/history.js';
import { messages, requestText } from '../../../../coordinator/dashboard/src/saga/messages.js';
import { T0, http, row } from './make_saga.mjs';

const PUT = http('hotels', 'PUT', '/rooms/1', 's/hotel/do', { city: 'Lisbon' });
const DELETE = http('hotels', 'DELETE', '/rooms/1', 's/hotel/undo');

function events(...rows) {
	const list = new Events();
	for (const each of rows)
		assert.equal(list.add(each), true);
	return list;
}

test('history__takes_rows_in_order_once_and_without_gaps', () => {
	const list = events(row(1, 0, { type: 'SagaStarted' }));
	assert.equal(list.add(row(1, 0, { type: 'SagaStarted' })), false);
	assert.equal(list.add(row(3, 0, { type: 'StepSkipped', step: 'x' })), false);
	assert.equal(list.add(row(2, 5, { type: 'StepSkipped', step: 'a' }, { type: 'StepSkipped', step: 'b' })), true);
	assert.deepEqual(list.entries.map((entry) => [entry.seq, entry.i, entry.first]), [[1, 0, true], [2, 1, true],
		[2, 2, false]]);
	assert.equal(list.lastSeq, 2);
});

test('history__says_what_happened_in_words', () => {
	assert.equal(say({ type: 'CompensationAttemptFailed', step: 'hotel', item: 2, attempt: 4, code: 'busy',
		message: 'later', due_at: T0 + 48_000 }, T0),
		'undo of hotel[2] attempt 4 failed: busy: later; next try in 48 s');
	assert.equal(say({ type: 'StepScheduled', step: 'hotel', request: PUT }, T0), 'hotel scheduled: PUT hotels/rooms/1');
	assert.equal(say({ type: 'ActTaken', name: 'retry', step: 'hotel', side: 'undo', by: 'ana', reason: 'room is free' },
		T0),
		'ana: retry the undo of hotel: “room is free”');
	assert.equal(say({ type: 'SomethingNewer' }, T0), 'SomethingNewer');
});

test('history__an_ambiguous_end_has_a_mark_of_its_own', () => {
	assert.equal(mark({ type: 'StepFailed', ambiguous: true })[0], 'doubt');
	assert.equal(mark({ type: 'StepFailed' })[0], 'bad');
	assert.equal(mark({ type: 'StepFailed', tolerated: true })[0], 'off');
});

test('history__filters_by_all_words_and_by_fields', () => {
	const { entries } = events(
		row(1, 0, { type: 'StepScheduled', step: 'hotel', request: PUT }, { type: 'StepScheduled', step: 'car',
			request: PUT }),
		row(2, 9, { type: 'StepFailed', step: 'car', code: 'gone', message: 'No Car' }));
	assert.equal(filter(entries, '').length, 3);
	assert.deepEqual(filter(entries, 'no car').map((entry) => entry.seq), [2]);
	assert.deepEqual(filter(entries, 'step:car scheduled').map((entry) => entry.i), [1]);
	assert.equal(filter(entries, 'type:stepfailed').length, 1);
	assert.equal(filter(entries, 'lisbon').length, 0);
});

test('history__failing_since_begins_with_the_first_failure_and_ends_with_success', () => {
	const fails = (attempt) => ({ type: 'CompensationAttemptFailed', step: 'hotel', attempt, due_at: 0 });
	const list = events(row(1, 0, { type: 'CompensationStarted', step: 'hotel' }), row(2, 10, fails(1)),
		row(3, 20, fails(2)));
	assert.equal(failingSince(list.entries).get('hotel/undo'), T0 + 10);
	list.add(row(4, 30, { type: 'CompensationCompleted', step: 'hotel' }));
	assert.equal(failingSince(list.entries).size, 0);
});

test('audit__tells_who_why_and_what_followed', () => {
	const { rows } = events(
		row(1, 0, { type: 'SagaStarted' }),
		row(2, 5, { type: 'ActTaken', name: 'skip', step: 'hotel', side: 'undo', by: 'ana', reason: 'paid out',
			id: 'batch-1' },
			{ type: 'CompensationSkipped', step: 'hotel' }, { type: 'SagaCompensated' }),
		row(3, 6, { type: 'SagaTerminated', by: 'bo', reason: 'enough' }));
	const acts = audit(rows);
	assert.deepEqual(acts.map(({ seq, act, by, reason, id }) => [seq, act, by, reason, id]),
		[[2, 'skip', 'ana', 'paid out', 'batch-1'], [3, 'terminate', 'bo', 'enough', null]]);
	assert.deepEqual(acts[0].effects, ['undo of hotel skipped', 'compensated: all is undone']);
});

test('messages__join_requests_with_what_became_of_them', () => {
	const { rows } = events(
		row(1, 0, { type: 'StepScheduled', step: 'hotel', request: PUT }),
		row(2, 5, { type: 'StepAttemptFailed', step: 'hotel', attempt: 1, status: 503, outcome: 'unknown', code: 'busy' }),
		row(3, 9, { type: 'StepCompleted', step: 'hotel', status: 200, value: { id: 1 } }, { type: 'CompensationArmed',
			step: 'hotel', request: DELETE }),
		row(4, 20, { type: 'CompensationStarted', step: 'hotel' }),
		row(5, 25, { type: 'CompensationCompleted', step: 'hotel', status: 204 }));
	const [forward, back] = messages(rows);
	assert.deepEqual([forward.key, forward.undo, forward.replies.map((reply) => reply.word)],
		['s/hotel/do', false, ['attempt failed', 'success']]);
	assert.deepEqual([back.key, back.undo, back.sent, back.seq, back.replies.length], ['s/hotel/undo', true, true, 4, 1]);
});

test('messages__tasks_and_children_are_said_in_words', () => {
	const task = { kind: 'task', queue: 'printing', key: 's/page/do', body: { text: 'a' } };
	const child = { kind: 'child', to: 'part', version: 0, depth: 1, hold: true, key: 's/parts/do' };
	const { rows } = events(
		row(1, 0, { type: 'StepScheduled', step: 'page', request: task }, { type: 'StepScheduled', step: 'parts', request: child },
			{ type: 'StepScheduled', step: 'other', request: { ...child, version: 3 } },
			{ type: 'StepScheduled', step: 'routed', request: { ...task, route: 'press-1' } }));
	assert.deepEqual(messages(rows).map((each) => `${each.to}: ${each.line}`),
		['printing: a task', 'part: a saga', 'part: a saga of version 3', 'printing: a task for press-1']);
	assert.equal(requestText(task), 'task\nqueue: printing\nidempotency-key: s/page/do\n\n{\n  "text": "a"\n}');
	assert.equal(requestText(child), 'child\ndefinition: part\nidempotency-key: s/parts/do');
});

test('messages__an_armed_undo_was_not_sent', () => {
	const { rows } = events(row(1, 0, { type: 'CompensationArmed', step: 'hotel', request: DELETE }));
	assert.equal(messages(rows)[0].sent, false);
});

test('messages__a_request_reads_as_on_the_wire', () => {
	assert.equal(requestText(PUT),
		'PUT /rooms/1\nParticipant: hotels\nIdempotency-Key: s/hotel/do\n\n{\n  "city": "Lisbon"\n}');
});
