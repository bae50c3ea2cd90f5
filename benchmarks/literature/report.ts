/** Results as text and as one self-contained page with plots. Missed bars are bold. */
import type { MeanInterval } from '@equipoise/core/model';
import { htmlPage, type PageSection } from '../../packages/app/src/report/page/html-page.js';
import { type PlotSpec, seriesColor } from '../../packages/app/src/report/plot/plot-spec.js';
import { grid } from './grid.js';
import { type Comparison, type JudgedCell, judged, meanFigures } from './judgment.js';
import type { CellFigures, RunFigures } from './paired-runs.js';
import { type LiteraturePipeline, referenceRows } from './pipelines.js';
import { whyMissed } from './why-missed.js';

export interface LiteratureOutcome {
  readonly made: string;
  readonly cells: readonly CellFigures[];
  readonly pipelines: readonly LiteraturePipeline[];
  readonly referenceDir: string;
  /** True if ours answered bursts between plans. */
  readonly fastLoop: boolean;
}

/** Pages, and true if all bars are met. */
export interface LiteraturePages {
  readonly text: string;
  readonly html: string;
  readonly met: boolean;
}

const interval = ({ mean, low, high }: MeanInterval, digits: number): string =>
  `${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;

const percent = (fraction: number): string => (100 * fraction).toFixed(2);

const verdict = ({ keepsGoal, keepsAttainment, betterIn }: Comparison, sameOptimum: boolean): string => {
  const missed = [...(keepsGoal ? [] : ['goal']), ...(keepsAttainment ? [] : ['attainment'])];
  if (missed.length > 0) return `**misses ${missed.join(' and ')}**`;
  if (betterIn.length > 0) return `better in ${betterIn.join(', ')}`;
  return sameOptimum ? 'equal: the same optimum' : 'equal';
};

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

function policyTable(cells: readonly CellFigures[]): string {
  const rows = cells.map(({ load, policy, runs }) => {
    const mean: RunFigures = meanFigures(runs.map((run) => run.policy));
    return [
      load,
      policy,
      percent(mean.attainmentFraction),
      mean.pasPercent.toFixed(2),
      mean.cpuCores.toFixed(2),
      mean.p99Ms.toFixed(0),
      percent(mean.droppedFraction),
      mean.changes.toFixed(1),
    ];
  });
  return table(['load', 'policy', 'within SLO %', 'PAS', 'cores', 'p99 ms', 'dropped %', 'changes'], rows);
}

function comparisonTable(cells: readonly JudgedCell[]): string {
  const rows = cells.map(({ cell, policy, maxAccuracy: a, minCost: b, optimal }) => [
    cell.policy,
    cell.load,
    `${policy.pasPercent.toFixed(2)} · ${policy.cpuCores.toFixed(2)} · ${percent(policy.attainmentFraction)}`,
    `${interval(a.pasPoints, 2)} · ${percent(a.attainmentFraction)}`,
    verdict(a, optimal),
    `${interval({ mean: 100 * b.costFraction.mean, low: 100 * b.costFraction.low, high: 100 * b.costFraction.high }, 1)} · ${percent(b.attainmentFraction)}`,
    verdict(b, optimal),
    optimal ? 'all' : `${percent(cell.optimalIntervalsFraction)} %`,
  ]);
  const head = [
    'against',
    'load',
    'its PAS · cores · within SLO %',
    'same cores: PAS points · within SLO %',
    '',
    'same PAS: cost % · within SLO %',
    '',
    'intervals in which it is optimal',
  ];
  return table(head, rows);
}

/** Per baseline: number of cells in which ours is better, among the cells where the baseline is not optimal. */
function betterRows(
  cells: readonly JudgedCell[],
): readonly { policy: string; better: number; of: number; met: number; all: number }[] {
  return grid.policies.flatMap((policy) => {
    const own = cells.filter(({ cell }) => cell.policy === policy);
    if (own.length === 0) return [];
    const open = own.filter(({ optimal }) => !optimal);
    const better = open.filter((each) => each.better).length;
    return [{ policy, better, of: open.length, met: own.filter((each) => each.met).length, all: own.length }];
  });
}

function betterTable(cells: readonly JudgedCell[]): string {
  const rows = betterRows(cells).map(({ policy, better, of, met, all }) => [
    policy,
    met === all ? `${met} of ${all}` : `**${met} of ${all}**`,
    2 * better >= of ? `${better} of ${of}` : `**${better} of ${of}**`,
  ]);
  return table(
    ['against', 'cells with all bars kept', 'better, of cells in which it is not optimal (bar: half)'],
    rows,
  );
}

const PUBLISHED_LOADS: Readonly<Record<string, string>> = {
  Bursty: 'bursty',
  'Steady Low': 'steady-low',
  'Steady High': 'steady-high',
  Fluctuating: 'fluctuating',
};

function publishedTable({ referenceDir }: LiteratureOutcome, pipeline: string, cells: readonly CellFigures[]): string {
  const rows = referenceRows(referenceDir, 'e2e_summary.csv').filter((row) => row['pipeline'] === pipeline);
  const shown = rows.flatMap((row) => {
    const load = PUBLISHED_LOADS[row['workload'] ?? ''];
    const policy = row['system']?.toLowerCase();
    const cell = cells.find((each) => each.load === load && each.policy === policy);
    if (cell === undefined) return [];
    const own = meanFigures(cell.runs.map((run) => run.policy));
    const published = [Number(row['mean_cost_cores']).toFixed(2), Number(row['mean_accuracy']).toFixed(2)];
    return [[cell.load, cell.policy, ...published, own.cpuCores.toFixed(2), own.pasPercent.toFixed(2)]];
  });
  return table(['load', 'policy', 'published cores', 'published PAS', 'simulated cores', 'simulated PAS'], shown);
}

function pipelineText(outcome: LiteratureOutcome, pipeline: LiteraturePipeline): string {
  const cells = outcome.cells.filter((cell) => cell.pipeline === pipeline.name);
  const compared = cells.filter(({ policy }) => policy !== 'equipoise').map(judged);
  const measured = pipeline.filled === 0;
  const title = measured
    ? `${pipeline.name}: measured points only`
    : `${pipeline.name}: with ${pipeline.filled} filled points, judged separately, no part of any claim`;
  const points = [
    pipeline.leftOut.length === 0 ? '' : `Left out because p99 < batch ÷ throughput: ${pipeline.leftOut.join('; ')}. `,
    pipeline.censored.length === 0 ? '' : `Throughput censored at the offered 20 rps: ${pipeline.censored.join('; ')}.`,
  ].join('');
  return [
    `## ${title}`,
    points,
    '### Ours against each policy, in pairs',
    comparisonTable(compared),
    betterTable(compared),
    measured && !outcome.fastLoop ? whyMissed : '',
    '### Each policy by itself',
    '`equipoise` maximizes the weights that IPA was published with; the others as they are.',
    policyTable(cells),
    '### Next to the published figures',
    'Not compared: published costs count about twice the cores of the profile, and loads, load times and queueing differ.',
    publishedTable(outcome, pipeline.name, cells),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function publishedParameters(): string {
  return Object.entries(grid.pipelines)
    .map(([name, { baseRps, pins, pinsByLoad = {} }]) => {
      const { default: usual, ...others } = baseRps;
      const exceptions = Object.entries(others).map(([policy, rps]) => `${policy} ${rps}`);
      const replicas = (of: typeof pins): string =>
        Object.values(of.rim ?? {})
          .map((stage) => stage.replicas)
          .join(' | ');
      const underLoads = Object.entries(pinsByLoad).map(([load, of]) => `${replicas(of)} under ${load}`);
      const threshold = [`${usual} rps`, ...exceptions].join(', ');
      return `${name}: base cores at ${threshold}; replicas of rim ${[replicas(pins), ...underLoads].join(', ')}`;
    })
    .join('; ');
}

