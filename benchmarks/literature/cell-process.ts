/** Process that runs cells one at a time, keeps its verification cache, and answers with figures. */
import { readFileSync } from 'node:fs';
import type { PolicyName } from '@equipoise/core/plan';
import type { LoadSpec } from '@equipoise/core/simulate';
import { parseLoadFile } from '@equipoise/runtime';
import { grid } from './grid.js';
import { CellBench, type CellFigures } from './paired-runs.js';
import { literaturePipeline } from './pipelines.js';

export interface CellName {
  readonly pipeline: string;
  readonly load: string;
  readonly policy: PolicyName;
  readonly fastLoop: boolean;
  /** Number of seeds, from the first one of the grid. */
  readonly seeds: number;
}

export interface CellAnswer {
  readonly figures: CellFigures;
  readonly elapsedMs: number;
}

/** The published loads have the same statistics but are not shipped. */
function shippedLoad(name: string): LoadSpec {
  const file = new URL(`../../packages/app/loads/${name}.csv`, import.meta.url);
  return { kind: 'trace', arrivalsPerSecond: parseLoadFile(readFileSync(file, 'utf8'), name), spread: 'poisson' };
}

const benches = new Map<string, CellBench>();

function benchOf({ pipeline, fastLoop }: CellName): CellBench {
  const key = `${pipeline} ${fastLoop}`;
  const directory = process.env['EQUIPOISE_REFERENCE_DIR'] ?? '';
  const bench = benches.get(key) ?? new CellBench(literaturePipeline(directory, pipeline).spec, { fastLoop });
  benches.set(key, bench);
  return bench;
}

process.on('message', (name: CellName) => {
  const { load, policy, seeds } = name;
  const startedAtMs = performance.now();
  const figures = benchOf(name).cell({ load, loadSpec: shippedLoad(load), policy, seeds: grid.seeds.slice(0, seeds) });
  process.send?.({ figures, elapsedMs: performance.now() - startedAtMs } satisfies CellAnswer);
});
