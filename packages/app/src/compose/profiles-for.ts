/** The profiles that plans are made from: those kept on this machine; inline ones of the pipeline file need no keeping. */
import type { PipelineSpec, ProfileSet } from '@equipoise/core';
import { keptProfile, ProfileCache } from '@equipoise/runtime';
import pc from 'picocolors';

/** The kept profiles; what is stale is used with a warning that names the command which renews it. */
export function profilesFor(spec: PipelineSpec, file: string): ProfileSet {
  const kept = keptProfile(spec, ProfileCache.of(spec));
  const notes = [
    ...kept.warnings,
    ...(kept.kind === 'stale' ? kept.reasons.map((reason) => `stale profile: ${reason}`) : []),
  ];
  for (const note of notes)
    process.stderr.write(`${pc.yellow('warning')} ${note}; \`equipoise profile ${file}\` renews it\n`);
  return kept.profile.variants;
}
