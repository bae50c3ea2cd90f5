/**
 * Service times as they are in service. A closed loop keeps one replica hot; in service a replica sleeps between its batches, the caches
 * hold what the other stages left there, and the thread that dispatches answers HTTP too. So batches of a calibration load are timed
 * and their empirical law replaces that of the closed loop at every batch size that was seen often enough; at other sizes the closed loop's
 * means are multiplied by what those of the stage were off by on the whole.
 */
import {
  lawMeanMs,
  lawWithMean,
  type ServiceCurve,
  type ServiceCurves,
  type ServiceLaw,
  type StageSpec,
  serviceCurve,
} from '@equipoise/core';
import type { ServedBatch } from './messages.js';

const LEAST_BATCHES = 60;

/** The curves of a closed loop, corrected by the batches that were served. */
export function inServiceCurves(
  stages: readonly StageSpec[],
  closedLoop: ServiceCurves,
  batches: readonly ServedBatch[],
): ServiceCurves {
  const curves = new Map<string, ServiceCurve>();
  for (const { id, variants } of stages) {
    const profiled = closedLoop.curve(id, variants[0]?.id as never, 1) as ServiceCurve;
    curves.set(
      id,
      corrected(
        profiled,
        batches.filter(({ stageId }) => stageId === id),
      ),
    );
  }
  return { kind: 'curves', warnings: [], curve: (stageId) => curves.get(stageId) };
}

function corrected(profiled: ServiceCurve, batches: readonly ServedBatch[]): ServiceCurve {
  const served = batches.reduce((sum, { ms }) => sum + ms, 0);
  const expected = batches.reduce((sum, { size }) => sum + profiled.meanMs(size), 0);
  const points = Array.from({ length: profiled.maxBatchSize }, (_, i) => {
    const batchSize = i + 1;
    const times = batches.filter(({ size }) => size === batchSize).map(({ ms }) => ms);
    const law: ServiceLaw =
      times.length >= LEAST_BATCHES
        ? { kind: 'empirical', sortedMs: times.sort((a, b) => a - b) }
        : lawWithMean(profiled.law(batchSize), lawMeanMs(profiled.law(batchSize)) * (served / expected));
    return { batchSize, law };
  });
  return serviceCurve(1, 1, points);
}
