/*
 * Times and durations in words. All times of the API are RFC 3339 in UTC, those inside events are
 * milliseconds since 1970; `ms()` takes both. What is shown is the reader's local time.
 */

export function ms(value) {
	if (value === null || value === undefined || value === '' || value === 0)
		return null;
	const at = typeof value === 'number' ? value : Date.parse(value);
	return Number.isFinite(at) ? at : null;
}

/* "48 s", "14 min", "3 h 5 min", "2 d 4 h"; below a second "371 ms". Never two units where one is enough. */
export function duration(span) {
	const value = Math.max(0, span);
	if (value < 1000)
		return `${Math.round(value)} ms`;
	if (value < 10_000)
		return `${(Math.floor(value / 100) / 10).toFixed(1).replace(/\.0$/, '')} s`;
	const s = Math.floor(value / 1000);
	if (s < 120)
		return `${s} s`;
	const min = Math.floor(s / 60);
	if (min < 120)
		return `${min} min`;
	const h = Math.floor(min / 60);
	if (h < 48)
		return min % 60 && h < 10 ? `${h} h ${min % 60} min` : `${h} h`;
	const d = Math.floor(h / 24);
	return h % 24 && d < 7 ? `${d} d ${h % 24} h` : `${d} d`;
}

/* For what counts down: whole units only, so that it changes once a second. */
export function countdown(span) {
	const s = Math.ceil(Math.max(0, span) / 1000);
	return s < 120 ? `${s} s` : duration(s * 1000);
}

/* "in 48 s", "14 min ago", "now". */
export function relative(at, now) {
	const span = at - now;
	if (Math.abs(span) < 1000)
		return 'now';
	return span > 0 ? `in ${countdown(span)}` : `${duration(-span)} ago`;
}

const two = (n) => String(n).padStart(2, '0');
const timeOf = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;

/* "15:48:58.371", with the date in front when it is not that of `beside`. */
export function clock(at, beside = at) {
	const date = new Date(at), other = new Date(beside);
	const time = `${timeOf(date)}.${String(date.getMilliseconds()).padStart(3, '0')}`;
	return date.toDateString() === other.toDateString() ? time : `${day(at)} ${time}`;
}

/* "2026-11-23 15:48:58" */
export function dateTime(at) {
	return `${day(at)} ${timeOf(new Date(at))}`;
}

export function day(at) {
	const date = new Date(at);
	return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
