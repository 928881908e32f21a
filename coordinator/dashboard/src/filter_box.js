/*
 * The filter of sagas: one line in the grammar of the command line. While it is written it suggests
 * names and values; what is wrong is said by the server, in its own words, below the field.
 */
import { html, useId, useLayoutEffect, useRef, useState } from './h.js';
import { Icon } from './icons.js';
import { useKeys } from './keys.js';
import { useResource } from './resource.js';
import { ATTENTION, SAGA } from './words.js';

const NAMES = [
	['status:', 'running, compensating, …; several with a comma'],
	['saga:', 'a definition; * and ? are wild'],
	['key:', 'the business key; * and ? are wild'],
	['attention:', 'true: needs a person'],
	['kind:', 'why it needs a person'],
	['group:', 'of one reason under Attention'],
	['step:', 'the step that is in trouble'],
	['owner:', 'who takes care of it'],
	['search.', 'name:value, by which it is found'],
	['label.', 'name:value, of its definition'],
	['version:', 'of the definition'],
	['started>', 'a date, or a time'],
	['started<', 'a date, or a time'],
];
const day = (ago) => new Date(Date.now() - ago * 864e5).toISOString().slice(0, 10);
const VALUES = {
	status: () => Object.keys(SAGA).map((each) => [each, SAGA[each][2]]),
	attention: () => [['true', 'needs a person']],
	kind: () => Object.keys(ATTENTION).map((each) => [each, ATTENTION[each][3]]),
	saga: (definitions) => definitions.map((each) => [each, 'definition']),
	'started>': () => [[day(0), 'today'], [day(1), 'since yesterday'], [day(7), 'in the last week']],
	'started<': () => [[day(1), 'before yesterday'], [day(7), 'more than a week ago']],
};

/* The term in which the caret stands: { from, to, name, part }. */
function termAt(text, caret) {
	let from = caret;
	while (from > 0 && text[from - 1] !== ' ')
		from--;
	let to = caret;
	while (to < text.length && text[to] !== ' ')
		to++;
	const term = text.slice(from, caret);
	const match = /^(\w+)(:|[<>]=?)(.*)$/.exec(term);
	if (!match)
		return { from, to, part: term };
	const name = match[2] === ':' ? match[1] : match[1] + match[2][0];
	const comma = match[3].lastIndexOf(',');
	return { from: from + match[1].length + match[2].length + comma + 1, to, name, part: match[3].slice(comma + 1) };
}

function suggest(text, caret, definitions) {
	const term = termAt(text, caret);
	const list = term.name ? VALUES[term.name]?.(definitions) ?? [] : NAMES;
	const part = term.part.toLowerCase();
	const hits = list.filter(([value]) => value.toLowerCase().startsWith(part) && value !== term.part);
	return { term, hits: hits.length ? hits : term.name || !part ? hits : list.filter(([value]) => value.includes(part)) };
}

export function FilterBox({ value, onChange, error, focus }) {
	const [text, setText] = useState(value);
	const [caret, setCaret] = useState(0);
	const [open, setOpen] = useState(false);
	const [choice, setChoice] = useState(-1);
	const input = useRef(null);
	const place = useRef(-1);
	const id = useId();
	const definitions = useResource('/definitions');
	const names = [...new Set((definitions.data?.definitions ?? []).map((each) => each.name))];
	const { term, hits } = suggest(text, caret, names);
	const shown = open && hits.length > 0;

	// None of this may wait for the next picture: what is typed until then would be lost, or misplaced.
	useLayoutEffect(() => setText(value), [value]);
	useLayoutEffect(() => {
		if (focus)
			input.current.focus();
	}, [focus]);
	useLayoutEffect(() => {
		if (place.current < 0)
			return;
		input.current.focus();
		input.current.setSelectionRange(place.current, place.current);
		place.current = -1;
	});
	useKeys([['/', 'Filter the sagas', () => input.current.select()]], { title: 'Filter' });

	const take = (hit) => {
		const rest = text.slice(term.to);
		const space = /[:<>]$/.test(hit) || rest.startsWith(' ') ? '' : ' ';
		const next = text.slice(0, term.from) + hit + space + rest;
		place.current = term.from + hit.length + space.length;
		setText(next);
		setChoice(-1);
		setCaret(place.current);
	};
	const commit = (next = text) => {
		setOpen(false);
		setChoice(-1);
		onChange(next.trim());
	};
	const onKeyDown = (event) => {
		if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
			event.preventDefault();
			setOpen(true);
			const n = hits.length + 1;
			setChoice((now) => ((now + 1 + (event.key === 'ArrowDown' ? 1 : n - 1)) % n) - 1);
		} else if (event.key === 'Enter') {
			event.preventDefault();
			if (shown && choice >= 0)
				take(hits[choice][0]);
			else
				commit();
		} else if (event.key === 'Tab' && shown && choice >= 0) {
			event.preventDefault();
			take(hits[choice][0]);
		} else if (event.key === 'Escape') {
			if (shown)
				setOpen(false);
			else
				input.current.blur();
			event.stopPropagation();
		}
	};
	const meant = /did you mean ([\w>:<-]+)\?/.exec(error?.message ?? '')?.[1];
	const wrong = /unknown (?:filter|status|kind) ([\w.-]+)/.exec(error?.message ?? '')?.[1];
	return html`<div class="filter"><div class=${`filter-field${error ? ' wrong' : ''}`}>
		<${Icon} name="filter" /><input ref=${input} type="text" role="combobox" class="filter-input mono" value=${text}
			aria-label="Filter" aria-expanded=${shown ? 'true' : 'false'} aria-controls=${`${id}-list`} aria-autocomplete="list"
			aria-activedescendant=${shown && choice >= 0 ? `${id}-${choice}` : undefined}
			aria-invalid=${error ? 'true' : undefined} aria-describedby=${error ? `${id}-error` : undefined}
			placeholder="status:compensating saga:order-* started>2026-01-31, or a key, or an id" spellcheck="false" autocomplete="off"
			autocapitalize="off" maxlength="1000"
			onInput=${(event) => {
				setText(event.target.value);
				setCaret(event.target.selectionStart);
				setOpen(true);
				setChoice(-1);
			}}
			onClick=${(event) => { setCaret(event.target.selectionStart); setOpen(true); }}
			onKeyUp=${(event) => /Arrow(Left|Right)|Home|End/.test(event.key) && setCaret(event.target.selectionStart)}
			onBlur=${() => setOpen(false)} onKeyDown=${onKeyDown} />
		${text && html`<button type="button" class="icon-button" aria-label="Clear the filter"
			onClick=${() => { setText(''); commit(''); input.current.focus(); }}><${Icon} name="close" /></button>`}
		${text !== value && html`<button type="button" class="button small" onClick=${() => commit()}>Filter <kbd>↵</kbd></button>`}
		</div>
		<ul id=${`${id}-list`} role="listbox" aria-label="Suggestions" class="suggestions" hidden=${!shown}>
			${shown && hits.map(([hit, words], i) => html`<li key=${hit} id=${`${id}-${i}`} role="option"
				aria-selected=${i === choice ? 'true' : 'false'} onMouseDown=${(event) => { event.preventDefault(); take(hit); }}
				><code>${hit}</code><span class="faint">${words}</span></li>`)}</ul>
		${error && html`<p id=${`${id}-error`} class="filter-error" role="alert">${error.message}${meant && wrong && html`
			${' '}<button type="button" class="link" onClick=${() => commit(value.replace(wrong, meant))}>Use ${meant}</button>`}</p>`}
	</div>`;
}
