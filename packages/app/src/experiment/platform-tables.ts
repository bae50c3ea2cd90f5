/** Tables that compare the platforms of an experiment: relative differences from the first one, seed by seed. */
import { meanInterval95 } from '@equipoise/core/model';
import { comparedFigures, figureNames } from './cell-groups.js';
import type { CellResult } from './experiment-cell.js';
import { fixed, type GroupTable } from './experiment-tables.js';
import { groupedBy } from './grouped-by.js';
import type { Platform } from './platform.js';

/** Differences of more than this fraction are marked. */
const NOTABLE_FRACTION = 0.1;

export const PLATFORM_LEGEND =
  'relative differences, means over the seeds; ! marks more than 10 %. A served latency counts from the scheduled instant at the client: it includes the time until the request was sent, the network and HTTP, which a simulation does not have. "p99 ms in server" is without them.';

/** One table per pipeline and load, without those that ran on one platform only. */
export function platformTables(cells: readonly CellResult[], reference: Platform): readonly GroupTable[] {
  const places = groupedBy(cells, ({ pipeline, load }) => `${pipeline}, ${load}`);
  return [...places].flatMap(([place, own]) => {
    const rows = [...groupedBy(own, ({ policy, platform }) => JSON.stringify([policy, platform])).values()].flatMap(
      (group) => rowOf(group, own, reference),
    );
    if (rows.length === 0) return [];
    const head = ['policy', 'platform', ...figureNames, 'p99 ms in server', 'p99 ms until sent'];
    return [{ title: `${place}: difference from the ${reference}, seed by seed`, head, rows }];
  });
}

function rowOf(
  group: readonly CellResult[],
  all: readonly CellResult[],
  reference: Platform,
): readonly (readonly string[])[] {
  const [{ policy, platform }] = group as [CellResult];
  const pairs = group.flatMap((cell) => {
    const base = all.find((each) => each.policy === policy && each.seed === cell.seed && each.platform === reference);
    return base === undefined ? [] : [{ cell, base }];
  });
  if (platform === reference || pairs.length === 0) return [];
  const differences = figureNames.map((name) => {
    const of = comparedFigures[name];
    return relativeText(pairs.map(({ cell, base }) => fractionOf(of(cell), of(base))));
  });
  return [[policy, platform, ...differences, meanText(group, 'serverP99Ms'), meanText(group, 'startDelayP99Ms')]];
}

/** Two zeros do not differ. */
const fractionOf = (value: number, base: number): number => (value === base ? 0 : (value - base) / base);

function relativeText(fractions: readonly number[]): string {
  const { mean, low, high } = meanInterval95(fractions);
  if (!Number.isFinite(mean)) return '–';
  const half = Number.isFinite(high - low) ? ` ± ${fixed((100 * (high - low)) / 2, 1)}` : '';
  const mark = Math.abs(mean) > NOTABLE_FRACTION ? ' !' : '';
  return `${mean > 0 ? '+' : ''}${fixed(100 * mean, 1)}${half} %${mark}`;
}

function meanText(group: readonly CellResult[], name: 'serverP99Ms' | 'startDelayP99Ms'): string {
  const values = group.flatMap((cell) => cell[name] ?? []);
  return values.length === 0 ? '–' : fixed(values.reduce((sum, value) => sum + value, 0) / values.length, 1);
}
