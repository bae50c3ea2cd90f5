/** `npm run bench:planner -- recommend [--count 50] [--seed-from HASH] [--resume]`. */

import { TOLERANCE } from '../../../packages/core/src/optimize/recommend-oracle.test-support.js';
import { quantile } from '../instances/report-instances.js';
import { durationText, readRunOptions, runResumably } from '../resumable-run.js';
import { measureRecommend, type RecommendResult } from './measure-recommend.js';

const DEFAULT_COUNT = 50;

export function runRecommend(args: readonly string[]): boolean {
  const options = readRunOptions('recommend', DEFAULT_COUNT, args);
  const results = runResumably<RecommendResult>(options, {
    measure: (index) => measureRecommend(options.seedFrom, index),
    line: (result) => `${result.free}: ${valueText(result)}, ${result.agrees ? 'agrees' : 'DIFFERS'}`,
    report: reportOf,
  });
  return results.every(({ agrees }) => agrees);
}

const numberText = (value: number | null | undefined): string =>
  value === undefined || value === null ? 'none' : String(Number(value.toPrecision(4)));
const valueText = ({ value, exhaustive }: RecommendResult): string =>
  `${numberText(value)} / ${numberText(exhaustive)}`;

function reportOf(results: readonly RecommendResult[], heading: string): string {
  const agree = results.filter(({ agrees }) => agrees).length;
  const better = results.filter(({ loss }) => loss < -TOLERANCE).length;
  const none = results.filter(({ value }) => value === undefined).length;
  const cpu = results.map(({ cpuS }) => cpuS);
  const exhaustive = results.map(({ exhaustiveCpuS }) => exhaustiveCpuS);
  const plans = results.map((result) => result.plans);
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  const rows = results.map((result) => {
    const { index, free, stages, plans: count, cpuS, exhaustiveCpuS, agrees } = result;
    const cells = [index, free, stages, count, valueText(result), cpuS.toFixed(2), exhaustiveCpuS.toFixed(2)];
    return `| ${cells.join(' | ')} | ${agrees ? 'yes' : '**no**'} |`;
  });
  return [
    '# Recommendations and exhaustive search',
    '',
    `${heading} ${results.length} questions: chains of one to three stages, each quantity freed by turns. The exhaustive search lists every plan and simulates it; it shares the simulator with \`recommend\`, and nothing of the planner. Cost and accuracy must be equal; load, SLO and robustness may differ by 2 %, because both search in steps and verdicts near the limit depend on the sample. Then a better answer counts as agreement, because its plan meets the SLO. The recommended plan must keep every limit and meet its SLO.`,
    '',
    '| claim | measured | bar | |',
    '|---|---|---|---|',
    `| questions with the answer of the exhaustive search | ${agree} of ${results.length}, of which ${none} have no plan and ${better} are better by more than ${100 * TOLERANCE} % | all | ${agree === results.length ? 'met' : '**missed**'} |`,
    `| CPU of an answer, median · worst | ${quantile(cpu, 0.5).toFixed(2)} s · ${Math.max(...cpu).toFixed(1)} s; in all ${durationText(sum(cpu))} | printed | |`,
    `| CPU of the exhaustive search, median · worst | ${quantile(exhaustive, 0.5).toFixed(2)} s · ${Math.max(...exhaustive).toFixed(1)} s; ${quantile(plans, 0.5)} · ${Math.max(...plans)} plans | printed | |`,
    '',
    '| question | free | stages | plans | recommend / exhaustive | CPU s | exhaustive CPU s | agrees |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
