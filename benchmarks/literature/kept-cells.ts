/** Finished cells on disk with a digest of their inputs: grid, filled points, load, reference data, and core. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CellName } from './cell-process.js';
import type { CellFigures } from './paired-runs.js';

interface KeptCell {
  readonly digest: string;
  readonly figures: CellFigures;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Finished cells and unpublished results. */
export const FOLDER = here('../../.equipoise/literature');

function filesUnder(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|json|csv)$/.test(name) && !/\.test(-support)?\.ts$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

export function inputsDigest(referenceDir: string): string {
  const own = ['grid.json', 'grid.ts', 'filled-points.json', 'pipelines.ts', 'paired-runs.ts', 'optimal-plans.ts'];
  const files = [
    ...own.map(here),
    ...filesUnder(here('../../packages/core/src')),
    ...filesUnder(here('../../packages/app/loads')),
    ...filesUnder(join(referenceDir, 'ipa')),
  ];
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}

const fileOf = ({ pipeline, load, policy, fastLoop, seeds }: CellName): string =>
  join(FOLDER, `${pipeline}.${load}.${policy}.${seeds}${fastLoop ? '.fast' : ''}.json`);

/** Cached cell with these inputs. */
export function keptCell(name: CellName, digest: string): CellFigures | undefined {
  const file = fileOf(name);
  if (!existsSync(file)) return undefined;
  const kept = JSON.parse(readFileSync(file, 'utf8')) as KeptCell;
  return kept.digest === digest ? kept.figures : undefined;
}

/** Writes a finished cell atomically. */
export function keepCell(name: CellName, digest: string, figures: CellFigures): void {
  mkdirSync(FOLDER, { recursive: true });
  const file = fileOf(name);
  writeFileSync(`${file}.part`, JSON.stringify({ digest, figures } satisfies KeptCell));
  renameSync(`${file}.part`, file);
}
