/**
 * Rules of combine stages: one answer from those of several members. Members that are missing do not count. Ties go to
 * the earlier member.
 */
import {
  AppError,
  boundedName,
  concatenateTensors,
  elementCount,
  type PipelineSpec,
  type Tensor,
  type TensorMap,
} from '@equipoise/core/model';

export type CombineRule = NonNullable<PipelineSpec['combines']>[number];

/** A member that answered. */
export interface Member {
  readonly name: string;
  readonly tensors: TensorMap;
}

/** `members` are in order, at least one. `failed` makes the error of the stage. */
export function combineTensors(
  rule: CombineRule,
  members: readonly Member[],
  failed: (problem: string) => AppError,
): TensorMap {
  const { method, tensor, output, confidence = '', atLeast = 0, weights = {} } = rule;
  const named = (member: Member, name: string): Tensor => {
    if (Object.hasOwn(member.tensors, name)) return member.tensors[name] as Tensor;
    const found = Object.keys(member.tensors).map(boundedName).join(', ') || 'none';
    throw failed(`it combines the tensor ${boundedName(name)}, but ${boundedName(member.name)} gave ${found}`);
  };
  if (method === 'first-confident') {
    const chosen = firstConfident(
      members.map((member) => checkedConfidence(member, named(member, confidence), failed)),
      atLeast,
    );
    const member = members[chosen] as Member;
    return { [output]: named(member, tensor), [confidence]: named(member, confidence) };
  }
  const tensors = members.map((member) => named(member, tensor));
  if (method === 'concatenation') return { [output]: concatenated(tensors, failed) };
  checkAlike(members, tensors, failed);
  const first = tensors[0] as Tensor;
  if (method === 'vote') return { [output]: vote(tensors, first) };
  if (first.datatype === 'BYTES' || first.datatype === 'FP16')
    throw failed(`it takes the ${method} of ${boundedName(tensor)}, so it needs numbers; it got ${first.datatype}`);
  const factors = members.map(({ name }) => (method === 'weighted' ? (weights[name as keyof typeof weights] ?? 0) : 1));
  return { [output]: elementwise(tensors, first, method === 'median' ? median : weightedMean(factors)) };
}

/** Position of the first confidence that is at least `atLeast`, else of the first largest one. NaN is the lowest. */
function firstConfident(confidences: readonly Tensor[], atLeast: number): number {
  const values = confidences.map(({ data }) =>
    Number.isNaN(Number(data[0])) ? Number.NEGATIVE_INFINITY : Number(data[0]),
  );
  // FP32 holds the nearest number to a limit such as 0.7, which may be below it.
  const enough = confidences.findIndex(
    ({ datatype }, i) => (values[i] as number) >= (datatype === 'FP32' ? Math.fround(atLeast) : atLeast),
  );
  return enough >= 0 ? enough : values.indexOf(Math.max(...values));
}

function checkedConfidence({ name }: Member, tensor: Tensor, failed: (problem: string) => AppError): Tensor {
  const { datatype, shape } = tensor;
  if (elementCount(shape) === 1 && datatype !== 'BYTES' && datatype !== 'FP16') return tensor;
  throw failed(`the confidence must be one number, ${boundedName(name)} gave ${typeText({ datatype, shape })}`);
}

function concatenated(tensors: readonly Tensor[], failed: (problem: string) => AppError): Tensor {
  try {
    return concatenateTensors(tensors.map((each) => (each.shape.length === 0 ? { ...each, shape: [1] } : each)));
  } catch (error) {
    throw error instanceof AppError ? failed(`it cannot concatenate. ${error.message.replace(/\.$/, '')}`) : error;
  }
}

function checkAlike(
  members: readonly Member[],
  tensors: readonly Tensor[],
  failed: (problem: string) => AppError,
): void {
  const [expected, ...others] = tensors.map(typeText);
  const odd = others.findIndex((found) => found !== expected) + 1;
  if (odd > 0)
    throw failed(
      `its members need equal types; ${boundedName((members[0] as Member).name)} gave ${expected}, ${boundedName((members[odd] as Member).name)} ${others[odd - 1]}`,
    );
}

const typeText = ({ datatype, shape }: Pick<Tensor, 'datatype' | 'shape'>): string =>
  `${datatype} [${shape.join(', ')}]`;

/** The most frequent value of each element. */
function vote(tensors: readonly Tensor[], first: Tensor): Tensor {
  const winners = Array.from({ length: first.data.length }, (_, element) => {
    const counts = new Map<unknown, number>();
    let [winner, most] = [0, 0];
    const keys = tensors.map(({ datatype, data }) => keyOf(datatype, data[element]));
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    for (const [i, key] of keys.entries()) {
      const count = counts.get(key) as number;
      if (count > most) [winner, most] = [i, count];
    }
    return (tensors[winner] as Tensor).data[element];
  });
  return { ...first, data: Array.isArray(first.data) ? (winners as readonly string[]) : typedLike(first, winners) };
}

/** Elements of BYTES are equal if their bytes are; a text stands for its UTF-8. Zeros are equal, and so are NaNs. */
function keyOf(datatype: Tensor['datatype'], value: Tensor['data'][number] | undefined): unknown {
  if (datatype === 'FP16') {
    const magnitude = (value as number) & 0x7fff;
    // Above the pattern of infinity all are NaN.
    return magnitude > 0x7c00 ? Number.NaN : magnitude === 0 ? 0 : value;
  }
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
  return typeof value === 'string' ? Buffer.from(value).toString('latin1') : value;
}

function typedLike({ data }: Tensor, values: readonly unknown[]): Tensor['data'] {
  const copy = (data as Float64Array).slice();
  for (const [i, value] of values.entries()) copy[i] = value as number;
  return copy;
}

type Reduce = (values: Float64Array) => number;

const weightedMean =
  (weights: readonly number[]): Reduce =>
  (values) => {
    let [sum, total] = [0, 0];
    for (const [i, weight] of weights.entries()) {
      sum += weight * (values[i] as number);
      total += weight;
    }
    return sum / total;
  };

/** Sorts in place. NaN if a value is NaN, as for the mean; `sort` puts these last. */
const median: Reduce = (values) => {
  values.sort();
  if (Number.isNaN(values.at(-1))) return Number.NaN;
  const middle = values.length >> 1;
  const upper = values[middle] as number;
  return values.length % 2 === 1 ? upper : ((values[middle - 1] as number) + upper) / 2;
};

/** FP64 for types of 64 bits, otherwise FP32. */
function elementwise(tensors: readonly Tensor[], { shape, data }: Tensor, reduce: Reduce): Tensor {
  const isLong = (data as Float64Array).BYTES_PER_ELEMENT === 8;
  const result = isLong ? new Float64Array(data.length) : new Float32Array(data.length);
  const values = new Float64Array(tensors.length);
  for (let element = 0; element < result.length; element++) {
    for (const [i, { data: of }] of tensors.entries()) values[i] = Number(of[element]);
    result[element] = reduce(values);
  }
  return { datatype: isLong ? 'FP64' : 'FP32', shape, data: result };
}
