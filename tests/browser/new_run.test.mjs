/*
 * A saga that has ended: a new run of it from an event of its history, or why there may be none.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { start, until } from './lib.mjs';

const ORDER = `
saga: order
key: "\${input.id}"
participants: {shop: {timeout: 30s}}
steps:
  - id: reserve
    http: {to: shop, method: PUT, path: "/reserve"}
    compensate: {http: {to: shop, method: DELETE, path: "/reserve"}}
  - id: ask
    await: {signal: go}
    timeout: 1d
  - id: pay
    http: {to: shop, method: PUT, path: "/pay"}
    compensate: {http: {to: shop, method: DELETE, path: "/pay"}}
`;

let world, page, id;
before(async () => {
	world = await start({ definitions: [ORDER] });
	page = await world.page();
	id = (await world.start('order', { id: 'o-1' })).id;
	await until(async () => (await world.api('GET', `/sagas/${id}`)).steps[1].actions.length === 1, 'the saga to wait');
	await world.api('POST', `/sagas/${id}/terminate`, { by: 'ann', reason: 'by mistake' });
});
after(() => world?.stop());

const dialog = () => page.getByRole('dialog');
const looked = () => until(async () => (await dialog().locator('.a-preview').getAttribute('aria-busy')) === 'false',
	'the dry run');

test('where an effect would be lost it is refused, with the reasons', async () => {
	await page.goto(`/ui/sagas/${id}?tab=history&at=1`);
	await page.getByRole('button', { name: 'A new run from here' }).click();
	await looked();
	await dialog().locator('.a-refused').getByText('reserve: it has taken effect after that row').first().waitFor();
	assert.equal(await dialog().locator('[data-perform]').isDisabled(), true);
	await page.keyboard.press('Escape');
	await dialog().waitFor({ state: 'detached' });
});

test('a new run begins where nothing was left behind, and the page goes to it', async () => {
	const { history } = await world.api('GET', `/sagas/${id}/history?limit=100`);
	const at = history.find((row) => row.events.some((event) => event.type === 'StepCompleted' &&
		event.step === 'reserve')).seq;
	await page.goto(`/ui/sagas/${id}?tab=history&at=${at}`);
	await page.getByRole('button', { name: 'A new run from here' }).click();
	await looked();
	await dialog().locator('.a-preview').getByText('It keeps').waitFor();
	await dialog().locator('textarea[name=reason]').fill('it was a mistake');
	await dialog().locator('input[name=by]').fill('ann');
	await looked();
	await dialog().locator('[data-perform]').click();
	await page.waitForURL((url) => /\/ui\/sagas\//.test(url.pathname) && !url.pathname.includes(id));
	const made = new URL(page.url()).pathname.split('/').pop();
	const saga = await world.api('GET', `/sagas/${made}`);
	assert.deepEqual(saga.run_of, { id, seq: at });
	assert.equal(saga.key, 'o-1');
	assert.equal(world.shop.calls.filter((call) => /reserve/.test(JSON.stringify(call))).length, 1);
	// Each of the two says where the other is.
	await page.goto(`/ui/sagas/${made}?tab=relations`);
	await page.locator('dd', { hasText: `from event ${at} on` }).getByRole('link').waitFor();
	await page.goto(`/ui/sagas/${id}?tab=relations`);
	await page.getByRole('link', { name: made }).waitFor();
	// It has its new run: there is no second one.
	await page.goto(`/ui/sagas/${id}?tab=history&at=${at}`);
	await page.getByText('What it changed').waitFor();
	assert.equal(await page.getByRole('button', { name: 'A new run from here' }).count(), 0);
});
