import { stageId, variantId } from '@equipoise/core/model';
import { afterEach, describe, expect, it } from 'vitest';
import { Planner } from './planner.js';
import { PlannerPool, plannerThreadsFor } from './planner-pool.js';
import { onePipelineSetup, onePlanTask } from './planning-setup.test-support.js';

const planners: Planner[] = [];

function sharing(threads: PlannerPool, count: number): readonly Planner[] {
  const made = Array.from({ length: count }, () => new Planner(onePipelineSetup, threads));
  planners.push(...made);
  return made;
}

describe('PlannerPool', () => {
  afterEach(async () => {
    await Promise.all(planners.splice(0).map((each) => each.close()));
  });

  it.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [64, 4],
  ])('are, on %d processors, %d', (processors, threads) => {
    expect(plannerThreadsFor(processors)).toBe(threads);
  });

  it('plan for several pipelines, each by what it has learned itself', async () => {
    const [one, other] = sharing(new PlannerPool(), 2);
    const correction = { stageId: stageId('a'), variantId: variantId('v'), cpuCores: 1, batchSize: 1, factor: 1.5 };
    await one?.ask({ kind: 'resume', kept: { service: { measured: [], corrections: [correction] } } });
    const results = await Promise.all([one, other].map((each) => each?.ask(onePlanTask)));
    expect(results.map((result) => result?.kind)).toEqual(['feasible', 'feasible']);
    const kept = await Promise.all([one, other].map((each) => each?.ask({ kind: 'keep' })));
    expect(kept.map((each) => each?.service?.corrections)).toEqual([[correction], []]);
    await one?.close();
    expect(await other?.ask(onePlanTask)).toMatchObject({ kind: 'feasible' });
  });

  it('reject what one pipeline waits for when it goes, and nothing of the others', async () => {
    const [one, other] = sharing(new PlannerPool(), 2);
    const answers = [one?.ask(onePlanTask), other?.ask(onePlanTask)];
    const settled = Promise.allSettled(answers);
    await one?.close();
    expect(await settled).toMatchObject([
      { status: 'rejected', reason: { message: 'the planner worker has ended' } },
      { status: 'fulfilled' },
    ]);
  });

  it('take all pipelines of a thread that is stuck to another one', async () => {
    const stuck = new PlannerPool({ answerLimitMs: 1 });
    const [one, other] = sharing(stuck, 2);
    const settled = await Promise.allSettled([one?.ask(onePlanTask), other?.ask(onePlanTask)]);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(other?.ask(onePlanTask)).rejects.toThrow('made no progress');
  });

  it('wait for a thread that gets no processor, and end one that works in silence', async () => {
    const starved = new Planner(onePipelineSetup, new PlannerPool({ answerLimitMs: 1, cpuTimeMs: () => 0 }));
    expect(await starved.ask(onePlanTask)).toMatchObject({ kind: 'feasible' });
    await starved.close();
    let cpuMs = 0;
    const busy = new Planner(onePipelineSetup, new PlannerPool({ answerLimitMs: 5, cpuTimeMs: () => (cpuMs += 10) }));
    await expect(busy.ask(onePlanTask)).rejects.toThrow(/made no progress within .* fewer variants/);
  });
});
