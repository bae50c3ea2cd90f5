/**
 * `npm run bench:verification [-- SEEDS]`: wrong verdicts against M/M/1, 300 seeds per case. Prints a table; exit code
 * 1 if a bar is missed.
 */
import {
  caseName,
  containing,
  countVerdicts,
  farBelow,
  nearCapacity,
  overloads,
  type VerdictCase,
  type VerdictCounts,
} from './verdicts.js';

type Bar = (counts: VerdictCounts) => boolean;

const seeds = Number(process.argv[2] ?? 300);
const isSeldomWrong: Bar = ({ passes }) => passes <= 0.02 * seeds;
const cases: readonly (readonly [VerdictCase, string, Bar])[] = [
  ...containing.map(
    (each) =>
      [
        each,
        '≥ 97 % inconclusive, ≤ 2 % pass',
        (of: VerdictCounts) => of.inconclusive >= 0.97 * seeds && isSeldomWrong(of),
      ] as const,
  ),
  ...nearCapacity.map((each) => [each, '≤ 2 % pass', isSeldomWrong] as const),
  ...overloads.map((each) => [each, 'none passes', ({ passes }: VerdictCounts) => passes === 0] as const),
  ...farBelow.map((each) => [each, '≥ 50 % pass', ({ passes }: VerdictCounts) => passes >= 0.5 * seeds] as const),
];

const print = (line: string) => process.stdout.write(`${line}\n`);
print('| load | percentile | SLO ÷ percentile | inconclusive, % | pass, % | bar | |');
print('|---|---|---|---|---|---|---|');
for (const [each, bar, isMet] of cases) {
  const counts = countVerdicts(each, seeds);
  const percent = (count: number) => ((100 * count) / seeds).toFixed(1);
  const { percentile, room, sloMs } = each;
  const slo = sloMs === undefined ? room : `SLO ${sloMs / 1000} s`;
  const figures = [caseName(each), percentile, slo, percent(counts.inconclusive), percent(counts.passes)];
  print(`| ${figures.join(' | ')} | ${bar} | ${isMet(counts) ? 'met' : '**missed**'} |`);
  if (!isMet(counts)) process.exitCode = 1;
}
