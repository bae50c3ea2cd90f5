/**
 * `npm run bench:control -- foreign --seed-from HASH [--count N] [--first I] [--resume]`: our loop and the clairvoyant
 * on foreign cells. Bar: 99.5 % of the requests left after the fluid minimum, wherever the clairvoyant keeps it.
 */
import { verifiersOf } from '@equipoise/core/simulate';
import { readRunOptions, runResumably } from '../../planner/resumable-run.js';
import { type CellFigures, runCell } from '../cell.js';
import { fluidMinimum } from '../fluid-minimum.js';
import { curvesOf, largestRate, planAt } from '../pipelines.js';
import { drawCell } from './draw-cell.js';

export interface ForeignResult {
  readonly index: number;
  readonly shape: string;
  readonly mode: string;
  readonly load: string;
  /** Shortest and longest service time of one item (ms). */
  readonly serviceMs: readonly [number, number];
  readonly sloMs: number;
  readonly peakRps: number;
  readonly budgetCores: number;
  readonly fluidMinimum: number;
  readonly ours: CellFigures;
  readonly clairvoyant: CellFigures;
}

const CELLS = 20;
const LEAST_ATTAINMENT = 0.995;
const MEASURE_FROM_S = 60;

export function measureForeign(seedFrom: string, index: number): ForeignResult {
  const { shape, mode, load, spec, peakRps } = drawCell(seedFrom, index);
  const verifierAt = verifiersOf({
    ...{ spec, curves: curvesOf(spec), hostCores: Number.POSITIVE_INFINITY, seed: 1, remembered: 100_000 },
  });
  const [ours, clairvoyant] = (['equipoise', 'clairvoyant'] as const).map((controller) =>
    runCell({ spec, load, controller, verifierAt, seed: 1 }),
  ) as [CellFigures, CellFigures];
  const variants = spec.stages.flatMap((stage) => stage.variants);
  const serviceMs = variants.map(({ profile }) => profile?.[0]?.meanMs ?? 0);
  const capacities = new Map<number, number>();
  const capacityFor = (rps: number): number => {
    const known = capacities.get(rps) ?? planAt(spec, rps).predicted.capacityRps;
    capacities.set(rps, known);
    return known;
  };
  const largestReplica = 1;
  const bounds = {
    ...{ capacityFor, largestRps: largestRate(spec, largestReplica) },
    loadMs: Math.max(...variants.map(({ loadMs }) => loadMs ?? 0)),
  };
  return {
    ...{ index, shape, mode, load: load.name, peakRps, ours, clairvoyant },
    serviceMs: [Math.min(...serviceMs), Math.max(...serviceMs)],
    sloMs: spec.slo.latencyMs,
    budgetCores: spec.budget.cpuCores ?? 0,
    fluidMinimum: fluidMinimum(load.ratesRps, MEASURE_FROM_S, bounds),
  };
}

/** Attainment over the requests that the fluid minimum leaves; at most 1. */
export function attainmentOfRest({ arrived, lost }: CellFigures, minimum: number): number {
  return Math.min(1, (arrived - lost) / (arrived - Math.min(minimum, lost)));
}

/** Undefined if the clairvoyant misses, too. */
export function isMet({ ours, clairvoyant, fluidMinimum: minimum }: ForeignResult): boolean | undefined {
  if (attainmentOfRest(clairvoyant, minimum) < LEAST_ATTAINMENT) return undefined;
  return attainmentOfRest(ours, minimum) >= LEAST_ATTAINMENT;
}

const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`;
const verdict = (result: ForeignResult): string =>
  ({ true: 'met', false: '**missed**', undefined: 'the clairvoyant misses, too' })[String(isMet(result))] as string;

function row(result: ForeignResult): string {
  const { index, shape, mode, load, serviceMs, sloMs, peakRps, budgetCores, ours, clairvoyant } = result;
  const cells = [
    ...[index, shape, mode, load, serviceMs.map((ms) => ms.toFixed(0)).join('–'), sloMs, peakRps.toFixed(1)],
    ...[budgetCores.toFixed(0), ours.arrived, result.fluidMinimum.toFixed(0), ours.lost, clairvoyant.lost],
    percent(attainmentOfRest(ours, result.fluidMinimum)),
    percent(attainmentOfRest(clairvoyant, result.fluidMinimum)),
    ...[ours.cpuCoresMean.toFixed(1), clairvoyant.cpuCoresMean.toFixed(1), verdict(result)],
  ];
  return `| ${cells.join(' | ')} |`;
}

export function foreignReport(results: readonly ForeignResult[], heading: string): string {
  const judged = results.filter((result) => isMet(result) !== undefined);
  return [
    '# The loop on foreign cells',
    heading,
    `The bar is ${percent(LEAST_ATTAINMENT)} of the requests left after the fluid minimum wherever the clairvoyant keeps it: met in ${judged.filter(isMet).length} of ${judged.length} cells. The clairvoyant misses it in ${results.length - judged.length} more.`,
    [
      '| cell | pipeline | mode | load | service ms | SLO ms | peak rps | budget | requests | fluid minimum | lost | clairvoyant | of the rest | clairvoyant | cores | clairvoyant | |',
      `|${'---|'.repeat(17)}`,
      ...results.map(row),
    ].join('\n'),
  ]
    .join('\n\n')
    .concat('\n');
}

/** True if every bar is met. */
export function runForeign(args: readonly string[]): boolean {
  const options = readRunOptions('../control/foreign', CELLS, args);
  const results = runResumably<ForeignResult>(options, {
    measure: (index) => measureForeign(options.seedFrom, index),
    line: (result) => row(result),
    report: foreignReport,
  });
  return results.every((result) => isMet(result) !== false);
}
