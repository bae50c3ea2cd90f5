/** Artifacts that lie elsewhere: one cache for all of this process, and what finds files in it. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ArtifactCache, isAddress } from '@equipoise/adapter-artifacts';
import { launchRules } from '@equipoise/adapter-embedded';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import pc from 'picocolors';
import { progressDisplay } from '../terminal/progress.js';

/** Where artifacts are kept: EQUIPOISE_CACHE_DIR, else the user's folder for caches. */
function artifactFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const own = environment['EQUIPOISE_CACHE_DIR'];
  const root = own || join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'equipoise');
  return join(root, 'artifacts');
}

const warn = (message: string): void => {
  process.stderr.write(`${pc.yellow('warning')} ${message}\n`);
};

const MIB = 2 ** 20;
let display: ReturnType<typeof progressDisplay> | undefined;
let fetchedSinceMs = 0;

/** The artifacts of this process. */
export const artifactCache = new ArtifactCache({
  folder: artifactFolder(process.env),
  environment: process.env,
  onWarning: warn,
  onProgress: (reference, { doneBytes, totalBytes = Number.NaN }) => {
    const etaMs = ((performance.now() - fetchedSinceMs) * (totalBytes - doneBytes)) / doneBytes;
    const units = { doneUnits: doneBytes / MIB, totalUnits: (totalBytes || doneBytes) / MIB };
    display?.show({ ...units, etaMs, label: `MiB of ${reference}` });
  },
});

/** How the launchers of this process find files and run stages. */
export const stageRules: typeof launchRules = {
  ...launchRules,
  locate: (reference: string, baseDir: string): string | undefined =>
    isAddress(reference) ? artifactCache.keptPath(reference) : launchRules.locate(reference, baseDir),
};

/** Fetches what is not here yet, with a progress bar. Rejects as `ArtifactCache.path` with what could not be had first. */
export async function requireArtifacts(spec: PipelineSpec): Promise<void> {
  const [missing] = await fetchArtifacts(spec);
  if (missing !== undefined) throw missing;
}

/** The same before a pipeline is served: what is missing may never be needed, and is asked for again when it is. */
export async function fetchArtifactsAhead(spec: PipelineSpec): Promise<void> {
  for (const { message } of await fetchArtifacts(spec)) warn(message);
}

/** One after the other; what could not be had is returned, in the order of the stages. */
async function fetchArtifacts({ stages }: PipelineSpec): Promise<readonly AppError[]> {
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
