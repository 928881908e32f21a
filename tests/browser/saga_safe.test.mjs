/*
 * The page of a saga with texts in every field that want to be markup, code, an address or a style:
 * input, outputs, replies, errors, headers, reasons, names, notes, owners, keys, labels and comments of
 * the definition. On every tab they are text. And axe finds nothing serious on any of them, in light
 * and dark, on a desk and on a phone.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, start, until } from './lib.mjs';
import { TRIP, rules, trip } from './trip.mjs';

const ATTACKS = [
	'<script>window.hit = 1</script>',
	'<img src=x onerror="window.hit = 2">',
	'"><svg onload=window.hit=3>',
	"javascript:window.hit=4//'",
	'${window.hit=5}{{constructor.constructor("window.hit=6")()}}',
	'</textarea></title></style><iframe srcdoc="<script>parent.hit=7</script>">',
	'</svg><foreignObject><body onload=window.hit=8>',
];
const TRAP = ATTACKS.join(' ');
const NAME = '<u id="trap">name</u>';

/* `"` and `\` as YAML wants them inside quotes; `$` doubled, so that it is no expression. */
const yaml = (text) => JSON.stringify(text.replaceAll('${', '$$${'));

const HOSTILE = `
saga: hostile
# ${ATTACKS[0]} ${ATTACKS[5]}
key: \${input.key}
labels: {${ATTACKS.map((text, i) => `note_${i}: ${yaml(text)}`).join(', ')}}
participants:
  shop: {timeout: 2s, outcome: {failure: [409], code: "\${reply.body.code}"}, retry: {maximum_attempts: 1}}
steps:
  - id: first
    http:
      {to: shop, method: PUT, path: "/first/\${input.key}", headers: {X-Trap: ${yaml(ATTACKS[1])}}, body: {t: "\${input.trap}"}}
    compensate:
      http: {to: shop, method: DELETE, path: "/first/\${input.key}", query: {trap: "\${input.trap}"}}
  - id: each
    for_each: \${input.list}
    http: {to: shop, method: PUT, path: "/each", body: {item: "\${item}"}}
    compensate: {http: {to: shop, method: POST, path: "/each/undo", body: {item: "\${item}"}}}
  - id: last
    when: \${input.trap != ${JSON.stringify("<b>'x'</b>")}}
    http: {to: shop, method: PUT, path: "/last"}
    compensate: none
`;

let world, hostile, groups;
before(async () => {
	world = await start({ definitions: [TRIP, HOSTILE] });
	const { shop } = world;
	shop.fail(/PUT \/last/, 409, { code: ATTACKS[0], message: TRAP, more: NAME });
	shop.fail(/DELETE \/first/, 422, { code: NAME, message: TRAP });
	shop.fail(/PUT \/(first|each)/, 200, { [ATTACKS[1]]: TRAP, list: ATTACKS, [NAME]: { deep: [ATTACKS[2]] } });
	rules(shop);
	const saga = await world.start('hostile', { key: `${ATTACKS[1]}/${NAME}`, trap: TRAP, list: ATTACKS,
		[ATTACKS[0]]: NAME });
	hostile = saga.id;
	await world.matching('status:compensation_failed', 1);
	await world.api('POST', `/sagas/${hostile}/note`, { by: ATTACKS[0], reason: TRAP });
	await world.api('POST', `/sagas/${hostile}/owner`, { by: NAME, reason: TRAP, owner: `${NAME}${ATTACKS[1]}` });
	await world.api('POST', `/sagas/${hostile}/signals/${encodeURIComponent(ATTACKS[1])}`, { by: NAME, reason: NAME,
		value: { [NAME]: TRAP } });
	groups = (await world.api('GET', '/attention')).groups;
});
after(() => world?.stop());

const TABS = ['ledger', 'timeline', 'graph', 'history', 'messages', 'data', 'relations', 'audit'];

async function shown(page, address) {
	await page.goto(address);
	await page.locator('main h1').waitFor();
	await until(async () => (await page.locator('.skeleton').count()) === 0, `${address} to be filled`);
}

/* Whatever can be unfolded is. */
async function unfold(page) {
	for (let round = 0; round < 4; round++) {
		const closed = page.locator('main button[aria-expanded=false]:not([aria-haspopup]), main details:not([open]) > summary');
		const n = Math.min(await closed.count(), 30);
		for (let i = 0; i < n; i++)
			await closed.first().click();
		if (n === 0)
			return;
	}
}

const made = (page) => page.evaluate(() => [...document.querySelectorAll(
	'main script, main iframe, main img, main u, main foreignObject, main [onload], main [onerror], main style, ' +
	'a[href^="javascript"], #trap')]
	.map((each) => each.outerHTML.slice(0, 80)));

async function harmless(page, words) {
	await eventually(async () => assert.equal(await page.evaluate(() => window.hit), undefined, `${words}: a text was run`));
	assert.deepEqual(await made(page), [], `${words}: a text became an element`);
}

test('what comes from outside is text, on every tab', async () => {
	const page = await world.page();
	for (const tab of TABS) {
		await shown(page, `/ui/sagas/${hostile}?tab=${tab}`);
		await unfold(page);
		await harmless(page, tab);
		await page.picture(`hostile-${tab}`);
	}
	// Full, JSON, and what an event changed.
	for (const more of ['&view=full', '&view=json', '&at=1', '&at=3', `&f=${encodeURIComponent(ATTACKS[0])}`]) {
		await shown(page, `/ui/sagas/${hostile}?tab=history${more}`);
		await unfold(page);
		await harmless(page, more);
	}
	await shown(page, `/ui/sagas/${hostile}?tab=graph&step=first`);
	await harmless(page, 'a step of the graph');
	await page.end();
});

