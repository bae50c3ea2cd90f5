import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { ComparedLoad } from '../../packages/app/src/calibrate/compared-loads.js';
import { barResults, rankCorrelation } from './bars.js';
import { benchMethod, configurations } from './configurations.js';
import { checkResumable, readResults, writeResults } from './kept-results.js';
import type { MeasuredPlan } from './plan-result.js';
import { fidelityReport } from './report.js';

const figures = (p50Ms: number, more: Partial<ComparedLoad['served']> = {}) => ({
  p50Ms,
  p99Ms: 3 * p50Ms,
  droppedFraction: 0,
  completedRps: 100,
  ...more,
});
const estimated = { p50Ms: 11, p99Ms: null, capacityRps: 90 };

function compared(load: ComparedLoad['load'], served: ComparedLoad['served'], simulated: ComparedLoad['served']) {
  const noise = { p50Fraction: 0.1, p99Fraction: 0.2 };
  const halves = { p50Fraction: 0.02, p99Fraction: 0.04 };
  const from = { simulatedFromProfile: simulated, estimated, estimatedFromProfile: estimated };
  return { load, arrivalRps: 50, requests: 100, served, noise, halves, simulated, ...from };
}

function planWith(change: { readonly p50?: number; readonly rps?: number; readonly drops?: number }): MeasuredPlan {
  const { p50 = 1.05, rps = 102, drops = 0.11 } = change;
  const loads = [
    ...[1, 2, 3].map((n) => compared(0.2 * n, figures(10 * n), figures(10 * n * p50))),
    compared('saturation', figures(100), figures(100, { completedRps: rps })),
    compared(1.1, figures(100, { droppedFraction: 0.1 }), figures(100, { droppedFraction: drops })),
  ];
  const measured = { saturationRps: 100, corrections: [], loads, seconds: 60, stolenFraction: 0 };
  return { pipeline: 'p', name: 'plan', ...measured, machine: 'a machine', scale: 1 };
}

const missed = (change: Parameters<typeof planWith>[0]) =>
  barResults([planWith(change)]).flatMap(({ name, met }) => (met ? [] : [name]));

describe('bars', () => {
  it('are met within them, and each is missed beyond it', () => {
    expect(missed({})).toEqual([]);
    expect(missed({ p50: 1.1 })).toEqual(['p50, median error']);
    expect(missed({ p50: 1.2 })).toEqual(['p50, median error', 'p99, median error']);
    expect(missed({ p50: 0.6 })).toContain('p50 or p99, worst error');
    expect(missed({ rps: 94 })).toEqual(['saturation throughput, worst error']);
    expect(missed({ drops: 0.07 })).toEqual(['dropped at 110 %, worst difference']);
  });

  it('shows every load, and rows that miss', () => {
    const plans = [planWith({ p50: 1.4 })];
    const { text, met } = fidelityReport({ plans });
    expect(met).toBe(false);
    expect(text).toContain('differ by 2.0 % (p50) and 4.0 % (p99) in the median, by 4.0 % at most');
    expect(text.match(/^\| p \| plan \|/gm)).toHaveLength(4);
    expect(text.match(/^\| p \| plan \|.*\*\*missed\*\* \|$/gm)).toHaveLength(3);
  });

  it('correlates ranks', () => {
    expect(rankCorrelation([1, 2, 3, 4], [10, 20, 30, 99])).toBeCloseTo(1, 9);
    expect(rankCorrelation([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 9);
    expect(rankCorrelation([1, 1, 2, 2], [1, 2, 1, 2])).toBeCloseTo(0, 9);
  });
});

describe('kept results', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fidelity-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = pathToFileURL(join(folder, 'results.json'));

  it('keep the commit and the scale of each plan, and the report names all of them', () => {
    expect(readResults(file)).toBeUndefined();
    const plans = [planWith({}), { ...planWith({}), name: 'other', machine: 'another machine' }];
    writeResults(file, { method: benchMethod, plans });
    expect(readdirSync(folder)).toEqual(['results.json']);
    const found = readResults(file);
    expect(found).toEqual({ method: benchMethod, plans });
    expect(fidelityReport({ plans }).text).toMatch(
      /^a machine \(1 of 2 plans\); another machine \(1 of 2 plans\)\. 2 plans,/,
    );
  });

  it('are read from the older form, which names one machine for all', () => {
    const { machine: _, scale: __, ...plan } = planWith({});
    writeFileSync(file, JSON.stringify({ machine: 'old', scale: 0.5, method: benchMethod, plans: [plan] }));
    expect(readResults(file)?.plans).toEqual([{ ...plan, machine: 'old', scale: 0.5 }]);
  });

  it('take no plans of another scale or method', () => {
    const found = { method: benchMethod, plans: [planWith({})] };
    expect(() => checkResumable(found, benchMethod, 1)).not.toThrow();
    expect(() => checkResumable(found, benchMethod, 0.2)).toThrow('plans of --scale 1');
    expect(() => checkResumable(found, { ...benchMethod, rounds: 7 }, 1)).toThrow('another method');
  });
});

it('has at least 60 configurations of three pipelines below saturation', () => {
  expect(new Set(configurations.map(({ pipeline }) => pipeline)).size).toBe(3);
  expect(configurations.length * 5).toBeGreaterThanOrEqual(60);
});
