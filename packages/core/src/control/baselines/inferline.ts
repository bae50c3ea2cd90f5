/**
 * Planner and tuner like InferLine (Crankshaw et al., SoCC 2020). The planner starts with batches of one on the fastest
 * core counts, and adds replicas to the bottleneck until a simulation of the sample meets the SLO. Then it repeats the
 * step that saves most and still meets the SLO: remove a replica, take fewer cores, or double a batch. The tuner
 * compares the traffic envelope of the last minute with that of the sample. If a window has more arrivals, it scales
 * each stage for that rate at its planned utilization. 15 s after the last change, it scales down to the maximum rate
 * of the last 30 s (windows of 5 s), at the lowest planned utilization. After it has scaled, the envelope of the sample
 * counts in proportion to the replicas: otherwise, a rise after a fall would go unnoticed.
 *
 * Leaves out: accelerators (core counts instead), and planning again when the tuner has changed much. Variants are set
 * by hand: InferLine does not choose models. Windows begin at 1 s, the resolution of the measured arrivals.
 */
import type { PipelineSpec, StageSpec } from '../../model/pipeline-spec.js';
import type { ServiceCurve, ServiceCurves } from '../../profile/service-curves.js';
import { withinBudget } from './budget-share.js';
import {
  allowedBatchSizes,
  batchP99Ms,
  type Configuration,
  configurationOf,
  curvesOfVariant,
  middleVariant,
  replicasFor,
  stagesOf,
  withinBounds,
} from './hand-configuration.js';
import type { ObservingPolicy, PolicyInput, PolicyObservation } from './observing-policy.js';
import { meanOf } from './utilization-autoscaler.js';

const INTERVAL_MS = 1000;
const ENVELOPE_S = 60;
const WINDOWS_S = [1, 2, 4, 8, 16, 32, 60];
const QUIET_MS = 15_000;
const DOWN_MEMORY_S = 30;
const DOWN_WINDOW_S = 5;
/** Bounds on the work of the planner, in simulations of the sample. */
const MOST_SIMULATIONS = 400;

/** Largest rate (rps) of each window of `WINDOWS_S`; windows longer than the load are 0. */
export function envelopeRps(arrivalsPerSecond: readonly number[]): readonly number[] {
  return WINDOWS_S.map((windowS) => largestRps(arrivalsPerSecond, windowS));
}

function largestRps(counts: readonly number[], windowS: number): number {
  let [sum, largest] = [0, 0];
  for (const [i, count] of counts.entries()) {
    sum += count - (counts[i - windowS] ?? 0);
    if (i >= windowS - 1) largest = Math.max(largest, sum / windowS);
  }
  return largest;
}

/** Largest rate of the windows in which `recent` exceeds `planned`; undefined if it exceeds none. */
export function exceededRps(planned: readonly number[], recent: readonly number[]): number | undefined {
  const rates = recent.filter((rps, i) => rps > (planned[i] ?? 0));
  return rates.length === 0 ? undefined : Math.max(...rates);
}

export interface PlannedStages {
  readonly configurations: readonly Configuration[];
  readonly replicas: readonly number[];
}

const coresOf = ({ configurations, replicas }: PlannedStages): number =>
  configurations.reduce((sum, { curve }, i) => sum + curve.cpuCores * (replicas[i] ?? 0), 0);

const changed = <T>(list: readonly T[], at: number, value: T): readonly T[] => list.with(at, value);

/** Planner of one pipeline and sample. */
class InferLinePlanner {
  readonly #input: PolicyInput;
  readonly #verdicts = new Map<string, boolean>();

  constructor(input: PolicyInput) {
    this.#input = input;
  }

  plan(): PlannedStages {
    let planned = this.#feasibleStart();
    for (;;) {
      const next = this.#bestStep(planned);
      if (next === undefined) return planned;
      planned = next;
    }
  }

