/**
 * Which core a thread runs on. A replica is a thread of the server's process; its kernel id is the one that appears in /proc/self/task
 * while it starts. Threads that it starts itself inherit its core.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { ReplicaLauncher } from '@equipoise/core/ports';

const SERVER_CORE = 0;
/** The core of the replicas. */
export const REPLICA_CORE = 1;

const threadIds = (): readonly number[] => readdirSync('/proc/self/task').map(Number);

function pin(core: number, ids: readonly number[]): void {
  for (const id of ids) execFileSync('taskset', ['-pc', String(core), String(id)], { stdio: 'ignore' });
}

/** Puts this process on the server's core and the threads of Node's pool, which decode images, on that of the replicas. */
export function pinServer(): void {
  const { poolThreadIds } = globalThis as { readonly poolThreadIds?: readonly number[] };
  if (poolThreadIds === undefined || poolThreadIds.length === 0)
    throw new Error('start the server with --require pool-threads.cjs');
  pin(SERVER_CORE, threadIds());
  pin(REPLICA_CORE, poolThreadIds);
}

/** A launcher whose replicas run on their core from the moment they are ready. */
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
