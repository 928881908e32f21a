/*
 * The live line: a stream that is cut is said to be, nothing is lost while it is, and it resumes by
 * itself; between the browser and the server lies a proxy that the test cuts.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { count, eventually, ORDER, start, startProxy, until } from './lib.mjs';

let world, proxy;
before(async () => {
	world = await start();
	proxy = await startProxy(world.skald.port);
});
after(async () => {
	proxy?.stop();
	await world?.stop();
});

const NO_NETWORK = [/net::ERR_/, /Failed to load resource/];

test('a broken stream is said, and resumed without a gap', async () => {
	const page = await world.page({ base: proxy.url, allow: NO_NETWORK });
	const streams = [];
	page.on('request', (request) => /\/v1\/events/.test(request.url()) && streams.push(request));
	await page.goto('/ui/sagas');
	const line = page.locator('.side .live');
	await until(async () => (await line.innerText()) === 'Live', 'the line to be live');
	await world.start('order', { id: 'before' });
	await page.getByRole('button', { name: /1 new or changed/ }).waitFor();
	await page.keyboard.press('r');
	await page.getByText('before', { exact: true }).waitFor();
	const asked = streams.length;

	proxy.cut();
	await until(async () => /Reconnecting/.test(await line.innerText()), 'the break to be said');
	await page.picture('live-broken');
	for (const id of ['during-1', 'during-2'])
		await world.start('order', { id });
	await page.getByText('before', { exact: true }).waitFor();
	await eventually(async () => assert.equal(await page.getByText(/during-/).count(), 0));

	proxy.resume();
	await until(async () => (await line.innerText()) === 'Live', 'the line to be live again');
	assert.ok(streams.length > asked, 'the stream was opened anew');
	const headers = await streams.at(-1).allHeaders();
	assert.ok(headers['last-event-id'], 'the stream says what it knows already');
	await page.getByRole('button', { name: /2 new or changed/ }).waitFor();
	await page.keyboard.press('r');
	await page.getByText('during-2', { exact: true }).waitFor();
	await page.end();
});

test('a stream that stays cut: the page is still there, and asks again', async () => {
	const page = await world.page({ base: proxy.url, allow: NO_NETWORK });
	await page.goto('/ui/');
	const line = page.locator('.side .live');
	await until(async () => (await line.innerText()) === 'Live', 'the line to be live');
	proxy.cut();
	await until(async () => /Reconnecting/.test(await line.innerText()), 'the break to be said');
	await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Sagas' }).click();
	await page.getByText('The server cannot be reached.').waitFor();
	proxy.resume();
	await page.getByRole('button', { name: 'Try again' }).click();
	await page.getByText('during-2', { exact: true }).waitFor();
	await page.end();
});

test('numbers on Now follow what happens', async () => {
	const page = await world.page();
	await page.goto('/ui/');
	await page.getByText('Nothing needs a person.').waitFor();
	world.shop.fail(/PUT \/shipments/, 422);
	world.shop.fail(/refund/, 409);
	await world.start('order', { id: 'stuck' });
	await page.getByText('1 saga needs a person').waitFor();
	await eventually(async () => assert.match(await page.title(), /^\(1\)/));
	world.shop.recover();
	await page.end();
});

test('a namespace is in the address, and stays there', async () => {
	const answer = await fetch(`${world.url}/v1/definitions`, {
		method: 'POST', headers: { 'Content-Type': 'application/yaml', 'Skald-Namespace': 'other' }, body: ORDER,
	});
	assert.ok(answer.ok, await answer.text());
	const start = (id) => fetch(`${world.url}/v1/sagas`, {
		method: 'POST', headers: { 'Content-Type': 'application/json', 'Skald-Namespace': 'other' },
		body: JSON.stringify({ saga: 'order', input: { id } }),
	});
	await start('theirs');
	const page = await world.page();
	await page.goto('/ui/?namespace=other');
	await until(async () => (await page.locator('.side .live').innerText()) === 'Live', 'the line to be live');
	await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Sagas' }).click();
	await page.getByText('theirs', { exact: true }).waitFor();
	await count(page.locator('tbody tr[data-row]'), 1);
	await start('theirs too');
	await page.getByRole('button', { name: /1 new or changed/ }).waitFor();
	await page.keyboard.press('r');
	await page.getByText('theirs too', { exact: true }).waitFor();
	assert.equal(new URL(page.url()).searchParams.get('namespace'), 'other');
	await page.end();
});
