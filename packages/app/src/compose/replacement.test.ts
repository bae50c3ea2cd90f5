import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { awaitReplacement, isInUse, replacementOf } from './replacement.js';

const LOOK_MS = 5;
const ENDLESS_MS = 600_000;

/** A pod whose readiness the test decides. */
class Pod {
  status = 200;
  looks = 0;
  readonly hosts = new Set<string | undefined>();
  readonly #server: Server;

  constructor(instance: string | undefined) {
    this.#server = createServer((request, response) => {
      this.looks += 1;
      this.hosts.add(request.headers.host);
      response.writeHead(this.status, instance === undefined ? {} : { 'x-equipoise-instance': instance }).end('{}');
    });
  }

  async listen(address: string, port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, address, resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const OWN = '127.0.0.2';
const OTHER = '127.0.0.3';
const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A terminating pod, and another one of its Service at the same port. */
async function leaving({ otherStatus = 200, longestMs = ENDLESS_MS } = {}) {
  const [own, other] = [new Pod('own'), new Pod('other')];
  other.status = otherStatus;
  const port = await own.listen(OWN);
  await other.listen(OTHER, port);
  ends.push(
    () => own.close(),
    () => other.close(),
  );
  const service = { addresses: [OWN, OTHER] as readonly string[], looks: 0, isInUse: true };
  let waits = 0;
  const left = awaitReplacement(
    { peersUrl: `http://pods:${port}`, longestMs },
    {
      ownUrl: `http://${OWN}:${port}`,
      isInUse: () => service.isInUse,
      resolve: async () => {
        service.looks += 1;
        return service.addresses;
      },
      onWait: () => {
        waits += 1;
      },
      lookMs: LOOK_MS,
    },
  );
  let hasLeft = false;
  const ended = left.then(() => {
    hasLeft = true;
  });
  const looksMore = async () => {
    const { looks } = service;
    await expect.poll(() => service.looks, { timeout: 60_000 }).toBeGreaterThan(looks + 2);
  };
  return { own, other, port, service, ended, looksMore, waits: () => waits, hasLeft: () => hasLeft };
}

describe('a terminating pod of a stage', () => {
  it('leaves at once if another one is ready, which it asks by the name of the Service', async () => {
    const { other, port, ended, waits } = await leaving();
    await ended;
    expect(waits()).toBe(0);
    expect([...other.hosts]).toEqual([`pods:${port}`]);
  });

  it('serves on until another one is ready', async () => {
    const { other, ended, looksMore, waits, hasLeft } = await leaving({ otherStatus: 503 });
    await looksMore();
    expect(hasLeft()).toBe(false);
    expect(waits()).toBe(1);
    other.status = 200;
    await ended;
  });

  it.each<[string, readonly string[]]>([
    ['only itself', [OWN]],
    ['no pod', []],
    ['a pod that is gone', ['127.0.0.4']],
  ])('serves on while the name leads to %s', async (_, addresses) => {
    const { service, ended, looksMore, hasLeft } = await leaving({ otherStatus: 503 });
    service.addresses = addresses;
    await looksMore();
    expect(hasLeft()).toBe(false);
    service.isInUse = false;
    await ended;
  });

  it('leaves when no requests arrive any more', async () => {
    const { service, ended, looksMore, hasLeft } = await leaving({ otherStatus: 503 });
    await looksMore();
    expect(hasLeft()).toBe(false);
    service.isInUse = false;
    await ended;
  });

  it('leaves after its longest wait', async () => {
    const { ended } = await leaving({ otherStatus: 503, longestMs: 1 });
    await ended;
  });
});

describe('a pod', () => {
  const at = (latestArrivalAtMs: number | undefined, nowMs: number) =>
    isInUse({ statistics: { latestArrivalAtMs }, nowMs } as unknown as Parameters<typeof isInUse>[0]);

  it.each<[string, number | undefined, number, boolean]>([
    ['before its first request', undefined, 5_000, false],
    ['soon after a request', 5_000, 6_000, true],
    ['long after its last request', 5_000, 60_000, false],
  ])('is in use or not: %s', (_, arrivedAtMs, nowMs, expected) => {
    expect(at(arrivedAtMs, nowMs)).toBe(expected);
  });
});

describe('the wait for a replacement', () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    ['nothing', {}],
    ['no longest wait', { EQUIPOISE_PEERS_URL: 'http://pods:8080' }],
    ['no URL', { EQUIPOISE_PEERS_URL: 'pods', EQUIPOISE_PEERS_WAIT_S: '30' }],
  ])('is none where the environment has %s', (_, environment) => {
    expect(replacementOf(environment)).toBeUndefined();
  });

  it('is that of a rendered pod', () => {
    const golden = new URL('../../../adapter-kubernetes/src/render/golden/deployment.yaml', import.meta.url);
    const variables = readFileSync(golden, 'utf8').matchAll(/- name: (EQUIPOISE_PEERS_\w+)\n +value: "?([^"\n]+)/g);
    const environment = Object.fromEntries([...variables].map(([, name, value]) => [name, value]));
    expect(replacementOf(environment)?.longestMs).toBe(30_000);
    expect(replacementOf(environment)?.peersUrl).toMatch(/^http:\/\/shelf--embed--cpu:8080$/);
  });
});
