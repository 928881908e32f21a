/*
 * A saga with more than 20,000 events: the page stays small, whatever is scrolled, filtered and drawn.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, start, until } from './lib.mjs';

const STEPS = 7, ITEMS = 1000;
const LONG = `
saga: long
participants: {shop: {timeout: 30s}}
steps:
${Array.from({ length: STEPS }, (_, i) => `  - id: step_${i}
    for_each: \${input.list}
    max_parallel: 100
    http: {to: shop, method: PUT, path: "/x", body: {n: "\${item}"}}
    compensate: {http: {to: shop, method: DELETE, path: "/x"}}
`).join('')}`;

let world, id, rows, events;
before(async () => {
	world = await start({ definitions: [LONG] });
	id = (await world.start('long', { list: Array.from({ length: ITEMS }, (_, i) => i) })).id;
	await until(async () => (await world.api('GET', `/sagas?q=${id}`)).sagas[0]?.status === 'completed',
		'the long saga to end', 120_000);
	rows = [];
	for (let next = 0; next !== null;) {
		const page = await world.api('GET', `/sagas/${id}/history?limit=1000&after=${next}`);
		rows.push(...page.history);
		next = page.next;
	}
	events = rows.reduce((n, row) => n + row.events.length, 0);
	assert.ok(events > 20_000, `${events} events`);
});
after(() => world?.stop());

/* How many elements there are; the same bound for every place of the list. */
const elements = (page) => page.evaluate(() => document.querySelectorAll('*').length);
const MOST = 2500;

test('history: only what is near is in the document', async () => {
	const page = await world.page();
	await page.goto(`/ui/sagas/${id}?tab=history`);
	await page.getByText(`${events} events`, { exact: true }).waitFor();
	const list = page.locator('.v-list');
	await eventually(async () => assert.ok(await list.locator('.v-row').count() < 120));
	assert.ok(await elements(page) < MOST, `${await elements(page)} elements`);
	// It begins at the end, and any place is there at once.
	await list.locator(`.v-row[aria-posinset="${events}"]`).waitFor();
	const height = await list.evaluate((box) => box.scrollHeight);
	for (const part of [0, 0.25, 0.5, 0.9]) {
		await list.evaluate((box, top) => { box.scrollTop = top; }, height * part);
		await until(async () => {
			const box = await list.boundingBox();
			const shown = await list.locator('.v-row').evaluateAll((all) => all.map((each) => each.getBoundingClientRect().top));
			return shown.some((top) => top <= box.y + 30) && shown.some((top) => top > box.y + box.height - 60);
		}, `the list to be filled at ${part}`);
		assert.ok(await elements(page) < MOST);
	}
	// The keyboard goes through it; the one that is chosen is in view, and the page shows that moment.
	await list.evaluate((box) => { box.scrollTop = 0; });
	await list.focus();
	await page.keyboard.press('Home');
	await page.getByText('as it was after event 1').waitFor();
	await page.keyboard.press('End');
	await page.getByText(`as it was after event ${rows.at(-1).seq}`).waitFor();
	await eventually(async () => {
		const [active, box] = [await page.locator('.v-row.active').boundingBox(), await list.boundingBox()];
		assert.ok(active.y >= box.y && active.y + active.height <= box.y + box.height + 1);
	});
	await page.end();
});

test('history: a filter over all of it, full and as JSON', async () => {
	const page = await world.page();
	await page.goto(`/ui/sagas/${id}?tab=history&f=${encodeURIComponent('step:step_3 completed')}`);
	await page.getByText(`1000 of ${events}`).waitFor();
	for (const mode of ['Full', 'JSON']) {
		await page.getByRole('button', { name: mode }).click();
		await page.locator(mode === 'Full' ? '.h-fields' : '.h-json').first().waitFor();
		assert.ok(await elements(page) < MOST, `${mode}: ${await elements(page)} elements`);
	}
	await page.end();
});

test('the other tabs are small, too', async () => {
	const page = await world.page();
	for (const [tab, shown] of [['ledger', '.ledger'], ['timeline', '.t-draw .t-bar'], ['graph', '.g-node'],
		['messages', '.message'], ['data', '.json']]) {
		await page.goto(`/ui/sagas/${id}?tab=${tab}`);
		await page.locator(shown).first().waitFor();
		const n = await elements(page);
		assert.ok(n < 8000, `${tab}: ${n} elements`);
	}
	await page.goto(`/ui/sagas/${id}`);
	await page.getByRole('button', { name: 'step_2' }).click();
	await page.getByRole('button', { name: 'Show more of 1000' }).waitFor();
	assert.ok(await elements(page) < 8000);
	await page.end();
});
