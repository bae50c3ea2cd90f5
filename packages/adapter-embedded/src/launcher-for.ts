/** Which launcher starts a stage: one without a module is synthetic, one in Python or that asks for it has processes, all others threads. */
import type { ReplicaLauncher, StageSpec } from '@equipoise/core';
import { isPython } from './stage-module/stage-module-loader.js';

/** The launchers to choose from. */
export interface Launchers {
  readonly thread: ReplicaLauncher;
  readonly process: ReplicaLauncher;
  readonly python: ReplicaLauncher;
  readonly synthetic: ReplicaLauncher;
}

const kindOf = ({ module, isolation }: StageSpec): keyof Launchers => {
  if (module === undefined) return 'synthetic';
  if (isPython(module)) return 'python';
  return isolation ?? 'thread';
};

/** A launcher for stages of every kind. */
export const launcherFor = (launchers: Launchers): ReplicaLauncher => ({
  launch: (request) => launchers[kindOf(request.stage)].launch(request),
});
