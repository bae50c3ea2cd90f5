/** Remote artifacts of this process, in one cache. */
import { join } from 'node:path';
import { ArtifactCache, isAddress } from '@equipoise/adapter-artifacts';
import { launchRules } from '@equipoise/adapter-embedded/launch-rules';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { cacheFolder } from '../cache-folder.js';
import { warn } from '../terminal/log.js';
import type { ProgressDisplay } from '../terminal/progress.js';

const MIB = 2 ** 20;
let display: ProgressDisplay | undefined;
let fetchedSinceMs = 0;

export const artifactCache = new ArtifactCache({
  folder: join(cacheFolder(process.env), 'artifacts'),
  environment: process.env,
  onWarning: warn,
  onProgress: (reference, { doneBytes, totalBytes = Number.NaN }) => {
    const etaMs = ((performance.now() - fetchedSinceMs) * (totalBytes - doneBytes)) / doneBytes;
    const units = { doneUnits: doneBytes / MIB, totalUnits: (totalBytes || doneBytes) / MIB };
    display?.show({ ...units, etaMs, label: `MiB of ${reference}` });
  },
});

export const stageRules: typeof launchRules = {
  ...launchRules,
  locate: (reference: string, baseDir: string): string | undefined =>
    isAddress(reference) ? artifactCache.keptPath(reference) : launchRules.locate(reference, baseDir),
};

/** Fetches artifacts with a progress bar; rejects with the first failure. */
export async function requireArtifacts(spec: PipelineSpec): Promise<void> {
  const [missing] = await fetchArtifacts(spec);
  if (missing !== undefined) throw missing;
}

/** Fetches artifacts early. Failures are warnings, because a start requests missing artifacts again. */
export async function fetchArtifactsAhead(spec: PipelineSpec): Promise<void> {
  for (const { message } of await fetchArtifacts(spec)) warn(message);
}

/** Fetches artifacts one by one; failures are in stage order. */
async function fetchArtifacts({ stages }: PipelineSpec): Promise<readonly AppError[]> {
  const { progressDisplay } = await import('../terminal/progress.js');
  const failures: AppError[] = [];
  for (const { artifact, artifactSha256 } of stages.flatMap(({ variants }) => variants)) {
    if (artifact === undefined || !isAddress(artifact)) continue;
    fetchedSinceMs = performance.now();
    display = progressDisplay('fetching');
    try {
      await artifactCache.path(artifact, artifactSha256);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      failures.push(error);
    } finally {
      display.stop();
      display = undefined;
    }
  }
  return failures;
}
