/**
 * Cells of the sojourn table by simulation: one row of the grid at all its load factors. All load factors of a row use
 * the same draws, stretched in time, so that noise does not look like a trend.
 */
import { drawArrivals } from '../packages/core/src/estimate/arrivals.js';
import { runStage } from '../packages/core/src/estimate/micro-simulation.js';
import {
  type Company,
  disturbedFractions,
  loadGrid,
  type SojournCell,
  stretchOf,
} from '../packages/core/src/estimate/tables/sojourn-grid.js';
import { LatencyHistogram } from '../packages/core/src/kernel/latency-histogram.js';
import { normalQuantile } from '../packages/core/src/kernel/normal-quantile.js';
import { SeededRng } from '../packages/core/src/kernel/rng.js';
import { type ServiceCurve, serviceCurve } from '../packages/core/src/profile/service-curves.js';

/** Law of items and of whole groups at one grid point, in units of s(1). */
export interface GridCell {
  readonly items: SojournCell;
  readonly requests: SojournCell;
  readonly meanBatchSize: number;
}

/** A row of the grid: replicas, cap and scaling as values, and the arrivals (unit gaps) of its simulation. */
export interface GridRow {
  readonly replicas: number;
  readonly cap: number;
  readonly scaling: number;
  readonly company: Company;
  readonly unitTimes: Float64Array;
  /** Service factors (mean 1); missing for constant service times. */
  readonly serviceFactors?: Float64Array;
  /** Default: 1e-4. */
  readonly leastDisturbed?: number;
}

/** Requests simulated per load factor, before the factor of the batch size. */
const REQUESTS = [50_000, 50_000, 60_000, 80_000, 100_000, 130_000, 160_000, 200_000, 280_000, 500_000, 900_000];
const LARGEST_FACTOR = 3;
/**
 * If fewer than this fraction of the requests are disturbed, they are too few: their law is taken from the next load
 * factor.
 */
const LEAST_DISTURBED = 1e-4;
/** In long runs, some batches share a factor; the sum of all factors is exact. */
const FACTORS = 2 ** 19;
/** Maximum number of requests that a row needs. */
const MOST_REQUESTS = Math.max(...REQUESTS) * LARGEST_FACTOR;

/** Arrival times with a mean gap of 1 ms between groups (or single items). */
export function unitArrivals(company: Company, seed: number): Float64Array {
  const { dispersion } = company;
  const process =
    dispersion === 1 ? ({ kind: 'poisson' } as const) : ({ kind: 'gamma', cv: Math.sqrt(dispersion) } as const);
  const load = { process, arrivalRps: 1000, groupSize: 1, itemsPerRequest: 1 };
  return drawArrivals(load, MOST_REQUESTS, new SeededRng(seed)).arrivedAtMs;
}

/** Lognormal service factors in random order: the quantiles in the middle of equal parts, scaled to a mean of 1. */
export function lognormalFactors(sigma: number, seed: number): Float64Array {
  const factors = Float64Array.from({ length: FACTORS }, (_, i) =>
    Math.exp(sigma * normalQuantile((i + 0.5) / FACTORS)),
  );
  const mean = factors.reduce((sum, factor) => sum + factor, 0) / FACTORS;
  const rng = new SeededRng(seed);
  for (let i = FACTORS - 1; i >= 0; i--) {
    const j = Math.floor((i + 1) * rng.next());
    const swapped = factors[j] as number;
    factors[j] = factors[i] as number;
    factors[i] = swapped / mean;
  }
  return factors;
}

function affineCurve(cap: number, scaling: number): ServiceCurve {
  const slope = cap === 1 ? 0 : (stretchOf(cap, scaling) - 1) / (cap - 1);
  const points = Array.from({ length: cap }, (_, i) => ({
    batchSize: i + 1,
    law: { kind: 'constant', ms: 1 + slope * i } as const,
  }));
  return serviceCurve(1, 1, points);
}

/** Larger batches are fewer, so more requests are simulated. Fewer requests suffice if a group takes many batches. */
function requestsFor(row: GridRow, loadIndex: number): number {
  const load = loadGrid[loadIndex] as number;
  const usualBatch = Math.max(1, (row.cap * load * load) / row.replicas);
  const batchesPerGroup = Math.max(1, row.company.groupSize / row.cap);
  const factor = Math.min(LARGEST_FACTOR, Math.sqrt(usualBatch)) / Math.sqrt(batchesPerGroup);
  return Math.round((REQUESTS[loadIndex] as number) * factor);
}

function cellOf(times: LatencyHistogram, undisturbedMs: number): SojournCell {
  const disturbed = 1 - times.fractionUpTo(undisturbedMs * 1.003);
  const bounded = Math.max(1e-7, Math.min(1 - 1e-7, disturbed));
  return {
    logitDisturbed: Math.log(bounded / (1 - bounded)),
    logTimes: disturbedFractions.map((fraction) =>
      Math.log(Math.max(undisturbedMs, times.quantileMs(1 - disturbed * (1 - fraction)))),
    ),
  };
}

function simulateCell(row: GridRow, loadIndex: number): GridCell {
  const { replicas, cap, company } = row;
  const curve = affineCurve(cap, row.scaling);
  const requests = requestsFor(row, loadIndex);
  const itemsPerMs = ((loadGrid[loadIndex] as number) * replicas * cap) / curve.meanMs(cap);
  const gapMs = company.groupSize / itemsPerMs;
  const itemTimes = new LatencyHistogram();
  const record = runStage(
    {
      curve,
      replicas,
      maxBatchSize: cap,
      burstMs: 0,
      arrivedAtMs: row.unitTimes.subarray(0, requests).map((time) => time * gapMs),
      itemsOf: new Uint16Array(requests).fill(company.groupSize),
      warmUp: Math.floor(requests / 20),
      ...(company.groupSize > 1 ? { itemTimes } : {}),
      ...(row.serviceFactors === undefined ? {} : { serviceFactors: row.serviceFactors }),
    },
    new SeededRng(0),
  );
  const undisturbedMs = curve.meanMs(Math.min(cap, company.groupSize));
  const ofRequests = cellOf(record.requests, undisturbedMs);
  const items = company.groupSize > 1 ? cellOf(itemTimes, undisturbedMs) : ofRequests;
  return { items, requests: ofRequests, meanBatchSize: record.meanBatchSize };
}

const isRare = (cell: SojournCell, least: number): boolean => cell.logitDisturbed < Math.log(least);

/** Replaces each law of too few requests by the law at the next higher load factor. */
function filled(cells: readonly SojournCell[], least: number): readonly SojournCell[] {
  const out = [...cells];
  for (let i = out.length - 2; i >= 0; i--) {
    const cell = out[i] as SojournCell;
    if (isRare(cell, least)) out[i] = { ...cell, logTimes: (out[i + 1] as SojournCell).logTimes };
  }
  return out;
}

/** Simulates one row at all load factors. */
export function simulateRow(row: GridRow): readonly GridCell[] {
  const { leastDisturbed: least = LEAST_DISTURBED } = row;
  const cells = loadGrid.map((_, loadIndex) => simulateCell(row, loadIndex));
  const items = filled(
    cells.map((cell) => cell.items),
    least,
  );
  const requests = filled(
    cells.map((cell) => cell.requests),
    least,
  );
  return cells.map((cell, i) => ({
    items: items[i] as SojournCell,
    requests: requests[i] as SojournCell,
    meanBatchSize: cell.meanBatchSize,
  }));
}
