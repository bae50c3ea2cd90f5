import { AppError, type PipelineSpec, SeededRng, stageId, type TensorMap, variantId } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { PipelineRunner } from '../data-plane/pipeline-runner.js';
import { fp32, type ItemScript, ScriptedRunner, serve, servingSpec } from '../data-plane/serving-bench.test-support.js';
import { AgreementFaults } from '../loop/accuracy-faults.js';
import { ActiveFaults, type LoopEvent } from '../loop/loop-event.js';
import { watchAgreement } from '../observe/accuracy-metrics.js';
import { ShadowReplicas } from './shadow-replicas.js';

const [a, v, w, large] = [stageId('a'), variantId('v'), variantId('w'), variantId('large')];

function specOf(fraction: number, accuracies: readonly number[] = []): PipelineSpec {
  const spec = servingSpec(['a']);
  const shadow = { variantId: large, fraction, cpuCores: 1, metric: { kind: 'accuracy' } } as const;
  const stages = spec.stages.map((stage) => ({
    ...stage,
    shadow,
    variants: [v, w, large].flatMap((id, index) => {
      const value = accuracies[index];
      return stage.variants.map((variant) => ({
        ...variant,
        id,
        ...(value !== undefined && { accuracy: { value, metric: 'accuracy' } }),
      }));
    }),
  }));
  return { ...spec, stages };
}

/** A stage whose variants answer the class `x` modulo 10, unless a script says otherwise. */
class Bench {
  readonly clock = new ManualClock();
  readonly spec: PipelineSpec;
  readonly shadows: ShadowReplicas;
  readonly pipeline: PipelineRunner;
  readonly shadow: ScriptedRunner;
  readonly problems: (string | undefined)[] = [];
  launches = 0;
  launchError: AppError | undefined;

  constructor(
    spec: PipelineSpec,
    scripts: {
      readonly v?: ItemScript;
      readonly large?: ItemScript;
      readonly shadowMs?: number;
      readonly shadow?: ScriptedRunner;
    } = {},
  ) {
    this.spec = spec;
    const sleep = async () => {
      if (scripts.shadowMs !== undefined) await this.clock.sleep(scripts.shadowMs);
    };
    this.shadow = scripts.shadow ?? new ScriptedRunner(scripts.large ?? classOf, sleep);
    this.shadows = new ShadowReplicas(spec, {
      launcher: {
        launch: async ({ variant, resources }) => {
          this.launches += 1;
          expect([variant.id, resources.cpuCores]).toEqual([large, 1]);
          if (this.launchError !== undefined) throw this.launchError;
          return { runner: this.shadow, loadMs: 1 };
        },
      },
      clock: this.clock,
      rng: new SeededRng(1),
      onProblem: (problem) => this.problems.push(problem?.message),
    });
    this.pipeline = new PipelineRunner({ spec, hostCores: 8, clock: this.clock, shadows: this.shadows });
    serve(this.pipeline, 'a', new ScriptedRunner(scripts.v ?? classOf, async () => {}));
  }

  async start(): Promise<this> {
    this.shadows.start();
    await settled();
    return this;
  }

  async answer(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const outcome = await this.pipeline.submit({ x: fp32([1], i) });
      expect(outcome.kind).toBe('completed');
      await settled();
    }
  }

  async advance(byMs: number): Promise<void> {
    await this.clock.advanceTo(this.clock.nowMs() + byMs);
    await settled();
  }

  get watched() {
    return this.shadows.agreement.of(a, v);
  }
}

/** Its first item never ends, until it is abandoned. */
class HungRunner extends ScriptedRunner {
  readonly abandon: () => void;

  constructor() {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    super(classOf, () => released);
    this.abandon = () => {
      this.lose(new AppError('REPLICA_LOST', 'it was given up'), true);
      release();
    };
  }
}

