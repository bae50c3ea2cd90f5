/**
 * How long the threads of this process ran and how long they were ready to run but had to wait for their core, by the kernel's own count
 * (/proc/self/task/ID/schedstat). Where the pinned threads are alone on their core they wait for nobody, so waiting tells of other work.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { REPLICA_CORE } from './pinning.js';

const NS_PER_MS = 1e6;

/** Of all threads on one core, in ms. */
export interface CoreTimes {
  readonly runMs: number;
  readonly waitMs: number;
}

/** By what the core is for. */
export interface ThreadTimes {
  readonly server: CoreTimes;
  readonly replicas: CoreTimes;
}

/** Since the threads that live now were started. */
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

/** What passed between two instants; the same threads lived at both. */
export function timesBetween(before: ThreadTimes, after: ThreadTimes): ThreadTimes {
  const less = (to: CoreTimes, from: CoreTimes) => ({
    runMs: to.runMs - from.runMs,
    waitMs: to.waitMs - from.waitMs,
  });
  return { server: less(after.server, before.server), replicas: less(after.replicas, before.replicas) };
}

const allowedCores = (id: string): string | undefined =>
  /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync(`/proc/self/task/${id}/status`, 'utf8'))?.[1];
