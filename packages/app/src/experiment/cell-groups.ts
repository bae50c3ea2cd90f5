/** Cells of the same pipeline, load and policy, their seeds taken together: means with intervals, and differences from one policy in pairs. */
import { type MeanInterval, meanInterval95 } from '@equipoise/core';
import type { CellResult } from './experiment-cell.js';
import { groupedBy } from './grouped-by.js';

/** The figures that are compared, in the units that people read. */
export const comparedFigures = {
  'within SLO %': (cell: CellResult) => 100 * cell.sloAttainmentFraction,
  accuracy: (cell: CellResult) => cell.pasMean,
  cores: (cell: CellResult) => cell.cpuCoresMean,
  'cost per hour': (cell: CellResult) => cell.costPerHourMean,
  'p99 ms': (cell: CellResult) => cell.latencyMs.p99,
} as const;

/** A name of `comparedFigures`. */
export type FigureName = keyof typeof comparedFigures;

/** Names in the order of reports. */
export const figureNames = Object.keys(comparedFigures) as readonly FigureName[];

/** A policy on a load. `less` is its difference from the reference policy, seed by seed; undefined for that one, and where it has no pair. */
export interface CellGroup {
  readonly pipeline: string;
  readonly load: string;
  readonly policy: string;
  readonly seeds: number;
  readonly figures: Readonly<Record<FigureName, MeanInterval>>;
  readonly less: Readonly<Record<FigureName, MeanInterval>> | undefined;
}

/** The groups in the order of the cells, compared with the policy `reference`. */
export function cellGroups(cells: readonly CellResult[], reference: string): readonly CellGroup[] {
  const keyOf = ({ pipeline, load, policy }: CellResult): string => JSON.stringify([pipeline, load, policy]);
  return [...groupedBy(cells, keyOf).values()].map((own): CellGroup => {
    const { pipeline, load, policy } = own[0] as CellResult;
    const base = cells.filter((cell) => cell.pipeline === pipeline && cell.load === load && cell.policy === reference);
    const isPaired = policy !== reference && own.some(({ seed }) => base.some((cell) => cell.seed === seed));
    return {
      ...{ pipeline, load, policy, seeds: own.length },
      figures: byFigure((of) => own.map(of)),
      less: isPaired ? byFigure((of) => differences(own, base, of)) : undefined,
    };
  });
}

function byFigure(values: (of: (cell: CellResult) => number) => readonly number[]): Record<FigureName, MeanInterval> {
  const entries = figureNames.map((name) => [name, meanInterval95(values(comparedFigures[name]))] as const);
  return Object.fromEntries(entries) as Record<FigureName, MeanInterval>;
}

function differences(
  own: readonly CellResult[],
  base: readonly CellResult[],
  of: (cell: CellResult) => number,
): readonly number[] {
  return own.flatMap((cell) => {
    const pair = base.find(({ seed }) => seed === cell.seed);
    return pair === undefined ? [] : [of(cell) - of(pair)];
  });
}
