/**
 * Which launcher starts a variant: one with a server is that server, one of a stage without a module is synthetic, one in Python or that
 * asks for it has processes, all others threads.
 */
import type { LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { isPython } from './stage-module/stage-module-loader.js';

/** The launchers to choose from. */
export interface Launchers {
  readonly thread: ReplicaLauncher;
  readonly process: ReplicaLauncher;
  readonly python: ReplicaLauncher;
  readonly synthetic: ReplicaLauncher;
  /** Servers that run already, and those that are started. */
  readonly remote: ReplicaLauncher;
  readonly command: ReplicaLauncher;
}

const kindOf = ({ stage: { module, isolation }, variant: { server } }: LaunchRequest): keyof Launchers => {
  if (server !== undefined) return server.command === undefined ? 'remote' : 'command';
  if (module === undefined) return 'synthetic';
  if (isPython(module)) return 'python';
  return isolation ?? 'thread';
};

/** A launcher for stages of every kind. */
export const launcherFor = (launchers: Launchers): ReplicaLauncher => ({
  launch: (request) => launchers[kindOf(request)].launch(request),
});
