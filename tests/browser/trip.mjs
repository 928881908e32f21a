/*
 * A definition with everything that the page of a saga shows (items, steps beside each other, a pivot,
 * a tolerated step, a timer, a step for when all is undone), and sagas of it in the states that tests
 * begin from. All participants are the shop; what it refuses is told by the trip's id.
 */
import { until } from './lib.mjs';

export const TRIP = `
saga: trip
key: \${input.id}
deadline: 4h
labels: {team: travel}
participants:
  shop: {timeout: 30s, outcome: {failure: [409], code: "\${reply.body.code}"}}
defaults:
  retry: {initial_interval: 20ms, maximum_interval: 1h, backoff_coefficient: 10, maximum_attempts: 2}
steps:
  - id: quote
    set: {total: "\${input.amount}"}
  - id: flights
    for_each: \${input.legs}
    http: {to: shop, method: PUT, path: "/flights/\${step.uuid}", body: {trip: "\${input.id}", leg: "\${item}"}}
    compensate: {http: {to: shop, method: DELETE, path: "/flights/\${step.uuid}", query: {trip: "\${input.id}"}}}
  - id: hotel
    needs: [quote]
    http: {to: shop, method: PUT, path: "/rooms/\${step.uuid}", body: {trip: "\${input.id}"}}
    compensate: {http: {to: shop, method: DELETE, path: "/rooms/\${step.uuid}", query: {trip: "\${input.id}"}}}
  - id: hold
    needs: [flights, hotel]
    http: {to: shop, method: PUT, path: "/holds/\${step.uuid}", body: {trip: "\${input.id}", of: "\${steps.quote.output}"}}
    retry: {initial_interval: 1h}
    compensate: {http: {to: shop, method: DELETE, path: "/holds/\${step.uuid}", query: {trip: "\${input.id}"}}}
  - id: capture
    pivot: true
    http: {to: shop, method: PUT, path: "/captures/\${step.uuid}", body: {trip: "\${input.id}"}}
    retry: {on_exhausted: park}
  - id: invite
    needs: [capture]
    tolerate: true
    http: {to: shop, method: PUT, path: "/messages/\${step.uuid}", body: {trip: "\${input.id}"}}
    compensate: none
  - id: cool_off
    needs: [invite]
    when: \${input.wait}
    await: {after: 2h}
output: {capture: "\${steps.capture.output}"}
on_compensated:
  - id: apologise
    http: {to: shop, method: PUT, path: "/messages/\${step.uuid}", body: {trip: "\${input.id}", sorry: true}}
`;

/* The participant's part, by what the id of a trip begins with. */
export function rules(shop) {
	const declined = { code: 'card_declined', message: 'insufficient funds' };
	const later = { code: 'maintenance', message: 'try later' };
	shop.fail(/PUT \/holds/, 409, declined, '"stuck');
	shop.fail(/DELETE \/rooms.*trip=stuck/, 422, { code: 'checked_in', message: 'the guest is in the room' });
	shop.fail(/PUT \/holds/, 409, declined, '"undone');
	shop.fail(/PUT \/holds/, 409, declined, '"backs');
	shop.fail(/DELETE \/rooms.*trip=backs/, 503, later);
	shop.fail(/PUT \/captures/, 500, { code: 'oops', message: 'nobody knows' }, '"unknown');
	shop.fail(/PUT \/captures/, 409, { code: 'refused', message: 'not this card' }, '"parked');
	shop.fail(/PUT \/holds/, 503, later, '"slow');
	shop.hold(/PUT \/holds/, '"held');
}

const READY = {
	stuck: (saga) => saga.status === 'compensation_failed',
	undone: (saga) => saga.status === 'compensated',
	backs: (saga) => saga.steps.some((step) => step.actions.some((action) =>
		action.compensation.status === 'backing_off' &&
		action.compensation.attempts >= 3)) && saga.steps.find((step) => step.id === 'flights').actions.every((action) =>
		action.compensation.status === 'done'),
	unknown: (saga) => saga.steps.some((step) => step.actions.some((action) => action.parked)),
	parked: (saga) => saga.steps.some((step) => step.actions.some((action) => action.parked)),
	slow: (saga) => saga.steps.some((step) => step.status === 'backing_off'),
	held: (saga) => saga.steps.some((step) => step.id === 'hold' && step.status === 'running'),
	waits: (saga) => saga.status === 'waiting',
	done: (saga) => saga.status === 'completed',
};

/* Starts a trip of that kind, and waits until it is there. */
export async function trip(world, kind, more = {}) {
	const id = more.id ?? `${kind}-${Math.random().toString(36).slice(2, 8)}`;
	const saga = await world.start('trip', { id, amount: 129900, legs: ['OSL-CPH', 'CPH-LIS', 'LIS-OSL'],
		wait: kind === 'waits', ...more });
	await until(async () => READY[kind](await world.api('GET', `/sagas/${saga.id}`)), `${kind} to be ${kind}`);
	return saga.id;
}