const numberOf = (item: TensorMap): number => Number(item['x']?.data[0]);
const classOf: ItemScript = (item) => ({ c: fp32([1], numberOf(item) % 10) });
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a shadow', () => {
  it('gets a copy of all items, and its answers are compared with those of the clients', async () => {
    const wrong: ItemScript = (item) => (numberOf(item) % 4 === 0 ? { c: fp32([1], 11) } : classOf(item));
    const bench = await new Bench(specOf(1), { v: wrong }).start();
    await bench.answer(40);
    expect(bench.watched).toMatchObject({ scores: 40, loss: 10, failed: 0, skipped: 0 });
    expect(bench.shadow.batches).toHaveLength(40);
    expect(bench.shadow.batches[3]).toEqual([{ x: fp32([1], 3) }]);
  });

  it('gets the fraction of the items', async () => {
    const bench = await new Bench(specOf(0.1)).start();
    await bench.answer(500);
    expect(bench.shadow.batches.length).toBeGreaterThan(25);
    expect(bench.shadow.batches.length).toBeLessThan(80);
    expect(bench.watched?.loss).toBe(0);
  });

  it.each([0, 1, 2, 3, 4])('compares an item that comes %s turns after the last comparison', async (turns) => {
    const bench = await new Bench(specOf(1)).start();
    const item = (value: number) => ({
      ...{ variantId: v, isNew: () => false },
      ...{ input: { x: fp32([1], value) }, output: { c: fp32([1], value) } },
    });
    bench.shadows.offer(a, item(1));
    while (bench.watched?.scores === 0) await Promise.resolve();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    bench.shadows.offer(a, item(2));
    await settled();
    expect(bench.watched).toMatchObject({ scores: 2, loss: 0 });
  });

  it('delays no request: items beyond its queue are skipped', async () => {
    const bench = await new Bench(specOf(1), { shadowMs: 1_000 }).start();
    await bench.answer(30);
    // One runs, 16 wait.
    expect(bench.watched).toMatchObject({ scores: 0, skipped: 13 });
    for (let i = 0; i < 17; i++) {
      await bench.advance(1_000);
      await settled();
    }
    expect(bench.watched).toMatchObject({ scores: 17, loss: 0, skipped: 13 });
  });

  it('compares nothing while the serving variant is the shadow itself', async () => {
    const bench = await new Bench(specOf(1)).start();
    bench.shadows.offer(a, { variantId: large, isNew: () => false, input: {}, output: {} });
    expect(bench.shadow.batches).toHaveLength(0);
    expect(bench.shadows.agreement.of(a, large)).toBeUndefined();
  });

  it('starts again after it was lost, later each time', async () => {
    const bench = await new Bench(specOf(1)).start();
    bench.launchError = new AppError('MODEL_LOAD_FAILED', 'no such file');
    bench.shadow.lose(new AppError('REPLICA_LOST', 'it crashed'), false);
    await bench.answer(1);
    expect(bench.watched).toMatchObject({ scores: 0, skipped: 1 });
    expect(bench.problems).toEqual(['The shadow large of stage a compares nothing: it crashed']);
    await bench.advance(5_000);
    await settled();
    expect([bench.launches, bench.problems.at(-1)]).toEqual([
      2,
      'The shadow large of stage a compares nothing: no such file',
    ]);
    bench.launchError = undefined;
    await bench.advance(9_999);
    await settled();
    expect(bench.launches).toBe(2);
    await bench.advance(1);
    await settled();
    expect([bench.launches, bench.problems.at(-1)]).toEqual([3, undefined]);
  });

  it('starts again after it was lost in the middle of an item', async () => {
    const bench = await new Bench(specOf(1), { shadowMs: 10 }).start();
    await bench.answer(3);
    bench.shadow.lose(new AppError('REPLICA_LOST', 'it crashed'), true);
    await bench.advance(10);
    expect(bench.watched).toMatchObject({ scores: 0, failed: 1, skipped: 2 });
    expect(bench.problems).toEqual(['The shadow large of stage a compares nothing: it crashed']);
    await bench.advance(5_000);
    await settled();
    expect([bench.launches, bench.problems.at(-1)]).toEqual([2, undefined]);
  });

  it('starts again later after each hang, even if it works in between', async () => {
    const bench = await new Bench(specOf(1)).start();
    for (const delayMs of [10_000, 20_000]) {
      const { launches } = bench;
      bench.shadow.lose(new AppError('REPLICA_LOST', 'it hung', { details: { trouble: 'hung' } }), false);
      await bench.advance(delayMs - 1);
      await settled();
      expect(bench.launches).toBe(launches);
      await bench.advance(1);
      await settled();
      expect(bench.launches).toBe(launches + 1);
      bench.shadow.restore();
      await bench.answer(1);
    }
    expect(bench.watched).toMatchObject({ scores: 2, failed: 0 });
  });

  it('is a problem once five comparisons in a row failed, until one works', async () => {
    let fails = true;
    const sometimes: ItemScript = (item) => (fails ? new AppError('STAGE_FAILED', 'odd input') : classOf(item));
    const bench = await new Bench(specOf(1), { large: sometimes }).start();
    await bench.answer(4);
    expect(bench.problems).toEqual([]);
    await bench.answer(1);
    expect(bench.problems).toEqual(['The shadow large of stage a compares nothing: odd input']);
    expect(bench.watched).toMatchObject({ scores: 0, failed: 5 });
    fails = false;
    await bench.answer(1);
    expect(bench.problems.at(-1)).toBeUndefined();
  });

  it('is a problem if the answers cannot be compared', async () => {
    const bench = await new Bench(specOf(1), { large: () => ({ c: fp32([1], 1), d: fp32([1], 1) }) }).start();
    await bench.answer(5);
    expect(bench.problems).toEqual([expect.stringMatching(/compares nothing: The tensor of .*output is not set/)]);
  });

  it('closes while an item runs and others wait', async () => {
    const bench = await new Bench(specOf(1), { shadowMs: 1_000 }).start();
    await bench.answer(5);
    const closed = bench.shadows.close();
    await bench.advance(1_000);
    await closed;
    expect(bench.shadow.batches).toHaveLength(1);
  });

  it('closes without an item that hangs', async () => {
    const bench = await new Bench(specOf(1), { shadow: new HungRunner() }).start();
    await bench.answer(1);
    const closed = bench.shadows.close();
    await settled();
    await bench.advance(1_000);
    await closed;
    await bench.advance(60_000);
    expect(bench.launches).toBe(1);
  });
});

