/** How far predictions were off on the checked loads, and whether a correction brings them closer. */
import { medianOf } from '@equipoise/core/model';
import type { ComparedLoad } from './compared-loads.js';
import { isOverload } from './saturation.js';

/** Errors are fractions of the served figure, drops are a difference of fractions. Null without such a load. */
export interface PredictionError {
  readonly p50MedianFraction: number | null;
  readonly p99MedianFraction: number | null;
  readonly worstFraction: number | null;
  readonly saturationFraction: number | null;
  readonly dropsDifference: number | null;
}

export interface Trust {
  readonly simulated: PredictionError;
  readonly simulatedFromProfile: PredictionError;
  readonly estimated: PredictionError;
  readonly estimatedFromProfile: PredictionError;
  /** The correction brings the simulation closer to service, and its saturation throughput not much further away. */
  readonly helps: boolean;
  /** The loads above saturation dropped requests. Otherwise throughput at saturation and drops are not known. */
  readonly isOverloaded: boolean;
}

/** A plan with the wrong capacity is worse than one with the wrong latency. */
const MOST_LOST_SATURATION = 0.05;

interface Predicted {
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly rps: number;
  readonly droppedFraction: number | null;
}

export function trustIn(loads: readonly ComparedLoad[]): Trust {
  const simulated = errorsOf(loads, (load) => ({ ...load.simulated, rps: load.simulated.completedRps }));
  const simulatedFromProfile = errorsOf(loads, (load) => ({
    ...load.simulatedFromProfile,
    rps: load.simulatedFromProfile.completedRps,
  }));
  return {
    simulated,
    simulatedFromProfile,
    estimated: errorsOf(loads, (load) => ({
      ...load.estimated,
      rps: load.estimated.capacityRps,
      droppedFraction: null,
    })),
    estimatedFromProfile: errorsOf(loads, (load) => ({
      ...load.estimatedFromProfile,
      rps: load.estimatedFromProfile.capacityRps,
      droppedFraction: null,
    })),
    helps:
      totalOf(simulated) < totalOf(simulatedFromProfile) &&
      (simulated.saturationFraction ?? 0) <= (simulatedFromProfile.saturationFraction ?? 0) + MOST_LOST_SATURATION,
    isOverloaded: loads.every((load) => isBelowSaturation(load) || isOverload(load.load, load.served.droppedFraction)),
  };
}

/** Loads below saturation, whose latencies are compared. */
export const isBelowSaturation = ({ load }: Pick<ComparedLoad, 'load'>): boolean => load !== 'saturation' && load < 1;

export const errorFraction = (predicted: number, served: number): number => predicted / served - 1;

function errorsOf(loads: readonly ComparedLoad[], predictedAt: (load: ComparedLoad) => Predicted): PredictionError {
  const below = loads.filter(isBelowSaturation);
  const latency = (of: 'p50Ms' | 'p99Ms') =>
    below.flatMap((load) => {
      const ms = predictedAt(load)[of];
      return ms === null ? [] : [Math.abs(errorFraction(ms, load.served[of]))];
    });
  const saturation = loads.filter(({ load }) => load === 'saturation');
  const rates = saturation.map((load) => Math.abs(errorFraction(predictedAt(load).rps, load.served.completedRps)));
  const drops = loads
    .filter(({ load }) => load !== 'saturation' && load > 1)
    .flatMap((load) => {
      const { droppedFraction } = predictedAt(load);
      return droppedFraction === null ? [] : [Math.abs(droppedFraction - load.served.droppedFraction)];
    });
  const all = [...latency('p50Ms'), ...latency('p99Ms')];
  return {
    p50MedianFraction: medianOrNull(latency('p50Ms')),
    p99MedianFraction: medianOrNull(latency('p99Ms')),
    worstFraction: all.length === 0 ? null : Math.max(...all),
    saturationFraction: medianOrNull(rates),
    dropsDifference: medianOrNull(drops),
  };
}

const totalOf = ({ p50MedianFraction, p99MedianFraction, saturationFraction }: PredictionError): number =>
  (p50MedianFraction ?? 0) + (p99MedianFraction ?? 0) + (saturationFraction ?? 0);

const medianOrNull = (values: readonly number[]): number | null => (values.length === 0 ? null : medianOf(values));
