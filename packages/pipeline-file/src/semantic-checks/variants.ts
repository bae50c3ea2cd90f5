/** A model needs an accuracy. Without a module, a variant needs a profile or a server. */
import { isMalformed, type SpecDraft, type StageDraft, type VariantDraft, wellFormedEntries } from '../draft.js';
import { fieldDefaults } from '../field-defaults.js';
import type { Finding, ValuePath } from '../problem.js';

export function checkVariants(spec: SpecDraft): Finding[] {
  const findings: (Finding | undefined)[] = [];
  for (const [index, stage] of wellFormedEntries(spec.stages)) {
    if (Object.hasOwn(stage, 'combine')) continue;
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

const onCode = ['isolation', 'python'] as const;

/** Only stages with code have an isolation. Python stages run in processes. */
export function checkReplicas(spec: SpecDraft): Finding[] {
  return [...wellFormedEntries(spec.stages)].flatMap(([index, stage]) => [
    ...checkStage(stage, ['spec', 'stages', index]),
  ]);
}

function* checkStage(stage: StageDraft, path: ValuePath): Generator<Finding> {
  if (isMalformed(stage, 'module') || Object.hasOwn(stage, 'combine')) return;
  const { module, isolation } = stage;
  if (module === undefined) {
    yield* checkStageWithoutCode(stage, path);
    return;
  }
  if (!module.endsWith('.py')) {
    const message = `expected no python on a stage whose module is not in Python, found the module "${module}"`;
    if (Object.hasOwn(stage, 'python')) yield { path: [...path, 'python'], message };
  } else if (isolation === 'thread') {
    const message = 'expected "process" or nothing: a module in Python runs in processes of its own, found "thread"';
    yield { path: [...path, 'isolation'], message };
  }
}

function* checkStageWithoutCode(stage: StageDraft, path: ValuePath): Generator<Finding> {
  const hasServer = stage.variants?.some((variant) => variant?.server !== undefined) === true;
  const kind = hasServer ? '' : ', which is synthetic';
  for (const field of hasServer ? onCode : ([...onCode, 'runTimeoutMs'] as const)) {
    const message = `expected no ${field} on a stage without a module${kind}`;
    if (Object.hasOwn(stage, field)) yield { path: [...path, field], message };
  }
}
