/** Results as text and as one self-contained page with plots. */
import type { MeanInterval } from '@equipoise/core/model';
import { meanInterval95 } from '@equipoise/core/model';
import { htmlHeading, htmlParagraph, htmlTable } from '../../packages/app/src/report/page/html.js';
import { htmlPage, type PageSection } from '../../packages/app/src/report/page/html-page.js';
import { type PlotSpec, seriesColor } from '../../packages/app/src/report/plot/plot-spec.js';
import { counted } from '../../packages/app/src/terminal/counted.js';
import type { CellFigures } from './cell.js';
import { cellText } from './cells.js';
import { LEAST_SEEDS, MARGINS } from './dominance.js';
import { type CellResult, type Domination, hasOurs, type Judgment, judgment, type PolicyScore } from './judgment.js';
import { EXCLUDE_FIRST_S } from './loads.js';
import { benchPolicies, OURS } from './policies.js';

export interface BenchOutcome {
  readonly made: string;
  readonly took: string;
  readonly seeds: number;
  readonly results: readonly CellResult[];
  /** Pipelines that were not run, because their published profiles are missing. */
  readonly skipped: readonly string[];
}

type Table = readonly [head: readonly string[], rows: readonly (readonly string[])[]];

const meanOf = (runs: readonly CellFigures[], of: (figures: CellFigures) => number): number =>
  meanInterval95(runs.map(of)).mean;

const signed = ({ mean, low, high }: MeanInterval): string => {
  const sign = (value: number): string => `${value > 0 ? '+' : ''}${value.toFixed(2)}`;
  return `${sign(mean)} [${sign(low)}, ${sign(high)}]`;
};

function figuresTable({ policies }: CellResult): Table {
  const rows = policies.map(({ policy, runs, noPlan }) =>
    noPlan !== undefined
      ? [policy, 'no plan', '–', '–', '–', '–', '–']
      : [
          policy,
          (100 * meanOf(runs, (run) => run.attainmentFraction)).toFixed(2),
          (100 * meanOf(runs, (run) => run.accuracy)).toFixed(2),
          meanOf(runs, (run) => run.cpuCores).toFixed(2),
          meanOf(runs, (run) => run.p99Ms).toFixed(0),
          (100 * meanOf(runs, (run) => run.droppedFraction)).toFixed(2),
          meanOf(runs, (run) => run.changes).toFixed(1),
        ],
  );
  return [['policy', 'within SLO %', 'accuracy × 100', 'cores', 'p99 ms', 'dropped %', 'changes'], rows];
}

function dominationTable(dominations: readonly Domination[]): Table {
  const rows = dominations.map(({ cell, policy, onItsGround, comparison }) => {
    const { advantages, better = [] } = comparison ?? {};
    const shown = advantages
      ? [signed(advantages.attainment), signed(advantages.accuracy), signed(advantages.cost)]
      : ['–', '–', '–'];
    return [cellText(cell), policy, onItsGround ? 'yes' : 'no', better.join(', ') || 'ours has no plan', ...shown];
  });
  const head = [
    'cell',
    'policy',
    'its own ground',
    'better in',
    'attainment, points',
    'accuracy, points',
    'cost saved, %',
  ];
  return [head, rows];
}

function scoreTable({ scores, notOnGround }: Judgment): Table {
  const rows = scores.map((score) => [
    score.policy,
    String(score.cells),
    String(score.dominatesOurs),
    String(score.dominatedByOurs),
    String(score.groundCells),
    ownGroundText(score, notOnGround),
  ]);
  const head = [
    'policy',
    'cells with a plan',
    'dominates ours',
    'dominated by ours',
    'cells on its own ground',
    'dominates ours there',
  ];
  return [head, rows];
}

function ownGroundText(
  { policy, groundCells, dominatesOursOnGround }: PolicyScore,
  notOnGround: readonly string[],
): string {
  if (groundCells > 0) return String(dominatesOursOnGround);
  return notOnGround.includes(policy) ? 'not tested' : '–';
}

/** All policies, since the verdict names those not tested. Without a verdict, those that ran. */
function policyTable(results: readonly CellResult[]): Table {
  const ran = new Set(results.flatMap(({ policies }) => policies.map(({ policy }) => policy)));
  const shown = benchPolicies.filter(({ name }) => results.some(hasOurs) || ran.has(name));
  return [
    ['policy', 'source', 'leaves out', 'its own published ground here'],
    shown.map(({ name, source, leavesOut, groundText }) => [name, source, leavesOut, groundText]),
  ];
}

/** Seconds below two minutes. `ran` of `all` runs were not kept from before. */
export function tookText(ran: number, all: number, spent: { readonly s: number; readonly workers: number }): string {
  const time = spent.s < 120 ? counted(Math.round(spent.s), 'second') : `${(spent.s / 60).toFixed(1)} minutes`;
  return `${ran} of ${counted(all, 'run')} took ${time} with ${counted(spent.workers, 'process', 'processes')}.`;
}

