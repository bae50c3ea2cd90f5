/** Loads of PipeBench: the four shipped traces, and shapes that the publications of the policies use. */
import { arrivalRng } from '@equipoise/core/control';
import {
  type ArrivalProcess,
  arrivalsOf,
  type LoadSpec,
  loadDurationS,
  type RatePoint,
} from '@equipoise/core/simulate';
import { controlLoads } from '../control/loads.js';

export interface BenchLoad {
  readonly name: string;
  readonly spec: LoadSpec;
  /** Seconds at the start that do not count. */
  readonly excludeFirstS: number;
}

export const EXCLUDE_FIRST_S = 120;
/** Part of the load that policies may plan for, as in InferLine's evaluation. */
const SAMPLE_FRACTION = 0.25;
const DURATION_S = 720;

const piecewise = (points: readonly (readonly [atS: number, arrivalRps: number])[]): LoadSpec => ({
  kind: 'piecewise-linear',
  points: points.map(([atS, arrivalRps]): RatePoint => ({ atS, arrivalRps })),
});

/** Shapes of AutoScale (Gandhi et al., 2012), on which InferLine was evaluated; rates are ours. */
const bigSpike = piecewise([
  [0, 8],
  [330, 8],
  [360, 30],
  [420, 30],
  [450, 8],
  [DURATION_S, 8],
]);
const dualPhase = piecewise([
  [0, 8],
  [240, 10],
  [420, 26],
  [560, 30],
  [DURATION_S, 14],
]);
/** Gaps with a coefficient of variation of 4, the burstiest synthetic load of InferLine's evaluation. */
const gamma: LoadSpec = { kind: 'gamma', arrivalRps: 12, cv: 4, durationS: DURATION_S };

const SHIPPED = ['bursty', 'fluctuating', 'steady-low', 'steady-high'];

/** Of the small version. */
const shortStep: LoadSpec = { kind: 'step', fromRps: 2, toRps: 4, atS: 12, durationS: 24 };

/** All loads, in the order of the report. */
export function benchLoads(): readonly BenchLoad[] {
  const shipped = controlLoads().filter(({ name }) => SHIPPED.includes(name));
  const named = Object.entries({ 'big-spike': bigSpike, 'dual-phase': dualPhase, 'gamma-cv4': gamma }).map(
    ([name, spec]) => ({ name, spec }),
  );
  const usual = [...shipped, ...named].map(({ name, spec }) => ({ name, spec, excludeFirstS: EXCLUDE_FIRST_S }));
  return [...usual, { name: 'short-step', spec: shortStep, excludeFirstS: 5 }];
}

/** The first seconds of a load, which end at `untilMs`. */
class LoadBeginning implements ArrivalProcess {
  readonly #whole: ArrivalProcess;
  readonly #untilMs: number;

  constructor(whole: ArrivalProcess, untilMs: number) {
    this.#whole = whole;
    this.#untilMs = untilMs;
  }

  nextAtMs(): number | undefined {
    const atMs = this.#whole.nextAtMs();
    return atMs !== undefined && atMs < this.#untilMs ? atMs : undefined;
  }
}

/** Arrivals of the sample, the same at each call. */
export function sampleArrivals(load: LoadSpec, seed: number): ArrivalProcess {
  return new LoadBeginning(arrivalsOf(load, arrivalRng(seed)), sampleS(load) * 1000);
}

const sampleS = (load: LoadSpec): number => Math.max(10, Math.floor(SAMPLE_FRACTION * loadDurationS(load)));

/** Arrivals in each second of the sample. */
export function sampleCounts(load: LoadSpec, seed: number): readonly number[] {
  const counts = new Array<number>(sampleS(load)).fill(0);
  const arrivals = sampleArrivals(load, seed);
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) {
    const second = Math.floor(atMs / 1000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
}
