/**
 * Built-in scores of labelled answers: a fraction 0…1, higher is better; NaN if the samples leave it undefined. Each
 * sample is compared once, because the bootstrap scores it hundreds of times.
 */
import { inspect } from 'node:util';
import { AppError, type PipelineSpec, type Tensor, type TensorMap } from '@equipoise/core/model';
import { numberOfHalf } from '@equipoise/open-inference-codec';
import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import type { AnsweredSample, EvaluationModule } from './evaluation-module.js';

type MetricOptions = NonNullable<NonNullable<PipelineSpec['evaluation']>['metric']>;
type Metric = MetricOptions & {
  /** Most pairs that are compared in one sample. */
  readonly mostPairs: { readonly units: number; readonly boxes: number };
  /** Of the listed classes. */
  readonly names: ReadonlySet<string>;
};
type Score = EvaluationModule['score'];

const USUAL_K = 5;
const USUAL_POSITIVE = '1';
const USUAL_IOU = 0.5;
/** About a second. The text algorithm compares 32 characters or words at a time. */
const MOST_PAIRS = { units: 1e9, boxes: 1e7 };
/** Nesting of arrays in a label. */
const MOST_LEVELS = 64;

export function metricScore(options: MetricOptions, mostPairs = MOST_PAIRS): Score {
  return scores[options.kind]({ ...options, mostPairs, names: new Set(options.classes) });
}

const scores: Readonly<Record<Metric['kind'], (metric: Metric) => Score>> = {
  accuracy: (metric) => scoreBy((sample) => Number(answerOf(sample, metric) === labelOf(sample, metric)), mean),
  'top-k': (metric) =>
    scoreBy((sample) => {
      const best = rankedClasses(sample, metric).slice(0, metric.k ?? USUAL_K);
      return Number(best.includes(labelOf(sample, metric)));
    }, mean),
  f1: (metric) =>
    scoreBy(classPair(metric), (pairs) => f1Of(pairs, className(metric.positive ?? USUAL_POSITIVE, metric))),
  'f1-macro': (metric) =>
    scoreBy(classPair(metric), (pairs) => {
      const classes = new Set(pairs.flatMap(({ answer, label }) => (answer === undefined ? label : [answer, label])));
      return mean(Array.from(classes, (each) => f1Of(pairs, each)));
    }),
  cer: (metric) => scoreBy((sample) => textErrors(sample, metric, charactersOf), oneMinusRate),
  wer: (metric) => scoreBy((sample) => textErrors(sample, metric, wordsOf), oneMinusRate),
  'box-f1': (metric) =>
    scoreBy(
      (sample) => boxMatches(sample, metric),
      (matches) => (2 * sumOf(matches, 'right')) / (sumOf(matches, 'answered') + sumOf(matches, 'present')),
    ),
  rmse: (metric) =>
    scoreBy(
      (sample) => valueErrors(sample, metric, (error) => error ** 2),
      (errors) => Math.max(0, 1 - Math.sqrt(sumOf(errors, 'errors') / sumOf(errors, 'total')) / scaleOf(metric)),
    ),
  mae: (metric) =>
    scoreBy(
      (sample) => valueErrors(sample, metric, Math.abs),
      (errors) => Math.max(0, 1 - sumOf(errors, 'errors') / sumOf(errors, 'total') / scaleOf(metric)),
    ),
};

