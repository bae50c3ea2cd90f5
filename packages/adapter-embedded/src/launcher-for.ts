/**
 * Launcher of a variant: a client for a `server`, synthetic replicas without a module, processes for Python or
 * `isolation: process`, else threads.
 */
import type { LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { isPython } from './stage-module/stage-module-loader.js';

export interface Launchers {
  readonly thread: ReplicaLauncher;
  readonly process: ReplicaLauncher;
  readonly python: ReplicaLauncher;
  readonly synthetic: ReplicaLauncher;
  readonly remote: ReplicaLauncher;
  readonly command: ReplicaLauncher;
}

const kindOf = ({ stage: { module, isolation }, variant: { server } }: LaunchRequest): keyof Launchers => {
  if (server !== undefined) return server.command === undefined ? 'remote' : 'command';
  if (module === undefined) return 'synthetic';
  if (isPython(module)) return 'python';
  return isolation ?? 'thread';
};

export const launcherFor = (launchers: Launchers): ReplicaLauncher => ({
  launch: (request) => launchers[kindOf(request)].launch(request),
});
