import {
  AppError,
  type DecisionEvidence,
  type Plan,
  type RunningPlan,
  replicaId,
  stageId,
  variantId,
} from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import {
  bench,
  edge,
  fp32,
  type ItemScript,
  ScriptedRunner,
  serve,
  servingSpec,
} from '../data-plane/serving-bench.test-support.js';
import type { LoopEvent } from '../loop/loop-event.js';
import { DesiredReplicas } from './desired-replicas.js';
import { PipelineMonitor } from './pipeline-monitor.js';

const x = { x: fp32([1], 1) };
const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
const stageA = stageId('a');
const v = variantId('v');

const runningPlan: RunningPlan = {
  stages: {
    [stageA]: {
      replicas: [
        { replicaId: replicaId('a-1'), variantId: v, resources, status: 'ready' },
        { replicaId: replicaId('a-2'), variantId: v, resources, status: 'ready' },
        { replicaId: replicaId('a-3'), variantId: v, resources, status: 'starting' },
      ],
      maxBatchSize: 4,
      maxBatchWaitMs: 0,
    },
  },
};

const plan: Plan = {
  stages: {
    [stageA]: [{ variantId: v, resources, maxBatchSize: 4, maxBatchWaitMs: 0, replicas: 3, trafficFraction: 1 }],
  },
  predicted: { latencyMs: 120, percentile: 99, pas: 0.75, capacityRps: 80, cpuCores: 3, costPerHour: 3 },
};

function monitored(script: ItemScript = (item) => item, stages: readonly string[] = ['a']) {
  const clock = new ManualClock();
  const elapse = (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs);
  const desired = new DesiredReplicas();
  const monitor = new PipelineMonitor({ pipelineName: 'bench', version: '9.9.9', desired });
  const noteLoop = (event: LoopEvent) => {
    desired.note(event);
    monitor.noteLoop(event);
  };
  const scripts = Object.fromEntries(stages.map((stage) => [stage, script]));
  const edges = stages.slice(1).map((to, i) => edge(stages[i] ?? '', to));
  const spec = servingSpec(stages, { slo: { latencyMs: 400, percentile: 99 }, edges });
  const { pipeline, runners } = bench(spec, clock, scripts);
  monitor.watch({ runner: pipeline, runningPlan: () => runningPlan });
  return { clock, elapse, monitor, noteLoop, pipeline, runners };
}

/** The samples of a page by name and labels. */
async function samples(page: PipelineMonitor['servingPage']): Promise<ReadonlyMap<string, number>> {
  const lines = (await page.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [
        line
          .slice(0, at)
          .replaceAll(/(,?)pipeline="bench"(,?)/g, (_, a, b) => (a && b ? ',' : ''))
          .replace('{}', ''),
        Number(line.slice(at + 1)),
      ];
    }),
  );
}

describe('requests', () => {
  it('are counted by outcome, with the SLO as a bound of the histogram', async () => {
    const { elapse, monitor, pipeline } = monitored();
    const answers = [pipeline.submit(x), pipeline.submit(x, { timeoutMs: 5 })];
    await elapse(20);
    expect((await Promise.all(answers)).map(({ kind }) => kind)).toEqual(['completed', 'dropped']);
    const page = await samples(monitor.servingPage);
    expect(page.get('equipoise_requests_total{outcome="completed",reason=""}')).toBe(1);
    expect(page.get('equipoise_requests_total{outcome="dropped",reason="deadline-passed"}')).toBe(1);
    expect(page.get('equipoise_requests_within_slo_total')).toBe(1);
    expect(page.get('equipoise_arrivals_total')).toBe(2);
    expect(page.get('equipoise_request_duration_seconds_bucket{le="0.4"}')).toBe(1);
    expect(page.get('equipoise_request_duration_seconds_bucket{le="0.004"}')).toBe(0);
    expect(page.get('equipoise_slo_latency_seconds')).toBe(0.4);
    expect(page.get('equipoise_ready')).toBe(1);
  });

  it('that failed have the code of the error', async () => {
    const { elapse, monitor, pipeline } = monitored(() => new AppError('INVALID_INPUT', 'no'));
    const answer = pipeline.submit(x);
    await elapse(20);
    await answer;
    expect(
      (await samples(monitor.servingPage)).get('equipoise_requests_total{outcome="failed",reason="invalid_input"}'),
    ).toBe(1);
  });

  it('in flight are counted with their bytes', async () => {
    const { elapse, monitor, pipeline } = monitored();
    const answer = pipeline.submit(x);
    const page = await samples(monitor.servingPage);
    expect([page.get('equipoise_requests_in_flight'), page.get('equipoise_in_flight_bytes')]).toEqual([1, 4]);
    await elapse(20);
    await answer;
    expect((await samples(monitor.servingPage)).get('equipoise_requests_in_flight')).toBe(0);
  });
});

