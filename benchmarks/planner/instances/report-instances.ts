/** Bars and table of the instance runs. */
import type { Bar } from '../sections.js';
import type { InstanceResult } from './measure-instance.js';

const SMALL_LOSS = 0.01;
const MISSED_FRACTION = 0.03;
const WORST_LOSS = 0.05;
const MEDIAN_CPU_S = 3;
const WORST_CPU_S = 30;
const MEDIAN_GAP = 0.15;

const lossOf = ({ loss }: InstanceResult): number =>
  loss === undefined ? 0 : Math.max(loss.accuracy, loss.cost, loss.tieCost);

/** True if the reference's plan is better by more than 1 %, or only the reference has a plan. */
export const isMissed = (result: InstanceResult): boolean => result.falseInfeasible || lossOf(result) > SMALL_LOSS;

const isFailing = ({ planner }: InstanceResult): boolean =>
  planner.independent === 'fails' || planner.breaksLimits === true;

export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? Number.NaN;
}

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;
const seconds = (value: number): string => `${value.toFixed(2)} s`;

export function barsOf(results: readonly InstanceResult[]): readonly Bar[] {
  const both = results.filter(({ loss }) => loss !== undefined);
  const missed = both.filter((result) => lossOf(result) > SMALL_LOSS);
  const worst = Math.max(0, ...both.map(lossOf));
  const wrong = results.filter(({ falseInfeasible }) => falseInfeasible);
  const provenWrong = wrong.filter(({ planner }) => planner.proven === true);
  const failing = results.filter(isFailing);
  const cpu = results.map(({ planner }) => planner.cpuS);
  const processes = results.flatMap(({ planner }) => planner.processCpuS ?? []);
  const gaps = results.flatMap(({ planner }) => planner.gapToBoundFraction ?? []);
  const by = (of: (result: InstanceResult) => number): number =>
    both.filter((result) => of(result) > SMALL_LOSS).length;
  return [
    {
      claim: 'better plan missed by more than 1 %',
      figure: `${missed.length} of ${both.length}: accuracy or value ${by((r) => r.loss?.accuracy ?? 0)}, cost ${by((r) => r.loss?.cost ?? 0)}, cost at equal accuracy ${by((r) => r.loss?.tieCost ?? 0)}`,
      bar: `≤ ${percent(MISSED_FRACTION)}`,
      met: missed.length <= MISSED_FRACTION * both.length,
    },
    { claim: 'worst loss', figure: percent(worst), bar: `≤ ${percent(WORST_LOSS)}`, met: worst <= WORST_LOSS },
    {
      claim: 'no plan, though one holds',
      figure: `${wrong.length} of ${results.length}, ${provenWrong.length} called proven`,
      bar: '0',
      met: wrong.length === 0,
    },
    {
      claim: 'plan fails under another seed with three times the work, or breaks a limit',
      figure: `${failing.length}; inconclusive ${results.filter(({ planner }) => planner.independent === 'inconclusive').length}`,
      bar: '0',
      met: failing.length === 0,
    },
    {
      claim: 'CPU of a plan with verification, median · worst',
      figure: `${seconds(quantile(cpu, 0.5))} · ${seconds(Math.max(0, ...cpu))}`,
      bar: `≤ ${MEDIAN_CPU_S} s · ≤ ${WORST_CPU_S} s`,
      met: quantile(cpu, 0.5) <= MEDIAN_CPU_S && Math.max(0, ...cpu) <= WORST_CPU_S,
    },
    ...(processes.length === 0
      ? []
      : [
          {
            claim: `CPU of \`equipoise plan\` as a process, median · worst of ${processes.length}`,
            figure: `${seconds(quantile(processes, 0.5))} · ${seconds(Math.max(...processes))}`,
            bar: `≤ ${MEDIAN_CPU_S} s · ≤ ${WORST_CPU_S} s`,
            met: quantile(processes, 0.5) <= MEDIAN_CPU_S && Math.max(...processes) <= WORST_CPU_S,
          },
        ]),
    {
      claim: 'gap of the answer to the bound, median',
      figure: percent(quantile(gaps, 0.5)),
      bar: `≤ ${percent(MEDIAN_GAP)}`,
      met: quantile(gaps, 0.5) <= MEDIAN_GAP,
    },
  ];
}

export function reportOf(results: readonly InstanceResult[], heading: string): string {
  const rows = barsOf(results).map(
    ({ claim, figure, bar, met }) => `| ${claim} | ${figure} | ${bar} | ${met ? 'met' : '**missed**'} |`,
  );
  const feasible = results.filter(({ planner }) => planner.worth !== undefined).length;
  const neither = results.filter(({ planner, reference }) => !planner.worth && !reference.worth).length;
  const exhaustive = results.filter(({ reference }) => reference.exhaustive).length;
  const seen = `${results.length} instances: the planner has a plan for ${feasible}, neither search has one for ${neither}; the reference was exhaustive in ${exhaustive}.`;
  const cpu = results.reduce((sum, { reference, planner }) => sum + reference.cpuS + planner.cpuS, 0);
  return [
    '# Instances against a longer search',
    '',
    `${heading} ${seen} CPU ${(cpu / 60).toFixed(1)} min.`,
    '',
    '| claim | measured | bar | |',
    '|---|---|---|---|',
    ...rows,
    '',
    ...missedTable(results.filter((result) => isMissed(result) || isFailing(result))),
  ].join('\n');
}

function missedTable(missed: readonly InstanceResult[]): readonly string[] {
  if (missed.length === 0) return [];
  const worthText = (worth: { pas: number; cost: number } | undefined): string =>
    worth === undefined ? 'none' : `${worth.pas.toFixed(4)} at ${worth.cost.toFixed(2)}`;
  const rows = missed.map((result) => {
    const { name, objective, coreMode, planner, reference, loss } = result;
    const losses = loss && [loss.accuracy, loss.cost, loss.tieCost].map(percent).join(' · ');
    const answer = planner.worth === undefined ? planner.kind : worthText(planner.worth);
    const state = planner.independent ?? (planner.proven ? 'proven' : 'not proven');
    return `| ${name} | ${objective} | ${coreMode} | ${answer} | ${state} | ${worthText(reference.worth)} | ${reference.origin ?? ''} | ${losses ?? ''} |`;
  });
  return [
    '| instance | objective | cores | planner | its verdict | reference | found by | loss: accuracy · cost · cost at equal accuracy |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ];
}
