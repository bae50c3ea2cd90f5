/** The groups of an experiment as tables of text, for the terminal and for the report. */
import type { MeanInterval } from '@equipoise/core';
import { type CellGroup, type FigureName, figureNames } from './cell-groups.js';

/** A table of the groups of one pipeline under one load. */
export interface GroupTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const DIGITS: Readonly<Record<FigureName, number>> = {
  'within SLO %': 2,
  accuracy: 4,
  cores: 2,
  'cost per hour': 2,
  'p99 ms': 0,
};

/** A mean with half of its 95 % interval; without one from a single value. */
function withInterval({ mean, high }: MeanInterval, digits: number): string {
  const half = high - mean;
  return Number.isFinite(half) ? `${mean.toFixed(digits)} ± ${half.toFixed(digits)}` : mean.toFixed(digits);
}

/** A difference, marked where its interval excludes none. */
function difference(interval: MeanInterval, digits: number): string {
  const sure = interval.low > 0 || interval.high < 0;
  return `${interval.mean > 0 ? '+' : ''}${withInterval(interval, digits)}${sure ? ' *' : ''}`;
}

/** Two tables for each pipeline and load: the figures, and their differences from the first policy where there are several. */
export function groupTables(groups: readonly CellGroup[]): readonly GroupTable[] {
  const places = [...new Set(groups.map(({ pipeline, load }) => JSON.stringify([pipeline, load])))];
  return places.flatMap((place) => {
    const [pipeline, load] = JSON.parse(place) as [string, string];
    const own = groups.filter((group) => group.pipeline === pipeline && group.load === load);
    const head = ['policy', ...figureNames];
    const rows = own.map(({ policy, figures }) => [
      policy,
      ...figureNames.map((name) => withInterval(figures[name], DIGITS[name])),
    ]);
    const figures: GroupTable = { title: `${pipeline}, ${load}`, head, rows };
    const compared = own.flatMap(({ policy, less }) =>
      less === undefined ? [] : [[policy, ...figureNames.map((name) => difference(less[name], DIGITS[name]))]],
    );
    const title = `${pipeline}, ${load}: less ${own[0]?.policy ?? ''}, in pairs (* a difference for sure)`;
    return compared.length === 0 ? [figures] : [figures, { title, head, rows: compared }];
  });
}
