import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { monotonicClock } from './alarm-clock.js';

it('never rings early, nor inside the call, nor when taken back', async () => {
  const early: number[] = [];
  let rings = 0;
  const ring = (atMs: number) => {
    rings += 1;
    if (monotonicClock.nowMs() < atMs) early.push(atMs);
  };
  await new Promise<void>((resolve) => {
    const startMs = monotonicClock.nowMs();
    for (let i = -5; i < 60; i++) {
      const atMs = startMs + i * 0.37;
      monotonicClock.ringAt(atMs, () => ring(atMs));
    }
    monotonicClock.ringAt(startMs + 1, () => ring(Number.NaN))();
    expect(rings).toBe(0);
    monotonicClock.ringAt(startMs + 40, resolve);
  });
  expect([rings, early]).toEqual([65, []]);
});

it('rings behind a message that came while the thread was busy with a socket', async () => {
  const { port1, port2 } = new MessageChannel();
  const order: string[] = [];
  port2.on('message', () => order.push('message'));
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  client.write('request');
  await once(socket, 'readable');
  const atMs = monotonicClock.nowMs() + 5;
  const rung = new Promise<void>((resolve) => {
    monotonicClock.ringAt(atMs, () => resolve(void order.push('alarm')));
  });
  socket.read();
  socket.once('readable', () => {
    port1.postMessage('answer');
    while (monotonicClock.nowMs() < atMs + 5);
  });
  client.write('another');
  await rung;
  for (const end of [port1, socket, client]) 'close' in end ? end.close() : end.destroy();
  server.close();
  expect(order).toEqual(['message', 'alarm']);
});
