import { once } from 'node:events';
import { connect, createServer, type ListenOptions, Server, type Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { listen, SOCKETS_PER_PORT } from './listen.js';

const place = { host: '127.0.0.1', port: 0 };
const [major = 0] = process.versions.node.split('.').map(Number);

function connectMany(port: number, count: number): readonly Socket[] {
  const sockets = Array.from({ length: count }, () => connect(port, place.host).on('error', () => {}));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  return sockets;
}

/** Connections that a port accepts in each turn of the event loop while many clients wait. */
async function acceptedPerTurn(clients: number, protocol: keyof typeof SOCKETS_PER_PORT): Promise<readonly number[]> {
  const perTurn: number[] = [];
  let isNewTurn = true;
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    if (isNewTurn) setImmediate(() => (isNewTurn = true));
    if (isNewTurn) perTurn.push(0);
    isNewTurn = false;
    perTurn.push((perTurn.pop() ?? 0) + 1);
    socket.destroy();
  });
  const listening = await listen(server, place, protocol);
  onTestFinished(() => listening.close());
  connectMany(listening.port, clients);
  await expect.poll(() => accepted).toBe(clients);
  return perTurn;
}

it.each(['http', 'https', 'http2'] as const)(
  'accepts several connections in one turn of the event loop, where sockets can share a port: %s',
  async (protocol) => {
    const most = Math.max(...(await acceptedPerTurn(200, protocol)));
    expect(most > 1).toBe(SOCKETS_PER_PORT[protocol] > 1);
    expect(most).toBeLessThanOrEqual(SOCKETS_PER_PORT[protocol]);
  },
);

it.runIf(process.platform === 'linux' && major >= 24)('shares its port among sockets on current Node', () => {
  expect(SOCKETS_PER_PORT).toEqual({ http: 64, https: 16, http2: 2 });
});

it.each(['http', 'https', 'http2'] as const)(
  'lets 1,024 connections wait, over all its sockets: %s',
  async (protocol) => {
    const bind = vi.spyOn(Server.prototype, 'listen');
    onTestFinished(() => bind.mockRestore());
    const listening = await listen(createServer(), place, protocol);
    onTestFinished(() => listening.close());
    const backlogs = bind.mock.calls.map(([options]) => (options as ListenOptions).backlog ?? 0);
    expect(backlogs).toHaveLength(SOCKETS_PER_PORT[protocol]);
    expect(backlogs.reduce((sum, each) => sum + each)).toBe(1024);
  },
);

it('shares its port with no other server, also not one that would share it', async () => {
  const first = await listen(createServer(), place, 'http');
  onTestFinished(() => first.close());
  await expect(listen(createServer(), { ...place, port: first.port }, 'http')).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: expect.stringMatching(new RegExp(`^Process ${process.pid} .* listens on 127.0.0.1:${first.port}\\.$`)),
  });
});

it('closes all its sockets, and waits for the connections of all', async () => {
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket));
  const { port, close } = await listen(server, place, 'https');
  connectMany(port, 24);
  await expect.poll(() => accepted.length).toBe(24);
  let isClosed = false;
  const closed = close().then(() => {
    isClosed = true;
  });
  const [error] = await once(connect(port, place.host), 'error');
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  // All but the connections of one socket: the port still waits.
  const [last, ...others] = accepted;
  await Promise.all(others.map((socket) => once(socket.destroy(), 'close')));
  expect(isClosed).toBe(false);
  last?.destroy();
  await closed;
  const next = await listen(createServer(), { ...place, port }, 'https');
  await next.close();
});
