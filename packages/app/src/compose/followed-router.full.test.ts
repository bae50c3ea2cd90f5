/** Plans of an operator from its planning thread, with metrics of a real router. */
import { askRouter, FollowedPlans, type InferencePipeline } from '@equipoise/adapter-kubernetes';
import type { Decision } from '@equipoise/core/model';
import { monotonicClock, PlannerPool } from '@equipoise/runtime';
import { afterAll, describe, expect, it } from 'vitest';
import { serving, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';
import { ThreadPlanner } from './operator-deps.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

describe('plans that follow a router', () => {
  it('see its load, what became of it, and answer a burst', { timeout: 60_000 }, async () => {
    const file = folder.write(
      'pipeline.yaml',
      syntheticPipeline({ spec: 'control: { mode: auto, intervalMs: 4000 }' }),
    );
    const { url } = await serving(folder.path, file, '--fixed', '--arrival-rps', '120');
    const decisions: Decision[] = [];
    const threads = new PlannerPool();
    const plans = new FollowedPlans({
      clock: monotonicClock,
      nowEpochMs: Date.now,
      ask: (_address, signal, question) => askRouter(`${url}/metrics`, signal, question),
      plannerFor: (spec) => new ThreadPlanner(spec, threads),
      report: (_key, decision) => decisions.push(decision),
    });
    const spec = await loadSpec(`${folder.path}/${file}`);
    const router = {
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: { name: 'router', labels: { 'equipoise.dev/part': 'router', 'equipoise.dev/pipeline': 'synthetic' } },
      status: { podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
    };
    const pipeline: InferencePipeline = {
      ...{ apiVersion: 'equipoise.dev/v1alpha1', kind: 'InferencePipeline' },
      ...{ metadata: { name: 'synthetic' }, spec: {} },
    };
    const pass = () => plans.planOf('synthetic', spec, { pipeline, pods: [router], children: [] });
    const send = async (rps: number, seconds: number): Promise<void> => {
      const run = `${url}/v1/pipelines/synthetic/run`;
      const headers = { 'content-type': 'application/json' };
      const sent: Promise<unknown>[] = [];
      for (let i = 0; i < rps * seconds; i++) {
        sent.push(fetch(run, { method: 'POST', headers, body: '{"x": 1}' }).then((answer) => answer.arrayBuffer()));
        await new Promise((resolve) => setTimeout(resolve, 1000 / rps));
      }
      await Promise.all(sent);
    };
    await pass();
    await send(20, 10);
    const calm = await pass();
    expect(calm).toMatchObject({ kind: 'plan' });
    expect(plans.signalsOf('synthetic')).toMatchObject({ observed: { percentile: 99, sloAttainmentFraction: 1 } });
    await send(120, 4);
    expect(decisions.map(({ evidence }) => evidence.forecast.method)).toContain('burst');
    const busy = await pass();
    if (calm.kind !== 'plan' || busy.kind !== 'plan') throw new Error('there are plans');
    expect(calm.arrivalRps).toBeGreaterThan(10);
    expect(busy.arrivalRps).toBeGreaterThan(calm.arrivalRps + 30);
    await plans.close();
  });
});
