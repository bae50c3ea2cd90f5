/** Which launcher starts a stage: one with a module gets threads, one without is synthetic. */
import type { ReplicaLauncher } from '@equipoise/core';

/** The launchers to choose from. */
export interface Launchers {
  readonly thread: ReplicaLauncher;
  readonly synthetic: ReplicaLauncher;
}

/** A launcher for stages of both kinds. */
export const launcherFor = ({ thread, synthetic }: Launchers): ReplicaLauncher => ({
  launch: (request) => (request.stage.module === undefined ? synthetic : thread).launch(request),
});
