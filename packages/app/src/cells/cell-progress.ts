import { ProgressMeter } from '@equipoise/runtime';
import { counted } from '../terminal/counted.js';
import { progressDisplay } from '../terminal/progress.js';

/**
 * `waiting`: units of work to do, simulations by default. `found`: those of earlier runs, which do not count for the
 * remaining time.
 */
export interface CellCount {
  readonly title: string;
  readonly waiting: number;
  readonly found: number;
  readonly unit?: string;
}

/** Shows progress with the remaining time; `work` tells the name of each finished cell. */
export async function withCellProgress(
  { title, waiting, found, unit = 'simulation' }: CellCount,
  work: (tell: (name: string) => void) => Promise<void>,
): Promise<void> {
  if (waiting === 0) return;
  const display = progressDisplay(title);
  const meter = new ProgressMeter(
    { nowMs: () => performance.now() },
    { totalUnits: waiting, expectedUnitMs: Number.NaN, listener: (progress) => display.show(progress) },
  );
  const before = found === 0 ? '' : ` (finished before: ${found})`;
  meter.begin(`${counted(waiting, unit)}${before}`);
  try {
    await work((name) => meter.finish(1, `${name}${before}`));
  } finally {
    display.stop();
  }
}
