/*
 * The lists: the filter with its suggestions and its errors, pages and the rows that are not in the
 * document; and that nothing moves under the pointer.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { atRest, eventually, start, until } from './lib.mjs';

const SAGAS = 260;
let world;
before(async () => {
	world = await start();
	for (let i = 0; i < SAGAS; i += 20)
		await Promise.all(Array.from({ length: 20 }, (_, n) => world.start('order', { id: `many-${i + n}` })));
	await world.matching('status:completed', SAGAS);
});
after(() => world?.stop());

const rows = (page) => page.locator('tbody tr[data-row]');
const keys = (page) => page.locator('tbody tr[data-row] .key-text').allInnerTexts();

test('the filter suggests, says what is wrong, and is in the address', async () => {
	const page = await world.page({ allow: [/status of 400/] });
	await page.goto('/ui/sagas');
	await rows(page).first().waitFor();
	await page.keyboard.press('/');
	const box = page.getByRole('combobox', { name: 'Filter' });
	await eventually(async () => assert.ok(await box.evaluate((input) => input === document.activeElement)));
	await page.keyboard.type('sta');
	await page.getByRole('option', { name: /status:/ }).waitFor();
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('Enter');
	await eventually(async () => assert.equal(await box.inputValue(), 'status:'));
	await page.keyboard.type('compl');
	await page.getByRole('option', { name: /completed/ }).click();
	await eventually(async () => assert.equal(await box.inputValue(), 'status:completed '));
	await page.keyboard.type('key:many-7');
	await page.picture('sagas-filter');
	await page.keyboard.press('Enter');
	await until(async () => (await rows(page).count()) === 1, 'one row');
	assert.deepEqual(await keys(page), ['many-7']);
	assert.equal(new URL(page.url()).searchParams.get('q'), 'status:completed key:many-7');

	// A mistake is said by the server, and mended by a click.
	await box.fill('stat:completed key:many-8');
	await box.press('Enter');
	await page.getByText(/unknown filter stat; did you mean status\?/).waitFor();
	await eventually(async () => assert.equal(await box.getAttribute('aria-invalid'), 'true'));
	await page.picture('sagas-filter-error');
	await page.getByRole('button', { name: 'Use status' }).click();
	await until(async () => (await keys(page)).join() === 'many-8', 'the mended filter');

	// The address is the state: `back` goes through the filters, and a copy of it shows the same.
	await page.goBack();
	await page.goBack();
	await until(async () => (await keys(page)).join() === 'many-7', 'the filter before');
	const copy = await world.page();
	await copy.goto(new URL(page.url()).pathname + new URL(page.url()).search);
	await until(async () => (await keys(copy)).join() === 'many-7', 'the copied address');
	await copy.end();
	await page.end();
});

test('all pages can be read, and few rows are in the document', async () => {
	const page = await world.page();
	await page.goto('/ui/sagas');
	await rows(page).first().waitFor();
	await page.picture('sagas');
	const seen = new Set();
	await until(async () => {
		for (const key of await keys(page))
			seen.add(key);
		assert.ok((await rows(page).count()) < 120, 'the rows near the window alone are in the document');
		await page.mouse.wheel(0, 700);
		return seen.size === SAGAS;
	}, 'all sagas to be seen by scrolling');
	await page.getByText(`All ${SAGAS} sagas are shown.`).waitFor();
	assert.ok((await rows(page).count()) < SAGAS);
	await page.end();
});

test('j, k and o go through the rows, far beyond the first page', async () => {
	const page = await world.page();
	await page.goto('/ui/sagas');
	await rows(page).first().waitFor();
	const ids = (await world.api('GET', '/sagas?limit=500')).sagas.map((each) => each.id);
	for (let i = 0; i < 130; i++)
		await page.keyboard.press('j');
	// At the end of what has been read the cursor stays until there is more.
	await until(async () => {
		const at = ids.indexOf(await page.locator('tr.cursor').getAttribute('data-key'));
		if (at < 129)
			await page.keyboard.press('j');
		return at === 129;
	}, 'the cursor to come to the row');
	await page.keyboard.press('k');
	await until(() => page.locator('tr.cursor').isVisible(), 'the cursor to be in the window');
	await eventually(async () => assert.equal(await page.locator('tr.cursor').getAttribute('data-key'), ids[128]));
	await eventually(async () =>
		assert.ok(await page.locator('tr.cursor').evaluate((row) => row.contains(document.activeElement)), 'the focus goes along'));
	await page.keyboard.press('o');
	await until(() => page.url().includes(ids[128]), 'the saga to be opened');
	await page.goBack();
	await rows(page).first().waitFor();
	await page.end();
});

test('nothing moves under the pointer: new rows wait, shown rows change in place', async () => {
	const page = await world.page();
	world.shop.hold(/PUT \/shipments/, 'held-');
	await world.start('order', { id: 'held-1' });
	await page.goto('/ui/sagas');
	await until(async () => (await keys(page))[0] === 'held-1', 'the held saga on top');
	const first = rows(page).first();
	await eventually(async () => assert.match(await first.innerText(), /running|waiting/));
	const before = await atRest(() => first.boundingBox());

	world.shop.recover();
	await until(async () => /completed/.test(await first.innerText()), 'the status to change in place');
	assert.deepEqual(await first.boundingBox(), before);

	for (const id of ['new-1', 'new-2', 'new-3'])
		await world.start('order', { id });
	const bar = page.getByRole('button', { name: /3 new or changed – show/ });
	await bar.waitFor();
	assert.equal((await keys(page))[0], 'held-1', 'a new row pushed the others');
	assert.deepEqual(await first.boundingBox(), before);
	await page.picture('sagas-news');
	await page.keyboard.press('r');
	await until(async () => (await keys(page)).slice(0, 4).join() === 'new-3,new-2,new-1,held-1', 'the new rows after r');
	await eventually(async () => assert.equal(await bar.count(), 0));
	await page.end();
});

test('views are kept in the browser', async () => {
	const page = await world.page();
	await page.goto('/ui/sagas?q=key%3Amany-9');
	await page.getByRole('button', { name: 'Save this view' }).click();
	await page.getByRole('dialog').getByLabel('Name').fill('Nine');
	await page.keyboard.press('Enter');
	await page.getByRole('link', { name: 'All', exact: true }).click();
	await until(async () => (await rows(page).count()) > 1, 'all rows');
	await page.reload();
	await page.getByRole('link', { name: 'Nine' }).click();
	await until(async () => (await keys(page)).join() === 'many-9', 'the saved view');
	await page.getByRole('button', { name: 'Forget the view Nine' }).click();
	await eventually(async () => assert.equal(await page.getByRole('link', { name: 'Nine' }).count(), 0));
	await page.end();
});