describe('agreement that is lower than expected', () => {
  it('follows from the accuracies of both variants', async () => {
    const bench = await new Bench(specOf(1, [0.9, 0.85, 0.95])).start();
    const { agreement } = bench.shadows;
    expect(agreement.of(a, v)?.test.leastExpected).toBeCloseTo(0.84, 6);
    expect(agreement.of(a, w)?.test.leastExpected).toBeCloseTo(0.79, 6);
    expect(new Bench(specOf(1)).watched?.test.leastExpected).toBeUndefined();
  });

  it('is the measured one if there is one', async () => {
    const measured = { stage: a, variant: v, agreement: 0.97, confidence95: [0.95, 0.98], items: 500 } as const;
    const agreements = [{ ...measured, shadow: large }];
    const spec = { ...specOf(1, [0.9, 0.85, 0.95]), accuracyTable: { combinations: [], agreements } };
    const { agreement } = new Bench(spec).shadows;
    expect(agreement.of(a, v)?.test.leastExpected).toBeCloseTo(0.95, 6);
    expect(agreement.of(a, w)?.test.leastExpected).toBeCloseTo(0.79, 6);
  });

  it('is a fault that names stage, variants and both agreements, while the variant serves', async () => {
    const bench = await new Bench(specOf(1, [0.9, 0.85, 0.95]), { v: () => ({ c: fp32([1], 11) }) }).start();
    const events: LoopEvent[] = [];
    let served = [v];
    const faults = new AgreementFaults({
      watch: bench.shadows.agreement,
      faults: new ActiveFaults(
        () => 0,
        (event) => events.push(event),
      ),
      runningPlan: () => ({
        stages: { [a]: { replicas: served.map((id) => replica(id)), maxBatchSize: 1, maxBatchWaitMs: 0 } },
      }),
      nowMs: () => bench.clock.nowMs(),
      epochNowMs: () => 1_800_000_000_000,
    });
    await bench.answer(100);
    expect(events).toEqual([expect.objectContaining({ kind: 'failed', step: 'agreement' })]);
    expect(events[0]).toMatchObject({
      error: {
        message: expect.stringMatching(
          /^The agreement of a=v with its shadow large is 0\.000 \(0\.000 to 0\.\d+, \d+ items\) since 2027-01-15T08:00:00\.000Z; at least 0\.840 is expected\. One of the two became worse/,
        ),
      },
    });
    served = [large];
    faults.check();
    expect(events.at(-1)).toEqual({ kind: 'recovered', step: 'agreement' });
  });

  it('is in the counts of a canary, all of whose items are compared', async () => {
    const bench = await new Bench(specOf(0.0001, [0.9, 0.85, 0.95])).start();
    await bench.answer(20);
    bench.pipeline.openCanary(a, { maxBatchSize: 1, maxBatchWaitMs: 0 });
    bench.pipeline.shareCanary(a, 0.5);
    bench.pipeline.addReplica(a, {
      ...{ ...replica(w), variantId: w, inCanary: true },
      runner: new ScriptedRunner(
        () => ({ c: fp32([1], 11) }),
        async () => {},
      ),
    });
    expect(bench.pipeline.canaryCounts(a).agreement).toBeUndefined();
    await bench.answer(20);
    const { agreement, after } = bench.pipeline.canaryCounts(a);
    expect(after.ended).toBeGreaterThan(0);
    expect(agreement).toEqual({ scores: after.ended, loss: after.ended, leastExpected: expect.closeTo(0.79, 6) });
  });

  it('is in the metrics', async () => {
    const bench = await new Bench(specOf(1, [0.9, 0.85, 0.95])).start();
    const registry = new Registry();
    watchAgreement(registry, bench.shadows.agreement);
    expect(await registry.metrics()).not.toContain('{');
    await bench.answer(100);
    const lines = (await registry.metrics()).split('\n').filter((line) => !line.startsWith('#') && line !== '');
    const labels = 'stage="a",variant="v",shadow="large"';
    expect(lines).toEqual([
      `equipoise_shadow_items_total{${labels},result="compared"} 100`,
      `equipoise_agreement{${labels},bound="mean"} 1`,
      expect.stringContaining(`equipoise_agreement{${labels},bound="low"} 0.9`),
      `equipoise_agreement{${labels},bound="high"} 1`,
      expect.stringContaining(`equipoise_agreement_least_expected{${labels}} 0.8`),
      `equipoise_agreement_is_lower{${labels}} 0`,
    ]);
  });
});

const replica = (id: typeof v) => ({
  replicaId: `a-${id}` as never,
  variantId: id,
  resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
  status: 'ready' as const,
});
