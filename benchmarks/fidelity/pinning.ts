/**
 * Core pinning. A replica is a thread of the server process, whose kernel id appears in /proc/self/task during the
 * start. Threads that a replica starts inherit its core.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { ReplicaLauncher } from '@equipoise/core/ports';

const SERVER_CORE = 0;
export const REPLICA_CORE = 1;

const threadIds = (): readonly number[] => readdirSync('/proc/self/task').map(Number);

function pin(core: number, ids: readonly number[]): void {
  for (const id of ids) execFileSync('taskset', ['-pc', String(core), String(id)], { stdio: 'ignore' });
}

/** Pins this process to the server's core, and Node's pool threads (image decoding) to the replicas' core. */
export function pinServer(): void {
  const { poolThreadIds } = globalThis as { readonly poolThreadIds?: readonly number[] };
  if (poolThreadIds === undefined || poolThreadIds.length === 0)
    throw new Error('start the server with --require pool-threads.cjs');
  pin(SERVER_CORE, threadIds());
  pin(REPLICA_CORE, poolThreadIds);
}

/** Launcher that pins replicas once they are ready. */
export function pinned(launcher: ReplicaLauncher): ReplicaLauncher {
  return {
    launch: async (request) => {
      const before = new Set(threadIds());
      const launched = await launcher.launch(request);
      pin(
        REPLICA_CORE,
        threadIds().filter((id) => !before.has(id)),
      );
      return launched;
    },
  };
}
