/*
 * How times, durations and numbers are written. Times are shown as the distance from now, with the
 * exact time beside the pointer; one clock for all of them ticks once a second.
 */
import { useEffect, useState } from './h.js';
import { store } from './store.js';

const clock = store(Date.now());
setInterval(() => document.hidden || clock.set(Date.now()), 1000);
document.addEventListener('visibilitychange', () => document.hidden || clock.set(Date.now()));

/* The present, for whoever shows a distance from it. */
export const useNow = () => clock.use();

/* The same, but changed only every `ms`: of what need not tick each second. */
export function useSlowNow(ms) {
	const [now, set] = useState(() => Date.now());
	useEffect(() => {
		const timer = setInterval(() => set(Date.now()), ms);
		return () => clearInterval(timer);
	}, [ms]);
	return now;
}

const UNITS = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];

/* "14 min", "2 h 5 min", "850 ms": at most two units, the second only where it says something. */
export function duration(ms) {
	if (!Number.isFinite(ms))
		return '';
	if (ms < 0)
		ms = 0;
	if (ms < 1000)
		return `${Math.round(ms)} ms`;
	if (ms < 10000)
		return `${(ms / 1000).toFixed(1)} s`;
	let seconds = Math.floor(ms / 1000);
	for (let i = 0; i < UNITS.length; i++) {
		const [unit, size] = UNITS[i];
		if (seconds < size)
			continue;
		const n = Math.floor(seconds / size);
		const rest = UNITS[i + 1];
		const m = rest ? Math.floor((seconds - n * size) / rest[1]) : 0;
		return m > 0 && n < 10 ? `${n} ${unit} ${m} ${rest[0]}` : `${n} ${unit}`;
	}
	return '0 s';
}

/* One unit, of a fixed small width: "14m". */
export function age(ms) {
	const seconds = Math.max(0, Math.floor(ms / 1000));
	for (const [unit, size] of UNITS)
		if (seconds >= size)
			return `${Math.floor(seconds / size)}${unit === 'min' ? 'm' : unit}`;
	return 'now';
}

export function since(at, now) {
	const ms = now - Date.parse(at);
	return ms < 1000 ? 'just now' : `${age(ms)} ago`;
}

const two = (n) => String(n).padStart(2, '0');

/* In the reader's own zone: 2026-11-23 10:15:15. */
export function exact(at) {
	const d = new Date(at);
	if (Number.isNaN(d.getTime()))
		return String(at ?? '');
	return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ` +
		`${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

export const timeOfDay = (at) => exact(at).slice(11);

const numbers = new Intl.NumberFormat('en');
export const count = (n) => (Number.isFinite(n) ? numbers.format(n) : '–');

export function plural(n, one, many = `${one}s`) {
	return `${count(n)} ${n === 1 ? one : many}`;
}

/* 12.4k: where there is room for few digits. */
export function short(n) {
	if (!Number.isFinite(n))
		return '–';
	if (n < 10000)
		return numbers.format(n);
	if (n < 1e6)
		return `${(n / 1000).toFixed(n < 1e5 ? 1 : 0)}k`;
	return `${(n / 1e6).toFixed(n < 1e7 ? 2 : 1)}M`;
}
