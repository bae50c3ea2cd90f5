/**
 * JSON text of large tensors in pieces, so that a server can answer other requests between two pieces. The pieces
 * together are the text of `encode-tensor.ts`.
 */
import type { Tensor, TensorData } from '@equipoise/core/model';
import { encodeElements, encodeFlat, encodeNested, safeInteger } from './encode-tensor.js';
import { jsonOfNumbers } from './flat-numbers.js';

/** Elements of a piece, whose text takes less than 2 ms. */
const PIECE_ELEMENTS = 4096;

type Numbers = Exclude<TensorData, readonly unknown[]>;

/** Block of a nested array: `levels` brackets open before each `size` elements. */
interface Block {
  readonly size: number;
  readonly levels: number;
}

export function* flatPieces(tensor: Tensor): Generator<string> {
  if (tensor.datatype === 'BYTES') return yield encodeFlat(tensor).json;
  let before = '[';
  for (const elements of elementPieces(tensor, String)) {
    yield `${before}${elements.join(',')}`;
    before = ',';
  }
  yield before === '[' ? '[]' : ']';
}

export function* nestedPieces(tensor: Tensor): Generator<string> {
  const { datatype, shape, data } = tensor;
  if (datatype === 'BYTES' || data.length === 0 || shape.length === 0) return yield encodeNested(tensor);
  const blocks = blocksOf(shape);
  const row = shape.at(-1) as number;
  let at = 0;
  for (const elements of elementPieces(tensor, safeInteger)) {
    const texts: string[] = [];
    for (let from = 0; from < elements.length; ) {
      const to = Math.min(elements.length, from + row - (at % row));
      const comma = at === 0 ? '' : ',';
      texts.push(comma, brackets('[', at, blocks), elements.slice(from, to).join(','));
      at += to - from;
      texts.push(brackets(']', at, blocks));
      from = to;
    }
    yield texts.join('');
  }
}

function* elementPieces(
  { datatype, shape, data }: Tensor,
  bigText: (element: bigint) => string,
): Generator<readonly string[]> {
  for (let from = 0; from < data.length; from += PIECE_ELEMENTS) {
    const piece = (data as Numbers).subarray(from, from + PIECE_ELEMENTS);
    const numbers = jsonOfNumbers(datatype, piece);
    yield numbers?.slice(1, -1).split(',') ?? encodeElements({ datatype, shape, data: piece }, bigText).elements;
  }
}

/** Blocks of different sizes, the smallest first. Each size is a multiple of the one before. */
function blocksOf(shape: readonly number[]): readonly Block[] {
  const levelsBySize = new Map<number, number>();
  let size = 1;
  for (const dimension of shape.toReversed()) {
    size *= dimension;
    levelsBySize.set(size, (levelsBySize.get(size) ?? 0) + 1);
  }
  return [...levelsBySize].map(([blockSize, levels]) => ({ size: blockSize, levels }));
}

function brackets(bracket: string, at: number, blocks: readonly Block[]): string {
  let levels = 0;
  for (const block of blocks) {
    if (at % block.size !== 0) break;
    levels += block.levels;
  }
  return bracket.repeat(levels);
}
