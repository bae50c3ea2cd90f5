/**
 * Run and wait times of this process's threads from /proc/self/task/ID/schedstat. Pinned threads are alone on their
 * core, so waiting shows other work.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { REPLICA_CORE } from './pinning.js';

const NS_PER_MS = 1e6;

/** All threads of one core, in ms. */
export interface CoreTimes {
  readonly runMs: number;
  readonly waitMs: number;
}

export interface ThreadTimes {
  readonly server: CoreTimes;
  readonly replicas: CoreTimes;
}

/** Times since the start of the living threads. */
export function threadTimes(): ThreadTimes {
  const server = { runMs: 0, waitMs: 0 };
  const replicas = { runMs: 0, waitMs: 0 };
  for (const id of readdirSync('/proc/self/task')) {
    const of = allowedCores(id) === String(REPLICA_CORE) ? replicas : server;
    const [runNs = 0, waitNs = 0] = readFileSync(`/proc/self/task/${id}/schedstat`, 'utf8').split(' ').map(Number);
    of.runMs += runNs / NS_PER_MS;
    of.waitMs += waitNs / NS_PER_MS;
  }
  return { server, replicas };
}

/** Difference of two instants with the same threads. */
export function timesBetween(before: ThreadTimes, after: ThreadTimes): ThreadTimes {
  const less = (to: CoreTimes, from: CoreTimes) => ({
    runMs: to.runMs - from.runMs,
    waitMs: to.waitMs - from.waitMs,
  });
  return { server: less(after.server, before.server), replicas: less(after.replicas, before.replicas) };
}

const allowedCores = (id: string): string | undefined =>
  /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync(`/proc/self/task/${id}/status`, 'utf8'))?.[1];
