/** Bodies with raw tensors after the JSON, with wrong sizes and lengths. */
import type { Chance } from './chance.js';

/** A body, and the JSON length that its header states. */
export interface BinaryBody {
  readonly bytes: Buffer;
  readonly statedJsonLength: string | undefined;
}

const oddSizes = [-1, 0, 1, 7, 2 ** 31, 2 ** 53, 0.5, '8', null, [8], true];
const oddLengths = ['-1', '0', '1', 'abc', '1e3', ' 12', '999999999999999999', '0x10', '', '12, 12', '4294967296'];

/** A request of raw tensors with one to three lies, or now and then with none. */
export function lyingBinary(chance: Chance): BinaryBody {
  const count = 1 + chance.below(16);
  const texts = Buffer.concat(['a', 'bc'].map((text) => withLength(text, chance.happens(0.2) ? chance : undefined)));
  const tensors = [
    { name: 'x', datatype: 'FP32', shape: [count], raw: Buffer.alloc(4 * count) },
    { name: 'n', datatype: 'INT64', shape: [1], raw: Buffer.alloc(8) },
    { name: 's', datatype: 'BYTES', shape: [2], raw: texts },
    { name: 'b', datatype: 'BOOL', shape: [1, 2], raw: chance.happens(0.2) ? chance.bytes(2) : Buffer.from([1, 0]) },
  ];
  const inputs = tensors.map(({ name, datatype, shape, raw }) => ({
    ...{ name, datatype },
    shape: chance.happens(0.1) ? [chance.below(5), chance.below(5)] : shape,
    parameters: { binary_data_size: chance.happens(0.15) ? chance.one(oddSizes) : raw.length },
    ...(chance.happens(0.05) && { data: [1] }),
  }));
  const parameters = { binary_data_output: chance.happens(0.1) ? 'yes' : chance.happens(0.5) };
  const json = Buffer.from(JSON.stringify({ inputs, parameters }));
  const raw = Buffer.concat(tensors.map((tensor) => tensor.raw));
  const sent = chance.happens(0.2) ? chance.damaged(raw) : raw;
  return {
    bytes: Buffer.concat([chance.happens(0.05) ? chance.damaged(json) : json, sent]),
    statedJsonLength: chance.happens(0.2) ? statedLength(chance, json.length) : String(json.length),
  };
}

function statedLength(chance: Chance, length: number): string | undefined {
  if (chance.happens(0.2)) return undefined;
  return chance.happens(0.5) ? chance.one(oddLengths) : String(length + chance.below(40) - 20);
}

/** An element of BYTES after its length, which may be wrong if `lies` is given. */
function withLength(text: string, lies: Chance | undefined): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(lies === undefined ? bytes.length : lies.one([0, 1, 100, 2 ** 31, 2 ** 32 - 1]));
  return Buffer.concat([length, bytes]);
}
