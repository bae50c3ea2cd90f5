import { beforeEach, describe, expect, it } from 'vitest';
import { SlicedWork } from './sliced-work.js';

describe('long lists', () => {
  const turns: (() => void)[] = [];
  let nowMs = 0;
  let counted = 0;
  let work: SlicedWork;

  beforeEach(() => {
    turns.length = 0;
    nowMs = counted = 0;
    work = new SlicedWork({
      countWork: (slice) => {
        counted++;
        return slice();
      },
      nextTurn: (turn) => turns.push(turn),
      nowMs: () => nowMs,
    });
  });

  /** Numbers that take a millisecond each. */
  function* numbers(count: number, written: number[] = []) {
    for (let number = 0; number < count; number++) {
      nowMs++;
      written.push(number);
      yield number;
    }
  }
  const next = () => turns.shift()?.();

  it('are written in slices of 4 ms, one in each turn, and lists take turns', async () => {
    const [first, second]: [number[], number[]] = [[], []];
    const texts = [work.listText(numbers(6, first)), work.listText(numbers(5, second))];
    expect([first, second]).toEqual([[], []]);
    for (const lengths of [
      [4, 0],
      [4, 4],
      [6, 4],
      [6, 5],
    ]) {
      expect(turns).toHaveLength(1);
      next();
      expect([first.length, second.length]).toEqual(lengths);
    }
    expect(turns).toEqual([]);
    expect(await Promise.all(texts)).toEqual(['[0,1,2,3,4,5]', '[0,1,2,3,4]']);
    expect(counted).toBe(4);
  });

  it('may be empty, and are not too many at a time', async () => {
    const texts = Array.from({ length: 16 }, () => work.listText([]));
    await expect(work.listText([])).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    while (turns.length > 0) next();
    expect(new Set(await Promise.all(texts))).toEqual(new Set(['[]']));
    const last = work.listText([{ a: 1 }]);
    next();
    expect(await last).toBe('[{"a":1}]');
  });

  it('that fail do not hold the others up', async () => {
    function* broken() {
      yield 1;
      throw new Error('no second item');
    }
    const [failed, good] = [work.listText(broken()), work.listText([1])];
    const failure = expect(failed).rejects.toThrow('no second item');
    while (turns.length > 0) next();
    await failure;
    expect(await good).toBe('[1]');
  });
});
