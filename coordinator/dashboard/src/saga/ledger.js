/*
 * The ledger of a saga: each action and, on the same row, how it is undone; what is still owed, to
 * whom; and which act is next. A pure function of GET /sagas/{id} (and of the definition's document
 * and of GET …/acts, where they are there), so that it is the same for the present and for any event
 * of the past.
 *
 *     ledger(saga, doc, acts) = {
 *         steps: [{ id, def, status, pivot, onCompensated, undoKind, rows: [row], counts, owed }],
 *         done, undone, owed, owedTo: [{ to, n, failed }], next: [row that a person should act on]
 *     }
 *     row = { step, item, run: side, undo: side, owed, needs: null | "undo" | "run" }
 *     side = { status, word, tone, icon, attempts, nextAt, error, request, ambiguous, parked, output }
 */
import { COMPENSATION, STEP } from '../words.js';
import { stepsOf } from './definition.js';

const OWING = new Set(['armed', 'running', 'backing_off', 'failed']);
const ENDED = new Set(['completed', 'compensated', 'failed', 'terminated']);

export const isEnded = (saga) => ENDED.has(saga?.status);

/* The way forward is given up: what is armed is owed, and not merely kept ready. */
export function isWayBack(saga) {
	return Boolean(saga.failure) || saga.status === 'terminated' || saga.status === 'failed' ||
		saga.status === 'compensating' || saga.status === 'compensation_failed';
}

/* [tone, icon, word] of a status, where it is not the plain one. */
function runShown(action) {
	if (action.parked)
		return action.status === 'outcome_unknown' ? ['doubt', 'question', 'parked, unknown']
			: ['bad', 'pause', 'parked, failed'];
	if (action.status === 'failed' && action.tolerated)
		return ['off', 'cross', 'failed, tolerated'];
	return STEP[action.status] ?? ['off', 'ring', String(action.status)];
}

const NOT_ARMED = { not_needed: 'nothing to undo', none: 'cannot be undone' };
function undoShown(status, kind, wayBack) {
	if (status === 'armed' && wayBack)
		return ['undo', 'armed', 'owed'];
	if (status === 'not_armed')
		return ['off', 'dash', NOT_ARMED[kind] ?? 'not armed'];
	return COMPENSATION[status] ?? ['off', 'ring', String(status)];
}

function side(exec, [tone, icon, word], status, more) {
	return {
		status, word, tone, icon,
		attempts: exec.attempts ?? 0, nextAt: exec.next_at ?? null, error: exec.error ?? null,
		request: exec.request ?? null, ambiguous: Boolean(exec.ambiguous), task: exec.task ?? null,
		child: exec.child ?? null, ...more,
	};
}

const runSide = (action) => side(action, runShown(action), action.status, {
	parked: Boolean(action.parked), output: action.output ?? null, approval: action.approval ?? null,
});

function undoSide(action, kind, wayBack) {
	const undo = action.compensation ?? {}, status = undo.status ?? 'not_armed';
	return side(undo, undoShown(status, kind, wayBack), status, { parked: status === 'failed', output: null });
}

/* What a person should look at: an undo that failed, then what is parked. */
function needOf(run, undo) {
	if (undo.status === 'failed')
		return 'undo';
	return run.parked ? 'run' : null;
}

/* What an idle step shows: one row without an action. */
const IDLE = { status: 'pending', compensation: { status: 'not_armed' } };

function rowsOf(step, wayBack) {
	const actions = step.actions?.length ? step.actions : [{ ...IDLE, status: step.status }];
	return actions.map((action) => {
		const run = runSide(action), undo = undoSide(action, step.compensation, wayBack);
		return {
			step: step.id, item: action.item ?? null, begun: Boolean(step.actions?.length),
			run, undo, owed: wayBack && OWING.has(undo.status), needs: needOf(run, undo),
		};
	});
}

/* [{ word, tone, icon, n }] in the order in which they are first met. */
function count(rows, side) {
	const found = new Map();
	for (const row of rows) {
		const { word, tone, icon } = row[side];
		const entry = found.get(word) ?? { word, tone, icon, n: 0 };
		entry.n++;
		found.set(word, entry);
	}
	return [...found.values()];
}

const owedOf = (row, def) => row.undo.request?.to ?? def?.undo?.to ?? '';

export function ledger(saga, doc = null, acts = null) {
	const wayBack = isWayBack(saga);
	const defs = new Map(stepsOf(doc).map((def) => [def.id, def]));
	const owedTo = new Map();
	const sum = { done: 0, undone: 0, owed: 0, next: [] };
	const allowed = actsByRow(acts);

	const steps = (saga.steps ?? []).map((step) => {
		const def = defs.get(step.id) ?? null;
		const rows = rowsOf(step, wayBack);
		for (const row of rows) {
			row.acts = allowed.get(rowKey(row.step, row.item, false)) ?? [];
			row.undoActs = allowed.get(rowKey(row.step, row.item, true)) ?? [];
			sum.done += row.run.status === 'completed';
			sum.undone += ['done', 'skipped', 'resolved'].includes(row.undo.status);
			sum.owed += row.owed;
			if (row.needs)
				sum.next.push(row);
			if (!row.owed)
				continue;
			const to = owedOf(row, def), entry = owedTo.get(to) ?? { to, n: 0, failed: 0 };
			entry.n++;
			entry.failed += row.undo.status === 'failed';
			owedTo.set(to, entry);
		}
		return {
			id: step.id, def, status: step.status, pivot: Boolean(step.pivot),
			onCompensated: Boolean(step.on_compensated), undoKind: step.compensation, rows,
			many: rows.length > 1 || rows[0].item !== null,
			counts: { run: count(rows, 'run'), undo: count(rows, 'undo') },
			owed: rows.filter((row) => row.owed).length,
			needs: rows.filter((row) => row.needs).length,
			output: step.output ?? null,
		};
	});
	return { steps, ...sum, owedTo: [...owedTo.values()].sort((a, b) => b.failed - a.failed || b.n - a.n) };
}

export const rowKey = (step, item, compensation) => `${step}[${item ?? ''}]${compensation ? '/undo' : '/do'}`;

function actsByRow(acts) {
	const map = new Map();
	for (const entry of acts?.actions ?? [])
		map.set(rowKey(entry.step, entry.item ?? null, entry.compensation), entry.acts ?? []);
	return map;
}

/*
 * The acts that help where the row stands, the most likely first; only those that are allowed.
 * Anything else is in the menu.
 */
export function suggested(row, side) {
	const list = side === 'undo' ? row.undoActs : row.acts;
	const can = (act) => list.some((entry) => entry.act === act && entry.allowed);
	const at = side === 'undo' ? row.undo : row.run;
	let wish = [];
	if (side === 'undo' && at.status === 'failed')
		wish = ['retry', 'complete', 'skip'];
	else if (side === 'undo' && at.status === 'backing_off')
		wish = ['retry'];
	else if (side === 'run' && at.parked)
		wish = at.status === 'outcome_unknown' ? ['resolve', 'retry'] : ['retry', 'skip', 'complete'];
	else if (side === 'run' && at.status === 'backing_off')
		wish = ['retry'];
	else if (side === 'run' && at.status === 'outcome_unknown')
		wish = ['resolve'];
	else if (side === 'run')
		wish = ['approve', 'reject'];
	return wish.filter(can);
}
