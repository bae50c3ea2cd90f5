import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpBench, INFER_PATH, inferBody } from './http-bench.test-support.js';

const bench = new HttpBench();

afterEach(() => bench.end());

/** One request over the connections of `agent`, read to its end. */
async function send(agent: Agent, url: string, body?: string): Promise<IncomingMessage> {
  const sent = request(url, { agent, method: body === undefined ? 'GET' : 'POST' }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  await response.resume().toArray();
  return response;
}

describe('a server that leaves', () => {
  it('answers who has kept a connection, tells him that it closes, and is not ready', async () => {
    const { server } = await bench.start();
    const [kept, probes] = [new Agent({ keepAlive: true, maxSockets: 1 }), new Agent()];
    const infer = () => send(kept, `${server.url}${INFER_PATH}`, inferBody);
    expect((await infer()).headers.connection).toBe('keep-alive');
    let over = false;
    const left = server.leave(10_000).then(() => {
      over = true;
    });
    expect((await send(probes, `${server.url}/readyz`)).statusCode).toBe(503);
    expect(over).toBe(false);
    expect(await infer()).toMatchObject({ statusCode: 200, headers: { connection: 'close' } });
    await left;
    await server.close();
    kept.destroy();
  });

  it('waits for nobody where no connection is open, and for silent ones only so long', async () => {
    const { server } = await bench.start();
    await server.leave(10_000);
    const { server: other } = await bench.start();
    const silent = bench.socket(other);
    await once(silent, 'connect');
    await other.leave(50);
    await other.close({ timeoutMs: 50 });
    expect(silent.destroyed || (await once(silent, 'close'))).toBeTruthy();
  });
});
