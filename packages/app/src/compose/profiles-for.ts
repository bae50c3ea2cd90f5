/** The profiles that plans are made from: those kept on this machine; inline ones of the pipeline file need no keeping. */
import { AppError, type PipelineSpec, type ProfileSet } from '@equipoise/core';
import { type KeptProfile, keptProfile, ProfileCache } from '@equipoise/runtime';
import pc from 'picocolors';

/**
 * The kept profiles. What is stale is used with a warning that names the command which renews it; what another processor measured is
 * refused with AppError PROFILE_INVALID, because its times say nothing about this one.
 */
export function profilesFor(spec: PipelineSpec, file: string): ProfileSet {
  const kept = keptProfile(spec, ProfileCache.of(spec));
  const foreign = foreignVariants(kept);
  if (foreign.length > 0) {
    const message = `The kept profile is of another machine (${foreign.join(', ')}); \`equipoise profile ${file}\` measures this one.`;
    throw new AppError('PROFILE_INVALID', message, { details: { variants: foreign } });
  }
  const stale = kept.kind === 'stale' ? kept.reasons.map((reason) => `stale profile: ${reason}`) : [];
  for (const note of [...kept.warnings, ...stale]) {
    process.stderr.write(`${pc.yellow('warning')} ${note}; \`equipoise profile ${file}\` renews it\n`);
  }
  return kept.profile.variants;
}

function foreignVariants({ variants, profile }: KeptProfile): readonly string[] {
  const { cpuModel, platform, arch } = profile.machine;
  return variants.flatMap((verdict) => {
    if (verdict.kind !== 'stale') return [];
    const { machine } = verdict.profile.identity;
    const same = machine.cpuModel === cpuModel && machine.platform === platform && machine.arch === arch;
    return same ? [] : [`${verdict.grid.stage.id}/${verdict.grid.variant.id} by ${machine.cpuModel}`];
  });
}
