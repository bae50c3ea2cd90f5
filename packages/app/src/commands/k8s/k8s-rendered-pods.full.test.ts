/**
 * Runs rendered containers of Equipoise as processes, without a cluster. Only addresses, ports and the folder of the
 * image differ. The pipeline files, the probes and the waiting container are the same as in pods.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, endCommands, equipoise, RunningCommand, TestFolder } from '../../equipoise.test-support.js';

interface Container {
  readonly args?: readonly string[];
  readonly command?: readonly string[];
  readonly readinessProbe?: { readonly httpGet: { readonly path: string } };
}

interface Item {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template: {
      readonly spec: { readonly containers: readonly Container[]; readonly initContainers?: readonly Container[] };
    };
  };
}

const folder = new TestFolder();
const addresses = new Map<string, string>();
let items: readonly Item[] = [];

const deploymentsOf = (part: string) =>
  items.filter(({ kind, metadata }) => kind === 'Deployment' && metadata.labels['equipoise.dev/part'] === part);

/** Text with local addresses and folder. */
function here(text: string): string {
  let placed = text.replaceAll('/pipeline/', `${folder.path}/pipe/`);
  for (const [name, url] of addresses) placed = placed.replaceAll(`http://${name}:8080`, url);
  return placed;
}

/** Starts the container of a Deployment with the file of its ConfigMap, and waits until its probe succeeds. */
async function start({ metadata: { name }, spec }: Item): Promise<string> {
  const [container] = spec?.template.spec.containers ?? [];
  const config = items.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name);
  mkdirSync(join(folder.path, name));
  folder.write(join(name, 'pipeline.yaml'), here(Object.values(config?.data ?? {})[0] ?? ''));
  const own = new Map([
    ['0.0.0.0', '127.0.0.1'],
    ['8080', '0'],
  ]);
  const args = (container?.args ?? []).map((argument) => own.get(argument) ?? argument);
  const [, url = ''] = await new RunningCommand(join(folder.path, name), args).said(/ready (http:\S+)/);
  addresses.set(name, url);
  expect((await fetch(`${url}${container?.readinessProbe?.httpGet.path}`)).status).toBe(200);
  return url;
}

beforeAll(async () => {
  await equipoise(folder.path, 'init', 'pipe');
  const file = join('pipe', 'pipeline.yaml');
  // This tests the answer, not the latency.
  const written = readFileSync(join(folder.path, file), 'utf8');
  const patient = written.replace(/latencyMs: \d+/, 'latencyMs: 10000');
  expect(patient).not.toBe(written);
  folder.write(file, patient);
  const profiled = await equipoise(folder.path, 'profile', file, '--quick');
  expect(profiled).toMatchObject({ exitCode: 0 });
  const rendered = await equipoise(folder.path, 'k8s', 'render', file, '--arrival-rps', '5', '--json');
  items = (documentOf(rendered) as { readonly items: readonly Item[] }).items;
}, 120_000);

afterAll(async () => {
  await endCommands();
  await folder.remove();
});

describe('the containers of a rendered plan', () => {
  it('answer as the pipeline does', async () => {
    for (const stage of deploymentsOf('stage')) await start(stage);
    expect(addresses.size).toBe(2);
    const [router] = deploymentsOf('router');
    if (router === undefined) throw new Error('there is a router');
    const [waiting] = router.spec?.template.spec.initContainers ?? [];
    const [program = '', ...args] = (waiting?.command ?? []).map(here);
    expect(await once(spawn(program, args, { stdio: 'inherit' }), 'exit')).toEqual([0, null]);
    const url = await start(router);
    const texts = [
      'this is the weather of today',
      'das ist das Wetter und nicht schön',
      'le temps est beau et la mer des jours',
    ];
    const answers = await Promise.all(
      texts.map(async (body) => {
        const headers = { 'content-type': 'text/plain' };
        const answer = await fetch(`${url}/v1/pipelines/language/run`, { method: 'POST', headers, body });
        return { status: answer.status, body: await answer.json() };
      }),
    );
    expect(answers).toMatchObject(
      ['en', 'de', 'fr'].map((language) => ({ status: 200, body: { outputs: { language: [language] } } })),
    );
  }, 120_000);
});
