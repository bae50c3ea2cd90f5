/** Tables below the bars of a section. */

import type { IpaFigures } from './against-ipa.js';
import { type ChoiceFigures, type ChoiceTimes, ratiosOf } from './choices.js';
import type { EndToEndCase } from './end-to-end.js';
import type { ExactnessFigures } from './exactness.js';
import { NATIVE_MISSING } from './native-solvers.js';
import type { Times } from './speed.js';

type FamilyFigures = ExactnessFigures & { readonly family: string };

function exactDetails({
  brute,
  linear,
}: {
  readonly brute: readonly FamilyFigures[];
  readonly linear: readonly FamilyFigures[];
}): string {
  const row = (f: FamilyFigures): string =>
    `| ${f.family} | ${f.instances} | ${f.plans} | ${f.mismatches} | ${f.infeasible} | ${f.boundInBoth} |`;
  const highs = (f: FamilyFigures): string => `| ${f.family} | ${f.instances} | ${f.mismatches} | ${f.infeasible} |`;
  return `Against all plans; half of the instances with either estimator, all objectives.

| kind | instances | plans | different | infeasible | bound in both |
|---|---|---|---|---|---|
${brute.map(row).join('\n')}

Against HiGHS.

| kind | instances | different | infeasible |
|---|---|---|---|
${linear.map(highs).join('\n')}
`;
}

function endToEndDetails(cases: readonly EndToEndCase[]): string {
  const simulations = cases.map((c) => c.simulations.maxAccuracy).sort((a, b) => a - b);
  const median = simulations[Math.floor(simulations.length / 2)] ?? 0;
  const plans = cases.reduce((sum, c) => sum + c.plans, 0);
  const none = cases.filter((c) => c.feasiblePlans === 0).length;
  const equal = cases.filter((c) => c.best.pas > 0 && c.found.pas >= c.best.pas - 1e-9);
  const cheapest = equal.filter((c) => c.found.pasCost <= 1.05 * c.best.pasCost).length;
  return `${plans} plans simulated; ${none} of ${cases.length} instances have no plan that holds. \`max-accuracy\` simulates ${median} plans in the median,
${simulations.at(-1) ?? 0} at most. Where its PAS is the best there is, its cost is within 5 % of the cheapest such plan in ${cheapest} of ${equal.length}.
`;
}

const timesRow = (name: string, t: Times): string =>
  `| ${name} | ${t.instances} | ${t.medianMs.toFixed(2)} | ${t.p95Ms.toFixed(1)} | ${t.worstMs.toFixed(1)} |`;

interface SpeedFigures {
  readonly solves: Readonly<Record<string, Times>>;
  readonly frontiers: Readonly<Record<'cores' | 'real', Times & { readonly medianPoints: number }>>;
  readonly highs: Readonly<Record<'own' | 'ownLean' | 'whole' | 'lean', Times>> & {
    readonly native?: Readonly<Record<'highsWhole' | 'highsLean' | 'cpSatWhole' | 'cpSatLean', Times>>;
  };
}

const timesHead = '| what | instances | median | p95 | worst |\n|---|---|---|---|---|';

function optionTableDetails({ first, further }: Readonly<Record<'first' | 'further', Times>>): string {
  return `Milliseconds.

${timesHead}
${timesRow('profiles not read before', first)}
${timesRow('profiles known, another rate, the median of three', further)}
`;
}

