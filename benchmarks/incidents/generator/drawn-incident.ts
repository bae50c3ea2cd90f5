/**
 * Random incidents of each cause, on random pipelines. An incident is kept only if its cause does the harm: with it, the
 * requests of the window miss the SLO more than twice as often as allowed; without it, at most half as often as allowed.
 * The same simulation tells both. A slow replica needs a peer: without one, all replicas are slow, which is another
 * cause. The diagnosis is not asked.
 */
import { type PipelineSpec, type SeededRng, stageId } from '@equipoise/core/model';
import type { IncidentCause } from '../../../packages/core/src/diagnose/incident-card.js';
import {
  type Incident,
  type Injection,
  simulateIncident,
} from '../../../packages/core/src/diagnose/simulated-incident.test-support.js';
import { HistoryWindow } from '../../../packages/core/src/history/history-window.js';
import { between, type DrawnPipeline, logBetween, oneOf, wholeBetween } from './drawn-pipeline.js';

export type DrawnCause = Exclude<IncidentCause, 'unknown'>;

export const drawnCauses: readonly DrawnCause[] = [
  'overload',
  'slow-replica',
  'wrong-profile',
  'failing-variant',
  'stale-source',
  'fan-out',
  'budget',
  'client',
];

/** An incident, and the same run without its cause. */
interface Pair {
  readonly incident: Incident;
  readonly without: Incident;
}

export interface IncidentRequest {
  readonly rng: SeededRng;
  readonly pipeline: DrawnPipeline;
  /** Path of the pipeline's file. */
  readonly file: string;
  readonly cause: DrawnCause;
}

interface Times {
  readonly fromS: number;
  readonly durationS: number;
}

/** Undefined if such a pipeline cannot have such an incident. */
export function drawIncident({ rng, pipeline, file, cause }: IncidentRequest): Pair | undefined {
  const fromS = wholeBetween(rng, 45, 75);
  const times: Times = { fromS, durationS: fromS + wholeBetween(rng, 60, 90) };
  const drawn = { rng, pipeline, times };
  const injection = injectionOf(drawn, cause);
  if (injection === undefined && cause !== 'overload') return undefined;
  const flat: Incident['load'] = { kind: 'poisson', arrivalRps: pipeline.arrivalRps, durationS: times.durationS };
  const risen = cause === 'overload' ? riseOf(drawn, between(rng, 2.5, 8)) : riseOf(drawn, between(rng, 1.5, 3));
  const ask = { fromS: fromS - wholeBetween(rng, 10, 35), toS: times.durationS - wholeBetween(rng, 0, 20) };
  const stages = stagesOf(injection);
  const common = {
    name: `${cause} of ${pipeline.name}`,
    pipeline: file,
    seed: wholeBetween(rng, 0, 999_999),
    planForRps: pipeline.arrivalRps,
    mode: modeOf(rng, cause),
    ask,
    expect: { cause, ...(stages && { stages }) },
  };
  const load = cause === 'overload' || cause === 'stale-source' ? risen : flat;
  return {
    incident: { ...common, load, injections: injection === undefined ? [] : [injection] },
    without: { ...common, load: cause === 'overload' ? flat : load, injections: [] },
  };
}

interface Drawn {
  readonly rng: SeededRng;
  readonly pipeline: DrawnPipeline;
  readonly times: Times;
}

function injectionOf({ rng, pipeline, times }: Drawn, cause: DrawnCause): Injection | undefined {
  const { fromS } = times;
  const stage = oneOf(rng, pipeline.stages).name;
  switch (cause) {
    case 'overload':
      return undefined;
    case 'slow-replica':
      return { kind: cause, stage, replica: wholeBetween(rng, 1, 2), factor: rounded(logBetween(rng, 2.5, 9)), fromS };
    case 'wrong-profile': {
      const factor = rounded(logBetween(rng, 1.5, 4));
      return { kind: 'service-times', stage, factor, ...(rng.next() < 0.7 && { fromS }) };
    }
    case 'failing-variant':
      return { kind: cause, stage, fraction: rounded(logBetween(rng, 0.04, 1)), fromS };
    case 'stale-source':
      return { kind: 'stale-signals', fromS: fromS - wholeBetween(rng, 0, 20) };
    case 'fan-out':
      return grownEdge({ rng, pipeline, times });
    case 'budget':
      return { kind: cause, cpuCores: Math.max(1, Math.floor(pipeline.usedCores * between(rng, 0.4, 1))), fromS };
    case 'client': {
      const fraction = rounded(logBetween(rng, 0.05, 0.6));
      const shortMs = Math.max(5, Math.round(pipeline.slo.latencyMs * logBetween(rng, 0.02, 0.15)));
      return rng.next() < 0.5
        ? { kind: 'client-aborts', fraction, afterMs: shortMs, fromS }
        : { kind: 'client-deadlines', fraction, timeoutMs: shortMs, fromS };
    }
  }
}

