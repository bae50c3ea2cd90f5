/** Two routers of one pipeline behind a real HAProxy, with the shipped configuration: changes, drains and kills under load. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openInferenceClient } from '@equipoise/adapter-open-inference';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RunningCommand, TestFolder } from '../equipoise.test-support.js';

const haproxy: Tool = {
  name: 'haproxy',
  missing: 'apt-get install haproxy',
  isPresent: () => spawnSync('haproxy', ['-v']).status === 0,
};

const CONFIG = join(import.meta.dirname, '..', '..', '..', '..', 'deploy', 'haproxy', 'haproxy.cfg');
const CLIENTS = 8;
/** Budget of the pipeline below, in replicas. */
const MOST_REPLICAS = 8;

const folder = new TestFolder();

/** Each replica notes its start and its end, in the order in which they happen. */
const MODULE = `import { appendFileSync } from 'node:fs';
const note = (text) => appendFileSync(new URL('replicas.log', import.meta.url), text + ' ' + process.pid + '\\n');
export const load = () => {
  note('start');
  return { run: (batch) => batch, close: () => note('end') };
};
`;
const PIPELINE = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: pair }
spec:
  slo: { latencyMs: 60000 }
  budget: { cpuCores: 2 }
  control: { surge: { cpuCores: 0 }, canary: false }
  stages:
    - name: only
      module: ./counted.mjs
      variants:
        - name: small
          accuracy: { value: 0.5 }
          resources: { cpuCores: 0.25 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 450 }]
        - name: large
          accuracy: { value: 0.8 }
          resources: { cpuCores: 0.25 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 40, p99Ms: 450 }]
`;

interface Router {
  readonly command: RunningCommand;
  readonly port: number;
  readonly grpcPort: number;
  readonly adminUrl: string;
}

async function startRouter(port = 0, grpcPort = 0): Promise<Router> {
  const ports = ['--port', `${port}`, '--grpc-port', `${grpcPort}`, '--admin-port', '0'];
  const command = new RunningCommand(folder.path, ['serve', 'pair.yaml', '--routers', '2', ...ports]);
  const [, url = ''] = await command.said(/listening on (http:\S+);/);
  const [, adminUrl = ''] = await command.said(/admin port (http:\S+)/);
  const [, grpcAddress = ''] = await command.said(/gRPC on (\S+):/);
  await command.said(/ready http/);
  return { command, port: Number(new URL(url).port), grpcPort: Number(grpcAddress.split(':')[1]), adminUrl };
}

const stateOf = async ({ adminUrl }: Router) =>
  (await (await fetch(`${adminUrl}/pair`)).json()) as { fixed: boolean; requests: { arrived: number } };
const leads = async (router: Router) => !(await stateOf(router)).fixed;
const hasRequests = async (router: Router) => (await stateOf(router)).requests.arrived > 0;

async function replicasOf({ adminUrl }: Router): Promise<readonly string[]> {
  const { stages } = (await (await fetch(`${adminUrl}/pair/running-plan`)).json()) as {
    stages: { only: { replicas: readonly { variantId: string; status: string }[] } };
  };
  return stages.only.replicas.map(({ variantId, status }) => `${variantId} ${status}`);
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await setTimeout(50);
}

async function listening(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
const portOf = (server: Server) => (server.address() as AddressInfo).port;
const fdOf = (server: Server) => (server as unknown as { _handle: { fd: number } })._handle.fd;

/** HAProxy with the shipped configuration, but other ports. It inherits its listening sockets. */
class Balancer {
  readonly url: string;
  readonly grpcUrl: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, [rest, grpc]: readonly [number, number]) {
    this.#child = child;
    this.url = `http://127.0.0.1:${rest}/v1/pipelines/pair/run`;
    this.grpcUrl = `grpc://127.0.0.1:${grpc}`;
  }

  static async start(routers: readonly Router[]): Promise<Balancer> {
    const sockets = await Promise.all([listening(), listening()]);
    let text = readFileSync(CONFIG, 'utf8').replace('bind :8080', 'bind fd@3').replace('bind :9090', 'bind fd@4');
    routers.forEach(({ port, grpcPort }, index) => {
      text = text.replaceAll(`818${index + 1}`, `${port}`).replaceAll(`918${index + 1}`, `${grpcPort}`);
    });
    folder.write('haproxy.cfg', text);
    const stdio = ['ignore', 'ignore', 'ignore', ...sockets.map(fdOf)];
    const child = spawn('haproxy', ['-db', '-f', 'haproxy.cfg'], { cwd: folder.path, stdio: stdio as ['ignore'] });
    await once(child, 'spawn');
    const [rest, grpc] = sockets;
    const balancer = new Balancer(child, [portOf(rest), portOf(grpc)]);
    for (const socket of sockets) socket.close();
    return balancer;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}

