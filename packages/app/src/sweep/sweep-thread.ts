/** Thread that simulates the cells of a sweep. Cells of a point share verification verdicts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ControlContext } from '@equipoise/core/control';
import { type FailedCell, failedCell } from '../cells/failed-cell.js';
import { verdictsFor } from '../compose/plan-verification.js';
import { simulatedRun } from '../compose/simulated-run.js';
import { profilesAt, specAt } from './sweep-axes.js';
import { routersOf, type SweepCell, type SweepOutcome, type SweptPipeline } from './sweep-cell.js';

const { spec, profiles, subjects, excludeFirstS } = workerData as SweptPipeline;

/** Verdicts of the last point: the cells of a point follow each other, and verdicts take memory. */
let shared: { readonly key: string; readonly verifierAt: ControlContext['verifierAt'] } | undefined;

function simulated({ subject, at, seed, load }: SweepCell): SweepOutcome {
  const by = subjects[subject]?.by;
  if (by === undefined) throw new RangeError(`no subject ${subject}`);
  const pointSpec = specAt(spec, at);
  const pointProfiles = profilesAt(profiles, at);
  const { profileFactor } = at;
  const routed = routersOf(by, at);
  if ('policy' in by && (routed.routers ?? 1) === 1) {
    const key = JSON.stringify(at);
    if (shared?.key !== key) shared = { key, verifierAt: verdictsFor(pointSpec, pointProfiles) };
  } else shared = undefined;
  const { figures } = simulatedRun({
    ...{ spec: pointSpec, profiles: pointProfiles, load, seed, by, excludeFirstS },
    ...(profileFactor !== undefined && { profileFactor }),
    ...routed,
    ...(shared && { verifierAt: shared.verifierAt }),
  });
  return { kind: 'simulated', figures };
}

/** A policy without a plan is an outcome; any other error ends the sweep. */
function answerTo(cell: SweepCell): SweepOutcome | FailedCell {
  try {
    return simulated(cell);
  } catch (error) {
    const failed = failedCell(error);
    return failed.code === 'INFEASIBLE' ? { kind: 'infeasible', message: failed.message } : failed;
  }
}

parentPort?.on('message', (cell: SweepCell) => parentPort?.postMessage(answerTo(cell)));
