/** A start over a state file, and a process that starts over several: `FOLDER STATE_FILE…`. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { LoopEvent } from '@equipoise/runtime';
import { loadSpec } from './load-spec.js';
import { startPipeline } from './start-pipeline.js';

/** Starts the pipeline of a folder over a state file, and then pauses the loop, which is saved. */
export async function startOver(folder: string, stateFile: string) {
  const spec = await loadSpec(join(folder, 'pipeline.yaml'));
  const events: LoopEvent[] = [];
  const pipeline = await startPipeline({
    ...{ spec, profiles: [], arrivalRps: 1, policy: 'equipoise', fixed: false, resume: true },
    ...{ stateFile, report: (event) => events.push(event) },
  });
  const isReady = pipeline.runner.ready;
  await pipeline.control.pause('a test');
  await pipeline.close();
  const faults = events.flatMap((event) =>
    event.kind === 'failed' && event.step === 'store' ? [String(event.error)] : [],
  );
  return { isReady, faults, first: pipeline.first.kind, mode: pipeline.kept.wishes.mode };
}

/** Report of a process about one start. `isKept`: the bytes of the state file still exist, perhaps under another name. */
export interface ReportedStart {
  readonly stateFile: string;
  readonly isReady: boolean;
  readonly faults: readonly string[];
  readonly isKept: boolean;
}

const [, script = '', folder = '', ...stateFiles] = process.argv;
if (basename(script).startsWith('started-over')) {
  const stateFolder = join(folder, '.equipoise');
  const filesOf = (stateFile: string) => readdirSync(stateFolder).filter((name) => name.startsWith(stateFile));
  const bytesOf = (name: string) => readFileSync(join(stateFolder, name));
  for (const stateFile of stateFiles) {
    const before = filesOf(stateFile).includes(stateFile) ? bytesOf(stateFile) : undefined;
    const { isReady, faults } = await startOver(folder, stateFile);
    const isKept = before === undefined || filesOf(stateFile).some((name) => before.equals(bytesOf(name)));
    process.stdout.write(`${JSON.stringify({ stateFile, isReady, faults, isKept } satisfies ReportedStart)}\n`);
  }
}
