/** Load as plain JSON data, with one kind per generator. */
import type { Rng } from '../../kernel/rng.js';
import {
  type ArrivalProcess,
  deterministicArrivals,
  type GammaLoad,
  gammaArrivals,
  type MmppLoad,
  mmppArrivals,
  poissonArrivals,
} from './constant-rate.js';

import { type TraceSpread, traceArrivals } from './trace.js';
import {
  type DailyCycleLoad,
  dailyCycleArrivals,
  piecewiseLinearArrivals,
  type RampLoad,
  type RatePoint,
  rampArrivals,
  type SquareWaveLoad,
  type StepLoad,
  squareWaveArrivals,
  stepArrivals,
} from './varying-rate.js';

export interface ConstantLoad {
  readonly arrivalRps: number;
  readonly durationS: number;
}

/** Counts per second. `spread` places arrivals within a second. */
export interface TraceLoad {
  readonly arrivalsPerSecond: readonly number[];
  readonly spread: TraceSpread;
}

export type LoadSpec =
  | ({ readonly kind: 'poisson' } & ConstantLoad)
  | ({ readonly kind: 'deterministic' } & ConstantLoad)
  | ({ readonly kind: 'gamma' } & GammaLoad)
  | ({ readonly kind: 'mmpp' } & MmppLoad)
  | ({ readonly kind: 'daily-cycle' } & DailyCycleLoad)
  | ({ readonly kind: 'step' } & StepLoad)
  | ({ readonly kind: 'ramp' } & RampLoad)
  | ({ readonly kind: 'square-wave' } & SquareWaveLoad)
  | { readonly kind: 'piecewise-linear'; readonly points: readonly RatePoint[] }
  | ({ readonly kind: 'trace' } & TraceLoad)
  | ({ readonly kind: 'dealt' } & DealtLoad);

/**
 * Share of one router. A balancer deals the requests of `load` to `routers` in turn, or, with `shares`, at random in these
 * fractions. `router` counts from 0.
 */
export interface DealtLoad {
  readonly load: LoadSpec;
  readonly routers: number;
  readonly router: number;
  /** Fractions by router; their sum is 1. */
  readonly shares?: readonly number[];
}

/** Equal `rng` seeds give equal arrivals. */
export function arrivalsOf(load: LoadSpec, rng: Rng): ArrivalProcess {
  switch (load.kind) {
    case 'poisson':
      return poissonArrivals(load.arrivalRps, load.durationS * 1000, rng);
    case 'deterministic':
      return deterministicArrivals(load.arrivalRps, load.durationS * 1000);
    case 'gamma':
      return gammaArrivals(load, rng);
    case 'mmpp':
      return mmppArrivals(load, rng);
    case 'daily-cycle':
      return dailyCycleArrivals(load, rng);
    case 'step':
      return stepArrivals(load, rng);
    case 'ramp':
      return rampArrivals(load, rng);
    case 'square-wave':
      return squareWaveArrivals(load, rng);
    case 'piecewise-linear':
      return piecewiseLinearArrivals(load.points, rng);
    case 'trace':
      return traceArrivals(load.arrivalsPerSecond, rng, load.spread);
    case 'dealt':
      return dealtArrivals(arrivalsOf(load.load, rng), load, rng);
  }
}

function dealtArrivals(arrivals: ArrivalProcess, load: DealtLoad, rng: Rng): ArrivalProcess {
  const isOwn = load.shares === undefined ? turnsOf(load) : drawsOf(load.shares, load.router, rng.fork('routers'));
  return {
    nextAtMs: () => {
      for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) if (isOwn()) return atMs;
      return undefined;
    },
  };
}

function turnsOf({ routers, router }: DealtLoad): () => boolean {
  let dealt = 0;
  return () => dealt++ % routers === router;
}

/** Equal seeds draw the same routers, so every request goes to exactly one. */
function drawsOf(shares: readonly number[], router: number, rng: Rng): () => boolean {
  const before = shares.slice(0, router).reduce((sum, share) => sum + share, 0);
  const isLast = router === shares.length - 1;
  const until = isLast ? Number.POSITIVE_INFINITY : shares.slice(0, router + 1).reduce((sum, share) => sum + share, 0);
  return () => {
    const drawn = rng.next();
    return drawn >= before && drawn < until;
  };
}

export function loadDurationS(load: LoadSpec): number {
  if (load.kind === 'dealt') return loadDurationS(load.load);
  if (load.kind === 'trace') return load.arrivalsPerSecond.length;
  if (load.kind === 'piecewise-linear') return load.points.at(-1)?.atS ?? 0;
  return load.durationS;
}
