import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { endServers, image, RUN, specFor, start } from '../open-inference/server-bench.test-support.js';
import { AcceptPressure } from './accept-pressure.js';
import { AsideTurns } from './aside-turns.js';

afterEach(endServers);

const objects = (count: number): readonly object[] => Array.from({ length: count }, () => ({}));

function bench() {
  const turns: (() => void)[] = [];
  const pressure = { isHigh: false };
  const given: number[] = [];
  const aside = new AsideTurns(pressure, (turn) => turns.push(turn));
  const [connections, calls] = [objects(100), objects(200)];
  const take = (from: number, to: number) => {
    // Two calls of each connection.
    for (let at = from; at < to; at++) {
      aside.take(connections[at >> 1] ?? {}, calls[at] ?? {}, () => given.push(at));
    }
  };
  return { aside, connections, calls, pressure, given, take, turns, nextTurn: () => turns.shift()?.() };
}

it('answers aside are given at once while no new client waits', () => {
  const { take, given, turns } = bench();
  take(0, 100);
  expect(given).toHaveLength(100);
  expect(turns).toEqual([]);
});

it('while new clients wait, two answers aside are given in a turn, to connections in turn, and none to a client that is gone', () => {
  const { aside, connections, calls, pressure, given, take, turns, nextTurn } = bench();
  pressure.isHigh = true;
  take(0, 200);
  expect(given).toEqual([]);
  nextTurn();
  expect(given).toEqual([0, 2]);
  aside.forget(connections[2] ?? {}, calls[4] ?? {});
  nextTurn();
  expect(given).toEqual([0, 2, 5, 6]);
  pressure.isHigh = false;
  nextTurn();
  expect(given).toHaveLength(4 + 64);
  // A later connection does not overtake those that wait.
  aside.take({}, {}, () => given.push(200));
  while (given.length < 200) nextTurn();
  expect(given.slice(0, 100).filter((at) => at % 2 === 1)).toEqual([5]);
  expect(given.indexOf(200)).toBe(167);
  expect(turns).toEqual([]);
});

it('answers aside of one connection can be dropped', () => {
  const { aside, connections, calls, pressure, given, take, turns, nextTurn } = bench();
  pressure.isHigh = true;
  take(0, 6);
  const [first = {}, second = {}, third = {}] = connections;
  expect([...aside.connections]).toEqual([first, second, third]);
  aside.drop(first);
  aside.forget(first, calls[0] ?? {});
  expect([aside.has(first), aside.has(second)]).toEqual([false, true]);
  nextTurn();
  nextTurn();
  expect(given).toEqual([2, 4, 3, 5]);
  expect([aside.has(second), turns]).toEqual([false, []]);
});

it('answers aside still have their turns if giving one fails', () => {
  const { aside, pressure, given, take, turns, nextTurn } = bench();
  pressure.isHigh = true;
  aside.take({}, {}, () => {
    throw new Error('no');
  });
  take(0, 1);
  expect(nextTurn).toThrow('no');
  nextTurn();
  expect(given).toEqual([0]);
  expect(turns).toEqual([]);
});

/** A server whose clients always wait to be accepted. */
async function pressedServer() {
  const pressure = vi.spyOn(AcceptPressure.prototype, 'isHigh', 'get').mockReturnValue(true);
  onTestFinished(() => pressure.mockRestore());
  const take = vi.spyOn(AsideTurns.prototype, 'take');
  onTestFinished(() => take.mockRestore());
  const { server, send } = await start(specFor([image]));
  return { take, server, send };
}

it('answers aside are pages and refusals of invalid requests', async () => {
  const { take, send } = await pressedServer();
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

it('refusals do not wait while the rest of a body is read', async () => {
  const { take, server } = await pressedServer();
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  socket.write(
    `POST ${RUN} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
  );
  const answer = once(socket, 'data');
  const chunk = `${(64 * 1024).toString(16)}\r\n${' '.repeat(64 * 1024)}\r\n`;
  // The limit on JSON is 2 MiB, and the body does not end.
  for (let count = 0; count < 40; count++) socket.write(chunk);
  expect(String((await answer)[0])).toMatch(/^HTTP\/1\.1 413 /);
  expect(take).not.toHaveBeenCalled();
});
