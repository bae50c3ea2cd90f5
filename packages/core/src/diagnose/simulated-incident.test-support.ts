/** Incidents as data, and their simulation: the input of a diagnosis. */

import { type ControllerRules, controlPolicies, usualGuardrails } from '../control/rules.js';
import { arrivalRng, firstPlan, simulateControl } from '../control/simulate-control.js';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import { SeededRng } from '../kernel/rng.js';
import type { Observation } from '../model/decision.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { ProfileSet } from '../model/profile-point.js';
import { requireCurves } from '../profile/service-curves.js';
import { arrivalsOf, type LoadSpec, loadDurationS } from '../simulate/arrivals/load-spec.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import type { FaultSchedule, ReplicaFault } from '../simulate/replica-faults.js';
import type { SimulatedClients } from '../simulate/simulation-input.js';
import type { DatedDecision, DiagnosisInput } from './case-file.js';
import type { IncidentCause } from './incident-card.js';
import { specWithEdges } from './measured-spec.js';

interface Timed {
  readonly fromS?: number;
  readonly untilS?: number;
}

export type Injection = Timed &
  (
    | { readonly kind: 'slow-replica'; readonly stage: string; readonly factor: number; readonly replica?: number }
    | { readonly kind: 'service-times'; readonly stage: string; readonly factor: number; readonly variant?: string }
    | {
        readonly kind: 'failing-variant';
        readonly stage: string;
        readonly variant?: string;
        readonly fraction?: number;
      }
    | { readonly kind: 'fan-out'; readonly from: string; readonly to: string; readonly factor: number }
    | { readonly kind: 'budget'; readonly cpuCores: number }
    | { readonly kind: 'stale-signals' }
    | { readonly kind: 'client-aborts'; readonly fraction: number; readonly afterMs: number }
    | { readonly kind: 'client-deadlines'; readonly fraction: number; readonly timeoutMs: number }
  );

export interface Incident {
  readonly name: string;
  /** Path of the pipeline file. */
  readonly pipeline: string;
  readonly seed: number;
  readonly load: LoadSpec;
  readonly planForRps?: number;
  readonly mode?: 'auto' | 'advise' | 'off';
  readonly injections: readonly Injection[];
  readonly ask?: { readonly fromS: number; readonly toS: number };
  readonly expect: { readonly cause: IncidentCause | 'healthy'; readonly stages?: readonly string[] };
}

/** Any instant. */
const STARTED_AT_EPOCH_MS = 1_800_000_000_000;

const windowOf = ({ load, ask = { fromS: 0, toS: loadDurationS(load) } }: Incident) => ({
  fromEpochMs: STARTED_AT_EPOCH_MS + 1000 * ask.fromS,
  toEpochMs: STARTED_AT_EPOCH_MS + 1000 * ask.toS,
});

const isOn = ({ fromS = 0, untilS = Number.POSITIVE_INFINITY }: Timed, atMs: number): boolean =>
  1000 * fromS <= atMs && atMs < 1000 * untilS;

/** Deterministic number in [0, 1) per request. */
function chanceOf(sequence: number, seed: number): number {
  return new SeededRng(seed * 1_000_003 + sequence).next();
}

function faultsOf(injections: readonly Injection[], orderOf: (replicaId: string) => number): FaultSchedule {
  return {
    startFails: () => false,
    faultsOf: (stageId, { replicaId, variantId }) =>
      injections
        .filter((each) => 'stage' in each && each.stage === stageId)
        .flatMap((each) => faultOf(each, orderOf(replicaId), variantId)),
  };
}

function faultOf(each: Injection, order: number, ownVariant: string): readonly ReplicaFault[] {
  const { fromS = 0, untilS = 1e6 } = each;
  const time = { fromMs: 1000 * fromS, untilMs: 1000 * untilS };
  switch (each.kind) {
    case 'slow-replica':
      return order === (each.replica ?? 1) ? [{ kind: 'slow', ...time, factor: each.factor }] : [];
    case 'service-times':
      return (each.variant ?? ownVariant) === ownVariant ? [{ kind: 'slow', ...time, factor: each.factor }] : [];
    case 'failing-variant': {
      const { fraction, variant = ownVariant } = each;
      return variant === ownVariant ? [{ kind: 'failing', ...time, ...(fraction !== undefined && { fraction }) }] : [];
    }
    default:
      return [];
  }
}

function laterEdgesOf(spec: PipelineSpec, injections: readonly Injection[]) {
  const grown = injections.find((each) => each.kind === 'fan-out');
  if (grown === undefined) return undefined;
  const index = spec.edges.findIndex(({ from, to }) => from === grown.from && to === grown.to);
  const edge = spec.edges[index];
  const value = grown.factor * (edge?.fanOut?.expected ?? edge?.when?.probability ?? 1);
  return { atMs: 1000 * (grown.fromS ?? 0), edges: specWithEdges(spec, new Map([[index, value]])).edges };
}

