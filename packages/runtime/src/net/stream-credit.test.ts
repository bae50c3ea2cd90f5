import { constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { HttpBench } from '../open-inference/http-bench.test-support.js';
import { StreamCredit, TurnNumber } from './stream-credit.js';

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_STREAM_CLOSED } = constants;
const answered = { rstCode: 0, headersSent: true };
const cancelled = { rstCode: NGHTTP2_CANCEL, headersSent: false };

/** Number of streams until the credit is used up. */
function most(credit: StreamCredit, stream: { rstCode: number; headersSent: boolean }, atOnce: boolean): number {
  for (let count = 1; count <= 5000; count++) if (!credit.count(stream, atOnce)) return count;
  return Number.POSITIVE_INFINITY;
}

describe('the credit of a connection', () => {
  it('ends with 64 streams that are reset at once', () => {
    expect(most(new StreamCredit(), cancelled, true)).toBe(64);
  });

  it('lasts for all streams that the client resets later, as after their deadline', () => {
    expect(most(new StreamCredit(), cancelled, false)).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([NGHTTP2_PROTOCOL_ERROR, NGHTTP2_STREAM_CLOSED])(
    'ends with 8 streams that broke the protocol: %i',
    (rstCode) => {
      expect(most(new StreamCredit(), { rstCode, headersSent: true }, false)).toBe(8);
    },
  );

  it('grows by answers, up to 1,000', () => {
    const credit = new StreamCredit();
    for (let count = 0; count < 10; count++) credit.count(answered, true);
    expect(most(credit, cancelled, true)).toBe(74);
    const busy = new StreamCredit();
    for (let count = 0; count < 5000; count++) busy.count(answered, false);
    expect(most(busy, cancelled, true)).toBe(1000);
  });

  it('is good after an answer, and while no more streams are wasted than answered', () => {
    const credit = new StreamCredit();
    expect(credit.isGood).toBe(false);
    credit.count(answered, false);
    expect(credit.isGood).toBe(true);
    credit.count(cancelled, true);
    expect(credit.isGood).toBe(true);
    credit.count(cancelled, true);
    expect(credit.isGood).toBe(false);
  });
});

it('a turn has a number until the next one', () => {
  const turns: (() => void)[] = [];
  const turn = new TurnNumber((next) => turns.push(next));
  const first = turn.now;
  expect(turn.now).toBe(first);
  expect(turns).toHaveLength(1);
  turns.shift()?.();
  expect(turn.now).toBe(first + 1);
  expect(turns).toHaveLength(1);
});

const FRAME = { headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7 } as const;

function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A client that writes frames itself: that of Node would never send a stream that is reset at once. */
class RawClient {
  readonly #socket: Socket;
  readonly #read: [type: number, payload: Buffer][] = [];
  #rest = Buffer.alloc(0);
  #stream = 1;
  isClosed = false;

  constructor(address = '') {
    this.#socket = connect(Number(address.split(':').at(-1)), '127.0.0.1');
    this.#socket
      .on('error', () => {})
      .on('close', () => {
        this.isClosed = true;
      });
    this.#socket.on('data', (bytes) => this.#take(bytes));
    this.#socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(FRAME.settings, 0, 0)]));
  }

  /** Sends requests in one piece; each is reset at once, or complete. */
  send(count: number, end: 'reset' | 'complete'): void {
    const path = Buffer.from('/inference.GRPCInferenceService/ModelInfer');
    // POST, http, the authority "a" and the path, by the static table of HPACK.
    const headers = Buffer.concat([Buffer.of(0x83, 0x86, 0x01, 1, 0x61, 0x04, path.length), path]);
    const frames = Array.from({ length: count }, () => {
      const id = this.#stream;
      this.#stream += 2;
      const isComplete = end === 'complete';
      const request = frame(FRAME.headers, isComplete ? 5 : 4, id, headers);
      return isComplete ? request : Buffer.concat([request, frame(FRAME.reset, 0, id, Buffer.of(0, 0, 0, 8))]);
    });
    this.#socket.write(Buffer.concat(frames));
  }

  ping(): void {
    this.#socket.write(frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
  }

  payloads(type: number): readonly Buffer[] {
    return this.#read.filter(([each]) => each === type).map(([, payload]) => payload);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const end = 9 + (this.#rest.length < 9 ? 0 : this.#rest.readUIntBE(0, 3));
      if (this.#rest.length < end) return;
      this.#read.push([this.#rest.readUInt8(3), this.#rest.subarray(9, end)]);
      this.#rest = this.#rest.subarray(end);
    }
  }
}

describe('a client that opens streams and resets them at once', () => {
  const bench = new HttpBench();
  afterEach(() => bench.end());

  const start = async () => {
    const refused: string[] = [];
    const { server } = await bench.start({ grpcPort: 0, onRefusal: (kind) => refused.push(kind) });
    const client = new RawClient(server.grpcAddress);
    onTestFinished(() => client.destroy());
    return { client, refused };
  };

  it('is told to be calm, and its connection is closed', async () => {
    const { client, refused } = await start();
    client.send(200, 'reset');
    await expect.poll(() => client.isClosed).toBe(true);
    // If the server closes before it has read all, the client may not get the GOAWAY.
    const [code = NGHTTP2_ENHANCE_YOUR_CALM] = client.payloads(FRAME.goaway).map((goaway) => goaway.readUInt32BE(4));
    expect([code, refused]).toEqual([NGHTTP2_ENHANCE_YOUR_CALM, ['calm']]);
  });

  it('keeps its connection if it has taken as many answers', async () => {
    const { client, refused } = await start();
    client.send(100, 'complete');
    await expect.poll(() => client.payloads(FRAME.headers).length).toBe(100);
    client.send(100, 'reset');
    client.ping();
    await expect.poll(() => client.payloads(FRAME.ping).length).toBe(1);
    expect([client.isClosed, refused]).toEqual([false, []]);
  });
});