function grownEdge({ rng, pipeline, times }: Drawn): Injection | undefined {
  const edge = pipeline.edges.find(({ fanOut, when }) => fanOut !== undefined || when !== undefined);
  if (edge === undefined) return undefined;
  const most = edge.when === undefined ? 4 : 1 / edge.when.probability;
  const factor = rounded(between(rng, Math.min(1.8, most), most));
  return { kind: 'fan-out', from: edge.from, to: edge.to, factor, fromS: times.fromS };
}

/** A jump, or a rise within some seconds. */
function riseOf({ rng, pipeline: { arrivalRps }, times }: Drawn, factor: number): Incident['load'] {
  const { fromS, durationS } = times;
  const toRps = rounded(arrivalRps * factor);
  if (rng.next() < 0.5) return { kind: 'step', fromRps: arrivalRps, toRps, atS: fromS, durationS };
  const points = [
    { atS: 0, arrivalRps },
    { atS: fromS, arrivalRps },
    { atS: fromS + wholeBetween(rng, 3, 25), arrivalRps: toRps },
    { atS: durationS, arrivalRps: toRps },
  ];
  return { kind: 'piecewise-linear', points };
}

const modeOf = (rng: SeededRng, cause: DrawnCause): 'auto' | 'advise' | 'off' =>
  cause === 'slow-replica' || cause === 'wrong-profile' || cause === 'fan-out'
    ? oneOf(rng, ['auto', 'advise', 'off'])
    : 'auto';

/** The stage that the cause hits; for a grown fan-out, the one that gets more items. */
function stagesOf(injection: Injection | undefined): readonly string[] | undefined {
  if (injection === undefined) return undefined;
  if (injection.kind === 'fan-out') return [injection.to];
  return 'stage' in injection ? [injection.stage] : undefined;
}

const rounded = (value: number): number => Number(value.toFixed(2));

/** Steady loads without a fault; kept if the SLO is met. */
export function drawHealthy({ rng, pipeline, file }: Omit<IncidentRequest, 'cause'>): Incident {
  const durationS = wholeBetween(rng, 90, 150);
  const { arrivalRps } = pipeline;
  const load = oneOf<Incident['load']>(rng, [
    { kind: 'poisson', arrivalRps, durationS },
    { kind: 'gamma', arrivalRps, durationS, cv: rounded(between(rng, 0.5, 1.5)) },
    { kind: 'ramp', fromRps: arrivalRps, toRps: rounded(arrivalRps * between(rng, 0.5, 1)), durationS },
  ]);
  return {
    name: `healthy ${pipeline.name}`,
    pipeline: file,
    seed: wholeBetween(rng, 0, 999_999),
    planForRps: arrivalRps,
    load,
    injections: [],
    expect: { cause: 'healthy' },
  };
}

const MISSED = { with: 2, without: 0.5 } as const;

export const doesTheHarm = ({ incident, without }: Pair, spec: PipelineSpec): boolean =>
  missedOfAllowed(incident, spec) > MISSED.with &&
  missedOfAllowed(without, spec) <= MISSED.without &&
  incident.injections.every((each) => each.kind !== 'slow-replica' || hasPeer(without, spec, each));

function hasPeer(
  without: Incident,
  spec: PipelineSpec,
  { stage, fromS = 0 }: { readonly stage: string; readonly fromS?: number },
): boolean {
  const window = new HistoryWindow(simulateIncident(without, spec).history);
  return window.stageFigure(fromS, window.shape.stageIds.indexOf(stageId(stage)), 'ready') > 1;
}

/** Fraction of the requests in the window that missed the SLO ÷ the fraction that it allows. */
export function missedOfAllowed(incident: Incident, spec: PipelineSpec): number {
  const { history, fromEpochMs, toEpochMs } = simulateIncident(incident, spec);
  const window = new HistoryWindow(history);
  let [missed, ended] = [0, 0];
  for (let second = 0; second < window.length; second++) {
    const at = window.atEpochMs(second);
    if (at <= fromEpochMs || at > toEpochMs) continue;
    missed += window.missed(second);
    ended += window.ended(second);
  }
  return ended === 0 ? 0 : missed / ended / (1 - spec.slo.percentile / 100);
}
