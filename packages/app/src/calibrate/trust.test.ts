import { expect, it } from 'vitest';
import type { ComparedLoad } from './compared-loads.js';
import { trustIn } from './trust.js';

interface Errors {
  readonly latency: number;
  readonly throughput: number;
}

/** A load at which the correction and the profile are off by these fractions. */
function loadAt(load: ComparedLoad['load'], corrected: Errors, fromProfile: Errors): ComparedLoad {
  const figures = ({ latency, throughput }: Errors) => ({
    ...{ p50Ms: 10 * (1 + latency), p99Ms: 40 * (1 + latency) },
    ...{ completedRps: 100 * (1 + throughput), droppedFraction: 0 },
  });
  const [simulated, simulatedFromProfile] = [figures(corrected), figures(fromProfile)];
  const estimated = { p50Ms: 10, p99Ms: 40, capacityRps: 100 };
  return {
    ...{ load, arrivalRps: 100, requests: 1000, served: figures({ latency: 0, throughput: 0 }), halves: null },
    ...{ noise: { p50Fraction: 0, p99Fraction: 0 }, simulated, simulatedFromProfile, estimated },
    estimatedFromProfile: estimated,
  };
}

it('tells that a load above saturation was no overload', () => {
  const exact = { latency: 0, throughput: 0 };
  const loadWith = (load: ComparedLoad['load'], droppedFraction: number): ComparedLoad => {
    const compared = loadAt(load, exact, exact);
    return { ...compared, served: { ...compared.served, droppedFraction } };
  };
  const isOverloaded = (saturation: number, overload: number) =>
    trustIn([loadWith(0.5, 0), loadWith('saturation', saturation), loadWith(1.1, overload)]).isOverloaded;
  expect(isOverloaded(0.2, 0.09)).toBe(true);
  expect(isOverloaded(0.11, 0.05)).toBe(true);
  expect(isOverloaded(0.09, 0.09)).toBe(false);
  expect(isOverloaded(0.2, 0.04)).toBe(false);
});

it.each([
  { name: 'closer latencies', corrected: { latency: 0.1, throughput: 0.02 }, helps: true },
  {
    name: 'closer latencies, a throughput that is a little further away',
    corrected: { latency: 0.1, throughput: 0.06 },
    helps: true,
  },
  { name: 'closer latencies, a throughput that is wrong', corrected: { latency: 0.1, throughput: 0.4 }, helps: false },
  { name: 'latencies that are further away', corrected: { latency: 0.6, throughput: 0.02 }, helps: false },
])('judges a correction with $name', ({ corrected, helps }) => {
  const fromProfile = { latency: 0.5, throughput: 0.02 };
  expect(trustIn([loadAt(0.5, corrected, fromProfile), loadAt('saturation', corrected, fromProfile)]).helps).toBe(
    helps,
  );
});
