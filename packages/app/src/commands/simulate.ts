/** `equipoise simulate`: simulates a plan or a policy under a load. */
import {
  AppError,
  type LatencyHistogram,
  type PipelineSpec,
  routerShares,
  usualCpuQuotaPeriodMs,
  usualSplit,
} from '@equipoise/core/model';
import { type PolicyName, requireCurves } from '@equipoise/core/plan';
import { loadDurationS, type SimulationRun } from '@equipoise/core/simulate';
import { ProgressMeter } from '@equipoise/runtime';
import pc from 'picocolors';
import { type Estimate, type SeedFigures, type SloVerdict, seedFigures, sloVerdict } from '../cells/seed-figures.js';
import { loadSpec } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { readPlan, requireProfiled, unpredictedPlan } from '../compose/read-plan.js';
import { type LoadRequest, type ResolvedLoad, resolveLoad } from '../compose/resolve-load.js';
import { type RunFigures, type RunRequest, simulatedRun } from '../compose/simulated-run.js';
import type { SourceFlags } from '../compose/source-load.js';
import { counted } from '../terminal/counted.js';
import { coresText, fractionText, msText, percentText } from '../terminal/plan-table.js';
import { progressDisplay } from '../terminal/progress.js';
import type { CommandResult } from '../terminal/run-command.js';
import { sparkline } from '../terminal/sparkline.js';
import { untilCtrlC } from '../terminal/stop-signal.js';
import { textTable } from '../terminal/text-table.js';

export interface SimulateOptions extends LoadRequest, SourceFlags {
  readonly plan?: string;
  readonly policy?: PolicyName;
  readonly seed: number;
  /** Number of runs, with consecutive seeds from `seed`. */
  readonly seeds?: number;
  readonly sloMs?: number;
  readonly budgetCores?: number;
  readonly serviceFactor?: number;
  readonly cpuQuota?: true;
  readonly profileScale?: number;
  readonly routers?: number;
  readonly uneven?: number;
}

export async function simulate(file: string, options: SimulateOptions): Promise<CommandResult> {
  if (options.plan === undefined && options.policy === undefined) {
    const message = 'Say what to simulate: --plan P.json (as `equipoise plan --json` prints it), or --policy NAME.';
    throw new AppError('WRONG_USAGE', message);
  }
  const load = await resolveLoad(options);
  const spec = overridden(await loadSpec(file), options);
  const request: RunRequest = {
    spec,
    seed: options.seed,
    load: load.spec,
    sourceFlags: options,
    profiles: profilesFor(spec, file, options.profileScale),
    ...(await subjectOf(spec, options)),
  };
  const { by, profiles } = request;
  if ('plan' in by)
    requireProfiled({ name: options.plan ?? 'the plan', stages: by.plan.stages }, requireCurves(spec, profiles));
  if (options.seeds !== undefined && options.seeds > 1)
    return repeatedRuns(request, { load, count: options.seeds, spec });
  const startedAtMs = performance.now();
  const { figures, run } = withProgress(request);
  const elapsedMs = performance.now() - startedAtMs;
  return { json: { ...figures, elapsedMs }, text: simulationText({ spec, load, figures, run, elapsedMs }) };
}

function overridden(
  spec: PipelineSpec,
  { sloMs, budgetCores, serviceFactor, cpuQuota }: SimulateOptions,
): PipelineSpec {
  return {
    ...spec,
    slo: { ...spec.slo, ...(sloMs !== undefined && { latencyMs: sloMs }) },
    budget: { ...spec.budget, ...(budgetCores !== undefined && { cpuCores: budgetCores }) },
    ...(serviceFactor !== undefined && { robustness: { serviceFactor } }),
    ...(cpuQuota && { cpuQuotaPeriodMs: usualCpuQuotaPeriodMs }),
  };
}

