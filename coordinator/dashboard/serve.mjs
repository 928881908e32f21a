/*
 * For work on the dashboard: serves what is built, builds it anew when a source is newer, and passes
 * everything else on to a server that runs.
 *
 *     node coordinator/dashboard/serve.mjs [PORT] [SERVER] [BUILD]
 *
 * by default port 7879, http://127.0.0.1:7878 and build/release. It sends the same content security
 * policy as the server does.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const [port = '7879', upstream = 'http://127.0.0.1:7878', build = 'build/release'] = process.argv.slice(2);
const out = path.resolve(build, 'dashboard');
const modules = path.resolve(here, '../../build/dashboard-packages/node_modules');
const TYPES = {
	'.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html', '.svg': 'image/svg+xml', '.txt': 'text/plain',
};
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const newest = (folder) => Math.max(...fs.readdirSync(folder, { recursive: true })
	.map((name) => fs.statSync(path.join(folder, name)).mtimeMs));

function rebuild() {
	const index = path.join(out, 'index.html');
	const built = fs.existsSync(index) ? fs.statSync(index).mtimeMs : 0;
	if (newest(path.join(here, 'src')) > built)
		execFileSync(process.execPath, [path.join(here, 'build.mjs'), out, modules], { stdio: 'inherit' });
}

function serveFile(request, response) {
	const { pathname } = new URL(request.url, 'http://localhost');
	const asset = /^\/ui\/assets\/[\w.-]+$/.test(pathname);
	if (!asset)
		rebuild();
	const file = asset ? path.join(out, pathname.slice(3)) : path.join(out, 'index.html');
	if (!fs.existsSync(file))
		return response.writeHead(404).end();
	response.writeHead(200, {
		'Content-Type': `${TYPES[path.extname(file)]}; charset=utf-8`,
		'Content-Security-Policy': POLICY,
		'Cache-Control': 'no-cache',
	});
	return fs.createReadStream(file).pipe(response);
}

http.createServer((request, response) => {
	if (/^\/ui(\/|$|\?)/.test(request.url))
		return serveFile(request, response);
	const onward = http.request(new URL(request.url, upstream), { method: request.method, headers: request.headers },
		(answer) => {
			response.writeHead(answer.statusCode, answer.headers);
			answer.pipe(response);
		});
	onward.on('error', () => response.headersSent ? response.destroy() : response.writeHead(502).end());
	response.on('close', () => onward.destroy());
	return request.pipe(onward);
}).listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${port}/ui/ on ${upstream}`));
