/** Load generator of `calibrate` in its own process: Poisson arrivals, the first `rushing` at twice the rate. */
import { SeededRng } from '@equipoise/core/model';
import { poissonArrivals } from '@equipoise/core/simulate';
import { type LoadResult, runLoad } from '@equipoise/runtime';
import { readBodies, type SampleBody } from '../compose/sample-bodies.js';

export interface LoadTask {
  readonly url: string;
  /** Sent in turn. */
  readonly bodies: readonly SampleBody[];
  readonly requests: number;
  readonly arrivalRps: number;
  readonly rushing: number;
  readonly seed: number;
  /** A request without an answer after this time fails. */
  readonly timeoutMs: number;
}

export interface LoadAnswer extends Pick<LoadResult, 'ok' | 'dropped' | 'failed' | 'firstRefusal'> {
  /** CPU time of this process. */
  readonly cpuMs: number;
}

const MOST_CONNECTIONS = 2000;

function arrivals({ requests, arrivalRps, rushing, seed }: LoadTask) {
  const usual = poissonArrivals(arrivalRps, Number.POSITIVE_INFINITY, new SeededRng(seed));
  let sent = 0;
  let savedMs = 0;
  return {
    nextAtMs: () => {
      if (sent === requests) return undefined;
      const atMs = usual.nextAtMs() as number;
      if (sent < rushing) savedMs = atMs / 2;
      sent += 1;
      return atMs - savedMs;
    },
  };
}

async function run(task: LoadTask): Promise<LoadAnswer> {
  const bodies = await readBodies(task.bodies);
  const before = process.cpuUsage();
  const { ok, dropped, failed, firstRefusal } = await runLoad({
    url: task.url,
    arrivals: arrivals(task),
    bodies,
    timeoutMs: task.timeoutMs,
    maxConnections: MOST_CONNECTIONS,
  });
  const { user, system } = process.cpuUsage(before);
  return { ok, dropped, failed, cpuMs: (user + system) / 1000, ...(firstRefusal && { firstRefusal }) };
}

// The terminal sends Ctrl-C to this process, too; the parent decides.
process.on('SIGINT', () => {});
process.on('message', (task: LoadTask) => {
  run(task).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      throw error;
    },
  );
});
process.on('disconnect', () => process.exit());
