import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeadlineQueue } from './deadline-queue.js';
import { RequestState, StageItem } from './request-state.js';

type Request = RequestState<undefined, undefined>;

const request = (sequence: number, deadlineAtMs: number): Request =>
  new RequestState(sequence, { context: undefined, arrivedAtMs: 0, deadlineAtMs }, 1);

const item = (owner: Request, sequence: number): StageItem<undefined, undefined> =>
  new StageItem(owner, { stage: 0, scope: undefined, payload: undefined, enqueuedAtMs: 0, sequence });

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('push' as const), owner: fc.nat({ max: 9 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pop' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('discard' as const), owner: fc.nat({ max: 9 }) }) },
);

describe('DeadlineQueue', () => {
  it('gives items by deadline, then in the order they came, whatever left in between (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 10, maxLength: 10 }),
        fc.array(step, { maxLength: 200 }),
        (deadlines, steps) => {
          const owners = deadlines.map((deadlineAtMs, i) => request(i, deadlineAtMs));
          const queue = new DeadlineQueue<undefined, undefined>();
          let model: StageItem<undefined, undefined>[] = [];
          steps.forEach((each, sequence) => {
            const owner = owners[each.kind === 'pop' ? 0 : each.owner] as Request;
            if (each.kind === 'push') {
              const pushed = item(owner, sequence);
              queue.push(pushed);
              model.push(pushed);
              model.sort((a, b) => a.deadlineAtMs - b.deadlineAtMs || a.sequence - b.sequence);
            } else if (each.kind === 'pop') {
              expect(queue.pop()).toBe(model.shift());
            } else {
              queue.discard(({ request }) => request === owner);
              model = model.filter((kept) => kept.request !== owner);
            }
            expect(queue.length).toBe(model.length);
            expect(queue.peek()).toBe(model[0]);
            expect(owner.queuedItems).toBe(model.filter((kept) => kept.request === owner).length);
          });
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });
});