/** Number of a replica at its stage: the last part of its id. */
const orderOf = (replicaId: string): number => Number(/(\d+)$/.exec(replicaId)?.[1] ?? 0);

export function simulateIncident(incident: Incident, spec: PipelineSpec, profiles: ProfileSet = []): DiagnosisInput {
  const { injections, load, seed, mode = 'auto' } = incident;
  const described: PipelineSpec = { ...spec, control: { ...spec.control, mode } };
  const hostCores = 64;
  const budget = injections.find((each) => each.kind === 'budget');
  const partsFor = (set: ProfileSet, of: PipelineSpec) => {
    const curves = requireCurves(of, set);
    return {
      profiles: set,
      curves,
      verifierAt: verifiersOf({ spec: of, curves, hostCores, seed: 1, workStageRequests: 3000 }),
    };
  };
  const context: ControllerRules = {
    ...{
      spec: described,
      policy: { ...controlPolicies.equipoise, usesVerdicts: false },
      forecaster: smoothedRate,
      guardrails: usualGuardrails,
    },
    ...{ ...partsFor(profiles, described), partsFor },
    ...(budget && {
      targetAt: (atMs) => (isOn(budget, atMs) ? { budget: { ...spec.budget, cpuCores: budget.cpuCores } } : {}),
    }),
  };
  const planned: LoadSpec =
    incident.planForRps === undefined ? load : { kind: 'poisson', arrivalRps: incident.planForRps, durationS: 60 };
  const first = firstPlan(context, planned, seed);
  const laterEdges = laterEdgesOf(spec, injections);
  const stale = injections.find((each) => each.kind === 'stale-signals');
  let frozen: Observation | undefined;
  const run = simulateControl({
    context,
    firstPlan: first,
    arrivals: arrivalsOf(load, arrivalRng(seed)),
    hostCores,
    seed,
    historyFromEpochMs: STARTED_AT_EPOCH_MS,
    faults: faultsOf(injections, orderOf),
    ...clientsOf(incident, described),
    ...(laterEdges && { laterEdges }),
    ...(stale && {
      seen: (now) => {
        if (!isOn(stale, now.atMs)) {
          frozen = now;
          return now;
        }
        const { load: lastLoad = now.load } = frozen ?? {};
        const { edges: _, batches: __, ...rest } = now;
        return { ...rest, load: lastLoad, staleSources: ['metrics'] };
      },
    }),
  });
  const rps = incident.planForRps ?? first.predicted.capacityRps;
  const start: DatedDecision = {
    atEpochMs: STARTED_AT_EPOCH_MS,
    decision: {
      ...{ kind: 'apply', plan: first, changes: [], reason: 'the first plan' },
      evidence: { forecast: { method: 'given', meanRps: rps, upperRps: rps } },
    },
  };
  return {
    ...{ ...windowOf(incident), spec: described, profiles, hostCores },
    history: (run.history as NonNullable<typeof run.history>).history.window().data,
    replicas: run.history?.replicas.window() ?? [],
    decisions: [
      start,
      ...run.decisions.map(({ atMs, decision }) => ({
        ...{ atEpochMs: STARTED_AT_EPOCH_MS + atMs, decision, isUnapplied: mode !== 'auto' },
      })),
    ],
  };
}

function clientsOf({ injections, seed, load }: Incident, spec: PipelineSpec): { readonly clients?: SimulatedClients } {
  const aborts = injections.find((each) => each.kind === 'client-aborts');
  const deadlines = injections.find((each) => each.kind === 'client-deadlines');
  if (aborts === undefined && deadlines === undefined) return {};
  const arrivals = arrivalsOf(load, arrivalRng(seed));
  const instants: number[] = [];
  for (let at = arrivals.nextAtMs(); at !== undefined; at = arrivals.nextAtMs()) instants.push(at);
  const hits = (injection: (Timed & { readonly fraction: number }) | undefined, sequence: number): boolean =>
    injection !== undefined &&
    isOn(injection, instants[sequence] ?? 0) &&
    chanceOf(sequence, seed) < injection.fraction;
  return {
    clients: {
      timeoutMs: (sequence) => (deadlines && hits(deadlines, sequence) ? deadlines.timeoutMs : spec.slo.latencyMs),
      patienceMs: (sequence) => (aborts && hits(aborts, sequence) ? aborts.afterMs : Number.POSITIVE_INFINITY),
    },
  };
}
