/** Bounds and pins must leave a choice of replicas, cores and batch sizes. */
import { isSameCores, offeredCores } from '../core-counts.js';
import { isMalformed, type SpecDraft, type StageDraft, wellFormedEntries } from '../draft.js';
import { fieldDefaults } from '../field-defaults.js';
import type { Finding, ValuePath } from '../problem.js';

export function checkBounds(spec: SpecDraft): Finding[] {
  return [...wellFormedEntries(spec.stages)].flatMap(([index, stage]) => {
    const path = ['spec', 'stages', index];
    return [...checkReplicas(stage, path), ...checkBatchSizes(stage, path), ...checkCores(stage, path)];
  });
}

function* checkReplicas({ bounds, pins }: StageDraft, path: ValuePath): Generator<Finding> {
  const replicas = bounds?.replicas ?? {};
  if (isMalformed(replicas, 'min') || isMalformed(replicas, 'max')) return;
  const { min = fieldDefaults.minReplicas, max = fieldDefaults.maxReplicas } = replicas;
  const pinned = pins?.replicas;
  if (min > max)
    yield {
      path: [...path, 'bounds', 'replicas', Object.hasOwn(replicas, 'max') ? 'max' : 'min'],
      message: `expected max replicas of at least min, found min ${min} and max ${max}`,
    };
  else if (pinned !== undefined && (pinned < min || pinned > max))
    yield {
      path: [...path, 'pins', 'replicas'],
      message: `expected a number from ${min} to ${max} as in bounds, found ${pinned}`,
    };
}

/** A pinned size must be within the bounds, and bounds must allow a profiled size. */
function* checkBatchSizes(stage: StageDraft, path: ValuePath): Generator<Finding> {
  const sizes = stage.bounds?.batchSizes;
  const pinned = stage.pins?.maxBatchSize;
  const allowed = pinned === undefined ? sizes : [pinned];
  if (allowed === undefined || sizes?.includes(undefined)) return;
  const at = [...path, ...(pinned === undefined ? ['bounds', 'batchSizes'] : ['pins', 'maxBatchSize'])];
  const profiled = profiledSizes(stage);
  const found = `found ${allowed.join(', ')}`;
  if (pinned !== undefined && sizes?.includes(pinned) === false)
    yield { path: at, message: `expected one of the batch sizes in bounds (${sizes.join(', ')}), ${found}` };
  else if (profiled.length > 0 && !allowed.some((size) => profiled.includes(size as number)))
    yield { path: at, message: `expected a batch size with a profile point (${profiled.join(', ')}), ${found}` };
}

/** Profiled batch sizes, ascending; empty if a profile is malformed or absent. */
function profiledSizes({ variants = [] }: StageDraft): readonly number[] {
  const points = variants.flatMap((variant) => variant?.profile ?? [undefined]);
  const sizes = points.map((point) => point?.batchSize).filter((size) => size !== undefined);
  return sizes.length < points.length ? [] : [...new Set(sizes)].sort((a, b) => a - b);
}

function* checkCores(stage: StageDraft, path: ValuePath): Generator<Finding> {
  const { bounds, variants } = stage;
  if ((bounds?.cpuCores ?? []).includes(undefined)) return;
  const choices: VariantCores[] = [];
  for (const [index, variant] of wellFormedEntries(variants)) {
    const offered = offeredCores(variant);
    if (offered === undefined) continue;
    const allowed = offered.filter((cores) => bounds?.cpuCores?.some((each) => isSameCores(each ?? 0, cores)) ?? true);
    choices.push({ variant: variant.name, allowed });
    if (allowed.length === 0)
      yield {
        path: [...path, 'variants', index],
        message: `expected a core count that bounds.cpuCores (${bounds?.cpuCores?.join(', ')}) allows, found ${offered.join(', ')}`,
      };
  }
  if (choices.length === variants?.length) yield* checkPinnedCores(stage, choices, [...path, 'pins', 'cpuCores']);
}

interface VariantCores {
  readonly variant: string | undefined;
  readonly allowed: readonly number[];
}

function* checkPinnedCores(
  { pins }: StageDraft,
  choices: readonly VariantCores[],
  path: ValuePath,
): Generator<Finding> {
  const pinned = pins?.cpuCores;
  const open = choices.filter(({ variant }) => pins?.variant === undefined || pins.variant === variant);
  const cores = [...new Set(open.flatMap(({ allowed }) => allowed))];
  if (pinned === undefined || cores.length === 0 || cores.some((each) => isSameCores(each, pinned))) return;
  const message = `expected a core count that the variants and bounds allow (${cores.join(', ')}), found ${pinned}`;
  yield { path, message };
}
