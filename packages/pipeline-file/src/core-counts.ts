import { isMalformed, type VariantDraft } from './draft.js';
import { fieldDefaults } from './field-defaults.js';

/** Core counts are multiples of 0.05, which floats round. They are compared in hundredths. */

export const hundredthsOf = (cpuCores: number): number => Math.round(cpuCores * 100);

export const isSameCores = (a: number, b: number): boolean => hundredthsOf(a) === hundredthsOf(b);

/** Core counts that a variant allows, before bounds; undefined if malformed. */
export function offeredCores(variant: VariantDraft): number[] | undefined {
  const resources = variant.resources ?? {};
  if (isMalformed(variant, 'resources') || isMalformed(resources, 'cpuCores')) return undefined;
  const cores = resources.cpuCores ?? fieldDefaults.cpuCores;
  if (typeof cores === 'number') return [cores];
  const known = cores.filter((count) => count !== undefined);
  return known.length === cores.length ? known : undefined;
}
