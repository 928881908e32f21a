/*
 * Acts: each dialog against the real server. It shows the calls before they are made, asks why and
 * who, shows the same as a command and for curl, does nothing to a saga that has moved on without
 * showing what happened, and says refusals as the server does.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { eventually, start, until } from './lib.mjs';
import { TRIP, rules, trip } from './trip.mjs';

const run = promisify(execFile);

let world, page;
before(async () => {
	world = await start({ definitions: [TRIP] });
	rules(world.shop);
	page = await world.page({ allow: [/status of 4(09|12|22)/] });
});
after(async () => {
	await page?.end();
	await world?.stop();
});

const dialog = () => page.getByRole('dialog');
const perform = () => dialog().locator('[data-perform]');
const status = (id) => world.api('GET', `/sagas/${id}`).then((saga) => saga.status);
const step = async (id, name) => (await world.api('GET', `/sagas/${id}`)).steps.find((each) => each.id === name);

async function open(id, query = '') {
	await page.goto(`/ui/sagas/${id}${query}`);
	await page.locator('.saga-head').waitFor();
}

/* From the menu of a row, or of the saga. */
async function choose(name, item) {
	await page.getByRole('button', { name, exact: true }).click();
	await page.getByRole('menu').locator(item).click();
	await dialog().waitFor();
}
const onRow = (name, act, undo = false) => choose(`Acts on ${name}`, `.menu-group[aria-label="${undo ? 'Undo of ' :
	''}${name}"] [data-item=${act}]`);
const onSaga = (act) => choose('Acts', `[data-item=${act}]`);

async function why(reason) {
	await dialog().getByLabel('Reason').fill(reason);
	await dialog().getByLabel('Who you are').fill('ana');
}

/* Waits for the dry run, does it, and waits until the dialog is gone. */
async function doIt() {
	await until(async () => (await dialog().locator('.a-preview').getAttribute('aria-busy')) === 'false', 'the dry run');
	await perform().click();
	await dialog().waitFor({ state: 'detached' });
}

/* What a person did last, as the history tells it. */
async function lastAct(id) {
	const { history } = await world.api('GET', `/sagas/${id}/history?limit=1000`);
	return history.flatMap((row) => row.events).filter((event) => ['ActTaken', 'SagaTerminated',
		'SagaCancelRequested'].includes(event.type)).at(-1);
}

