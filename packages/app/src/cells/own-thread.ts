import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

/** Starts the file of this package that its export `NAME-thread` names, from source or from the build. */
export const ownThread = (
  name: 'cell' | 'forecast' | 'pipeline-file' | 'recommend' | 'replay' | 'sweep',
  workerData?: unknown,
): Worker =>
  new Worker(createRequire(import.meta.url).resolve(`equipoise/${name}-thread`), { workerData, execArgv: [] });
