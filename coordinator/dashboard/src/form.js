/*
 * A form made of a JSON Schema: an object's properties of simple types as fields, everything else as
 * JSON. The server checks the whole; here is only checked what cannot be sent at all.
 *
 *     emptyValues(schema)                        { name: text or boolean }
 *     readValues(schema, values)                 { data, errors: { name: words } }
 *     <SchemaForm schema values onChange errors />
 */
import { html } from './h.js';
import { Field } from './ui.js';

const typeOf = (schema) => (schema?.enum ? 'enum' : ['string', 'integer', 'number', 'boolean'].includes(schema?.type)
	? schema.type : 'json');
export const propertiesOf = (schema) => Object.entries(schema?.properties ?? {});
const isRequired = (schema, name) => Array.isArray(schema?.required) && schema.required.includes(name);

export function emptyValues(schema) {
	return Object.fromEntries(propertiesOf(schema).map(([name, each]) => {
		const first = each?.default;
		return [name, typeOf(each) === 'boolean' ? first === true
			: first === undefined ? '' : typeof first === 'string' ? first : JSON.stringify(first)];
	}));
}

/* The value that a text stands for; throws what is wrong with it. */
function valueOf(schema, text) {
	switch (typeOf(schema)) {
	case 'boolean': return text;
	case 'string': return text;
	case 'enum': return JSON.parse(text);
	case 'integer':
		if (!/^-?\d+$/.test(text.trim()) || !Number.isSafeInteger(Number(text)))
			throw new Error('a whole number is wanted');
		return Number(text);
	case 'number':
		if (!text.trim() || !Number.isFinite(Number(text)))
			throw new Error('a number is wanted');
		return Number(text);
	default: return JSON.parse(text);
	}
}

export function readValues(schema, values) {
	const data = {}, errors = {};
	for (const [name, each] of propertiesOf(schema)) {
		const text = values[name];
		if (text === '' || text === undefined) {
			if (isRequired(schema, name))
				errors[name] = 'This is needed.';
			continue;
		}
		try {
			data[name] = valueOf(each, text);
		} catch (error) {
			errors[name] = error.message;
		}
	}
	return { data, errors };
}

function Control({ name, schema, value, change }) {
	switch (typeOf(schema)) {
	case 'enum':
		return html`<select class="input" name=${name} value=${value} onChange=${(event) => change(event.target.value)}>
			<option value="">–</option>${schema.enum.map((each) => html`<option key=${JSON.stringify(each)}
			value=${JSON.stringify(each)}>${typeof each === 'string' ? each : JSON.stringify(each)}</option>`)}</select>`;
	case 'integer': case 'number':
		return html`<input class="input" name=${name} inputmode="decimal" autocomplete="off" value=${value}
			onInput=${(event) => change(event.target.value)} />`;
	case 'string':
		return html`<input class="input" name=${name} autocomplete="off" maxlength=${schema.maxLength} value=${value}
			onInput=${(event) => change(event.target.value)} />`;
	default:
		return html`<textarea class="input code" rows="3" spellcheck="false" name=${name} value=${value}
			onInput=${(event) => change(event.target.value)}></textarea>`;
	}
}

export function SchemaForm({ schema, values, onChange, errors = {} }) {
	return propertiesOf(schema).map(([name, each]) => {
		const change = (value) => onChange({ ...values, [name]: value });
		const label = `${each?.title ?? name}${isRequired(schema, name) ? '' : ' (optional)'}`;
		if (typeOf(each) === 'boolean')
			return html`<label key=${name} class="choice form-check"><input type="checkbox" name=${name} checked=${values[name]}
				onChange=${(event) => change(event.target.checked)} /><span>${each.title ?? name}</span></label>`;
		const hint = [each?.description, each?.minimum !== undefined && `at least ${each.minimum}`,
			each?.maximum !== undefined && `at most ${each.maximum}`, typeOf(each) === 'json' && 'JSON']
			.filter(Boolean).join(' · ');
		return html`<${Field} key=${name} label=${label} hint=${hint || null} error=${errors[name]}>
			${Control({ name, schema: each, value: values[name] ?? '', change })}</${Field}>`;
	});
}
