import { describe, expect, it } from 'vitest';
import type { Observation } from '../../model/decision.js';
import { replicaId, stageId, variantId } from '../../model/ids.js';
import type { ReplicaStatus } from '../../model/running-plan.js';
import { smallOrLargeSpec } from '../../model/spec-builders.test-support.js';
import { noStarts, observeStarts, type StartState, startOf, summarizedStarts } from './profile-feedback.js';

const large = { stageId: stageId('detect'), variantId: variantId('large') };
const context = { spec: smallOrLargeSpec(), profiles: [{ ...large, points: [], loadMs: 700 }] };

/** Observation of replicas of the large variant, by status. */
function seeing(atS: number, statuses: Readonly<Record<string, ReplicaStatus>>) {
  const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
  const replicas = Object.entries(statuses).map(([id, status]) => ({
    ...{ replicaId: replicaId(id), variantId: large.variantId, resources, status },
  }));
  const runningPlan = { stages: { [large.stageId]: { replicas, maxBatchSize: 1, maxBatchWaitMs: 0 } } };
  return { atMs: 1000 * atS, load: { arrivalsPerSecond: [] }, stages: {}, runningPlan, staleSources: [] };
}

const after = (...ticks: readonly Observation[]): StartState => ticks.reduce(observeStarts, noStarts);

describe('observeStarts', () => {
  it('learns the time from the first look at a starting replica to the first at a ready one', () => {
    const { times } = after(
      seeing(0, { a: 'ready' }),
      seeing(1, { a: 'ready', b: 'starting', c: 'starting' }),
      seeing(4, { a: 'ready', b: 'ready', c: 'starting' }),
      seeing(9, { a: 'ready', b: 'ready', c: 'ready' }),
    );
    expect(times).toEqual([{ ...large, startMs: [3000, 8000], atOnce: 2 }]);
  });

  it('learns nothing from a replica that did not come, that was ready at once, or while the clock was set back', () => {
    expect(after(seeing(0, { a: 'starting' }), seeing(2, {}), seeing(4, { a: 'ready' })).times).toEqual([]);
    expect(after(seeing(0, {}), seeing(1, { a: 'ready' })).times).toEqual([]);
    expect(after(seeing(9, { a: 'starting' }), seeing(1, { a: 'ready' })).times).toEqual([]);
  });

  it('learns the starts that the observation states', () => {
    const starts = [{ ...large, startMs: [20_000], atOnce: 3 }];
    const { times } = after({ ...seeing(0, { a: 'ready' }), starts }, seeing(1, { a: 'ready' }));
    expect(times).toEqual(starts);
  });

  it('is the same object where nothing starts, and remembers the last twenty', () => {
    expect(observeStarts(noStarts, seeing(0, { a: 'ready' }))).toBe(noStarts);
    const ticks = Array.from({ length: 30 }, (_, i) => [
      seeing(100 * i, { [`r${i}`]: 'starting' }),
      seeing(100 * i + i, { [`r${i}`]: 'ready' }),
    ]).flat();
    expect(after(...ticks).times[0]?.startMs).toEqual(Array.from({ length: 20 }, (_, i) => 1000 * (i + 10)));
  });
});

describe('startOf', () => {
  it('is the 90 % quantile of what was seen, which the summary keeps', () => {
    const startMs = Array.from({ length: 20 }, (_, i) => 1000 * (20 - i));
    const times = [{ ...large, startMs, atOnce: 8 }];
    expect(startOf(context, times, large)).toEqual({ startMs: 18_000, atOnce: 8 });
    const summary = summarizedStarts({ startingSinceMs: {}, times });
    expect(startOf(context, summary, large)).toEqual({ startMs: 18_000, atOnce: 8 });
  });

  it('is the load time of the profile, two at once, until a replica has started', () => {
    expect(startOf(context, [], large)).toEqual({ startMs: 700, atOnce: 2 });
  });
});
