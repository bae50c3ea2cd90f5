/** Figures of the served runs, their bars, and the page. */
import type { Bar } from '../bars.js';
import type { BurstFigures } from './burst.js';
import type { ChangesFigures } from './random-changes.js';
import type { WrongProfileFigures } from './wrong-profile.js';

/** Sections, in the order of the page. */
export const sectionNames = ['burst', 'synthetic', 'real', 'wrongProfile'] as const;
export type SectionName = (typeof sectionNames)[number];

/** Content of results.json, with machine and commit of each section. Sections that were not run are missing. */
export interface ServedResults {
  readonly made: Readonly<Partial<Record<SectionName, string>>>;
  readonly burst?: readonly BurstFigures[];
  readonly synthetic?: ChangesFigures;
  readonly real?: ChangesFigures;
  readonly wrongProfile?: readonly WrongProfileFigures[];
}

const MOST_DECISION_MS = 1200;
const LEAST_SECOND_FRACTION = 0.99;
const MOST_LOST_RATIO = 1.3;
const LEAST_WINDOW_FRACTION = 0.99;
const MOST_SWITCHES = 2;
const CLOSE_FRACTION = 0.1;

const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`;
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Smallest value that at least 95 % of the values do not exceed. */
function p95(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(0.95 * sorted.length) - 1] ?? 0;
}

const zero = (claim: string, count: number): Bar => ({ claim, figure: String(count), bar: '0', met: count === 0 });

/** Bars of the steps. */
export function burstBars(steps: readonly BurstFigures[]): readonly Bar[] {
  const decidedMs = p95(steps.map(({ decidedAfterMs }) => decidedAfterMs));
  const worst = Math.min(...steps.map(({ worstSecondFraction }) => worstSecondFraction));
  const allowed = steps.map(({ fluidMinimum, withinSlo }) => MOST_LOST_RATIO * fluidMinimum + withinSlo);
  const most = Math.max(...steps.map(({ lost }, i) => lost - (allowed[i] as number)));
  return [
    {
      claim: `protective decision after the step, 95th percentile of ${steps.length}`,
      figure: `${decidedMs.toFixed(0)} ms`,
      bar: `≤ ${MOST_DECISION_MS} ms`,
      met: decidedMs <= MOST_DECISION_MS,
    },
    {
      claim: 'least attainment of any second from 2 s behind the last new replica on',
      figure: percent(worst),
      bar: `≥ ${percent(LEAST_SECOND_FRACTION)}`,
      met: worst >= LEAST_SECOND_FRACTION,
    },
    {
      claim: 'lost, most of all steps',
      figure: String(Math.max(...steps.map(({ lost }) => lost))),
      bar: `≤ ${(allowed[0] ?? 0).toFixed(0)} (1.3 × the fluid minimum of ${(steps[0]?.fluidMinimum ?? 0).toFixed(0)}, and ${(steps[0]?.withinSlo ?? 0).toFixed(0)} that arrive within the SLO)`,
      met: most <= 0,
    },
    zero('lost without an answer within the SLO', sumOf(steps.map(({ lostLate }) => lostLate))),
    zero(
      'failed, or answered with the content of another',
      sumOf(steps.map((each) => each.failed + each.foreignContent)),
    ),
  ];
}

/** Bars of random changes. */
export function changesBars({ sent, completed, foreignContent, belowBoth }: ChangesFigures): readonly Bar[] {
  return [
    zero('requests that were not answered', sent - completed),
    zero('answers with the content of another request', foreignContent),
    zero('instants with less capacity than in the old and in the new plan', belowBoth),
  ];
}

/** Bars of runs with a wrong profile, compared with the runs of factor 1. */
export function wrongProfileBars(runs: readonly WrongProfileFigures[]): readonly Bar[] {
  return runs.flatMap((run) => {
    const name = `${run.mode}, ${run.factor} ×`;
    const right = runs.find(({ mode, factor }) => mode === run.mode && factor === 1);
    const bars: Bar[] = [
      {
        claim: `${name}: least attainment of 10 s from 90 s on`,
        figure: percent(run.worstWindowFraction),
        bar: `≥ ${percent(LEAST_WINDOW_FRACTION)}`,
        met: run.worstWindowFraction >= LEAST_WINDOW_FRACTION,
      },
      {
        claim: `${name}: switches of a stage from 90 s on`,
        figure: String(run.mostSwitches),
        bar: `≤ ${MOST_SWITCHES}`,
        met: run.mostSwitches <= MOST_SWITCHES,
      },
    ];
    if (run.factor >= 1 || right === undefined) return bars;
    const ratio = run.mode === 'min-cost' ? run.cpuCores / right.cpuCores : run.pas / right.pas;
    const met = run.mode === 'min-cost' ? ratio <= 1 + CLOSE_FRACTION : ratio >= 1 - CLOSE_FRACTION;
    const what = run.mode === 'min-cost' ? 'cost' : 'PAS';
    return [
      ...bars,
      { claim: `${name}: ${what} against the right profile`, figure: `${ratio.toFixed(3)} ×`, bar: 'within 10 %', met },
    ];
  });
}

const table = (bars: readonly Bar[]): string =>
  ['| claim | measured | bar | |', '|---|---|---|---|']
    .concat(
      bars.map(({ claim, figure, bar, met }) => `| ${claim} | ${figure} | ${bar} | ${met ? 'met' : '**missed**'} |`),
    )
    .join('\n');

function changesText({ changes, failedChanges, sent, leastCapacityFraction, slowestMs }: ChangesFigures): string {
  const kinds = Object.entries(changes).map(([kind, count]) => `${count} ${kind}`);
  return `${kinds.join(', ')}; ${failedChanges} more were refused for want of room. ${sent} requests, the slowest took ${slowestMs.toFixed(0)} ms. The least capacity of a stage was ${leastCapacityFraction.toFixed(3)} × the smaller of old and new plan.`;
}

export function servedBars({ burst, synthetic, real, wrongProfile }: ServedResults): readonly Bar[] {
  return [
    ...(burst ? burstBars(burst) : []),
    ...[synthetic, real].flatMap((figures) => (figures ? changesBars(figures) : [])),
    ...(wrongProfile ? wrongProfileBars(wrongProfile) : []),
  ];
}

export function servedReport(results: ServedResults): string {
  const { made, burst, synthetic, real, wrongProfile } = results;
  const bars = servedBars(results);
  const section = (name: SectionName, title: string, ...texts: string[]) => [`## ${title}`, made[name] ?? '', ...texts];
  const readyMs = burst === undefined ? 0 : p95(burst.map(({ readyAfterMs }) => readyAfterMs));
  const parts = [
    '# Control of a served pipeline',
    'Replicas without code that take the time of a profile, behind the data plane, the loop, the planning thread and the actuator that serve; in one process, with the load generator.',
    `${bars.filter(({ met }) => met).length} of ${bars.length} bars are met.`,
    ...(burst === undefined
      ? []
      : section(
          'burst',
          'A fivefold step',
          table(burstBars(burst)),
          `Last new replica after ${readyMs.toFixed(0)} ms (95th percentile); lost ${burst.map(({ lost }) => lost).join(', ')}.`,
        )),
    ...(synthetic === undefined
      ? []
      : section(
          'synthetic',
          'Random changes, synthetic replicas',
          table(changesBars(synthetic)),
          changesText(synthetic),
        )),
    ...(real === undefined
      ? []
      : section('real', 'Random changes, real models', table(changesBars(real)), changesText(real))),
    ...(wrongProfile === undefined
      ? []
      : section('wrongProfile', 'A profile that is wrong', table(wrongProfileBars(wrongProfile)))),
  ];
  return `${parts.join('\n\n')}\n`;
}
