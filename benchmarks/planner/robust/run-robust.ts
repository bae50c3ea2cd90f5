/** `npm run bench:planner -- robust [--count 50] [--seed-from HASH] [--resume]`. */
import { quantile } from '../instances/report-instances.js';
import { durationText, readRunOptions, runResumably } from '../resumable-run.js';
import type { Bar } from '../sections.js';
import { FACTORS, type FactorResult, measureRobust, type PlanCells, type RobustResult } from './measure-robust.js';

const DEFAULT_COUNT = 50;
/** Largest fraction of cells in which a robust plan may miss its SLO. */
const MOST_BROKEN = 0.02;

export function runRobust(args: readonly string[]): boolean {
  const options = readRunOptions('robust', DEFAULT_COUNT, args);
  const results = runResumably<RobustResult>(options, {
    measure: (index) => measureRobust(options.seedFrom, index),
    line: ({ name, objective, factors, cells }) =>
      `${name} ${objective}: ${factors.map((each) => factorText(each, cells)).join(' · ')}`,
    report: reportOf,
  });
  return barsOf(results).every(({ met }) => met);
}

const factorText = ({ factor, kind, robust, nominal }: FactorResult, cells: number): string =>
  robust === undefined || nominal === undefined
    ? `× ${factor} ${kind}`
    : `× ${factor} breaks ${robust.broken} of ${cells}, nominal ${nominal.broken}`;

interface Pair {
  readonly objective: string;
  readonly cells: number;
  readonly robust: PlanCells;
  readonly nominal: PlanCells;
}

const pairsOf = (results: readonly RobustResult[], factor: number): readonly Pair[] =>
  results.flatMap(({ objective, cells, factors }) => {
    const { robust, nominal } = factors.find((each) => each.factor === factor) ?? {};
    return robust && nominal ? [{ objective, cells, robust, nominal }] : [];
  });

const sum = <T>(items: readonly T[], of: (item: T) => number): number => items.reduce((all, item) => all + of(item), 0);
const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

function barsOf(results: readonly RobustResult[]): readonly Bar[] {
  return FACTORS.flatMap((factor): readonly Bar[] => {
    const pairs = pairsOf(results, factor);
    if (pairs.length === 0) return [];
    const cells = sum(pairs, (pair) => pair.cells);
    const broken = sum(pairs, ({ robust }) => robust.broken);
    const nominal = sum(pairs, ({ nominal: { broken: count } }) => count);
    return [
      {
        claim: `× ${factor}: cells whose SLO a robust plan breaks`,
        figure: `${broken} of ${cells} (${percent(broken / cells)}), unsure ${sum(pairs, ({ robust }) => robust.unsure)}; nominal ${percent(nominal / cells)}`,
        bar: `≤ ${percent(MOST_BROKEN)}`,
        met: broken <= MOST_BROKEN * cells,
      },
      { claim: `× ${factor}: price`, figure: priceText(pairs), bar: 'printed', met: true },
    ];
  });
}

function priceText(pairs: readonly Pair[]): string {
  const cheap = pairs.filter(({ objective }) => objective === 'min-cost');
  const costs = cheap.map(({ robust, nominal }) => robust.worth.cost / nominal.worth.cost - 1);
  const lost = pairs
    .filter(({ objective }) => objective !== 'min-cost')
    .map(({ robust, nominal }) => 1 - robust.worth.pas / nominal.worth.pas);
  const text = (values: readonly number[]): string =>
    values.length === 0
      ? '?'
      : `${percent(quantile(values, 0.5))} in the median, ${percent(Math.max(...values))} at most`;
  return `cost of min-cost plans +${text(costs)}; accuracy of the others −${text(lost)}`;
}

function reportOf(results: readonly RobustResult[], heading: string): string {
  const rows = barsOf(results).map(
    ({ claim, figure, bar, met }) => `| ${claim} | ${figure} | ${bar} | ${met ? 'met' : '**missed**'} |`,
  );
  const cpu = results.flatMap(({ factors }) => factors.map(({ cpuS }) => cpuS));
  const nominalS = results.map(({ nominalCpuS }) => nominalCpuS);
  const counts = FACTORS.map((factor) => `${pairsOf(results, factor).length} at × ${factor}`).join(', ');
  return [
    '# Robust plans under wrong profiles',
    '',
    `${heading} ${results.length} pipelines, ${results[0]?.cells} draws each: every variant's service times × U(1/f, f), drawn independently. Budgets are twice those of the generator. Both plans exist for ${counts}.`,
    '',
    '| claim | measured | bar | |',
    '|---|---|---|---|',
    ...rows,
    `| CPU of a robust plan, median · worst | ${quantile(cpu, 0.5).toFixed(2)} s · ${Math.max(...cpu).toFixed(1)} s; nominal ${quantile(nominalS, 0.5).toFixed(2)} s · ${Math.max(...nominalS).toFixed(1)} s; in all ${durationText(sum([...cpu, ...nominalS], (s) => s))} | printed | |`,
    '',
  ].join('\n');
}
