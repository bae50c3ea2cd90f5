import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpBench } from '../open-inference/http-bench.test-support.js';
import { PipelinedCalls } from './pipelined-calls.js';

describe('calls of one connection', () => {
  let begun: number[];
  let answered: number[];
  let hasUnsent: boolean;
  let bytesRead: number;
  let calls: PipelinedCalls;
  let responses: FakeResponse[];

  class FakeResponse extends EventEmitter {
    socket: object | null = null;
    writableFinished = false;
  }

  beforeEach(() => {
    begun = [];
    answered = [];
    responses = [];
    hasUnsent = false;
    bytesRead = 0;
    calls = new PipelinedCalls({
      begin: (call) => call(),
      hasUnsent: () => hasUnsent,
      bytesRead: () => bytesRead,
    });
  });

  const send = (count = 1) => {
    for (let i = 0; i < count; i++) {
      const number = responses.length;
      const response = new FakeResponse();
      responses.push(response);
      calls.add(
        response as unknown as ServerResponse,
        () => answered.push(number),
        () => begun.push(number),
      );
    }
  };
  const answer = (number: number, isTaken = true) => {
    const response = responses[number];
    if (response === undefined) throw new Error('no such response');
    response.writableFinished = isTaken;
    response.emit('close');
  };

  it('begin one at a time, and one more for each answer taken', () => {
    send(20);
    expect(begun).toEqual([0]);
    answer(0);
    expect(begun).toEqual([0, 1, 2]);
    answer(1);
    answer(2);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(calls.unanswered).toBe(17);
    expect(answered).toEqual([0, 1, 2]);
  });

  it('are at most 64 at a time', () => {
    send();
    for (let number = 0; number < 100; number++) {
      answer(number);
      send();
    }
    send(100);
    expect(begun).toHaveLength(100 + 64);
  });

  it('wait while the client takes no answers', () => {
    send(2);
    answer(0);
    answer(1);
    hasUnsent = true;
    send(3);
    expect(begun).toEqual([0, 1, 2]);
    hasUnsent = false;
    answer(2);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
  });

  it('do not earn more by answers that are not taken', () => {
    send(3);
    answer(0, false);
    expect(begun).toEqual([0, 1]);
    // A call with the connection to itself does not wait.
    hasUnsent = true;
    answer(1, false);
    expect(begun).toEqual([0, 1, 2]);
  });

  it('count the bytes that arrive while they wait', () => {
    const waitingBytes: number[] = [];
    for (let number = 0; number < 4; number++) {
      bytesRead += 100;
      send();
      waitingBytes.push(calls.waitingBytes);
    }
    expect(waitingBytes).toEqual([0, 0, 100, 200]);
    answer(0);
    expect(calls.waitingBytes).toBe(0);
  });

  it('are told of the end of the connection, unless Node tells them', () => {
    send();
    answer(0);
    send(3);
    const [, first] = responses;
    if (first === undefined) throw new Error('no response');
    first.socket = {};
    const told = responses.map((response) => {
      const state = { closed: 0 };
      response.on('close', () => state.closed++);
      return state;
    });
    expect(begun).toEqual([0, 1, 2]);
    calls.closed();
    expect(told.map(({ closed }) => closed)).toEqual([0, 0, 1, 1]);
    answer(1);
    expect([begun, calls.unanswered]).toEqual([[0, 1, 2], 0]);
  });
});

describe('a client that pipelines', () => {
  const bench = new HttpBench();
  afterEach(() => bench.end());

  const LIVE = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n';
  const ANSWERS = 'GET /v1/pipelines/bench/answers HTTP/1.1\r\nhost: x\r\n\r\n';
  const listen = async (url: string) => {
    const answer = await fetch(`${url}/v1/pipelines/bench/answers`);
    await answer.body?.cancel();
    return answer.status;
  };

  it('leaves no stream of answers behind, also not one behind another answer', async () => {
    const { server } = await bench.start();
    for (let client = 0; client < 16; client++) {
      const socket = bench.socket(server);
      socket.write(LIVE);
      await once(socket, 'data');
      // Both streams begin; the second has no connection while the first lasts.
      socket.write(ANSWERS.repeat(2));
      await once(socket, 'data');
      socket.destroy();
    }
    await expect.poll(() => listen(server.url)).toBe(200);
  });

  it('costs one call while it reads nothing', async () => {
    let renderings = 0;
    const text = 'x'.repeat(8 * 1024 * 1024);
    const { server } = await bench.start({
      metrics: {
        contentType: 'text/plain',
        text: async () => {
          renderings++;
          return text;
        },
      },
    });
    const socket = bench.socket(server);
    socket.pause();
    socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(50));
    const others = bench.socket(server);
    for (let turn = 0; turn < 20; turn++) {
      others.write(LIVE);
      await once(others, 'data');
    }
    expect(renderings).toBe(1);
  });
});
