import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError, type Tensor } from '@equipoise/core/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cancellation } from '../data-plane/cancellation.js';
import { HttpBench } from './http-bench.test-support.js';
import { LargeAnswers, largeJsonBytes } from './large-answers.js';

describe('large answers', () => {
  const turns: (() => void)[] = [];
  let nowMs = 0;
  let answers: LargeAnswers;

  beforeEach(() => {
    turns.length = nowMs = 0;
    answers = new LargeAnswers({ nextTurn: (turn) => turns.push(turn), nowMs: () => nowMs });
  });

  /** Pieces that take a millisecond each. */
  function* pieces(count: number, written: number[] = []) {
    for (let piece = 0; piece < count; piece++) {
      nowMs++;
      written.push(piece);
      yield `${piece};`;
    }
  }
  const call = () => ({ connection: {}, signal: new Cancellation() });
  /** Runs a turn of the event loop. */
  const turn = async () => {
    await nextTurn();
    turns.shift()?.();
  };

  it('are written in slices of 4 ms, one in each turn, and take turns', async () => {
    const [first, second]: [number[], number[]] = [[], []];
    const texts = [answers.write(call(), 1, pieces(6, first)), answers.write(call(), 1, pieces(5, second))];
    for (const lengths of [
      [4, 0],
      [4, 4],
      [6, 4],
      [6, 5],
    ]) {
      await turn();
      expect([first.length, second.length]).toEqual(lengths);
    }
    const joined = (await Promise.all(texts)).map((json) => Buffer.concat(json).toString());
    expect(joined).toEqual(['0;1;2;3;4;5;', '0;1;2;3;4;']);
    expect(turns).toEqual([]);
  });

  it('end when their clients go away', async () => {
    const gone = call();
    const answer = answers.write(gone, 1, pieces(9));
    await turn();
    gone.signal.abort();
    await turn();
    await expect(answer).rejects.toMatchObject({ details: { reason: 'cancelled' } });
    expect(turns).toEqual([]);
  });

  it('are dropped if too many wait, and written again later', async () => {
    const half = 40 * 1024 * 1024;
    const first = answers.write(call(), half, pieces(1));
    await expect(answers.write(call(), half, pieces(1))).rejects.toBeInstanceOf(AppError);
    await turn();
    await first;
    const later = answers.write(call(), half, pieces(1));
    await turn();
    expect(await later).toHaveLength(1);
  });

  it('are those with many numbers, not texts', () => {
    const numbers = (length: number): Tensor => ({ datatype: 'FP32', shape: [length], data: new Float32Array(length) });
    const texts: Tensor = { datatype: 'BYTES', shape: [9000], data: Array.from({ length: 9000 }, () => '') };
    expect(largeJsonBytes([numbers(8000), texts])).toBeUndefined();
    expect(largeJsonBytes([numbers(8000), numbers(8000), texts])).toBe(64_000);
  });
});

describe('a server with a large answer', () => {
  const bench = new HttpBench();
  afterEach(() => bench.end());

  it.each(['/v2/models/bench/infer', '/v1/pipelines/bench/run'])('answers other clients first: %s', async (path) => {
    const ends: string[] = [];
    let probe = () => {};
    const { server } = await bench.start({ wait: async () => probe() });
    const [large, other] = [bench.socket(server), bench.socket(server)];
    const first = (name: string, socket: typeof large) =>
      new Promise<void>((resolve) => {
        socket.once('data', () => {
          ends.push(name);
          resolve();
        });
      });
    // The connection of the probe is accepted before.
    other.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n');
    await first('before', other);
    probe = () => other.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n');
    const json = JSON.stringify({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [500_000], parameters: { binary_data_size: 2_000_000 } }],
    });
    const isV2 = path.startsWith('/v2');
    const body = Buffer.concat([Buffer.from(isV2 ? json : ''), Buffer.alloc(2_000_000, 1)]);
    large.write(
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\ncontent-length: ${body.length}\r\n${
        isV2 ? `inference-header-content-length: ${json.length}\r\n` : ''
      }\r\n`,
    );
    large.write(body);
    await Promise.all([first('large', large), first('probe', other)]);
    expect(ends).toEqual(['before', 'probe', 'large']);
  });
});
