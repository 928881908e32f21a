/*
 * Acts on many: rows that were selected, one by one; and all that match, as a batch that says what
 * came of each, is stopped, and goes on.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { start, until } from './lib.mjs';

let world;
before(async () => {
	world = await start();
	for (let i = 0; i < 5; i++)
		await world.start('order', { id: `done-${i}` });
	await world.matching('status:completed', 5);
});
after(() => world?.stop());

const rows = (page) => page.locator('tbody tr[data-row]');

test('rows can be selected and acted on, and the address holds the selection', async () => {
	const page = await world.page();
	await page.goto('/ui/sagas?q=status%3Acompleted');
	await rows(page).first().waitFor();
	await page.keyboard.press('j');
	await page.keyboard.press('x');
	await page.keyboard.press('j');
	await page.keyboard.press('x');
	const bar = page.getByRole('region', { name: 'Selection' });
	await bar.getByText('2 sagas').waitFor();
	assert.equal(new URL(page.url()).searchParams.get('sel').split(',').length, 2);
	await page.reload();
	await bar.getByText('2 sagas').waitFor();
	await page.picture('sagas-selected');
	await bar.getByRole('button', { name: 'Act …' }).click();
	const dialog = page.getByRole('dialog');
	await dialog.getByLabel('Act', { exact: true }).selectOption({ label: 'Note – the saga' });
	await dialog.getByLabel('Reason').fill('looked at it');
	await dialog.getByLabel('Your name').fill('mara');
	await dialog.getByRole('button', { name: 'Note 2 sagas' }).click();
	await dialog.getByText('2 of 2 acted on').waitFor();
	await dialog.getByRole('button', { name: 'Close', exact: true }).last().click();
	const [one] = (await world.api('GET', '/sagas?q=status%3Acompleted&limit=1')).sagas;
	assert.match(JSON.stringify(await world.api('GET', `/sagas/${one.id}/history`)), /looked at it/);
	await page.end();
});

test('a batch over all that match shows each effect, stops, goes on', async () => {
	world.shop.hold(/PUT \/shipments/, 'batch-');
	for (let i = 0; i < 24; i++)
		await world.start('order', { id: `batch-${i}` });
	await world.matching('status:running,waiting', 24);
	const page = await world.page();
	await page.goto('/ui/sagas?q=status%3Arunning%2Cwaiting');
	await rows(page).first().waitFor();
	await rows(page).first().getByRole('checkbox').click();
	await page.getByRole('button', { name: 'Select all that match' }).click();
	assert.equal(new URL(page.url()).searchParams.get('sel'), 'all');
	await page.getByRole('region', { name: 'Selection' }).getByRole('button', { name: 'Act …' }).click();
	const dialog = page.getByRole('dialog');
	await dialog.getByLabel('Act', { exact: true }).selectOption({ label: 'Pause – the saga' });
	await dialog.getByLabel('Rate').fill('2');
	await dialog.getByLabel('Reason').fill('carrier is down');
	await dialog.getByLabel('Your name').fill('ole');
	await dialog.getByRole('button', { name: 'Pause 24 sagas' }).click();
	await page.getByRole('heading', { name: 'Pause', exact: true }).waitFor();
	await page.getByText('of 24 sagas').waitFor();
	await page.getByRole('button', { name: 'Stop' }).click();
	await page.getByRole('button', { name: 'Resume' }).waitFor();
	const [batch] = (await world.api('GET', '/batches')).batches;
	assert.equal(batch.status, 'stopped');
	assert.ok(batch.counts.pending > 0, 'it was stopped before its end');
	await page.picture('batch-stopped');
	await page.getByRole('button', { name: 'Resume' }).click();
	await world.matching('status:paused', 24);
	await until(async () => (await page.getByRole('table', { name: 'Sagas of the batch' })
		.getByText('paused', { exact: true }).count()) >= 24, 'each effect to be shown');
	await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Batches' }).click();
	await page.getByRole('table', { name: 'Batches' }).getByText('carrier is down').waitFor();
	await page.picture('batches');
	world.shop.recover();
	await page.end();
});
