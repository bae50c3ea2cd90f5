/** Sections of the benchmark with figures and bars. */
import { type IpaFigures, measureAgainstIpa } from './against-ipa.js';
import { type ChoiceFigures, measureChoices, ratiosOf } from './choices.js';
import { type EndToEndCase, endToEndCase } from './end-to-end.js';
import { type ExactnessFigures, measureExactness } from './exactness.js';
import { againstHighs, frontierTimes, optionTableTimes, solveShapes, solveTimes } from './speed.js';

export interface Bar {
  readonly claim: string;
  readonly figure: string;
  readonly bar: string;
  readonly met: boolean;
}

/** `measure` is undefined if data are missing. */
export interface Section {
  readonly name: string;
  measure(): Promise<unknown> | unknown;
  bars(figures: never): readonly Bar[];
}

const PER_FAMILY = 60;
const PER_LINEAR_FAMILY = 48;
const END_TO_END = 75;
const INSTANCES = 200;

const round = (value: number): number => Math.round(100 * value) / 100;
const percent = (part: number, whole: number): number => round((100 * part) / Math.max(1, whole));

const atMost = (claim: string, value: number, limit: number, unit: string): Bar => ({
  claim,
  figure: `${round(value)} ${unit}`,
  bar: `≤ ${limit} ${unit}`,
  met: value <= limit,
});

const atLeast = (claim: string, value: number, limit: number, unit: string): Bar => ({
  claim,
  figure: `${round(value)} ${unit}`,
  bar: `≥ ${limit} ${unit}`,
  met: value >= limit,
});

type Exactness = Awaited<ReturnType<typeof measureExactness>>;

const total = (rows: readonly ExactnessFigures[], of: (row: ExactnessFigures) => number): number =>
  rows.reduce((sum, row) => sum + of(row), 0);

function exactnessBars({ brute, linear }: Exactness): readonly Bar[] {
  const instances = total(brute, (row) => row.instances);
  return [
    atLeast('instances tried against all plans', instances, 1000, ''),
    atMost(
      'of them different',
      total(brute, (row) => row.mismatches),
      0,
      '',
    ),
    atLeast(
      'infeasible',
      percent(
        total(brute, (row) => row.infeasible),
        instances,
      ),
      10,
      '%',
    ),
    atLeast(
      'bound by latency and budget',
      percent(
        total(brute, (row) => row.boundInBoth),
        instances,
      ),
      30,
      '%',
    ),
    atLeast(
      'larger instances against HiGHS at gap 0',
      total(linear, (row) => row.instances),
      300,
      '',
    ),
    atMost(
      'of them different',
      total(linear, (row) => row.mismatches),
      0,
      '',
    ),
    atMost(
      'answers that break a limit, judged by code of its own',
      total([...brute, ...linear], (row) => row.infringements),
      0,
      '',
    ),
  ];
}

function endToEndBars(cases: readonly EndToEndCase[]): readonly Bar[] {
  const feasible = cases.filter((c) => c.feasiblePlans > 0);
  const cheap = cases.filter((c) => c.best.cost > 0);
  const missed = feasible.filter((c) => c.found.pas === 0).length + cheap.filter((c) => c.found.cost === 0).length;
  const equal = feasible.filter((c) => c.found.pas >= c.best.pas - 1e-9).length;
  const near = feasible.filter((c) => c.found.pas >= 0.95 * c.best.pas).length;
  const cheapEnough = cheap.filter((c) => c.found.cost > 0 && c.found.cost <= 1.05 * c.best.cost).length;
  return [
    atLeast('instances of which every plan was simulated', cases.length, 50, ''),
    atMost('feasible plans missed', missed, 0, ''),
    atLeast('PAS equal to the best feasible', percent(equal, feasible.length), 80, '%'),
    atLeast('PAS within 5 %', percent(near, feasible.length), 95, '%'),
    atLeast('min-cost within 5 % of the cheapest', percent(cheapEnough, cheap.length), 80, '%'),
  ];
}

function measureSpeed() {
  const solves = Object.fromEntries(
    Object.entries(solveShapes).map(([name, graphOf]) => [name, solveTimes(graphOf(), INSTANCES)]),
  );
  return {
    solves: solves as Record<keyof typeof solveShapes, ReturnType<typeof solveTimes>>,
    frontiers: { cores: frontierTimes('cores', INSTANCES), real: frontierTimes('real', INSTANCES) },
  };
}

async function measureSpeedAndHighs() {
  return { ...measureSpeed(), highs: await againstHighs(INSTANCES) };
}

const measureOptionTable = () => optionTableTimes(INSTANCES);

function optionTableBars({ first, options }: ReturnType<typeof measureOptionTable>): readonly Bar[] {
  return [atMost(`option table of 10 stages, ${options} options, median`, first.medianMs, 60, 'ms')];
}

