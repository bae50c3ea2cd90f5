/** `serve --front-processes`: real processes behind one port, which die, are told to stop and count together. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Serving, syntheticPipeline } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

const FRONTS = 2;
/** Of a request to the pipeline `slow`. */
const SLOW_MS = 1000;
/** A client that hears nothing for so long is forgotten. */
const HANGS_MS = 20_000;
const { equipoise, folder, serve } = serveTests({
  'quick.yaml': syntheticPipeline({ name: 'quick', latencyMs: 5000 }),
  'slow.yaml': syntheticPipeline({ name: 'slow', latencyMs: 20_000, largeMs: SLOW_MS }),
});

function start(file: string, ...args: string[]): Promise<Serving> {
  return serve(file, '--front-processes', String(FRONTS), ...args);
}

/** The processes that a process has started. */
function childrenOf(pid: number): readonly number[] {
  try {
    return execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
  } catch {
    // pgrep ends with 1 where there are none.
    return [];
  }
}

interface Reply {
  readonly status: number;
  /** What becomes of the connection. */
  readonly connection: string | undefined;
  readonly text: string;
}

/** A request over a connection of its own, or one of `agent`; rejects where the connection ends. */
async function ask(
  url: string,
  {
    body,
    token,
    agent = new Agent(),
  }: { readonly body?: string; readonly token?: string; readonly agent?: Agent } = {},
): Promise<Reply> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const sent = request(url, { method: body === undefined ? 'GET' : 'POST', headers, agent });
  sent.setTimeout(HANGS_MS, () => sent.destroy(new Error(`nothing came for ${HANGS_MS} ms`)));
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  return { status: answer.statusCode ?? 0, connection: answer.headers.connection, text };
}

/** The value of a series on the metrics page. */
async function metric(url: string, series: string): Promise<number> {
  const { text } = await ask(`${url}/metrics`);
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length) ?? 0);
}

const ended = (outcome: string, reason: string, pipeline: string): string =>
  `equipoise_requests_total{outcome="${outcome}",reason="${reason}",pipeline="${pipeline}"}`;

