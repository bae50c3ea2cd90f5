/**
 * Seldon Core 2: a Pipeline whose steps are Models, and an Experiment that gives the Pipeline of a canary its share.
 * Requests name the pipeline by the header `seldon-model: NAME.pipeline`.
 */
import type { EdgeSpec, PipelineSpec, StageId } from '@equipoise/core/model';
import type { KubeObject } from '../../api/kube-object.js';
import { labelsOf, objectName } from '../../cluster/object-names.js';
import { simpleCondition } from './engine-conditions.js';

const GROUP_VERSION = 'mlops.seldon.io/v1alpha1';

type JoinType = 'inner' | 'any';

interface PipelineStep {
  readonly name: string;
  readonly inputs?: readonly string[];
  readonly inputsJoinType?: JoinType;
  /** Gate the step, but are no input. */
  readonly triggers?: readonly string[];
  readonly joinWindowMs?: number;
  readonly tensorMap?: Readonly<Record<string, string>>;
}

/** The used part of a Pipeline. */
export interface SeldonPipeline extends KubeObject {
  readonly kind: 'Pipeline';
  readonly spec: {
    readonly steps: readonly PipelineStep[];
    readonly output: {
      readonly steps: readonly string[];
      readonly stepsJoin?: JoinType;
      readonly joinWindowMs?: number;
    };
  };
}

/** The used part of an Experiment. */
export interface SeldonExperiment extends KubeObject {
  readonly kind: 'Experiment';
  readonly spec: {
    readonly default: string;
    readonly resourceType: 'pipeline';
    readonly candidates: readonly { readonly name: string; readonly weight: number }[];
  };
}

const PERCENT = 100;

/** The pipeline of a plan; the spec has no limits of Seldon Core 2. */
export function seldonPipeline(
  spec: PipelineSpec,
  modelOf: (stage: StageId) => string,
  part: 'router' | 'next' = 'router',
): SeldonPipeline {
  const name = part === 'router' ? objectName(spec.name) : objectName(spec.name, 'next');
  return {
    apiVersion: GROUP_VERSION,
    kind: 'Pipeline',
    metadata: { name, labels: labelsOf(spec.name, { kind: part }) },
    spec: {
      steps: spec.stages.map(({ id }) => stepOf(id, { spec, modelOf, pipeline: name })),
      output: outputOf(spec, modelOf),
    },
  };
}

/** Weights of the serving pipeline and that of a canary. */
export function seldonExperiment(pipeline: string, fraction: number): SeldonExperiment {
  const [serving, next] = [objectName(pipeline), objectName(pipeline, 'next')];
  const weight = Math.round(PERCENT * fraction);
  return {
    apiVersion: GROUP_VERSION,
    kind: 'Experiment',
    metadata: { name: serving, labels: labelsOf(pipeline, { kind: 'next' }) },
    spec: {
      default: serving,
      resourceType: 'pipeline',
      candidates: [
        { name: serving, weight: PERCENT - weight },
        { name: next, weight },
      ],
    },
  };
}

/** Fraction of the requests that an Experiment gives to a canary. */
export function experimentShare({ spec: { candidates } }: Pick<SeldonExperiment, 'spec'>): number {
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  const next = candidates.slice(1).reduce((sum, { weight }) => sum + weight, 0);
  return total === 0 ? 0 : next / total;
}

interface StepInput {
  readonly spec: PipelineSpec;
  readonly modelOf: (stage: StageId) => string;
  readonly pipeline: string;
}

function stepOf(id: StageId, { spec, modelOf, pipeline }: StepInput): PipelineStep {
  const edges = spec.edges.filter(({ to }) => to === id);
  const name = modelOf(id);
  if (edges.length === 0) return { name };
  const found = edges.map((edge) => referencesOf(edge, modelOf(edge.from), pipeline));
  const references = found.flatMap((each) => each.references);
  const triggers = [...new Set(found.flatMap((each) => each.triggers))];
  const tensorMap = Object.fromEntries(
    references.flatMap(({ reference, as }) => (as === undefined ? [] : [[reference, as] as const])),
  );
  const inputs = [...new Set(references.map(({ reference }) => reference))];
  return {
    name,
    inputs,
    ...(inputs.length > 1 && {
      inputsJoinType: edges.some(({ join }) => join === 'any') ? 'any' : 'inner',
      // Parts that are further apart than the SLO cannot be in time.
      joinWindowMs: Math.ceil(spec.slo.latencyMs),
    }),
    ...(triggers.length > 0 && { triggers }),
    ...(Object.keys(tensorMap).length > 0 && { tensorMap }),
  };
}

interface References {
  readonly references: readonly { readonly reference: string; readonly as?: string }[];
  readonly triggers: readonly string[];
}

/** References of an edge to tensors; `as`: another name of the tensor. */
function referencesOf({ inputs = [], when }: EdgeSpec, from: string, pipeline: string): References {
  const condition = when && simpleCondition(when.condition, undefined);
  const named = inputs.flatMap((input) => {
    const [reference, own] =
      'output' in input
        ? [`${from}.outputs.${input.output}`, input.output]
        : 'source' in input
          ? [`${pipeline}.inputs.${input.source}`, input.source]
          : [undefined, undefined];
    if (reference === undefined) return [];
    return [{ reference, ...(own !== input.name && { as: input.name }) }];
  });
  const gate = condition?.kind === 'has' ? `${from}.outputs.${condition.tensor}` : undefined;
  if (named.length === 0) return { references: [{ reference: gate ?? `${from}.outputs` }], triggers: [] };
  const isGated = gate === undefined || named.some(({ reference }) => reference === gate);
  return { references: named, triggers: isGated ? [] : [gate] };
}

function outputOf(spec: PipelineSpec, modelOf: StepInput['modelOf']): SeldonPipeline['spec']['output'] {
  const { outputs, slo } = spec;
  const steps = outputs.flatMap(({ from, tensors }) =>
    tensors === undefined
      ? [`${modelOf(from)}.outputs`]
      : tensors.map((tensor) => `${modelOf(from)}.outputs.${tensor}`),
  );
  if (steps.length < 2) return { steps };
  return { steps, stepsJoin: outputsJoin(spec) ?? 'inner', joinWindowMs: Math.ceil(slo.latencyMs) };
}

/**
 * Join of the outputs: `inner` if no condition decides about them, `any` if each is behind another condition of one stage,
 * which takes one of its branches. Undefined for other conditions: the engine would lose an output, or wait for it.
 */
export function outputsJoin({ outputs, edges }: Pick<PipelineSpec, 'outputs' | 'edges'>): JoinType | undefined {
  const stages = [...new Set(outputs.map(({ from }) => from))];
  const conditional = edges.filter(({ when }) => when !== undefined);
  const behind = conditional.map(({ from, to }) => ({ from, reached: reachedFrom(to, edges) }));
  const decided = behind.filter(({ reached }) => stages.some((id) => reached.has(id)));
  if (decided.length === 0) return 'inner';
  const deciding = new Set(decided.map(({ from }) => from));
  const isOneEach =
    deciding.size === 1 &&
    stages.every((id) => decided.filter(({ reached }) => reached.has(id)).length === 1) &&
    decided.every(({ reached }) => stages.filter((id) => reached.has(id)).length === 1);
  return isOneEach ? 'any' : undefined;
}

/** The stage and all after it. */
function reachedFrom(stage: StageId, edges: readonly EdgeSpec[]): ReadonlySet<StageId> {
  const reached = new Set([stage]);
  for (const id of reached) for (const { from, to } of edges) if (from === id) reached.add(to);
  return reached;
}
