import type { MeanInterval } from '@equipoise/core/model';
import { type CellGroup, type FigureName, figureNames } from './cell-groups.js';
import { groupedBy } from './grouped-by.js';

/** Groups of one pipeline and load. */
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

/** Without negative zero. */
export const fixed = (value: number, digits: number): string => value.toFixed(digits).replace(/^-(0(\.0+)?)$/, '$1');

/** Mean with its 95 % interval, which may be asymmetric; a single value has none. */
function figure({ mean, low, high }: MeanInterval, digits: number): string {
  const interval = Number.isFinite(high) ? ` (${fixed(low, digits)}–${fixed(high, digits)})` : '';
  return `${fixed(mean, digits)}${interval}`;
}

/** Difference ± half of its 95 % interval; a significant difference is marked. */
function difference({ mean, low, high }: MeanInterval, digits: number): string {
  const sign = mean > 0 ? '+' : '';
  const half = Number.isFinite(high) ? ` ± ${fixed(high - mean, digits)}` : '';
  return `${sign}${fixed(mean, digits)}${half}${low > 0 || high < 0 ? ' *' : ''}`;
}

/** Pipeline and load, with a platform that is not the simulator. */
export const placeOf = ({ pipeline, load, platform }: Pick<CellGroup, 'pipeline' | 'load' | 'platform'>): string =>
  [pipeline, load, ...(platform === 'simulator' ? [] : [platform])].join(', ');

/** Tables per pipeline and load: figures, and differences from `reference` if there are any. */
export function groupTables(groups: readonly CellGroup[], reference: string): readonly GroupTable[] {
  const places = groupedBy(groups, placeOf);
  return [...places].flatMap(([place, own]) => {
    const head = ['policy', ...figureNames];
    const figures = own.map(({ policy, figures: of }) => [
      policy,
      ...figureNames.map((name) => figure(of[name], DIGITS[name])),
    ]);
    const differences = own.flatMap(({ policy, less }) =>
      less === undefined ? [] : [[policy, ...figureNames.map((name) => difference(less[name], DIGITS[name]))]],
    );
    const title = `${place}: difference from ${reference}, seed by seed`;
    const compared = differences.length === 0 ? [] : [{ title, head, rows: differences }];
    return [{ title: place, head, rows: figures }, ...compared];
  });
}
