import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

export const newRecommendThread = (): Worker =>
  new Worker(createRequire(import.meta.url).resolve('equipoise/recommend-thread'), { execArgv: [] });
