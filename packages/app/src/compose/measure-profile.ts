/** Measures what is not known of a pipeline yet, with a progress bar; what is kept and fresh is taken as it is. */
import type { PipelineSpec, StageId } from '@equipoise/core/model';
import { BusyNeighbours, type PipelineProfile, ProfileCache, profilePipeline } from '@equipoise/runtime';
import { progressDisplay } from '../terminal/progress.js';
import { beforeEndedBySignal } from '../terminal/stop-signal.js';
import { requireArtifacts, stageRules } from './artifacts.js';
import { embeddedLauncher } from './embedded-launcher.js';

/** How to measure: `renew` measures again what is still fresh. */
export interface MeasureOptions {
  readonly quick: boolean;
  readonly stageId?: StageId;
  readonly renew?: boolean;
  /** Called before a signal ends the process; what is measured until then is kept. */
  readonly onInterrupt?: () => void;
}

/** Profiles the pipeline and keeps the result. */
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
