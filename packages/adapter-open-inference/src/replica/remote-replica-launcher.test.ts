import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import type { InferenceClient } from '../client/inference-client.js';
import { tookTooLong } from '../client/server-failure.js';
import { placesOf, RemoteReplicaLauncher, serverAddresses } from './remote-replica-launcher.js';

const known: Readonly<Record<string, readonly string[]>> = {
  pods: ['10.1.0.9', '10.1.0.10'],
  one: ['10.1.0.9'],
  both: ['::1', '127.0.0.1'],
  six: ['fd00::2', 'fd00::1'],
};

const addressesOf = async (url: string): Promise<readonly string[]> =>
  (await placesOf(url, resolve)).map((place) => place.url);

function serverIn({ variant }: ReturnType<typeof launchRequestOf>) {
  if (variant.server === undefined) throw new Error('the variant has no server');
  return variant.server;
}

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
    expect(await addressesOf(url)).toEqual(addresses);
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
    expect(await addressesOf(url)).toEqual([url]);
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

it.each([
  ['single', ['2', '2']],
  ['stack', [undefined]],
] as const)('with batching "%s", states how many requests it sends together', async (batching, expected) => {
  const stated: unknown[] = [];
  const server = createServer((request, response) => {
    const isBatch = request.method === 'POST';
    if (isBatch) stated.push(request.headers['equipoise-sent-together']);
    response.setHeader('content-type', 'application/json');
    const shape = batching === 'single' ? [1] : [2, 1];
    const outputs = [{ name: 'y', datatype: 'FP32', shape, data: shape.length === 1 ? [1] : [1, 2] }];
    response.end(JSON.stringify(isBatch ? { model_name: 'm', outputs } : { name: 'm', extensions: [], ready: true }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  const variant = variantNamed('v', { server: { urls, model: 'm', batching } });
  const { runner } = await new RemoteReplicaLauncher().launch(launchRequestOf(stageNamed('sends', [variant])));
  const item = () => ({ x: { datatype: 'FP32', shape: [1], data: new Float32Array([1]) } }) as const;
  const { items } = await runner.run([item(), item()]);
  expect(items.map(({ kind }) => kind)).toEqual(['ok', 'ok']);
  expect(stated).toEqual(expected);
  await runner.close();
  server.closeAllConnections();
  server.close();
});

it('gives outputs that only the caller holds, so that their memory can be freed early', async () => {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"name":"m","extensions":[],"ready":true}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  const variant = variantNamed('v', { server: { urls, model: 'm', batching: 'stack' } });
  const { runner } = await new RemoteReplicaLauncher().launch(launchRequestOf(stageNamed('sends', [variant])));
  expect(runner.givesTensors).toBe(true);
  await runner.close();
  server.closeAllConnections();
  server.close();
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

describe('the addresses of a name that has several', () => {
  const ends: (() => void)[] = [];

  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  /** Starts a server at a loopback address; a status other than 200 is that of all its answers. */
  async function serverAt(address: string, port: number, status = 200): Promise<{ port: number; asked: () => number }> {
    let asked = 0;
    const server = createServer((_, response) => {
      asked += 1;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end('{"name":"m","extensions":[],"ready":true}');
    });
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
    ends.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { port: (server.address() as AddressInfo).port, asked: () => asked };
  }

  /** Health checks would count as questions of a launch. */
  const UNCHECKED = { healthIntervalMs: 600_000 };

  const launcherOf = (addresses: readonly string[]) =>
    new RemoteReplicaLauncher(UNCHECKED, () => Promise.resolve(addresses));

  const requestAt = (port: number) => {
    const server = { urls: [`http://pods:${port}`], model: 'm', batching: 'stack' } as const;
    return launchRequestOf(stageNamed('sends', [variantNamed('v', { server })]));
  };

  it('are tried until one is ready', async () => {
    const unready = await serverAt('127.0.0.2', 0, 503);
    const ready = await serverAt('127.0.0.4', unready.port);
    const launcher = launcherOf(['127.0.0.2', '127.0.0.3', '127.0.0.4']);
    const { runner } = await launcher.launch(requestAt(unready.port));
    expect(unready.asked()).toBeGreaterThan(0);
    expect(ready.asked()).toBeGreaterThan(0);
    await runner.close();
  });

  it('get no second replica while another address has none', async () => {
    const ready = await serverAt('127.0.0.3', 0);
    const launcher = launcherOf(['127.0.0.2', '127.0.0.3']);
    const first = await launcher.launch(requestAt(ready.port));
    const asked = ready.asked();
    await expect(launcher.launch(requestAt(ready.port))).rejects.toMatchObject({ code: 'MODEL_LOAD_FAILED' });
    expect(ready.asked()).toBe(asked);
    const late = await serverAt('127.0.0.2', ready.port);
    const second = await launcher.launch(requestAt(ready.port));
    expect(late.asked()).toBeGreaterThan(0);
    await Promise.all([first.runner.close(), second.runner.close()]);
  });

  it('get no second replica while one that is lost may come back', async () => {
    const [gone, kept, other, late] = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'] as const;
    let addresses: readonly string[] = [gone, kept, other];
    let nowMs = 1000;
    const { port } = await serverAt(gone, 0);
    const servers = [await serverAt(kept, port), await serverAt(other, port)];
    const asked = () => servers.reduce((sum, server) => sum + server.asked(), 0);
    const resolveNow = async () => addresses;
    const launcher = new RemoteReplicaLauncher(UNCHECKED, resolveNow, () => nowMs);
    const launch = async () => (await launcher.launch(requestAt(port))).runner;
    const lost = await launch();
    const runners = [await launch(), await launch()];
    await lost.close();
    nowMs += 3_600_000;
    addresses = [kept, other];
    const before = asked();
    await expect(launch()).rejects.toMatchObject({ code: 'MODEL_LOAD_FAILED' });
    expect(asked()).toBe(before);
    addresses = [kept, other, late];
    const replacement = await serverAt(late, port);
    await (await launch()).close();
    expect(replacement.asked()).toBeGreaterThan(0);
    addresses = [kept, other];
    await expect(launch()).rejects.toMatchObject({ code: 'MODEL_LOAD_FAILED' });
    expect(asked()).toBe(before);
    nowMs += 120_000;
    runners.push(await launch());
    expect(asked()).toBeGreaterThan(before);
    await Promise.all(runners.map((runner) => runner.close()));
  });

  describe('which are the replicas', () => {
    const followed = (port: number, names: readonly string[] = ['pods']) => {
      const urls = names.map((name) => `http://${name}:${port}`);
      const server = { urls, replicas: 'addresses', model: 'm', batching: 'stack' } as const;
      return launchRequestOf(stageNamed('sends', [variantNamed('v', { server })]));
    };

    it('get one replica each, which tells its address', async () => {
      const { port } = await serverAt('127.0.0.2', 0);
      await serverAt('127.0.0.3', port);
      const launcher = launcherOf(['127.0.0.3', '127.0.0.2']);
      const runners = [await launcher.launch(followed(port)), await launcher.launch(followed(port))];
      const addresses = runners.map(({ runner }) => runner.address);
      expect(addresses).toEqual([`http://127.0.0.2:${port}`, `http://127.0.0.3:${port}`]);
      expect(await serverAddresses(serverIn(followed(port)), async () => ['127.0.0.3', '127.0.0.2'])).toEqual(
        addresses,
      );
      await expect(launcher.launch(followed(port))).rejects.toMatchObject({
        code: 'MODEL_LOAD_FAILED',
        message: expect.stringContaining('each address of its server has a replica'),
      });
      await Promise.all(runners.map(({ runner }) => runner.close()));
      await (await launcher.launch(followed(port))).runner.close();
    });

    it('are those of all names, of which some may have none', async () => {
      const { port } = await serverAt('127.0.0.2', 0);
      const resolve = async (name: string) => {
        if (name === 'new') return ['127.0.0.2'];
        throw Object.assign(new Error(`no ${name}`), { code: name === 'old' ? 'ENOTFOUND' : 'EAI_AGAIN' });
      };
      const of = (...names: readonly string[]) => serverAddresses(serverIn(followed(port, names)), resolve);
      expect(await of('old', 'new')).toEqual([`http://127.0.0.2:${port}`]);
      await expect(of('old')).rejects.toThrow('no old');
      await expect(of('silent', 'new')).rejects.toThrow('no silent');
      const launcher = new RemoteReplicaLauncher(UNCHECKED, resolve);
      await expect(launcher.launch(followed(port, ['silent']))).rejects.toMatchObject({ code: 'MODEL_LOAD_FAILED' });
    });

    /** Launcher whose servers answer after a time in ms; lists the tries as [host, timeout in ms]. */
    function launcherWithoutTime(answersAfterMs: Record<string, number>) {
      let addresses: readonly string[] = [];
      const tries: [string, number][] = [];
      const open = async (url: string, _: unknown, { timeoutMs }: { readonly timeoutMs: number }) => {
        const { hostname } = new URL(url);
        tries.push([hostname, timeoutMs]);
        const answersMs = answersAfterMs[hostname] ?? 0;
        if (answersMs > timeoutMs) throw tookTooLong(url, timeoutMs);
        return { url, modelReady: async () => true, close: () => {} } as unknown as InferenceClient;
      };
      const resolveNow = async () => addresses;
      const launcher = new RemoteReplicaLauncher(UNCHECKED, resolveNow, () => 0, open);
      return {
        launch: (...now: readonly string[]) => {
          addresses = now;
          return launcher.launch(followed(8080));
        },
        triesSince: () => tries.splice(0),
      };
    }

    const failed = { code: 'MODEL_LOAD_FAILED' };

    it('come before one that was silent, of which a launch tries no further one', async () => {
      const { launch, triesSince } = launcherWithoutTime({ '10.0.0.2': Number.POSITIVE_INFINITY });
      const runners = [await launch('10.0.0.1')];
      triesSince();
      await expect(launch('10.0.0.1', '10.0.0.2')).rejects.toMatchObject(failed);
      expect(triesSince()).toEqual([['10.0.0.2', 1000]]);
      runners.push(await launch('10.0.0.1', '10.0.0.2', '10.0.0.3'));
      expect(triesSince()).toEqual([['10.0.0.3', 1000]]);
      expect(runners[1]?.runner.address).toBe('http://10.0.0.3:8080');
      await Promise.all(runners.map(({ runner }) => runner.close()));
    });

    it('take turns while several are silent', async () => {
      const silentMs = Number.POSITIVE_INFINITY;
      const { launch, triesSince } = launcherWithoutTime({ '10.0.0.2': silentMs, '10.0.0.3': silentMs });
      const { runner } = await launch('10.0.0.1');
      triesSince();
      for (let tries = 0; tries < 4; tries++)
        await expect(launch('10.0.0.1', '10.0.0.2', '10.0.0.3')).rejects.toMatchObject(failed);
      expect(triesSince()).toEqual([
        ['10.0.0.2', 1000],
        ['10.0.0.3', 1000],
        ['10.0.0.2', 2000],
        ['10.0.0.3', 2000],
      ]);
      await runner.close();
    });

    it('get twice the time at each try, so that a slow one serves in the end', async () => {
      const { launch, triesSince } = launcherWithoutTime({ '10.0.0.2': 3000 });
      const { runner } = await launch('10.0.0.1');
      triesSince();
      for (let tries = 0; tries < 2; tries++)
        await expect(launch('10.0.0.1', '10.0.0.2')).rejects.toMatchObject(failed);
      const slow = await launch('10.0.0.1', '10.0.0.2');
      expect(slow.runner.address).toBe('http://10.0.0.2:8080');
      expect(triesSince().map(([, timeoutMs]) => timeoutMs)).toEqual([1000, 2000, 4000]);
      await slow.runner.close();
      await expect(launch('10.0.0.1', '10.0.0.2')).rejects.toMatchObject(failed);
      expect(triesSince()).toEqual([['10.0.0.2', 1000]]);
      await runner.close();
    });

    it('get at most the whole time, and a part of it again once they were gone', async () => {
      const { launch, triesSince } = launcherWithoutTime({ '10.0.0.2': Number.POSITIVE_INFINITY });
      const { runner } = await launch('10.0.0.1');
      triesSince();
      for (let tries = 0; tries < 6; tries++)
        await expect(launch('10.0.0.1', '10.0.0.2')).rejects.toMatchObject(failed);
      expect(triesSince().map(([, timeoutMs]) => timeoutMs)).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
      const other = await launch('10.0.0.1', '10.0.0.3');
      triesSince();
      await expect(launch('10.0.0.1', '10.0.0.2', '10.0.0.3')).rejects.toMatchObject(failed);
      expect(triesSince()).toEqual([['10.0.0.2', 1000]]);
      await Promise.all([runner.close(), other.runner.close()]);
    });

    it('are asked by their name where there is one only', async () => {
      const { port } = await serverAt('127.0.0.2', 0);
      const launcher = launcherOf(['127.0.0.2']);
      const { runner } = await launcher.launch(followed(port));
      expect(runner.address).toBe(`http://127.0.0.2:${port}`);
      await runner.close();
    });
  });

  it('get a part of the time each, because one may be silent', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.2', resolve));
    ends.push(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const { port } = silent.address() as AddressInfo;
    const ready = await serverAt('127.0.0.3', port);
    const launchTimeoutMs = 8_000;
    const launcher = new RemoteReplicaLauncher({ launchTimeoutMs }, async () => ['127.0.0.2', '127.0.0.3']);
    const { runner, loadMs } = await launcher.launch(requestAt(port));
    expect(ready.asked()).toBeGreaterThan(0);
    expect(loadMs).toBeLessThan(launchTimeoutMs);
    await runner.close();
  });
});