test('they were there, as they are', async () => {
	const page = await world.page();
	await shown(page, `/ui/sagas/${hostile}`);
	await eventually(async () => assert.equal(await page.locator('h1').innerText(), `${ATTACKS[1]}/${NAME}`));
	await page.locator('.head-facts').getByText(NAME).waitFor();
	await page.locator('.next-why').getByText(ATTACKS[1]).waitFor();
	await shown(page, `/ui/sagas/${hostile}?tab=audit`);
	await page.locator('blockquote').getByText(ATTACKS[6]).first().waitFor();
	await page.locator('.audit-what b').getByText(ATTACKS[0]).waitFor();
	await shown(page, `/ui/sagas/${hostile}?tab=data`);
	await page.getByRole('group', { name: 'Input' }).getByText(JSON.stringify(TRAP)).waitFor();
	await page.getByLabel('Search the data').fill(ATTACKS[0]);
	await page.locator('.j-hit').first().waitFor();
	await harmless(page, 'the search');
	await shown(page, `/ui/sagas/${hostile}?tab=messages`);
	await page.locator('.m-fold').first().click();
	await page.locator('.m-whole pre').getByText(ATTACKS[1]).first().waitFor();
	await page.end();
});

test('the dialog of an act shows hostile calls as text', async () => {
	const page = await world.page();
	await shown(page, `/ui/sagas/${hostile}`);
	await page.locator('.ledger [data-act=retry]').first().click();
	const dialog = page.getByRole('dialog');
	await dialog.getByText('Calls that will be made').waitFor();
	await dialog.getByLabel('Reason').fill(TRAP);
	await dialog.getByLabel('Who you are').fill(ATTACKS[1]);
	await dialog.getByLabel('Edit the request').check();
	await dialog.getByLabel('Request (JSON)').fill(JSON.stringify({ body: TRAP }));
	await dialog.locator('.a-preview[aria-busy=false]').waitFor();
	await harmless(page, 'the dialog');
	await eventually(async () => assert.equal(await page.evaluate(() =>
		document.querySelectorAll('dialog script, dialog img, dialog u, dialog iframe').length), 0));
	await page.end();
});

test('definitions and groups with hostile texts', async () => {
	const page = await world.page();
	for (const tab of ['graph', 'versions', 'source', 'lint', 'diff']) {
		await shown(page, `/ui/definitions/hostile?tab=${tab}&step=last`);
		await unfold(page);
		await harmless(page, tab);
	}
	await shown(page, '/ui/definitions/hostile?tab=source');
	await page.locator('.lines').getByText(ATTACKS[5]).first().waitFor();
	await shown(page, `/ui/attention/${groups[0].id}`);
	await harmless(page, 'its group');
	await page.end();
});

test('an address is no way in', async () => {
	const page = await world.page({ allow: [/status of 40[04]/] });
	const trap = encodeURIComponent(TRAP);
	for (const address of [`/ui/sagas/${encodeURIComponent(ATTACKS[1])}`, `/ui/sagas/${hostile}?tab=${trap}`,
		`/ui/sagas/${hostile}?tab=history&f=${trap}&view=${trap}&at=${trap}`, `/ui/sagas/${hostile}?tab=graph&step=${trap}`,
		`/ui/sagas/${hostile}?tab=timeline&scale=${trap}`, `/ui/definitions/${encodeURIComponent(ATTACKS[1])}`,
		`/ui/keys?definition=${trap}&key=${trap}`, `/ui/dead-letters?trigger=${trap}&reason=${trap}`,
		`/ui/triggers/${encodeURIComponent(ATTACKS[1])}/${trap}`]) {
		await page.goto(address);
		await page.locator('main h1').first().waitFor();
		await harmless(page, address);
	}
	await page.end();
});

for (const scheme of ['light', 'dark'])
	test(`axe finds nothing serious, ${scheme}`, async () => {
		const ids = { stuck: await trip(world, 'stuck'), backs: await trip(world, 'backs'), done: await trip(world, 'done'),
			unknown: await trip(world, 'unknown') };
		for (const width of [1440, 390]) {
			const page = await world.page({ scheme, width });
			for (const tab of [...TABS, 'history&at=3', 'graph&step=hotel', 'ledger&at=2']) {
				await shown(page, `/ui/sagas/${ids.stuck}?tab=${tab}`);
				await page.accessible(`${tab}, ${width} wide`);
				await page.picture(`saga-${tab.replace(/\W+/g, '-')}`);
				const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
				assert.ok(over <= 0, `${tab} is ${over} pixels too wide at ${width}`);
			}
			for (const kind of ['backs', 'done', 'unknown']) {
				await shown(page, `/ui/sagas/${ids[kind]}`);
				await page.accessible(`a saga that is ${kind}`);
				await page.picture(`saga-${kind}`);
			}
			await page.locator('.ledger tr[data-step=capture] .l-acts button').click();
			await page.getByRole('menu').waitFor();
			await page.accessible('a menu');
			await page.picture('saga-menu');
			await page.end();
		}
	});
