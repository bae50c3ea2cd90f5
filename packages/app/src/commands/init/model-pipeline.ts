/** Writes a pipeline for existing models: equal tensors make variants of a stage, other models the next stage. */
import { basename } from 'node:path';
import { AppError, type Datatype, elementCount, type Rng, SeededRng, type TensorType } from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import { problemLines } from '../../compose/load-spec.js';

/** Files of a new pipeline by path below its folder, and a request to it. */
export interface NewPipeline {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly request: {
    readonly contentType: string;
    readonly body: { readonly text: string } | { readonly file: string };
  };
}

/** Model with the tensors of one item, without the batch dimension if the stage adds it. */
export interface FoundModel {
  readonly name: string;
  /** File or server, for messages. */
  readonly origin: string;
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  /** True if the sizes of `outputs` are those of earlier answers; later answers may have others. */
  readonly learnedSizes?: boolean;
  /** True if a batch may have several items. */
  readonly batches: boolean;
  /** Fields of the variant in YAML, one a line. */
  readonly fields: readonly string[];
}

export interface FoundModels {
  readonly models: readonly FoundModel[];
  /** Fields of each stage in YAML. */
  readonly stageFields: readonly string[];
  /** Size in samples of a dimension that accepts any size. */
  readonly anySize: number;
}

interface Stage {
  readonly name: string;
  readonly models: readonly FoundModel[];
}

const SEED = 1;
const SAMPLES = 4;
/** Samples are JSON: a few MB at most. */
const MAX_SAMPLE_ELEMENTS = 2 ** 21;
const LARGE_SAMPLE_ELEMENTS = 50_000;
const MAX_RANK = 16;
/** Origins and problems in a message. */
const SHOWN = 3;

/**
 * Throws WRONG_USAGE if models are neither variants nor a chain, or if the pipeline file would be invalid. `target` is
 * the folder of the pipeline.
 */
export function modelPipeline(target: string, found: FoundModels): NewPipeline {
  found.models.forEach(requireTensors);
  const stages = stagesOf(found.models);
  const first = found.models[0] as FoundModel;
  const last = stages.at(-1)?.models[0] as FoundModel;
  const name = plainName(basename(target), 'pipeline');
  const output = last.outputs[0] as TensorType;
  const text = pipelineText(name, stages, found, output);
  requireValid(text, found.models);
  const samples = sampleFiles(first, found.anySize);
  const files = {
    'pipeline.yaml': text,
    'data/README.md': dataText(first, output),
    'data/labels.json': '[]\n',
    ...samples,
  };
  const file = Object.keys(samples)[0] as string;
  return { name, files, request: { contentType: 'application/json', body: { file } } };
}

/** Throws WRONG_USAGE for a model without inputs or outputs, or with tensors of too many dimensions. */
export function requireTensors({ origin, inputs, outputs }: FoundModel): void {
  if (inputs.length === 0 || outputs.length === 0)
    throw new AppError(
      'WRONG_USAGE',
      `${origin} declares no ${inputs.length === 0 ? 'inputs' : 'outputs'}. Write a pipeline file by hand, or begin with \`equipoise init\`.`,
    );
  const deep = [...inputs, ...outputs].find(({ shape }) => shape.length > MAX_RANK);
  if (deep === undefined) return;
  const message = `${origin}: the tensor ${deep.name} has ${deep.shape.length} dimensions, expected at most ${MAX_RANK}. Name other models.`;
  throw new AppError('WRONG_USAGE', message);
}

function requireValid(text: string, models: readonly FoundModel[]): void {
  const result = parsePipelineFile(text, { fileName: 'pipeline.yaml', baseDir: '.' });
  if (result.kind === 'valid') return;
  const { problems } = result;
  const origins = models.slice(0, SHOWN).map(({ origin }) => origin);
  const message = `The pipeline file for ${origins.join(', ')} would be invalid. Name other models, or write a pipeline file by hand:\n${problemLines('pipeline.yaml', problems.slice(0, SHOWN)).join('\n')}`;
  throw new AppError('WRONG_USAGE', message, { details: { problems } });
}

/** Letters, digits, "-", "_" and "." of a file name or model name; `fallback` if nothing is left. */
export function plainName(text: string, fallback: string): string {
  const plain = text.replace(/[^\w.-]+/g, '-').slice(0, 60);
  const trimmed = plain.replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return trimmed === '' || trimmed in {} ? fallback : trimmed;
}

function uniqueName(name: string, names: readonly string[]): string {
  for (let number = 2, candidate = name; ; candidate = `${name}-${number++}`)
    if (!names.includes(candidate)) return candidate;
}