/** Score from one comparison per sample. */
function scoreBy<C>(compare: (sample: AnsweredSample) => C, pool: (comparisons: readonly C[]) => number): Score {
  const known = new WeakMap<AnsweredSample, { readonly comparison: C }>();
  return (samples) =>
    pool(
      samples.map((sample) => {
        const found = known.get(sample) ?? { comparison: compare(sample) };
        known.set(sample, found);
        return found.comparison;
      }),
    );
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function sumOf<K extends string>(records: readonly Readonly<Record<K, number>>[], field: K): number {
  return records.reduce((sum, record) => sum + record[field], 0);
}

interface ClassPair {
  /** Undefined if the answer has no tensors. */
  readonly answer: string | undefined;
  readonly label: string;
}

const classPair =
  (metric: Metric) =>
  (sample: AnsweredSample): ClassPair => ({ answer: answerOf(sample, metric), label: labelOf(sample, metric) });

function f1Of(pairs: readonly ClassPair[], positive: string): number {
  let [right, counted] = [0, 0];
  for (const { answer, label } of pairs) {
    if (answer === positive && label === positive) right += 1;
    counted += Number(answer === positive) + Number(label === positive);
  }
  return (2 * right) / counted;
}

/** Name of a class that is given by name or by number. */
function className(value: unknown, { classes = [], names }: Metric): string {
  const exact = String(typeof value === 'boolean' ? Number(value) : value);
  if (names.has(exact)) return exact;
  const name = exact.trim();
  return names.has(name) || !/^\d+$/.test(name) ? name : (classes[Number(name)] ?? name);
}

function labelOf({ outputs, label }: AnsweredSample, metric: Metric): string {
  if (!['string', 'number', 'bigint', 'boolean'].includes(typeof label))
    throw wrongLabel(label, 'the name or number of a class');
  const name = className(label, metric);
  if (metric.classes === undefined) return plainNumeral(name, outputOf(outputs, metric.output)?.datatype);
  if (metric.names.has(name)) return name;
  throw wrongLabel(label, 'the name or number of a class in spec.evaluation.classes');
}

/** Tables write numbers as 1, +1 or 1.0, and booleans as words. Texts remain as they are. */
function plainNumeral(name: string, answerType: Tensor['datatype'] | undefined): string {
  if (answerType === 'BYTES') return name;
  if (answerType === 'BOOL' && /^(true|false)$/i.test(name)) return name.length === 4 ? '1' : '0';
  return name.replace(/^\+?(-?\d+)(\.0*)?$/, '$1');
}

function answerOf(sample: AnsweredSample, metric: Metric): string | undefined {
  const tensor = outputOf(sample.outputs, metric.output);
  if (tensor !== undefined && !isScores(tensor) && tensor.data.length !== 1)
    throw wrongOutput(
      `is ${typeText(tensor)}; ${metric.kind} needs one class, or floating-point scores of all classes`,
    );
  return rankedClasses(sample, metric)[0];
}

/** Classes by descending score, equal ones by position; or the classes that the tensor lists. */
export function rankedClasses({ outputs }: AnsweredSample, metric: Metric): readonly string[] {
  const tensor = outputOf(outputs, metric.output);
  const values = valuesOf(tensor);
  if (tensor === undefined || !isScores(tensor)) {
    const fraction = values.find((value) => Number.isFinite(value) && !Number.isInteger(value));
    if (fraction !== undefined)
      throw wrongOutput(`is ${fraction}; ${metric.kind} needs a class, or scores of all classes`);
    return values.map((value) => className(value, metric));
  }
  if (tensor.shape.at(-1) !== tensor.data.length)
    throw wrongOutput(`is ${typeText(tensor)}, the scores of several inputs`);
  // A position is no name, even if a class is called by a number.
  return bestFirst(values.map(Number)).map((position) => metric.classes?.[position] ?? String(position));
}

/** Positions by descending score, equal ones in order, NaN last. */
function bestFirst(scores: readonly number[]): readonly number[] {
  const ranks = scores.map((score, position) => ({ position, score: Number.isNaN(score) ? -Infinity : score }));
  // Infinite scores have no difference.
  ranks.sort((a, b) => Number(b.score > a.score) - Number(b.score < a.score));
  return ranks.map(({ position }) => position);
}

const isScores = ({ datatype, data }: Tensor): boolean => datatype.startsWith('FP') && data.length > 1;

interface ErrorRate {
  readonly errors: number;
  readonly total: number;
}

/** Error rates exceed 1 if an answer is much longer than its label. */
const oneMinusRate = (rates: readonly ErrorRate[]): number =>
  Math.max(0, 1 - sumOf(rates, 'errors') / sumOf(rates, 'total'));

/** Code points. */
const charactersOf = (text: string): readonly string[] => Array.from(text);

const wordsOf = (text: string): readonly string[] => (text === '' ? [] : text.split(/\s+/));

function textErrors(
  { outputs, label }: AnsweredSample,
  { output, mostPairs }: Metric,
  unitsOf: (text: string) => readonly string[],
): ErrorRate {
  const expected = [label].flat();
  if (!expected.every((part) => typeof part === 'string')) throw wrongLabel(label, 'a text');
  const answer = unitsOf(valuesOf(outputOf(outputs, output)).join(' ').trim());
  const right = unitsOf(expected.join(' ').trim());
  requirePairs([answer.length, right.length], 'characters or words', mostPairs.units);
  return { errors: editDistance(answer, right), total: right.length };
}

/** Levenshtein's distance of characters or words. */
function editDistance(a: readonly string[], b: readonly string[]): number {
  // The library compares UTF-16 code units, so each distinct unit gets one.
  const codes = new Map<string, number>();
  const encode = (units: readonly string[]): string =>
    units
      .map((unit) => {
        const code = codes.get(unit) ?? codes.size;
        codes.set(unit, code);
        return String.fromCharCode(code);
      })
      .join('');
  const encoded = [encode(a), encode(b)] as const;
  if (codes.size > 2 ** 16) throw wrongOutput(`has ${codes.size} different words with its label, more than ${2 ** 16}`);
  return distance(...encoded);
}

interface BoxMatches {
  readonly right: number;
  readonly answered: number;
  readonly present: number;
}

/** Left, top, right, bottom. */
const boxSchema = z.tuple([z.number(), z.number(), z.number(), z.number()]);
type Box = z.output<typeof boxSchema>;

const labelledBoxSchema = z.object({ box: boxSchema, class: z.union([z.string(), z.number()]).optional() });

/** Answered boxes, best first, each take the free box of their class that overlaps most, as COCO does. */
function boxMatches({ outputs, label }: AnsweredSample, metric: Metric): BoxMatches {
  const { output, boxClasses, boxScores, iou = USUAL_IOU } = metric;
  const boxes = outputOf(outputs, output);
  const corners = valuesOf(boxes).map(Number);
  if (boxes !== undefined && boxes.shape.at(-1) !== 4)
    throw wrongOutput(`is ${typeText(boxes)}; box-f1 needs boxes [n, 4]`);
  const count = corners.length / 4;
  const labelled = labelledBoxes(label, count, metric);
  const perBox = (name: string, field: string) => {
    const values = valuesOf(outputOf(outputs, name, field));
    if (values.length !== count) throw wrongOutput(`has ${values.length} values for ${count} boxes`, field);
    return values;
  };
  const classes = boxClasses === undefined ? undefined : perBox(boxClasses, 'boxClasses');
  const scored = boxScores === undefined ? Array.from({ length: count }, () => 0) : perBox(boxScores, 'boxScores');
  let right = 0;
  for (const index of bestFirst(scored.map(Number))) {
    const box = corners.slice(4 * index, 4 * index + 4) as Box;
    const best = closestFree(box, classes && className(classes[index], metric), labelled);
    if (best === undefined || intersectionOverUnion(box, best.box) < iou) continue;
    best.isFree = false;
    right += 1;
  }
  return { right, answered: count, present: labelled.length };
}

interface FreeBox {
  readonly box: Box;
  /** Undefined if all boxes have one class. */
  readonly name: string | undefined;
  isFree: boolean;
}

function labelledBoxes(label: unknown, count: number, metric: Metric): readonly FreeBox[] {
  const { boxClasses, mostPairs } = metric;
  const wrong = () => wrongLabel(label, '[{ "box": [left, top, right, bottom], "class": … }, …]');
  if (!Array.isArray(label)) throw wrong();
  requirePairs([count, label.length], 'boxes', mostPairs.boxes);
  return label.map((each) => {
    const { data } = labelledBoxSchema.safeParse(each);
    if (data === undefined || (boxClasses !== undefined && data.class === undefined)) throw wrong();
    return { box: data.box, name: boxClasses === undefined ? undefined : className(data.class, metric), isFree: true };
  });
}

/** Free box of the class with the largest overlap; undefined if none overlaps. */
function closestFree(box: Box, name: string | undefined, labelled: readonly FreeBox[]): FreeBox | undefined {
  let closest: FreeBox | undefined;
  let most = 0;
  for (const each of labelled) {
    const overlap = each.isFree && each.name === name ? intersectionOverUnion(box, each.box) : 0;
    if (overlap > most) [closest, most] = [each, overlap];
  }
  return closest;
}

function intersectionOverUnion(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(0, width) * Math.max(0, height);
  return shared / (areaOf(a) + areaOf(b) - shared);
}

const areaOf = ([left, top, right, bottom]: Box): number => Math.max(0, right - left) * Math.max(0, bottom - top);

const scaleOf = ({ scale }: Metric): number => scale as number;

/** An answer that is no finite number is infinitely wrong; without tensors it has the error that scores 0. */
function valueErrors(
  { outputs, label }: AnsweredSample,
  { output, scale }: Metric,
  errorOf: (difference: number) => number,
): ErrorRate {
  const expected = [label].flat(MOST_LEVELS).map(numberOf);
  const tensor = outputOf(outputs, output);
  const values = valuesOf(tensor).map(Number);
  if (!expected.every(Number.isFinite)) throw wrongLabel(label, 'a number or an array of numbers');
  if (tensor === undefined) return { errors: expected.length * errorOf(scale as number), total: expected.length };
  if (values.length !== expected.length)
    throw wrongOutput(`is ${typeText(tensor)}, but a label has ${expected.length} values`);
  const errors = values.map((value, index) =>
    Number.isFinite(value) ? errorOf(value - (expected[index] as number)) : Number.POSITIVE_INFINITY,
  );
  return { errors: errors.reduce((sum, error) => sum + error, 0), total: errors.length };
}

/** Cells of a CSV file are texts. */
function numberOf(value: unknown): number {
  return typeof value === 'number' || (typeof value === 'string' && value.trim() !== '') ? Number(value) : Number.NaN;
}

/** Undefined if the answer has no tensors, because a fan-out had no items. */
export function outputOf(outputs: TensorMap, name: string | undefined, field = 'output'): Tensor | undefined {
  const names = Object.keys(outputs);
  if (names.length === 0) return undefined;
  const wanted = name ?? (names.length === 1 ? names[0] : undefined);
  if (wanted !== undefined && Object.hasOwn(outputs, wanted)) return outputs[wanted] as Tensor;
  const list = names.join(', ');
  if (name !== undefined) throw wrongOutput(`is not in the answer, which has ${list}`, field);
  throw wrongOutput(`is not set, and the answer has ${list}`);
}

const decoder = new TextDecoder();

export function valuesOf(tensor: Tensor | undefined): readonly (string | number | bigint)[] {
  if (tensor === undefined) return [];
  const { datatype, data } = tensor;
  if (datatype === 'FP16') return Array.from(data as Uint16Array, numberOfHalf);
  return Array.from(data as Iterable<string | number | bigint | Uint8Array>, (value) =>
    value instanceof Uint8Array ? decoder.decode(value) : value,
  );
}

function requirePairs([answered, labelled]: readonly [number, number], what: string, most: number): void {
  if (answered * labelled <= most) return;
  throw wrongOutput(`has ${answered} ${what} and its label ${labelled}, too many to compare`);
}

const typeText = ({ datatype, shape }: Tensor): string => `${datatype} [${shape.join(', ')}]`;

const wrongOutput = (problem: string, field = 'output'): AppError =>
  new AppError('INVALID_PIPELINE', `The tensor of spec.evaluation.${field} ${problem}.`, {
    details: { path: `spec.evaluation.${field}` },
  });

function wrongLabel(label: unknown, expected: string): AppError {
  const found = inspect(label, { breakLength: Number.POSITIVE_INFINITY }).slice(0, 80);
  return new AppError('FILE_UNREADABLE', `The metric expects as label ${expected}, found ${found}.`);
}
