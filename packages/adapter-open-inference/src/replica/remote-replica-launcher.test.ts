import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { addressesOf, RemoteReplicaLauncher } from './remote-replica-launcher.js';

const known: Readonly<Record<string, readonly string[]>> = {
  pods: ['10.1.0.9', '10.1.0.10'],
  one: ['10.1.0.9'],
  both: ['::1', '127.0.0.1'],
  six: ['fd00::2', 'fd00::1'],
};

async function resolve(name: string): Promise<readonly string[]> {
  const addresses = known[name];
  if (addresses === undefined) throw new Error(`no address of ${name}`);
  return addresses;
}

describe('the addresses of a server', () => {
  it.each([
    ['http://pods:8080', ['http://10.1.0.10:8080', 'http://10.1.0.9:8080']],
    ['http://pods:8080/base', ['http://10.1.0.10:8080/base', 'http://10.1.0.9:8080/base']],
    ['grpc://pods:9000', ['grpc://10.1.0.10:9000', 'grpc://10.1.0.9:9000']],
    ['http://six:8080', ['http://[fd00::1]:8080', 'http://[fd00::2]:8080']],
  ])('are all of the name in %s', async (url, addresses) => {
    expect(await addressesOf(url, resolve)).toEqual(addresses);
  });

  it.each([
    ['one address', 'http://one:8080'],
    ['one address of each family', 'http://both:8080'],
    ['an address already', 'http://10.1.0.9:8080'],
    ['an address of IPv6', 'http://[::1]:8080'],
    ['a certificate of the name', 'https://pods:8080'],
    ['no address', 'http://unknown:8080'],
    ['no URL', 'somewhere'],
  ])('are the URL itself where there is %s', async (_, url) => {
    expect(await addressesOf(url, resolve)).toEqual([url]);
  });
});

describe('the Host header', () => {
  const named: Readonly<Record<string, readonly string[]>> = { pods: ['127.0.0.1', '127.0.0.2'] };

  it.each([
    ['the name that an address replaces, so that proxies route by it', 'pods', {}, 'pods:PORT'],
    ['the address without a name', '127.0.0.1', {}, '127.0.0.1:PORT'],
    ['the stated one', 'pods', { host: 'stated' }, 'stated'],
  ])('is %s', async (_, name, headers, wanted) => {
    const hosts = new Set<string | undefined>();
    const server = createServer((request, response) => {
      hosts.add(request.headers.host);
      response.setHeader('content-type', 'application/json');
      response.end('{"name":"m","extensions":[],"ready":true}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const urls = [`http://${name}:${port}`];
    const variant = variantNamed('v', { server: { urls, model: 'm', batching: 'stack', headers } });
    const launcher = new RemoteReplicaLauncher({}, (host) => Promise.resolve(named[host] ?? []));
    const { runner } = await launcher.launch(launchRequestOf(stageNamed('sends', [variant])));
    expect([...hosts]).toEqual([wanted.replace('PORT', String(port))]);
    await runner.close();
    server.closeAllConnections();
    server.close();
  });
});

it('leaves no connection to a server that is not ready', async () => {
  const sockets: Socket[] = [];
  const server = createServer((_, response) => response.writeHead(503).end('{"error":"loading"}'));
  server.keepAliveTimeout = 0;
  server.on('connection', (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  const variant = variantNamed('v', { server: { urls, model: 'm', batching: 'stack' } });
  const launched = new RemoteReplicaLauncher().launch(launchRequestOf(stageNamed('sends', [variant])));
  await expect(launched).rejects.toMatchObject({ code: 'MODEL_LOAD_FAILED' });
  expect(sockets).toHaveLength(1);
  await Promise.all(sockets.map((socket) => socket.destroyed || once(socket, 'close')));
  server.close();
});
