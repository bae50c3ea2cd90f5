/** Queues with known sojourn laws as one-stage pipelines: no drops, no deadlines, no bounds, enough cores. */
import { mdcWait, mmcSojourn, quantileOf, singleReplicaSojourn } from '../estimate/closed-forms.test-support.js';
import { SeededRng } from '../kernel/rng.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { serviceCurve } from '../profile/service-curves.js';
import type { ServiceLaw } from '../profile/service-law.js';
import { poissonArrivals } from './arrivals/constant-rate.js';
import { BatchMeans, type Estimate } from './batch-means.test-support.js';
import { simulatePlan } from './simulate-plan.js';

/** Queue with Poisson arrivals. `exact` computes mean and p99 (ms). */
export interface KnownQueue {
  readonly name: string;
  readonly servers: number;
  readonly maxBatchSize: number;
  readonly arrivalRps: number;
  /** Service law by batch size. */
  readonly law: (batchSize: number) => ServiceLaw;
  exact(): { readonly meanMs: number; readonly p99Ms: number };
}

const SERVICE_MS = 10;
/** Slices of a service time in the law of greedy batches; enough for four digits. */
const SLICES = 100;

const constant = (ms: number): ServiceLaw => ({ kind: 'constant', ms });

export function exponentialQueue(servers: number, load: number): KnownQueue {
  const arrivalRps = (1000 * servers * load) / SERVICE_MS;
  return {
    name: `M/M/${servers} at ${load}`,
    servers,
    maxBatchSize: 1,
    arrivalRps,
    law: () => ({ kind: 'exponential', meanMs: SERVICE_MS }),
    exact: () => {
      const { meanMs, cdf } = mmcSojourn(arrivalRps / 1000, SERVICE_MS, servers);
      return { meanMs, p99Ms: quantileOf(cdf, 0.99) };
    },
  };
}

export function constantQueue(servers: number, load: number): KnownQueue {
  const arrivalRps = (1000 * servers * load) / SERVICE_MS;
  return {
    name: `M/D/${servers} at ${load}`,
    servers,
    maxBatchSize: 1,
    arrivalRps,
    law: () => constant(SERVICE_MS),
    exact: () => {
      const { meanMs, cdf } = mdcWait(arrivalRps / 1000, SERVICE_MS, servers);
      return { meanMs: SERVICE_MS + meanMs, p99Ms: SERVICE_MS + quantileOf(cdf, 0.99) };
    },
  };
}

/** M/D^[1,b]/1: one replica whose greedy batches of k take 5 + 5k ms. `load` is relative to full batches. */
export function batchQueue(maxBatchSize: number, load: number): KnownQueue {
  const serviceMs = (size: number): number => 5 + 5 * size;
  const arrivalRps = (1000 * load * maxBatchSize) / serviceMs(maxBatchSize);
  return {
    name: `M/D^[1,${maxBatchSize}]/1 at ${load}`,
    servers: 1,
    maxBatchSize,
    arrivalRps,
    law: (size) => constant(serviceMs(size)),
    exact: () => {
      const { meanMs, cdf } = singleReplicaSojourn(
        { serviceMs, maxBatchSize, arrivalPerMs: arrivalRps / 1000 },
        SLICES,
      );
      return { meanMs, p99Ms: quantileOf(cdf, 0.99) };
    },
  };
}

/** Simulates about `requests` requests. Returns mean and p99 of sojourn times, with 99 % intervals. */
export function simulateQueue(
  { servers, maxBatchSize, arrivalRps, law }: KnownQueue,
  run: { readonly requests: number; readonly seed: number },
): { readonly mean: Estimate; readonly p99: Estimate } {
  const points = Array.from({ length: maxBatchSize }, (_, i) => ({ batchSize: i + 1, law: law(i + 1) }));
  const curve = serviceCurve(1, 1, points);
  const spec = chainSpec({ queue: [{ cpuCores: 1, batchSize: 1, meanMs: SERVICE_MS }] });
  const rng = new SeededRng(run.seed);
  const sample = new BatchMeans(run.requests);
  simulatePlan({
    spec,
    curves: { kind: 'curves', curve: () => curve, warnings: [] },
    plan: planOf(spec, { maxBatchSize, replicas: servers }),
    arrivals: poissonArrivals(arrivalRps, (1000 * run.requests) / arrivalRps, rng.fork('arrivals')),
    rng,
    hostCores: Number.POSITIVE_INFINITY,
    drops: false,
    onEnd: ({ latencyMs }) => sample.add(latencyMs ?? Number.POSITIVE_INFINITY),
  });
  return sample.estimates();
}

export const contains = ({ value, halfWidth }: Estimate, exact: number): boolean =>
  Math.abs(value - exact) <= halfWidth;