describe('stages', () => {
  it('tell their queue, and of batches the size, the wait and the service time', async () => {
    const { elapse, monitor, pipeline } = monitored();
    pipeline.setBatching(stageA, { maxBatchSize: 2, maxBatchWaitMs: 0 });
    const answers = [1, 2, 3].map(() => pipeline.submit(x));
    expect((await samples(monitor.servingPage)).get('equipoise_stage_queue_length{stage="a"}')).toBe(2);
    await elapse(30);
    await Promise.all(answers);
    const page = await samples(monitor.servingPage);
    expect(page.get('equipoise_batch_size_bucket{le="1",stage="a",variant="v"}')).toBe(1);
    expect(page.get('equipoise_batch_size_bucket{le="2",stage="a",variant="v"}')).toBe(2);
    expect(page.get('equipoise_batch_service_seconds_sum{stage="a",variant="v"}')).toBeCloseTo(0.002);
    expect(page.get('equipoise_stage_wait_seconds_sum{stage="a"}')).toBeCloseTo(0.02);
    expect(page.get('equipoise_stage_wait_seconds_count{stage="a"}')).toBe(3);
    expect(page.get('equipoise_stage_busy_seconds_total{stage="a"}')).toBeCloseTo(0.02);
  });

  it('tell the replicas there are by status, and which were lost', async () => {
    const { monitor, runners } = monitored();
    runners['a']?.lose(new AppError('REPLICA_LOST', 'gone'), false);
    const page = await samples(monitor.servingPage);
    expect(page.get('equipoise_replicas{stage="a",variant="v",status="ready"}')).toBe(2);
    expect(page.get('equipoise_replicas{stage="a",variant="v",status="starting"}')).toBe(1);
    expect(page.get('equipoise_replicas_replaced_total{stage="a",cause="lost"}')).toBe(1);
  });

  it('tell a breaker that opens, and that a batch will decide about it', async () => {
    const { clock, elapse, monitor, pipeline } = monitored(() => new AppError('STAGE_FAILED', 'broken'));
    serve(
      pipeline,
      'a',
      new ScriptedRunner(
        (item) => item,
        () => clock.sleep(10),
      ),
    );
    for (let i = 0; i < 10; i++) {
      const answers = [pipeline.submit(x), pipeline.submit(x)];
      await elapse(20);
      await Promise.all(answers);
    }
    const state = async (name: string) =>
      (await samples(monitor.servingPage)).get(`equipoise_breakers{stage="a",variant="v",state="${name}"}`);
    expect(await state('open')).toBe(1);
    expect(await state('closed')).toBe(1);
    expect((await samples(monitor.servingPage)).get('equipoise_breaker_opened_total{stage="a"}')).toBe(1);
    await elapse(1000);
    expect(await state('half-open')).toBe(1);
  });
});

describe('failures', () => {
  it.each(['observe', 'forecast', 'decide', 'apply', 'store'])('of the step %s are 0 from the start', async (step) => {
    const page = await samples(monitored().monitor.servingPage);
    expect(page.get(`equipoise_loop_failures_total{step="${step}"}`)).toBe(0);
  });

  it.each(['lost', 'failing', 'slow', 'hung'])('of replicas that are %s are 0 from the start', async (cause) => {
    const page = await samples(monitored(undefined, ['a', 'b']).monitor.servingPage);
    for (const stage of ['a', 'b'])
      expect(page.get(`equipoise_replicas_replaced_total{stage="${stage}",cause="${cause}"}`)).toBe(0);
  });
});

