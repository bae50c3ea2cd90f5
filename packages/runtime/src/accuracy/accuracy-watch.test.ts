import { stageId, variantId } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { setUp } from '../data-plane/runner-bench.test-support.js';
import { ScriptedRunner, servingSpec } from '../data-plane/serving-bench.test-support.js';
import { AccuracyWatch } from './accuracy-watch.js';

const a = stageId('a');
const [v, w, unmeasured] = [variantId('v'), variantId('w'), variantId('unmeasured')];
const plain = servingSpec(['a']);
const spec = {
  ...plain,
  feedback: { maxRequests: 10, maxAgeMs: 1000 },
  accuracyTable: {
    combinations: [
      { variants: { [a]: v }, accuracy: 0.9, confidence95: [0.88, 0.92] as const },
      { variants: { [a]: w }, accuracy: 0.8, confidence95: [0.78, 0.82] as const },
    ],
  },
  stages: plain.stages.map((stage) => ({
    ...stage,
    variants: [v, w, unmeasured].flatMap((id) =>
      stage.variants.slice(0, 1).map(({ accuracy: _, ...rest }) => ({ ...rest, id })),
    ),
  })),
};

describe('scores of a canary', () => {
  it('are those of the new variant since it began', () => {
    const watch = new AccuracyWatch(spec);
    watch.note({ [a]: w }, 0, 0);
    const before = watch.sums;
    const isNew = (id: typeof v) => id === w;
    expect(watch.scoresSince(before, a, isNew)).toBeUndefined();
    for (const score of [1, 0.25, 0]) watch.note({ [a]: w }, score, 0);
    watch.note({ [a]: v }, 0, 0);
    const leastExpected = expect.closeTo(0.78, 5);
    expect(watch.scoresSince(before, a, isNew)).toEqual({ scores: 3, loss: 1.75, leastExpected });
  });

  it.each(['w at 0.6', 'w with quorum 2', 'w at 0.6 with quorum 2'])('are those of its choice %s', (choice) => {
    const combinations = [{ variants: { [a]: variantId(choice) }, accuracy: 0.8 }];
    const watch = new AccuracyWatch({ ...spec, accuracyTable: { combinations } });
    watch.note({ [a]: variantId(choice) }, 0.5, 0);
    expect(watch.scoresSince(new Map(), a, (id) => id === w)).toMatchObject({ scores: 1, loss: 0.5 });
  });

  it('are all of those since the choice was forgotten', () => {
    const watch = new AccuracyWatch(spec);
    for (let i = 0; i < 10; i++) watch.note({ [a]: w }, 0, 0);
    const before = watch.sums;
    const [first, ...others] = spec.accuracyTable.combinations;
    watch.follow({ ...spec, accuracyTable: { combinations: [{ ...first, accuracy: 0.91 }, ...others] } as never });
    for (let i = 0; i < 20; i++) watch.note({ [a]: w }, 1, 0);
    expect(watch.scoresSince(before, a, (id) => id === w)).toMatchObject({ scores: 20, loss: 0 });
  });

  it('are none without an expected accuracy', () => {
    const watch = new AccuracyWatch(spec);
    watch.note({ [a]: unmeasured }, 0, 0);
    expect(watch.scoresSince(new Map(), a, () => true)).toBeUndefined();
  });

  it('are in the counts of the canary, without earlier ones', async () => {
    const { clock, pipeline } = setUp(spec, { a: (item) => item });
    pipeline.accuracy?.note({ [a]: w }, 0, clock.nowMs());
    pipeline.openCanary(a, { maxBatchSize: 1, maxBatchWaitMs: 0 });
    pipeline.addReplica(a, {
      ...{ replicaId: 'new' as never, variantId: w, inCanary: true },
      resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
      runner: new ScriptedRunner(
        (item) => item,
        async () => {},
      ),
    });
    pipeline.accuracy?.note({ [a]: w }, 0.5, clock.nowMs());
    pipeline.accuracy?.note({ [a]: v }, 0, clock.nowMs());
    expect(pipeline.canaryCounts(a).accuracy).toMatchObject({ scores: 1, loss: 0.5 });
  });
});

it('choices that differ in the threshold or quorum of a stage with one variant have accuracies of their own', () => {
  const two = servingSpec(['a', 'b', 'c']);
  const [b, c] = [stageId('b'), stageId('c')];
  const thresholds = [0.6, 0.8];
  const joined = { join: { quorum: 1, quorums: [1, 2] } };
  const choosing = {
    ...two,
    stages: two.stages.map((stage) =>
      stage.id === b ? { ...stage, variants: spec.stages[0]?.variants ?? [] } : stage,
    ),
    edges: [
      { from: a, to: b, when: { condition: 'output.p[0] < threshold', probability: 0.5, thresholds } },
      { from: a, to: c, ...joined },
      { from: b, to: c, ...joined },
    ],
  };
  const watch = new AccuracyWatch(choosing);
  for (const chosen of ['v at 0.6', 'v at 0.8'])
    for (const last of ['v with quorum 1', 'v with quorum 2'])
      watch.note({ [a]: variantId(chosen), [b]: v, [c]: variantId(last) }, 1, 0);
  expect(watch.all.map(({ variants }) => variants)).toEqual([
    'a=v at 0.6 b=v c=v with quorum 1',
    'a=v at 0.6 b=v c=v with quorum 2',
    'a=v at 0.8 b=v c=v with quorum 1',
    'a=v at 0.8 b=v c=v with quorum 2',
  ]);
});
