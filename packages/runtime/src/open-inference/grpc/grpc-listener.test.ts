import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ANSWER_BYTES, calls, clientSession, endAll, slowLink } from '../../net/backpressure.test-support.js';
import { smallPort } from '../../net/connection-limit.js';
import { listenForCalls } from './grpc-listener.js';

afterEach(async () => {
  vi.useRealTimers();
  await endAll();
});

/** A port whose client stops reading within its answer, so the server waits to write. */
async function unread() {
  let closed: Promise<unknown> | undefined;
  const limits = smallPort;
  const port = await listenForCalls({ place: { host: '127.0.0.1', port: 0 }, tls: undefined, limits }, ({ stream }) => {
    const { session } = stream;
    if (session !== undefined) closed = once(session, 'close');
    stream.respond();
    stream.end(Buffer.alloc(ANSWER_BYTES));
  });
  let block = () => {};
  const blocked = new Promise<void>((resolve) => {
    block = resolve;
  });
  const url = await slowLink(Number(new URL(`http://${port.address}`).port), (bytes) => {
    if (bytes < 1024) return Promise.resolve();
    block();
    return new Promise(() => {});
  });
  const session = clientSession(url, 2 ** 31 - 1);
  await once(session, 'connect');
  session.setLocalWindowSize(2 ** 31 - 1);
  calls.gRPC(session);
  await blocked;
  return { port, closed };
}

describe('a connection whose client reads no answer', () => {
  it('is cut off if the client answers no ping', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    const { port, closed } = await unread();
    vi.advanceTimersByTime(60_000 + 20_000);
    await closed;
    await port.close(0);
  });

  it('does not delay the close of its port', async () => {
    const { port } = await unread();
    expect(await port.close(0)).toBeUndefined();
  });
});
