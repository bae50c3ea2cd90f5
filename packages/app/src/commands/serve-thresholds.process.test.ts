/** A served pipeline changes threshold and quorum, omits an optional member and takes it back, without a gap. */
import { expect, it } from 'vitest';
import type { Serving } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

/** Answers with the parameter `value`, and passes on its input. */
const MEMBER = `export function load({ parameters }) {
  const value = () => ({ datatype: 'FP32', shape: [1], data: Float32Array.of(parameters.value) });
  return { run: (batch) => batch.map((item) => ({ x: item.x, value: value() })) };
}
`;

/** Accuracies differ, so that the first plan is known: the higher threshold and quorum, with all members. */
const combination = (first: string, third: string, accuracy: number) =>
  `      - { variants: { first: ${first}, second: v, third: ${third} }, accuracy: ${accuracy} }`;

const stage = (name: string, value: number, more = '') => `    - name: ${name}
      module: ./member.mjs
      ${more}
      variants:
        - name: v
          accuracy: { value: 0.9 }
          parameters: { value: ${value} }
          resources: { cpuCores: 0.25 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 1, p99Ms: 2 }]
`;

const PIPELINE = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: members }
spec:
  slo: { latencyMs: 5000 }
  budget: { cpuCores: 1 }
  control: { canary: false }
  sources: [{ name: x, datatype: FP32, shape: [1], to: [first, third] }]
  stages:
${stage('first', 0)}${stage('second', 3)}${stage('third', 9, 'optional: true')}    - name: pick
      combine: { method: mean, tensor: value }
  edges:
    - from: first
      to: second
      when: { condition: "output.x[0] < threshold", threshold: [0.5, 0.8], probability: [0.2, 0.4] }
    - { from: first, to: pick, join: { quorum: [2, 3] }, inputs: [{ name: value }] }
    - { from: second, to: pick, join: { quorum: [2, 3] }, inputs: [{ name: value }] }
    - { from: third, to: pick, join: { quorum: [2, 3] }, inputs: [{ name: value }] }
  outputs: [{ from: pick }]
  accuracyTable:
    combinations:
${combination('v at 0.5 with quorum 2', 'v', 0.65)}
${combination('v at 0.5 with quorum 3', 'v', 0.7)}
${combination('v at 0.8 with quorum 2', 'v', 0.8)}
${combination('v at 0.8 with quorum 3', 'v', 0.9)}
${combination('v at 0.5 with quorum 3', 'omitted', 0.5)}
${combination('v at 0.8 with quorum 3', 'omitted', 0.6)}
`;

const { equipoise, serve } = serveTests({ 'pipeline.yaml': PIPELINE, 'member.mjs': MEMBER });

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, which the assertions check
type Json = any;

interface Administered extends Serving {
  readonly admin: string;
}

async function administered(): Promise<Administered> {
  const started = await serve('pipeline.yaml', '--mode', 'advise', '--arrival-rps', '1');
  const [, url = ''] = await started.command.said(/admin port (http:\S+?)\/admin/);
  return { ...started, admin: `${url}/admin/pipelines/members` };
}

const get = async ({ admin }: Administered, path: string): Promise<Json> => (await fetch(`${admin}${path}`)).json();

async function post({ admin }: Administered, action: string, body: object): Promise<{ status: number; json: Json }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${admin}/${action}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, json: await response.json() };
}

/** Mean of the members that answered to an input that only the higher threshold escalates. */
async function answer({ url }: Serving): Promise<number> {
  const body = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1], data: [0.7] }] });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v2/models/members/infer`, { method: 'POST', headers, body });
  const json: Json = await response.json();
  expect(response.status, JSON.stringify(json)).toBe(200);
  return json.outputs[0].data[0];
}

/** `first` alone 0; with `second` 1.5; with `third` 4.5; all 4. */
const ALL = 4;
const WITHOUT_SECOND = 4.5;
const FIRST = 0;

