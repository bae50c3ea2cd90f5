import type { Frontier } from '@equipoise/core/plan';
import pc from 'picocolors';
import { choiceText, fractionText, msText } from './plan-table.js';
import { textTable } from './text-table.js';

/** `sources`: by point, where its accuracy comes from. */
export function frontierText(
  { points, toleranceFraction, omittedPoints, complete }: Frontier,
  sources: readonly string[],
): string {
  const rows = points.map(({ pas, costPerHour, cpuCores, plan }, index) => [
    fractionText(pas),
    sources[index] ?? '',
    costPerHour.toFixed(2),
    Number(cpuCores.toFixed(2)),
    msText(plan.predicted.latencyMs),
    plan.verified === undefined ? '–' : msText(plan.verified.latencyMs),
    choiceText(plan),
  ]);
  const figures = ['cost per hour', 'cores', 'estimated', 'simulated'].map((right) => ({ right }));
  const thin =
    toleranceFraction > 0 ? `; of plans closer than ${100 * toleranceFraction} % of accuracy one is shown` : '';
  const omitted = omittedPoints > 0 ? `; ${omittedPoints} more between them are omitted` : '';
  return [
    ...(points.length > 1 ? [frontierPlot(points.map(({ costPerHour, pas }) => ({ costPerHour, pas })))] : []),
    textTable([{ right: 'accuracy' }, 'source', ...figures, 'variants'], rows),
    pc.dim(
      points.length > 1
        ? `${points.length} plans, each more accurate than every cheaper one${thin}${omitted}`
        : `There is only one plan to choose: no cheaper one meets the SLO, and no more expensive one is more accurate${thin}.`,
    ),
    ...(complete
      ? []
      : [pc.yellow('The search ended at its limit of labels: there may be better plans between these.')]),
  ].join('\n');
}

export interface CostAndAccuracy {
  readonly costPerHour: number;
  readonly pas: number;
}

const WIDTH = 64;
const HEIGHT = 14;
const GUTTER = 7;

function axis(values: readonly number[], cells: number): (value: number) => number {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return (value) => Math.round(((value - low) / (high - low)) * (cells - 1));
}

/** Requires at least two points, by rising cost. */
export function frontierPlot(points: readonly CostAndAccuracy[]): string {
  const column = axis(
    points.map(({ costPerHour }) => costPerHour),
    WIDTH,
  );
  const row = axis(
    points.map(({ pas }) => pas),
    HEIGHT,
  );
  const cells = Array.from({ length: HEIGHT }, () => Array.from({ length: WIDTH }, () => ' '));
  points.forEach(({ costPerHour, pas }, index) => {
    const next = points[index + 1];
    const line = cells[HEIGHT - 1 - row(pas)] ?? [];
    const end = next === undefined ? column(costPerHour) : column(next.costPerHour);
    for (let at = column(costPerHour) + 1; at < end; at++) line[at] = '·';
  });
  for (const { costPerHour, pas } of points) (cells[HEIGHT - 1 - row(pas)] ?? [])[column(costPerHour)] = '●';
  return framed(
    cells.map((line) => line.join('')),
    points,
  );
}

function framed(lines: readonly string[], points: readonly CostAndAccuracy[]): string {
  const [first, last] = [points[0], points.at(-1)];
  const label = (index: number): string => {
    if (index === 0) return fractionText(last?.pas ?? 0);
    return index === lines.length - 1 ? fractionText(first?.pas ?? 0) : '';
  };
  const [cheapest = '', dearest = ''] = [first, last].map((point) => point?.costPerHour.toFixed(2));
  const ends = `${cheapest}${dearest.padStart(WIDTH - cheapest.length)}`;
  return [
    pc.dim('accuracy'),
    ...lines.map((line, index) => `${label(index).padStart(GUTTER - 1)} ${pc.dim('│')}${line.trimEnd()}`),
    `${' '.repeat(GUTTER)}${pc.dim(`└${'─'.repeat(WIDTH)}`)}`,
    `${' '.repeat(GUTTER + 1)}${ends} ${pc.dim('cost per hour')}`,
  ].join('\n');
}
