/** The page of results: a summary of all lines, then the bars of each. */
import type { Bar } from '../data-plane/bar.js';
import type { Line } from './line.js';

export interface LineResult {
  /** Machine, load, day and commit. */
  readonly made: string;
  readonly minutes: number;
  readonly isWhole: boolean;
  readonly bars: readonly Bar[];
  /** The reason why the line, or a part of it, was not measured. */
  readonly problem?: string;
}

export type Results = Readonly<Record<string, LineResult>>;

export function reportPage(lines: readonly Pick<Line, 'name' | 'claim'>[], results: Results): string {
  const summary = lines.map(({ name, claim }) => `| ${name} | ${claim} | ${verdictOf(results[name])} |`);
  const parts = lines.flatMap(({ name, claim }) => {
    const result = results[name];
    return result === undefined || result.bars.length === 0 ? [] : [partOf(name, claim, result)];
  });
  const head = '| line | claim | |\n|---|---|---|';
  return `# Resilience\n\n${head}\n${summary.join('\n')}\n\n${parts.join('\n')}`;
}

function verdictOf(result: LineResult | undefined): string {
  if (result === undefined) return 'not measured';
  const { bars, problem } = result;
  const missed = bars.filter(({ met }) => !met).length;
  const verdict = missed > 0 ? `**missed** (${missed})` : bars.length > 0 ? 'met' : '';
  return [problem, verdict].filter(Boolean).join('; ');
}

function partOf(name: string, claim: string, { made, minutes, bars }: LineResult): string {
  const rows = bars.map(
    ({ claim: what, figure, bar, met }) =>
      `| ${what} | ${figure} | ${bar} | ${bar === '' ? '' : met ? 'met' : '**missed**'} |`,
  );
  const head = '| figure | measured | bar | |\n|---|---|---|---|';
  return `## ${name}\n\n${claim}. ${minutes.toFixed(1)} minutes; ${made}.\n\n${head}\n${rows.join('\n')}\n`;
}
