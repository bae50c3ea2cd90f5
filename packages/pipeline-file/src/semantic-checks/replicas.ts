import { isMalformed, type SpecDraft, type StageDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';

/** Fields that concern code in Equipoise's own replicas. */
const onCode = ['isolation', 'python'] as const;

/** Finds replica fields that do not apply: only code is isolated, and Python always is. */
export function checkReplicas(spec: SpecDraft): Finding[] {
  return [...wellFormedEntries(spec.stages)].flatMap(([index, stage]) => [
    ...checkStage(stage, ['spec', 'stages', index]),
  ]);
}

function* checkStage(stage: StageDraft, path: ValuePath): Generator<Finding> {
  if (isMalformed(stage, 'module')) return;
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
