import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { equipoiseHere } from '../run-here.test-support.js';

const opened: Server[] = [];
afterEach(() => {
  for (const server of opened.splice(0)) server.close();
});

const harm = { requests: 9, missed: 9, dropped: 9, failed: 0, late: 0, missedFraction: 1, allowedFraction: 0.01 };
const window = { fromEpochMs: 0, toEpochMs: 1000 };
const healthy = { verdict: 'healthy', ...window, harm, text: 'nothing deviates' };
const incident = {
  ...{
    verdict: 'incident',
    harmful: true,
    ...window,
    episode: window,
    harm,
    cause: 'client',
    summary: 'clients disconnect',
  },
  ...{ firstSignal: { atEpochMs: 0, text: 'clients spoil their requests' }, evidence: [] },
};

interface Heard {
  readonly path: string | undefined;
  readonly body: string;
}

/** The clock of the server is not the clock here. */
const SERVER_NOW = 1_700_000_000_000;

/** An admin port that answers `card`. */
async function adminWith(card: object, names = ['p']) {
  const answers: Readonly<Record<string, object>> = {
    '/admin/pipelines': { pipelines: names.map((name) => ({ name })) },
    '/admin/pipelines/p/counts': { atEpochMs: SERVER_NOW },
  };
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      heard.push({ path: request.url, body });
      response.end(JSON.stringify(answers[request.url ?? ''] ?? card));
    });
  });
  opened.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { heard, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe('equipoise why', () => {
  it('asks for the only pipeline, and exits with 0 if all is well', async () => {
    const { url, heard } = await adminWith(healthy);
    const { exitCode, stdout } = await equipoiseHere('.', 'why', '--admin', url);
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('healthy')]);
    expect(heard.map(({ path }) => path)).toEqual(['/admin/pipelines', '/admin/pipelines/p/why']);
    expect(heard[1]?.body).toBe('{}');
  });

  it('exits with 1 if the SLO was missed, and prints the card as JSON', async () => {
    const { url, heard } = await adminWith(incident);
    const { exitCode, stdout } = await equipoiseHere(
      '.',
      'why',
      'p',
      '--admin',
      url,
      '--from',
      '2026-03-01T12:00:00Z',
      '--to',
      '2026-03-01T12:05:00Z',
      '--json',
    );
    expect([exitCode, JSON.parse(stdout)]).toEqual([1, { pipeline: 'p', card: incident }]);
    const fromEpochMs = Date.UTC(2026, 2, 1, 12);
    expect(JSON.parse(heard[0]?.body ?? '')).toEqual({ fromEpochMs, toEpochMs: fromEpochMs + 300_000 });
  });

  it('takes the length of the window, up to now by the clock of the server', async () => {
    const { url, heard } = await adminWith(healthy);
    await equipoiseHere('.', 'why', 'p', '--admin', url, '--last', '90s');
    expect(JSON.parse(heard[1]?.body ?? '')).toEqual({ fromEpochMs: SERVER_NOW - 90_000, toEpochMs: SERVER_NOW });
  });

  it.each([
    [['--last', 'soon'], 2, /Expected a duration/],
    [['--from', 'yesterday'], 2, /Expected a time/],
    [['--last', '1h', '--from', '2026-03-01T12:00:00Z'], 2, /exclude each other/],
    [['--admin', 'nowhere'], 2, /--admin must be a URL/],
    [['--admin', 'http://127.0.0.1:1'], 3, /No admin port answers/],
  ])('refuses %j', async (flags, code, message) => {
    const { exitCode, stderr } = await equipoiseHere('.', 'why', 'p', ...flags);
    expect([exitCode, stderr]).toEqual([code, expect.stringMatching(message)]);
  });

  it('wants a name if the server has several pipelines', async () => {
    const { url } = await adminWith(healthy, ['p', 'q']);
    expect(await equipoiseHere('.', 'why', '--admin', url)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('p, q'),
    });
  });
});
