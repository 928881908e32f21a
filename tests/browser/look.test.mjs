/*
 * Definitions, triggers, dead letters, keys and the cluster: what they show is what is so, and what a
 * person does there is done, with records of Kafka that try to be markup.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { count, eventually, start, until } from './lib.mjs';
import { TRIP, rules, trip } from './trip.mjs';

const ATTACK = '<img src=x onerror="window.hit=1"><script>window.hit=2</script>';

const PLACED = `
saga: placed
key: \${input.order_id}
input: {schema: {type: object, required: [order_id, sku]}}
start_on:
  - kafka: orders.placed
participants: {shop: {timeout: 5s}}
steps:
  - id: reserve
    http: {to: shop, method: PUT, path: "/reservations/\${step.uuid}", body: {sku: "\${input.sku}"}}
    compensate: {http: {to: shop, method: DELETE, path: "/reservations/\${step.uuid}"}}
`;

let world, page;
before(async () => {
	world = await start({ definitions: [TRIP, PLACED], kafka: true });
	rules(world.shop);
	page = await world.page({ allow: [/status of 4(00|04|22)/] });
});
after(async () => {
	await page?.end();
	await world?.stop();
});

const dialog = () => page.getByRole('dialog');
const row = (text) => page.locator('.table tbody tr', { hasText: text });
const letters = async () => (await world.api('GET', '/dead-letters?limit=100')).dead_letters;

async function doIt({ reason } = {}) {
	if (reason) {
		await dialog().getByLabel('Reason').fill(reason);
		await dialog().getByLabel('Who you are').fill('ana');
	}
	await dialog().locator('[data-perform]').click();
	await dialog().waitFor({ state: 'detached' });
}

test('definitions: versions, what differs, what the linter says, and the sagas on each', async () => {
	await trip(world, 'stuck');
	await trip(world, 'done');
	const answer = await fetch(`${world.url}/v1/definitions`, {
		method: 'POST', headers: { 'Content-Type': 'application/yaml' }, body: TRIP.replace('deadline: 4h', 'deadline: 6h'),
	});
	assert.ok(answer.ok, await answer.text());
	await trip(world, 'done', { id: 'done-on-2' });
	await page.goto('/ui/definitions');
	await count(row('trip').locator('.status-counts a[title="2 completed"]'), 1);
	await count(row('trip').locator('.status-counts a[title="1 compensation failed"]'), 1);
	await page.picture('look-definitions');
	await row('trip').getByRole('link', { name: 'trip' }).click();
	await page.locator('.g-node[data-step="capture"]').waitFor();
	await page.picture('look-definition');
	await page.getByRole('link', { name: /Versions/ }).click();
	await row('version 1').locator('a[title="1 compensation failed"]').waitFor();
	await count(row('version 2').locator('.status-counts a'), 1);
	await page.getByRole('link', { name: 'Diff' }).click();
	await eventually(async () =>
		assert.deepEqual(await page.locator('.lines tr.del code, .lines tr.add code').allInnerTexts(),
		['deadline: 4h', 'deadline: 6h']));
	await page.picture('look-diff');
	await page.locator('select[name=version]').selectOption('1');
	await until(async () => (await page.locator('.lines tr.add code').allInnerTexts()).join() === 'deadline: 4h',
		'the diff the other way');
	await page.getByRole('link', { name: 'Lint' }).click();
	const found = await (await fetch(`${world.url}/v1/definitions/validate`, {
		method: 'POST', headers: { 'Content-Type': 'application/yaml' }, body: TRIP,
	})).json();
	await page.locator('.panel[aria-label=Findings]').waitFor();
	await count(page.locator('.findings li'), found.findings.length);
	await page.getByRole('link', { name: 'Source' }).click();
	await page.locator('.lines').getByText('maximum_attempts: 2').first().waitFor();
	// The counts lead to those sagas.
	await page.goto('/ui/definitions');
	await row('trip').locator('.status-counts a[title="1 compensation failed"]').click();
	await page.locator('.table tbody tr').first().waitFor();
	await count(page.locator('.table tbody tr[data-row]'), 1);
});

test('dead letters: browsed, edited and sent again, sent again, discarded', async () => {
	await world.record('orders.placed', 'o-1', JSON.stringify({ order_id: 'o-1', note: ATTACK }), { 'x-trap': ATTACK });
	await world.record('orders.placed', `o-2${ATTACK}`, `no json ${ATTACK}`);
	await until(async () => (await letters()).length === 2, 'two dead letters', 60_000);
	await page.goto('/ui/dead-letters');
	await row('invalid_input').waitFor();
	await page.picture('look-dead-letters');
	await page.getByLabel('Reason').selectOption('invalid_input');
	await until(async () => (await page.locator('.table tbody tr[data-row]').count()) === 1, 'the filter');
	await row('invalid_input').getByRole('link').click();
	await page.locator('.json').getByText(JSON.stringify(ATTACK)).waitFor();
	await page.locator('.facts').getByText(ATTACK).waitFor();
	await eventually(async () => assert.equal(await page.evaluate(() => window.hit), undefined));
	await eventually(async () => assert.equal(await page.locator('main img, main script').count(), 0));
	await page.picture('look-dead-letter');
	// As it is it still starts nothing, and that is said.
	await page.getByRole('button', { name: 'Send again', exact: true }).click();
	await dialog().locator('[data-perform]').click();
	await dialog().getByRole('alert').getByText('invalid_input').waitFor();
	await page.keyboard.press('Escape');
	await page.getByRole('button', { name: 'Edit and send again' }).click();
	await eventually(async () =>
		assert.equal(await dialog().locator('[data-perform]').isDisabled(), true, 'nothing is changed yet'));
	await dialog().getByLabel('Value').fill('{"order_id": "o-1", ');
	await dialog().getByText(/No JSON/).waitFor();
	await dialog().getByLabel('Value').fill('{"order_id": "o-1", "sku": "TEA"}');
	await page.picture('look-edit');
	await doIt();
	await page.getByText('It has started a saga.').waitFor();
	await page.locator('.panel-head .badge').getByText('redriven').waitFor();
	await page.getByRole('link', { name: /^[0-9a-f-]{36}$/ }).click();
	await page.locator('h1').getByText('o-1').waitFor();

	const other = (await letters()).find((letter) => letter.status === 'waiting');
	await page.goto(`/ui/dead-letters/${other.id}`);
	await page.locator('pre').getByText(`no json ${ATTACK}`).waitFor();
	await page.getByRole('button', { name: 'Discard' }).click();
	await doIt();
	await page.locator('.panel-head .badge').getByText('discarded').waitFor();
	assert.equal((await letters()).filter((letter) => letter.status === 'waiting').length, 0);
	await eventually(async () => assert.equal(await page.evaluate(() => window.hit), undefined));
});

test('dead letters: many are sent again, and told apart', async () => {
	await world.record('orders.placed', 'o-5', '{"order_id": "o-5"}');
	await until(async () => (await letters()).some((letter) => letter.status === 'waiting'), 'a dead letter', 60_000);
	await page.goto('/ui/dead-letters');
	await page.getByRole('button', { name: 'Send many again' }).click();
	await dialog().getByText('skald dlq redrive --all').waitFor();
	await doIt();
	await page.getByText('0 started, 1 still failed.').waitFor();
});

test('triggers: lag, pause, resume, seek', async () => {
	await page.goto('/ui/triggers');
	await row('placed/orders.placed').getByText('running').waitFor();
	await page.picture('look-triggers');
	await row('placed/orders.placed').getByRole('link').click();
	await page.getByRole('button', { name: 'Pause' }).click();
	await doIt({ reason: `stock is closed ${ATTACK}` });
	await page.getByText(`Paused by ana: stock is closed ${ATTACK}`).waitFor();
	await world.record('orders.placed', 'o-9', '{"order_id": "o-9", "sku": "CUP"}');
	const lag = page.locator('.table tbody .lag');
	await lag.first().waitFor({ timeout: 60_000 });
	await page.picture('look-trigger');
	await page.getByRole('button', { name: 'Seek' }).click();
	await dialog().getByLabel('An offset').check();
	await eventually(async () => assert.equal(await dialog().locator('[data-perform]').isDisabled(), true));
	await dialog().getByLabel('Offset', { exact: true }).fill('99999');
	await dialog().getByText(/skald trigger seek placed\/orders.placed 99999/).waitFor();
	await dialog().getByLabel('Reason').fill('too far');
	await dialog().locator('[data-perform]').click();
	await dialog().getByRole('alert').waitFor();
	await dialog().getByLabel('The end').check();
	await doIt({ reason: 'what came meanwhile is not wanted' });
	await until(async () => (await world.api('GET', '/triggers/placed/orders.placed')).lag === 0, 'the seek to take effect',
		60_000);
	await page.getByRole('button', { name: 'Resume' }).click();
	await doIt({ reason: 'open again' });
	await page.locator('.panel-head .badge').getByText('running').waitFor({ timeout: 60_000 });
	assert.equal((await world.api('GET', '/sagas?q=key:o-9')).sagas.length, 0, 'what was left out started nothing');
	await eventually(async () => assert.equal(await page.evaluate(() => window.hit), undefined));
});

test('keys and the cluster', async () => {
	await page.goto('/ui/keys');
	await page.getByLabel('Definition').fill('placed');
	await page.locator('input[name=key]').fill('o-1');
	await page.getByRole('button', { name: 'Look it up' }).click();
	await page.getByRole('heading', { name: 'What the store knows' }).waitFor();
	await page.picture('look-keys');
	await page.locator('input[name=key]').fill(`none ${ATTACK}`);
	await page.getByRole('button', { name: 'Look it up' }).click();
	await page.getByText('No saga has this key.').waitFor();
	await eventually(async () => assert.equal(await page.evaluate(() => window.hit), undefined));
	await page.goto('/ui/nodes');
	await page.getByText('This server is alone.').waitFor();
});

for (const scheme of ['light', 'dark'])
	test(`axe finds nothing serious, ${scheme}`, async () => {
		const [letter] = await letters();
		for (const width of [1440, 390]) {
			const own = await world.page({ scheme, width });
			for (const [name, address] of [
				['definitions', '/ui/definitions'], ['definition', '/ui/definitions/trip?step=hotel'],
					['versions', '/ui/definitions/trip?tab=versions'],
				['diff', '/ui/definitions/trip?tab=diff'], ['lint', '/ui/definitions/trip?tab=lint'],
					['source', '/ui/definitions/trip?tab=source'],
				['triggers', '/ui/triggers'], ['trigger', '/ui/triggers/placed/orders.placed'],
					['dead-letters', '/ui/dead-letters'],
				['dead-letter', `/ui/dead-letters/${letter.id}`], ['keys', '/ui/keys?definition=placed&key=o-1'],
					['nodes', '/ui/nodes'],
			]) {
				await own.goto(address);
				await own.locator('main h1').waitFor();
				await until(async () => (await own.locator('.skeleton').count()) === 0, `${address} to be filled`);
				await own.accessible(`${name}, ${width} wide`);
				await own.picture(`page-${name}`);
				const over = await own.evaluate(() => document.documentElement.scrollWidth - innerWidth);
				assert.ok(over <= 0, `${name} is ${over} pixels too wide at ${width}`);
			}
			await own.end();
		}
	});
