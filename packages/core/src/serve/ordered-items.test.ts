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

/** The items next to a sorted list. */
class ItemsNextToList {
  readonly #items = new OrderedItems<Item>();
  #list: Item[] = [];
  #pushed = 0;

  push(deadlineAtMs: number): void {
    const item = new Item(deadlineAtMs, this.#pushed++);
    this.#items.push(item);
    this.#list.push(item);
    this.#list.sort((a, b) => a.deadlineAtMs - b.deadlineAtMs || a.sequence - b.sequence);
  }

  shift(): void {
    expect(this.#items.shift()).toBe(this.#list.shift());
  }

  remove(_deadlineAtMs: number, which: number): void {
    const item = this.#list[which];
    if (item === undefined) return;
    this.#items.remove(item);
    this.#list.splice(which, 1);
  }

  retain(): void {
    const isKept = ({ sequence }: Item) => sequence % 3 !== 0;
    this.#items.retain(isKept);
    this.#list = this.#list.filter(isKept);
  }

  compare(): void {
    expect(this.#items.length).toBe(this.#list.length);
    expect(this.#items.first()).toBe(this.#list[0]);
    expect(new Set(this.#items)).toEqual(new Set(this.#list));
    for (const untilMs of [-1, 2, 5, 9]) {
      const until = this.#list.filter((item) => item.deadlineAtMs <= untilMs);
      expect([this.#items.countUntil(untilMs), this.#items.lastUntil(untilMs)]).toEqual([until.length, until.at(-1)]);
    }
  }
}

describe('ordered items', () => {
  it('are those of a sorted list, whatever comes and goes (property)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const both = new ItemsNextToList();
        for (const { kind, deadlineAtMs, which } of steps) {
          both[kind](deadlineAtMs, which);
          both.compare();
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
