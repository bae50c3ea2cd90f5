/**
 * The control loop in simulated time: the same steps of the controller, the same policies, the load times of the profile. What would the
 * loop make of a load, and what would the load's requests see?
 */
import { SeededRng } from '../kernel/rng.js';
import type { Decision } from '../model/decision.js';
import type { ReplicaId, StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import type { RunningPlan } from '../model/running-plan.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import { simulatePlan } from '../simulate/simulate-plan.js';
import type { SimulatedController, SimulationInput, SimulationRun } from '../simulate/simulation-input.js';
import { type BatchKind, BatchRecord } from './batch-record.js';
import { type ControllerRules, controlStep, learnBetween, newController, rulesInForce, tickMs } from './controller.js';
import { planThatRuns } from './plan-that-runs.js';

/** What to simulate; `hostCores` as in a plan's verification. */
export interface ControlSetup extends Pick<SimulationInput, 'arrivals' | 'hostCores' | 'measureFromMs' | 'onEnd'> {
  readonly context: ControllerRules;
  readonly firstPlan: Plan;
  /** How long batches really take; as the context believes when left out. */
  readonly trueCurves?: ServiceCurves;
  /** What fan-outs and branches really do, in the order of the pipeline's edges; as the context's pipeline says when left out. */
  readonly trueEdges?: PipelineSpec['edges'];
  readonly seed: number;
}

/** A controlled run: its counts and every decision with its instant. */
export interface ControlledRun extends SimulationRun {
  readonly decisions: readonly { readonly atMs: number; readonly decision: Decision }[];
}

/** Simulates the loop. */
export function simulateControl(setup: ControlSetup): ControlledRun {
  const { context, firstPlan, seed, trueCurves, trueEdges, ...rest } = setup;
  const spec: PipelineSpec = { ...context.spec, edges: trueEdges ?? context.spec.edges };
  const curves = trueCurves ?? context.curves;
  const batches = new BatchRecord();
  const kinds = new Map<ReplicaId, BatchKind>();
  const decisions: { atMs: number; decision: Decision }[] = [];
  let state = newController;
  const controller: SimulatedController = {
    intervalMs: tickMs(context),
    looksWhileChanging: context.policy.protects,
    decide: (observation) => {
      const { decision, state: after } = controlStep(context, state, {
        ...observation,
        batches: batches.take(),
      });
      state = learnBetween(context, after);
      if (decision === undefined) return [];
      decisions.push({ atMs: observation.atMs, decision });
      return decision.kind === 'apply' ? decision.changes : [];
    },
    loadMs: (stageId, variantId) => loadMs(context, stageId, variantId),
    expectedCurves: () => rulesInForce(context, state).curves,
  };
  const run = simulatePlan({
    ...rest,
    ...{ spec, curves, plan: firstPlan, controller },
    onFleet: (running) => noteKinds(kinds, running),
    onBatch: ({ replicaId, batch }, { serviceMs }) => {
      const kind = kinds.get(replicaId);
      if (kind !== undefined) batches.note(kind, batch.length, serviceMs);
    },
    rng: new SeededRng(seed),
    drops: true,
    accuracyOf: (running) => runningAccuracy(spec, running),
  });
  return { ...run, decisions };
}

/** What each replica is, as far as it is there. */
function noteKinds(kinds: Map<ReplicaId, BatchKind>, { stages }: RunningPlan): void {
  kinds.clear();
  for (const [stageId, { replicas }] of Object.entries(stages)) {
    for (const { replicaId, variantId, resources } of replicas)
      kinds.set(replicaId, { stageId: stageId as StageId, variantId, cpuCores: resources.cpuCores });
  }
}

/** Accuracy (fraction) of what runs, 0 while a stage has no ready replica; a stage in the middle of a change counts as what serves most. */
function runningAccuracy(spec: PipelineSpec, running: RunningPlan): number {
  return planThatRuns(spec, running)?.predicted.pas ?? 0;
}

function loadMs(
  { spec, profiles }: Pick<ControllerRules, 'spec' | 'profiles'>,
  ...[stageId, variantId]: Parameters<SimulatedController['loadMs']>
): number {
  const measured = profiles.find((profile) => profile.stageId === stageId && profile.variantId === variantId)?.loadMs;
  const declared = spec.stages.find(({ id }) => id === stageId)?.variants.find(({ id }) => id === variantId)?.loadMs;
  return measured ?? declared ?? 0;
}
