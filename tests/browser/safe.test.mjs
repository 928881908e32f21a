/*
 * What people, participants and records write is shown as text, wherever it comes up in a list; and
 * every page is usable with a screen reader and without colours: axe finds nothing serious.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { atRest, eventually, ORDER, start, until } from './lib.mjs';

/* Each of them would run, load or break out, were it taken for markup, an address or a selector. */
const ATTACKS = [
	'<script>window.hit = 1</script>',
	'<img src=x onerror="window.hit = 2">',
	'"><svg onload=window.hit=3>',
	"javascript:window.hit=4//'",
	'${window.hit=5}{{constructor.constructor("window.hit=6")()}}',
	'</textarea></title></style><iframe srcdoc="<script>parent.hit=7</script>">',
];
const TRAP = ATTACKS.join(' ');

let world, group, batch;
before(async () => {
	world = await start({ definitions: [ORDER] });
	world.shop.fail(/PUT \/shipments/, 422, { code: '<b>code</b>', message: TRAP });
	world.shop.fail(/refund/, 409, { code: '<i>x</i>', message: TRAP });
	for (const [i, attack] of ATTACKS.entries())
		await world.start('order', { id: `${attack}-${i}` });
	const [saga] = await world.matching('status:compensation_failed', ATTACKS.length);
	[group] = (await world.api('GET', '/attention')).groups;
	await world.api('POST', `/attention/${group.id}/acknowledge`, { by: ATTACKS[0], reason: TRAP });
	await world.api('POST', `/attention/${group.id}/owner`, { by: ATTACKS[1], owner: ATTACKS[1] });
	await world.api('POST', `/sagas/${saga.id}/owner`, { by: ATTACKS[2], reason: TRAP, owner: ATTACKS[2] });
	batch = await world.api('POST', '/batches', {
		act: { act: 'note', reason: TRAP.slice(0, 1000) }, q: 'status:compensation_failed', by: ATTACKS[3],
	});
	await until(async () => (await world.api('GET', `/batches/${batch.id}`)).status === 'done', 'the batch to end');
});
after(() => world?.stop());

const PAGES = () => [
	['now', '/ui/'], ['attention', '/ui/attention'], ['group', `/ui/attention/${group.id}`],
	['sagas', '/ui/sagas'], ['sagas-filtered', '/ui/sagas?q=attention%3Atrue'],
	['batches', '/ui/batches'], ['batch', `/ui/batches/${batch.id}`], ['nowhere', '/ui/nothing/<script>'],
];

async function shown(page, address) {
	await page.goto(address);
	await page.locator('main h1').waitFor();
	await until(async () => (await page.locator('.skeleton').count()) === 0, `${address} to be filled`);
}

test('what comes from outside is text, on every list', async () => {
	const page = await world.page();
	for (const [name, address] of PAGES()) {
		await shown(page, address);
		await eventually(async () =>
			assert.equal(await page.evaluate(() => window.hit), undefined, `${name}: a text was run`));
		const made = await page.evaluate(() => [...document.querySelectorAll(
			'main script, main iframe, main img, main b b, main i, main [onload], main [onerror], a[href^="javascript"]')]
			.map((each) => each.outerHTML.slice(0, 80)));
		assert.deepEqual(made, [], `${name}: a text became an element`);
	}
	// They were there: as text.
	await shown(page, '/ui/sagas');
	for (const attack of ATTACKS.slice(0, 3))
		await page.getByText(`${attack}-`, { exact: false }).first().waitFor();
	await shown(page, `/ui/attention/${group.id}`);
	await page.getByText(`by ${ATTACKS[0]}`).waitFor();
	await shown(page, `/ui/batches/${batch.id}`);
	await page.getByText(ATTACKS[3]).first().waitFor();
	await page.picture('hostile-texts');
	// The dialog shows the calls with what the sagas hold.
	await shown(page, `/ui/attention/${group.id}`);
	await page.getByRole('button', { name: 'Retry …' }).click();
	await page.getByRole('dialog').locator('details.call').first().click();
	await page.getByRole('dialog').getByLabel('Reason').fill(TRAP.slice(0, 900));
	await eventually(async () => assert.equal(await page.evaluate(() => window.hit), undefined));
	await page.keyboard.press('Escape');
	await page.end();
});

test('an address is no way in', async () => {
	const page = await world.page({ allow: [/status of 40[04]/] });
	for (const address of [`/ui/sagas?q=${encodeURIComponent(TRAP)}`, `/ui/attention?kind=${encodeURIComponent(ATTACKS[1])}`,
		`/ui/sagas?sel=${encodeURIComponent(ATTACKS[0])}`, `/ui/attention/${encodeURIComponent(ATTACKS[0])}`,
		`/ui/batches/${encodeURIComponent(ATTACKS[1])}`, `/ui/sagas?q=status:completed&namespace=${encodeURIComponent(ATTACKS[0])}`]) {
		await shown(page, address);
		await eventually(async () => assert.equal(await page.evaluate(() => window.hit), undefined, address));
	}
	await page.end();
});

for (const scheme of ['light', 'dark'])
	test(`axe finds nothing serious, ${scheme}`, async () => {
		for (const width of [1440, 390]) {
			const page = await world.page({ scheme, width });
			for (const [name, address] of PAGES()) {
				await shown(page, address);
				await page.accessible(`${name}, ${width} wide`);
				await page.picture(`page-${name}`);
				const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
				assert.ok(over <= 0, `${name} is ${over} pixels too wide at ${width}`);
			}
			await shown(page, `/ui/attention/${group.id}`);
			await page.getByRole('button', { name: 'Retry …' }).click();
			await page.getByRole('dialog').locator('details.call').first().waitFor();
			await page.accessible('the dialog of a batch');
			await page.picture('page-bulk');
			await page.keyboard.press('Escape');
			await page.getByRole('dialog').waitFor({ state: 'detached' });
			await page.keyboard.press('?');
			await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
			await page.accessible('the help');
			await page.keyboard.press('Escape');
			await page.end();
		}
	});

test('the theme can be chosen, and is kept', async () => {
	const page = await world.page({ scheme: 'light' });
	await shown(page, '/ui/');
	const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	const light = await ground();
	await page.getByRole('button', { name: 'Dark', exact: true }).click();
	await eventually(async () => assert.notEqual(await ground(), light));
	const dark = await atRest(ground);
	await page.reload();
	await page.locator('main h1').waitFor();
	await eventually(async () => assert.equal(await ground(), dark));
	await page.end();
});
