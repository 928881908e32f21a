/*
 * What runs long: a person decides in the inbox, workers and their queues are seen, schedules are
 * paused and triggered, versions get their share, children and parents lead to each other, a signal
 * is sent.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ORDER, count, eventually, start, until } from './lib.mjs';

const LOAN = `
saga: loan
key: \${input.id}
steps:
  - id: review
    approval:
      title: Loan \${input.id}
      groups: [underwriters]
      approve: 2
      show: {amount: "\${input.amount}"}
      form: {type: object, required: [limit], properties: {limit: {type: integer, minimum: 1}}}
    timeout: 3d
output: {limit: "\${steps.review.output.data.limit}"}
`;
const PRINT = `
saga: print
key: \${input.id}
steps:
  - id: page
    task: printing
    with: {text: "\${input.id}"}
    timeout: 10m
    heartbeat: 9m
    compensate: none
`;
const NIGHTLY = `
saga: nightly
start_on:
  - {schedule: "0 3 * * *", time_zone: Europe/Berlin}
steps:
  - {id: done, set: {x: 1}}
`;
const BUNDLE = `
saga: bundle
key: \${input.id}
steps:
  - id: parts
    for_each: \${input.parts}
    saga: part
    with: {id: "\${input.id}-\${item}"}
  - id: pickup
    await: {signal: picked_up}
    timeout: 7d
`;
const PART = `
saga: part
key: \${input.id}
steps:
  - {id: made, set: {x: 1}}
`;
let world;
before(async () => {
	world = await start({ definitions: [ORDER, LOAN, PRINT, NIGHTLY, PART, BUNDLE] });
});
after(() => world?.stop());

const status = async (id) => (await world.api('GET', `/sagas/${id}`)).status;
const comes = (id, wanted) => until(async () => (await status(id)) === wanted, `${id} to be ${wanted}`);

async function decide(page, title, { by, groups, reject = false, limit }) {
	await page.getByRole('button', { name: title }).click();
	const dialog = page.getByRole('dialog');
	if (reject)
		await dialog.getByRole('radio', { name: 'Reject' }).check();
	else if (limit)
		await dialog.locator('input[name=limit]').fill(limit);
	await dialog.locator('input[name=by]').fill(by);
	await dialog.locator('input[name=groups]').fill(groups);
	await dialog.locator('[data-perform]').click();
}

test('an approval is decided by two persons in the inbox', async () => {
	const page = await world.page({ allow: [/status of 4\d\d/] });
	const saga = await world.start('loan', { id: 'L-7', amount: 2500000 });
	await page.goto('/ui/approvals');
	await page.getByRole('button', { name: 'Loan L-7' }).waitFor();
	await page.picture('approvals');
	await page.accessible('the inbox');

	// What the form wants is asked for before anything is sent.
	await decide(page, 'Loan L-7', { by: 'ann', groups: 'underwriters' });
	await page.getByText('This is needed.').waitFor();
	await page.picture('decide');
	await eventually(async () => assert.match(await page.getByRole('dialog').locator('.facts').innerText(), /amount\s+2500000/));
	await page.accessible('the decision');
	await page.locator('input[name=limit]').fill('900');
	await page.locator('[data-perform]').click();
	await page.getByRole('dialog').waitFor({ state: 'detached' });
	await page.getByRole('cell', { name: '1 of 2' }).waitFor();
	assert.equal(await status(saga.id), 'waiting');

	// The same person a second time is refused, in the server's words.
	await decide(page, 'Loan L-7', { by: 'ann', groups: 'underwriters', limit: '900' });
	await page.getByRole('dialog').getByRole('alert').waitFor();
	await page.locator('input[name=by]').fill('bob');
	await page.locator('[data-perform]').click();
	await page.getByText('Nothing waits for a decision.').waitFor();
	await comes(saga.id, 'completed');
	assert.deepEqual((await world.api('GET', `/sagas/${saga.id}`)).output, { limit: 900 });
	await page.end();
});

test('an approval is rejected, and the saga page leads to the inbox', async () => {
	const page = await world.page();
	const saga = await world.start('loan', { id: 'L-8', amount: 1 });
	await page.goto(`/ui/sagas/${saga.id}`);
	// The same dialog as in the inbox: with what it is about, and the form.
	await page.locator('.ledger').getByRole('button', { name: 'Reject' }).click();
	const dialog = page.getByRole('dialog', { name: 'Loan L-8' });
	await eventually(async () => assert.match(await dialog.locator('.facts').innerText(), /amount\s+1/));
	assert.ok(await dialog.getByRole('radio', { name: 'Reject' }).isChecked());
	await dialog.getByRole('radio', { name: 'Approve' }).check();
	await dialog.locator('input[name=limit]').waitFor();
	await page.keyboard.press('Escape');
	await dialog.waitFor({ state: 'detached' });
	await page.getByRole('link', { name: 'waits for a decision' }).click();
	await decide(page, 'Loan L-8', { by: 'ann', groups: 'underwriters', reject: true });
	await comes(saga.id, 'compensated');
	await page.end();
});

test('an approval is decided on the page of its saga', async () => {
	const page = await world.page({ width: 390 });
	const saga = await world.start('loan', { id: 'L-10', amount: 3 });
	await world.api('POST', `/sagas/${saga.id}/steps/review/approve`, { by: 'bob', groups: ['underwriters'], data: { limit: 5 } });
	await page.goto(`/ui/sagas/${saga.id}`);
	await page.locator('.ledger').getByRole('button', { name: 'Approve' }).click();
	const dialog = page.getByRole('dialog', { name: 'Loan L-10' });
	await dialog.getByText('bob').waitFor();
	await dialog.locator('input[name=limit]').fill('7');
	await dialog.locator('input[name=by]').fill('ann');
	await dialog.locator('input[name=groups]').fill('underwriters');
	await dialog.locator('[data-perform]').click();
	await dialog.waitFor({ state: 'detached' });
	await page.locator('.saga-title .badge').getByText('completed').waitFor();
	assert.deepEqual((await world.api('GET', `/sagas/${saga.id}`)).output, { limit: 7 });
	// On a phone the tabs do not fit: the one that is shown is in view.
	await page.goto(`/ui/sagas/${saga.id}?tab=audit`);
	const tab = page.getByRole('link', { name: 'Audit' });
	await eventually(async () => assert.ok((await tab.boundingBox()).x + (await tab.boundingBox()).width <= 390));
	await page.end();
});

test('a queue shows what waits, who works and how far; its settings are changed', async () => {
	const page = await world.page();
	const saga = await world.start('print', { id: 'P-1' });
	await page.goto('/ui/queues');
	await page.getByRole('link', { name: 'printing' }).click();
	await page.getByText('1 task waits, and no worker asks for it.').waitFor();
	await page.picture('queue');
	await page.accessible('a queue');

	const { tasks } = await world.api('POST', '/queues/printing/poll', { worker: 'press-1', build: 'b1', wait: '10s' });
	assert.equal(tasks.length, 1);
	await world.api('POST', `/tasks/${tasks[0].token}/heartbeat`, { details: { done: 3, total: 4 } });
	await page.getByRole('button', { name: 'In work' }).click();
	await page.getByRole('cell', { name: 'press-1' }).first().waitFor();
	const saw = await world.page();
	await saw.goto(`/ui/sagas/${saga.id}`);
	await saw.getByText('in work at press-1').waitFor();
	await saw.getByRole('img', { name: '3 of 4' }).waitFor();
	await saw.picture('saga-task');
	await saw.accessible('a task in work');
	await saw.goto('/ui/queues');
	const row = saw.getByRole('row', { name: /^printing/ });
	await row.waitFor();
	const heads = await saw.getByRole('columnheader').allInnerTexts();
	assert.ok(heads.includes('Workers'));
	await eventually(async () => assert.equal(await row.getByRole('cell').nth(heads.indexOf('Workers')).innerText(), '1'));
	await saw.goto(`/ui/sagas/${saga.id}`);
	await saw.getByText('in work at press-1').waitFor();
	await world.api('POST', `/tasks/${tasks[0].token}/complete`, { output: { pages: 4 } });
	await comes(saga.id, 'completed');
	await saw.getByText('in work at press-1').waitFor({ state: 'detached' });
	await saw.end();

	await page.getByRole('button', { name: 'Settings' }).click();
	await page.locator('input[name=most]').fill('5');
	await page.locator('input[name=build]').fill('b1');
	await page.locator('input[name=ramp]').fill('b2');
	await page.locator('input[name=percent]').fill('25');
	await page.accessible('settings of a queue');
	await page.locator('[data-perform]').click();
	await page.getByText('gets 25 %').waitFor();
	const { settings } = await world.api('GET', '/queues/printing');
	assert.equal(settings.max_concurrent, 5);
	assert.deepEqual(settings.builds, { default: 'b1', ramp: { build: 'b2', percent: 25 } });
	await page.end();
});

async function act(page, name, words) {
	await page.getByRole('button', { name, exact: true }).click();
	const dialog = page.getByRole('dialog');
	await dialog.locator('textarea[name=reason]').fill('because');
	await dialog.locator('input[name=by]').fill('ann');
	await dialog.locator('[data-perform]').click();
	await page.getByText(words).first().waitFor();
}

test('on a phone the names can be read, and a decision begins with what it is about', async () => {
	const page = await world.page({ width: 390 });
	const saga = await world.start('loan', { id: 'L-9', amount: 7 });
	for (const [address, name] of [['/ui/approvals', 'Loan L-9'], ['/ui/queues', 'printing'], ['/ui/schedules', 'nightly'],
		['/ui/definitions/print?tab=versions', 'version 1']]) {
		await page.goto(address);
		const cell = page.locator('td[data-main]').filter({ hasText: name });
		await cell.waitFor();
		await eventually(async () => assert.equal(await cell.evaluate((td) => [td, ...td.children].filter((each) =>
			each.scrollWidth > each.clientWidth && getComputedStyle(each).display !== 'inline').length), 0, `${name} is cut`));
		await page.picture(`phone-${address.match(/\w+$/)[0]}`);
	}
	await page.goto('/ui/queues');
	await page.getByRole('link', { name: 'printing' }).click();
	await page.getByRole('link', { name: 'Queues' }).first().waitFor();
	await page.goto('/ui/approvals');
	await page.getByRole('button', { name: 'Loan L-9' }).click();
	await page.getByRole('dialog').locator('.dialog-main').waitFor();
	assert.equal(await page.locator('.dialog-main').evaluate((box) => box.scrollTop), 0);
	assert.equal(await page.evaluate(() => document.activeElement.value), 'approve');
	await page.keyboard.press('ArrowDown');
	await page.getByRole('button', { name: 'Reject', exact: true }).waitFor();
	await page.keyboard.press('Escape');
	await world.api('POST', `/sagas/${saga.id}/cancel`, { by: 'ann', reason: 'a test' });
	await page.end();
});

test('a schedule is paused, resumed and triggered', async () => {
	const page = await world.page();
	await page.goto('/ui/schedules');
	await page.getByRole('link', { name: 'nightly' }).click();
	await page.getByText('Europe/Berlin', { exact: true }).waitFor();
	await page.picture('schedule');
	await page.accessible('a schedule');
	await page.getByText(/03:00 in\s+Europe\/Berlin/).first().waitFor();
	await act(page, 'Pause', 'None while it is paused.');
	await page.getByText('Paused by ann: because').waitFor();
	await act(page, 'Resume', 'Resumed.');
	await count(page.locator('section:has(h2:text("The next times")) li'), 5);
	await act(page, 'Start now', 'It is about to start.');
	const { saga } = (await until(async () => (await world.api('GET', '/schedules/nightly/1')).triggered?.saga &&
		world.api('GET', '/schedules/nightly/1'), 'the start')).triggered;
	await page.locator('dt:has-text("Asked for") + dd').getByRole('link', { name: saga }).waitFor();
	await world.matching('saga:nightly status:completed', 1);
	await page.getByText('1 started').waitFor();
	await page.end();
});

test('a version is a canary, is promoted and taken back; a paused definition starts nothing', async () => {
	const page = await world.page();
	const second = PRINT.replace('10m', '20m');
	const answer = await fetch(`${world.url}/v1/definitions?canary=10`, {
		method: 'POST', headers: { 'Content-Type': 'application/yaml' }, body: second,
	});
	assert.ok(answer.ok, await answer.text());
	await page.goto('/ui/definitions/print?tab=versions');
	await page.getByText('canary, 10 %').waitFor();
	await page.getByText('current, 90 %').waitFor();
	await page.picture('versions');
	await page.accessible('versions');
	const choose = async (item, words) => {
		await page.getByRole('button', { name: 'Acts' }).click();
		await page.locator(`[data-item=${item}]`).click();
		const dialog = page.getByRole('dialog');
		await dialog.locator('textarea[name=reason]').fill('because');
		await dialog.locator('input[name=by]').fill('ann');
		await dialog.locator('[data-perform]').click();
		await dialog.waitFor({ state: 'detached' });
		await page.getByText(words).first().waitFor();
	};
	const current = async () => (await world.api('GET', '/definitions/print')).current;
	await choose('promote', 'Promote: done');
	await eventually(async () => assert.equal(await current(), 2));
	await choose('rollback', 'Roll back: done');
	await eventually(async () => assert.equal(await current(), 1));
	await choose('pause', 'Paused: no new saga');
	await until(async () => (await fetch(`${world.url}/v1/sagas`, { method: 'POST',
		headers: { 'Content-Type': 'application/json' }, body: '{"saga": "print", "input": {"id": "P-2"}}' })).status === 409,
		'a start to be refused');
	await choose('resume', 'Resume: done');
	await until(async () => (await fetch(`${world.url}/v1/sagas`, { method: 'POST',
		headers: { 'Content-Type': 'application/json' }, body: '{"saga": "print", "input": {"id": "P-2"}}' })).ok,
		'a start to be taken');
	await page.end();
});

test('children and their parent lead to each other, and a signal is sent', async () => {
	const page = await world.page();
	const saga = await world.start('bundle', { id: 'B-1', parts: ['a', 'b'] });
	await world.matching('saga:part', 2);
	await comes(saga.id, 'waiting');
	await page.goto(`/ui/sagas/${saga.id}?tab=relations`);
	const children = page.locator('section:has(h2:text("Child sagas"))');
	await count(children.locator('li'), 2);
	await page.picture('relations');
	await page.accessible('relations');
	await page.getByRole('link', { name: 'Messages' }).click();
	await eventually(async () => assert.deepEqual(await page.locator('.message .m-line').allInnerTexts(),
		['part a saga', 'part a saga']));
	await page.getByRole('link', { name: 'Relations' }).click();
	await children.getByRole('link', { name: 'B-1-b' }).click();
	await page.getByRole('heading', { name: 'B-1-b' }).waitFor();
	await page.getByText('Nothing: the saga has ended.').waitFor();
	await page.getByRole('link', { name: 'B-1', exact: true }).click();
	await page.getByRole('heading', { name: 'B-1', exact: true }).waitFor();

	await page.getByRole('button', { name: 'Acts', exact: true }).click();
	await page.locator('[data-item=signal]').click();
	const dialog = page.getByRole('dialog');
	await dialog.getByText('Its definition waits for picked_up.').waitFor();
	await dialog.locator('input[name=signal]').fill('picked_up');
	await dialog.locator('textarea[name=reason]').fill('the customer was here');
	await dialog.locator('input[name=by]').fill('ann');
	await dialog.locator('[data-perform]').click();
	await comes(saga.id, 'completed');
	await page.end();
});
