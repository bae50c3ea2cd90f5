/** Small evaluation: the rise of the bursty load, two seeds, the two hardest policies. */
import { existsSync, readFileSync } from 'node:fs';
import type { PolicyName } from '@equipoise/core/plan';
import { parseLoadFile } from '@equipoise/runtime';
import { expect, it } from 'vitest';
import { describeWithTool } from '../../packages/testkit/src/requires-tool.js';
import { judged } from './judgment.js';
import { CellBench } from './paired-runs.js';
import { literaturePipeline } from './pipelines.js';
import { literatureReport } from './report.js';

const referenceDir = process.env['EQUIPOISE_REFERENCE_DIR'] ?? '';
const policies: readonly PolicyName[] = ['ipa', 'fa2-high'];

/** 160 s of the shipped bursty load after the 120 s that are not counted. */
function rise() {
  const file = new URL('../../packages/app/loads/bursty.csv', import.meta.url);
  const arrivalsPerSecond = parseLoadFile(readFileSync(file, 'utf8'), 'bursty').slice(140, 420);
  return { kind: 'trace', arrivalsPerSecond, spread: 'poisson' } as const;
}

describeWithTool(
  { name: 'reference', missing: 'set EQUIPOISE_REFERENCE_DIR', isPresent: () => existsSync(referenceDir) },
  'the evaluation of the literature in small',
  () => {
    const question = { load: 'bursty', loadSpec: rise(), seeds: [1, 2] };
    const benchOf = (fastLoop = false) => new CellBench(literaturePipeline(referenceDir, 'video').spec, { fastLoop });
    const run = (policy: PolicyName) => benchOf().cell({ ...question, policy });

    it.each(policies)('gives ours the cores or the PAS that %s has in force', (policy) => {
      const cell = run(policy);
      const [theirs = [], sameCores = [], samePas = []] = cell.ticks;
      expect(theirs.length).toBeGreaterThan(20);
      expect(new Set(theirs.map(({ cpuCores }) => cpuCores)).size).toBeGreaterThan(3);
      // There is no tick during a change, so the ticks differ between runs.
      const inForceAt = (atS: number) => theirs.findLast((tick) => tick.atS <= atS) ?? theirs[0];
      for (const { atS, cpuCores } of sameCores)
        expect(cpuCores).toBeLessThanOrEqual((inForceAt(atS)?.cpuCores ?? 0) + 1e-9);
      for (const { atS, pasPercent } of samePas)
        expect(pasPercent).toBeGreaterThanOrEqual((inForceAt(atS)?.pasPercent ?? 100) - 1e-6);
    });

    it('answers a burst between two plans with the fast loop, and not without', () => {
      const arrivalsPerSecond = Array.from({ length: 200 }, (_, second) => (second < 153 ? 4 : 24));
      const loadSpec = { kind: 'trace', arrivalsPerSecond, spread: 'poisson' } as const;
      const ticks = (fastLoop: boolean) =>
        benchOf(fastLoop).cell({ load: 'step', loadSpec, seeds: [1], policy: 'ipa' }).ticks;
      const isBetween = ({ atS }: { readonly atS: number }) => atS % 10 !== 0;
      const [theirs = [], , samePas = []] = ticks(true);
      expect(samePas.find(isBetween)?.atS).toBeLessThan(160);
      expect([...theirs, ...ticks(false).flat()].some(isBetween)).toBe(false);
    });

    it('keeps all bars against the published policy', () => {
      expect(judged(run('ipa')).met).toBe(true);
    });

    it('gives the same figures again, whatever ran before in the process', () => {
      const bench = benchOf();
      bench.cell({ ...question, policy: 'fa2-low' });
      expect(bench.cell({ ...question, policy: 'ipa' })).toEqual(run('ipa'));
    });

    it('says how it was run, what is filled, and that published costs are not compared', async () => {
      const pipelines = ['video', 'sum-qa'].map((name) => literaturePipeline(referenceDir, name));
      const { text } = await literatureReport({
        made: 'here',
        cells: [run('ipa')],
        pipelines,
        referenceDir,
        fastLoop: false,
      });
      for (const said of [/larger of the last two 10-s maxima × 1\.19/, /every 10 s/, /2000 ms to start/, /surge/])
        expect(text).toMatch(said);
      for (const said of [
        /first 120 s not counted/,
        /fast loop/,
        /Not compared: published costs/,
        /no part of any claim/,
      ])
        expect(text).toMatch(said);
    });
  },
);