describe('the control loop', () => {
  const evidence: DecisionEvidence = { forecast: { method: 'given', meanRps: 40, upperRps: 55 } };
  const observation = { atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, runningPlan, staleSources: [] };

  it('tells its plan, what load it expects and what it decided', async () => {
    const { monitor, noteLoop } = monitored();
    expect((await samples(monitor.servingPage)).has('equipoise_plan_capacity_rps')).toBe(false);
    const change = { kind: 'set-batch', stageId: stageA, to: plan.stages[stageA]?.[0] } as never;
    const decision = { kind: 'apply', plan, changes: [change], reason: 'load', evidence } as const;
    noteLoop({ kind: 'decided', record: { id: 1, atEpochMs: 0, observation, decision } });
    noteLoop({ kind: 'in-force', plan, tookMs: 1 });
    noteLoop({
      kind: 'decided',
      record: { id: 1, atEpochMs: 1, observation, decision: { kind: 'hold', reason: 'good', evidence } },
    });
    noteLoop({ kind: 'failed', step: 'store', error: new Error('disk') });
    noteLoop({ kind: 'amended', id: 1, outcome: { kind: 'given-up', message: 'a burst' } });
    const page = await samples(monitor.servingPage);
    expect(page.get('equipoise_plan_capacity_rps')).toBe(80);
    expect(page.get('equipoise_plan_latency_seconds')).toBe(0.12);
    expect(page.get('equipoise_desired_replicas{stage="a",variant="v"}')).toBe(3);
    expect(page.get('equipoise_max_batch_size{stage="a",variant="v"}')).toBe(4);
    expect([
      page.get('equipoise_forecast_rps{bound="mean"}'),
      page.get('equipoise_forecast_rps{bound="upper"}'),
    ]).toEqual([40, 55]);
    expect([
      page.get('equipoise_decisions_total{kind="apply"}'),
      page.get('equipoise_decisions_total{kind="hold"}'),
    ]).toEqual([1, 1]);
    expect(page.get('equipoise_plan_changes_total{kind="set-batch"}')).toBe(1);
    expect(page.get('equipoise_decision_outcomes_total{outcome="given-up"}')).toBe(1);
    expect(page.get('equipoise_decision_outcomes_total{outcome="applied"}')).toBe(0);
    expect(page.get('equipoise_loop_failures_total{step="store"}')).toBe(1);
  });

  it('goes on telling of the plan in force while another is advised', async () => {
    const { monitor, noteLoop } = monitored();
    noteLoop({ kind: 'in-force', plan, tookMs: 1 });
    const advised = { ...plan, predicted: { ...plan.predicted, capacityRps: 200 } };
    const decision = { kind: 'apply', plan: advised, changes: [], reason: 'load', evidence } as const;
    noteLoop({ kind: 'decided', record: { id: 1, atEpochMs: 0, mode: 'advise', observation, decision } });
    expect((await samples(monitor.servingPage)).get('equipoise_plan_capacity_rps')).toBe(80);
  });

  it('tells no capacity and no latency of a plan without an estimate', async () => {
    const { monitor, noteLoop } = monitored();
    const predicted = { ...plan.predicted, capacityRps: 0, latencyMs: 0 };
    noteLoop({ kind: 'in-force', plan: { ...plan, predicted }, tookMs: 1 });
    const page = await samples(monitor.servingPage);
    expect(page.has('equipoise_plan_capacity_rps')).toBe(false);
    expect(page.has('equipoise_plan_latency_seconds')).toBe(false);
    expect(page.has('equipoise_plan_cpu_cores')).toBe(true);
  });

  it('tells what serving has taught, as long as that is in force', async () => {
    const { monitor, noteLoop } = monitored();
    const of = { edge: 0, from: stageA, to: stageId('b'), stated: 0.5, standardError: 0.01, outputs: 400 };
    const learnedEdges = [
      { ...of, kind: 'fan-out' as const, value: 6 },
      { ...of, kind: 'branch' as const, value: 0.25 },
    ];
    const corrections = [1.1, 2, 1.5].map((factor, i) => ({
      ...{ stageId: stageA, variantId: v, cpuCores: 1, batchSize: 2 ** i, factor },
    }));
    const decided = (taught: DecisionEvidence, input?: object) => {
      const decision = { kind: 'hold', reason: 'good', evidence: taught } as const;
      const record = { id: 1, atEpochMs: 1, observation, decision, ...(input && { input }) };
      noteLoop({ kind: 'decided', record });
    };
    const learned = async () =>
      Object.fromEntries([...(await samples(monitor.servingPage))].filter(([name]) => /learned|correction/.test(name)));
    decided({ ...evidence, learnedEdges }, { corrections, state: {} });
    const inForce = {
      'equipoise_profile_correction_ratio{stage="a",variant="v"}': 2,
      'equipoise_learned_fan_out_items{from="a",to="b"}': 6,
      'equipoise_learned_branch_fraction{from="a",to="b"}': 0.25,
    };
    expect(await learned()).toEqual(inForce);
    decided(evidence);
    expect(await learned()).toEqual(inForce);
    decided(evidence, { corrections: [], state: {} });
    expect(await learned()).toEqual({});
  });
});

describe('the pages', () => {
  it('have the process and the version, and tenants on the admin port alone', async () => {
    const { monitor } = monitored();
    monitor.answered({ protocol: 'rest', code: 'OK', tenant: 'north' });
    monitor.shared('returned');
    const [serving, admin] = [await samples(monitor.servingPage), await samples(monitor.adminPage)];
    expect(serving.get('equipoise_shared_requests_total{outcome="returned"}')).toBe(1);
    expect(serving.get('equipoise_answers_total{protocol="rest",code="OK"}')).toBe(1);
    expect(serving.get('process_resident_memory_bytes')).toBeGreaterThan(0);
    expect(serving.get('equipoise_build_info{version="9.9.9"}')).toBe(1);
    expect([...serving.keys()].filter((name) => name.includes('north'))).toEqual([]);
    expect(admin.get('equipoise_tenant_answers_total{tenant="north",code="OK"}')).toBe(1);
    expect(admin.get('equipoise_build_info{version="9.9.9"}')).toBe(1);
  });
});
