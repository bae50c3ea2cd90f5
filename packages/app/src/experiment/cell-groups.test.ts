import { describe, expect, it } from 'vitest';
import { cellGroups } from './cell-groups.js';
import type { CellResult } from './experiment-cell.js';
import { resultsOf } from './experiment-results.js';
import { groupTables } from './experiment-tables.js';
import { platformTables } from './platform-tables.js';

const cell = (policy: CellResult['policy'], seed: number, pasMean: number): CellResult => ({
  ...{ pipeline: 'shelf', load: 'bursty', policy, seed, platform: 'simulator', pasMean, elapsedMs: 1 },
  ...{
    requests: 10,
    completed: 10,
    dropped: {},
    failed: 0,
    sloAttainmentFraction: 1,
    goodputRps: 1,
    pasGoodput: pasMean,
  },
  ...{ cpuCoresMean: 2, costPerHourMean: 2, stages: {}, decisions: 1 },
  latencyMs: { mean: 1, p50: 1, p95: 1, p99: 1, p999: 1, max: 1 },
});

describe('cellGroups', () => {
  it('compares seed with seed, so that what a seed does to both policies cancels out', () => {
    const cells = [cell('rim', 1, 0.5), cell('rim', 2, 0.9), cell('ipa', 2, 0.91), cell('ipa', 1, 0.53)];
    const [rim, ipa] = cellGroups(cells, 'rim');
    expect(rim).toMatchObject({ policy: 'rim', seeds: 2, less: undefined });
    expect(ipa?.figures.accuracy.mean).toBeCloseTo(0.72);
    expect(ipa?.less?.accuracy.mean).toBeCloseTo(0.02);
    // Differences 0.03 and 0.01: standard error 0.01, Student's 12.706 at one degree of freedom.
    expect((ipa?.less?.accuracy.high ?? 0) - 0.02).toBeCloseTo(12.706 * 0.01, 4);
  });

  it('keeps the interval of a figure where the figure can be', () => {
    const attained = [1, 1, 0.9].map((sloAttainmentFraction, seed) => ({
      ...cell('rim', seed, 0.5),
      sloAttainmentFraction,
      latencyMs: { mean: 1, p50: 1, p95: 1, p99: 10 ** (3 * seed), p999: 1, max: 1 },
    }));
    const [rim] = cellGroups(attained, 'rim');
    const { 'within SLO %': within, 'p99 ms': p99 } = rim?.figures ?? {};
    expect(within?.high).toBeGreaterThan(within?.mean ?? 100);
    expect(within?.high).toBeLessThanOrEqual(100);
    expect(p99?.low).toBeLessThan(p99?.mean ?? 0);
    expect(p99?.low).toBeGreaterThan(0);
  });

  it('has latencies and accuracies of the cells that completed requests', () => {
    const none = (policy: CellResult['policy'], seed: number): CellResult => ({
      ...{ ...cell(policy, seed, 0), completed: 0 },
      latencyMs: { mean: 0, p50: 0, p95: 0, p99: 0, p999: 0, max: 0 },
    });
    const cells = [cell('rim', 1, 0.5), none('rim', 2), cell('ipa', 1, 0.6), cell('ipa', 2, 0.9)];
    const [rim, ipa] = cellGroups(cells, 'rim');
    expect([rim?.figures.accuracy.mean, rim?.figures['p99 ms'].mean]).toEqual([0.5, 1]);
    expect(ipa?.less?.accuracy.mean).toBeCloseTo(0.1);
    expect(ipa?.less?.['p99 ms'].mean).toBe(0);
  });

  it('is not certain of an attainment without a miss', () => {
    const perfect = [1, 2, 3].map((seed) => ({ ...cell('rim', seed, 0.5), requests: 1000 }));
    const [rim] = cellGroups(perfect, 'rim');
    const { mean, low, high } = rim?.figures['within SLO %'] ?? { mean: 0, low: 0, high: 0 };
    expect([mean, high]).toEqual([100, 100]);
    expect(low).toBeGreaterThan(99);
    expect(low).toBeLessThan(99.9);
    expect(cellGroups(perfect.slice(1, 2), 'rim')[0]?.figures['within SLO %']).toEqual({
      ...{ mean: 100, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY },
    });
  });

  it('compares only seeds that both have, and nothing where there are none', () => {
    const cells = [cell('rim', 1, 0.5), cell('ipa', 1, 0.6), cell('ipa', 2, 0.9), cell('fa2-low', 3, 0.7)];
    const [, ipa, low] = cellGroups(cells, 'rim');
    expect(ipa?.less?.accuracy.mean).toBeCloseTo(0.1);
    expect(low?.less).toBeUndefined();
  });
});

