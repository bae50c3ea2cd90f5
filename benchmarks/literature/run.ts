/**
 * `npm run bench:literature [-- PIPELINE…] [--fast-loop] [--seeds N]`: published evaluation on our loads. `--fast-loop`:
 * ours answers bursts between plans; separate result files. `--seeds`: fewer seeds, for a first look; results stay with
 * the finished cells, which are reused while their inputs are unchanged. Needs EQUIPOISE_REFERENCE_DIR.
 */
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { CellAnswer, CellName } from './cell-process.js';
import { grid } from './grid.js';
import { FOLDER, inputsDigest, keepCell, keptCell } from './kept-cells.js';
import { madeOn } from './machine.js';
import type { CellFigures } from './paired-runs.js';
import { literaturePipeline } from './pipelines.js';
import { literatureReport } from './report.js';

const referenceDir = process.env['EQUIPOISE_REFERENCE_DIR'];
if (referenceDir === undefined)
  throw new Error('Set EQUIPOISE_REFERENCE_DIR to the folder of published reference data.');
const { values, positionals: asked } = parseArgs({
  options: {
    'fast-loop': { type: 'boolean', default: false },
    seeds: { type: 'string', default: String(grid.seeds.length) },
  },
  allowPositionals: true,
});
const fastLoop = values['fast-loop'];
const seeds = Number(values.seeds);
if (!(Number.isInteger(seeds) && seeds > 0 && seeds <= grid.seeds.length))
  throw new Error(`--seeds must be a whole number from 1 to ${grid.seeds.length}, got ${values.seeds}`);
const resultsFolder = seeds === grid.seeds.length ? fileURLToPath(new URL('.', import.meta.url)) : FOLDER;
const resultsFile = (ending: string): string => join(resultsFolder, `results${fastLoop ? '-fast-loop' : ''}.${ending}`);
const pipelines = Object.keys(grid.pipelines).filter((name) => asked.length === 0 || asked.includes(name));
const made = madeOn();
const digest = inputsDigest(referenceDir);

const cells: readonly CellName[] = pipelines.flatMap((pipeline) =>
  grid.loads.flatMap((load) => grid.policies.map((policy) => ({ pipeline, load, policy, fastLoop, seeds }))),
);
const done = new Map<CellName, CellFigures>();
for (const cell of cells) {
  const figures = keptCell(cell, digest);
  if (figures !== undefined) done.set(cell, figures);
}

const waiting = cells.filter((cell) => !done.has(cell));
const startedAtMs = performance.now();
let finished = 0;

function report(cell: CellName, elapsedMs: number): void {
  finished += 1;
  const leftS = ((performance.now() - startedAtMs) / finished) * (waiting.length + running) * 0.001;
  const name = `${cell.pipeline}, ${cell.load}, ${cell.policy}`;
  process.stderr.write(
    `${done.size}/${cells.length} ${name}: ${(elapsedMs / 1000).toFixed(1)} s; ${leftS.toFixed(0)} s left\n`,
  );
}

let running = 0;

/** Processes the queue in a separate process. */
function work(): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('cell-process.ts', import.meta.url)));
    let current: CellName | undefined;
    const next = (): void => {
      current = waiting.shift();
      if (current === undefined) {
        child.disconnect();
        resolve();
        return;
      }
      running += 1;
      child.send(current);
    };
    child.on('message', ({ figures, elapsedMs }: CellAnswer) => {
      const cell = current as CellName;
      running -= 1;
      done.set(cell, figures);
      keepCell(cell, digest, figures);
      report(cell, elapsedMs);
      next();
    });
    child.on('exit', (code) => code !== 0 && reject(new Error(`a cell process ended with ${code}`)));
    next();
  });
}

await Promise.all(Array.from({ length: Math.min(availableParallelism(), waiting.length) }, work));
const figures = cells.map((cell) => done.get(cell) as CellFigures);
const described = pipelines.map((name) => literaturePipeline(referenceDir, name));
writeFileSync(
  resultsFile('json'),
  `${JSON.stringify({ made, cells: figures.map(({ ticks: _, ...cell }) => cell) }, null, 1)}\n`,
);
const { text, html, met } = await literatureReport({
  made,
  cells: figures,
  pipelines: described,
  referenceDir,
  fastLoop,
});
writeFileSync(resultsFile('md'), text);
writeFileSync(resultsFile('html'), html);
process.stdout.write(text);
process.exitCode = met ? 0 : 1;
