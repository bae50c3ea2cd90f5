import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { SeededRng } from '@equipoise/core/model';
import { afterEach, describe, expect, it } from 'vitest';
import { Cancellation } from '../data-plane/cancellation.js';
import { servingSpec } from '../data-plane/serving-bench.test-support.js';
import { HttpBench, INFER_PATH, inferBody } from './http-bench.test-support.js';
import { type SharedOutcome, TrafficShare, type TrafficShareOptions } from './traffic-share.js';

const bench = new HttpBench();
const others: Server[] = [];

afterEach(async () => {
  shared.length = 0;
  await bench.end();
  for (const server of others.splice(0)) server.closeAllConnections();
});

/** A scripted server, and its address. */
async function other(answer: (response: ServerResponse, body: string) => void): Promise<string> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => {
      body += part;
    });
    request.on('end', () => answer(response, body));
  });
  others.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const shared: SharedOutcome[] = [];
const share = (url: string, fraction = 1): TrafficShareOptions => ({
  ...{ url, fraction, rng: new SeededRng(1) },
  onShared: (outcome) => shared.push(outcome),
});

const infer = (url: string, headers: Readonly<Record<string, string>> = {}, signal: AbortSignal | null = null) =>
  fetch(`${url}${INFER_PATH}`, {
    ...{ method: 'POST', body: inferBody, signal },
    headers: { 'content-type': 'application/json', ...headers },
  });

