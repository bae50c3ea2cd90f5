/** The page of results. */
import type { NamedAttack, TrialFigures } from './trial.js';
import { BARS, describeMs } from './trial.js';

export type Results = Readonly<
  Record<
    string,
    {
      /** Machine, load and day. */
      readonly made: string;
      readonly seconds: number;
      readonly missed: readonly string[];
      readonly figures: TrialFigures;
    }
  >
>;

const HEAD = `| attack | sent | answers | /livez worst | health port | good in SLO | memory added | left | own delay | |
|---|---|---|---|---|---|---|---|---|---|`;

export function reportPage(results: Results, attacks: readonly NamedAttack[]): string {
  const machines = [...new Set(Object.values(results).map(({ made }) => made.replace(/, load .* at the start/, '')))];
  const names = [
    'nothing-plain',
    'nothing-secure',
    ...attacks.map(({ name }) => name),
    'together-plain',
    'together-secure',
  ];
  const bars = `Bars: \`/livez\` ≤ ${BARS.livezMs} ms; good requests ≥ ${100 * BARS.goodFraction} % within the SLO, ≥ ${100 * BARS.goodTogetherFraction} % together; memory ≤ +${BARS.addedMib} MiB, and ≤ +${BARS.leftMib} MiB within a minute. "Own delay" is the worst delay of the measuring process: times are at most so much too long.`;
  const rows = names.flatMap((name) => {
    const result = results[name];
    return result === undefined ? [] : [row(name, result)];
  });
  return `# Hostile clients\n\n${machines.join('. ')}.\n\n${bars}\n\n${HEAD}\n${rows.join('\n')}\n`;
}

function row(name: string, { seconds, missed, figures }: Results[string]): string {
  const { livezMs, healthMs, good, withinSlo, addedMib, leftMib, ownDelayMs, attackers } = figures;
  const counts = Object.values(attackers);
  const sentMb = counts.reduce((sum, { sentBytes }) => sum + sentBytes, 0) / 1e6;
  const cells = [
    `${name}, ${seconds} s`,
    `${sentMb.toFixed(2)} MB`,
    counts.length === 1 ? answersOf(counts[0]?.answers ?? {}) : '',
    describeMs(livezMs),
    describeMs(healthMs),
    `${good === 0 ? '' : ((100 * withinSlo) / good).toFixed(1)} % of ${good}`,
    `${addedMib.toFixed(0)} MiB`,
    `${leftMib.toFixed(0)} MiB`,
    `${ownDelayMs.toFixed(0)} ms`,
    missed.length === 0 ? 'met' : `**missed**: ${missed.join(', ')}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function answersOf(answers: Readonly<Record<string, number>>): string {
  const most = Object.entries(answers).toSorted(([, a], [, b]) => b - a);
  return most
    .slice(0, 4)
    .map(([answer, count]) => `${count} × ${answer}`)
    .join(', ');
}
