/** Requirements by kind of stage: a model needs an accuracy, a stage without code needs profiles. */
import { isMalformed, type SpecDraft, type StageDraft, type VariantDraft, wellFormedEntries } from '../draft.js';
import { fieldDefaults } from '../field-defaults.js';
import type { Finding, ValuePath } from '../problem.js';

export function checkVariants(spec: SpecDraft): Finding[] {
  const findings: (Finding | undefined)[] = [];
  for (const [index, stage] of wellFormedEntries(spec.stages)) {
    for (const [position, variant] of wellFormedEntries(stage.variants)) {
      const path = ['spec', 'stages', index, 'variants', position];
      findings.push(checkAccuracy(stage, variant, path), checkCode(stage, variant, path));
    }
  }
  return findings.filter((finding) => finding !== undefined);
}

function checkAccuracy(stage: StageDraft, variant: VariantDraft, path: ValuePath): Finding | undefined {
  if (isMalformed(stage, 'kind')) return undefined;
  const isModel = (stage.kind ?? fieldDefaults.stageKind) === 'model';
  const hasAccuracy = Object.hasOwn(variant, 'accuracy');
  if (isModel === hasAccuracy) return undefined;
  const message = isModel
    ? 'missing field "accuracy", expected {value, metric} on a variant of a model (plain code is kind: transform)'
    : 'expected no accuracy on a variant of a transform, which counts 1';
  return { path: [...path, 'accuracy'], message };
}

function checkCode(stage: StageDraft, variant: VariantDraft, path: ValuePath): Finding | undefined {
  if (Object.hasOwn(stage, 'module') || Object.hasOwn(variant, 'profile') || Object.hasOwn(variant, 'server')) {
    return undefined;
  }
  const message = 'expected a module on the stage, or a server or a profile on the variant, found none of them';
  return { path, message };
}