test('an undo: the calls are shown first, a reason is needed, then it is done', async () => {
	const id = await trip(world, 'stuck');
	await open(id);
	await page.locator('.ledger tr[data-step=hotel] [data-act=retry]').click();
	await dialog().getByText('Calls that will be made').waitFor();
	await dialog().getByText(`Idempotency-Key: ${id}/hotel/undo`).waitFor();
	await dialog().locator('.a-call', { hasText: 'hotel' }).getByText(/DELETE \/rooms\//).waitFor();
	await dialog().locator('.a-call', { hasText: 'apologise' }).waitFor();
	await dialog().locator('.a-status .badge').getByText('compensating').waitFor();
	const calls = world.shop.calls.length;
	await perform().click();
	await dialog().getByText('Say why; it is kept with the act.').waitFor();
	assert.equal(world.shop.calls.length, calls, 'nothing was done');
	await why("the room is free, isn't it");
	const shown = new RegExp(`skald step retry ${id} hotel --compensation --by ana ` +
		`--reason 'the room is free, isn'\\\\''t it' --if-match \\d+`);
	await eventually(async () => assert.match(await dialog().locator('.command').innerText(), shown));
	world.shop.recover();
	rules({ ...world.shop, fail: (pattern, ...rest) => /rooms/.test(pattern) || world.shop.fail(pattern, ...rest) });
	await page.picture('act-retry');
	await doIt();
	await page.locator('.saga-title .badge').getByText('compensated').waitFor();
	await page.getByText('Nothing is owed to anybody.').waitFor();
	const act = await lastAct(id);
	assert.deepEqual([act.name, act.step, act.side, act.by, act.reason], ['retry', 'hotel', 'undo', 'ana',
		"the room is free, isn't it"]);
	await page.getByRole('link', { name: 'Audit' }).click();
	await page.locator('.audit-act').getByText("the room is free, isn't it").waitFor();
	await page.picture('saga-audit');
	world.shop.recover();
	rules(world.shop);
});

test('an undo: marked as undone, skipped, failed', async () => {
	let id = await trip(world, 'stuck');
	await open(id);
	await onRow('hotel', 'complete', true);
	await why('the hotel was called');
	await doIt();
	await until(async () => (await status(id)) === 'compensated', 'the end');
	assert.equal((await step(id, 'hotel')).actions[0].compensation.status, 'resolved');

	id = await trip(world, 'stuck');
	await open(id);
	await onRow('hotel', 'skip', true);
	await why('we pay for the room');
	await doIt();
	await until(async () => (await status(id)) === 'compensated', 'the end');
	assert.equal((await step(id, 'hotel')).actions[0].compensation.status, 'skipped');

	id = await trip(world, 'backs');
	await open(id);
	await onRow('hotel', 'fail', true);
	await why('no use');
	await doIt();
	await until(async () => (await status(id)) === 'compensation_failed', 'a person to be waited for');
});

test('an outcome that is unknown is resolved: it happened, with what the participant said', async () => {
	const id = await trip(world, 'unknown');
	await open(id);
	await page.locator('.ledger tr[data-step=capture] [data-act=resolve]').click();
	await dialog().getByText('Fill in what is missing').waitFor();
	await why('seen at the bank');
	await perform().click();
	await dialog().locator('fieldset.wrong').waitFor();
	await dialog().getByLabel('It happened').check();
	await dialog().getByLabel("The participant's reply").check();
	await dialog().getByLabel('Reply (JSON)').fill('{"id": ');
	await dialog().getByRole('alert').first().waitFor();
	await dialog().getByLabel('Reply (JSON)').fill('{"id": "c-17"}');
	await dialog().getByText('Calls that will be made').waitFor();
	await page.picture('act-resolve');
	await doIt();
	await page.locator('.saga-title .badge').getByText('completed').waitFor();
	assert.deepEqual((await world.api('GET', `/sagas/${id}`)).output, { capture: { id: 'c-17' } });
});

test('an outcome that is unknown is resolved: it did not happen; then the request is edited', async () => {
	const id = await trip(world, 'unknown', { id: `unknown-${Date.now()}` });
	await open(id);
	await onRow('capture', 'retry');
	await dialog().getByLabel('Edit the request').check();
	await dialog().getByText('Nothing is changed yet.').waitFor();
	const request = JSON.parse(await dialog().getByLabel('Request (JSON)').inputValue());
	request.body.trip = 'another';
	await dialog().getByLabel('Request (JSON)').fill(JSON.stringify(request));
	// Another payload under the same key, while an attempt may have taken effect: refused, and said.
	await dialog().locator('.a-refused').getByText('This is refused now.').waitFor();
	await eventually(async () => assert.equal(await perform().isDisabled(), true));
	await page.picture('act-refused');
	await page.keyboard.press('Escape');
	await dialog().waitFor({ state: 'detached' });
	await onRow('capture', 'resolve');
	await dialog().getByLabel('It did not happen').check();
	await why('the bank has nothing');
	await doIt();
	await page.locator('.ledger tr[data-step=capture]').getByText('parked, failed').waitFor();
	await onRow('capture', 'retry');
	await dialog().getByLabel('Edit the request').check();
	await dialog().getByLabel('Request (JSON)').fill(JSON.stringify(request));
	await why('another account');
	await dialog().getByText(/Idempotency-Key: .*capture.*~2/).waitFor();
	await doIt();
	await page.locator('.saga-title .badge').getByText('completed').waitFor();
	const call = world.shop.calls.findLast((each) => /captures/.test(each.name));
	assert.equal(JSON.parse(call.text).trip, 'another');
	assert.match(call.key, /~2/);
});

test('a parked step is skipped with an output, marked completed, marked failed', async () => {
	let id = await trip(world, 'unknown');
	await open(id);
	await onRow('capture', 'skip');
	await dialog().getByLabel('Output (JSON, optional)').fill('{"free": true}');
	await why('on the house');
	await doIt();
	await until(async () => (await status(id)) === 'completed', 'the end');
	assert.deepEqual((await world.api('GET', `/sagas/${id}`)).output, { capture: { free: true } });

	id = await trip(world, 'unknown');
	await open(id);
	await onRow('capture', 'complete');
	await dialog().getByLabel('Output (JSON, optional)').fill('[1, 2]');
	await why('done by hand');
	await doIt();
	await until(async () => (await status(id)) === 'completed', 'the end');
	assert.deepEqual((await world.api('GET', `/sagas/${id}`)).output, { capture: [1, 2] });

	id = await trip(world, 'slow');
	await open(id);
	await onRow('hold', 'fail');
	await dialog().getByLabel('Code (optional)').fill('given_up');
	await dialog().getByLabel('Message (optional)').fill('by hand');
	await why('it will not come');
	await doIt();
	await until(async () => (await status(id)) === 'compensated', 'the end');
	assert.equal((await world.api('GET', `/sagas/${id}`)).failure.code, 'given_up');
});

test('the saga: pause, resume, note, owner, signal', async () => {
	const id = await trip(world, 'waits');
	await open(id);
	for (const [act, fill, wait] of [
		['pause', null, () => page.locator('.saga-title .badge').getByText('paused')],
		['resume', null, () => page.locator('.saga-title .badge').getByText('waiting')],
		['owner', () => dialog().getByLabel('Owner').fill('travel desk'), () =>
			page.locator('.head-facts').getByText('travel desk')],
		['signal', async () => {
			await dialog().getByLabel('Signal').fill('hurry');
			await dialog().getByLabel('Value (JSON, optional)').fill('{"by": 5}');
		}, () => page.getByRole('link', { name: /^History/ })],
	]) {
		await onSaga(act);
		await fill?.();
		await why(`to ${act}`);
		await doIt();
		await wait().waitFor();
		assert.equal((await lastAct(id)).name, act);
	}
	await onSaga('note');
	await dialog().getByLabel('Note').fill('asked the customer');
	await doIt();
	await page.getByRole('link', { name: 'Audit' }).click();
	await eventually(async () =>
		assert.deepEqual(await page.locator('.audit-act .badge').allInnerTexts(), ['note', 'signal', 'owner', 'resume',
		'pause']));
	await page.locator('.audit-act blockquote').getByText('asked the customer').waitFor();
});

test('the saga: cancel, terminate, compensate now, retry now', async () => {
	let id = await trip(world, 'held');
	await open(id);
	await onSaga('cancel');
	// What is out is waited for, and shown as such.
	await dialog().getByText('Already on their way, and waited for').waitFor();
	await dialog().locator('.a-call').getByText(/PUT \/holds/).waitFor();
	await dialog().locator('.a-status').getByText('compensating').waitFor();
	await why('no longer wanted');
	await doIt();
	await page.locator('.saga-title .badge').getByText('compensating').waitFor();
	world.shop.recover();
	rules(world.shop);
	await page.locator('.saga-title .badge').getByText('compensated').waitFor();

	id = await trip(world, 'waits');
	await open(id);
	await onSaga('terminate');
	await dialog().getByText('No call is made.').waitFor();
	await why('a test');
	await doIt();
	await page.locator('.saga-title .badge').getByText('terminated').waitFor();

	id = await trip(world, 'slow');
	await open(id);
	await onSaga('compensate');
	await why('now');
	await doIt();
	await until(async () => ['compensating', 'compensated'].includes(await status(id)), 'the way back');

	id = await trip(world, 'unknown');
	await open(id);
	await onSaga('retry');
	await dialog().locator('.a-call', { hasText: 'capture' }).waitFor();
	await why('once more');
	const before = world.shop.calls.filter((call) => /captures/.test(call.name)).length;
	await doIt();
	await until(() => world.shop.calls.filter((call) => /captures/.test(call.name)).length > before, 'another attempt');
});

test('a saga is turned round from a step, and reset to an event', async () => {
	let id = await trip(world, 'stuck');
	world.shop.recover();
	await open(id, '?tab=graph&step=hold');
	await page.getByRole('button', { name: 'Begin anew from here' }).click();
	await dialog().waitFor();
	assert.equal(await dialog().getByLabel('From').inputValue(), 'hold');
	await until(async () => (await dialog().locator('.a-preview').getAttribute('aria-busy')) === 'false', 'the dry run');
	// What it needs was undone: refused, with what would work instead.
	await dialog().locator('.a-refused').waitFor();
	await dialog().getByLabel('From').selectOption('quote');
	await until(async () => (await dialog().locator('.a-preview').getAttribute('aria-busy')) === 'false', 'the dry run');
	await page.picture('act-turn-round');
	await page.keyboard.press('Escape');
	await dialog().waitFor({ state: 'detached' });
	rules(world.shop);

	id = await trip(world, 'unknown');
	await open(id, '?tab=history&at=1');
	await page.getByRole('button', { name: 'Reset the saga to here' }).click();
	assert.equal(await dialog().getByLabel('Back to event').inputValue(), '1');
	await dialog().locator('.a-refused').waitFor();
	await page.keyboard.press('Escape');
});

test('a saga that has moved on: nothing is done, what happened is shown, and it is decided anew', async () => {
	const id = await trip(world, 'stuck');
	await open(id);
	await page.locator('.ledger tr[data-step=hotel] [data-act=skip]').click();
	await dialog().getByText('No call is made',
		{ exact: false }).or(dialog().getByText('Calls that will be made')).first().waitFor();
	await why('we pay for it');
	// Somebody else is faster.
	await world.api('POST', `/sagas/${id}/note`, { by: 'bo', reason: 'I am on it' });
	await perform().click();
	await dialog().getByText('The saga has moved on since you looked.').waitFor();
	await dialog().getByText('“I am on it”').waitFor();
	assert.equal((await step(id, 'hotel')).actions[0].compensation.status, 'failed', 'nothing was done');
	await page.picture('act-moved-on');
	await until(async () => (await dialog().locator('.a-preview').getAttribute('aria-busy')) === 'false', 'the dry run');
	await dialog().getByRole('button', { name: 'Do it all the same' }).click();
	await dialog().waitFor({ state: 'detached' });
	await until(async () => (await status(id)) === 'compensated', 'the end');
});

test('the command and the call that are shown do the same', async () => {
	let id = await trip(world, 'stuck');
	await open(id);
	await page.locator('.ledger tr[data-step=hotel] [data-act=skip]').click();
	await why('by the command');
	const command = await dialog().locator('.command code').innerText();
	await world.cli(...(await run('sh',
		['-c', `set -- ${command.replace(/^skald /, '')}; printf '%s\\n' "$@"`])).stdout.trimEnd().split('\n'));
	await until(async () => (await status(id)) === 'compensated', 'the end');
	assert.deepEqual([(await lastAct(id)).by, (await lastAct(id)).reason], ['ana', 'by the command']);

	id = await trip(world, 'stuck');
	await open(id);
	await page.locator('.ledger tr[data-step=hotel] [data-act=complete]').click();
	await why('by curl');
	await dialog().getByRole('button', { name: 'curl' }).click();
	await run('sh', ['-c', await dialog().locator('.command code').innerText()]);
	await until(async () => (await status(id)) === 'compensated', 'the end');
	assert.equal((await lastAct(id)).name, 'complete');
	await page.keyboard.press('Escape');
});

for (const scheme of ['light', 'dark'])
	test(`axe finds nothing serious in the dialog, ${scheme}`, async () => {
		const id = await trip(world, 'unknown');
		for (const width of [1440, 390]) {
			const own = await world.page({ scheme, width });
			await own.goto(`/ui/sagas/${id}`);
			await own.locator('.ledger tr[data-step=capture] [data-act=resolve]').click();
			await own.getByLabel('It happened').check();
			await own.getByText('Calls that will be made').waitFor();
			await own.accessible('the dialog of an act');
			await own.picture('act-dialog');
			await own.end();
		}
	});
