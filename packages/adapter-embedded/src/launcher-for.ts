/**
 * Launcher of a variant: a client for a `server`, synthetic replicas without a module, processes for Python or
 * `isolation: process`, else threads. A thread cannot be ended from outside, so a stage of which some threads hang has
 * its further replicas as processes.
 */
import type { StageId } from '@equipoise/core/model';
import type { LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { isPython } from './stage-module/stage-module-loader.js';
import type { ThreadReplicaLauncher } from './thread/thread-replica-launcher.js';

export interface Launchers {
  readonly thread: ReplicaLauncher & Pick<ThreadReplicaLauncher, 'stuckThreads'>;
  readonly process: ReplicaLauncher;
  readonly python: ReplicaLauncher;
  readonly synthetic: ReplicaLauncher;
  readonly remote: ReplicaLauncher;
  readonly command: ReplicaLauncher;
}

const MOST_STUCK_THREADS = 4;

const kindOf = (
  { stage: { id, module, isolation }, variant: { server } }: LaunchRequest,
  stuckThreads: (stage: StageId) => number,
): keyof Launchers => {
  if (server !== undefined) return server.command === undefined ? 'remote' : 'command';
  if (module === undefined) return 'synthetic';
  if (isPython(module)) return 'python';
  return isolation === 'process' || stuckThreads(id) >= MOST_STUCK_THREADS ? 'process' : 'thread';
};

export const launcherFor = (launchers: Launchers): ReplicaLauncher => ({
  launch: (request) => launchers[kindOf(request, (stage) => launchers.thread.stuckThreads(stage))].launch(request),
});
