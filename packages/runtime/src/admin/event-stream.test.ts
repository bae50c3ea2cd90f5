import { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AdminBench } from './admin-server.test-support.js';
import { EventFeed } from './event-feed.js';
import { EventStreams } from './event-stream.js';

let bench: AdminBench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const EVENTS = '/admin/events';

/** A client of the stream: the text so far, and a wait for more. */
async function listening(query = '', headers: Record<string, string> = {}) {
  const asked = request(`${bench?.server?.url}${EVENTS}${query}`, { headers, agent: false });
  asked.end();
  const response = await new Promise<IncomingMessage>((resolve) => asked.once('response', resolve));
  let text = '';
  response.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const read = async (pattern: RegExp) => {
    while (!pattern.test(text)) await new Promise((resolve) => response.once('data', resolve));
    return text;
  };
  const ended = new Promise((resolve) => response.once('end', resolve));
  return { response, read, ended, stop: () => asked.destroy() };
}

describe('the event stream', () => {
  it('tells what happens, as server-sent events', async () => {
    bench = await new AdminBench().start();
    const client = await listening();
    expect(client.response.headers['content-type']).toBe('text/event-stream');
    await client.read(/: events\n\n/);
    bench.feed.publish('p', { kind: 'recovered', step: 'store' });
    const text = await client.read(/recovered/);
    expect(text).toContain(
      'id: 1\nevent: recovered\ndata: {"atEpochMs":1000,"pipeline":"p","kind":"recovered","step":"store"}\n\n',
    );
    client.stop();
  });

  it('goes on from where a client was, and for one pipeline only where it wants that', async () => {
    bench = await new AdminBench().start();
    for (const pipeline of ['p', 'q', 'p', 'q']) bench.feed.publish(pipeline, { kind: 'recovered', step: 'store' });
    const client = await listening('?pipeline=p', { 'last-event-id': '1' });
    bench.feed.publish('q', { kind: 'recovered', step: 'apply' });
    bench.feed.publish('p', { kind: 'failed', step: 'apply', error: new Error('no') });
    const text = await client.read(/"message":"no"/);
    expect([...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id)).toEqual(['3', '6']);
    client.stop();
  });

  it.each(['GET', 'HEAD'])('of a pipeline that is not served is none: %s', async (method) => {
    bench = await new AdminBench().start();
    const { status, text } = await bench.send({ method, path: `${EVENTS}?pipeline=typo` });
    expect(status).toBe(404);
    if (method === 'GET') expect(text).toContain('No pipeline of this name is served; served: p.');
  });

  it('is refused to more clients than may listen, and free again when one goes', async () => {
    bench = await new AdminBench().start();
    const clients = await Promise.all(Array.from({ length: 16 }, () => listening()));
    expect(await bench.get(EVENTS)).toMatchObject({ status: 429 });
    clients[0]?.stop();
    let status = 429;
    while (status === 429) {
      const next = await listening();
      status = next.response.statusCode ?? 0;
      next.stop();
    }
    expect(status).toBe(200);
    for (const client of clients) client.stop();
  });

  it('ends with the server', async () => {
    bench = await new AdminBench().start();
    const client = await listening();
    await client.read(/events/);
    await bench.close();
    await client.ended;
  });

  it('ends also for a client that is behind, and tells it nothing of what happens later', async () => {
    const feed = new EventFeed(() => 1);
    const streams = new EventStreams(feed);
    const server = createServer();
    const asked = new Promise<ServerResponse>((resolve) => server.once('request', (_, each) => resolve(each)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    const stream = await asked;
    streams.begin(stream, {});
    const error = new Error('x'.repeat(16_000));
    while (stream.writableLength < 100_000) {
      feed.publish('p', { kind: 'failed', step: 'store', error });
      await new Promise((resolve) => setImmediate(resolve));
    }
    const failed = vi.fn();
    stream.on('error', failed);
    streams.close();
    feed.publish('p', { kind: 'recovered', step: 'store' });
    await new Promise((resolve) => setImmediate(resolve));
    expect([stream.destroyed, failed.mock.calls]).toEqual([false, []]);
    socket.destroy();
    server.close();
  });

  it('cuts off a client that does not take what it is told', () => {
    const feed = new EventFeed(() => 1);
    const streams = new EventStreams(feed);
    const written: string[] = [];
    const emitter = new EventEmitter();
    const response = Object.assign(emitter, {
      writableLength: 0,
      destroyed: false,
      writeHead: () => {},
      write(text: string) {
        written.push(text);
        this.writableLength += text.length;
        return false;
      },
      destroy() {
        this.destroyed = true;
        emitter.emit('close');
      },
    });
    streams.begin(response as unknown as ServerResponse, {});
    const error = new Error('x'.repeat(10_000));
    for (let each = 0; each < 20; each++) feed.publish('p', { kind: 'failed', step: 'store', error });
    expect(response.destroyed).toBe(false);
    for (let each = 0; each < 20; each++) feed.publish('p', { kind: 'failed', step: 'store', error });
    expect(response.destroyed).toBe(true);
    expect(written.length).toBeLessThan(30);
  });
});

describe('the feed', () => {
  it('gives all of its events to a listener that knows an earlier process', () => {
    const feed = new EventFeed(() => 5);
    for (let each = 0; each < 3; each++) feed.publish('p', { kind: 'recovered', step: 'store' });
    expect(feed.since(500).map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  it('remembers the newest events, and of a decision what tells whether to ask for it', () => {
    const feed = new EventFeed(() => 5);
    for (let each = 0; each < 300; each++) feed.publish('p', { kind: 'recovered', step: 'store' });
    expect(feed.since(0).map(({ id }) => id)).toEqual(Array.from({ length: 256 }, (_, index) => 45 + index));
    expect(feed.since(299)).toHaveLength(1);
    expect(feed.since(300)).toHaveLength(0);
    const { bench: played } = new AdminBench().played;
    const heard: unknown[] = [];
    const stop = feed.listen((event) => heard.push(event.facts));
    const forecast = { method: 'm', meanRps: 1, upperRps: 2 };
    const decision = { kind: 'hold', reason: 'good', evidence: { forecast } } as const;
    const observation = played.log.append({ atEpochMs: 1, observation: {} as never }).record.observation;
    feed.publish('p', {
      kind: 'decided',
      record: { id: 3, atEpochMs: 1, trigger: 'plan', mode: 'auto', observation, decision },
    });
    feed.publish('p', { kind: 'amended', id: 3, outcome: { kind: 'applied', tookMs: 4 } });
    stop();
    feed.publish('p', { kind: 'recovered', step: 'store' });
    expect(heard).toEqual([
      { id: 3, trigger: 'plan', mode: 'auto', decision: 'hold', reason: 'good', forecast },
      { id: 3, outcome: { kind: 'applied', tookMs: 4 } },
    ]);
  });
});
