/*
 * The HTTP API, as the dashboard uses it: paths are below /v1, bodies are JSON, an error is an
 * ApiError with what the problem document says. Payloads stay data here; what shows them makes text
 * nodes of them.
 */
import { route } from './router.js';

export class ApiError extends Error {
	constructor(status, problem) {
		super(problem?.detail || problem?.title || `the server answered with status ${status}`);
		this.status = status;
		this.code = problem?.code;
		this.title = problem?.title;
		this.errors = problem?.errors ?? [];
		this.requestId = problem?.request_id;
	}
}

export const namespace = () => route().query.get('namespace') || 'default';

/* The address of a path with its arguments; those that are empty are left out. */
export function address(path, args = {}) {
	const search = new URLSearchParams();
	for (const [name, value] of Object.entries(args))
		if (value !== undefined && value !== null && value !== '')
			search.set(name, String(value));
	const text = search.toString();
	return `/v1${path}${text ? `?${text}` : ''}`;
}

/*
 * One call. Returns { status, body, etag, location }; throws ApiError, with status 0 when nothing
 * was answered. options: args, body (JSON) or text with type, ifMatch, signal, headers.
 */
export async function call(method, path, options = {}) {
	const headers = { Accept: 'application/json', ...options.headers };
	if (namespace() !== 'default')
		headers['Skald-Namespace'] = namespace();
	let body;
	if (options.body !== undefined) {
		headers['Content-Type'] = 'application/json';
		body = JSON.stringify(options.body);
	} else if (options.text !== undefined) {
		headers['Content-Type'] = options.type || 'application/yaml';
		body = options.text;
	}
	if (options.ifMatch)
		headers['If-Match'] = options.ifMatch;
	let answer;
	try {
		answer = await fetch(address(path, options.args), { method, headers, body, signal: options.signal });
	} catch (error) {
		if (error.name === 'AbortError')
			throw error;
		throw new ApiError(0, { title: 'No answer', detail: 'The server cannot be reached.' });
	}
	const text = await answer.text();
	let json = null;
	if (text && /json/.test(answer.headers.get('Content-Type') || ''))
		try {
			json = JSON.parse(text);
		} catch {
			throw new ApiError(answer.status, { detail: 'The answer is no JSON.' });
		}
	if (!answer.ok)
		throw new ApiError(answer.status, json);
	return {
		status: answer.status,
		body: json,
		etag: answer.headers.get('ETag'),
		location: answer.headers.get('Location'),
	};
}

export const get = async (path, args, options) => (await call('GET', path, { args, ...options })).body;
export const post = async (path, body = {}, options = {}) =>
	(await call('POST', path, { body, ...options })).body;
