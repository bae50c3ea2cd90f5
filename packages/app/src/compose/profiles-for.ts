import { AppError, type PipelineSpec, type ProfileSet } from '@equipoise/core/model';
import { scaleProfile } from '@equipoise/core/plan';
import { type CachedProfile, cachedProfile, ProfileCache, type VariantVerdict } from '@equipoise/runtime/profiles';
import { warn } from '../terminal/log.js';
import { doubtText } from '../terminal/plan-table.js';
import { stageRules } from './artifacts.js';

/**
 * Cached profiles, with a warning for stale ones. Profiles of another processor are scaled by `scale` (times here ÷
 * there) and marked; without `scale`, throws PROFILE_INVALID.
 */
export function profilesFor(spec: PipelineSpec, file: string, scale?: number): ProfileSet {
  const kept = cachedProfile(spec, ProfileCache.of(spec), { rules: stageRules });
  const foreign = foreignVariants(kept);
  if (foreign.size > 0 && scale === undefined) throw foreignError(file, [...foreign.values()]);
  if (foreign.size === 0 && scale !== undefined) {
    const message = 'No cached profile is of another machine, so there is nothing to scale; omit --profile-scale.';
    throw new AppError('WRONG_USAGE', message);
  }
  const stale = kept.kind === 'stale' ? kept.reasons.map((reason) => `stale profile: ${reason}`) : [];
  for (const note of [...kept.warnings, ...stale]) warn(`${note}; \`equipoise profile ${file}\` renews it`);
  if (foreign.size > 0) warn(`profiles of another machine are used with times multiplied by ${scale}`);
  const doubt = doubtText(kept.profile.variants);
  if (doubt !== undefined)
    warn(
      `${doubt}; \`equipoise profile ${file} --force\` measures longer, \`robustness.serviceFactor\` in the file plans for longer times`,
    );
  return kept.profile.variants.map((profile) => {
    const measuredOn = foreign.get(profile);
    return scale === undefined || measuredOn === undefined
      ? profile
      : scaleProfile(profile, { factor: scale, measuredOn });
  });
}

function foreignVariants({ variants, profile: { machine } }: CachedProfile): ReadonlyMap<ForeignProfile, string> {
  return new Map(
    variants.flatMap((verdict) => {
      if (verdict.kind !== 'stale') return [];
      const there = verdict.profile.identity.machine;
      const same =
        there.cpuModel === machine.cpuModel && there.platform === machine.platform && there.arch === machine.arch;
      return same ? [] : [[verdict.profile, there.cpuModel] as const];
    }),
  );
}

type ForeignProfile = Exclude<VariantVerdict, { readonly kind: 'missing' }>['profile'];

function foreignError(file: string, machines: readonly string[]): AppError {
  const names = [...new Set(machines)];
  const message = `The cached profile is of another machine (${names.join(', ')}). \`equipoise profile ${file}\` measures this one; --profile-scale FACTOR converts it if you know how much longer a batch takes here (1.4: 40 % longer).`;
  return new AppError('PROFILE_INVALID', message, { details: { machines: names } });
}