/** Several routers are those of the flag or of the plan. WRONG_USAGE for uneven shares of one router. */
async function subjectOf(
  spec: PipelineSpec,
  { plan, policy, routers, uneven }: SimulateOptions,
): Promise<Pick<RunRequest, 'by' | 'routers' | 'shares'>> {
  const saved = plan === undefined ? undefined : unpredictedPlan(await readPlan(plan, spec));
  const count = routers ?? saved?.routers ?? 1;
  const by = saved === undefined ? { policy: policy ?? 'equipoise' } : { plan: saved };
  if (count > 1) return { by, routers: count, shares: routerShares(usualSplit(count, uneven ?? 0)) };
  if (uneven === undefined) return { by };
  throw new AppError('WRONG_USAGE', '--uneven is about several routers; add --routers.');
}

const NOTHING_KEPT = 'Nothing is saved.';

interface Repeats {
  readonly load: ResolvedLoad;
  readonly count: number;
  readonly spec: PipelineSpec;
}

/** Runs the simulation once per seed: figures with 95 % intervals. */
function repeatedRuns(request: RunRequest, { load, count, spec }: Repeats): CommandResult {
  const seeds = Array.from({ length: count }, (_, index) => request.seed + index);
  const display = progressDisplay('simulate');
  const listener = (progress: Parameters<typeof display.show>[0]) => display.show(progress);
  const clock = { nowMs: () => performance.now() };
  const meter = new ProgressMeter(clock, { totalUnits: count, expectedUnitMs: Number.NaN, listener });
  try {
    const simulated = (seed: number): RunFigures => {
      const { figures } = simulatedRun({ ...request, seed });
      meter.finish(1, `seed ${seed}`);
      return figures;
    };
    const runs = untilCtrlC(() => seeds.map(simulated), NOTHING_KEPT);
    const figures = seedFigures(runs);
    const verdict = sloVerdict(figures.sloAttainmentFraction, spec.slo.percentile);
    return { json: { seeds, verdict, figures, runs }, text: repeatedText({ load, spec, figures, verdict, count }) };
  } finally {
    display.stop();
  }
}

interface RepeatedOutcome extends Repeats {
  readonly figures: SeedFigures;
  readonly verdict: SloVerdict;
}

function repeatedText({ load, spec, figures, verdict, count }: RepeatedOutcome): string {
  const { sloAttainmentFraction, latencyMs, pasMean, cpuCoresMean, costPerHourMean, goodputRps, droppedFraction } =
    figures;
  const row = (title: string, { mean, low, high }: Estimate, digits: number, scale = 1) => [
    title,
    (scale * mean).toFixed(digits),
    low === undefined || high === undefined ? '' : `${(scale * low).toFixed(digits)}–${(scale * high).toFixed(digits)}`,
  ];
  const rows = [
    row('within the SLO, %', sloAttainmentFraction, 2, 100),
    row('latency mean, ms', latencyMs.mean, 1),
    ...(['p50', 'p95', 'p99', 'p999'] as const).map((name) => row(`latency ${name}, ms`, latencyMs[name], 1)),
    row('dropped or failed, %', droppedFraction, 2, 100),
    row('goodput, rps', goodputRps, 2),
    row('accuracy', pasMean, 4),
    row('cores', cpuCoresMean, 2),
    row('cost per hour', costPerHourMean, 2),
  ];
  return [
    `${load.name}, ${count} seeds: SLO of ${msText(spec.slo.latencyMs)} ${verdict}`,
    textTable(['figure', { right: 'mean' }, { right: '95 % interval' }], rows),
  ].join('\n');
}

function withProgress(request: RunRequest): ReturnType<typeof simulatedRun> {
  const display = progressDisplay('simulate');
  const totalUnits = Math.ceil(loadDurationS(request.load));
  const listener = (progress: Parameters<typeof display.show>[0]) => display.show(progress);
  const meter = new ProgressMeter({ nowMs: () => performance.now() }, { totalUnits, expectedUnitMs: 1, listener });
  let done = 0;
  const onProgress = (atMs: number) => {
    const now = Math.min(totalUnits, Math.floor(atMs / 1000));
    meter.finish(now - done, `${now} of ${totalUnits} s simulated`);
    done = now;
  };
  try {
    return untilCtrlC(() => simulatedRun({ ...request, onProgress }), NOTHING_KEPT);
  } finally {
    display.stop();
  }
}

