import { afterEach, expect, it } from 'vitest';
import { BusyNeighbours } from './busy-neighbours.js';

const neighbours = new BusyNeighbours();

afterEach(() => neighbours.keepBusy(0));

/** CPU time (ms) that this process uses while `ms` pass. */
async function cpuMsDuring(ms: number): Promise<number> {
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

it('computes while asked to, and stops when told', async () => {
  await neighbours.keepBusy(1);
  const busyMs = await cpuMsDuring(300);
  await neighbours.keepBusy(0);
  const idleMs = await cpuMsDuring(300);
  expect(busyMs).toBeGreaterThan(2 * idleMs);
  expect(busyMs).toBeGreaterThan(30);
});
