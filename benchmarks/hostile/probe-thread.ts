/** Probes both ports of a server until a message comes. In a thread, so that other work of the process delays none. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { probeMs, type ServedPipeline } from './served-pipeline.js';

const PROBE_EVERY_MS = 100;

/** Worst times (ms) of the probes, their number, and the worst delay of the thread itself. */
export interface ProbeFigures {
  readonly livezMs: number;
  readonly healthMs: number;
  readonly probes: number;
  readonly ownDelayMs: number;
}

const server = workerData as Pick<ServedPipeline, 'isSecure' | 'ports'>;
const delays = monitorEventLoopDelay({ resolution: 5 });
delays.enable();
const waiting = new Set<Promise<void>>();
const worstMs = { rest: 0, health: 0 };
let probes = 0;

function probe(port: 'rest' | 'health'): void {
  const done = probeMs(server, port).then((ms) => {
    probes++;
    worstMs[port] = Math.max(worstMs[port], ms);
    waiting.delete(done);
  });
  waiting.add(done);
}

const timers = [setInterval(() => probe('rest'), PROBE_EVERY_MS), setInterval(() => probe('health'), PROBE_EVERY_MS)];
parentPort?.once('message', async () => {
  for (const timer of timers) clearInterval(timer);
  await Promise.all(waiting);
  const { rest: livezMs, health: healthMs } = worstMs;
  parentPort?.postMessage({ livezMs, healthMs, probes, ownDelayMs: delays.max / 1e6 } satisfies ProbeFigures);
});