function stagesOf(models: readonly FoundModel[]): readonly Stage[] {
  const groups = new Map<string, FoundModel[]>();
  for (const model of models) {
    const group = groups.get(signatureOf(model)) ?? [];
    groups.set(signatureOf(model), group);
    group.push({
      ...model,
      name: uniqueName(
        model.name,
        group.map(({ name }) => name),
      ),
    });
  }
  const stages: Stage[] = [];
  for (const group of groups.values()) {
    const before = stages.at(-1)?.models[0];
    if (before !== undefined) requireChain(before, group[0] as FoundModel);
    stages.push({
      name: uniqueName(
        commonName(group),
        stages.map(({ name }) => name),
      ),
      models: group,
    });
  }
  return stages;
}

const signatureOf = ({ inputs, outputs, batches }: FoundModel): string =>
  JSON.stringify([...[inputs, outputs].map((types) => types.map(typeText).sort()), batches]);

/** Common beginning of the names, in whole words; `detect` of `detect-small` and `detect-large`. */
function commonName(models: readonly FoundModel[]): string {
  const [first = [], ...others] = models.map(({ name }) => name.split(/(?=[-_.])/));
  const end = first.findIndex((word, index) => others.some((words) => words[index] !== word));
  return plainName(first.slice(0, end < 0 ? undefined : end).join(''), 'model');
}

function requireChain(before: FoundModel, next: FoundModel): void {
  const misfits = next.inputs.filter((input) => !before.outputs.some((output) => fits(output, input)));
  if (misfits.length === 0) return;
  const message = `${next.origin} is neither a variant of ${before.origin} nor the stage after it. A variant has the same inputs and outputs: ${tensorsText(before.inputs)} → ${tensorsText(before.outputs)}, found ${tensorsText(next.inputs)} → ${tensorsText(next.outputs)}. As the next stage it needs ${tensorsText(misfits)}, but ${before.origin} gives ${tensorsText(before.outputs)}. Name the models in the order of their stages, or put a stage module between them.`;
  throw new AppError('WRONG_USAGE', message, { details: { before: before.origin, next: next.origin } });
}

function fits(output: TensorType, input: TensorType): boolean {
  const sameSize = (size: number, index: number) => size === -1 || [-1, size].includes(output.shape[index] ?? 0);
  return (
    output.name === input.name &&
    output.datatype === input.datatype &&
    output.shape.length === input.shape.length &&
    input.shape.every(sameSize)
  );
}

const typeText = ({ name, datatype, shape }: TensorType): string => `${name} ${datatype} [${shape.join(', ')}]`;
const tensorsText = (types: readonly TensorType[]): string => types.map(typeText).join(', ') || 'nothing';

/** Text in YAML, quoted where it could be read as something else. */
export function yaml(text: string): string {
  const isPlain = /^([A-Za-z]|\.{1,2}\/)[\w./-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text);
  return isPlain ? text : JSON.stringify(text);
}

function pipelineText(
  name: string,
  stages: readonly Stage[],
  { models, stageFields }: FoundModels,
  output: TensorType,
): string {
  const [first] = models as readonly [FoundModel];
  return `# Written by \`equipoise init\` for ${models.map(({ origin }) => JSON.stringify(origin)).join(', ')}
#   npx equipoise profile pipeline.yaml --quick       measures the variants on this machine
#   npx equipoise plan pipeline.yaml --arrival-rps 50 finds the best configuration for a load
#   npx equipoise serve pipeline.yaml                 serves it and follows the load
# Before you rely on a plan:
#   1. State the accuracy of each variant (0.5 is a placeholder), or measure it: put labelled samples into data/, then
#      npx equipoise evaluate pipeline.yaml --out accuracy.json
#      and add under spec: accuracyTable: ./accuracy.json
#   2. Replace the random values in samples/ by real inputs: service times may depend on them.
#   3. Set the latency target and the budget.
apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: ${yaml(name)} }
spec:
  slo: { latencyMs: 1000, percentile: 99 } # 99 % of the requests are answered within 1 s
  budget: { cpuCores: 2 }
  objective: max-accuracy
  sources:
    - name: input
      samples: ./samples
      tensors: # of one item: the batch dimension is omitted where the model has one
${first.inputs.map((type) => `        - ${tensorYaml(type)}`).join('\n')}
  stages:
${[...stages.map((stage) => stageText(stage, stageFields)), ...outputLines(stages.at(-1) as Stage)].join('\n')}
  evaluation: { metric: accuracy, output: ${yaml(output.name)}, data: ./data } # data/README.md says how to label samples
`;
}

function stageText({ name, models }: Stage, stageFields: readonly string[]): string {
  const single =
    models[0]?.batches === false ? ['bounds: { batchSizes: [1] } # the model runs one item at a time'] : [];
  const variants = models.map(
    (model) => `        - name: ${yaml(model.name)}
${model.fields.map((field) => `          ${field}`).join('\n')}
          accuracy: { value: 0.5, metric: not-measured } # state the accuracy on your data, a fraction 0…1`,
  );
  return [
    `    - name: ${yaml(name)}`,
    ...[...stageFields, ...single, 'variants:'].map((field) => `      ${field}`),
    ...variants,
  ].join('\n');
}

/**
 * Declared types of the answer. Omits tensors without dimensions: ONNX files state unknown dimensions in the same way,
 * and some servers answer [n, 1] where they state [n].
 */
