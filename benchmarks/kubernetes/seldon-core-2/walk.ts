/**
 * Walks a Pipeline of Seldon Core 2 as its documentation defines it (docs-gb/pipelines.md and
 * docs-gb/kubernetes/resources/pipeline.md of SeldonIO/seldon-core, branch v2): a step without inputs gets those of the
 * Pipeline; a reference is `<step or pipeline>.<inputs or outputs>.<tensor>`, a bare name means the outputs; `inner`
 * waits for all references, `any` takes the first that has tensors; a step whose reference stays empty does not run.
 */
import type { SeldonPipeline } from '../../../packages/adapter-kubernetes/src/render/engines/seldon-pipeline.js';

export interface Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

export type PipelineSpec = SeldonPipeline['spec'];

/** Runs a Model on tensors. */
export type Infer = (model: string, inputs: readonly Tensor[]) => Promise<readonly Tensor[]>;

type Part = readonly Tensor[] | undefined;

/** Answer of a Pipeline; throws if no output step ran. */
export async function walkPipeline(
  { name, spec }: { readonly name: string; readonly spec: PipelineSpec },
  request: readonly Tensor[],
  infer: Infer,
): Promise<readonly Tensor[]> {
  const runs = new Map<string, Promise<{ readonly inputs: Part; readonly outputs: Part }>>();
  const runOf = (step: string) => {
    const known = runs.get(step);
    if (known !== undefined) return known;
    const found = spec.steps.find((each) => each.name === step);
    if (found === undefined) throw new Error(`the Pipeline ${name} has no step ${step}`);
    const run = runStep(found);
    runs.set(step, run);
    return run;
  };

  async function runStep({ name: model, inputs: references = [], inputsJoinType, tensorMap = {} }: Step) {
    const inputs =
      references.length === 0 ? request : await joined(references.map(tensorsOf(tensorMap)), inputsJoinType ?? 'inner');
    return { inputs, outputs: inputs && (await infer(model, inputs)) };
  }

  const tensorsOf =
    (tensorMap: Readonly<Record<string, string>>) =>
    async (reference: string): Promise<Part> => {
      const [source = '', side = 'outputs', tensor] = reference.split('.');
      const all = source === name ? request : (await runOf(source))[side === 'inputs' ? 'inputs' : 'outputs'];
      const named = tensor === undefined ? all : all?.filter((each) => each.name === tensor);
      if (named === undefined || named.length === 0) return undefined;
      return named.map((each) => ({ ...each, name: tensorMap[`${source}.${side}.${each.name}`] ?? each.name }));
    };

  const { steps, stepsJoin = 'inner' } = spec.output;
  const answer = await joined(steps.map(tensorsOf({})), stepsJoin);
  if (answer === undefined) throw new Error(`no output of the Pipeline ${name} has tensors`);
  return answer;
}

type Step = PipelineSpec['steps'][number];

/** Tensors of all parts, or of the first part that has some; undefined if they are missing. */
async function joined(parts: readonly Promise<Part>[], join: string): Promise<Part> {
  if (join === 'any') {
    const some = parts.map(async (part) => (await part) ?? Promise.reject(new Error('empty')));
    return Promise.any(some).catch(async (error: unknown) => {
      // A step that failed is a failure; steps that did not run are not.
      await Promise.all(parts);
      if (!(error instanceof AggregateError)) throw error;
      return undefined;
    });
  }
  const all = await Promise.all(parts);
  return all.every((part) => part !== undefined) ? all.flat() : undefined;
}
