/** One-stage pipeline that switches from variant `v` to `w` under load, for tests and measurements of canaries. */
import { SeededRng } from '../kernel/rng.js';
import { stageId, variantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { StagePlan } from '../model/plan.js';
import type { RunningPlan } from '../model/running-plan.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves, type ServiceCurves } from '../profile/service-curves.js';
import { drawMs } from '../profile/service-law.js';
import { poissonArrivals } from './arrivals/constant-rate.js';
import type { ReplicaFault } from './replica-faults.js';
import { simulatePlan } from './simulate-plan.js';
import type { SimulatedEnd, SimulatedServiceTimes } from './simulation-input.js';

const a = stageId('a');
/** Start of the change. Requests are counted from then on. */
const CHANGE_AT_MS = 5_000;
const COUNTED_AFTER_VERDICT_MS = 60_000;

export interface Rollout {
  readonly rps: number;
  readonly seed: number;
  readonly canary?: boolean;
  readonly idempotent?: boolean;
  readonly meanMs?: number;
  /** p99 ÷ mean of the profile; default: constant times. */
  readonly tail?: number;
  /** Standard deviation σ of the log of real times, around a profile without variation. */
  readonly noise?: number;
  /** Service times of `w` ÷ profiled times. */
  readonly slowness?: number;
  /** Fraction of failing batches of `w`. */
  readonly failing?: number;
  readonly replicas?: number;
  readonly percentile?: number;
  readonly latencyMs?: number;
  readonly maxBatchSize?: number;
  readonly surgeCpuCores?: number;
  readonly atOnce?: true;
  readonly endAtMs?: number;
}

/** Outcome of a roll-out. Times are in ms after the first request of `w`. */
export interface RolledOut {
  readonly kind: 'everywhere' | 'rolled-back' | 'open';
  readonly verdictAfterMs: number;
  /** Late, dropped or failed requests among arrivals from the change to a minute after the verdict. */
  readonly lost: number;
  readonly ended: number;
  readonly fractions: readonly number[];
}

export function rollOut(rollout: Rollout): RolledOut {
  const {
    rps,
    seed,
    replicas = 2,
    noise,
    slowness = 1,
    failing = 0,
    maxBatchSize = 1,
    atOnce,
    endAtMs = 160_000,
  } = rollout;
  const spec = specOf(rollout);
  const [before, after] = ['v', 'w'].map((name) => stagePlan(spec, name, { replicas, maxBatchSize }));
  if (before === undefined || after === undefined) throw new Error('two plans');
  const curves = requireCurves(spec, []);
  const faultsOfNew: readonly ReplicaFault[] = [
    { kind: 'slow', fromMs: 0, untilMs: Number.POSITIVE_INFINITY, factor: slowness },
    { kind: 'failing', fromMs: 0, untilMs: Number.POSITIVE_INFINITY, fraction: failing },
  ];
  const ends: SimulatedEnd[] = [];
  const watch = new Watch();
  let [isAsked, firstMs] = [false, Number.POSITIVE_INFINITY];
  simulatePlan({
    ...{ spec, curves, plan: planOf(spec, { maxBatchSize, replicas }) },
    ...(noise === undefined ? {} : { serviceTimes: noisyTimes(curves, noise) }),
    ...{ rng: new SeededRng(seed), hostCores: Number.POSITIVE_INFINITY, drops: true },
    arrivals: poissonArrivals(rps, endAtMs, new SeededRng(seed + 1_000)),
    controller: {
      ...{ intervalMs: CHANGE_AT_MS, loadMs: () => 500 },
      decide: () => {
        if (isAsked) return [];
        isAsked = true;
        const change = { kind: 'switch-variant', stageId: a, fromVariantId: before.variantId, to: after } as const;
        return [atOnce ? { ...change, atOnce } : change];
      },
    },
    faults: { startFails: () => false, faultsOf: (_, { variantId: of }) => (of === 'w' ? faultsOfNew : []) },
    onBatch: ({ replicaId: of }, { nowMs }) => {
      if (of.startsWith('a-w')) firstMs = Math.min(firstMs, nowMs);
    },
    onFleet: (running, nowMs) => watch.note(running, nowMs),
    onEnd: (end) => ends.push(end),
  });
  const { kind, atMs, fractions } = watch;
  const counted = ends.filter(
    ({ arrivedAtMs }) => arrivedAtMs >= CHANGE_AT_MS && arrivedAtMs < atMs + COUNTED_AFTER_VERDICT_MS,
  );
  const inTime = counted.filter(({ latencyMs }) => latencyMs !== undefined && latencyMs <= spec.slo.latencyMs);
  const lost = counted.length - inTime.length;
  return { kind, verdictAfterMs: atMs - firstMs, lost, ended: counted.length, fractions };
}

function noisyTimes(curves: ServiceCurves, sigma: number): SimulatedServiceTimes {
  const noise = { kind: 'lognormal', mu: -(sigma * sigma) / 2, sigma } as const;
  const curve = curves.curve(a, variantId('v'), 1);
  return { drawMs: ({ batchSize }, rng) => (curve?.meanMs(batchSize) ?? 0) * drawMs(noise, rng) };
}

class Watch {
  kind: RolledOut['kind'] = 'open';
  atMs = Number.POSITIVE_INFINITY;
  readonly fractions: number[] = [];
  #isOpen = false;

  note({ stages }: RunningPlan, nowMs: number): void {
    const running = stages[a];
    const fraction = running?.canary?.fraction;
    if (fraction !== undefined) {
      this.#isOpen = true;
      if (this.fractions.at(-1) !== fraction) this.fractions.push(fraction);
      return;
    }
    const isNew = running?.replicas.some(({ variantId: of, status }) => of === 'w' && status === 'ready') === true;
    if (this.kind !== 'open' || !(this.#isOpen || isNew)) return;
    this.kind = isNew ? 'everywhere' : 'rolled-back';
    this.atMs = nowMs;
  }
}

function specOf({ canary = true, idempotent = true, latencyMs = 100, ...rollout }: Rollout): PipelineSpec {
  const { meanMs = 80, tail, percentile = 99, surgeCpuCores, replicas = 2 } = rollout;
  const points = [1, 8].map((batchSize) => {
    const batchMs = batchSize === 1 ? meanMs : 4 * meanMs;
    return { cpuCores: 1, batchSize, meanMs: batchMs, ...(tail === undefined ? {} : { p99Ms: tail * batchMs }) };
  });
  const chain = chainSpec({ a: points });
  const [stage] = chain.stages;
  const [variant] = stage?.variants ?? [];
  if (stage === undefined || variant === undefined) throw new Error('a stage with a variant');
  return {
    ...chain,
    stages: [{ ...stage, idempotent, variants: ['v', 'w'].map((id) => ({ ...variant, id: variantId(id) })) }],
    slo: { latencyMs, percentile },
    budget: { cpuCores: replicas },
    control: {
      ...{ mode: 'auto', intervalMs: 10_000, minDwellMs: 0 },
      ...(canary ? {} : { canary: false }),
      ...(surgeCpuCores === undefined ? {} : { surgeCpuCores }),
    },
  };
}

function stagePlan(
  spec: PipelineSpec,
  name: string,
  sizes: { readonly replicas: number; readonly maxBatchSize: number },
) {
  const [plan] = planOf(spec, sizes).stages[a] ?? [];
  return plan && ({ ...plan, variantId: variantId(name) } satisfies StagePlan);
}
