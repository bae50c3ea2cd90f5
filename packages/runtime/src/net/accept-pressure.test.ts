import { EventEmitter } from 'node:events';
import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { AcceptPressure } from './accept-pressure.js';
import { smallPort } from './connection-limit.js';
import { startHttpServer } from './http-server.js';
import { SOCKETS_PER_PORT } from './listen.js';

it('new clients count as waiting for 100 ms after a turn in which each socket had one', async () => {
  let nowMs = 0;
  const pressure = new AcceptPressure(() => nowMs);
  const server = new EventEmitter();
  pressure.watch(server as never, 2);
  server.emit('connection');
  expect(pressure.isHigh).toBe(false);
  server.emit('connection');
  nowMs = 99;
  expect(pressure.isHigh).toBe(true);
  nowMs = 100;
  expect(pressure.isHigh).toBe(false);
  for (let turn = 0; turn < 2; turn++) {
    await setImmediate();
    server.emit('connection');
  }
  expect(pressure.isHigh).toBe(false);
});

it.runIf(SOCKETS_PER_PORT.http > 1)('an HTTP port tells that new clients wait', async () => {
  const pressure = new AcceptPressure(() => 0);
  const place = { host: '127.0.0.1', port: 0 };
  const server = await startHttpServer({ place, requestTimeoutMs: 60_000, limits: smallPort, pressure }, () => {});
  onTestFinished(() => server.close(0));
  const { port } = new URL(server.url);
  const sockets = Array.from({ length: 1000 }, () => connect(Number(port), place.host).on('error', () => {}));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await expect.poll(() => pressure.isHigh).toBe(true);
});
