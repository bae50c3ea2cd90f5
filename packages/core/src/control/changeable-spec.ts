/**
 * Fields of a pipeline that may change while it is served: inputs and bounds of plans, loop settings, and admission.
 * All other fields need a restart.
 */
import type { PipelineSpec, StageSpec } from '../model/pipeline-spec.js';

const CHANGEABLE: ReadonlySet<string> = new Set([
  'budget',
  'prices',
  'objective',
  'robustness',
  'nodes',
  'copies',
  'routers',
  'accuracyTable',
  'control',
  'admission',
] satisfies (keyof PipelineSpec)[]);
const CHANGEABLE_OF_STAGE: ReadonlySet<string> = new Set(['bounds', 'pins', 'networkMs'] satisfies (keyof StageSpec)[]);

/** Fields that need a restart and differ between the served and the wanted spec. */
export function needsRestart(served: PipelineSpec, wanted: PipelineSpec): readonly string[] {
  const { slo, stages, ...rest } = served;
  const { slo: wantedSlo, stages: wantedStages, ...wantedRest } = wanted;
  return [
    ...(slo.percentile === wantedSlo.percentile ? [] : ['slo.percentile']),
    ...differing(rest, wantedRest, CHANGEABLE),
    ...stageDifferences(stages, wantedStages),
  ];
}

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

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
