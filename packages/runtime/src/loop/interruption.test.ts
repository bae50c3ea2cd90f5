import type { BatchTimes, EdgeCount, Observation } from '@equipoise/core/model';
import { stageId, variantId } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { Interruption } from './interruption.js';

const batches: readonly BatchTimes[] = [
  { stageId: stageId('a'), variantId: variantId('v'), cpuCores: 1, batchSize: 1, serviceMs: [5] },
];

const at = (atMs: number): Observation => ({
  ...{ atMs, load: { arrivalsPerSecond: [] }, stages: {}, runningPlan: { stages: {} }, staleSources: [] },
});

const edges: readonly EdgeCount[] = [{ offered: 4, taken: 3, fanOuts: 0, items: 0 }];

describe('Interruption', () => {
  it('begins a step anew on the observation that is more urgent, once, with what was counted until then', () => {
    const lastChange = { kind: 'applied', changed: [], unchanged: [] } as const;
    const interruption = new Interruption();
    const coming = [undefined, at(1), at(2), at(3)];
    const seen: Observation[] = [];
    let finished = 0;
    const lookout = { later: () => coming.shift(), showsBurst: ({ atMs }: Observation) => atMs === 2 };
    const result = interruption.during(lookout, { ...at(0), batches, edges, lastChange }, (observation) => {
      seen.push(observation);
      for (let verdict = 0; verdict < 4; verdict++) interruption.check();
      finished += 1;
      return observation.atMs;
    });
    expect([result, finished]).toEqual([2, 1]);
    expect(seen).toEqual([
      { ...at(0), batches, edges, lastChange },
      { ...at(2), batches, edges, lastChange },
    ]);
    expect(coming).toEqual([at(3)]);
  });

  it('leaves a step alone that fails, and what is checked outside of one', () => {
    const interruption = new Interruption();
    const lookout = { later: () => at(1), showsBurst: () => true };
    const failing = () => {
      throw new Error('solver');
    };
    expect(() => interruption.during(lookout, at(0), failing)).toThrow('solver');
    expect(() => interruption.check()).not.toThrow();
    expect(interruption.during({ later: undefined, showsBurst: () => true }, at(0), () => 'whole')).toBe('whole');
  });
});