type Speed = Awaited<ReturnType<typeof measureSpeedAndHighs>>;

/** Printed without a bar: the solvers are other programs in other languages. */
function nativeRatios({ own, ownLean, native }: Speed['highs']): readonly Bar[] {
  if (native === undefined) return [{ claim: 'native solvers', figure: 'not measured', bar: 'printed', met: true }];
  const ratio = (claim: string, theirs: number, ours: number): Bar => ({
    claim,
    figure: `${(theirs / ours).toFixed(1)} × ours`,
    bar: 'printed',
    met: true,
  });
  return [
    ratio('native HiGHS on the whole model, median time', native.highsWhole.medianMs, own.medianMs),
    ratio('the same, dominated options gone', native.highsLean.medianMs, ownLean.medianMs),
    ratio('CP-SAT on the whole model, median time', native.cpSatWhole.medianMs, own.medianMs),
    ratio('the same, dominated options gone', native.cpSatLean.medianMs, ownLean.medianMs),
  ];
}

function speedBars({ solves, frontiers, highs }: Speed): readonly Bar[] {
  const ten = solves['10 stages'];
  const twenty = solves['20 stages'];
  const unproven = Object.values(solves).reduce((sum, { instances, proven }) => sum + instances - proven, 0);
  return [
    atMost('solve, 10 stages, median', ten.medianMs, 10, 'ms'),
    atMost('solve, 10 stages, worst', ten.worstMs, 150, 'ms'),
    atLeast('10 stages, bound by latency and budget', ten.boundInBoth, 150, `of ${ten.instances}`),
    atMost('solve, 20 stages, median', twenty.medianMs, 20, 'ms'),
    atMost('solve, 20 stages, worst', twenty.worstMs, 300, 'ms'),
    atMost('solve, 50 stages, median', solves['50 stages'].medianMs, 150, 'ms'),
    atMost('solve, 12 stages with three joins, median', solves['12 stages with three joins'].medianMs, 30, 'ms'),
    atLeast(
      'HiGHS (WebAssembly) on the whole model, median time',
      highs.whole.medianMs / highs.own.medianMs,
      25,
      '× ours',
    ),
    atLeast('the same, dominated options gone', highs.lean.medianMs / highs.ownLean.medianMs, 10, '× ours'),
    ...nativeRatios(highs),
    atMost('optima different from those of the other solvers', highs.mismatches, 0, ''),
    atMost('solves that ended without a proof', unproven, 0, ''),
    atMost('frontier of 10 stages, whole cores, median', frontiers.cores.medianMs, 400, 'ms'),
    atMost('frontier of 10 stages, real prices, to 0.1 % of PAS, median', frontiers.real.medianMs, 400, 'ms'),
  ];
}

function ipaBars({ rows }: IpaFigures): readonly Bar[] {
  return [
    atMost('rates with a lower PAS than IPA at its cost', rows.filter((r) => r.ownPas < r.ipaPas - 1e-9).length, 0, ''),
    atLeast('rates with a higher one', rows.filter((r) => r.ownPas > r.ipaPas + 1e-9).length, 1, ''),
  ];
}

function choiceBars(figures: ChoiceFigures): readonly Bar[] {
  return Object.entries(figures).flatMap(([estimator, times]) => {
    const ratios = ratiosOf(times);
    const median = ratios[Math.floor(ratios.length / 2)] ?? 0;
    return [
      atMost(`ten stages with choices, ${estimator}, median time`, median, 2, '× that without'),
      { claim: 'the same, worst', figure: `${round(ratios.at(-1) ?? 0)} ×`, bar: 'printed', met: true },
    ];
  });
}

function measureIpa(): IpaFigures {
  const directory = process.env['EQUIPOISE_REFERENCE_DIR'];
  if (directory === undefined) throw new Error('section ipa needs EQUIPOISE_REFERENCE_DIR (published reference data)');
  return measureAgainstIpa(directory);
}

function measureEndToEnd(): readonly EndToEndCase[] {
  return Array.from({ length: END_TO_END }, (_, seed) => {
    process.stderr.write(`\rend to end: ${seed + 1} of ${END_TO_END}   `);
    return endToEndCase(seed);
  });
}

/** In report order. */
export const sections: readonly Section[] = [
  { name: 'exact', measure: () => measureExactness(PER_FAMILY, PER_LINEAR_FAMILY), bars: exactnessBars },
  { name: 'end-to-end', measure: measureEndToEnd, bars: endToEndBars },
  { name: 'option-table', measure: measureOptionTable, bars: optionTableBars },
  { name: 'speed', measure: measureSpeedAndHighs, bars: speedBars },
  { name: 'choices', measure: measureChoices, bars: choiceBars },
  { name: 'ipa', measure: measureIpa, bars: ipaBars },
];
