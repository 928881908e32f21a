/*
 * What the tests in a browser stand on: the real server in a folder of its own, a participant that
 * does as it is told, a connection that can be cut, and pages that fail their test when something
 * is written to the console or the content security policy is violated.
 *
 *     let world;
 *     before(async () => { world = await start(); });
 *     after(() => world?.stop());
 *     world.shop.fail(/refund/, 409)              what the participant answers from now on
 *     const page = await world.page({ width: 390, scheme: 'dark' });
 *
 * $BUILD names the build folder, $CHROMIUM the browser; $SLOWER=6 makes the pages six times as slow
 * as they are, which shows what a test only reads too early.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const build = path.resolve(root, process.env.BUILD || 'build/release');
const modules = createRequire(path.join(root, 'build/browser-packages/node_modules/any.js'));
const { chromium } = modules('playwright-core');
const axeSource = fs.readFileSync(modules.resolve('axe-core/axe.min.js'), 'utf8');
const skaldBinary = path.join(build, 'skald');
const screenshots = path.join(build, 'screenshots');

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome',
	'/usr/bin/google-chrome-stable'];
const slower = Number(process.env.SLOWER || 1);
const TIMEOUT_MS = 30000 * slower;

export function browserPath() {
	const found = process.env.CHROMIUM || BROWSERS.find((each) => fs.existsSync(each));
	assert.ok(found, 'no Chromium; on Debian: make deps-check, or name one with CHROMIUM=');
	return found;
}

/* Asks `what` again and again until it is true; its value. */
export async function until(what, words, timeout = TIMEOUT_MS) {
	const end = Date.now() + timeout;
	for (;;) {
		const value = await what();
		if (value)
			return value;
		assert.ok(Date.now() < end, `waited ${timeout} ms in vain for ${words}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

/* A page that is still reading comes to be as it should: assertions about it are tried again. */
export async function eventually(check) {
	const end = Date.now() + TIMEOUT_MS;
	for (;;) {
		try {
			return await check();
		} catch (error) {
			if (error.code !== 'ERR_ASSERTION' || Date.now() > end)
				throw error;
		}
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

/* Where something has come to rest: what is read twice, a quarter of a second apart, with the same result. */
export async function atRest(read) {
	let last;
	return until(async () => {
		const before = last;
		last = await read();
		if (before !== undefined && JSON.stringify(before) === JSON.stringify(last))
			return last;
		await new Promise((resolve) => setTimeout(resolve, 250));
		return null;
	}, 'what is shown to come to rest');
}

/* A page that is still reading shows fewer: there come to be exactly so many. */
export async function count(locator, n) {
	await until(async () => (await locator.count()) === n, `${n} of ${locator}`);
}

/* ---- the definitions that tests use, unless they bring others ---- */

export const ORDER = `
saga: order
key: \${input.id}
participants:
  shop: {timeout: 30s, retry: {initial_interval: 20ms, maximum_interval: 50ms, maximum_attempts: 2}}
steps:
  - id: reserve
    http: {to: shop, method: PUT, path: "/reservations/\${step.uuid}", body: {order: "\${input.id}"}}
    compensate: {http: {to: shop, method: DELETE, path: "/reservations/\${step.uuid}"}}
  - id: charge
    http: {to: shop, method: PUT, path: "/charges/\${step.uuid}", body: {order: "\${input.id}", amount: 1999}}
    compensate: {http: {to: shop, method: POST, path: "/charges/\${step.uuid}/refund", body: {order: "\${input.id}"}}}
  - id: ship
    http: {to: shop, method: PUT, path: "/shipments/\${step.uuid}", body: {order: "\${input.id}"}}
    compensate: none
`;

/* ---- the participant ---- */

/* Answers 200 to everything, but for what `fail` names: a pattern of "METHOD /path" and a status. */
async function startShop() {
	let rules = [];
	const calls = [];
	const held = new Set();
	const server = http.createServer(async (request, response) => {
		let text = '';
		for await (const part of request)
			text += part;
		const name = `${request.method} ${request.url}`;
		const rule = rules.find((each) => each.pattern.test(name) && (!each.match || text.includes(each.match)));
		calls.push({ name, text, key: request.headers['idempotency-key'] });
		if (rule?.status === 'hold') {
			held.add(response);
			return;
		}
		response.writeHead(rule?.status ?? 200, { 'Content-Type': 'application/json' });
		response.end(JSON.stringify(rule ? rule.body ?? { code: 'refused', message: 'the shop says no' }
			: { ok: true, id: `x-${calls.length}`, tracking: `T-${calls.length}` }));
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return {
		url: `http://127.0.0.1:${server.address().port}`,
		calls,
		fail(pattern, status, body, match) {
			rules.push({ pattern, status, body, match });
		},
		hold(pattern, match) {
			rules.push({ pattern, status: 'hold', match });
		},
		recover() {
			rules = [];
			for (const response of held)
				response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"ok": true}');
			held.clear();
		},
		stop() {
			server.closeAllConnections();
			server.close();
		},
	};
}

