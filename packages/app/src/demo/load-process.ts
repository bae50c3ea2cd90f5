/** Load generator in its own process, so that its CPU time is measurable. */
import { readFile } from 'node:fs/promises';
import { SeededRng } from '@equipoise/core/model';
import { piecewiseLinearArrivals, type RatePoint } from '@equipoise/core/simulate';
import { type LoadResult, runLoad } from '@equipoise/runtime';

export interface LoadTask {
  readonly url: string;
  readonly points: readonly RatePoint[];
  readonly files: readonly string[];
  readonly contentType: string;
  readonly seed: number;
  readonly sloLatencyMs: number;
}

export interface LoadAnswer extends LoadResult {
  readonly cpuS: number;
}

const TIMEOUT_MS = 10_000;

process.once('message', async (task: LoadTask) => {
  const { url, contentType, sloLatencyMs } = task;
  const bodies = await Promise.all(task.files.map(async (file) => ({ contentType, bytes: await readFile(file) })));
  const arrivals = piecewiseLinearArrivals(task.points, new SeededRng(task.seed));
  const result = await runLoad({ url, arrivals, bodies, timeoutMs: TIMEOUT_MS, sloLatencyMs });
  const { user, system } = process.cpuUsage();
  const answer: LoadAnswer = { ...result, cpuS: (user + system) / 1e6 };
  process.send?.(answer, () => process.disconnect());
});
