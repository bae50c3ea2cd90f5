/** Slow readers hold bounded memory for a bounded time; answers that they read arrive whole. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, inferHeaders } from '../open-inference/http-bench.test-support.js';
import { type AnswerSink, writeAnswer } from './backpressure.js';
import {
  ANSWER_BYTES,
  body,
  calls,
  clientSession,
  endAll,
  kinds,
  large,
  lengthOf,
  optionsOf,
  PATIENCE_MS,
  readSlowly,
  request,
  silentClient,
  silentSession,
  takeAnswers,
  unlessStalled,
} from './backpressure.test-support.js';

afterEach(endAll);

describe('the writes of an answer', () => {
  const MEBIBYTE = 1024 * 1024;

  /** Records calls; takes everything at once. */
  function recorder() {
    const calls: string[] = [];
    const shown = (chunk: string | Uint8Array | undefined) =>
      chunk === undefined ? '' : typeof chunk === 'string' ? ` text ${chunk.length}` : ` bytes ${chunk.length}`;
    const sink: AnswerSink = {
      write: (chunk) => calls.push(`write${shown(chunk)}`) > 0,
      end: (chunk) => calls.push(`end${shown(chunk)}`),
      cork: () => calls.push('cork'),
      uncork: () => calls.push('uncork'),
      once: () => {},
    };
    return { calls, sink };
  }

  it.each<[string, readonly (string | Uint8Array)[], readonly string[]]>([
    ['one for a text, which stays a string', ['four'], ['end text 4']],
    ['one for a message', [new Uint8Array(9)], ['end bytes 9']],
    ['one for a text and its tensors', ['ab', new Uint8Array(8)], ['cork', 'write text 2', 'end bytes 8', 'uncork']],
    ['one for each MiB', ['x'.repeat(MEBIBYTE + 5)], [`write bytes ${MEBIBYTE}`, 'write bytes 5', 'end']],
  ])('are %s', (_, parts, expected) => {
    const { calls, sink } = recorder();
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    writeAnswer(sink, parts, length);
    expect(calls).toEqual(expected);
  });
});

describe('an answer that nobody reads', () => {
  it.each(kinds)('is cut off after a time, and makes room for the next: %s', async (kind) => {
    const { server, codes } = await large(optionsOf(kind));
    silentClient(server.url);
    await expect.poll(() => codes).toEqual(['OK']);
    silentClient(server.url);
    await expect.poll(() => codes).toEqual(['OK', 'DROPPED']);
    // Meanwhile the first connection is closed, which frees its memory for the next answer.
    await delay(3 * PATIENCE_MS);
    silentClient(server.url);
    await expect.poll(() => codes).toEqual(['OK', 'DROPPED', 'OK']);
  });

  it.each(['/livez', '/v2/models/bench/ready', '/v2/models/bench', '/metrics'])(
    'does not cost those their answer that ask how the server is: %s',
    async (path) => {
      const { server, codes, send } = await large({ maxOutboundBytes: ANSWER_BYTES });
      silentClient(server.url);
      await expect.poll(() => codes).toEqual(['OK']);
      expect((await send(path)).status).toBe(200);
    },
  );

  it('leaves with its client, and with it those that wait behind it', async () => {
    const { server, codes, asked } = await large({ maxOutboundBytes: 2.5 * ANSWER_BYTES, requestTimeoutMs: 60_000 });
    const client = silentClient(server.url, '');
    await takeAnswers(client, 1);
    client.write(request + request);
    await expect.poll(() => codes).toEqual(['OK', 'OK']);
    expect(await asked()).toBe(503);
    client.destroy();
    await expect.poll(asked).toBe(200);
  });

  it('is cut off over HTTP/2, and its stream alone', async () => {
    const { server, codes } = await large(optionsOf('HTTP/1.1 and TLS'));
    const session = silentSession(server.url);
    const { stream } = ask(session, inferHeaders, body);
    stream.on('error', () => {});
    await expect.poll(() => stream.closed).toBe(true);
    expect([stream.rstCode, codes]).toEqual([8, ['OK']]);
    const next = ask(session, inferHeaders, body);
    next.stream.on('error', () => {});
    await expect.poll(() => codes).toEqual(['OK', 'OK']);
  });

  it('is refused over HTTP/2 with a second MiB of metrics on its connection', async () => {
    const metrics = { contentType: 'text/plain', text: async () => 'x'.repeat(700_000) };
    const { server } = await large({ ...optionsOf('HTTP/1.1 and TLS'), requestTimeoutMs: 60_000, metrics });
    const session = silentSession(server.url);
    const status = () => {
      const stream = session.request({ ':path': '/metrics' }).on('error', () => {});
      return once(stream, 'response').then(([headers]) => headers[':status']);
    };
    expect(await status()).toBe(200);
    expect(await status()).toBe(503);
    expect(await lengthOf(clientSession(server.url, 2 ** 20).request({ ':path': '/metrics' }))).toBe(700_000);
  });

  it('is cut off over gRPC, and makes room', async () => {
    const { server, codes } = await large();
    const session = silentSession(`http://${server.grpcAddress}`);
    const call = () => calls.gRPC(session);
    const first = call();
    await expect.poll(() => codes).toEqual(['OK']);
    call();
    await expect.poll(() => codes).toEqual(['OK', 'DROPPED']);
    await expect.poll(() => first.closed).toBe(true);
    expect(first.rstCode).toBe(8);
    call();
    await expect.poll(() => codes).toEqual(['OK', 'DROPPED', 'OK']);
  });
});

describe('an answer that is read slowly', () => {
  it.each(kinds)('comes whole, however long it takes: %s', async (kind) => {
    const { server } = await large(optionsOf(kind));
    const bytesPerMs = ANSWER_BYTES / (4 * PATIENCE_MS);
    const read = () => readSlowly(silentClient(server.url), { bytesPerMs, until: ANSWER_BYTES });
    expect(await unlessStalled(ANSWER_BYTES, read)).toBeGreaterThanOrEqual(ANSWER_BYTES);
  });

  it('comes whole though the server closes meanwhile', async () => {
    // Together, these small answers exceed the buffers: all are written long before the last one has left.
    const [count, answerBytes] = [ANSWER_BYTES / 2 ** 20, 2 ** 20];
    const bytesPerMs = ANSWER_BYTES / PATIENCE_MS;
    const read = async () => {
      let answer = () => {};
      const wait = new Promise<void>((resolve) => {
        answer = resolve;
      });
      const { server, runner, codes } = await large({ answerBytes, wait: () => wait });
      const client = silentClient(server.url, '');
      await takeAnswers(client, count);
      client.write(request.repeat(count));
      await expect.poll(() => runner.inFlight).toBe(count);
      answer();
      await expect.poll(() => codes.length).toBe(count);
      const closed = server.close({ timeoutMs: 20_000 });
      const length = await readSlowly(client, { bytesPerMs, until: ANSWER_BYTES });
      await closed;
      return length;
    };
    expect(await unlessStalled(ANSWER_BYTES, read)).toBeGreaterThanOrEqual(ANSWER_BYTES);
  });
});
