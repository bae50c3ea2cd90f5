/** The loads with their rates at every second, for the clairvoyant and for the minimum loss. */
import { readFileSync } from 'node:fs';
import type { LoadSpec } from '@equipoise/core/simulate';
import { parseLoadFile } from '@equipoise/runtime';

/** A load with its true rate; `kind` selects its bars. */
export interface ControlLoad {
  readonly name: string;
  /**
   * Moving loads have bars on attainment and cost. Jumping loads have bars on the loss, relative to the minimum loss.
   */
  readonly kind: 'moving' | 'jumping';
  readonly spec: LoadSpec;
  /** Rate of each second (rps). */
  readonly ratesRps: readonly number[];
}

const PEAK_RPS = 34;
const LOW_RPS = PEAK_RPS / 10;
const MOVING_S = 1200;
const JUMPING_S = 600;
const STEP_AT_S = 301;

const rates = (durationS: number, rpsAt: (atS: number) => number): readonly number[] =>
  Array.from({ length: durationS }, (_, second) => rpsAt(second + 0.5));

function shipped(name: string): ControlLoad {
  const file = new URL(`../../packages/app/loads/${name}.csv`, import.meta.url);
  const arrivalsPerSecond = parseLoadFile(readFileSync(file, 'utf8'), name);
  const spec: LoadSpec = { kind: 'trace', arrivalsPerSecond, spread: 'poisson' };
  return { name, kind: 'moving', spec, ratesRps: arrivalsPerSecond };
}

function ramp(): ControlLoad {
  const spec = { kind: 'ramp', fromRps: LOW_RPS, toRps: PEAK_RPS, durationS: MOVING_S } as const;
  const ratesRps = rates(MOVING_S, (atS) => LOW_RPS + ((PEAK_RPS - LOW_RPS) * atS) / MOVING_S);
  return { name: 'ramp', kind: 'moving', spec, ratesRps };
}

function dailyCycle(): ControlLoad {
  const [arrivalRps, swingFraction, periodS, durationS] = [PEAK_RPS / 1.8, 0.8, 3600, 3600];
  const spec = { kind: 'daily-cycle', arrivalRps, swingFraction, periodS, durationS } as const;
  const ratesRps = rates(
    durationS,
    (atS) => arrivalRps * (1 - swingFraction * Math.cos((2 * Math.PI * atS) / periodS)),
  );
  return { name: 'daily-cycle', kind: 'moving', spec, ratesRps };
}

function step(): ControlLoad {
  const spec = { kind: 'step', fromRps: LOW_RPS, toRps: PEAK_RPS, atS: STEP_AT_S, durationS: JUMPING_S } as const;
  return {
    name: 'step-10x',
    kind: 'jumping',
    spec,
    ratesRps: rates(JUMPING_S, (atS) => (atS < STEP_AT_S ? LOW_RPS : PEAK_RPS)),
  };
}

function squareWave(periodS: number): ControlLoad {
  const holdS = periodS / 2;
  const levels = [LOW_RPS * 2, PEAK_RPS].map((arrivalRps) => ({ arrivalRps, holdS }));
  const spec: LoadSpec = { kind: 'square-wave', levels, durationS: JUMPING_S };
  const ratesRps = rates(JUMPING_S, (atS) => (atS % periodS < holdS ? 2 * LOW_RPS : PEAK_RPS));
  return { name: `square-${periodS}s`, kind: 'jumping', spec, ratesRps };
}

/** All loads, in the order of the report. */
export function controlLoads(): readonly ControlLoad[] {
  const four = ['steady-low', 'steady-high', 'fluctuating', 'bursty'].map(shipped);
  return [...four, ramp(), dailyCycle(), step(), squareWave(60), squareWave(20)];
}
