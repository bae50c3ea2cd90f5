import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeadlineQueue } from './deadline-queue.js';
import { RequestState, StageItem } from './request-state.js';

type Request = RequestState<undefined, undefined>;

const request = (sequence: number, deadlineAtMs: number): Request =>
  new RequestState(sequence, { context: undefined, arrivedAtMs: 0, deadlineAtMs }, 1);

const item = (owner: Request, sequence: number): StageItem<undefined, undefined> =>
  new StageItem(owner, { stage: 0, scope: undefined, payload: undefined, enqueuedAtMs: 0, sequence });

type Step =
  | { readonly kind: 'push' | 'discard'; readonly owner: number }
  | { readonly kind: 'pop' }
  | { readonly kind: 'last'; readonly after: number }
  | { readonly kind: 'remove'; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('push' as const), owner: fc.nat({ max: 9 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pop' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('last' as const), after: fc.integer({ min: -1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('discard' as const), owner: fc.nat({ max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat({ max: 20 }) }) },
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
          const act = (each: Step, owner: Request, sequence: number) => {
            switch (each.kind) {
              case 'push': {
                const pushed = item(owner, sequence);
                queue.push(pushed);
                model.push(pushed);
                model.sort((a, b) => a.deadlineAtMs - b.deadlineAtMs || a.sequence - b.sequence);
                break;
              }
              case 'pop':
                expect(queue.pop()).toBe(model.shift());
                break;
              case 'last': {
                const isAfter = (model.at(-1)?.deadlineAtMs ?? -1) > each.after;
                expect(queue.last(each.after)).toBe(isAfter ? model.at(-1) : undefined);
                break;
              }
              case 'remove': {
                const victim = model[each.which];
                if (victim === undefined) break;
                queue.remove(victim);
                model = model.filter((kept) => kept !== victim);
                break;
              }
              case 'discard':
                queue.discard(({ request }) => request === owner);
                model = model.filter((kept) => kept.request !== owner);
            }
          };
          steps.forEach((each, sequence) => {
            const owner = owners['owner' in each ? each.owner : 0] as Request;
            act(each, owner, sequence);
            expect(queue.length).toBe(model.length);
            expect(queue.peek()).toBe(model[0]);
            for (const until of [-1, 1, 3])
              expect(queue.countAhead(until, false)).toBe(
                model.filter(({ deadlineAtMs }) => deadlineAtMs <= until).length,
              );
            expect(owner.queuedItems).toBe(model.filter((kept) => kept.request === owner).length);
          });
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('client batches', () => {
  const owner = (sequence: number, deadlineAtMs: number, isBatched: boolean): Request =>
    new RequestState(sequence, { context: undefined, arrivedAtMs: 0, deadlineAtMs, isBatched }, 1);
  const queueOf = (...items: readonly (readonly [deadlineAtMs: number, isBatched: boolean])[]) => {
    const queue = new DeadlineQueue<undefined, undefined>();
    for (const [i, [deadlineAtMs, isBatched]] of items.entries())
      queue.push(item(owner(i, deadlineAtMs, isBatched), i));
    return queue;
  };
  const started = (queue: DeadlineQueue<undefined, undefined>): readonly (number | undefined)[] =>
    Array.from({ length: queue.length }, () => queue.popNext()?.sequence);
  const batch = Array.from({ length: 5 }, () => [1, true] as const);

  it('start at most every second time while single requests wait, and never earlier than by their deadlines', () => {
    expect(started(queueOf(...batch, [2, false], [2, false]))).toEqual([0, 5, 1, 6, 2, 3, 4]);
    expect(started(queueOf([2, true], [2, true], [1, false], [1, false]))).toEqual([2, 3, 0, 1]);
  });

  it('are counted as ahead of a single request only as far as they start before it', () => {
    const queue = queueOf(...batch, [1, false]);
    expect([queue.countAhead(1, false), queue.countAhead(1, true), queue.countAhead(0, true)]).toEqual([3, 6, 0]);
  });

  it('are found by all other ways out of the queue', () => {
    const queue = queueOf([1, true], [3, true], [2, false]);
    expect([queue.lastBatched(), queue.last(), queue.last(2), queue.last(3)].map((each) => each?.sequence)).toEqual([
      ...[1, 1, 1, undefined],
    ]);
    expect(Array.from({ length: 3 }, () => queue.pop()?.sequence)).toEqual([0, 2, 1]);
    expect([queue.length, queue.lastBatched(), queue.last()]).toEqual([0, undefined, undefined]);
    const other = queueOf([1, true], [2, false]);
    other.discard(({ request: { isBatched } }) => isBatched);
    expect([other.length, other.batchedLength]).toEqual([1, 0]);
  });
});