/** Clients that send one request after the other, over connections that are kept. */
class Clients {
  readonly counts = { ok: 0, other: 0 };
  readonly others: string[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #url: string;
  #stopped = false;
  #all: Promise<unknown> = Promise.resolve();

  constructor(url: string) {
    this.#url = url;
  }

  start(): void {
    this.#all = Promise.all(Array.from({ length: CLIENTS }, () => this.#send()));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#all;
    this.#agent.destroy();
  }

  async #send(): Promise<void> {
    while (!this.#stopped) {
      const outcome = await this.#answer();
      if (outcome === 'ok') this.counts.ok += 1;
      else {
        this.counts.other += 1;
        this.others.push(outcome);
      }
    }
  }

  #answer(): Promise<string> {
    return new Promise((resolve) => {
      const sent = request(this.#url, { method: 'POST', agent: this.#agent }, (response) => {
        response.on('error', (error) => resolve(String(error)));
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response.on('end', () => resolve(response.statusCode === 200 ? 'ok' : `${response.statusCode} ${body}`));
      });
      sent.on('error', (error) => resolve(String(error)));
      sent.end('hi');
    });
  }
}

/** Most replicas of all routers at the same time. Those of a killed process end with it. */
function mostReplicas(): number {
  let most = 0;
  const live = new Map<string, number>();
  for (const line of readFileSync(join(folder.path, 'replicas.log'), 'utf8').trim().split('\n')) {
    const [what, pid = ''] = line.split(' ');
    if (what === 'killed') live.delete(pid);
    else live.set(pid, (live.get(pid) ?? 0) + (what === 'start' ? 1 : -1));
    most = Math.max(
      most,
      [...live.values()].reduce((sum, count) => sum + count, 0),
    );
  }
  return most;
}

it.runIf(haproxy.isPresent())('the configuration of HAProxy is valid', () => {
  const { status, stderr } = spawnSync('haproxy', ['-c', '-f', CONFIG], { encoding: 'utf8' });
  expect({ status, stderr }).toMatchObject({ status: 0 });
});

describeWithTool(haproxy, 'two routers behind HAProxy', () => {
  let [a, b]: Router[] = [];
  let balancer: Balancer;
  let clients: Clients;
  const both = () => [a, b] as [Router, Router];

  beforeAll(async () => {
    folder.write('pair.yaml', PIPELINE);
    folder.write('counted.mjs', MODULE);
    [a, b] = await Promise.all([startRouter(), startRouter()]);
    balancer = await Balancer.start(both());
    clients = new Clients(balancer.url);
    clients.start();
  }, 120_000);

  afterAll(async () => {
    await clients?.stop();
    await balancer?.end();
    await folder.remove();
  });

  const leadFirst = async (): Promise<[Router, Router]> => {
    const [first, second] = both();
    return (await leads(first)) ? [first, second] : [second, first];
  };
  const replace = (old: Router, next: Router) => {
    [a, b] = both().map((each) => (each === old ? next : each)) as [Router, Router];
  };

  it('lose no request when the plan of both changes', async () => {
    const [lead, follower] = await leadFirst();
    await until(() => hasRequests(lead));
    await until(() => hasRequests(follower));
    const small = { variantId: 'small', resources: { cpuCores: 0.25 }, maxBatchSize: 1, replicas: 3 };
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ stages: { only: [small] }, canary: false });
    const answer = await fetch(`${lead.adminUrl}/pair/apply`, { method: 'POST', headers, body });
    expect(answer.status).toBe(200);
    for (const router of both())
      await until(async () => (await replicasOf(router)).join() === 'small ready,small ready,small ready');
    expect(clients.others).toEqual([]);
  }, 60_000);

  it('lose no request when one is stopped and comes back', async () => {
    const [, follower] = await leadFirst();
    follower.command.signal('SIGTERM');
    expect((await follower.command.ended).exitCode).toBe(0);
    const again = await startRouter(follower.port, follower.grpcPort);
    replace(follower, again);
    await until(() => hasRequests(again));
    expect(clients.others).toEqual([]);
  }, 60_000);

  it('lose only requests inside a killed router, and the other one leads', async () => {
    for (const kills of [1, 2]) {
      const [lead, follower] = await leadFirst();
      appendFileSync(join(folder.path, 'replicas.log'), `killed ${lead.command.pid}\n`);
      lead.command.signal('SIGKILL');
      await lead.command.ended;
      await until(() => leads(follower));
      const again = await startRouter(lead.port, lead.grpcPort);
      replace(lead, again);
      await until(() => hasRequests(again));
      expect(await replicasOf(again)).toEqual(await replicasOf(follower));
      // Each client has at most one request inside a router.
      expect(clients.others.length).toBeLessThanOrEqual(kills * CLIENTS);
    }
    const { ok } = clients.counts;
    await until(async () => clients.counts.ok > ok + 100);
  }, 120_000);

  it('answer gRPC', async () => {
    const client = openInferenceClient(balancer.grpcUrl);
    const inputs = { input: { datatype: 'FP32', shape: [2], data: Float32Array.of(1, 2) } } as const;
    for (let i = 0; i < 20; i++) expect((await client.infer('pair', { inputs })).outputs).toEqual(inputs);
    client.close();
  }, 60_000);

  it('never held more than the budget together', async () => {
    expect(mostReplicas()).toBeLessThanOrEqual(MOST_REPLICAS);
    expect(mostReplicas()).toBeGreaterThan(MOST_REPLICAS / 2);
  });
});