interface Outcome {
  readonly spec: PipelineSpec;
  readonly load: ResolvedLoad;
  readonly figures: RunFigures;
  readonly run: SimulationRun;
  readonly elapsedMs: number;
}

function simulationText({ spec, load, figures, run, elapsedMs }: Outcome): string {
  const { requests, completed, dropped, latencyMs, sloAttainmentFraction, pasMean, pasGoodput } = figures;
  const drops = Object.entries(dropped).map(([reason, count]) => `${count} ${reason}`);
  const attained = percentText(sloAttainmentFraction);
  const good = sloAttainmentFraction >= spec.slo.percentile / 100;
  return [
    `${load.name}: ${counted(requests, 'request')}, ${completed} completed, ${drops.length === 0 ? 'none dropped' : `dropped: ${drops.join(', ')}`}`,
    `latency mean ${msText(latencyMs.mean)}, p50 ${msText(latencyMs.p50)}, p95 ${msText(latencyMs.p95)}, p99 ${msText(latencyMs.p99)}, p99.9 ${msText(latencyMs.p999)}, max ${msText(latencyMs.max)}`,
    latencySketch(run.tally.latencyMs),
    `${(good ? pc.green : pc.yellow)(attained)} within the SLO of ${msText(spec.slo.latencyMs)} · goodput ${figures.goodputRps.toFixed(2)} rps`,
    `accuracy ${pc.bold(fractionText(pasMean))} of what completed, ${fractionText(pasGoodput)} as goodput · ${coresText(figures.cpuCoresMean)} · cost ${figures.costPerHourMean.toFixed(2)} per hour`,
    stageTable(figures),
    ...sourceTexts(figures),
    pc.dim(`${counted(figures.decisions, 'decision')}; simulated in ${(elapsedMs / 1000).toFixed(1)} s`),
  ].join('\n');
}

function sourceTexts({ sources = {} }: RunFigures): readonly string[] {
  return Object.entries(sources).map(([name, counts]) => {
    const shown = Object.entries(counts).filter(([, count]) => count > 0);
    return `parts of ${name}: ${shown.map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`;
  });
}

const SKETCH_COLUMNS = 48;

/** Histogram with logarithmic columns, from fastest to slowest. */
function latencySketch(histogram: LatencyHistogram): string {
  if (histogram.count === 0) return '';
  const [fastMs, slowMs] = [histogram.quantileMs(0.001), histogram.maxMs];
  const ratio = Math.max(1.001, slowMs / fastMs) ** (1 / SKETCH_COLUMNS);
  const edges = Array.from({ length: SKETCH_COLUMNS + 1 }, (_, i) => fastMs * ratio ** i);
  const below = edges.map((edge, i) => (i === 0 ? 0 : histogram.fractionUpTo(edge)));
  const columns = below.slice(1).map((fraction, i) => fraction - (below[i] ?? 0));
  return `${pc.dim(msText(fastMs))} ${pc.cyan(sparkline(columns, SKETCH_COLUMNS))} ${pc.dim(`${msText(slowMs)} (logarithmic)`)}`;
}

function stageTable({ stages }: RunFigures): string {
  const right = (title: string) => ({ right: title });
  const columns = ['wait mean', 'wait p99', 'service mean', 'service p99', 'batch mean', 'load factor', 'busy'];
  const rows = Object.entries(stages).map(([id, { waitMs, serviceMs, batchSizeMean, loadFactor, busyFraction }]) => [
    id,
    ...[waitMs.mean, waitMs.p99, serviceMs.mean, serviceMs.p99].map(msText),
    batchSizeMean.toFixed(2),
    loadFactor.toFixed(3),
    percentText(busyFraction),
  ]);
  return textTable(['stage', ...columns.map(right)], rows);
}
