/*
 * Makes the pictures of README and docs from the running program: the real server, the examples, a
 * participant that refuses some of what it is asked. `make pictures` calls it; the pictures are kept
 * in docs/pictures, as WebP below 100 kB each.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { start, until } from '../tests/browser/lib.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const folder = path.join(root, 'docs/pictures');
const MOST_BYTES = 100 * 1000;

const example = (name) => fs.readFileSync(path.join(root, `examples/${name}/${name}.yaml`), 'utf8')
	.replaceAll('maximum_attempts: 8', 'maximum_attempts: 3');
const world = await start({
	definitions: [example('order-fulfilment'), example('payment')],
	participants: ['stock', 'payments', 'shipping', 'mail', 'bank'],
});

const order = (id, more = {}) => world.start('order-fulfilment', {
	order_id: id, customer_id: 'c-1', lines: [{ sku: 'TEA', quantity: 2 }, { sku: 'CUP', quantity: 1 }],
	amount_minor: 1999, card: '4242', ship_to: 'Oslo', ...more,
});
const payment = (id) => world.start('payment', { payment_id: id, account: 'a-1', merchant: 'm-7', amount_minor: 4200 });

async function picture(page, name) {
	await page.evaluate(() => document.fonts.ready);
	const session = await page.context().newCDPSession(page);
	for (let quality = 90; ; quality -= 10) {
		const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality });
		const bytes = Buffer.from(data, 'base64');
		if (bytes.length > MOST_BYTES && quality > 30)
			continue;
		fs.writeFileSync(path.join(folder, `${name}.webp`), bytes);
		console.log(`docs/pictures/${name}.webp: ${bytes.length} bytes`);
		return;
	}
}

async function shown(address, options, wait) {
	const page = await world.page(options);
	await page.goto(address);
	await wait(page);
	await until(async () => (await page.locator('.skeleton').count()) === 0, 'the page to be filled');
	return page;
}

try {
	fs.mkdirSync(folder, { recursive: true });
	// What goes well, and what was undone as it should be.
	for (let i = 0; i < 40; i++)
		await Promise.all([order(`o-${1000 + i * 3}`), order(`o-${1001 + i * 3}`), payment(`p-${500 + i}`)]);
	world.shop.fail(/PUT .*\/charges/, 422, { code: 'card_declined', message: 'the card was declined' }, '0002');
	for (let i = 0; i < 6; i++)
		await order(`o-${1200 + i}`, { card: '0002' });
	// What does not: refunds are refused, a settlement account is closed, shipments to Narvik have no answer yet.
	world.shop.fail(/PUT .*\/shipments/, 422, { code: 'no_carrier', message: 'no carrier delivers there' }, 'Longyearbyen');
	world.shop.fail(/refund/, 409, { code: 'refund_closed', message: 'the refund window is closed' });
	for (let i = 0; i < 14; i++)
		await order(`o-${1300 + i}`, { ship_to: 'Longyearbyen' });
	await world.matching('status:compensation_failed', 14);
	world.shop.fail(/PUT .*\/settlements/, 422, { code: 'account_closed', message: 'the account of the merchant is closed' });
	for (let i = 0; i < 5; i++)
		await payment(`p-${700 + i}`);
	world.shop.hold(/PUT .*\/shipments/, 'Narvik');
	for (let i = 0; i < 9; i++)
		await order(`o-${1400 + i}`, { ship_to: 'Narvik' });
	await until(async () => (await world.api('GET', '/overview')).attention.total >= 19, 'all that needs a person');
	const { groups } = await world.api('GET', '/attention');
	const stuck = groups.find((group) => group.kind === 'stuck');
	await world.api('POST', `/attention/${groups.find((group) => group.kind !== 'stuck').id}/owner`, { owner: 'mara', by: 'mara' });

	const wide = { width: 1200, height: 400 };
	const now = await shown('/ui/', wide, (page) => page.getByText('19 sagas need a person').waitFor());
	await picture(now, 'now');

	const act = await shown(`/ui/attention/${stuck.id}`, { ...wide, height: 720 },
		(page) => page.getByRole('button', { name: 'Retry …' }).waitFor());
	await act.getByRole('button', { name: 'Retry …' }).click();
	await act.getByRole('dialog').getByLabel('Reason').fill('payments has opened the window again, INC-4412');
	await act.getByRole('dialog').getByLabel('Your name').fill('mara');
	await act.getByRole('dialog').locator('details.call').first().click();
	await act.getByRole('button', { name: 'Retry 14 sagas' }).waitFor();
	await picture(act, 'dry-run');

	const saga = await shown(`/ui/sagas/${stuck.sample}`, { ...wide, scheme: 'dark', height: 720 },
		(page) => page.getByText('reserve').first().waitFor());
	await picture(saga, 'ledger');

	const phone = await shown('/ui/attention', { width: 390, height: 600, scheme: 'dark' },
		(page) => page.getByRole('table').waitFor());
	await picture(phone, 'phone');
} finally {
	await world.stop();
}
