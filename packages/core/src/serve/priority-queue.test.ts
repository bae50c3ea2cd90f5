import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PriorityQueue } from './priority-queue.js';
import { RequestState, StageItem } from './request-state.js';

type Item = StageItem<undefined, undefined>;

let sequence = 0;

/** Only less urgent items leave. */
const NONE_EQUAL = { afterMs: Number.POSITIVE_INFINITY, mostBatched: Number.POSITIVE_INFINITY };

function item(level: number, deadlineAtMs: number, isBatched = false): Item {
  const request = new RequestState<undefined, undefined>(
    0,
    { context: undefined, arrivedAtMs: 0, deadlineAtMs, level, isBatched },
    1,
  );
  return new StageItem(request, {
    stage: 0,
    scope: undefined,
    payload: undefined,
    enqueuedAtMs: 0,
    sequence: sequence++,
  });
}

/** Starts at each level, out of `starts`, while items wait at all levels. */
function startsByLevel(shares: readonly number[], starts: number): readonly number[] {
  const queue = new PriorityQueue<undefined, undefined>(shares);
  const counts = shares.map(() => 0);
  for (const level of shares.keys()) queue.push(item(level, 100));
  for (let i = 0; i < starts; i++) {
    const { level } = queue.pop()?.request ?? { level: -1 };
    counts[level] = (counts[level] ?? 0) + 1;
    queue.push(item(level, 100));
    queue.push(item(level, 100));
  }
  return counts;
}

interface Step {
  readonly level: number;
  readonly deadlineAtMs: number;
  readonly isBatched: boolean;
  readonly which: number;
}

/** Queue without shares (strict priority), with a searched list as its reference. */
class QueueBesideList {
  readonly #queue = new PriorityQueue<undefined, undefined>([0, 0, 0]);
  #list: Item[] = [];

  push({ level, deadlineAtMs, isBatched }: Step): void {
    const pushed = item(level, deadlineAtMs, isBatched);
    this.#queue.push(pushed);
    this.#list.push(pushed);
    this.#list.sort((a, b) => a.deadlineAtMs - b.deadlineAtMs || a.sequence - b.sequence);
  }

  pop(): void {
    const most = Math.min(...this.#list.map(({ request }) => request.level));
    this.#expectTaken(
      this.#queue.pop(),
      this.#list.find(({ request }) => request.level === most),
    );
  }