/* ---- the server ---- */

async function startSkald(folder, command) {
	const log = fs.openSync(path.join(folder, 'skald.log'), 'a');
	const child = spawn(skaldBinary, [...command, '--listen', '127.0.0.1', '--port', '0'],
		{ stdio: ['ignore', log, log], cwd: folder });
	const read = () => fs.readFileSync(path.join(folder, 'skald.log'), 'utf8');
	const port = await until(() => {
		assert.equal(child.exitCode, null, `skald ended: ${read()}`);
		return read().match(/listens on http:\/\/127\.0\.0\.1:(\d+)/)?.[1] ?? read().match(/^[^k].*127\.0\.0\.1:(\d+)/m)?.[1];
	}, `skald to listen: ${read()}`);
	const url = `http://127.0.0.1:${port}`;
	await until(async () => (await fetch(`${url}/readyz`).catch(() => null))?.ok, 'skald to be ready');
	return { child, url, port: Number(port), read };
}

/* ---- a connection that can be cut ---- */

/* Passes bytes on to a port. cut(): all connections end, and new ones are refused until resume(). */
export async function startProxy(port) {
	const sockets = new Set();
	let open = true;
	const server = net.createServer((client) => {
		if (!open)
			return client.destroy();
		const upstream = net.connect(port, '127.0.0.1');
		for (const socket of [client, upstream]) {
			sockets.add(socket);
			socket.on('close', () => sockets.delete(socket));
			socket.on('error', () => {});
		}
		client.pipe(upstream).pipe(client);
		client.on('close', () => upstream.destroy());
		return upstream.on('close', () => client.destroy());
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return {
		url: `http://127.0.0.1:${server.address().port}`,
		connections: () => sockets.size,
		cut() {
			open = false;
			for (const socket of sockets)
				socket.destroy();
		},
		resume() {
			open = true;
		},
		stop() {
			this.cut();
			server.close();
		},
	};
}

/* ---- pages ---- */

const run = promisify(execFile);

/* In the page: frames and timers come so late. What is done after painting is then seen to be late. */
function beLate(ms) {
	const { requestAnimationFrame: frame, setTimeout: timer } = window;
	window.setTimeout = (what, after = 0, ...more) => timer(what, Math.max(after, ms), ...more);
	window.requestAnimationFrame = (what) => frame(() => timer(() => what(performance.now()), ms));
}

/*
 * A page that notes what goes wrong in it. allow: patterns of messages that the test expects, for
 * instance of an answer 400 that it provokes: a browser writes those to the console. late: by how many
 * milliseconds it paints late, as on a machine that has other work.
 */
async function openPage(browser, base, { width = 1440, height, scheme = 'light', allow = [], late = 0 } = {}) {
	const context = await browser.newContext({
		viewport: { width, height: height ?? (width < 500 ? 844 : 900) }, colorScheme: scheme, baseURL: base,
		reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'UTC',
	});
	await context.addInitScript(() => {
		window.violations = [];
		document.addEventListener('securitypolicyviolation', (event) =>
			window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
	});
	if (late)
		await context.addInitScript(beLate, late);
	const page = await context.newPage();
	if (slower > 1)
		await (await context.newCDPSession(page)).send('Emulation.setCPUThrottlingRate', { rate: slower });
	const wrong = [];
	const note = (text) => allow.some((pattern) => pattern.test(text)) || wrong.push(text);
	page.on('console', (message) => ['error', 'warning'].includes(message.type()) &&
		note(`${message.text()} ${message.location()?.url ?? ''}`));
	page.on('pageerror', (error) => note(error.stack ?? String(error)));
	page.on('dialog', (dialog) => {
		note(`a dialog of the browser: ${dialog.message()}`);
		dialog.dismiss();
	});
	page.setDefaultTimeout(TIMEOUT_MS);
	Object.assign(page, {
		wrong,
		scheme,
		width,
		/* Into the screenshots' folder, as name-width-scheme.png. */
		async picture(name, options = {}) {
			fs.mkdirSync(screenshots, { recursive: true });
			await page.evaluate(() => document.fonts.ready);
			await page.screenshot({ path: path.join(screenshots, `${name}-${width}-${scheme}.png`), ...options });
		},
		/* Fails on findings of axe that are serious or critical. */
		async accessible(words) {
			await page.evaluate(`if (!window.axe) { ${axeSource} }`);
			const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
			const bad = found.violations.filter((each) => ['serious', 'critical'].includes(each.impact));
			assert.deepEqual(bad.map((each) => `${each.id}: ${each.nodes.map((node) =>
				`${node.target.join(' ')} (${node.any[0]?.message ?? ''})`).slice(0, 4).join('; ')}`), [],
					`axe on ${words}, ${scheme}`);
		},
		async settled() {
			wrong.push(...await page.evaluate(() => window.violations.splice(0)));
			assert.deepEqual(wrong, [], 'the console, and violations of the content security policy');
		},
		async end() {
			await page.settled();
			await context.close();
		},
	});
	return page;
}

/*
 * Everything together: definitions (texts), names of participants (all of them are the shop, each
 * below its name when there are several), and arguments of the server. kafka: with the brokers of
 * `skald dev` beside it; world.record() then puts a record into a topic.
 */
export async function start({ definitions = [ORDER], participants = ['shop'], args = [], kafka = false } = {}) {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skald-browser.'));
	const shop = await startShop();
	const files = definitions.map((text, i) => {
		fs.writeFileSync(path.join(folder, `${i}.yaml`), text);
		return `${i}.yaml`;
	});
	const command = kafka ? ['dev', ...files, '--kafka', '--no-participants', '--data', folder]
		: ['serve', '--store', path.join(folder, 'skald.db')];
	const skald = await startSkald(folder, [...command, ...participants.flatMap((name) =>
		['--participant', `${name}=${shop.url}${participants.length > 1 ? `/${name}` : ''}`]), ...args])
		.catch((error) => {
			shop.stop();
			throw error;
		});
	const browser = await chromium.launch({
		executablePath: browserPath(),
		args: process.getuid() === 0 ? ['--no-sandbox'] : [],
	});
	const world = {
		folder, shop, skald, browser, url: skald.url,
		async stop() {
			await browser.close();
			shop.stop();
			skald.child.kill('SIGTERM');
			const timer = setTimeout(() => skald.child.kill('SIGKILL'), 15000);
			if (skald.child.exitCode === null)
				await once(skald.child, 'exit');
			clearTimeout(timer);
			fs.rmSync(folder, { recursive: true, force: true });
		},
		page: (options) => openPage(browser, options?.base ?? skald.url, options),
		/* The command line against this server; its standard output. */
		async cli(...words) {
			const { stdout } = await run(skaldBinary, words,
				{ env: { ...process.env, SKALD_SERVER: skald.url, NO_COLOR: '1' }, maxBuffer: 1 << 26 });
			return stdout;
		},
		async api(method, where, body) {
			const answer = await fetch(`${skald.url}/v1${where}`, {
				method, headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
				body: body === undefined ? undefined : JSON.stringify(body),
			});
			const json = await answer.json().catch(() => null);
			assert.ok(answer.ok, `${method} ${where}: ${answer.status} ${JSON.stringify(json)}`);
			return json;
		},
		/* headers: { name: value } */
		record(topic, key, value, headers = {}) {
			const brokers = skald.read().match(/^kafka: (.*)$/m)[1];
			const sent = run(path.join(build, 'examples/order-events/participants/kafka_record'),
				['--brokers', brokers, 'send', topic, key, ...Object.entries(headers).map(([name, text]) => `${name}=${text}`)]);
			sent.child.stdin.end(value);
			return sent;
		},
		/* A saga; its row. */
		start: (saga, input) => world.api('POST', '/sagas', { saga, input }),
		/* Waits until so many sagas match the filter. */
		matching: (q, n) => until(async () => {
			const { sagas } = await world.api('GET', `/sagas?limit=500&q=${encodeURIComponent(q)}`);
			return sagas.length === n && sagas;
		}, `${n} sagas that match ${q}`),
	};
	for (const text of kafka ? [] : definitions) {
		const answer = await fetch(`${skald.url}/v1/definitions`, {
			method: 'POST', headers: { 'Content-Type': 'application/yaml' }, body: text,
		});
		if (!answer.ok) {
			const text = await answer.text();
			// What runs would keep this process alive, and the test would hang instead of fail.
			await world.stop();
			assert.fail(text);
		}
	}
	return world;
}
