import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError } from '@equipoise/core/model';
import { afterEach, expect, it } from 'vitest';
import type { AnswerDecoder } from './inference-client.js';
import { openInferenceClient } from './open-inference-client.js';

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

/** Client of a server with this answer, and the lengths of the JSON that its decoder got. */
async function clientOf(body: string, headers: Readonly<Record<string, string>>, decode: AnswerDecoder) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200, headers).end(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const lengths: number[] = [];
  const decodeLarge: AnswerDecoder = (answer) => {
    lengths.push(answer.jsonLength ?? answer.bytes.length);
    return decode(answer);
  };
  const client = openInferenceClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { decodeLarge });
  opened.push(
    () => client.close(),
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return { infer: () => client.infer('m', { inputs: {} }), lengths };
}

const LARGE = 300_000;
const decoded = { modelName: 'decoded elsewhere', outputs: {} };
const json = '{"outputs":[]}';

it('large JSON is decoded by the given decoder', async () => {
  const { infer, lengths } = await clientOf(json.padEnd(LARGE), {}, async () => decoded);
  expect(await infer()).toBe(decoded);
  expect(lengths).toEqual([LARGE]);
});

it('small JSON is decoded here, also in front of large raw tensors', async () => {
  const tensor = `{"outputs":[{"name":"x","datatype":"INT8","shape":[${LARGE}],"parameters":{"binary_data_size":${LARGE}}}]}`;
  const headers = { 'inference-header-content-length': String(tensor.length) };
  const { infer, lengths } = await clientOf(tensor + '\0'.repeat(LARGE), headers, async () => decoded);
  expect((await infer()).outputs['x']?.shape).toEqual([LARGE]);
  expect(lengths).toEqual([]);
});

it('what the decoder refuses is a failure of the server', async () => {
  const { infer } = await clientOf(json.padEnd(LARGE), {}, async () => {
    throw new AppError('MALFORMED_REQUEST', 'The field outputs is odd.');
  });
  const message = expect.stringMatching(/cannot be read.*odd/);
  await expect(infer()).rejects.toMatchObject({ code: 'STAGE_FAILED', message });
});
