import type { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { ThreadedDecoder } from './threaded-decoder.js';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

function decoderOf() {
  const threads: Worker[] = [];
  const started = (thread: Worker) => threads.push(thread);
  process.on('worker', started);
  const decoder = new ThreadedDecoder(1_000_000);
  ends.push(async () => {
    process.off('worker', started);
    await decoder.close();
  });
  return { decoder, threads };
}

const COUNT = 100_000;
const numbers = Array.from({ length: COUNT }, (_, index) => index % 1000);

it('decodes an answer of another server, with its JSON and its raw tensors', async () => {
  const { decoder, threads } = decoderOf();
  const outputs = [
    { name: 'x', datatype: 'FP32', shape: [COUNT], data: numbers },
    { name: 'y', datatype: 'INT8', shape: [3], parameters: { binary_data_size: 3 } },
  ];
  const json = Buffer.from(JSON.stringify({ model_name: 'm', outputs }));
  const bytes = Uint8Array.from([...json, 1, 2, 3]);
  const answer = await decoder.decode('answer', { bytes, jsonLength: json.length });
  expect(answer).toEqual({
    modelName: 'm',
    outputs: {
      x: { datatype: 'FP32', shape: [COUNT], data: Float32Array.from(numbers) },
      y: { datatype: 'INT8', shape: [3], data: Int8Array.of(1, 2, 3) },
    },
  });
  expect(bytes.length).toBe(0);
  expect(threads).toHaveLength(1);
});

it('says why an answer cannot be decoded, and decodes the next one in the same thread', async () => {
  const { decoder, threads } = decoderOf();
  const decode = (json: string) => decoder.decode('answer', { bytes: Uint8Array.from(Buffer.from(json)) });
  await expect(decode('{"outputs":1}')).rejects.toMatchObject({ name: 'AppError', code: 'MALFORMED_REQUEST' });
  expect(await decode('{"outputs":[]}')).toEqual({ modelName: '', outputs: {} });
  expect(threads).toHaveLength(1);
});
