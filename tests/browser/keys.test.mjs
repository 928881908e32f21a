/*
 * The keyboard on a machine that paints late: what is typed ahead of the screen arrives, in its order
 * and at its place. Nothing here waits between two keys of which the second is meant for what the
 * first one makes.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, start } from './lib.mjs';

const LATE = 700;
let world;
before(async () => {
	world = await start();
	world.shop.fail(/PUT \/shipments/, 422, { code: 'no_carrier', message: 'no carrier takes it' });
	world.shop.fail(/refund/, 409, { code: 'refund_closed', message: 'the refund window is closed' });
	for (let i = 0; i < 3; i++)
		await world.start('order', { id: `keys-${i}` });
	await world.matching('status:compensation_failed', 3);
});
after(() => world?.stop());

async function press(page, ...keys) {
	for (const key of keys)
		await page.keyboard.press(key);
}

test('a suggestion is taken while one types on', async () => {
	const page = await world.page({ late: LATE });
	await page.goto('/ui/sagas');
	const box = page.getByRole('combobox', { name: 'Filter' });
	await box.waitFor();
	await press(page, '/');
	await page.keyboard.type('sta');
	await press(page, 'ArrowDown', 'Enter');
	await page.keyboard.type('compensation_failed key:keys-1');
	assert.equal(await box.inputValue(), 'status:compensation_failed key:keys-1');
	// What is written on while the list is being read is kept.
	await press(page, 'Enter');
	await page.keyboard.type(' owner:ole');
	await eventually(async () =>
		assert.deepEqual(await page.locator('tbody tr[data-row] .key-text').allInnerTexts(), ['keys-1']));
	assert.equal(await box.inputValue(), 'status:compensation_failed key:keys-1 owner:ole');
	await page.end();
});

test('the filter has the focus after / on another page', async () => {
	const page = await world.page({ late: LATE });
	await page.goto('/ui/batches');
	await page.getByRole('heading', { name: 'Batches' }).waitFor();
	await press(page, '/');
	const box = page.getByRole('combobox', { name: 'Filter' });
	await box.waitFor();
	await page.keyboard.type('key:keys-2');
	await press(page, 'Enter');
	await eventually(async () =>
		assert.deepEqual(await page.locator('tbody tr[data-row] .key-text').allInnerTexts(), ['keys-2']));
	await page.end();
});

test('what is shown can be used with the keys at once', async () => {
	const page = await world.page({ late: LATE });
	await page.goto('/ui/');
	await page.getByText('3 sagas need a person').waitFor();
	await press(page, 'g', 'a');
	await page.getByRole('table', { name: 'Reasons' }).waitFor();
	await press(page, 'j', 'o');
	await page.getByRole('heading', { name: /order.*charge/ }).waitFor();
	// Acts on the group are the page's, whether its sagas have been read or not.
	await press(page, 'a');
	const dialog = page.getByRole('dialog');
	await dialog.waitFor();
	assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SELECT');
	await press(page, 'Escape');
	await dialog.waitFor({ state: 'detached' });
	await press(page, '?');
	await page.getByRole('dialog', { name: 'Keyboard' }).getByText('Act on all of them').waitFor();
	await page.end();
});
