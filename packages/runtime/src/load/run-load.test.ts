import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deterministicArrivals } from '@equipoise/core/simulate';
import { afterEach, describe, expect, it } from 'vitest';
import { runLoad } from './run-load.js';

const servers: Server[] = [];

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const bodies = ['a', 'b'].map((text) => ({ contentType: 'text/plain', bytes: new TextEncoder().encode(text) }));

describe('runLoad', () => {
  afterEach(() => {
    for (const server of servers.splice(0)) server.closeAllConnections();
  });

  it('sends every request with the bodies in turn and counts ends by status', async () => {
    const seen: string[] = [];
    const statuses = [200, 503, 500, 504, 429];
    const url = await serve((request, response) => {
      let text = '';
      request.on('data', (chunk: Uint8Array) => {
        text += chunk.toString();
      });
      request.on('end', () => {
        response.statusCode = statuses[seen.push(text) - 1] ?? 200;
        response.end();
      });
    });
    const result = await runLoad({ url, arrivals: deterministicArrivals(50, 120), bodies, timeoutMs: 2000 });
    expect(seen.toSorted()).toEqual(['a', 'a', 'a', 'b', 'b', 'b']);
    expect(result).toMatchObject({
      sent: 6,
      ok: 2,
      dropped: 3,
      failed: 1,
      byStatus: { 200: 2, 503: 1, 500: 1, 504: 1, 429: 1 },
    });
  });

  it.each([
    ['a header name with a space', 'POST', 'content type', 'text/plain'],
    ['a header with a line break', 'POST', 'x-note', 'a\nb'],
    ['a method with a space', 'PO ST', 'x-note', 'a'],
  ])('refuses %s before it sends anything', async (_, method, name, value) => {
    const url = 'http://127.0.0.1:1/';
    const targets = [{ method, url, headers: { [name]: [value] }, bytes: new Uint8Array() }];
    const load = { url, targets, arrivals: deterministicArrivals(50, 20), bodies: [], timeoutMs: 1000 };
    await expect(runLoad(load)).rejects.toMatchObject({
      code: 'WRONG_USAGE',
      message: expect.stringContaining(`The request ${method} ${url} cannot be sent: `),
    });
  });

  it('sends headers as vegeta does: a host, a name in two spellings, letters in UTF-8', async () => {
    const seen: unknown[] = [];
    const url = await serve(({ headers, rawHeaders }, response) => {
      const notes = rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === 'x-note');
      seen.push([headers.host, notes.map((note) => Buffer.from(note, 'latin1').toString())]);
      response.end();
    });
    const headers = { Host: ['shelf.example', 'other'], 'X-Note': ['1'], 'x-note': ['ä€'], 'x-none': [] };
    const targets = [{ method: 'GET', url, headers, bytes: new Uint8Array() }];
    const load = { url, targets, arrivals: deterministicArrivals(50, 20), bodies: [], timeoutMs: 1000 };
    expect(await runLoad(load)).toMatchObject({ sent: 1, ok: 1 });
    expect(seen).toEqual([['shelf.example', ['1', 'ä€']]]);
  });

  it('tells how much of what was sent was answered within the SLO, drops as misses', async () => {
    let arrived = 0;
    const url = await serve((request, response) => {
      request.resume();
      arrived += 1;
      response.statusCode = arrived === 2 ? 503 : 200;
      setTimeout(() => response.end(), arrived === 3 ? 300 : 0);
    });
    const load = { url, arrivals: deterministicArrivals(20, 200), bodies, timeoutMs: 2000, sloLatencyMs: 150 };
    expect(await runLoad(load)).toMatchObject({ sent: 4, ok: 3, dropped: 1, sloAttainmentFraction: 0.5 });
  });

  it('sends the parts of a request under one id, and counts it once, from its last part', async () => {
    const waiting = new Map<string, () => void>();
    let requests = 0;
    const url = await serve((request, response) => {
      request.resume();
      const id = String(request.headers['x-request-id']);
      const other = waiting.get(id);
      waiting.set(id, () => response.end());
      if (other === undefined) return;
      requests += 1;
      response.statusCode = requests === 2 ? 503 : 200;
      for (const end of [other, () => response.end()]) end();
    });
    const parts = ['left', 'right'].map((name) => ({ name, url: `${url}${name}`, bodies }));
    const result = await runLoad({
      url,
      bodies,
      arrivals: deterministicArrivals(50, 60),
      timeoutMs: 10_000,
      parts,
      partDelaysMs: () => [200, 0],
    });
    expect(waiting.size).toBe(3);
    expect(result).toMatchObject({ sent: 3, ok: 2, dropped: 1, failed: 0, byStatus: { 200: 2, 503: 1 } });
  });

  it('leaves parts out, and sends parts of a source with arrivals and keys of its own', async () => {
    const seen: string[] = [];
    const url = await serve((request, response) => {
      request.resume();
      seen.push(`${request.url} ${String(request.headers['x-request-id']).replace(/^load-.*-/, '')}`);
      response.statusCode = request.url === '/slow' ? 200 : 404;
      response.end();
    });
    const delays = [
      [0, undefined, undefined],
      [undefined, undefined, undefined],
      [undefined, 0, undefined],
    ];
    const own = { ...deterministicArrivals(100, 35), nextKey: () => 7 };
    const part = (name: string) => ({ name, url: `${url}${name}`, bodies });
    const result = await runLoad({
      url,
      bodies,
      arrivals: deterministicArrivals(100, 30),
      timeoutMs: 10_000,
      keys: 2,
      parts: [part('left'), part('right'), { ...part('slow'), own }],
      partDelaysMs: () => delays.shift() ?? [],
    });
    expect(seen.sort()).toEqual(['/left key-0', '/right key-1', ...Array(4).fill('/slow key-7')]);
    expect(result).toMatchObject({
      sent: 2,
      failed: 2,
      parts: {
        left: { sent: 1, byStatus: { 404: 1 } },
        right: { sent: 1, byStatus: { 404: 1 } },
        slow: { sent: 4, byStatus: { 200: 4 } },
      },
    });
  });

  it('keeps sending while the server stalls, and counts latency from the scheduled instant', async () => {
    let arrived = 0;
    const held: (() => void)[] = [];
    const url = await serve((_, response) => {
      arrived += 1;
      held.push(() => response.end());
      if (arrived === 10) for (const release of held) release();
    });
    const result = await runLoad({ url, arrivals: deterministicArrivals(50, 200), bodies, timeoutMs: 5000 });
    expect(result.ok).toBe(10);
    expect(result.latencyMs.max).toBeGreaterThan(150);
  });

  it('ends where nobody listens if it is to, but not for a server that has answered', async () => {
    const refused = { url: 'http://127.0.0.1:1/', bodies, timeoutMs: 1000, stopsUnreachable: true };
    await expect(runLoad({ ...refused, arrivals: deterministicArrivals(20, 60_000) })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('nobody listens on 127.0.0.1:1 (ECONNREFUSED)'),
    });
    const url = await serve((_, response) => {
      response.setHeader('connection', 'close').end();
      servers[0]?.close();
    });
    const ended = await runLoad({ ...refused, url, arrivals: deterministicArrivals(20, 200) });
    expect(ended).toMatchObject({ sent: 4, ok: 1, byStatus: { ECONNREFUSED: 3 } });
  });

  it('tells the first refusal, and ends where every answer says the same if it is to', async () => {
    let arrived = 0;
    const refusing = await serve((request, response) => {
      request.resume();
      arrived += 1;
      response.statusCode = 404;
      response.end(JSON.stringify({ error: { code: 'NOT_FOUND', message: `nothing here, said ${arrived}` } }));
    });
    const load = { url: refusing, bodies, timeoutMs: 5000 };
    const stopped = await runLoad({ ...load, stopsRefused: true, arrivals: deterministicArrivals(100, 600_000) });
    expect(stopped).toMatchObject({
      ok: 0,
      cutShort: 'refused',
      firstRefusal: { status: 404, message: 'nothing here, said 1' },
    });
    expect(stopped.sent).toBeGreaterThanOrEqual(20);
    const whole = await runLoad({ ...load, arrivals: deterministicArrivals(200, 200) });
    expect(whole.sent).toBe(40);
    expect(whole.cutShort).toBeUndefined();
  });

  it.each([
    ['an answer with success', 200],
    ['another failure', 500],
  ])('goes on after %s among the refusals', async (_, status) => {
    let arrived = 0;
    const mixed = await serve((request, response) => {
      request.resume();
      arrived += 1;
      response.statusCode = arrived === 1 ? status : 422;
      response.end('{"error":"no such input"}');
    });
    const load = { url: mixed, bodies, timeoutMs: 5000, stopsRefused: true };
    const result = await runLoad({ ...load, arrivals: deterministicArrivals(200, 200) });
    expect(result).toMatchObject({ sent: 40, firstRefusal: { message: 'no such input' } });
    expect(result.cutShort).toBeUndefined();
  });

  it('ends when it is told to, with what was sent until then', async () => {
    const url = await serve((_, response) => response.end());
    const load = { url, arrivals: deterministicArrivals(100, 600_000), bodies, timeoutMs: 1000 };
    const result = await runLoad({ ...load, signal: AbortSignal.timeout(300) });
    expect(result.sent).toBeGreaterThan(0);
    expect(result).toMatchObject({ cutShort: 'interrupted', ok: result.sent, failed: 0 });
  });

  it('counts a request without an answer as failed: refused, cut off, too late', async () => {
    const cutting = await serve((request) => request.socket.destroy());
    const silent = await serve(() => {});
    const refused = 'http://127.0.0.1:1/';
    for (const [url, code] of [
      [cutting, 'ECONNRESET'],
      [silent, 'TIMEOUT'],
      [refused, 'ECONNREFUSED'],
    ] as const) {
      const result = await runLoad({ url, arrivals: deterministicArrivals(100, 20), bodies, timeoutMs: 100 });
      expect(result).toMatchObject({ sent: 2, ok: 0, failed: 2, byStatus: { [code]: 2 } });
    }
  });

  it('never sends before the scheduled instant', async () => {
    const early: number[] = [];
    const url = await serve((_, response) => response.end());
    const startedAtMs = performance.now();
    let dueMs = 0;
    const nextAtMs = () => {
      if (performance.now() < startedAtMs + dueMs) early.push(dueMs);
      dueMs += 2.6;
      return dueMs < 80 ? dueMs : undefined;
    };
    expect(await runLoad({ url, arrivals: { nextAtMs }, bodies, timeoutMs: 1000 })).toMatchObject({ sent: 30, ok: 30 });
    expect(early).toEqual([]);
  });

  it.each(['https://127.0.0.1/', 'localhost:80', ''])('refuses the address %j', async (url) => {
    const load = runLoad({ url, arrivals: deterministicArrivals(1, 1), bodies, timeoutMs: 100 });
    await expect(load).rejects.toMatchObject({ code: 'WRONG_USAGE' });
  });
});
