import { afterEach, expect, it } from 'vitest';
import { BusyNeighbours } from './busy-neighbours.js';

const neighbours = new BusyNeighbours();

afterEach(() => neighbours.keepBusy(0));

const COMPUTED_MS = 100;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** CPU time (ms) that this process has used since `before`. */
function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

it('computes while asked to, and stops when told', async () => {
  await neighbours.keepBusy(1);
  const busySince = process.cpuUsage();
  const startedAtMs = performance.now();
  while (cpuMsSince(busySince) < COMPUTED_MS) await sleep(10);
  const elapsedMs = performance.now() - startedAtMs;
  await neighbours.keepBusy(0);
  // Holds on a busy machine, too: in equal time, a thread that still ran would use equal CPU time.
  const idleSince = process.cpuUsage();
  await sleep(elapsedMs);
  expect(cpuMsSince(idleSince)).toBeLessThan(COMPUTED_MS / 2);
});