describe('platformTables', () => {
  const on = (platform: CellResult['platform'], seed: number, p99: number, cores = 2): CellResult => ({
    ...cell('ipa', seed, 0.5),
    ...{ platform, cpuCoresMean: cores, startDelayP99Ms: 3 },
    ...(platform === 'embedded' && { serverP99Ms: p99 - 4 }),
    latencyMs: { mean: 1, p50: 1, p95: 1, p99, p999: 1, max: 1 },
  });

  it('compares each platform with the first one, seed by seed, and marks more than 10 %', () => {
    const cells = [
      on('simulator', 1, 100),
      on('simulator', 2, 200),
      on('embedded', 1, 120, 2.1),
      on('embedded', 2, 220),
    ];
    const [table] = platformTables(cells, 'simulator');
    expect(table?.title).toBe('shelf, bursty: difference from the simulator, seed by seed');
    const [row] = table?.rows ?? [];
    expect(row?.slice(0, 4)).toEqual(['ipa', 'embedded', '0.0 ± 0.0 %', '0.0 ± 0.0 %']);
    expect(row?.[4]).toMatch(/^\+2\.5 ± 31\.8 %$/);
    expect(row?.[6]).toMatch(/^\+15\.0 ± 63\.5 % !$/);
    expect(row?.slice(7)).toEqual(['166.0', '3.0']);
  });

  it('is empty without pairs', () => {
    expect(platformTables([on('simulator', 1, 100), on('embedded', 2, 100)], 'simulator')).toEqual([]);
  });
});

describe('groupTables', () => {
  it('marks a difference whose interval leaves 0 out, and writes no negative zero', () => {
    const cells = [1, 2, 3].flatMap((seed) => [
      cell('rim', seed, 0.5),
      cell('ipa', seed, 0.6 + seed / 1000),
      cell('fa2-low', seed, 0.5 - 1e-9 * seed),
    ]);
    const [, differences] = groupTables(cellGroups(cells, 'rim'), 'rim');
    expect(differences?.rows.map(([policy, , accuracy]) => [policy, accuracy])).toEqual([
      ['ipa', '+0.1020 ± 0.0025 *'],
      ['fa2-low', '0.0000 ± 0.0000'],
    ]);
  });

  it('shows several seeds with an interval and a single one without, and one policy without differences', () => {
    const several = groupTables(cellGroups([cell('rim', 1, 0.5), cell('rim', 2, 0.5)], 'rim'), 'rim');
    expect(several[0]?.rows[0]?.[2]).toBe('0.5000 (0.5000–0.5000)');
    const tables = groupTables(cellGroups([cell('rim', 1, 0.5)], 'rim'), 'rim');
    expect(tables).toHaveLength(1);
    expect(tables[0]?.rows[0]?.[2]).toBe('0.5000');
  });
});

describe('resultsOf', () => {
  const resultsFrom = (cells: readonly CellResult[]) =>
    resultsOf(
      cells.map((result) => ({ kind: 'measured', result })),
      'rim',
    );

  it('has the means, intervals and differences of the tables', () => {
    const cells = [cell('rim', 1, 0.5), cell('rim', 2, 0.9), cell('ipa', 2, 0.91), cell('ipa', 1, 0.53)];
    const [rim, ipa] = resultsFrom(cells).means;
    const named = { pipeline: 'shelf', load: 'bursty', platform: 'simulator', seeds: 2 };
    expect(rim).toMatchObject({
      ...{ ...named, policy: 'rim' },
      figures: {
        sloAttainmentFraction: { mean: 1 },
        pasMean: { mean: expect.closeTo(0.7) },
        cpuCoresMean: { mean: 2 },
      },
    });
    expect(rim?.figures.latencyMs.p99.mean).toBeCloseTo(1);
    expect(rim).not.toHaveProperty('difference');
    expect(ipa).toMatchObject({ ...named, policy: 'ipa' });
    const half = 12.706 * 0.01;
    const [low, high] = [expect.closeTo(0.02 - half, 4), expect.closeTo(0.02 + half, 4)];
    expect(ipa?.difference?.pasMean).toEqual({ mean: expect.closeTo(0.02), low, high });
  });

  it('has no interval of a single seed', () => {
    const [rim, ipa] = resultsFrom([cell('rim', 1, 0.5), cell('ipa', 1, 0.6)]).means;
    expect(rim?.figures.pasMean).toEqual({ mean: 0.5 });
    expect(ipa?.difference?.pasMean).toEqual({ mean: expect.closeTo(0.1) });
  });
});
