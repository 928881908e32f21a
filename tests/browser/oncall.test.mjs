/*
 * The story that the dashboard is for: at night shipping refuses, refunds are refused too, and seven
 * orders are stuck. Somebody who has just woken up sees it, finds out why, says that it is seen,
 * looks at what a retry would call, and repairs all of them; once with the mouse, once with the keys.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { count, eventually, start, until } from './lib.mjs';

let world;
before(async () => {
	world = await start();
});
after(() => world?.stop());

async function breakOrders(prefix, n) {
	world.shop.fail(/PUT \/shipments/, 422, { code: 'no_carrier', message: 'no carrier takes it' });
	world.shop.fail(/refund/, 409, { code: 'refund_closed', message: 'the refund window is closed' });
	for (let i = 0; i < n; i++)
		await world.start('order', { id: `${prefix}-${i}` });
	return world.matching('status:compensation_failed', n);
}

test('by mouse: from the alert to repaired sagas', async () => {
	await breakOrders('mouse', 7);
	const page = await world.page();
	await page.goto('/ui/');
	await page.getByText('7 sagas need a person').waitFor();
	await page.getByRole('link', { name: /stuck\s*7/ }).waitFor();
	await page.picture('now-alert');

	// The reason, and what it is.
	await page.getByRole('table', { name: 'Reasons' }).getByRole('link', { name: /charge/ }).click();
	await page.getByRole('heading', { name: /order.*charge/ }).waitFor();
	await page.getByText('the refund window is closed').first().waitFor();
	await count(page.getByRole('table', { name: '7 sagas' }).locator('tbody tr[data-row]'), 7);
	await page.picture('attention-group');

	// It is seen.
	await page.getByRole('button', { name: 'Acknowledge' }).click();
	const say = page.getByRole('dialog');
	await say.getByLabel('Note').fill('INC-4412: payments is being asked');
	await say.getByLabel('Your name').fill('mara');
	await say.getByRole('button', { name: 'Acknowledge' }).click();
	await page.getByText('by mara').waitFor();
	await page.getByRole('button', { name: 'Take back' }).click();
	await page.getByText('by nobody').waitFor();
	await page.getByRole('button', { name: 'change' }).click();
	await say.getByLabel('Owner').fill('ole');
	await page.keyboard.press('Enter');
	await page.locator('dd').getByText('ole').waitFor();

	// Payments opens the window again; what would a retry do?
	world.shop.recover();
	const before = world.shop.calls.length;
	await page.getByRole('button', { name: 'Retry …' }).click();
	const dialog = page.getByRole('dialog');
	const call = dialog.locator('details.call').first();
	await call.click();
	await eventually(async () =>
		assert.match(await call.innerText(), /POST[\s\S]*shop\/charges\/.*\/refund[\s\S]*"order": "mouse-/));
	assert.equal(world.shop.calls.length, before, 'a dry run called the participant');
	const go = dialog.getByRole('button', { name: 'Retry 7 sagas' });
	await eventually(async () => assert.ok(await go.isDisabled(), 'nothing is done without a reason'));
	await page.picture('bulk-dialog');
	await dialog.getByLabel('Reason').fill('window is open again, INC-4412');
	await go.click();

	// The batch, and that the sagas are repaired.
	await page.getByRole('heading', { name: 'Retry compensation of charge' }).waitFor();
	await page.getByText('done', { exact: true }).first().waitFor();
	await until(async () => (await page.getByRole('table', { name: 'Sagas of the batch' })
		.getByText('compensated', { exact: true }).count()) >= 7, 'the batch to show seven compensated sagas');
	await page.picture('batch');
	await world.matching('status:compensated', 7);
	assert.equal(world.shop.calls.filter((each) => /refund/.test(each.name)).length >= 14, true);

	await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Now' }).click();
	await page.getByText('Nothing needs a person.').waitFor();
	await page.picture('now-repaired');
	const [saga] = await world.matching('status:compensated', 7);
	const history = JSON.stringify(await world.api('GET', `/sagas/${saga.id}/history`));
	assert.match(history, /ActTaken/);
	assert.match(history, /window is open again, INC-4412/);
	assert.match(history, /mara/);
	await page.end();
});

test('by keyboard alone: the same', async () => {
	await breakOrders('keys', 3);
	const page = await world.page();
	await page.goto('/ui/');
	await page.getByText('3 sagas need a person').waitFor();
	await page.keyboard.press('g');
	await page.keyboard.press('a');
	await page.getByRole('heading', { name: 'Attention' }).waitFor();
	await page.getByRole('table', { name: 'Reasons' }).waitFor();
	await page.keyboard.press('j');
	await page.keyboard.press('o');
	await page.getByRole('heading', { name: /order.*charge/ }).waitFor();
	world.shop.recover();
	await page.keyboard.press('?');
	await page.getByRole('dialog', { name: 'Keyboard' }).getByText('Act on all of them').waitFor();
	await page.picture('keyboard-help');
	await page.keyboard.press('Escape');
	await page.getByRole('dialog').waitFor({ state: 'detached' });
	await page.keyboard.press('a');
	const dialog = page.getByRole('dialog');
	await dialog.locator('details.call').first().waitFor();
	// The act is chosen, and has the focus; from there to the reason and the name.
	assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SELECT');
	await page.keyboard.press('Tab');
	await page.keyboard.press('Tab');
	await page.keyboard.type('refunds work again');
	await page.keyboard.press('Tab');
	await page.keyboard.type('ole');
	const go = dialog.getByRole('button', { name: 'Retry 3 sagas' });
	await eventually(async () => assert.ok(await go.isEnabled(), 'the dry run is what it waits for'));
	await page.keyboard.press('Enter');
	await page.getByRole('heading', { name: 'Retry compensation of charge' }).waitFor();
	await world.matching('status:compensated', 10);
	await page.keyboard.press('g');
	await page.keyboard.press('n');
	await page.getByText('Nothing needs a person.').waitFor();
	await page.end();
});