const methodText = (seeds: number): string =>
  `Every run is the product's own loop in simulated time: the policy plans every ${grid.intervalMs / 1000} s for the same forecast (the larger of the last two 10-s maxima × 1.19), rounded up by 5 % at most and by 1.2 % where the plan depends on it, a replica takes ${grid.loadMs} ms to start, two at a time, surge as by default (one replica of the largest kind; no budget, no bound); ${seeds} seeds in pairs (the same arrivals), the first ${grid.excludeFirstS} s not counted. Drops count as misses, replicas that start or drain as cost. In each interval ours gets the cores of the plan that the other policy has in force as its budget (*same cores*, max-accuracy), or its PAS as the floor (*same PAS*, min-cost). Bars: PAS no more than 0.1 points below, cost no more than 1 % above, attainment at least the smaller of 99.5 % and the other's. Brackets are 95 % intervals of the paired differences. A policy is optimal in an interval if no plan of all that carry the load has its PAS or more at its cores or fewer, one of them better, and holds in simulation. The baselines have their published parameters: ${publishedParameters()}. fa2-high freezes the published pair of variants. Each number that is filled in is marked in filled-points.json; pipelines with such points are judged separately, and no claim rests on them.`;

const WITHOUT_FAST_LOOP =
  'Fast loop and guardrails are off. With the fast loop: results-fast-loop.md, where it was run.';
