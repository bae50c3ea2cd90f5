/** All pages of commands with made-up figures. The given name is that of pipelines, stages, variants, policies and loads. */
import { type PipelineSpec, type Plan, stageId, variantId } from '@equipoise/core/model';
import type { PlanningProblem } from '@equipoise/core/plan';
import type { Evaluation, MeasuredPoint, PipelineProfile, ServiceFigures } from '@equipoise/runtime';
import { demoPage } from '../demo/demo-page.js';
import type { ExperimentResults } from '../experiment/experiment-results.js';
import type { ReadGrid } from '../experiment/read-grid.js';
import type { Answer } from '../recommend/recommend-task.js';
import type { SweepResults, SweptPoint } from '../sweep/sweep-results.js';
import { evaluationPage } from './evaluation-page.js';
import { experimentPage } from './experiment-page.js';
import type { ReportPage } from './page/html-page.js';
import { profilePage } from './profile-page.js';
import { recommendPage } from './recommend-page.js';
import { runPage } from './run/run-page.js';
import { sampleRun } from './sample-run.test-support.js';
import { sweepPage } from './sweep-page.js';

export const samplePages = (name: string): Readonly<Record<string, ReportPage>> => ({
  report: runPage(sampleRun({ pipeline: name, stages: ['detect', name, 'count'], seconds: 3600, everyS: 6 })),
  demo: sampleDemo(name),
  experiment: sampleExperiment(name),
  profile: sampleProfile(name),
  evaluation: sampleEvaluation(name),
  sweep: sweepPage(sampleSweep(name)),
  recommendation: sampleRecommendation(name),
});

const slo = { latencyMs: 400, percentile: 99 };

const specOf = (name: string, variants: readonly string[]): PipelineSpec =>
  ({
    ...{ name, slo, edges: [] },
    stages: ['detect', 'classify'].map((id) => ({ id, variants: variants.map((variant) => ({ id: variant })) })),
  }) as unknown as PipelineSpec;

function sampleDemo(name: string): ReportPage {
  const totals = { arrived: 900, completed: 890, dropped: 9, failed: 1, sloAttainmentFraction: 0.987, pasMean: 0.84 };
  return demoPage({
    spec: specOf(name, ['small']),
    record: sampleRun({ pipeline: name, stages: ['decode', 'detect'], seconds: 120 }),
    plans: [],
    runs: [
      { name: 'equipoise', how: 'served', totals, variants: '4 plans' },
      {
        name: 'always-best',
        how: 'simulated',
        totals: { ...totals, sloAttainmentFraction: 0.61 },
        variants: `detect=${name}`,
      },
    ],
    checks: [
      { name: 'failed requests', figure: '1', met: false },
      { name: 'mean accuracy', figure: '0.840 (at least 0.790)', met: true },
    ],
    machine: `2 × ${name}`,
  });
}

function sampleExperiment(name: string): ReportPage {
  const policies = ['static-cheapest', 'equipoise', 'ipa', 'rim'];
  const cells = ['bursty', name].flatMap((load, l) =>
    policies.flatMap((policy, p) =>
      [1, 2, 3].map((seed) => ({
        platform: 'simulator',
        ...{
          pipeline: name,
          load,
          policy,
          seed,
          requests: 4000,
          sloAttainmentFraction: 0.93 + 0.015 * p + 0.002 * seed,
        },
        ...{ pasMean: 0.7 + 0.05 * p + 0.001 * seed, cpuCoresMean: 3 + p + l, costPerHourMean: 3 + p + l },
        latencyMs: { p99: 500 - 60 * p + 5 * seed },
      })),
    ),
  );
  const read = {
    grid: { name, policies, seeds: [1, 2, 3], forecaster: 'smoothed', excludeFirstS: 30, loadMs: 2000 },
    pipelines: { [name]: { spec: { slo } } },
    policies,
    platforms: ['simulator'],
  };
  const infeasible = [
    { pipeline: name, load: 'steep', policy: 'rim', seed: 1, platform: 'simulator', message: `no plan: ${name}` },
  ];
  return experimentPage(read as unknown as ReadGrid, { cells, infeasible } as unknown as ExperimentResults);
}

const service = (meanMs: number, batchSize: number): ServiceFigures => ({
  ...{ meanMs, p50Ms: meanMs, p95Ms: 1.2 * meanMs, p99Ms: 1.5 * meanMs, throughputRps: (1000 * batchSize) / meanMs },
  ...{ batches: 400, meanUncertaintyFraction: 0.013, p99IntervalMs: [1.4 * meanMs, 1.7 * meanMs], endedBy: 'sure' },
});

function sampleProfile(name: string): ReportPage {
  const machine = {
    cpuModel: name,
    coresAvailable: 4,
    memoryGib: 16,
    platform: 'linux',
    arch: 'x64',
    nodeVersion: 'v20.0.0',
  };
  const batchSizes = [1, 2, 4, 8, 16];
  const variants = ['detect', name].flatMap((stageId) =>
    ['small', 'medium', name].map((variantId, v) => {
      const meanOf = (batchSize: number) => (8 + 11 * v) * batchSize ** 0.8;
      const points = batchSizes.map(
        (batchSize): MeasuredPoint => ({
          ...{ cpuCores: 1, batchSize, busyNeighbours: 3, memoryBytes: 64 * 2 ** 20 },
          ...service(meanOf(batchSize), batchSize),
          idle: service(0.93 * meanOf(batchSize), batchSize),
        }),
      );
      return {
        ...{ stageId, variantId, points, loadMs: 120, depth: 'full', measuredAtEpochMs: Date.UTC(2026, 0, 2) },
        skipped: [{ cpuCores: 1, batchSize: 32, kind: 'over-slo', reason: `${name} takes too long` }],
        fits: [
          { cpuCores: 1, batchSizes, fittedMs: batchSizes.map((size) => meanOf(size) * 1.02), raisedFraction: 0.02 },
        ],
      };
    }),
  );
  return profilePage(name, { machine, variants, notMeasured: [] } as unknown as PipelineProfile);
}

