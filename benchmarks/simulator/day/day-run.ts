/**
 * A day of the whole control loop in simulated time; the argument names the load. Runs in its own process: figures as
 * JSON on stdout, a line per simulated hour on stderr.
 */
import { arrivalRng, type ControlContext, controlPolicies, firstPlan, simulateControl } from '@equipoise/core/control';
import { smoothedRate } from '@equipoise/core/forecast';
import type { PlanResult } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { arrivalsOf, type LoadSpec, verifiersOf } from '@equipoise/core/simulate';
import { dayPipeline as spec } from './day-pipeline.js';

const HOUR_MS = 3_600_000;
const DAY_S = 86_400;
const SEED = 1;
const HOST_CORES = 2;

/** Each load has a mean of 20 requests per second. */
const dayLoads = {
  constant: { kind: 'poisson', arrivalRps: 20, durationS: DAY_S },
  'daily-cycle': { kind: 'daily-cycle', arrivalRps: 20, swingFraction: 0.8, periodS: DAY_S, durationS: DAY_S },
} as const satisfies Readonly<Record<string, LoadSpec>>;

export interface DayFigures {
  readonly load: string;
  readonly cpuS: number;
  readonly wallS: number;
  readonly ticks: number;
  readonly decisions: Readonly<Record<'hold' | 'apply', number>>;
  /** Ticks whose plan has a verdict. */
  readonly verifiedTicks: number;
  /** Plans not cached, and verdicts requested by plans and ticks. */
  readonly plansMade: number;
  readonly verdictsAsked: number;
  readonly requests: number;
  readonly sloAttainmentFraction: number;
  readonly pasMean: number;
  readonly largestHeapMb: number;
}

const seconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;

function planOfResult(result: PlanResult | undefined) {
  return result?.kind === 'feasible' ? result.plan : result?.bestEffort;
}

function measureDay(name: keyof typeof dayLoads): DayFigures {
  const load = dayLoads[name];
  const startedAtMs = performance.now();
  const startedCpu = process.cpuUsage();
  const counts = { plans: 0, verdicts: 0, largestHeap: 0 };
  const curves = requireCurves(spec, []);
  const { equipoise } = controlPolicies;
  const verifierAt = verifiersOf({ spec, curves, hostCores: HOST_CORES, seed: SEED });
  const context: ControlContext = {
    spec,
    profiles: [],
    curves,
    forecaster: smoothedRate,
    policy: {
      ...equipoise,
      plan: (problem, verify) => {
        counts.plans += 1;
        return equipoise.plan(problem, verify);
      },
    },
    verifierAt: (expected) => {
      const verify = verifierAt(expected);
      return (plan, slo) => {
        counts.verdicts += 1;
        return verify(plan, slo);
      };
    },
  };
  let nextAtMs = HOUR_MS;
  const run = simulateControl({
    context,
    firstPlan: firstPlan(context, load, SEED),
    arrivals: arrivalsOf(load, arrivalRng(SEED)),
    hostCores: HOST_CORES,
    seed: SEED,
    onEnd: ({ endedAtMs }) => {
      if (endedAtMs < nextAtMs) return;
      counts.largestHeap = Math.max(counts.largestHeap, process.memoryUsage().heapUsed);
      const cpuS = seconds(process.cpuUsage(startedCpu)).toFixed(1);
      process.stderr.write(`${name}: hour ${nextAtMs / HOUR_MS}, ${cpuS} s of CPU, ${counts.plans} plans made\n`);
      nextAtMs += HOUR_MS;
    },
  });
  const { tally, decisions } = run;
  const verified = decisions.filter(({ decision }) => planOfResult(decision.evidence.result)?.verified !== undefined);
  return {
    load: name,
    cpuS: seconds(process.cpuUsage(startedCpu)),
    wallS: (performance.now() - startedAtMs) / 1000,
    ticks: decisions.length,
    decisions: {
      hold: decisions.filter(({ decision }) => decision.kind === 'hold').length,
      apply: decisions.filter(({ decision }) => decision.kind === 'apply').length,
    },
    verifiedTicks: verified.length,
    plansMade: counts.plans,
    verdictsAsked: counts.verdicts,
    requests: tally.arrived,
    sloAttainmentFraction: tally.withinSlo / tally.arrived,
    pasMean: tally.pasSum / tally.completed,
    largestHeapMb: counts.largestHeap / 2 ** 20,
  };
}

const [asked] = process.argv.slice(2);
if (asked !== undefined && asked in dayLoads) {
  process.stdout.write(JSON.stringify(measureDay(asked as keyof typeof dayLoads)));
} else throw new Error(`name a load: ${Object.keys(dayLoads).join(', ')}`);
