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

/** Share of one router: a balancer deals the requests of `load` to `routers` in turn. `router` counts from 0. */
export interface DealtLoad {
  readonly load: LoadSpec;
  readonly routers: number;
  readonly router: number;
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
      return dealtArrivals(arrivalsOf(load.load, rng), load);
  }
}

function dealtArrivals(arrivals: ArrivalProcess, { routers, router }: DealtLoad): ArrivalProcess {
  let dealt = 0;
  return {
    nextAtMs: () => {
      for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs())
        if (dealt++ % routers === router) return atMs;
      return undefined;
    },
  };
}

export function loadDurationS(load: LoadSpec): number {
  if (load.kind === 'dealt') return loadDurationS(load.load);
  if (load.kind === 'trace') return load.arrivalsPerSecond.length;
  if (load.kind === 'piecewise-linear') return load.points.at(-1)?.atS ?? 0;
  return load.durationS;
}