  earliest(): void {
    const least = this.#list[0]?.deadlineAtMs;
    expect(this.#queue.earliest()?.deadlineAtMs).toBe(least);
    const taken = this.#queue.popEarliest();
    expect(taken?.deadlineAtMs).toBe(least);
    this.#remove(taken);
  }

  displaced({ level, deadlineAtMs: afterMs, which: mostBatched }: Step): void {
    const lowest = Math.max(...this.#list.map(({ request }) => request.level));
    const own = this.#list.filter(({ request }) => request.level === level);
    const batched = own.filter(({ request }) => request.isBatched);
    const patient = own.findLast(({ deadlineAtMs }) => deadlineAtMs > afterMs);
    const expected =
      lowest > level
        ? this.#list.findLast(({ request }) => request.level === lowest)
        : (patient ?? (batched.length > mostBatched ? batched.at(-1) : undefined));
    this.#expectTaken(this.#queue.popDisplaced(level, { afterMs, mostBatched }), expected);
  }

  discard({ which }: Step): void {
    const victim = this.#list[which];
    if (victim === undefined) return;
    this.#queue.discard(victim.request.level, (item) => item === victim);
    this.#remove(victim);
  }

  remove({ which }: Step): void {
    const victim = this.#list[which];
    if (victim === undefined) return;
    this.#queue.remove(victim);
    this.#remove(victim);
  }

  compare(): void {
    expect(this.#queue.length).toBe(this.#list.length);
    expect(this.#queue.waitingSinceMs()).toBe(this.#list.length === 0 ? Number.POSITIVE_INFINITY : 0);
  }

  #expectTaken(taken: Item | undefined, expected: Item | undefined): void {
    expect(taken).toBe(expected);
    this.#remove(expected);
  }

  #remove(taken: Item | undefined): void {
    this.#list = this.#list.filter((kept) => kept !== taken);
  }
}

describe('a queue with priorities', () => {
  it('gives the most urgent first, by deadline within a priority', () => {
    const queue = new PriorityQueue<undefined, undefined>([0, 0, 0]);
    const items = [item(2, 10), item(0, 90), item(1, 20), item(0, 80)];
    for (const each of items) queue.push(each);
    expect(Array.from({ length: 4 }, () => queue.pop())).toEqual([items[3], items[1], items[2], items[0]]);
    expect(queue.length).toBe(0);
  });

  it('starves nobody: who waits gets its share, and no more than that beside more urgent ones', () => {
    expect(startsByLevel([0, 0.2, 0.05], 1000)).toEqual([751, 200, 49]);
    expect(startsByLevel([0, 0, 0], 100)).toEqual([100, 0, 0]);
    expect(startsByLevel([0.5, 0.25, 0.25], 1000)).toEqual([501, 250, 249]);
  });

  it('owes nothing for the time in which a priority did not wait', () => {
    const queue = new PriorityQueue<undefined, undefined>([0, 0.5]);
    for (let i = 0; i < 20; i++) queue.push(item(0, 100));
    for (let i = 0; i < 10; i++) queue.pop();
    queue.push(item(1, 100));
    expect(queue.pop()?.request.level).toBe(0);
    queue.popDisplaced(0, NONE_EQUAL);
    queue.push(item(1, 100));
    expect(Array.from({ length: 4 }, () => queue.pop()?.request.level)).toEqual([0, 1, 0, 0]);
  });

  it('knows the earliest deadline of all, and the last of the least urgent', () => {
    const queue = new PriorityQueue<undefined, undefined>([0, 0, 0]);
    const [urgent, normal, late, early] = [item(0, 50), item(1, 60), item(2, 70), item(2, 40)];
    for (const each of [urgent, normal, late, early]) queue.push(each);
    expect(queue.earliest()).toBe(early);
    expect(queue.popDisplaced(2, NONE_EQUAL)).toBeUndefined();
    expect(queue.popDisplaced(1, NONE_EQUAL)).toBe(late);
    expect(queue.popEarliest()).toBe(early);
    expect(queue.popDisplaced(1, NONE_EQUAL)).toBeUndefined();
    expect(queue.popDisplaced(0, NONE_EQUAL)).toBe(normal);
    expect(queue.popDisplaced(0, NONE_EQUAL)).toBeUndefined();
    expect(queue.pop()).toBe(urgent);
  });

  it('moves to a batch what it would give one by one', () => {
    const levels = [2, 0, 1, 1, 0, 2, 2, 1, 0, 2, 1, 2];
    for (let count = 0; count < levels.length; count++) {
      const whole = new PriorityQueue<undefined, undefined>([0, 0.4, 0.2]);
      const single = new PriorityQueue<undefined, undefined>([0, 0.4, 0.2]);
      for (const [deadlineAtMs, level] of levels.entries()) {
        const pushed = item(level, deadlineAtMs % 5);
        whole.push(pushed);
        single.push(pushed);
      }
      const batch: Item[] = [];
      whole.popInto(batch, count);
      expect(batch).toEqual(Array.from({ length: count }, () => single.pop()));
      expect([whole.length, whole.pop()]).toEqual([single.length, single.pop()]);
    }
  });

  const ways = ['push', 'push', 'push', 'earliest', 'displaced', 'discard', 'remove'] as const;

  it.each([
    ['', fc.constantFrom('pop' as const, ...ways), fc.constant(false)],
    // `pop` gives single items and those of batches in turns.
    [' of client batches', fc.constantFrom(...ways), fc.boolean()],
  ])('gives what a plain list%s would give, whatever comes and goes (property)', (_, kind, isBatched) => {
    const step = fc.record({ kind, level: fc.nat(2), deadlineAtMs: fc.nat(5), isBatched, which: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const both = new QueueBesideList();
        for (const each of steps) {
          both[each.kind](each);
          both.compare();
        }
      }),
      { seed: 2, numRuns: 400 },
    );
  });
});
