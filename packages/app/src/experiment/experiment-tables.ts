/** The groups of an experiment as tables of text, for the terminal and for the report. */
import type { MeanInterval } from '@equipoise/core';
import { type CellGroup, type FigureName, figureNames } from './cell-groups.js';
import { groupedBy } from './grouped-by.js';

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
  'p99 ms': 1,
};

/** A number without the sign of a zero that rounding made. */
const fixed = (value: number, digits: number): string => value.toFixed(digits).replace(/^-(0(\.0+)?)$/, '$1');

/** A mean with half of its 95 % interval; without one from a single value. */
function withInterval({ mean, high }: MeanInterval, digits: number): string {
  const half = high - mean;
  return Number.isFinite(half) ? `${fixed(mean, digits)} ± ${fixed(half, digits)}` : fixed(mean, digits);
}

/** A difference with its sign, marked where its interval leaves 0 out. */
function difference(interval: MeanInterval, digits: number): string {
  const excludesNone = interval.low > 0 || interval.high < 0;
  const sign = interval.mean > 0 ? '+' : '';
  return `${sign}${withInterval(interval, digits)}${excludesNone ? ' *' : ''}`;
}

/** Two tables for each pipeline and load: the figures, and their differences from the policy `reference` where there are any. */
export function groupTables(groups: readonly CellGroup[], reference: string): readonly GroupTable[] {
  const places = groupedBy(groups, ({ pipeline, load }) => `${pipeline}, ${load}`);
  return [...places].flatMap(([place, own]) => {
    const head = ['policy', ...figureNames];
    const figures = own.map(({ policy, figures: of }) => [
      policy,
      ...figureNames.map((name) => withInterval(of[name], DIGITS[name])),
    ]);
    const differences = own.flatMap(({ policy, less }) =>
      less === undefined ? [] : [[policy, ...figureNames.map((name) => difference(less[name], DIGITS[name]))]],
    );
    const title = `${place}: difference from ${reference}, seed by seed`;
    const compared = differences.length === 0 ? [] : [{ title, head, rows: differences }];
    return [{ title: place, head, rows: figures }, ...compared];
  });
}