function speedDetails({ solves, frontiers, highs }: SpeedFigures): string {
  const rows = [
    ...Object.entries(solves).map(([name, times]) => timesRow(`solve, ${name}`, times)),
    timesRow('frontier, whole cores', frontiers.cores),
    timesRow('frontier, real prices', frontiers.real),
    timesRow('10 stages, compared with HiGHS: ours', highs.own),
    timesRow('ours, dominated options gone before', highs.ownLean),
    timesRow('HiGHS (WebAssembly, gap 0)', highs.whole),
    timesRow('HiGHS (WebAssembly), dominated options gone before', highs.lean),
    ...(highs.native === undefined
      ? []
      : [
          timesRow('HiGHS (native, one thread, gap 0)', highs.native.highsWhole),
          timesRow('HiGHS (native), dominated options gone before', highs.native.highsLean),
          timesRow('CP-SAT (one worker)', highs.native.cpSatWhole),
          timesRow('CP-SAT, dominated options gone before', highs.native.cpSatLean),
        ]),
  ];
  return `Milliseconds, of each instance the median of three runs; in the comparison with HiGHS one run of each, taking turns. A solve starts from 1,400 options a stage and includes leaving out the dominated
ones and the second solve for the lowest cost at the best accuracy. With dominated options gone before, neither side leaves them out again. Frontiers have ${frontiers.cores.medianPoints} and ${frontiers.real.medianPoints} points in the median.

${timesHead}
${rows.join('\n')}
${highs.native === undefined ? `\n${NATIVE_MISSING}\n` : ''}`;
}

function ipaDetails({ rows, leftOut }: IpaFigures): string {
  const yes = (value: boolean): string => (value ? 'yes' : '**no**');
  const lines = rows.map(
    (r) =>
      `| ${r.arrivalRps} | ${r.cost} | ${r.ipaPas.toFixed(4)} | ${r.ownPas.toFixed(4)} | ${r.ipaPlan} | ${r.ownPlan} | ${yes(r.ipaSurvives)} | ${yes(r.ownSurvives)} |`,
  );
  return `Published video profiles; throughputs near 20 rps in them are censored at the offered load of 20 rps, so plans above that rate are cheaper in
the profile than in truth. Left out because their p99 is below batch ÷ throughput: ${leftOut.join('; ')}. Both plans are made with the sum of
tails, which knows no queueing: "survives" tells whether a simulation at the planned rate meets the SLO.

| rps | cores | PAS of IPA | PAS of ours | IPA's plan | our plan | IPA's survives | ours survives |
|---|---|---|---|---|---|---|---|
${lines.join('\n')}
`;
}

function choiceDetails(figures: ChoiceFigures): string {
  const middle = (values: readonly number[]): number =>
    [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const row = ([estimator, times]: readonly [string, readonly ChoiceTimes[]]): string => {
    const figuresOf = [
      middle(times.map(({ fixedMs }) => fixedMs)),
      middle(times.map(({ openMs }) => openMs)),
      middle(ratiosOf(times)),
      ratiosOf(times).at(-1) ?? 0,
    ];
    const cases = middle(times.map((each) => each.cases));
    return `| ${estimator} | ${times.length} | ${cases} | ${figuresOf.map((each) => each.toFixed(1)).join(' | ')} |`;
  };
  return `Ten stages of which three vote. *With choices*: two members are optional, one of three thresholds decides who is asked, and shares depend on variant and threshold. *Without*: one
choice is made for each. *Quorums*: the vote waits for two of its members; with choices, for two or three. Plans are not verified by simulation. The pipeline was planned before, but for *first plans*.
CPU time in milliseconds, medians of three runs.

| estimator | instances | cases | without | with choices | ratio, median | worst |
|---|---|---|---|---|---|---|
${Object.entries(figures).map(row).join('\n')}
`;
}

export function details(section: string, figures: unknown): string {
  switch (section) {
    case 'exact':
      return exactDetails(figures as Parameters<typeof exactDetails>[0]);
    case 'end-to-end':
      return endToEndDetails(figures as readonly EndToEndCase[]);
    case 'option-table':
      return optionTableDetails(figures as Parameters<typeof optionTableDetails>[0]);
    case 'speed':
      return speedDetails(figures as SpeedFigures);
    case 'choices':
      return choiceDetails(figures as ChoiceFigures);
    default:
      return ipaDetails(figures as IpaFigures);
  }
}
