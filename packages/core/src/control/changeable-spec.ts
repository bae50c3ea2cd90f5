/**
 * What of a pipeline may change while it is served: what plans are judged by and bound to, how the loop acts, and the bounds on what
 * waits. The rest is built into what runs (its graph, its code, its inputs) and takes a restart.
 */
import type { PipelineSpec, StageSpec } from '../model/pipeline-spec.js';

/** Fields that every plan is made from anew, and those that are asked for again whenever they matter. */
const CHANGEABLE: ReadonlySet<string> = new Set([
  'budget',
  'prices',
  'objective',
  'nodes',
  'accuracyTable',
  'control',
  'admission',
] satisfies (keyof PipelineSpec)[]);
const CHANGEABLE_OF_STAGE: ReadonlySet<string> = new Set(['bounds', 'pins'] satisfies (keyof StageSpec)[]);

/** Places of the pipeline file that differ between what is served and what is wanted and that take a restart; none where all may change now. */
export function needsRestart(served: PipelineSpec, wanted: PipelineSpec): readonly string[] {
  const { slo, stages, ...rest } = served;
  const { slo: wantedSlo, stages: wantedStages, ...wantedRest } = wanted;
  return [
    ...(slo.percentile === wantedSlo.percentile ? [] : ['slo.percentile']),
    ...differing(rest, wantedRest, CHANGEABLE),
    ...stageDifferences(stages, wantedStages),
  ];
}

/** Whether two descriptions say the same. */
export function isSameSpec(a: PipelineSpec, b: PipelineSpec): boolean {
  return isSame(a, b);
}

function stageDifferences(served: readonly StageSpec[], wanted: readonly StageSpec[]): readonly string[] {
  const names = (stages: readonly StageSpec[]) => stages.map(({ id }) => id);
  if (!isSame(names(served), names(wanted))) return ['stages'];
  return served.flatMap((stage, index) =>
    differing(stage, wanted[index] ?? {}, CHANGEABLE_OF_STAGE).map((field) => `stages.${stage.id}.${field}`),
  );
}

function differing(a: object, b: object, changeable: ReadonlySet<string>): readonly string[] {
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  return [...new Set([...left.keys(), ...right.keys()])].filter(
    (key) => !changeable.has(key) && !isSame(left.get(key), right.get(key)),
  );
}

/** Specs are plain data whose fields come in one order. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