describe('front processes', { timeout: 60_000 }, () => {
  it('serve one port, and their counts are one', async () => {
    const { command, url } = await start('quick.yaml', '--max-body-bytes', '1000');
    expect(childrenOf(command.pid)).toHaveLength(FRONTS);
    const run = `${url}/v1/pipelines/quick/run`;
    const replies = await Promise.all(Array.from({ length: 10 }, () => ask(run, { body: 'x' })));
    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect((await ask(run, { body: 'x'.repeat(1001) })).status).toBe(413);
    expect((await ask(`${url}/readyz`)).status).toBe(200);
    expect(await metric(url, ended('completed', '', 'quick'))).toBe(10);
    await expect
      .poll(() => metric(url, 'equipoise_answers_total{protocol="rest",code="OK",pipeline="quick"}'))
      .toBe(10);
    expect(await metric(url, 'equipoise_answers_total{protocol="rest",code="BODY_TOO_LARGE",pipeline="quick"}')).toBe(
      1,
    );
  });

  it('are started again when they are killed, which costs their own clients alone', async () => {
    const { command, url } = await start('slow.yaml');
    const run = `${url}/v1/pipelines/slow/run`;
    const [victim] = childrenOf(command.pid) as [number];
    // Connections go to the fronts in turns, so that each front has one of these.
    const inside = [0, 1].map(() => ask(run, { body: 'x' }).catch((error: NodeJS.ErrnoException) => error.code));
    await expect.poll(() => metric(url, 'equipoise_requests_in_flight{pipeline="slow"}')).toBe(2);
    process.kill(victim, 'SIGKILL');
    const ends = await Promise.all(inside);
    expect(ends.map((end) => (typeof end === 'object' ? end.status : end)).sort()).toEqual([200, 'ECONNRESET']);
    expect(await metric(url, ended('dropped', 'cancelled', 'slow'))).toBe(1);
    expect(await metric(url, ended('completed', '', 'slow'))).toBe(1);
    await command.said(/a front process was ended by SIGKILL; another is started/);
    await expect.poll(() => childrenOf(command.pid).length).toBe(FRONTS);
    const replies = await Promise.all(Array.from({ length: 4 }, () => ask(run, { body: 'x' })));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  it('are all killed and come back on the same port', async () => {
    const { command, url } = await start('quick.yaml');
    const status = () =>
      ask(`${url}/v1/pipelines/quick/run`, { body: 'x' }).then(
        (reply) => reply.status,
        (error: Error) => (error.message.startsWith('nothing came') ? 'hangs' : 'closed'),
      );
    // Each is handed a connection that it does not accept any more; others wait until one of them is free.
    for (const pid of childrenOf(command.pid)) process.kill(pid, 'SIGSTOP');
    const statuses = Promise.all(Array.from({ length: 20 }, status));
    await setTimeout(200);
    for (const pid of childrenOf(command.pid)) process.kill(pid, 'SIGKILL');
    expect((await statuses).filter((one) => one !== 'closed')).toEqual([]);
    await expect.poll(status, { timeout: 10_000 }).toBe(200);
  });

  it('cancel the request of a client that goes away', async () => {
    const { url } = await start('slow.yaml');
    const agent = new Agent();
    const given = ask(`${url}/v1/pipelines/slow/run`, { body: 'x', agent }).catch(() => {});
    await expect.poll(() => metric(url, 'equipoise_requests_in_flight{pipeline="slow"}')).toBe(1);
    agent.destroy();
    await given;
    await expect.poll(() => metric(url, ended('dropped', 'cancelled', 'slow'))).toBe(1);
  });

  it('finish what is inside when the server is stopped, and end with it', async () => {
    const { command, url } = await start('slow.yaml');
    const fronts = childrenOf(command.pid);
    const inside = ask(`${url}/v1/pipelines/slow/run`, { body: 'x' });
    await expect.poll(() => metric(url, 'equipoise_requests_in_flight{pipeline="slow"}')).toBe(1);
    // As a service manager does it: to all of them.
    for (const pid of fronts) process.kill(pid, 'SIGTERM');
    command.signal('SIGTERM');
    expect((await inside).status).toBe(200);
    expect(await command.ended).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/stopped\n$/) });
    expect(fronts.filter(isRunning)).toEqual([]);
  });

  it('let go who has kept a connection before the server closes', async () => {
    const { command, url } = await start('quick.yaml');
    const kept = Array.from({ length: 2 * FRONTS }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    const asked = () => Promise.all(kept.map((agent) => ask(`${url}/v1/pipelines/quick/run`, { body: 'x', agent })));
    expect((await asked()).map(({ connection }) => connection)).toEqual(kept.map(() => 'keep-alive'));
    command.signal('SIGTERM');
    await expect.poll(async () => (await ask(`${url}/readyz`)).status, { interval: 10 }).toBe(503);
    expect(await asked()).toMatchObject(kept.map(() => ({ status: 200, connection: 'close' })));
    expect((await command.ended).exitCode).toBe(0);
  });

  it('end when the server is killed', async () => {
    const { command } = await start('quick.yaml');
    const fronts = childrenOf(command.pid);
    expect(fronts).toHaveLength(FRONTS);
    command.signal('SIGKILL');
    await command.ended;
    await expect.poll(() => fronts.filter(isRunning)).toEqual([]);
  });

  it('hold the limit of a tenant together, and know a token file that is read anew', async () => {
    folder.write('tokens', 'north n-1 rps=0.001 burst=3');
    const { command, url } = await start('quick.yaml', '--token-file', 'tokens');
    const run = `${url}/v1/pipelines/quick/run`;
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await ask(run, { body: 'x', token: 'n-1' })).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429]);
    expect((await ask(run, { body: 'x' })).status).toBe(401);
    folder.write('tokens', 'south s-1');
    command.signal('SIGHUP');
    await command.said(/the token file has changed/);
    const asked = () => Promise.all(['n-1', 's-1', 's-1'].map((token) => ask(run, { body: 'x', token })));
    await expect.poll(async () => (await asked()).map(({ status }) => status)).toEqual([401, 200, 200]);
  });

  it('do not start on a port that is taken', async () => {
    const { url } = await start('quick.yaml');
    const { port } = new URL(url);
    const args = ['serve', 'slow.yaml', '--admin-port', '0', '--front-processes', '2', '--port', port];
    expect(await equipoise(...args)).toMatchObject({ exitCode: 3, stderr: expect.stringContaining(port) });
  });
});

/** Whether a process runs; one that has ended and that nobody has asked about does not. */
function isRunning(pid: number): boolean {
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z');
  } catch {
    // ps ends with 1 where there is none.
    return false;
  }
}
