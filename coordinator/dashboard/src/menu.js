/*
 * A menu under a button: groups of entries, of which those that cannot be chosen say why. It lies in
 * the top layer, so that no table cuts it off; the arrow keys, Home, End and Escape work as anywhere.
 *
 *     groups: [{ title?, items: [{ id, text, hint?, icon?, danger?, disabled?, why?, onChoose }] }]
 */
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from './h.js';
import { Icon } from './icons.js';

function place(menu, button) {
	const at = button.getBoundingClientRect(), own = menu.getBoundingClientRect();
	const below = innerHeight - at.bottom, up = below < own.height + 8 && at.top > below;
	menu.style.left = `${Math.max(8, Math.min(at.right - own.width, innerWidth - own.width - 8))}px`;
	menu.style.top = `${up ? Math.max(8, at.top - own.height - 4) : at.bottom + 4}px`;
	menu.style.maxHeight = `${Math.max(160, (up ? at.top : below) - 16)}px`;
}

function List({ groups, onClose, button, label, id }) {
	const ref = useRef(null);
	useLayoutEffect(() => {
		const menu = ref.current;
		menu.showPopover();
		place(menu, button);
		(menu.querySelector('[role=menuitem]:not([aria-disabled=true])') ?? menu).focus({ preventScroll: true });
		const outside = (event) => {
			if (!menu.contains(event.target) && !button.contains(event.target))
				onClose(false);
		};
		// A scroll that is told late, of before it was opened, has not moved the button.
		const from = button.getBoundingClientRect();
		const scrolled = (event) => {
			const now = button.getBoundingClientRect();
			if (!menu.contains(event.target) && (now.top !== from.top || now.left !== from.left))
				onClose(false);
		};
		document.addEventListener('pointerdown', outside, true);
		document.addEventListener('scroll', scrolled, true);
		return () => {
			document.removeEventListener('pointerdown', outside, true);
			document.removeEventListener('scroll', scrolled, true);
		};
	}, []);
	const keys = (event) => {
		const items = [...ref.current.querySelectorAll('[role=menuitem]')];
		const here = items.indexOf(document.activeElement);
		const to = { ArrowDown: here + 1, ArrowUp: here < 0 ? -1 : here - 1, Home: 0, End: -1 }[event.key];
		if (event.key === 'Escape' || event.key === 'Tab') {
			event.preventDefault();
			onClose(true);
		} else if (to !== undefined) {
			event.preventDefault();
			items.at(to % items.length)?.focus();
		} else if (event.key.length > 1) {
			return;
		}
		event.stopPropagation();
	};
	return html`<div class="menu" id=${id} ref=${ref} popover="manual" role="menu" aria-label=${label} tabindex="-1"
		onKeyDown=${keys}>
		${groups.map((group, g) => html`<div key=${g} class="menu-group" role="group" aria-label=${group.title}>
			${group.title && html`<p class="menu-title" role="presentation">${group.title}</p>`}
			${group.items.map((item) => html`<button key=${item.id} type="button" role="menuitem" tabindex="-1"
				class=${`menu-item${item.danger ? ' danger' : ''}`} data-item=${item.id} aria-disabled=${item.disabled ? 'true' :
					undefined}
				onClick=${() => {
					if (item.disabled)
						return;
					onClose(true);
					item.onChoose();
				}}>${item.icon && html`<${Icon} name=${item.icon} />`}<span class="menu-text"><span>${item.text}</span>
				${(item.disabled ? item.why : item.hint) && html`<span class="menu-why">${item.disabled ? item.why : item.hint}
					</span>`}</span></button>`)}
		</div>`)}</div>`;
}

export function Menu({ groups, label, children, icon = 'more', class: cls = 'icon-button' }) {
	const [open, setOpen] = useState(false);
	const button = useRef(null);
	const id = useId();
	const close = (back) => {
		setOpen(false);
		if (back)
			button.current?.focus({ preventScroll: true });
	};
	useEffect(() => () => setOpen(false), []);
	return html`<button type="button" ref=${button} class=${cls} aria-haspopup="menu" aria-expanded=${open ? 'true' :
		'false'}
		aria-controls=${open ? id : undefined} aria-label=${children ? undefined : label} title=${label}
			onClick=${() => setOpen(!open)}>
		${children}<${Icon} name=${icon} /></button>
		${open && html`<${List} id=${id} groups=${groups.filter((group) => group.items.length)} label=${label}
			button=${button.current} onClose=${close} />`}`;
}