/** A port without a listener. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a share of the requests', () => {
  it('is answered by the other server, with its own words', async () => {
    const asked: string[] = [];
    const url = await other((response, body) => {
      asked.push(`${response.req.method} ${response.req.url} ${response.req.headers['x-request-id']} ${body}`);
      response.writeHead(418, { 'content-type': 'text/plain', 'retry-after': '7', 'x-own': 'kept' }).end('other');
    });
    const counted: string[] = [];
    const { server, runner } = await bench.start({ share: share(url), onAnswer: ({ code }) => counted.push(code) });
    const answer = await infer(server.url, { 'x-request-id': 'mine' });
    expect([answer.status, await answer.text()]).toEqual([418, 'other']);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      ...{ 'content-type': 'text/plain', 'retry-after': '7', 'x-own': 'kept', 'x-request-id': 'mine' },
    });
    expect(asked).toEqual([`POST ${INFER_PATH} mine ${inferBody}`]);
    // Counts neither as an arrival nor as an answer of this server.
    expect([runner.statistics.total.arrived, counted, shared]).toEqual([0, [], ['answered']]);
  });

  it('is as large as it is said to be, by chance', async () => {
    const url = await other((response) => response.end('other'));
    const { server } = await bench.start({ share: share(url, 0.3) });
    const texts = await Promise.all(Array.from({ length: 200 }, async () => (await infer(server.url)).text()));
    const there = texts.filter((text) => text === 'other').length;
    expect(there).toBeGreaterThan(40);
    expect(there).toBeLessThan(80);
  });

  it('passes raw tensors on and back', async () => {
    const { server: peer } = await bench.start();
    const { server, runner } = await bench.start({ share: share(peer.url) });
    const json = JSON.stringify({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } }],
      parameters: { binary_data_output: true },
    });
    const body = Buffer.concat([Buffer.from(json), Buffer.from(new Float32Array([2.5]).buffer)]);
    const headers = {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(json.length),
    };
    const answer = await fetch(`${server.url}${INFER_PATH}`, { method: 'POST', body, headers });
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(answer.status).toBe(200);
    expect(bytes.readFloatLE(Number(answer.headers.get('inference-header-content-length')))).toBe(2.5);
    expect(runner.statistics.total.arrived).toBe(0);
  });

  it.each([
    ['an error of its own', (response: ServerResponse) => response.writeHead(503).end('{}')],
    ['no answer', (response: ServerResponse) => response.destroy()],
    ['half an answer', (response: ServerResponse) => response.writeHead(200, { 'content-length': 9 }).write('half')],
  ] as const)('is answered here where the other server gives %s', async (what, answer) => {
    const url = await other((response) => {
      answer(response);
      if (what === 'half an answer') setTimeout(() => response.destroy(), 20);
    });
    const { server } = await bench.start({ share: share(url) });
    const answered = await infer(server.url);
    expect(answered.status).toBe(200);
    expect(await answered.json()).toMatchObject({ model_name: 'bench' });
    expect(shared).toEqual(['returned']);
  });

  it.each([401, 429])(
    'is answered here where the other server says %d to it, which its client was not told here',
    async (status) => {
      const url = await other((response) => response.writeHead(status).end('{}'));
      const { server } = await bench.start({ share: share(url) });
      expect((await infer(server.url)).status).toBe(200);
      expect(shared).toEqual(['returned']);
    },
  );

  it('is answered here where nobody listens', async () => {
    const { server } = await bench.start({ share: share('http://127.0.0.1:9') });
    expect((await infer(server.url)).status).toBe(200);
  });

  it('has the time that is left where the other server was silent for too long, which is in its latency and misses the SLO', async () => {
    const { server, runner } = await bench.start({ share: share(await other(() => {})), sloLatencyMs: 400 });
    const run = (timeoutMs: number) =>
      fetch(`${server.url}/v1/pipelines/bench/run?timeout_ms=${timeoutMs}`, { method: 'POST', body: 'x' });
    const [inTime, late] = await Promise.all([run(60_000), run(1000)]);
    expect([inTime.status, late.status]).toEqual([200, 504]);
    expect(((await inTime.json()) as { latencyMs: number }).latencyMs).toBeGreaterThan(1900);
    expect(runner.statistics.total).toMatchObject({ arrived: 2, completed: 1, withinSlo: 0 });
    expect(runner.statistics.total.dropped['deadline-passed']).toBe(1);
  });

  it('is not passed on again, neither to and fro nor to who passes it on to himself', async () => {
    const ports = await Promise.all([freePort(), freePort()]);
    const [first, second] = await Promise.all(
      ports.map((port, index) => bench.start({ port, share: share(`http://127.0.0.1:${ports[1 - index]}`) })),
    );
    const alone = await freePort();
    const itself = await bench.start({ port: alone, share: share(`http://127.0.0.1:${alone}`) });
    expect((await infer(first?.server.url ?? '')).status).toBe(200);
    expect((await infer(itself.server.url)).status).toBe(200);
    const arrived = [first, second, itself].map((one) => one?.runner.statistics.total.arrived);
    expect([arrived, shared]).toEqual([
      [0, 1, 1],
      ['answered', 'answered'],
    ]);
  });

  it('neither arrives here nor counts as an answer where its client goes away meanwhile', async () => {
    const counted: string[] = [];
    const onAnswer = ({ code }: { readonly code: string }) => counted.push(code);
    let isThere = false;
    const silent = await other(() => {
      isThere = true;
    });
    const { server, runner } = await bench.start({ share: share(silent), onAnswer });
    const client = new AbortController();
    const asked = infer(server.url, {}, client.signal).catch(() => {});
    await expect.poll(() => isThere).toBe(true);
    client.abort();
    await asked;
    await expect.poll(() => shared).toEqual(['abandoned']);
    expect([runner.statistics.total.arrived, counted]).toEqual([0, []]);
  });

  it('keeps no more bodies than it may while the other server is silent: the next are answered here', async () => {
    let asked = 0;
    const silent = await other(() => {
      asked += 1;
    });
    const { server } = await bench.start({ share: share(silent), maxInboundBytes: 1.5 * inferBody.length });
    const client = new AbortController();
    const first = infer(server.url, {}, client.signal).catch(() => {});
    await expect.poll(() => asked).toBe(1);
    expect((await infer(server.url)).status).toBe(200);
    expect([asked, shared]).toEqual([1, []]);
    client.abort();
    await first;
    // Ended requests have freed capacity.
    await expect.poll(() => shared).toEqual(['abandoned']);
    const again = new AbortController();
    const third = infer(server.url, {}, again.signal).catch(() => {});
    await expect.poll(() => asked).toBe(2);
    again.abort();
    await third;
    await expect.poll(() => shared).toEqual(['abandoned', 'abandoned']);
  });

  it('takes no endless answer of the other server', async () => {
    let sent = 0;
    const part = Buffer.alloc(64 * 1024);
    const url = await other((response) => {
      const more = () => {
        do sent += part.length;
        while (!response.destroyed && response.write(part));
      };
      response.on('drain', more).writeHead(200);
      more();
    });
    const { server } = await bench.start({ share: share(url), maxInboundBytes: 1e6 });
    expect(await (await infer(server.url)).json()).toMatchObject({ model_name: 'bench' });
    expect(shared).toEqual(['returned']);
    // The kernel's buffers hold additional bytes.
    expect(sent).toBeLessThan(30e6);
  });

  it('leaves everything but inference here', async () => {
    const { server } = await bench.start({ share: share(await other((response) => response.end('other'))) });
    expect(await (await fetch(`${server.url}/v2/models/bench`)).json()).toMatchObject({ name: 'bench' });
  });
});

describe('TrafficShare', () => {
  const spec = servingSpec([], { slo: { latencyMs: 100, percentile: 99 } });
  const runner = { spec, nowMs: 0 };

  it.each([
    ['https://a:1', 0.5],
    ['http://a:1/path', 0.5],
    ['http://a:1', 0],
    ['http://a:1', 1.5],
  ])('refuses %s with %s', (url, fraction) => {
    expect(() => new TrafficShare(share(url, fraction), runner, 1e6)).toThrow(
      expect.objectContaining({ code: 'WRONG_USAGE' }),
    );
  });

  it('waits for so many at once: the next is answered here', async () => {
    let asked = 0;
    const url = await other(() => {
      asked += 1;
    });
    // The SLO sets the patience, so that no request comes back before the last one is there.
    const patient = { spec: { ...spec, slo: { latencyMs: 600_000, percentile: 99 } }, nowMs: 0 };
    const sharing = new TrafficShare(share(url), patient, 1e6);
    const signal = new Cancellation();
    const call = { requestId: 'r', headers: {}, signal, readBody: async () => new Uint8Array(1) } as never;
    const endpoint = async () => ({ status: 200, text: 'here' });
    const answer = () => sharing.answer({ method: 'POST', target: '/' }, call, endpoint);
    const away = Array.from({ length: 500 }, answer);
    await expect.poll(() => asked).toBe(500);
    expect(await answer()).toEqual({ answer: { status: 200, text: 'here' }, isOwn: true });
    signal.abort();
    expect((await Promise.all(away)).some(({ isOwn }) => isOwn)).toBe(false);
  });

  it('passes on nothing whose client went away while its body was read', async () => {
    let asked = 0;
    const url = await other((response) => {
      asked += 1;
      response.end('{}');
    });
    const signal = new Cancellation();
    const readBody = async () => {
      signal.abort();
      return new Uint8Array(1);
    };
    const call = { requestId: 'r', headers: {}, signal, readBody } as never;
    const endpoint = async () => ({ status: 200, text: 'here' });
    const answer = await new TrafficShare(share(url), runner, 1e6).answer(
      { method: 'POST', target: '/' },
      call,
      endpoint,
    );
    expect([answer.isOwn, asked, shared]).toEqual([true, 0, []]);
  });

  it('survives another server that answers and closes before it has read a large body', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown) => uncaught.push(error);
    process.on('uncaughtExceptionMonitor', note);
    const hasty = createTcpServer((socket) => {
      socket.on('error', () => {});
      let isAnswered = false;
      socket.on('data', () => {
        if (isAnswered) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
        isAnswered = true;
      });
    });
    await new Promise<void>((resolve) => hasty.listen(0, '127.0.0.1', resolve));
    const sharing = new TrafficShare(share(`http://127.0.0.1:${(hasty.address() as AddressInfo).port}`), runner, 1e9);
    const readBody = async () => new Uint8Array(16e6);
    const call = { requestId: 'r', headers: {}, signal: new Cancellation(), readBody } as never;
    const endpoint = async () => ({ status: 200, text: 'here' });
    const answer = await sharing.answer({ method: 'POST', target: '/' }, call, endpoint);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([answer.isOwn, uncaught]).toEqual([false, []]);
    process.off('uncaughtExceptionMonitor', note);
    sharing.close();
    hasty.close();
  });

  it('refuses a pipeline whose stages may not run twice', () => {
    const stages = [{ id: 'once', idempotent: false }] as never;
    expect(() => new TrafficShare(share('http://a:1'), { ...runner, spec: { ...spec, stages } }, 1e6)).toThrow(
      /once is not idempotent/,
    );
  });
});
