/** Measures profiles. It is separate from `profilesFor`, because commands that only plan need no launchers. */
import type { PipelineSpec, StageId } from '@equipoise/core/model';
import { BusyNeighbours, type PipelineProfile, profilePipeline } from '@equipoise/runtime';
import { ProfileCache } from '@equipoise/runtime/profiles';
import { progressDisplay } from '../terminal/progress.js';
import { beforeEndedBySignal } from '../terminal/stop-signal.js';
import { requireArtifacts, stageRules } from './artifacts.js';
import { embeddedLauncher } from './embedded-launcher.js';

/** `renew`: measure fresh profiles again. */
interface MeasureOptions {
  readonly quick: boolean;
  readonly stageId?: StageId;
  readonly renew?: boolean;
  /** Called before a signal ends the process; measured points are saved. */
  readonly onInterrupt?: () => void;
}

/** Measures and caches missing and stale profiles, with a progress bar. */
export async function measureProfile(spec: PipelineSpec, options: MeasureOptions): Promise<PipelineProfile> {
  await requireArtifacts(spec);
  const display = progressDisplay('profiling');
  const forget = beforeEndedBySignal(() => {
    display.stop();
    options.onInterrupt?.();
  });
  try {
    return await profilePipeline({
      spec,
      launcher: embeddedLauncher(spec),
      options,
      clock: { nowMs: () => performance.now() },
      rules: stageRules,
      cache: ProfileCache.of(spec),
      neighbours: new BusyNeighbours(),
      onProgress: (progress) => display.show(progress),
    });
  } finally {
    forget();
    display.stop();
  }
}
