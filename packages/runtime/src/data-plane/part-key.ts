/** Key and time of a part, from its tensors or its id. */
import { AppError, type PipelineSpec, type Tensor, type TensorMap } from '@equipoise/core/model';
import type { PartPlace } from './source-parts.js';

const MOST_KEY_BYTES = 256;

/** Throws AppError MALFORMED_REQUEST without an id that is needed, PART_KEY_INVALID for an unusable key or time. */
export function partPlace(
  spec: Pick<PipelineSpec, 'sources' | 'sourceJoin'>,
  source: number,
  { inputs, id = '' }: { readonly inputs: TensorMap; readonly id?: string | undefined },
): PartPlace {
  const { key, time } = spec.sources[source] ?? {};
  const timeMs = time === undefined ? undefined : timeIn(time, inputs[time]);
  if (key !== undefined) return { source, key: keyIn(key, inputs[key]), timeMs };
  // Without an id, parts of a source that joins no others by id need none.
  if (id === '' && !needsId(spec, source)) return { source, key: '', timeMs };
  if (id.length > 0 && id.length <= MOST_KEY_BYTES) return { source, key: id, timeMs };
  throw new AppError(
    'MALFORMED_REQUEST',
    `The part of a source needs the id of its request, of at most ${MOST_KEY_BYTES} characters: the field \`id\` (over REST, also the header x-request-id).`,
  );
}

function needsId({ sources, sourceJoin }: Pick<PipelineSpec, 'sources' | 'sourceJoin'>, source: number): boolean {
  if (sourceJoin?.by === 'key') return true;
  const waiting = sources.filter(({ latest }) => latest === undefined);
  return sources[source]?.latest === undefined && waiting.length > 1;
}

function keyIn(name: string, tensor: Tensor | undefined): string {
  const value = singleElement(tensor);
  const text = value instanceof Uint8Array ? decoded(value) : value === undefined ? '' : String(value);
  const bytes = Buffer.byteLength(text ?? '');
  if (text !== undefined && bytes > 0 && bytes <= MOST_KEY_BYTES) return text;
  const found = text === undefined ? 'bytes that are not UTF-8' : `${bytes} bytes`;
  throw invalid(name, `expected one key of 1 to ${MOST_KEY_BYTES} bytes, found ${found}`);
}

function timeIn(name: string, tensor: Tensor | undefined): number {
  const value = singleElement(tensor);
  const ms = typeof value === 'bigint' || typeof value === 'number' ? Number(value) : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  throw invalid(name, 'expected a time in ms as one finite number');
}

function singleElement(tensor: Tensor | undefined): unknown {
  return tensor?.data.length === 1 ? tensor.data[0] : undefined;
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function invalid(name: string, problem: string): AppError {
  return new AppError('PART_KEY_INVALID', `Tensor ${name}: ${problem}.`, { details: { tensor: name } });
}
