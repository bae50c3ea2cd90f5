/**
 * Checks a plan by simulating it at the planned arrival rate (mathematics: work budgets): no deadline drops and unbounded queues,
 * else the tail of what completes would be under the SLO by construction; a fixed amount of work instead of a time limit; the
 * SLO is met when the attained fraction over arrivals reaches the percentile, and the verdict counts as conclusive when the 99 %
 * interval by batch means (requests are correlated) clears it.
 */
import { SeededRng } from '../kernel/rng.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, PlanVerification } from '../model/plan.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import { poissonArrivals } from './arrivals/poisson.js';
import { simulatePlan } from './simulate-plan.js';

/** What a verification runs on; `workStageRequests` bounds its size (simulated items over all stages). */
export interface VerificationSetup {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly arrivalRps: number;
  readonly hostCores: number;
  readonly seed: number;
  readonly workStageRequests: number;
}

/** Simulated stage-requests of one verification, about 20–50 ms. */
export const DEFAULT_WORK_STAGE_REQUESTS = 100_000;

const WARM_UP_FRACTION = 0.1;
const BATCHES = 20;
/** Two-sided 99 % quantile of Student's t with 19 degrees of freedom. */
const T_99 = 2.861;

/** Simulates `plan` and says whether it meets the SLO of the spec. */
export function verifyPlan(setup: VerificationSetup, plan: Plan): PlanVerification {
  const { spec, arrivalRps, seed } = setup;
  const { percentile, latencyMs } = spec.slo;
  if (arrivalRps <= 0) {
    return { latencyMs: 0, percentile, sloAttainmentFraction: 1, conclusive: true, seeds: [seed] };
  }
  const rng = new SeededRng(seed);
  const requests = Math.max(1000, Math.round(setup.workStageRequests / itemsPerRequest(spec)));
  const durationMs = (requests / arrivalRps) * 1000;
  const sample = new AttainmentSample(durationMs, latencyMs);
  simulatePlan({
    ...setup,
    plan,
    arrivals: poissonArrivals(arrivalRps, durationMs, rng.fork('arrivals')),
    rng,
    drops: false,
    onEnd: ({ arrivedAtMs, latencyMs: endMs }) => sample.add(arrivedAtMs, endMs ?? Number.POSITIVE_INFINITY),
  });
  return { percentile, ...sample.verdict(percentile / 100), seeds: [seed] };
}

/** Latencies after the warm-up, grouped into equal spans of arrival time. */
class AttainmentSample {
  readonly #fromMs: number;
  readonly #spanMs: number;
  readonly #sloLatencyMs: number;
  readonly #latenciesMs: number[] = [];
  readonly #within = new Float64Array(BATCHES);
  readonly #counts = new Float64Array(BATCHES);

  constructor(durationMs: number, sloLatencyMs: number) {
    this.#fromMs = durationMs * WARM_UP_FRACTION;
    this.#spanMs = (durationMs - this.#fromMs) / BATCHES;
    this.#sloLatencyMs = sloLatencyMs;
  }

  add(arrivedAtMs: number, latencyMs: number): void {
    if (arrivedAtMs < this.#fromMs) return;
    const batch = Math.min(BATCHES - 1, Math.floor((arrivedAtMs - this.#fromMs) / this.#spanMs));
    this.#counts[batch] = (this.#counts[batch] ?? 0) + 1;
    if (latencyMs <= this.#sloLatencyMs) this.#within[batch] = (this.#within[batch] ?? 0) + 1;
    this.#latenciesMs.push(latencyMs);
  }

  verdict(fraction: number): Pick<PlanVerification, 'latencyMs' | 'sloAttainmentFraction' | 'conclusive'> {
    const latencies = Float64Array.from(this.#latenciesMs).sort();
    const rank = Math.min(latencies.length - 1, Math.max(0, Math.ceil(fraction * latencies.length) - 1));
    const within = this.#within.reduce((sum, count) => sum + count, 0);
    const attained = latencies.length === 0 ? 1 : within / latencies.length;
    return {
      latencyMs: latencies[rank] ?? 0,
      sloAttainmentFraction: attained,
      conclusive: Math.abs(attained - fraction) > this.#halfWidth(attained),
    };
  }

  #halfWidth(attained: number): number {
    let squares = 0;
    let batches = 0;
    for (let i = 0; i < BATCHES; i++) {
      const count = this.#counts[i] ?? 0;
      if (count === 0) continue;
      squares += ((this.#within[i] ?? 0) / count - attained) ** 2;
      batches += 1;
    }
    return batches < 2 ? 1 : T_99 * Math.sqrt(squares / (batches - 1) / batches);
  }
}

function itemsPerRequest(spec: PipelineSpec): number {
  return spec.stages.length + spec.edges.reduce((sum, edge) => sum + (edge.fanOut?.expected ?? 0), 0);
}
