import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonLines } from './kube-requests.js';

async function* chunksOf(...chunks: readonly Uint8Array[]) {
  yield* chunks;
}

async function read(...chunks: readonly Uint8Array[]): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const value of jsonLines(chunksOf(...chunks))) found.push(value);
  return found;
}

describe('jsonLines', () => {
  it('gives the values wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue(), { maxLength: 6 }),
        fc.array(fc.nat(300), { maxLength: 10 }),
        fc.boolean(),
        async (values, cuts, ended) => {
          const text = values.map((value) => JSON.stringify(value)).join('\n') + (ended ? '\n' : '');
          const bytes = Buffer.from(text);
          const ends = [...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].sort((a, b) => a - b);
          const chunks = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
          expect(await read(...chunks)).toEqual(JSON.parse(`[${values.map((value) => JSON.stringify(value)).join()}]`));
        },
      ),
      { seed: 4 },
    );
  });

  it('skips empty lines and rejects at a broken one', async () => {
    expect(await read(Buffer.from('\n1\n\r\n2\n'))).toEqual([1, 2]);
    await expect(read(Buffer.from('1\n{"a":'))).rejects.toThrow(SyntaxError);
  });
});