  /** Adds replicas to the bottleneck until the sample meets the SLO or the bounds are reached. */
  #feasibleStart(): PlannedStages {
    const { spec, curves, sampleArrivalsPerSecond } = this.#input;
    const rps = meanOf(sampleArrivalsPerSecond);
    const configurations = spec.stages.map((stage) => this.#configured(stage, fastestCurve(curves, stage)));
    let planned: PlannedStages = { configurations, replicas: configurations.map((each) => replicasFor(each, rps)) };
    while (!this.#holds(planned)) {
      const more = withReplicaAtBottleneck(planned);
      if (more === undefined) return planned;
      planned = more;
    }
    return planned;
  }

  /** The cheapest of the next plans that hold; without a cheaper one, one with a doubled batch. */
  #bestStep(planned: PlannedStages): PlannedStages | undefined {
    const cores = coresOf(planned);
    const cheaper = planned.configurations
      .flatMap((_, i) => [this.#withoutReplica(planned, i), ...this.#onFewerCores(planned, i)])
      .filter((each) => each !== undefined)
      .filter((each) => coresOf(each) < cores)
      .sort((a, b) => coresOf(a) - coresOf(b));
    const larger = planned.configurations.map((_, i) => this.#withDoubledBatch(planned, i));
    return [...cheaper, ...larger.filter((each) => each !== undefined)].find((each) => this.#holds(each));
  }

  #withoutReplica({ configurations, replicas }: PlannedStages, i: number): PlannedStages | undefined {
    const fewer = (replicas[i] ?? 0) - 1;
    const { stage } = configurations[i] as Configuration;
    return fewer < withinBounds(stage, 1) ? undefined : { configurations, replicas: changed(replicas, i, fewer) };
  }

  /** The next lower core count, with batches of one and each number of replicas that carries the sample. */
  #onFewerCores({ configurations, replicas }: PlannedStages, i: number): readonly PlannedStages[] {
    const { stage, variant, curve, itemRps } = configurations[i] as Configuration;
    const lower = curvesOfVariant(this.#input.curves, stage, variant).findLast(
      (each) => each.cpuCores < curve.cpuCores,
    );
    if (lower === undefined) return [];
    const configuration = this.#configured(stage, lower);
    const least = replicasFor(configuration, meanOf(this.#input.sampleArrivalsPerSecond));
    const most = withinBounds(stage, Math.ceil(((replicas[i] ?? 1) * itemRps) / configuration.itemRps - 1e-9));
    return Array.from({ length: Math.max(1, most - least + 1) }, (_, more) => ({
      configurations: changed(configurations, i, configuration),
      replicas: changed(replicas, i, least + more),
    }));
  }

  #withDoubledBatch({ configurations, replicas }: PlannedStages, i: number): PlannedStages | undefined {
    const { stage, curve, maxBatchSize } = configurations[i] as Configuration;
    const size = allowedBatchSizes(stage, curve).findLast((each) => each > maxBatchSize && each <= 2 * maxBatchSize);
    if (size === undefined) return undefined;
    const configuration = this.#configured(stage, curve, size);
    return { configurations: changed(configurations, i, configuration), replicas };
  }

  #configured(stage: StageSpec, curve: ServiceCurve, maxBatchSize?: number): Configuration {
    const size = maxBatchSize ?? allowedBatchSizes(stage, curve)[0] ?? 1;
    return configurationOf(this.#input.spec, { stage, variant: middleVariant(stage), curve, maxBatchSize: size });
  }

  /** True if the sample meets the SLO. Simulations beyond the bound count as misses. */
  #holds({ configurations, replicas }: PlannedStages): boolean {
    const { spec } = this.#input;
    const stages = stagesOf(configurations, replicas);
    const key = JSON.stringify(stages);
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    if (this.#verdicts.size >= MOST_SIMULATIONS) return false;
    const holds = this.#input.attainment(stages) >= spec.slo.percentile / 100;
    this.#verdicts.set(key, holds);
    return holds;
  }
}

function fastestCurve(curves: ServiceCurves, stage: StageSpec): ServiceCurve {
  const all = curvesOfVariant(curves, stage, middleVariant(stage));
  return all.toSorted((a, b) => batchP99Ms(a, 1) - batchP99Ms(b, 1))[0] as ServiceCurve;
}

/** Requests per second that a stage serves. */
const stageRps = ({ itemRps, itemsPerRequest }: Configuration, replicas: number): number =>
  itemsPerRequest === 0 ? Number.POSITIVE_INFINITY : (itemRps * replicas) / itemsPerRequest;

function withReplicaAtBottleneck({ configurations, replicas }: PlannedStages): PlannedStages | undefined {
  const rates = configurations.map((each, i) => stageRps(each, replicas[i] ?? 0));
  const i = rates.indexOf(Math.min(...rates));
  const { stage } = configurations[i] as Configuration;
  const more = (replicas[i] ?? 0) + 1;
  return more > stage.bounds.maxReplicas ? undefined : { configurations, replicas: changed(replicas, i, more) };
}

export const planInferLine = (input: PolicyInput): PlannedStages => new InferLinePlanner(input).plan();

/** Scales the stages of a plan with the arrivals. */
export class InferLineTuner {
  readonly #spec: PipelineSpec;
  readonly #configurations: readonly Configuration[];
  readonly #planned: readonly number[];
  readonly #envelope: readonly number[];
  /** Planned utilization (fraction) of each stage at the mean rate of the sample. */
  readonly #utilizations: readonly number[];
  #replicas: readonly number[];
  #changedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    { spec, sampleArrivalsPerSecond }: Pick<PolicyInput, 'spec' | 'sampleArrivalsPerSecond'>,
    { configurations, replicas }: PlannedStages,
  ) {
    this.#spec = spec;
    this.#configurations = configurations;
    this.#replicas = withinBudget(spec, configurations, replicas);
    this.#planned = this.#replicas;
    this.#envelope = envelopeRps(sampleArrivalsPerSecond);
    const rps = meanOf(sampleArrivalsPerSecond);
    this.#utilizations = configurations.map((each, i) =>
      Math.min(1, Math.max(0.01, rps / stageRps(each, replicas[i] ?? 1))),
    );
  }

