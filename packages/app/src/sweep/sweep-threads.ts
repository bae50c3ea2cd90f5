import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { SweptPipeline } from './sweep-cell.js';

export const newSweepThread = (workerData: SweptPipeline): Worker =>
  new Worker(createRequire(import.meta.url).resolve('equipoise/sweep-thread'), { workerData, execArgv: [] });
