import { OMITTED, type RunningPlan, replicaId, stageId, type VariantId, variantId } from '@equipoise/core/model';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { AccuracyWatch } from '../accuracy/accuracy-watch.js';
import { ServedVariants, type VariantChoice } from '../accuracy/served-variants.js';
import { servingSpec } from '../data-plane/serving-bench.test-support.js';
import { watchAccuracy } from '../observe/accuracy-metrics.js';
import { AccuracyFaults } from './accuracy-faults.js';
import { ActiveFaults, type LoopEvent } from './loop-event.js';

const [small, large] = [variantId('small'), variantId('large')];
const [detect, read] = [stageId('detect'), stageId('read')];
const plain = servingSpec(['detect', 'read']);
const spec = {
  ...plain,
  stages: plain.stages.map((stage) => {
    const [only] = stage.variants;
    return stage.id === detect && only ? { ...stage, variants: [small, large].map((id) => ({ ...only, id })) } : stage;
  }),
  accuracyTable: {
    combinations: [{ variants: { [detect]: small }, accuracy: 0.9, confidence95: [0.88, 0.92] as const }],
  },
};
const choice: VariantChoice = { [detect]: small, [read]: variantId('v') };

function running(variant: VariantId): RunningPlan {
  const replicaOf = (id: VariantId) => ({
    replicaId: replicaId(id),
    variantId: id,
    resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
    status: 'ready' as const,
  });
  const stage = (id: VariantId) => ({ replicas: [replicaOf(id)], maxBatchSize: 1, maxBatchWaitMs: 0 });
  return { stages: { [detect]: stage(variant), [read]: stage(variantId('v')) } };
}

class Bench {
  readonly watch = new AccuracyWatch(spec);
  readonly events: LoopEvent[] = [];
  readonly active = new ActiveFaults(
    () => 0,
    (event) => this.events.push(event),
  );
  plan = running(small);
  readonly faults = new AccuracyFaults({
    watch: this.watch,
    faults: this.active,
    runningPlan: () => this.plan,
    nowMs: () => 2_000,
    epochNowMs: () => 1_800_000_001_000,
  });

  score(value: number, count: number): void {
    for (let i = 0; i < count; i++) this.watch.note(choice, value, 1_000);
  }
}

describe('AccuracyFaults', () => {
  it('names variants, both accuracies and the time, until the accuracy recovers', () => {
    const bench = new Bench();
    bench.score(1, 100);
    expect(bench.active.all).toEqual([]);
    bench.score(0, 200);
    const [fault] = bench.active.all;
    expect(fault).toMatchObject({ step: 'accuracy', count: 1 });
    expect(fault?.message).toMatch(
      /^The accuracy of detect=small is 0\.000 \(0\.000 to 0\.\d{3}, \d+ scores\) since 2027-01-15T08:00:00\.000Z; at least 0\.880 is expected\./,
    );
    bench.score(1, 1_050);
    expect(bench.active.all).toEqual([]);
    expect(bench.events.map(({ kind }) => kind)).toEqual(['failed', 'recovered']);
  });

  it('tells only of the quorum in service', () => {
    const carried = { ...choice, [detect]: variantId('small with quorum 2') };
    const combinations = [{ variants: carried, accuracy: 0.9, confidence95: [0.88, 0.92] as const }];
    const watch = new AccuracyWatch({ ...spec, accuracyTable: { combinations } });
    const active = new ActiveFaults(
      () => 0,
      () => {},
    );
    let quorum = 3;
    const plan = running(small);
    const faults = new AccuracyFaults({
      ...{ watch, faults: active, nowMs: () => 2_000, epochNowMs: () => 0 },
      runningPlan: () => ({ stages: { ...plan.stages, [detect]: { ...plan.stages[detect], quorum } as never } }),
    });
    for (let i = 0; i < 200; i++) watch.note(carried, 0, 1_000);
    expect(active.all).toEqual([]);
    quorum = 2;
    faults.check();
    expect(active.all).toHaveLength(1);
  });

  it('tells only of variants in service', () => {
    const bench = new Bench();
    bench.plan = running(large);
    bench.score(0, 200);
    expect(bench.active.all).toEqual([]);
    bench.plan = running(small);
    bench.faults.check();
    expect(bench.active.all).toHaveLength(1);
    bench.plan = running(large);
    bench.faults.check();
    expect(bench.active.all).toEqual([]);
  });

  it('ends when other choices with newer feedback took the place', () => {
    const bench = new Bench();
    bench.score(0, 200);
    expect(bench.active.all).toHaveLength(1);
    for (let i = 0; i < 50; i++) bench.watch.note({ ...choice, [detect]: variantId(`v${i}`) }, 1, 1_000);
    expect([bench.watch.all.length, bench.active.all]).toEqual([50, []]);
  });

  it('begins again with other measured accuracies', () => {
    const bench = new Bench();
    bench.score(0, 200);
    bench.watch.follow({ ...spec, slo: { latencyMs: 1, percentile: 99 } });
    expect(bench.watch.all).toHaveLength(1);
    bench.watch.follow({ ...spec, accuracyTable: { combinations: [] } });
    expect([bench.watch.all, bench.active.all]).toEqual([[], []]);
  });
});

