/** `npm run bench:planner -- monotone [--count 200] [--seed-from HASH] [--resume]`. */

import type { Worth } from '../instances/plan-judge.js';
import { quantile } from '../instances/report-instances.js';
import { durationText, readRunOptions, runResumably } from '../resumable-run.js';
import { type MonotoneResult, measureMonotone, type Violation } from './measure-monotone.js';

const DEFAULT_COUNT = 200;

export function runMonotone(args: readonly string[]): boolean {
  const options = readRunOptions('monotone', DEFAULT_COUNT, args);
  const results = runResumably<MonotoneResult>(options, {
    measure: (index) => measureMonotone(options.seedFrom, index),
    line: ({ name, objective, questions, compared, cpuS, violations }) =>
      `${name} ${objective}: ${questions} questions, ${compared} pairs, ${violations.length} violations · ${cpuS.toFixed(1)} s`,
    report: reportOf,
  });
  return results.every(({ violations }) => violations.length === 0);
}

export function reportOf(results: readonly MonotoneResult[], heading: string): string {
  const sum = (of: (result: MonotoneResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const violations = results.flatMap((result) => result.violations.map((violation) => ({ result, violation })));
  const pipelines = new Set(violations.map(({ result }) => result.index)).size;
  const questions = sum((result) => result.questions);
  const byAxis = (['load', 'budget', 'slo', 'pins'] as const).map(
    (axis) => `${axis} ${violations.filter(({ violation }) => violation.axis === axis).length}`,
  );
  const cpuS = sum((result) => result.cpuS);
  const worstS = Math.max(0, ...results.map((result) => result.worstCpuS));
  const means = results.map((result) => result.cpuS / result.questions);
  const met = violations.length === 0 ? 'met' : '**missed**';
  return [
    '# Harder questions never have better plans',
    '',
    `${heading} ${results.length} pipelines, ${questions} questions, ${sum((result) => result.compared)} pairs.`,
    '',
    '| claim | measured | bar | |',
    '|---|---|---|---|',
    `| a harder question's plan holds at the easier one and is better | ${violations.length} pairs in ${pipelines} pipelines: ${byAxis.join(', ')} | 0 | ${met} |`,
    `| CPU of the plans | ${durationText(cpuS)}; per plan median of the pipelines ${quantile(means, 0.5).toFixed(2)} s, worst plan ${worstS.toFixed(1)} s | printed | |`,
    '',
    ...table(violations),
  ].join('\n');
}

function table(
  found: readonly { readonly result: MonotoneResult; readonly violation: Violation }[],
): readonly string[] {
  if (found.length === 0) return [];
  const rows = found.map(
    ({ result: { name, objective }, violation: { axis, easier, harder, answer, answerKind, better } }) => {
      const text = answer === undefined ? answerKind : worthText(answer);
      return `| ${name} | ${objective} | ${axis} | ${easier} | ${text} | ${harder} | ${worthText(better)} |`;
    },
  );
  return [
    '| pipeline | objective | axis | easier question | answer | harder question | its plan |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ];
}

const worthText = ({ pas, cost }: Worth): string => `${pas.toFixed(4)} at ${cost.toFixed(2)}`;