/** The verdict in words. It names the number of cells, and what was not tested. */
function verdict(
  { dominations, conclusive, groundCells, notOnGround }: Judgment,
  results: readonly CellResult[],
): string {
  if (!results.some(hasOurs)) return `No verdict: ${OURS} did not run. Run it, too, with --against ${OURS}.`;
  if (!conclusive) return `No verdict: a judgment needs at least ${LEAST_SEEDS} seeds.`;
  const onGround = dominations.filter(({ onItsGround }) => onItsGround);
  const places = (all: readonly Domination[]): number => new Set(all.map(({ cell }) => cellText(cell))).size;
  const ground =
    groundCells === 0
      ? 'No policy was tested on its own published ground.'
      : onGround.length === 0
        ? `No policy dominates ours on its own published ground (${groundCells} cells).`
        : `On its own published ground, a policy dominates ours in ${places(onGround)} of ${groundCells} cells.`;
  const untested =
    groundCells > 0 && notOnGround.length > 0 ? ` Not tested on their own ground: ${notOnGround.join(', ')}.` : '';
  const all =
    dominations.length === 0
      ? 'No policy dominates ours in any cell.'
      : `In all, policies dominate ours in ${places(dominations)} of ${results.length} cells; the table lists each of them.`;
  return `${ground}${untested} ${all}`;
}

const RULES = [
  `All policies run in one simulator with the same arrivals per seed, queues, batches, drops and times to start. The first ${EXCLUDE_FIRST_S} s do not count. A dropped request misses the SLO. Cores include replicas that start or drain.`,
  `A policy dominates another if it is better in attainment, accuracy or cores, and worse in none. The 95 % interval of the paired differences decides, with a margin of ${MARGINS.attainment} points of attainment, ${MARGINS.accuracy} points of accuracy and ${MARGINS.cost} % of the cores: better if the whole interval is above the margin, not worse if the whole interval is above minus the margin.`,
  'Goals: weights (the published weights of IPA, without a budget), min-cost (lowest cost at the accuracy of the middle variants), max-accuracy (highest accuracy within a budget). The budget is 1.25 times the cores of the cheapest plan for 34 rps. A policy that does not know a goal or a budget is judged by the same three figures. Points of audio-qa and sum-qa are partly filled by a rule (benchmarks/literature), so no claim rests on them.',
  'Policies that only scale run the variants of middle accuracy, set by hand, as the README of core/control/baselines describes.',
];

const markdownTable = ([head, rows]: Table): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

export interface BenchPages {
  readonly text: string;
  readonly html: string;
  readonly judged: Judgment;
}

export function benchReport(outcome: BenchOutcome): BenchPages {
  const judged = judgment(outcome.results);
  const skipped =
    outcome.skipped.length === 0
      ? []
      : [`Skipped: ${outcome.skipped.join(', ')} (set EQUIPOISE_REFERENCE_DIR to the published profiles).`];
  const lead = `${outcome.made}. ${outcome.took} ${counted(outcome.seeds, 'seed')}.`;
  const policies = policyTable(outcome.results);
  const said = verdict(judged, outcome.results);
  const tables: readonly (readonly [title: string, table: Table])[] = [
    ...(outcome.results.some(hasOurs)
      ? ([
          ['Cells in which a policy dominates ours', dominationTable(judged.dominations)],
          ['Each policy against ours', scoreTable(judged)],
        ] as const)
      : []),
    ...(policies[1].length === 0 ? [] : [['Policies', policies] as const]),
  ];
  const text = [
    '# PipeBench',
    lead,
    `**${said}**`,
    ...skipped,
    ...tables.flatMap(([title, table]) => [`## ${title}`, table[1].length === 0 ? 'None.' : markdownTable(table)]),
    '## How it is measured',
    ...RULES,
    '## Cells',
    ...outcome.results.flatMap((result) => [
      `### ${cellText(result.cell)}`,
      markdownTable(figuresTable(result)),
      ...noPlans(result),
    ]),
  ];
  const sections: readonly PageSection[] = [
    { title: 'Verdict', blocks: [said, ...skipped].map(htmlParagraph) },
    ...tables.map(([title, [head, rows]]) => ({
      title,
      blocks: [rows.length === 0 ? htmlParagraph('None.') : htmlTable(title, head, rows)],
    })),
    { title: 'How it is measured', blocks: RULES.map(htmlParagraph) },
    { title: 'Cells', blocks: outcome.results.flatMap(cellBlocks) },
  ];
  const html = htmlPage({ kind: 'Benchmark', title: 'PipeBench', lead, facts: [], sections });
  return { text: `${text.join('\n\n')}\n`, html, judged };
}

function cellBlocks(result: CellResult): PageSection['blocks'] {
  const name = cellText(result.cell);
  return [
    htmlHeading(name),
    { plots: [cellPlot(result)] },
    htmlTable(name, ...figuresTable(result)),
    ...noPlans(result).map(htmlParagraph),
  ];
}

const noPlans = ({ policies }: CellResult): readonly string[] =>
  policies.flatMap(({ policy, noPlan }) => (noPlan === undefined ? [] : [`${policy}: ${noPlan}`]));

/** Accuracy against cores. A ring marks policies below 99 % attainment. */
function cellPlot({ cell, policies }: CellResult): PlotSpec {
  const shown = policies.filter(({ runs }) => runs.length > 0);
  return {
    ...{ title: cellText(cell), isWide: true },
    x: { label: 'cores (mean); ring: attainment below 99 %' },
    y: { unit: 'accuracy × 100', isLoose: true },
    layers: shown.map(({ policy, runs }, i) => {
      const x = meanOf(runs, (run) => run.cpuCores);
      const y = 100 * meanOf(runs, (run) => run.accuracy);
      const attainment = 100 * meanOf(runs, (run) => run.attainmentFraction);
      const tip = `${policy}\ncores\t${x.toFixed(2)}\naccuracy × 100\t${y.toFixed(2)}\nwithin SLO\t${attainment.toFixed(2)} %`;
      const shape = attainment < 99 ? 'ring' : policy === OURS ? 'diamond' : i < 8 ? 'disc' : 'square';
      return { kind: 'points', name: policy, color: seriesColor(i), shape, points: [{ x, y, tip }] };
    }),
  };
}
