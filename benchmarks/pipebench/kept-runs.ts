/** Finished runs on disk, named by a digest of their input, so that an interrupted benchmark continues. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunOutcome } from './cell-process.js';
import type { BenchRun } from './cells.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Finished runs, and results that are not published. */
export const FOLDER = here('../../.equipoise/pipebench');

const SOURCES = ['cell.ts', 'cell-process.ts', 'loads.ts', 'policies.ts', 'questions.ts'];
const OTHERS = [
  '../literature/grid.json',
  '../literature/filled-points.json',
  '../literature/pipelines.ts',
  '../control/loads.ts',
  '../control/pipelines.ts',
  '../simulator/day/day-pipeline.ts',
  '../../packages/app/src/experiment/load-own-policy.ts',
  '../../examples/policies/pipeline.yaml',
  '../../examples/shelf-scan/accuracy.json',
];

function filesUnder(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|json|csv)$/.test(name) && !/\.test(-support)?\.ts$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** Files that decide figures, apart from the run itself. */
export function decidingFiles(referenceDir: string | undefined): readonly string[] {
  return [
    ...[...SOURCES, ...OTHERS].map(here),
    ...filesUnder(here('../../packages/core/src')),
    ...filesUnder(here('../../packages/pipeline-file/src')),
    ...filesUnder(here('../../packages/app/loads')),
    ...(referenceDir === undefined ? [] : filesUnder(join(referenceDir, 'ipa'))),
  ];
}

export function inputsDigest(referenceDir: string | undefined): string {
  const hash = createHash('sha256');
  for (const file of decidingFiles(referenceDir)) hash.update(readFileSync(file));
  return hash.digest('hex');
}

export class KeptRuns {
  readonly #digest: string;

  constructor(digest: string) {
    this.#digest = digest;
    mkdirSync(FOLDER, { recursive: true });
  }

  find(run: BenchRun): RunOutcome | undefined {
    const file = this.#fileOf(run);
    if (!existsSync(file)) return undefined;
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as RunOutcome;
    } catch {
      // An unreadable run is simulated again.
      return undefined;
    }
  }

  keep(run: BenchRun, outcome: RunOutcome): void {
    const file = this.#fileOf(run);
    writeFileSync(`${file}.part`, JSON.stringify(outcome));
    renameSync(`${file}.part`, file);
  }

  /** A foreign policy counts by its content. */
  #fileOf(run: BenchRun): string {
    const content = run.foreign && existsSync(run.policy) ? readFileSync(run.policy) : '';
    const hash = createHash('sha256').update(this.#digest).update(JSON.stringify(run)).update(content);
    return join(FOLDER, `${hash.digest('hex').slice(0, 32)}.json`);
  }
}