it('metrics show the accuracy with its interval', async () => {
  const { watch, score } = new Bench();
  const registry = new Registry();
  watchAccuracy(registry, watch);
  expect(await registry.metrics()).not.toContain('{');
  score.call({ watch } as Bench, 0.5, 400);
  const lines = (await registry.metrics()).split('\n').filter((line) => !line.startsWith('#') && line !== '');
  expect(lines).toEqual([
    'equipoise_feedback_total{variants="detect=small"} 400',
    'equipoise_accuracy{variants="detect=small",bound="mean"} 0.5',
    expect.stringMatching(/^equipoise_accuracy\{variants="detect=small",bound="low"\} 0\.4[45]/),
    expect.stringMatching(/^equipoise_accuracy\{variants="detect=small",bound="high"\} 0\.5[45]/),
    'equipoise_accuracy_least_expected{variants="detect=small"} 0.88',
    'equipoise_accuracy_is_lower{variants="detect=small"} 1',
  ]);
});

it('keeps the answers of an ensemble without its optional stage apart', () => {
  const stages = spec.stages.map((stage) => ({ ...stage, ...(stage.id === read && { optional: true as const }) }));
  const watch = new AccuracyWatch({ ...spec, stages });
  watch.note(choice, 1, 0);
  watch.note({ ...choice, [read]: OMITTED }, 0, 0);
  expect(watch.all.map(({ variants }) => variants)).toEqual(['detect=small read=v', 'detect=small read=omitted']);
});

it('a choice with an omitted stage is in service while the stage is omitted', () => {
  const bench = new Bench();
  for (let i = 0; i < 200; i++) bench.watch.note({ ...choice, [read]: OMITTED }, 0, 1_000);
  expect(bench.active.all).toEqual([]);
  const { [detect]: first } = running(small).stages;
  const none = { replicas: [], maxBatchSize: 1, maxBatchWaitMs: 0, omitted: true as const };
  bench.plan = { stages: { ...(first && { [detect]: first }), [read]: none } };
  bench.faults.check();
  expect(bench.active.all).toHaveLength(1);
});

it('ServedVariants knows the choice of variants that answered', () => {
  const inService: (VariantId | undefined)[] = [small, variantId('v')];
  const served = new ServedVariants(spec, (stage) => inService[stage]);
  const answered = (...ran: readonly VariantId[]) => {
    const request = served.begin();
    for (const variant of ran) served.note(request, 0, variant);
    return request;
  };
  // A stage that a request did not visit has the variant in service.
  expect(served.choiceOf(answered(small))).toEqual(choice);
  expect(served.choiceOf(answered(large))).toEqual({ ...choice, [detect]: large });
  expect(served.choiceOf(answered(large, small))).toBeUndefined();
  const before = answered(small);
  inService[1] = OMITTED;
  expect(served.choiceOf(before)).toBeUndefined();
  expect(served.choiceOf(answered(small))).toEqual({ ...choice, [read]: OMITTED });
  inService[1] = undefined;
  expect(served.choiceOf(answered(small))).toBeUndefined();
});
