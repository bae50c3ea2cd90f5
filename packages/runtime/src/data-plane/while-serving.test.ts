import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import type { PipelineOutcome } from './pending-request.js';
import { PipelineRunner } from './pipeline-runner.js';
import { bench, fp32, ScriptedRunner, serve, servingSpec } from './serving-bench.test-support.js';

describe('what may change while it serves', () => {
  it('is the latency of the SLO: deadlines and what is within it follow', async () => {
    const clock = new ManualClock();
    const { pipeline } = bench(servingSpec(['a'], { slo: { latencyMs: 50, percentile: 99 } }), clock, {
      a: (item) => item,
    });
    pipeline.setSloLatency(8);
    const answers = [1, 2].map(() => pipeline.submit({ x: fp32([1], 1) }));
    await clock.advanceTo(30);
    expect((await Promise.all(answers)).map(({ kind }) => kind)).toEqual(['completed', 'dropped']);
    pipeline.setSloLatency(20);
    const timely = pipeline.submit({ x: fp32([1], 1) });
    await clock.advanceTo(50);
    expect((await timely).kind).toBe('completed');
    expect(pipeline.statistics.total).toMatchObject({ completed: 2, withinSlo: 1 });
    expect(pipeline.spec.slo).toEqual({ latencyMs: 20, percentile: 99 });
  });

  it('is how many threads compute at once: what waits at the gate starts at once', async () => {
    const clock = new ManualClock();
    const pipeline = new PipelineRunner({ spec: servingSpec(['a']), hostCores: 1, clock });
    const runners = [1, 2].map(
      () =>
        new ScriptedRunner(
          (item) => item,
          () => clock.sleep(10),
        ),
    );
    for (const runner of runners) serve(pipeline, 'a', runner);
    for (let i = 0; i < 2; i++) void pipeline.submit({ x: fp32([1], 1) });
    const started = () => runners.reduce((sum, { batches }) => sum + batches.length, 0);
    expect(started()).toBe(1);
    pipeline.setHostCores(2);
    expect(started()).toBe(2);
    await clock.advanceTo(20);
  });

  it('is the admission: bounds, priorities and the answer margin hold for who comes', async () => {
    const clock = new ManualClock();
    const { pipeline } = bench(servingSpec(['a']), clock, { a: (item) => item });
    const submit = (timeoutMs = 400, priority = 1) => pipeline.submit({ x: fp32([1], 1) }, { timeoutMs, priority });
    const dropped = async (outcome: Promise<PipelineOutcome>) => {
      const end = await outcome;
      return end.kind === 'dropped' ? end.reason : end.kind;
    };
    const [running, waiting] = [submit(), submit()];
    pipeline.setAdmission({ maxQueueLength: 1 });
    expect(await dropped(submit())).toBe('queue-full');
    pipeline.setAdmission({ maxQueueLength: 100, maxInFlightBytes: 8 });
    expect(await dropped(submit())).toBe('memory-full');
    pipeline.setAdmission({ maxQueueLength: 100, answerMarginMs: 4, priorities: { shares: [0, 0, 0, 0], default: 2 } });
    const order: string[] = [];
    const note = (name: string, outcome: Promise<PipelineOutcome>) =>
      void dropped(outcome).then((end) => order.push(`${clock.nowMs()} ${name} ${end}`));
    note('last', submit(400, 4));
    note('third', submit(400, 3));
    note('late', submit(18, 4));
    await clock.advanceTo(100);
    expect(await Promise.all([running, waiting].map(dropped))).toEqual(['completed', 'completed']);
    expect(order).toEqual(['14 late deadline-passed', '30 third completed', '40 last completed']);
    expect(pipeline.spec.admission.answerMarginMs).toBe(4);
  });
});
