/** Bars of the cells. */
import type { CellFigures, ControllerName } from './cell.js';
import type { ControlLoad } from './loads.js';
import type { ControlMode } from './pipelines.js';

/** Results of a load in a mode: figures by controller, and the minimum loss. */
export interface LoadResult {
  readonly pipeline: string;
  readonly mode: ControlMode;
  readonly load: string;
  readonly seed: number;
  readonly kind: ControlLoad['kind'];
  readonly budgetCores: number;
  readonly fluidMinimum?: number;
  readonly cells: Readonly<Partial<Record<ControllerName, CellFigures>>>;
}

/** A claim with its figure. */
export interface Bar {
  readonly claim: string;
  readonly figure: string;
  readonly bar: string;
  readonly met: boolean;
}

const LEAST_ATTAINMENT = 0.995;
/** Maximum cores ÷ those of the clairvoyant. */
export const MOST_COST_RATIO = 1.25;
const MOST_LOST_RATIO = 1.3;
/** Minimum PAS ÷ that of the clairvoyant. */
export const LEAST_PAS_RATIO = 0.97;
const MOST_SWITCHES: Readonly<Record<string, number>> = {
  bursty: 6,
  fluctuating: 8,
  'steady-low': 0,
  'steady-high': 0,
};

const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`;

/** Bars of a result; none if our controller was not run. */
export function barsOf(result: LoadResult): readonly Bar[] {
  const { equipoise, clairvoyant } = result.cells;
  if (equipoise === undefined) return [];
  return [
    ...(result.mode === 'min-cost'
      ? minCostBars(result, equipoise, clairvoyant)
      : accuracyBars(equipoise, clairvoyant)),
    ...switchBars(result, equipoise),
  ];
}

function minCostBars(result: LoadResult, ours: CellFigures, clairvoyant: CellFigures | undefined): readonly Bar[] {
  if (result.kind === 'jumping') {
    const least = result.fluidMinimum ?? 0;
    const ratio = ours.lost / least;
    const bar: Bar = {
      claim: `lost requests against the fluid minimum (${least.toFixed(0)})`,
      figure: `${ours.lost} (${ratio.toFixed(2)} ×)`,
      bar: `≤ ${MOST_LOST_RATIO} ×`,
      met: ours.lost <= MOST_LOST_RATIO * least,
    };
    return [bar];
  }
  const attainment: Bar = {
    claim: 'attainment',
    figure: percent(ours.attainmentFraction),
    bar: `≥ ${percent(LEAST_ATTAINMENT)}`,
    met: ours.attainmentFraction >= LEAST_ATTAINMENT,
  };
  if (clairvoyant === undefined) return [attainment];
  const ratio = ours.cpuCoresMean / clairvoyant.cpuCoresMean;
  const cost: Bar = {
    claim: 'cost against the clairvoyant',
    figure: `${ratio.toFixed(3)} ×`,
    bar: `≤ ${MOST_COST_RATIO} ×`,
    met: ratio <= MOST_COST_RATIO,
  };
  return [attainment, cost];
}

function accuracyBars(ours: CellFigures, clairvoyant: CellFigures | undefined): readonly Bar[] {
  if (clairvoyant === undefined) return [];
  const ratio = ours.pasMean / clairvoyant.pasMean;
  const bar: Bar = {
    claim: 'PAS against the clairvoyant',
    figure: percent(ratio),
    bar: `≥ ${percent(LEAST_PAS_RATIO)}`,
    met: ratio >= LEAST_PAS_RATIO,
  };
  return [bar];
}

function switchBars({ load }: LoadResult, { mostSwitches }: CellFigures): readonly Bar[] {
  const most = MOST_SWITCHES[load];
  if (most === undefined) return [];
  return [
    { claim: 'variant switches of a stage', figure: String(mostSwitches), bar: `≤ ${most}`, met: mostSwitches <= most },
  ];
}
