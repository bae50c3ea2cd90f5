import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { beforeEach, expect, it } from 'vitest';
import { type Http1Connection, Http1Connections } from './http1-connections.js';
import type { PipelinedCalls } from './pipelined-calls.js';

let nowMs: number;
let closed: string[];
let connections: Http1Connections;

beforeEach(() => {
  nowMs = 0;
  closed = [];
  connections = new Http1Connections(() => nowMs);
});

/** A connection that notes its end as `NAME closed` or `NAME refused`. */
function open(name: string) {
  const calls = { unanswered: 0 };
  const socket = {
    bytesRead: 100,
    writable: true,
    destroy: () => closed.push(`${name} closed`),
    end: (answer: string) => closed.push(`${name} refused ${answer.slice(9, 12)}`),
  };
  connections.add(socket as unknown as Socket, calls as unknown as PipelinedCalls);
  const ask = (complete = true): (() => void) => {
    const response = { headersSent: false, req: { complete } } as unknown as ServerResponse;
    const connection = connections.get(socket as unknown as Socket) as Http1Connection;
    const answered = connections.noteRequest(connection, socket as unknown as Socket, response);
    calls.unanswered++;
    return () => {
      calls.unanswered--;
      answered();
    };
  };
  return { socket, ask };
}

it('closes connections that are idle for long, first those without a request, the longest first', () => {
  const [first, second, waiting] = [open('first'), open('second'), open('waiting')];
  const answerFirst = first.ask();
  const answerSecond = second.ask();
  waiting.ask();
  open('silent');
  answerSecond();
  nowMs = 1;
  answerFirst();
  open('young');
  nowMs = 1000;
  expect([connections.closeIdle(), connections.closeIdle(), connections.closeIdle()]).toEqual([true, true, false]);
  expect(closed).toEqual(['silent closed', 'second closed']);
  expect(connections.refuseSlow()).toBe(false);
  expect([connections.closeIdle(0), connections.closeIdle(0), connections.closeIdle(0)]).toEqual([true, true, false]);
  expect(closed.slice(2)).toEqual(['young closed', 'first closed']);
});

it('keeps a connection that is asked again', () => {
  const { ask } = open('asked');
  ask()();
  ask();
  nowMs = 10_000;
  expect([connections.closeIdle(), connections.refuseSlow(), connections.closeIdle(0)]).toEqual([false, false, false]);
});

it.each([
  ['a young request', { ageMs: 999, bytes: 0 }, false],
  ['a request without a byte for a second', { ageMs: 1000, bytes: 0 }, true],
  ['a request of 16 bytes per millisecond', { ageMs: 2000, bytes: 32_000 }, false],
  ['a slower request', { ageMs: 2000, bytes: 31_999 }, true],
])('%s', (_, { ageMs, bytes }, isRefused) => {
  const { socket, ask } = open('it');
  ask(false);
  nowMs += ageMs;
  socket.bytesRead += bytes;
  expect(connections.refuseSlow()).toBe(isRefused);
  expect(closed).toEqual(isRefused ? ['it refused 408'] : []);
  expect(connections.refuseSlow()).toBe(false);
});

it('refuses no request that is complete, and none behind another one', () => {
  open('complete').ask();
  const { ask } = open('pipelined');
  ask(false);
  ask(false);
  nowMs = 60_000;
  expect(connections.refuseSlow()).toBe(false);
});

it('looks at a part of the connections, and at others next time', () => {
  for (let index = 0; index < 100; index++) open(`complete ${index}`).ask();
  open('slow').ask(false);
  nowMs = 1000;
  expect([connections.refuseSlow(), connections.refuseSlow()]).toEqual([false, true]);
  expect(closed).toEqual(['slow refused 408']);
});
