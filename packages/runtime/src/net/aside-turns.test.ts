import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { endServers, image, RUN, specFor, start } from '../open-inference/server-bench.test-support.js';
import { acceptPressure } from './accept-pressure.js';
import { AsideTurns, asideTurns } from './aside-turns.js';
import { smallPort } from './connection-limit.js';
import { startHttpServer } from './http-server.js';

afterEach(endServers);

function bench() {
  const turns: (() => void)[] = [];
  const pressure = { isHigh: false };
  const given: number[] = [];
  const aside = new AsideTurns(pressure, (turn) => turns.push(turn));
  const calls = Array.from({ length: 200 }, () => ({}));
  const take = (from: number, to: number) => {
    for (let at = from; at < to; at++) aside.take(calls[at] ?? {}, () => given.push(at));
  };
  return { aside, calls, pressure, given, take, nextTurn: () => turns.shift()?.() };
}

it('answers aside are given at once while no new client waits', () => {
  const { take, given, nextTurn } = bench();
  take(0, 100);
  expect(given).toHaveLength(100);
  expect(nextTurn()).toBeUndefined();
});

it('while new clients wait, two answers aside are given in a turn, in order, and none to a client that is gone', () => {
  const { aside, calls, pressure, given, take, nextTurn } = bench();
  pressure.isHigh = true;
  take(0, 200);
  expect(given).toEqual([]);
  nextTurn();
  expect(given).toEqual([0, 1]);
  aside.forget(calls[2] ?? {});
  nextTurn();
  expect(given).toEqual([0, 1, 3, 4]);
  pressure.isHigh = false;
  nextTurn();
  expect(given).toHaveLength(4 + 64);
  // Later answers do not overtake those that wait.
  aside.take({}, () => given.push(200));
  while (given.length < 200) nextTurn();
  expect(given.at(-1)).toBe(200);
});

it('answers aside are pages and refusals of invalid requests', async () => {
  const { send } = await start(specFor([image]));
  const take = vi.spyOn(asideTurns, 'take');
  onTestFinished(() => take.mockRestore());
  const asked = [
    ['/livez', 200],
    ['/v2', 200],
    ['/nowhere', 404],
    [RUN, 200, { body: 'a', headers: { 'content-type': 'image/png' } }],
    [RUN, 415, { body: 'a', headers: { 'content-type': 'text/plain' } }],
  ] as const;
  const aside: number[] = [];
  for (const [path, status, more] of asked) {
    take.mockClear();
    expect((await send(path, more)).status).toBe(status);
    aside.push(take.mock.calls.length);
  }
  expect(aside).toEqual([0, 1, 1, 0, 1]);
});

describe('while new clients wait to be accepted', () => {
  async function begunCalls() {
    const isHigh = vi.spyOn(acceptPressure, 'isHigh', 'get').mockReturnValue(true);
    onTestFinished(() => isHigh.mockRestore());
    const begun: string[] = [];
    const place = { host: '127.0.0.1', port: 0 };
    const server = await startHttpServer(
      { place, requestTimeoutMs: 60_000, limits: smallPort },
      ({ request, response }) => {
        begun.push(request.url ?? '');
        response.end();
      },
    );
    onTestFinished(() => server.close(0));
    const connected = (path: string) => {
      const socket = connect(Number(new URL(server.url).port), place.host).on('error', () => {});
      onTestFinished(() => void socket.destroy());
      return { socket, request: `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n` };
    };
    return { begun, connected };
  }

  it('the first request of a connection does not begin if its client has left', async () => {
    const { begun, connected } = await begunCalls();
    const { socket: gone, request } = connected('/gone');
    gone.resume().end(request);
    await once(gone, 'close');
    const { socket: patient, request: first } = connected('/patient');
    patient.write(first);
    await once(patient, 'data');
    expect(begun).toEqual(['/patient']);
  });
});
