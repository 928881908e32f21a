/*
 * Builds the dashboard: src/ into OUT/index.html and OUT/assets/<name>-<hash>.js|css, each with a
 * .gz beside it. The names carry the hash of the contents, so that they can be kept by a browser
 * for ever; index.html names them.
 *
 *     node build.mjs OUT MODULES
 *
 * MODULES is the node_modules folder with the packages of package-lock.json; it lies in the build
 * folder and never in the source tree, and so neither is found by Node's own rules.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const [out, modules] = process.argv.slice(2).map((name) => path.resolve(name));
if (!out || !modules) {
	console.error('usage: node build.mjs OUT MODULES');
	process.exit(2);
}
const here = path.dirname(fileURLToPath(import.meta.url));
const esbuild = createRequire(path.join(modules, 'any.js'))('esbuild');

fs.rmSync(out, { recursive: true, force: true });
const result = await esbuild.build({
	entryPoints: { skald: path.join(here, 'src/main.js') },
	outdir: path.join(out, 'assets'),
	nodePaths: [modules],
	bundle: true,
	minify: true,
	format: 'esm',
	target: ['es2022'],
	charset: 'utf8',
	legalComments: 'none',
	entryNames: '[name]-[hash]',
	metafile: true,
	logLevel: 'warning',
});

/* Writes an asset under a name with the hash of its contents; returns the name. */
function put(name, data) {
	const hash = createHash('sha256').update(data).digest('hex').slice(0, 8).toUpperCase();
	const { name: stem, ext } = path.parse(name);
	fs.writeFileSync(path.join(out, 'assets', `${stem}-${hash}${ext}`), data);
	return `${stem}-${hash}${ext}`;
}

// The licences of what is built in ask that their text goes with it.
const notices = ['preact', 'htm', 'uplot'].map((name) => {
	const folder = path.join(modules, name);
	const file = fs.readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
	return `${name}\n\n${file ? fs.readFileSync(path.join(folder, file), 'utf8') : ''}`;
});
const assets = [
	...Object.keys(result.metafile.outputs).map((name) => path.basename(name)),
	put('icon.svg', fs.readFileSync(path.join(here, 'src/icon.svg'))),
	put('licences.txt', notices.join('\n----\n\n')),
];
let html = fs.readFileSync(path.join(here, 'index.html'), 'utf8');
for (const ext of ['js', 'css', 'svg']) {
	const asset = assets.find((name) => name.endsWith(`.${ext}`));
	html = html.replace(`{{${ext}}}`, `/ui/assets/${asset}`);
}
fs.writeFileSync(path.join(out, 'index.html'), html);

for (const name of ['index.html', ...assets.map((asset) => `assets/${asset}`)]) {
	const file = path.join(out, name);
	fs.writeFileSync(`${file}.gz`, gzipSync(fs.readFileSync(file), { level: 9 }));
}
