/** Cells of the same pipeline, load and policy, their seeds taken together: means with intervals, and differences from the first policy in pairs. */
import { type MeanInterval, meanInterval95 } from '@equipoise/core';
import type { CellResult } from './experiment-cell.js';

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

/** A policy on a load. `less` is its difference from the first policy, seed by seed; undefined for the first itself. */
export interface CellGroup {
  readonly pipeline: string;
  readonly load: string;
  readonly policy: string;
  readonly figures: Readonly<Record<FigureName, MeanInterval>>;
  readonly less: Readonly<Record<FigureName, MeanInterval>> | undefined;
}

/** The groups in the order of the cells. */
export function cellGroups(cells: readonly CellResult[]): readonly CellGroup[] {
  const keyOf = ({ pipeline, load, policy }: CellResult): string => JSON.stringify([pipeline, load, policy]);
  const first = cells[0]?.policy;
  return [...new Set(cells.map(keyOf))].map((key): CellGroup => {
    const own = cells.filter((cell) => keyOf(cell) === key);
    const { pipeline, load, policy } = own[0] as CellResult;
    const base = cells.filter((cell) => cell.pipeline === pipeline && cell.load === load && cell.policy === first);
    return {
      ...{ pipeline, load, policy },
      figures: byFigure((of) => own.map(of)),
      less: policy === first ? undefined : byFigure((of) => differences(own, base, of)),
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
