/** Pages of other origins, in a real browser on this machine, try every way to reach the admin port. */
import { type ChildProcess, spawn } from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, chromiumOptions, chromiumPath, describeWithTool } from '@equipoise/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { adminRoutes } from './admin-routes.js';
import { AdminBench } from './admin-server.test-support.js';

const routes = [...adminRoutes, { method: 'GET', path: '/metrics' }, { method: 'GET', path: '/admin/events' }].map(
  ({ method, path }) => ({
    method: method as keyof typeof WAYS,
    path: path.replace('{pipeline}', 'p').replace('{decision}', '1'),
  }),
);
const page = readFileSync(new URL('foreign-page.html', import.meta.url));
/** Number of ways to send a request, by method. */
const WAYS = { GET: 7, POST: 3 } as const;

describeWithTool(chromium, 'the admin port and a page of another origin', () => {
  const statuses = new Map<string, number>();
  let bench: AdminBench;
  let pages: Server;
  let profile: string;
  let child: ChildProcess | undefined;

  const noteAnswer = (message: unknown): void => {
    const { request, response } = message as { readonly request: IncomingMessage; readonly response: ServerResponse };
    if (request.socket.localPort !== Number(new URL(bench.server?.url ?? '').port)) return;
    const key = `${request.method} ${response.statusCode}`;
    statuses.set(key, (statuses.get(key) ?? 0) + 1);
  };

  beforeEach(async () => {
    bench = await new AdminBench().start({ metrics: { contentType: 'text/plain', text: async () => '' } });
    pages = createServer().listen(0, '127.0.0.1');
    await once(pages, 'listening');
    profile = mkdtempSync(join(tmpdir(), 'equipoise-browser-'));
    statuses.clear();
    diagnostics.subscribe('http.server.response.finish', noteAnswer);
  });

  afterEach(async () => {
    diagnostics.unsubscribe('http.server.response.finish', noteAnswer);
    await endBrowser();
    pages.closeAllConnections();
    pages.close();
    await bench.close();
    removeProfile();
  });

  /** Ends the browser's process group, not only its main process. */
  const endBrowser = async (): Promise<void> => {
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    process.kill(-child.pid, 'SIGKILL');
    await exited;
  };

  /** A process of the browser that is still ending may write once more. What it leaves is no failure. */
  const removeProfile = (): void => {
    try {
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    } catch {
      process.stderr.write(`${profile} is left\n`);
    }
  };

  it.each(['127.0.0.1', 'localhost'])(
    'refuses all that a page of %s sends',
    async (host) => {
      const before = await bench.get('/admin/pipelines/p');
      statuses.clear();
      const report = new Promise<string>((resolve) => {
        pages.on('request', (request, response) => {
          response.setHeader('content-type', 'text/html');
          if (request.url === '/targets') response.end(JSON.stringify({ admin: bench.server?.url, routes }));
          else if (request.url !== '/report') response.end(page);
          else request.setEncoding('utf8').once('data', resolve);
        });
      });
      const { port } = pages.address() as AddressInfo;
      const options = ['--headless', ...chromiumOptions, '--no-first-run', `--user-data-dir=${profile}`];
      child = spawn(chromiumPath ?? '', [...options, `http://${host}:${port}/`], { stdio: 'ignore', detached: true });
      const tried = routes.reduce((sum, { method }) => sum + WAYS[method], 0);
      expect(JSON.parse(await report)).toEqual({ tried, read: [] });
      // Preflights (OPTIONS) are refused by method. No other status was sent.
      expect([...statuses.keys()].sort()).toEqual(['GET 403', 'OPTIONS 405', 'POST 403']);
      expect((await bench.get('/admin/pipelines/p')).json).toEqual(before.json);
      expect(bench.cleared).toEqual([]);
    },
    180_000,
  );
});
