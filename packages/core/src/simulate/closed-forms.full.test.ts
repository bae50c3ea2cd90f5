import { describe, expect, it } from 'vitest';
import { lawMeanMs, lawVariationSquared, type ServiceLaw } from '../profile/service-law.js';
import {
  batchQueue,
  constantQueue,
  contains,
  exponentialQueue,
  type KnownQueue,
  simulateQueue,
} from './queues.test-support.js';

const REQUESTS = 100_000;

describe('a simulated queue has the mean and the p99 of its exact law in its 99 % intervals', () => {
  const queues: readonly KnownQueue[] = [
    exponentialQueue(1, 0.5),
    exponentialQueue(4, 0.8),
    constantQueue(1, 0.8),
    constantQueue(8, 0.8),
    batchQueue(4, 0.8),
    batchQueue(16, 0.5),
    batchQueue(64, 0.5),
  ];
  it.each(queues.map((queue, i) => ({ queue, name: queue.name, seed: i + 1 })))('$name', ({ queue, seed }) => {
    const exact = queue.exact();
    const { mean, p99 } = simulateQueue(queue, { requests: REQUESTS, seed });
    expect(mean.halfWidth / mean.value).toBeLessThan(0.08);
    expect(p99.halfWidth / p99.value).toBeLessThan(0.15);
    expect(contains(mean, exact.meanMs), `mean ${mean.value} ± ${mean.halfWidth}, exact ${exact.meanMs}`).toBe(true);
    expect(contains(p99, exact.p99Ms), `p99 ${p99.value} ± ${p99.halfWidth}, exact ${exact.p99Ms}`).toBe(true);
  });
});

describe('a simulated queue with one replica has the mean of Pollaczek and Khinchine', () => {
  it.each<ServiceLaw>([
    { kind: 'lognormal', mu: 2, sigma: 0.6 },
    { kind: 'two-point', usualMs: 8, slowMs: 150, slowFraction: 0.0101 },
    { kind: 'empirical', sortedMs: [2, 3, 5, 8, 9, 20] },
  ])('$kind', (law) => {
    const serviceMs = lawMeanMs(law);
    const load = 0.7;
    const waitMs = (serviceMs * load * (1 + lawVariationSquared(law))) / (2 * (1 - load));
    const queue = { ...constantQueue(1, load), arrivalRps: (1000 * load) / serviceMs, law: () => law };
    const { mean } = simulateQueue(queue, { requests: REQUESTS, seed: 8 });
    expect(mean.halfWidth / mean.value).toBeLessThan(0.12);
    expect(contains(mean, serviceMs + waitMs), `${mean.value} ± ${mean.halfWidth}, exact ${serviceMs + waitMs}`).toBe(
      true,
    );
  });
});
