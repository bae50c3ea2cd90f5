import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { awaitReady } from './await-ready.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

/** Answers `/readyz` with the statuses in turn, then with the last one. */
async function serverWith(...statuses: readonly number[]) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const status = statuses[Math.min(asked.length, statuses.length - 1)] as number;
    asked.push(request.url ?? '');
    response.writeHead(status).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/pipelines/p/run` };
}

describe('awaitReady', () => {
  it('waits until the server is ready, and says so once', async () => {
    const { asked, url } = await serverWith(503, 503, 200);
    let waits = 0;
    await awaitReady(url, new AbortController().signal, () => waits++);
    expect([asked, waits]).toEqual([['/readyz', '/readyz', '/readyz'], 1]);
  });

  it.each([200, 404, 401])('does not wait for a server that answers %i', async (status) => {
    const { asked, url } = await serverWith(status);
    await awaitReady(url, new AbortController().signal, () => expect.unreachable());
    expect(asked).toHaveLength(1);
  });

  it('does not wait for a server that is not there', async () => {
    await awaitReady('http://127.0.0.1:1/v1/x', new AbortController().signal, () => expect.unreachable());
  });

  it('ends if it is interrupted', async () => {
    const { url } = await serverWith(503);
    const interrupting = new AbortController();
    await awaitReady(url, interrupting.signal, () => interrupting.abort());
  });
});
