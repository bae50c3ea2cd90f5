import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { OrderedItems } from './ordered-items.js';

let looks = 0;
beforeEach(() => {
  looks = 0;
});

/** An item that counts the looks at its deadline. */
class Item {
  readonly sequence: number;
  readonly #deadlineAtMs: number;

  constructor(deadlineAtMs: number, sequence: number) {
    this.#deadlineAtMs = deadlineAtMs;
    this.sequence = sequence;
  }

  get deadlineAtMs(): number {
    looks += 1;
    return this.#deadlineAtMs;
  }
}

const step = fc.record({
  kind: fc.constantFrom(...(['push', 'push', 'push', 'shift', 'remove', 'retain'] as const)),
  deadlineAtMs: fc.nat(9),
  which: fc.nat(40),
});

describe('ordered items', () => {
  it('are those of a sorted list, whatever comes and goes (property)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const items = new OrderedItems<Item>();
        let list: Item[] = [];
        for (const [sequence, { kind, deadlineAtMs, which }] of steps.entries()) {
          const chosen = list[which];
          if (kind === 'push') {
            const item = new Item(deadlineAtMs, sequence);
            items.push(item);
            list.push(item);
            list.sort((a, b) => a.deadlineAtMs - b.deadlineAtMs || a.sequence - b.sequence);
          } else if (kind === 'shift') expect(items.shift()).toBe(list.shift());
          else if (kind === 'retain') {
            items.retain((item) => item.sequence % 3 !== 0);
            list = list.filter((item) => item.sequence % 3 !== 0);
          } else if (chosen !== undefined) {
            items.remove(chosen);
            list = list.filter((item) => item !== chosen);
          }
          expect(items.length).toBe(list.length);
          expect(items.first()).toBe(list[0]);
          expect(new Set(items)).toEqual(new Set(list));
          for (const untilMs of [-1, 2, 5, 9]) {
            const until = list.filter((item) => item.deadlineAtMs <= untilMs);
            expect([items.countUntil(untilMs), items.lastUntil(untilMs)]).toEqual([until.length, until.at(-1)]);
          }
        }
      }),
      { seed: 4, numRuns: 200 },
    );
  });

  const COUNT = 4096;
  const rng = new SeededRng(5);
  const random = Array.from({ length: COUNT }, () => rng.next());
  it.each<[string, (index: number) => number]>([
    ['ascending', (index) => index],
    ['descending', (index) => -index],
    ['outside in', (index) => (index % 2 === 0 ? index : 2 * COUNT - index)],
    ['inside out', (index) => (index % 2 === 0 ? index : -index)],
    ['random', (index) => random[index] as number],
  ])('take a logarithmic number of looks on average if deadlines arrive %s', (_order, deadlineOf) => {
    const items = new OrderedItems<Item>();
    const all = Array.from({ length: COUNT }, (_, index) => new Item(deadlineOf(index), index));
    const most = COUNT * 20 * Math.log2(COUNT);
    const countLooks = (operation: (item: Item) => void): number => {
      looks = 0;
      for (const item of all) operation(item);
      return looks;
    };
    expect(countLooks((item) => items.push(item))).toBeLessThan(most);
    expect(countLooks((item) => items.countUntil(item.deadlineAtMs))).toBeLessThan(most);
    expect(countLooks((item) => items.lastUntil(item.deadlineAtMs))).toBeLessThan(most);
    // From the middle to both ends.
    all.sort((a, b) => Math.abs(a.sequence - COUNT / 2) - Math.abs(b.sequence - COUNT / 2));
    expect(countLooks((item) => items.remove(item))).toBeLessThan(most);
    expect(items.length).toBe(0);
  });
});
