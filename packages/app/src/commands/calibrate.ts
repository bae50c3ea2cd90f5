/** `equipoise calibrate`: serves the pipeline at a few loads, and corrects its profile by what it measures. */
import { availableParallelism } from 'node:os';
import type { PipelineSpec, Plan, ProfileSet } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { ProgressMeter, type WorkProgress } from '@equipoise/runtime';
import { ProfileCache } from '@equipoise/runtime/profiles';
import {
  calibratePlan,
  expectedMs,
  methodOf,
  NOTHING_STORED,
  type PlanCalibration,
  type SegmentTimes,
} from '../calibrate/calibrate-plan.js';
import { hostCoresOf, plansOfAllVariants, uncorrectedProfiles } from '../calibrate/calibrated-plans.js';
import type { CalibrationDocument } from '../calibrate/calibration-document.js';
import type { VariantCorrection } from '../calibrate/compared-loads.js';
import { LoadGenerator } from '../calibrate/load-generator.js';
import { measureMachineUse } from '../calibrate/machine-use.js';
import { trustIn } from '../calibrate/trust.js';
import { requireArtifacts } from '../compose/artifacts.js';
import { embeddedLauncher } from '../compose/embedded-launcher.js';
import { loadSpec } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { readPlan, requireProfiled } from '../compose/read-plan.js';
import { type SampleBody, sampleBodies } from '../compose/sample-bodies.js';
import { servedSpec } from '../compose/served-spec.js';
import { progressDisplay } from '../terminal/progress.js';
import type { CommandResult } from '../terminal/run-command.js';
import { interrupted, stopSignal } from '../terminal/stop-signal.js';
import { busyText, calibrationText } from './calibrate-text.js';

export interface CalibrateOptions {
  readonly plan?: string;
  /** Seconds of load of each plan. */
  readonly durationS: number;
  readonly dryRun?: boolean;
  readonly forget?: boolean;
  readonly seed: number;
  readonly json?: boolean;
}

export async function calibrate(
  file: string,
  options: CalibrateOptions,
  machineUse = measureMachineUse,
): Promise<CommandResult> {
  const spec = await loadSpec(file);
  if (options.forget === true) return forget(spec);
  const bodies = sampleBodies(spec);
  await requireArtifacts(spec);
  const profiles = uncorrectedProfiles(spec, profilesFor(spec, file));
  const plans =
    options.plan === undefined
      ? plansOfAllVariants(spec, profiles)
      : [await profiledPlan(options.plan, spec, profiles)];
  const machine = await machineUse();
  if (machine.isBusy) process.stderr.write(`${busyText(machine)}\n`);
  const calibrated = await calibrateAll({ spec, profiles, plans, bodies }, options);
  const corrections = bestCorrections(calibrated);
  const trust = trustIn(calibrated.flatMap(({ loads }) => loads));
  const stores = options.dryRun !== true && trust.helps;
  const stored = stores ? store(spec, corrections) : false;
  const document: CalibrationDocument = {
    plans: calibrated.map(({ saturationRps, loads }, index) => ({
      stages: plans[index] as Plan['stages'],
      saturationRps,
      loads,
    })),
    corrections,
    trust,
    stored,
    machine,
  };
  return {
    json: document,
    text: calibrationText(document, {
      spec,
      file,
      dryRun: options.dryRun === true,
      measured: calibrated.at(-1)?.measuredSpec ?? spec,
    }),
  };
}

async function profiledPlan(path: string, spec: PipelineSpec, profiles: ProfileSet): Promise<Plan['stages']> {
  const { stages } = await readPlan(path, spec);
  requireProfiled({ name: path, stages }, requireCurves(spec, profiles));
  return stages;
}

interface CalibratedPlans {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly plans: readonly Plan['stages'][];
  readonly bodies: readonly SampleBody[];
}

/** Threads that are no replicas. */
const SERVER_AND_LOAD = 2;
const NO_TIMES: SegmentTimes = { expectedMs: 0, methodMs: 0 };

async function calibrateAll(
  { spec, profiles, plans, bodies }: CalibratedPlans,
  { durationS, seed }: CalibrateOptions,
): Promise<readonly PlanCalibration[]> {
  const method = methodOf(durationS);
  const { robustness: _, ...served } = servedSpec(spec, profiles).answering;
  const display = progressDisplay('calibrating');
  const totalMs = plans.length * expectedMs(method, spec.slo.latencyMs);
  const listener = (progress: WorkProgress) => display.show({ ...progress, etaMs: Math.max(0, progress.etaMs) });
  const clock = { nowMs: () => performance.now() };
  const meter = new ProgressMeter(clock, { totalUnits: totalMs / 1000, expectedUnitMs: 1000, listener });
  const load = new LoadGenerator();
  const stop = new AbortController();
  void stopSignal().then(() => {
    stop.abort();
    load.end();
  });
  try {
    const done: PlanCalibration[] = [];
    for (const [index, stages] of plans.entries()) {
      let runningS = 0;
      const onSegment = (label: string, { expectedMs: ms, methodMs }: SegmentTimes = NO_TIMES) => {
        meter.leaveOut((methodMs - ms) / 1000);
        meter.finish(runningS, plans.length === 1 ? label : `plan ${index + 1} of ${plans.length}, ${label}`);
        runningS = ms / 1000;
      };
      const hostCores = hostCoresOf(spec, stages);
      const launcher = embeddedLauncher(spec, seed);
      const asked = { spec: served, plan: { stages }, profiles, hostCores, launcher, load, bodies, method };
      const replicas = Object.values(stages).reduce((sum, [part]) => sum + (part?.replicas ?? 0), 0);
      const clientSharesCore = availableParallelism() < Math.min(hostCores, replicas) + SERVER_AND_LOAD;
      done.push(await calibratePlan({ ...asked, seed: seed + index, clientSharesCore, onSegment }));
      if (stop.signal.aborted) throw interrupted(NOTHING_STORED);
    }
    return done;
  } catch (error) {
    throw stop.signal.aborted ? interrupted(NOTHING_STORED) : error;
  } finally {
    load.end();
    display.stop();
  }
}

/** Of each variant, the correction with the most batches. */
function bestCorrections(calibrated: readonly PlanCalibration[]): readonly VariantCorrection[] {
  const best = new Map<string, VariantCorrection>();
  for (const one of calibrated.flatMap(({ corrections }) => corrections)) {
    const key = JSON.stringify([one.stageId, one.variantId]);
    if (one.correction.batches > (best.get(key)?.correction.batches ?? 0)) best.set(key, one);
  }
  return [...best.values()];
}

/** False if no variant of these has a stored profile. */
function store(spec: PipelineSpec, corrections: readonly VariantCorrection[]): boolean {
  const cache = ProfileCache.of(spec);
  const { variants } = cache.read();
  const has = ({ stageId, variantId }: VariantCorrection) =>
    variants.some((variant) => variant.stageId === stageId && variant.variantId === variantId);
  if (!corrections.some(has)) return false;
  cache.correct(corrections);
  return true;
}

function forget(spec: PipelineSpec): CommandResult {
  const cache = ProfileCache.of(spec);
  const corrected = cache.read().variants.filter(({ correction }) => correction !== undefined);
  if (corrected.length > 0) cache.correct(corrected.map(({ stageId, variantId }) => ({ stageId, variantId })));
  const names = corrected.map(({ stageId, variantId }) => `${stageId}/${variantId}`);
  const text = names.length === 0 ? 'no correction is stored' : `removed the corrections of ${names.join(', ')}`;
  return { json: { removed: names }, text };
}
