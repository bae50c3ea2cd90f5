/** Slow readers that share a connection, with waits of seconds. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ANSWER_BYTES,
  calls,
  clientSession,
  endAll,
  large,
  lengthOf,
  optionsOf,
  PATIENCE_MS,
  readSlowly,
  request,
  silentClient,
  slowLink,
} from './backpressure.test-support.js';

afterEach(endAll);

describe('an answer that is read slowly', () => {
  it('waits behind one that is still to come, however long that takes', async () => {
    let batches = 0;
    const wait = () => delay(batches++ === 0 ? 8 * PATIENCE_MS : 0);
    const { server } = await large({ wait, replicas: 2, maxOutboundBytes: 3 * ANSWER_BYTES });
    const client = silentClient(server.url, request + request);
    const until = 2 * ANSWER_BYTES;
    expect(await readSlowly(client, { bytesPerMs: ANSWER_BYTES, until })).toBeGreaterThanOrEqual(until);
  });

  it('leaves its connection to the request behind it, however long that takes', async () => {
    let batches = 0;
    const wait = () => delay(batches++ === 0 ? 0 : 8 * PATIENCE_MS);
    const { server } = await large({ wait, maxOutboundBytes: 3 * ANSWER_BYTES });
    const client = silentClient(server.url, request);
    setTimeout(() => client.write(request), PATIENCE_MS / 4);
    const until = 2 * ANSWER_BYTES;
    expect(await readSlowly(client, { bytesPerMs: ANSWER_BYTES, until })).toBeGreaterThanOrEqual(until);
  });
});

/** Largest window of an HTTP/2 client: the server sends everything at once. */
const ALL = 2 ** 31 - 1;

describe('answers that share a connection of HTTP/2', () => {
  const [answerBytes, count, patienceMs] = [2 ** 20 - 4096, 24, 1000];
  const many = (link: 'plain' | 'TLS' = 'plain') =>
    large({
      ...{ answerBytes, requestTimeoutMs: patienceMs, maxOutboundBytes: 2 * count * answerBytes },
      ...(link === 'TLS' && optionsOf('HTTP/1.1 and TLS')),
    });

  it.each([
    ['HTTP/2', 'TLS', 65_535],
    ['HTTP/2', 'TLS', ALL],
    ['gRPC', 'plain', 65_535],
    ['gRPC', 'plain', ALL],
    ['gRPC', 'TLS', ALL],
  ] as const)('come whole over a slow link, however many there are: %s, %s, window %d', async (kind, link, window) => {
    const { server } = await many(link);
    const { port } = new URL(kind === 'gRPC' ? `http://${server.grpcAddress}` : server.url);
    // Slow enough that all answers together take twice the patience.
    const url = await slowLink(Number(port), (bytes) => delay((bytes * 2 * patienceMs) / (count * answerBytes)));
    const session = clientSession(link === 'TLS' ? url.replace('http:', 'https:') : url, window);
    await once(session, 'connect');
    session.setLocalWindowSize(window);
    const lengths = await Promise.all(Array.from({ length: count }, () => lengthOf(calls[kind](session))));
    expect(lengths.filter((length) => length < answerBytes)).toEqual([]);
  });

  it.each([
    ['gRPC', 'plain'],
    ['HTTP/2', 'TLS'],
  ] as const)('are dropped with it when it stands still, whatever was granted: %s, %s', async (kind, link) => {
    const { server, codes } = await many(link);
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { port } = new URL(kind === 'gRPC' ? `http://${server.grpcAddress}` : server.url);
    const url = await slowLink(Number(port), () => (codes.length === 0 ? delay(0) : opened));
    const session = clientSession(link === 'TLS' ? url.replace('http:', 'https:') : url, ALL);
    await once(session, 'connect');
    session.setLocalWindowSize(ALL);
    const lengths = Promise.all(Array.from({ length: count }, () => lengthOf(calls[kind](session))));
    await expect.poll(() => codes.length).toBe(count);
    await delay(2 * patienceMs);
    open();
    // Bytes in connection buffers still arrive.
    expect((await lengths).filter((length) => length < answerBytes).length).toBeGreaterThan(count / 3);
  });

  it.each(['HTTP/2', 'gRPC'] as const)('cost the one its place that is not read: %s', async (kind) => {
    const { server } = await many(kind === 'gRPC' ? 'plain' : 'TLS');
    const session = clientSession(kind === 'gRPC' ? `http://${server.grpcAddress}` : server.url, 65_535);
    const unread = calls[kind](session).pause();
    const lengths: number[] = [];
    const since = performance.now();
    while (!unread.closed && performance.now() - since < 20 * patienceMs) {
      lengths.push(await lengthOf(calls[kind](session)));
    }
    expect([unread.closed, unread.rstCode]).toEqual([true, 8]);
    expect(lengths.filter((length) => length < answerBytes)).toEqual([]);
  });
});