const part = (replicas: number, choices: object = {}) => [
  { variantId: 'v', resources: { cpuCores: 0.25 }, maxBatchSize: 1, replicas, ...choices },
];
const planOf = (threshold: number, third: number, quorum = 3) => ({
  stages: { first: part(1, { threshold, quorum }), second: part(1), third: part(third) },
});

it('changes thresholds, quorums and members while requests run, and shows them everywhere', async () => {
  const server = await administered();
  expect(await answer(server)).toBe(ALL);
  expect((await get(server, '/running-plan')).stages.first).toMatchObject({ threshold: 0.8, quorum: 3 });

  let isOver = false;
  const seen = new Set<number>();
  const client = async (): Promise<void> => {
    while (!isOver) seen.add(await answer(server));
  };
  const clients = [client(), client()];
  const change = async (threshold: number, third: number, quorum = 3) => {
    const { status, json } = await post(server, 'apply', planOf(threshold, third, quorum));
    expect({ status, outcome: json.outcome?.kind }).toEqual({ status: 200, outcome: 'applied' });
    const { stages } = await get(server, '/running-plan');
    return { kinds: json.decision.changes.map(({ kind }: Json) => kind), answer: await answer(server), stages };
  };
  const lower = await change(0.5, 1);
  expect(lower).toMatchObject({
    kinds: ['set-threshold'],
    answer: WITHOUT_SECOND,
    stages: { first: { threshold: 0.5 } },
  });
  const without = await change(0.5, 0);
  expect(without).toMatchObject({ kinds: ['switch-variant'], answer: FIRST, stages: { third: { omitted: true } } });
  const explained = await equipoise('explain');
  expect(explained.stdout).toMatch(/third\s+│\s+omitted/);
  const back = await change(0.8, 1);
  expect(back.answer).toBe(ALL);
  expect(back.kinds.toSorted()).toEqual(['set-threshold', 'switch-variant']);
  expect(back.stages.third.omitted).toBeUndefined();
  // Any two members may be the first ones.
  const fewer = await change(0.8, 1, 2);
  expect(fewer).toMatchObject({ kinds: ['set-quorum'], stages: { first: { threshold: 0.8, quorum: 2 } } });
  expect([1.5, WITHOUT_SECOND, 6]).toContain(fewer.answer);
  const all = await change(0.8, 1);
  expect(all).toMatchObject({ kinds: ['set-quorum'], answer: ALL });
  isOver = true;
  await Promise.all(clients);
  expect(
    [...seen].every((value) => [ALL, WITHOUT_SECOND, FIRST, 1.5, 6].includes(value)),
    [...seen].join(),
  ).toBe(true);

  expect(await post(server, 'pin', { stageId: 'first', threshold: 0.7 })).toMatchObject({
    status: 422,
    json: { code: 'INVALID_FIELDS', error: expect.stringContaining('it has 0.5, 0.8') },
  });
  expect(await post(server, 'apply', planOf(0.7, 1))).toMatchObject({ status: 422 });
  expect(await post(server, 'apply', planOf(0.8, 1, 1))).toMatchObject({ status: 422 });
  expect(await post(server, 'pin', { stageId: 'first', quorum: 5 })).toMatchObject({
    status: 422,
    json: { code: 'INVALID_FIELDS', error: expect.stringContaining('it has 2, 3') },
  });
  expect(await post(server, 'pin', { stageId: 'first', threshold: 0.5, quorum: 3 })).toMatchObject({ status: 200 });
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toMatch(/equipoise_threshold\{[^}]*stage="first"[^}]*\} 0.8/);
  expect(metrics).toMatch(/equipoise_quorum\{[^}]*stage="first"[^}]*\} 3/);

  server.command.signal('SIGKILL');
  await server.command.ended;
  const again = await administered();
  expect(again.command.stderr).toContain('restored pins of first');
  expect((await get(again, '')).pins).toEqual({ first: { threshold: 0.5, quorum: 3 } });
}, 120_000);
