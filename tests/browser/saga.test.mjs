/*
 * The page of one saga: the ledger, the timeline, the graph and the history tell what is so, each can
 * be shown as it was after any event, and it follows what happens, over a stream that breaks.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { atRest, count, eventually, start, startProxy, until } from './lib.mjs';
import { TRIP, rules, trip } from './trip.mjs';

let world, stuck;
before(async () => {
	world = await start({ definitions: [TRIP] });
	rules(world.shop);
	stuck = await trip(world, 'stuck');
});
after(() => world?.stop());

const ledgerRow = (page, step, item) => page.locator(`.ledger tr[data-step="${step}"]${item === undefined ? '' :
	`[data-item="${item}"]`}`);

async function open(page, id, query = '') {
	await page.goto(`/ui/sagas/${id}${query}`);
	await page.locator('.saga-head').waitFor();
}

test('ledger: done, undone, owed, stuck, and which act is next', async () => {
	const page = await world.page();
	await open(page, stuck);
	await page.getByText('undo of hotel failed and waits for a person').waitFor();
	const hotel = ledgerRow(page, 'hotel');
	await hotel.getByText('completed').waitFor();
	await hotel.locator('.l-undo').getByText('failed', { exact: true }).waitFor();
	await hotel.getByText('checked_in').waitFor();
	await eventually(async () => assert.match(await hotel.getAttribute('class'), /tone-bad.*needs/));
	await eventually(async () =>
		assert.deepEqual(await hotel.locator('[data-act]').evaluateAll((all) => all.map((each) => each.dataset.act)),
		['retry', 'complete', 'skip']));
	await ledgerRow(page, 'hold').getByText('card_declined').waitFor();
	await count(page.locator('.owed-list li'), 1);
	await eventually(async () => assert.match(await page.locator('.owed-list li').innerText(), /shop\s+1\s+failed\s+1/));
	// Items are folded into their counts, and unfold.
	const flights = page.locator('.ledger tr.many[data-step="flights"]');
	await eventually(async () => assert.match(await flights.innerText(), /3\s+completed[\s\S]*3\s+undone/));
	assert.equal(await ledgerRow(page, 'flights', 0).count(), 0);
	await flights.getByRole('button', { name: 'flights' }).click();
	await ledgerRow(page, 'flights', 2).getByText('undone').waitFor();
	await page.getByText('Point of no return').waitFor();
	await page.picture('saga-ledger');
	await page.end();
});

test('ledger: the menu of a row says why an act is not allowed', async () => {
	const page = await world.page();
	await open(page, stuck);
	await ledgerRow(page, 'hotel').getByRole('button', { name: 'Acts on hotel' }).click();
	const menu = page.getByRole('menu', { name: 'Acts on hotel' });
	await menu.getByRole('menuitem', { name: /Retry the undo/ }).waitFor();
	const refused = menu.getByRole('menuitem', { name: /Stop trying/ });
	await eventually(async () => assert.equal(await refused.getAttribute('aria-disabled'), 'true'));
	await eventually(async () => assert.match(await refused.innerText(), /has failed already/));
	// The keyboard goes through it, and back to its button.
	await page.keyboard.press('End');
	await page.keyboard.press('Escape');
	await menu.waitFor({ state: 'detached' });
	const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ??
		document.activeElement.innerText);
	assert.equal(await focused(), 'Acts on hotel');
	await page.keyboard.press('j');
	assert.equal(await focused(), 'Acts on hold');
	await page.keyboard.press('k');
	await page.keyboard.press('k');
	assert.equal(await focused(), 'flights');
	await page.keyboard.press('o');
	await ledgerRow(page, 'flights', 0).waitFor();
	await page.keyboard.press('r');
	await page.getByRole('dialog', { name: /Retry now/ }).waitFor();
	await page.keyboard.press('Escape');
	await page.end();
});

test('the sentence counts by itself', async () => {
	const page = await world.page();
	await open(page, await trip(world, 'backs'));
	const sentence = page.locator('.sentence');
	const read = async () => /undo of hotel failing.*attempt (\d), next try in (.*)/.exec(await sentence.innerText());
	// Another second of the same attempt: of the next one it would be told in any case.
	let first = null;
	await until(async () => {
		const now = await read();
		if (now && first?.[1] === now[1])
			return now[2] !== first[2];
		first = now;
		return false;
	}, 'the sentence, and its next second');
	await page.end();
});

test('timeline: a lane for each action and its undo, and the same as a table', async () => {
	const page = await world.page();
	await open(page, stuck, '?tab=timeline');
	const bars = page.locator('.t-draw .t-bar');
	await bars.first().waitFor();
	await eventually(async () =>
		assert.deepEqual(await page.locator('.t-name').allInnerTexts(), ['flights[0]', 'flights[1]', 'flights[2]', 'hotel',
		'hold']));
	await count(page.locator('.t-draw .t-bar.parked'), 1);
	const places = () => page.locator('.t-draw .t-bar > rect:nth-of-type(2)').evaluateAll((all) =>
		all.map((each) => Number(each.getAttribute('x'))));
	await eventually(async () =>
		assert.ok((await places()).some((x) => x > 100), 'the milliseconds of the calls are to be seen'));
	const squeezed = await places();
	await page.getByText('The same as a table').click();
	const table = page.getByRole('region', { name: 'Timeline as a table' });
	await count(table.getByRole('row').filter({ hasText: 'hotel' }), 3);
	await page.picture('saga-timeline');
	await page.getByRole('button', { name: 'True to scale' }).click();
	await until(async () => (await places()).join() !== squeezed.join(), 'another axis');
	assert.match(page.url(), /scale=true/);
	await page.end();
});

test('graph: steps below what they need, the pivot line, and the keyboard', async () => {
	const page = await world.page();
	await open(page, stuck, '?tab=graph');
	const node = (id) => page.locator(`.g-node[data-step="${id}"]`);
	await node('quote').waitFor();
	const y = async (id) => (await node(id).locator('.g-box').boundingBox()).y;
	await eventually(async () => {
		assert.ok(await y('quote') < await y('hotel') && await y('hotel') < await y('hold') &&
			await y('hold') < await y('capture'));
		assert.equal(await y('flights'), await y('hotel'));
		const line = await page.locator('.g-line:not(.apart) line').boundingBox();
		assert.ok(line.y > await y('hold') && line.y < await y('capture'));
		assert.match(await node('hotel').locator('title').innerHTML(), /completed, undo failed/);
	});
	await node('quote').focus();
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('ArrowDown');
	await page.locator('.g-chosen h2').getByText('hold').waitFor();
	assert.match(page.url(), /step=hold/);
	await page.locator('.g-chosen').getByText('insufficient funds').waitFor();
	await page.getByText('The same as a table').click();
	await page.getByRole('region',
		{ name: 'Graph as a table' }).getByRole('row').filter({ hasText: 'point of no return' }).waitFor();
	await page.picture('saga-graph');
	await page.end();
});

test('history: filter, full, JSON, and the state at an event on every tab', async () => {
	const page = await world.page();
	await open(page, stuck, '?tab=history');
	const rows = page.locator('.v-row');
	await rows.first().waitFor();
	const { history } = await world.api('GET', `/sagas/${stuck}/history`);
	const events = history.reduce((n, row) => n + row.events.length, 0);
	await page.getByText(`${events} events`).waitFor();
	await page.getByLabel('Filter the history').fill('step:hotel undo');
	await until(async () => (await rows.count()) > 0 && (await rows.allInnerTexts()).every((text) =>
		/undo of hotel/.test(text)), 'the filter');
	await eventually(async () => assert.match(page.url(), /f=step/));
	await page.getByRole('button', { name: 'Full' }).click();
	await page.locator('.h-name').getByText('outcome').first().waitFor();
	await page.getByRole('button', { name: 'JSON' }).click();
	await page.locator('.h-json').first().waitFor();
	await page.getByRole('button', { name: 'Compact' }).click();
	await page.getByLabel('Filter the history').fill('');

	// The row in which the way back began.
	const { seq } = history.find((row) => row.events.some((event) => event.type === 'SagaCompensating'));
	await page.locator('.v-row', { hasText: 'the way back begins' }).click();
	await page.getByText(`as it was after event ${seq}`).waitFor();
	assert.match(page.url(), new RegExp(`at=${seq}`));
	const changes = page.getByRole('region', { name: `What event ${seq} changed` });
	await changes.getByRole('row').filter({ hasText: /^status.*running.*compensating/ }).waitFor();
	await page.picture('saga-history-at');
	await page.getByRole('link', { name: 'Ledger' }).click();
	await page.getByText('Compensating after card_declined').waitFor();
	await ledgerRow(page, 'hotel').locator('.l-undo').getByText('undoing').waitFor();
	await eventually(async () =>
		assert.equal(await page.getByRole('button', { name: 'Acts', exact: true }).count(), 0, 'the past cannot be acted on'));
	// One step back: nothing had failed yet. Then to the present.
	await page.getByRole('button', { name: 'Earlier event' }).click();
	await page.getByText(`as it was after event ${seq - 1}`).waitFor();
	await page.locator('.saga-title .badge').getByText('running').waitFor();
	await page.keyboard.press(']');
	await page.locator('.saga-title .badge').getByText('compensating').waitFor();
	await page.getByRole('button', { name: 'Back to now' }).click();
	await page.locator('.saga-title .badge').getByText('compensation failed').waitFor();
	await page.goBack();
	await page.end();
});

test('messages, data and relations', async () => {
	const page = await world.page();
	await open(page, stuck, '?tab=messages');
	await page.getByText('9 messages').waitFor();
	await page.getByLabel('Filter the messages').fill('hotel/undo');
	await page.getByText('1 of 9').waitFor();
	await page.locator('.m-fold').click();
	await page.locator('.m-whole pre').getByText(`Idempotency-Key: ${stuck}/hotel/undo`).waitFor();
	await page.locator('.m-reply').getByText('checked_in').waitFor();
	await page.picture('saga-messages');
	await page.getByRole('link', { name: 'Data' }).click();
	await page.getByRole('group', { name: 'Input' }).getByText('129900').waitFor();
	await page.getByLabel('Search the data').fill('CPH-LIS');
	await page.getByText('1 found').waitFor();
	await count(page.locator('.data-part'), 1);
	await eventually(async () => assert.equal(await page.locator('.j-hit').innerText(), '"CPH-LIS"'));
	await page.getByRole('link', { name: 'Relations' }).click();
	await page.getByRole('link', { name: 'Look the key up' }).click();
	await page.getByRole('heading', { name: 'What the store knows' }).waitFor();
	await page.getByRole('link', { name: stuck }).click();
	await page.locator('.sentence').getByText('undo of hotel failed').waitFor();
	await page.end();
});

test('live: a broken stream is taken up without a gap, and nothing moves', async () => {
	const proxy = await startProxy(world.skald.port);
	const id = await trip(world, 'held');
	const page = await world.page({ base: proxy.url, allow: [/net::ERR_/, /Failed to load resource/] });
	await open(page, id, '?tab=history');
	await page.locator('.v-row').first().waitFor();
	const known = (await world.api('GET', `/sagas/${id}/history`)).history.length;
	proxy.cut();
	// While nobody can hear: a note, then the participant answers and the saga goes on to its end.
	await world.api('POST', `/sagas/${id}/note`, { by: 'ana', reason: 'while it was cut' });
	world.shop.recover();
	rules(world.shop);
	const now = await until(async () => {
		const { history } = await world.api('GET', `/sagas/${id}/history`);
		return history.length > known && history.at(-1).events.some((event) => event.type === 'SagaCompleted') && history;
	}, 'the saga to complete');
	await eventually(async () => assert.equal(await page.getByText('while it was cut').count(), 0));
	proxy.resume();
	await page.locator('.saga-title .badge').getByText('completed').waitFor();
	await page.getByText('while it was cut').waitFor();
	const numbers = () => page.locator('.h-seq').allInnerTexts().then((all) => all.filter(Boolean).map(Number));
	await until(async () => (await numbers()).at(-1) === now.at(-1).seq, 'the last row');
	await eventually(async () => assert.deepEqual(await numbers(), now.map((row) => row.seq), 'no gap, nothing twice'));
	await page.end();
	proxy.stop();
});

test('live: the rows of the ledger stay where they are while it changes', async () => {
	const id = await trip(world, 'held');
	const page = await world.page();
	await open(page, id);
	await ledgerRow(page, 'hold').getByText('running').waitFor();
	await ledgerRow(page, 'hold').getByRole('button', { name: 'Acts on hold' }).waitFor();
	const tops = () => page.locator('.ledger tr[data-step]').evaluateAll((all) =>
		all.map((each) => Math.round(each.getBoundingClientRect().top)));
	const before = await atRest(tops);
	world.shop.recover();
	rules(world.shop);
	await page.locator('.saga-title .badge').getByText('completed').waitFor();
	await ledgerRow(page, 'capture').getByText('completed').waitFor();
	assert.deepEqual(await tops(), before);
	await page.end();
});

test('what is not there is said', async () => {
	const page = await world.page({ allow: [/status of 404/] });
	await page.goto('/ui/sagas/01a20918-9f73-700b-ba4c-000000000000');
	await page.getByRole('alert').getByText('there is no saga').waitFor();
	await page.goto(`/ui/sagas/${stuck}?at=9999`);
	await page.getByRole('alert').getByText('ends at').waitFor();
	await page.end();
});