const WITH_FAST_LOOP = `Ours has its fast loop: every ${grid.fastIntervalMs / 1000} s it looks for a burst and answers it with replicas or a cheaper variant, within the cores or above the PAS of that moment; where replicas are added to answer a burst, the other policy waits for its next plan. Guardrails are off. Without it: results.md.`;

/** Bars of pipelines with measured points only, and of those with filled points. `met`: all bars are met. */
function separateBars({ cells, pipelines }: LiteratureOutcome): { readonly bars: string; readonly met: boolean } {
  const kinds = { 'measured points only': true, 'with filled points': false };
  const rows = Object.entries(kinds).flatMap(([kind, isMeasured]) => {
    const names = pipelines.filter(({ filled }) => (filled === 0) === isMeasured).map(({ name }) => name);
    const own = cells.filter(({ pipeline, policy }) => names.includes(pipeline) && policy !== 'equipoise').map(judged);
    if (own.length === 0) return [];
    const kept = (of: (cell: JudgedCell) => boolean): string => {
      const count = own.filter(of).length;
      return count === own.length ? `${count} of ${count}` : `**${count} of ${own.length}**`;
    };
    const cheapEnough = ({ minCost }: JudgedCell): boolean => minCost.keepsGoal && minCost.keepsAttainment;
    const accurateEnough = ({ maxAccuracy }: JudgedCell): boolean =>
      maxAccuracy.keepsGoal && maxAccuracy.keepsAttainment;
    const same = own.filter(({ optimal, better }) => optimal && !better).length;
    return [{ row: [kind, names.join(', '), kept(cheapEnough), kept(accurateEnough), String(same)], own }];
  });
  const head = [
    'points',
    'pipelines',
    "cells with both bars kept at the policy's PAS",
    'at its cores',
    'cells with the same optimum',
  ];
  return {
    bars: table(
      head,
      rows.map(({ row }) => row),
    ),
    met: rows.every(
      ({ own }) => own.every((cell) => cell.met) && betterRows(own).every(({ better, of }) => 2 * better >= of),
    ),
  };
}

