/**
 * One timed simulation: `speed-run.ts CASE REQUESTS`. Prints one line of JSON. Needs --expose-gc to measure retained
 * memory from before the warm-up to after the run. A fixed loop shows the current speed of the machine.
 */
import { SeededRng } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { poissonArrivals, simulatePlan } from '@equipoise/core/simulate';
import { planOf } from '../../packages/core/src/model/spec-builders.test-support.js';
import { type SpeedCase, speedCases } from './speed-cases.js';

/** CPU time, not wall time: the machine may be shared. */
export interface SpeedFigures {
  readonly requests: number;
  readonly items: number;
  readonly batches: number;
  readonly droppedFraction: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly itemsPerSecond: number;
  /** Millions of steps per second of a fixed loop, before and after. */
  readonly calibrationMsteps: readonly [number, number];
  readonly heapGrowthBytes: number;
  readonly rssBytes: number;
}

/**
 * Enough for final compilation. There is no forced garbage collection between warm-up and run. It would discard
 * compiled code of functions whose objects died, and a short run would pay for recompilation.
 */
const WARM_UP_REQUESTS = 2_000_000;
const CALIBRATION_STEPS = 50_000_000;

function calibrationMsteps(): number {
  let state = 1;
  const startedAt = process.cpuUsage();
  for (let i = 0; i < CALIBRATION_STEPS; i++) state = (Math.imul(state, 1664525) + 1013904223) | 0;
  const { user } = process.cpuUsage(startedAt);
  return state === 0 ? 0 : CALIBRATION_STEPS / user;
}

function simulate({ spec, maxBatchSize, replicas, arrivalRps }: SpeedCase, requests: number) {
  const rng = new SeededRng(1);
  const durationMs = (requests / arrivalRps) * 1000;
  return simulatePlan({
    spec,
    curves: requireCurves(spec, []),
    plan: planOf(spec, { maxBatchSize, replicas }),
    arrivals: poissonArrivals(arrivalRps, durationMs, rng.fork('arrivals')),
    rng,
    hostCores: Number.POSITIVE_INFINITY,
    drops: true,
  });
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function measure(speedCase: SpeedCase, requests: number): SpeedFigures {
  const heapBefore = heapBytes();
  const before = calibrationMsteps();
  simulate(speedCase, WARM_UP_REQUESTS);
  const [cpuFrom, wallFrom] = [process.cpuUsage(), performance.now()];
  const { tally } = simulate(speedCase, requests);
  const { user, system } = process.cpuUsage(cpuFrom);
  const wallMs = performance.now() - wallFrom;
  const cpuMs = (user + system) / 1000;
  const heapGrowthBytes = heapBytes() - heapBefore;
  const items = tally.stages.reduce((sum, stage) => sum + stage.items, 0);
  return {
    requests: tally.arrived,
    items,
    batches: tally.stages.reduce((sum, stage) => sum + stage.batches, 0),
    droppedFraction: 1 - tally.completed / tally.arrived,
    cpuMs,
    wallMs,
    itemsPerSecond: (1000 * items) / cpuMs,
    calibrationMsteps: [before, calibrationMsteps()],
    heapGrowthBytes,
    rssBytes: process.memoryUsage().rss,
  };
}

const [name, requests] = process.argv.slice(2);
const chosen = speedCases[name as keyof typeof speedCases];
process.stdout.write(`${JSON.stringify(measure(chosen, Number(requests)))}\n`);