  get stages() {
    return stagesOf(this.#configurations, this.#replicas);
  }

  decide({ atMs, arrivalsPerSecond }: Pick<PolicyObservation, 'atMs' | 'arrivalsPerSecond'>) {
    const wanted = this.#larger(arrivalsPerSecond) ?? this.#smaller(atMs, arrivalsPerSecond);
    if (wanted === undefined) return undefined;
    const replicas = withinBudget(this.#spec, this.#configurations, wanted);
    if (replicas.every((count, i) => count === this.#replicas[i])) return undefined;
    this.#replicas = replicas;
    this.#changedAtMs = atMs;
    return this.stages;
  }

  #larger(arrivalsPerSecond: readonly number[]): readonly number[] | undefined {
    const scale = Math.min(...this.#replicas.map((count, i) => count / (this.#planned[i] ?? 1)));
    const envelope = this.#envelope.map((rps) => scale * rps);
    const rps = exceededRps(envelope, envelopeRps(arrivalsPerSecond.slice(-ENVELOPE_S)));
    if (rps === undefined) return undefined;
    const wanted = this.#configurations.map((each, i) =>
      Math.max(this.#replicas[i] ?? 1, replicasFor(each, rps, this.#utilizations[i])),
    );
    return wanted.some((count, i) => count > (this.#replicas[i] ?? 1)) ? wanted : undefined;
  }

  #smaller(atMs: number, arrivalsPerSecond: readonly number[]): readonly number[] | undefined {
    if (atMs - this.#changedAtMs < QUIET_MS || arrivalsPerSecond.length < DOWN_MEMORY_S) return undefined;
    const rps = largestRps(arrivalsPerSecond.slice(-DOWN_MEMORY_S), DOWN_WINDOW_S);
    const utilization = Math.min(...this.#utilizations);
    return this.#configurations.map((each, i) => Math.min(this.#replicas[i] ?? 1, replicasFor(each, rps, utilization)));
  }
}

export const inferline: ObservingPolicy = {
  intervalMs: INTERVAL_MS,
  begin(input) {
    const tuner = new InferLineTuner(input, planInferLine(input));
    return { first: tuner.stages, decide: (observation) => tuner.decide(observation) };
  },
};
