/** JSON bodies close to an inference request: the form is right, and a part is wrong, unusual or very large. */
import type { Chance } from './chance.js';

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Values that replace others: of each JSON kind, at and beyond the limits of stored numbers. */
const odd: readonly Json[] = [
  ...[null, true, false, 0, -1, 0.5, 1e308, -1e308, 5e-324, 2 ** 31, 2 ** 32, 2 ** 53, 1e21],
  ...['', 'x', 'FP32', 'BYTES', '9007199254740993', '-9223372036854775809', '\u0000', '\ud800', '../../etc/passwd'],
  ...['x'.repeat(5000), [], [[]], [1, [2]], {}, { a: 1 }, { length: 3 }, [null], Array(1000).fill(0)],
];
const oddShapes: readonly Json[] = [
  ...[
    [-1],
    [0],
    [],
    [1e9, 1e9],
    [2 ** 31],
    [0.5],
    ['2'],
    [2, 2, 2, 2, 2, 2, 2, 2, 2, 2],
    Array(200).fill(1),
    [2, -2],
    null,
  ],
];
const datatypes = ['BOOL', 'UINT8', 'INT8', 'INT64', 'UINT64', 'FP16', 'FP32', 'FP64', 'BYTES', 'BF16', 'fp32', ''];
const oddNames = ['__proto__', 'constructor', 'toString', '', 'x'.repeat(3000), 'inputs', '\u202e'];
/** JSON texts that JSON.stringify would not write. */
const oddTokens = [
  'NaN',
  'Infinity',
  '-',
  '01',
  '1e999',
  '0x10',
  "'x'",
  '12345678901234567890123',
  'undefined',
  '1.',
  '"\\u12"',
];

/** A valid request for the fuzzed pipeline. */
export function goodRequest(chance: Chance): { [name: string]: Json } {
  const count = 1 + chance.below(8);
  return {
    id: `fuzz-${chance.below(1000)}`,
    inputs: [
      { name: 'x', datatype: 'FP32', shape: [count], data: Array.from({ length: count }, () => chance.below(100) / 8) },
      { name: 'n', datatype: 'INT64', shape: [2], data: [chance.below(1000), '9007199254740993'] },
      { name: 's', datatype: 'BYTES', shape: [2], data: ['a', 'ü'] },
      { name: 'b', datatype: 'BOOL', shape: [1, 2], data: [[true, false]] },
    ],
    ...(chance.happens(0.3) && { outputs: [{ name: 'x' }] }),
    ...(chance.happens(0.3) && { parameters: { timeout_ms: 1000, priority: 1 } }),
  };
}

/** Text of a request with one to three faults. */
export function faultyJson(chance: Chance): Buffer {
  const request = structuredClone(goodRequest(chance)) as Record<string, Json>;
  for (let count = 1 + chance.below(3); count > 0; count--) harm(request, chance);
  const text = JSON.stringify(request);
  switch (chance.below(8)) {
    case 0:
      return chance.damaged(Buffer.from(text));
    case 1:
      return Buffer.from(text.replace(/\d+/, chance.one(oddTokens)));
    case 2:
      return Buffer.from(nested(chance, text));
    default:
      return Buffer.from(text);
  }
}

/** Deep nesting, duplicate keys, unusual white space and marks. */
function nested(chance: Chance, text: string): string {
  const depth = chance.one([10, 1000, 20_000]);
  switch (chance.below(4)) {
    case 0:
      return text.replace('"data":[', `"data":${'['.repeat(depth)}`);
    case 1:
      return `${'{"inputs":'.repeat(depth)}1${'}'.repeat(depth)}`;
    case 2:
      return `{"inputs":[],${text.slice(1)}`;
    default:
      return `\ufeff${text}`;
  }
}

function harm(request: Record<string, Json>, chance: Chance): void {
  const { inputs } = request;
  const input = Array.isArray(inputs) ? chance.one(inputs) : undefined;
  if (typeof input !== 'object' || input === null || chance.happens(0.25)) {
    harmField(request, chance);
    return;
  }
  const fields = input as Record<string, Json>;
  switch (chance.below(5)) {
    case 0:
      fields['shape'] = chance.one(oddShapes);
      return;
    case 1:
      fields['datatype'] = chance.one(datatypes);
      return;
    case 2:
      fields['name'] = chance.one(oddNames);
      return;
    case 3:
      fields['parameters'] = { binary_data_size: chance.one(odd), content_type: chance.one(['str', 'base64', 'x']) };
      return;
    default:
      harmField(fields, chance);
  }
}

function harmField(fields: Record<string, Json>, chance: Chance): void {
  const name = chance.one([...Object.keys(fields), 'parameters', 'outputs']);
  if (chance.happens(0.2)) delete fields[name];
  else if (chance.happens(0.1)) fields[chance.one(oddNames)] = chance.one(odd);
  else fields[name] = name === 'parameters' ? oddParameters(chance) : chance.one(odd);
}

function oddParameters(chance: Chance): Json {
  const name = chance.one(['timeout_ms', 'timeout', 'priority', 'binary_data_output', 'sequence_id', '__proto__']);
  return { [name]: chance.one(odd) };
}
