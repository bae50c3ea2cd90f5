/** A stage whose replicas are the addresses of its server, served with a fixed plan. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stageId } from '@equipoise/core/model';
import { DesiredReplicas, type LoopEvent } from '@equipoise/runtime';
import { afterAll, afterEach, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';
import { startPipeline } from './start-pipeline.js';

const folder = new TestFolder();
const servers: Server[] = [];

/** Model that answers each request with the same tensor. */
const answer = JSON.stringify({
  model_name: 'm',
  outputs: [{ name: 'y', datatype: 'FP32', shape: [1], data: [1] }],
  ...{ name: 'm', extensions: [], ready: true },
});

async function listenAt(address: string, port: number): Promise<number> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
afterAll(() => folder.remove());

it('serves with each address from the start, and with new ones when they come', async () => {
  const port = await listenAt('127.0.0.2', 0);
  for (const address of ['127.0.0.3', '127.0.0.4']) await listenAt(address, port);
  folder.write(
    'pipeline.yaml',
    `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: followed }
spec:
  slo: { latencyMs: 400 }
  control: { mode: off }
  stages:
    - name: remote
      variants:
        - name: only
          accuracy: { value: 0.8 }
          server: { url: 'http://pods:${port}', replicas: addresses, model: m, batching: single }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 300, p99Ms: 390 }]
`,
  );
  let addresses = ['127.0.0.2', '127.0.0.3'];
  const events: LoopEvent[] = [];
  const desired = new DesiredReplicas();
  let noteThree = (): void => {};
  const hasThree = new Promise<void>((resolve) => {
    noteThree = resolve;
  });
  const pipeline = await startPipeline({
    ...{ spec: await loadSpec(`${folder.path}/pipeline.yaml`), profiles: [], arrivalRps: 1, policy: 'equipoise' },
    ...{ fixed: true, resume: false, stateFile: 'followed.db', resolve: async () => addresses },
    report: (event) => {
      events.push(event);
      desired.note(event);
      if (desired.of('remote') === 3) noteThree();
    },
  });
  const [stage] = Object.values(pipeline.actuator.runningPlan().stages);
  expect(stage?.replicas.map(({ status }) => status)).toEqual(['ready', 'ready']);
  addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
  await hasThree;
  expect(pipeline.actuator.runningPlan().stages[stageId('remote')]?.replicas).toHaveLength(3);
  const { cpuCores, capacityRps } = desired.planInForce?.predicted ?? {};
  expect([cpuCores, (capacityRps ?? 0) > 3]).toEqual([3, true]);
  await pipeline.close();
  expect(events.filter(({ kind }) => kind === 'failed')).toEqual([]);
});