function outputLines({ name, models: [model] }: Stage): readonly string[] {
  const { outputs, learnedSizes = false } = model as FoundModel;
  const types = outputs.filter(({ shape }) => shape.length > 0);
  if (types.length === 0) return [];
  const sizesOf = ({ shape }: TensorType) => (learnedSizes ? shape.map(() => -1) : shape);
  return [
    '  outputs:',
    `    - from: ${yaml(name)}`,
    '      types: # as the model states them; answers of another type fail',
    ...types.map((type) => `        - ${tensorYaml({ ...type, shape: sizesOf(type) })}`),
  ];
}

const tensorYaml = ({ name, datatype, shape }: TensorType): string =>
  `{ name: ${yaml(name)}, datatype: ${datatype}, shape: [${shape.join(', ')}] }`;

/** Random values that models accept: pixels, small fractions, and 0 or 1 as other integers, such as token numbers. */
const randomElement: Readonly<Record<Datatype, (rng: Rng) => unknown>> = {
  BOOL: (rng) => rng.next() < 0.5,
  UINT8: (rng) => Math.floor(rng.next() * 256),
  UINT16: zeroOrOne,
  UINT32: zeroOrOne,
  UINT64: zeroOrOne,
  INT8: zeroOrOne,
  INT16: zeroOrOne,
  INT32: zeroOrOne,
  INT64: zeroOrOne,
  FP16: fraction,
  FP32: fraction,
  FP64: fraction,
  BYTES: (rng) => `text ${Math.floor(rng.next() * 100)}`,
};

function zeroOrOne(rng: Rng): number {
  return rng.next() < 0.5 ? 0 : 1;
}

function fraction(rng: Rng): number {
  return Math.round(rng.next() * 100) / 100;
}

const sampleSizes = (inputs: FoundModel['inputs'], anySize: number) =>
  inputs.map(({ shape }) => shape.map((size) => (size === -1 ? anySize : size)));

const totalElements = (sizes: readonly (readonly number[])[]) =>
  sizes.reduce((sum, shape) => sum + elementCount(shape), 0);

export const fitsSample = ({ inputs }: Pick<FoundModel, 'inputs'>, anySize: number): boolean =>
  totalElements(sampleSizes(inputs, anySize)) <= MAX_SAMPLE_ELEMENTS;

/** Tensors of one item as nested arrays. Throws WRONG_USAGE if JSON cannot hold them. */
export function sampleItem({ origin, inputs }: FoundModel, anySize: number, rng: Rng): Record<string, unknown> {
  const sizes = sampleSizes(inputs, anySize);
  const half = inputs.find(({ datatype }) => datatype === 'FP16');
  if (half !== undefined) {
    const message = `${origin}: the input ${half.name} is FP16, which samples cannot hold. Export the model with FP32 inputs.`;
    throw new AppError('WRONG_USAGE', message);
  }
  if (!fitsSample({ inputs }, anySize)) {
    const elements = totalElements(sizes);
    const message = `${origin}: an input has ${elements} elements, a sample at most ${MAX_SAMPLE_ELEMENTS}. Write a stage module that makes this input from a smaller one.`;
    throw new AppError('WRONG_USAGE', message);
  }
  return Object.fromEntries(
    inputs.map(({ name, datatype }, index) => [
      name,
      nested(sizes[index] as readonly number[], () => randomElement[datatype](rng)),
    ]),
  );
}

function nested([size, ...rest]: readonly number[], element: () => unknown): unknown {
  return size === undefined ? element() : Array.from({ length: size }, () => nested(rest, element));
}

function sampleFiles(first: FoundModel, anySize: number): Readonly<Record<string, string>> {
  const rng = new SeededRng(SEED);
  const files: Record<string, string> = {};
  for (let number = 1; number <= SAMPLES; number++) {
    const text = JSON.stringify(sampleItem(first, anySize, rng));
    files[`samples/random-${number}.json`] = `${text}\n`;
    if (text.length > LARGE_SAMPLE_ELEMENTS * 4) break;
  }
  return files;
}

export function isDatatype(text: string): text is Datatype {
  return Object.hasOwn(randomElement, text);
}

const dataText = ({ inputs }: FoundModel, output: TensorType): string => `# Labelled samples

\`equipoise evaluate pipeline.yaml\` measures the accuracy of all variants with the samples that \`labels.json\` lists:

\`\`\`json
[{ "file": "one.json", "label": 3 }]
\`\`\`

\`one.json\` has the form of the files in \`samples/\`:

\`\`\`json
{ ${inputs.map(({ name, shape }) => `${JSON.stringify(name)}: ${shape.map(() => '[').join('')}…${shape.map(() => ']').join('')}`).join(', ')} }
\`\`\`

\`label\` is the right class: the position of the largest value of ${JSON.stringify(output.name)}, or its only value. For another score, change \`evaluation\` in
\`pipeline.yaml\`.
`;