function sampleEvaluation(name: string): ReportPage {
  const ids = ['tiny', 'small', 'large', name];
  const combinations = ids.flatMap((detect, i) =>
    ids.map((classify, k) => {
      const accuracy = 0.55 + 0.06 * i + 0.04 * k;
      const verdict = i === 0 && k === 0 ? 'dropped' : 'kept';
      return {
        variants: { detect, classify },
        accuracy,
        confidence95: [accuracy - 0.03, accuracy + 0.02],
        samples: 400,
        verdict,
      };
    }),
  );
  const computed = {
    ...{ modelError: 0.004, productError: 0.03 },
    combinations: [
      { variants: { detect: 'tiny', classify: 'huge' }, accuracy: 0.71, confidence95: [0.6, 0.8], measured: false },
    ],
  };
  const shares = [{ from: 'detect', to: 'classify', variant: name, outputs: 4000, expected: 2.31 }];
  const evaluation = {
    table: { combinations, shares },
    computed,
    stageRuns: 12_800,
    leftOut: { combinations: 3, reason: name },
  };
  return evaluationPage(specOf(name, ids), evaluation as unknown as Evaluation);
}

const estimate = (mean: number) => ({ mean, low: 0.97 * mean, high: 1.02 * mean });
const fraction = (mean: number) => ({ mean, low: mean - 0.004, high: Math.min(1, mean + 0.003) });

function sampleRecommendation(name: string): ReportPage {
  const problem = { arrivalRps: 20, spec: { name, slo } } as unknown as PlanningProblem;
  const planOf = (cost: number, pas: number): Plan => ({
    stages: Object.fromEntries(
      ['detect', name].map((stage) => [
        stageId(stage),
        [
          {
            ...{ variantId: variantId(name), resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 }, maxBatchSize: 4 },
            ...{ maxBatchWaitMs: 0, replicas: cost, trafficFraction: 1 },
          },
        ],
      ]),
    ),
    predicted: { latencyMs: 190, percentile: 99, pas, capacityRps: 30, cpuCores: cost, costPerHour: cost },
  });
  const answers = [2, 3, 5, 8, 13].map((cost, i): Answer => {
    const pas = 0.6 + 0.07 * i;
    const figures = {
      ...{ sloAttainmentFraction: fraction(0.994), droppedFraction: estimate(0.001), pasMean: estimate(pas) },
      ...{ cpuCoresMean: estimate(cost), costPerHourMean: estimate(cost), goodputRps: estimate(19.8) },
      latencyMs: {
        ...{ mean: estimate(90), p50: estimate(80), p95: estimate(160), p99: estimate(210), p999: estimate(320) },
      },
    };
    const plan = planOf(cost, pas);
    return {
      at: { free: 'cost', value: cost },
      recommended: { kind: 'found', free: 'accuracy', value: pas, plan, problem },
      figures,
    };
  });
  const result = {
    kind: 'infeasible',
    proven: true,
    bindingConstraint: 'budget',
    fixes: { budget: { cpuCores: 2 }, slo: { latencyMs: 812 } },
  } as const;
  const without: Answer = {
    at: { free: 'cost', value: 1 },
    recommended: { kind: 'none', free: 'accuracy', result },
  };
  return recommendPage({
    ...{ pipeline: name, asked: '20.0 rps, p99 within 400 ms', answers: [without, ...answers] },
    notes: ['the frontier is complete within 0.5 %'],
  });
}

function sampleSweep(name: string): SweepResults {
  const [rates, factors] = [
    [10, 20, 40, 80],
    [1, 1.2],
  ];
  const points = ['equipoise', name].flatMap((subject, s) =>
    rates.flatMap((arrivalRps, r) =>
      factors.map((profileFactor, f): SweptPoint => {
        const point = { ...{ subject, slo }, at: { arrivalRps, profileFactor } };
        if (s === 1 && r === 3) return { ...point, verdict: 'infeasible', infeasible: `no plan for ${name}` };
        const attained = 0.999 - 0.01 * r - 0.03 * f * s;
        const figures = {
          ...{ sloAttainmentFraction: fraction(attained), pasMean: estimate(0.9 - 0.04 * r - 0.02 * s) },
          ...{
            cpuCoresMean: estimate(2 + 3 * r),
            costPerHourMean: estimate(2 + 3 * r + s),
            goodputRps: estimate(arrivalRps),
          },
          droppedFraction: estimate(0.001 * r),
          latencyMs: {
            mean: estimate(90),
            p50: estimate(80),
            p95: estimate(200),
            p99: estimate(250 + 40 * r),
            p999: estimate(500),
          },
        };
        const verdict = attained >= 0.99 ? 'met' : attained > 0.985 ? 'inconclusive' : 'missed';
        return { ...point, verdict, figures };
      }),
    ),
  );
  return {
    ...{ kind: 'sweep', pipeline: name, load: name, subjects: ['equipoise', name], seeds: [1, 2, 3], excludeFirstS: 0 },
    axes: [
      { name: 'arrival-rps', field: 'arrivalRps', values: rates },
      { name: 'profile-factor', field: 'profileFactor', values: factors },
    ],
    best: { cheapest: 0, mostAccurate: 1 },
    points,
  };
}
