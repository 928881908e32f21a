/*
 * The shell around every page: the way around, the state of the live line, the theme, the help for
 * the keyboard.
 */
import { html, useEffect, useLayoutEffect, useRef, useState } from './h.js';
import { namespace } from './api.js';
import { duration, short, useNow } from './format.js';
import { Icon } from './icons.js';
import { keysNow, useKeys } from './keys.js';
import { line, overview } from './live.js';
import { PAGES, findPage } from './pages/index.js';
import { go, link, useRoute } from './router.js';
import { kept } from './store.js';
import { Dialog, Empty, Key, Page, Toasts } from './ui.js';

const theme = kept('theme', 'auto');
const THEMES = [['auto', 'auto', 'As the system'], ['light', 'sun', 'Light'], ['dark', 'moon', 'Dark']];

function applyTheme(value) {
	if (value === 'auto')
		delete document.documentElement.dataset.theme;
	else
		document.documentElement.dataset.theme = value;
}
applyTheme(theme.get());
theme.watch(applyTheme);

function ThemeSwitch() {
	const now = theme.use();
	return html`<div class="row" role="group" aria-label="Theme">${THEMES.map(([id, icon, words]) => html`
		<button key=${id} type="button" class="icon-button" aria-pressed=${now === id ? 'true' : 'false'}
			aria-label=${words} title=${words} onClick=${() => theme.set(id)}><${Icon} name=${icon} /></button>`)}
	</div>`;
}

/* Whether what is shown is what is. */
function Live() {
	const { state, since } = line.use();
	const now = useNow();
	const words = { live: 'Live', connecting: 'Connecting …', off: 'Not connected' }[state] ??
		`Reconnecting, ${duration(Math.max(1000, now - since))}`;
	return html`<div class=${`live ${state === 'live' ? 'on' : state === 'broken' ? 'broken' : ''}`} role="status">
		<span class="dot" aria-hidden="true"></span>${words}</div>`;
}

const Brand = () => html`<a class="brand" href=${link('/')}><svg class="mark" viewBox="0 0 20 20"
	aria-hidden="true" fill="none"><rect width="20" height="20" rx="5" fill="var(--accent-solid)" />
	<path d="M14 6.2C13 5 11.6 4.6 10 4.6c-2.2 0-3.8 1-3.8 2.7 0 3.8 7.8 1.7 7.8 5.4 0 1.7-1.7 2.7-4 2.7-1.8 0-3.3-.6-4.2-1.8"
	stroke="#fff" stroke-width="1.9" stroke-linecap="round" /></svg>Skald</a>`;

function Nav({ current }) {
	const attention = overview.use()?.attention;
	const groups = [...new Set(PAGES.filter((page) => page.nav).map((page) => page.group))];
	return html`<nav aria-label="Pages">${groups.map((group, i) => html`<div key=${group}>
		${i > 0 && html`<p class="nav-title">${group}</p>`}
		<div class="nav">${PAGES.filter((page) => page.nav && page.group === group).map((page) => html`
			<a key=${page.path} href=${link(page.path)}
				aria-current=${current?.path === page.path ? 'page' : current?.path.startsWith(`${page.path}/`) &&
					page.path !== '/' ? 'true' : undefined}>
			<${Icon} name=${page.icon} />${page.title}
			${page.path === '/attention' && attention?.total > 0 && html`<span class="count num hot"
				title="sagas that concern a person">${short(attention.total)}</span>`}</a>`)}</div></div>`)}</nav>`;
}

function Help({ onClose }) {
	const [layers] = useState(keysNow);
	return html`<${Dialog} title="Keyboard" onClose=${onClose} wide>
		<div class="help-keys">${layers.toReversed().map((layer) => html`<section key=${layer.title}>
			<h3>${layer.title || 'This page'}</h3>
			<dl>${layer.keys.map(([key, words]) => html`<dt key=${key}>${key.split(' ').map((each) =>
				html`<${Key}>${each}</${Key}>`)}</dt><dd>${words}</dd>`)}</dl></section>`)}</div></${Dialog}>`;
}

export function App() {
	const { path, parts, query } = useRoute();
	const [help, setHelp] = useState(false);
	const [menu, setMenu] = useState(false);
	const main = useRef(null);
	const found = findPage(parts);
	const attention = overview.use()?.attention?.total ?? 0;

	useKeys([
		['/', 'Search sagas', () => go(link('/sagas', { find: '1' }))],
		...PAGES.filter((page) => page.key).map((page) => [`g ${page.key}`, `Go to ${page.title}`, () => go(link(page.path))]),
		['?', 'This help', () => setHelp(true)],
	], { title: 'Everywhere', bottom: true });

	useEffect(() => {
		document.title = `${attention ? `(${attention}) ` : ''}${found?.title ?? 'No such page'} · Skald`;
	}, [found?.title, attention]);
	const first = useRef(true);
	useLayoutEffect(() => {
		setMenu(false);
		// The focus goes with the page, so that a screen reader says where it is; unless the page put it
		// into a field of its own.
		if (!first.current && !main.current.querySelector(':focus'))
			main.current.querySelector('h1')?.focus({ preventScroll: true });
		first.current = false;
	}, [path]);

	return html`<div class="shell">
		<a class="skip" href="#main">Skip to the page</a>
		<header class="top"><${Brand} /><${Live} /><button type="button" class="icon-button"
			aria-label=${menu ? 'Close the menu' : 'Open the menu'} aria-expanded=${menu ? 'true' : 'false'}
			onClick=${() => setMenu(!menu)}><${Icon} name=${menu ? 'close' : 'menu'} /></button></header>
		<div class=${`side${menu ? ' open' : ''}`}>
			<${Brand} />
			<button type="button" class="find" onClick=${() => go(link('/sagas', { find: '1' }))}>
				<${Icon} name="search" />Search sagas<${Key}>/</${Key}></button>
			<${Nav} current=${found} />
			<div class="side-foot">
				${namespace() !== 'default' && html`<div class="side-row muted">namespace <b>${namespace()}</b></div>`}
				<${Live} />
				<div class="side-row"><${ThemeSwitch} /><button type="button" class="icon-button push"
					aria-label="Keyboard" title="Keyboard (?)" onClick=${() => setHelp(true)}
					><${Icon} name="keyboard" /></button></div></div></div>
		<main id="main" class="main" ref=${main} tabindex="-1">
			${found ? html`<${found.page} key=${`${namespace()} ${path}`} ...${found.args} parts=${parts} query=${query} />`
				: html`<${Page} title="No such page"><${Empty} icon="question" title="There is nothing at this address.">
					<a href=${link('/')}>Go to the beginning</a></${Empty}></${Page}>`}</main>
		<${Toasts} />
		${help && html`<${Help} onClose=${() => setHelp(false)} />`}
	</div>`;
}