export function literatureReport(outcome: LiteratureOutcome): LiteraturePages {
  const { made, cells, pipelines, fastLoop } = outcome;
  const seeds = cells[0]?.runs.length ?? 0;
  const method = `${methodText(seeds)} ${fastLoop ? WITH_FAST_LOOP : WITHOUT_FAST_LOOP}`;
  const parts = pipelines.map((pipeline) => pipelineText(outcome, pipeline));
  const { bars, met } = separateBars(outcome);
  const text = `# The literature's evaluation\n\n${made}.\n\n${method}\n\n${bars}\n\n${parts.join('\n\n')}\n`;
  const sections: PageSection[] = [];
  for (const { name } of pipelines) {
    const own = cells.filter((cell) => cell.pipeline === name);
    sections.push({ title: `${name}: each policy by itself`, blocks: [{ plots: policyPlots(own) }] });
    sections.push({
      title: `${name}: ours less theirs, with 95 % intervals`,
      blocks: [{ plots: differencePlots(own.filter(({ policy }) => policy !== 'equipoise').map(judged)) }],
    });
    const followed = own.find(({ load, policy }) => load === 'bursty' && policy === 'ipa');
    if (followed !== undefined)
      sections.push({
        title: `${name}: the bursty load, tick by tick, next to ipa`,
        blocks: [{ plots: ticksPlots(followed) }],
      });
  }
  const html = htmlPage({ kind: 'Benchmark', title: "The literature's evaluation", lead: made, facts: [], sections });
  return { text, html, met };
}

/** Accuracy and cores of each policy, one plot per load. */
function policyPlots(cells: readonly CellFigures[]): readonly PlotSpec[] {
  const loads = [...new Set(cells.map(({ load }) => load))];
  const policies = [...new Set(cells.map(({ policy }) => policy))];
  return loads.map((load) => ({
    title: load,
    x: { label: 'cores (mean)' },
    y: { unit: 'PAS × 100', isLoose: true },
    layers: policies.map((policy, i) => ({
      ...{ kind: 'points', name: policy, color: seriesColor(i), shape: 'disc' },
      points: cells
        .filter((cell) => cell.load === load && cell.policy === policy)
        .map(({ runs }) => meanFigures(runs.map((run) => run.policy)))
        .map(({ cpuCores: x, pasPercent: y }) => ({
          x,
          y,
          tip: `${policy}\ncores\t${x.toFixed(2)}\nPAS × 100\t${y.toFixed(2)}`,
        })),
    })),
  }));
}

function differencePlots(cells: readonly JudgedCell[]): readonly PlotSpec[] {
  const bands = cells.map(({ cell }) => `${cell.policy}, ${cell.load}`);
  const plotOf = (label: string, intervals: readonly MeanInterval[]): PlotSpec => ({
    ...{ title: label, x: { label, isLoose: true }, y: { bands } },
    layers: [
      { kind: 'rule', color: 'quiet', at: { x: 0 } },
      { kind: 'segments', color: 'c1', segments: intervals.map(({ low, high }, y) => [low, y, high, y] as const) },
      { kind: 'points', color: 'c1', shape: 'disc', points: intervals.map(({ mean: x }, y) => ({ x, y })) },
    ],
  });
  const percents = cells.map(({ minCost: { costFraction: of } }) => ({
    ...of,
    mean: 100 * of.mean,
    low: 100 * of.low,
    high: 100 * of.high,
  }));
  return [
    plotOf(
      'same cores: PAS points',
      cells.map(({ maxAccuracy }) => maxAccuracy.pasPoints),
    ),
    plotOf('same PAS: cost %', percents),
  ];
}

function ticksPlots({ ticks }: CellFigures): readonly PlotSpec[] {
  const names = ['ipa', 'ours, same cores', 'ours, same PAS'];
  const plotOf = (title: string, of: (tick: CellFigures['ticks'][number][number]) => number): PlotSpec => ({
    ...{ title, isWide: true, x: { label: 'seconds' }, y: { isLoose: true } },
    layers: ticks.map((rows, i) => ({
      ...{ kind: 'line', name: names[i] ?? '', color: seriesColor(i), isStep: true },
      ...{ xs: rows.map(({ atS }) => atS), values: rows.map(of) },
    })),
  });
  return [plotOf('cores', ({ cpuCores }) => cpuCores), plotOf('PAS × 100', ({ pasPercent }) => pasPercent)];
}
