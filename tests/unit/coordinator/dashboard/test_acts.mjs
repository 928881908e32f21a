#!/usr/bin/env node
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { actBody, actPath, commandLine, curl,
	readJson } from '../../../../coordinator/dashboard/src/acts/calls.js';

const ID = '01a20918-9f73-700b-ba4c-d3ee13a14b9b';
const FORM = { reason: "it's free again", by: 'ana' };

test('acts__paths_name_saga_step_and_compensation', () => {
	assert.equal(actPath(ID, { act: 'cancel' }), `/sagas/${ID}/cancel`);
	assert.equal(actPath(ID, { act: 'retry', step: 'hotel' }), `/sagas/${ID}/steps/hotel/retry`);
	assert.equal(actPath(ID, { act: 'skip', step: 'hotel', compensation: true }),
		`/sagas/${ID}/steps/hotel/compensation/skip`);
	assert.equal(actPath(ID, { act: 'signal', signal: 'a/b' }), `/sagas/${ID}/signals/a%2Fb`);
});

test('acts__bodies_leave_out_what_is_empty', () => {
	assert.deepEqual(actBody({ act: 'retry', step: 'f', item: 0 }, { ...FORM, request: undefined, code: '' }),
		{ ...FORM, item: 0 });
	assert.deepEqual(actBody({ act: 'complete', step: 'f' }, { ...FORM, output: null }), { ...FORM, output: null });
});

test('acts__a_shell_reads_the_command_as_it_was_meant', () => {
	const words = (line) => execFileSync('sh',
		['-c', `for a in "$@"; do :; done; set -- ${line.replace(/^skald/, '')}; printf '%s\\0' "$@"`])
		.toString().split('\0').slice(0, -1);
	assert.deepEqual(words(commandLine(ID, { act: 'retry', step: 'hotel', item: 2, compensation: true }, FORM,
		{ ifMatch: 7, namespace: 'shop' })),
		['-n', 'shop', 'step', 'retry', ID, 'hotel', '--item', '2', '--compensation', '--by', 'ana', '--reason',
			"it's free again", '--if-match', '7']);
	const evil = "$(touch /tmp/x) `id` \\ \" ' ; rm";
	assert.ok(words(commandLine(ID, { act: 'note' }, { reason: evil, by: 'x' })).includes(evil));
});

test('acts__resolve_and_note_say_their_words_in_place', () => {
	assert.equal(commandLine(ID, { act: 'resolve', step: 'pay' }, { ...FORM, reason: 'seen', outcome: 'happened' }),
		`skald step resolve ${ID} pay happened --by ana --reason seen`);
	assert.equal(commandLine(ID, { act: 'note' }, { reason: 'asked', by: 'ana' }), `skald saga note ${ID} asked --by ana`);
});

test('acts__curl_carries_the_same_body', () => {
	const text = curl('http://127.0.0.1:7878', ID, { act: 'cancel' }, FORM, { ifMatch: 3 });
	assert.match(text, /If-Match: "3"/);
	const body = execFileSync('sh',
		['-c', `curl() { while [ "$1" != -d ]; do shift; done; printf %s "$2"; }; ${text}`]).toString();
	assert.deepEqual(JSON.parse(body), FORM);
});

test('acts__json_that_is_typed_is_checked', () => {
	assert.deepEqual(readJson('  '), { value: undefined });
	assert.deepEqual(readJson('{"a":1}'), { value: { a: 1 } });
	assert.ok(readJson('{a:1}').error);
});
