/** A new user's pipeline on a real node: applied by the command, reached by names, changed under load. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, kubectl, NodeNamespace, planDocument, realNode } from './node-namespace.test-support.js';
import { SteadyLoad } from './steady-load.test-support.js';

const RPS = 5;

describeWithTool(realNode, 'a pipeline on a Kubernetes node', () => {
  const namespace = new NodeNamespace('applied');
  const clients = new NodeNamespace('clients');
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-plan-'));
  let url: string;

  beforeAll(async () => {
    await namespace.create();
    await clients.create();
    const plan = join(folder, 'plan.json');
    writeFileSync(plan, await planDocument(RPS, 2));
    await clients.startClient('client');
    await namespace.runPlan(plan);
    url = await namespace.routerUrl();
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await namespace.remove();
    await clients.remove();
  });

  /** Sends requests while `change` happens; all of them must succeed. */
  async function losesNoRequest(change: () => Promise<void>): Promise<void> {
    const load = new SteadyLoad(url, RPS);
    try {
      await eventually('requests are on their way', async () => load.sent > RPS);
      await change();
      const sent = load.sent;
      await eventually('requests follow the change', async () => load.sent > sent + 2 * RPS);
    } finally {
      const { sent, failures } = await load.end();
      expect(failures).toEqual([]);
      expect(sent).toBeGreaterThan(3 * RPS);
    }
  }

  it('answers through router and stages by the name of its Service', async () => {
    const program = `const answer = await fetch('http://language.applied:8080/v1/pipelines/language/run', {
      method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'das ist das Wetter und nicht schön' });
    console.log(answer.status, JSON.stringify((await answer.json()).outputs.language));`;
    const { stdout, stderr } = await clients.runInPod('client', program);
    expect(stdout.trim(), stderr).toBe('200 ["de"]');
  });

  it('runs an image in which its user can write to no file', async () => {
    const program = `import { accessSync, constants, readdirSync } from 'node:fs';
    const writable = (path) => { try { accessSync(path, constants.W_OK); return true; } catch { return false; } };
    const places = readdirSync('/', { withFileTypes: true }).map(({ name }) => name);
    const kept = places.filter((name) => !['proc', 'sys', 'dev'].includes(name));
    const below = (path) => [path, ...readdirSync(path, { withFileTypes: true }).flatMap((each) =>
      each.isDirectory() ? below(path + '/' + each.name) : each.isFile() ? [path + '/' + each.name] : [])];
    const all = kept.flatMap((name) => below('/' + name));
    console.log(process.getuid(), all.length > 1000, JSON.stringify(all.filter(writable)));`;
    const { stdout, stderr } = await clients.runInPod('client', program);
    expect(stdout.trim(), stderr).toBe('1000 true []');
  });

  it('refuses a foreign pod at a stage', async () => {
    const { podIP } = (await namespace.podOf('language')).status;
    const program = `import { connect } from 'node:net';
    const socket = connect(8080, '${podIP}', () => process.exit(0));
    socket.on('error', () => process.exit(7));
    setTimeout(() => process.exit(7), 3000);`;
    await eventually('the policy refuses', async () => (await clients.runInPod('client', program)).exitCode === 7);
    const router = (await namespace.podOf('router')).metadata.name;
    expect(await namespace.runInPod(router, program)).toMatchObject({ exitCode: 0 });
  });

  it('loses no request when a pod of a stage is deleted', () =>
    losesNoRequest(async () => {
      const pod = await namespace.podOf('language');
      await namespace.kube('delete', 'pod', pod.metadata.name, '--wait=false');
      await namespace.untilReplaced(pod);
    }));

  it('loses no request when all pods of a stage are deleted', () =>
    losesNoRequest(async () => {
      const pod = await namespace.podOf('language');
      await namespace.kube('delete', 'pod', '--selector', 'equipoise.dev/stage=language', '--wait=false');
      await namespace.untilReplaced(pod);
    }));

  it('loses no request when a pod of a stage is evicted', () =>
    losesNoRequest(async () => {
      const pod = await namespace.podOf('words');
      const { name } = pod.metadata;
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: namespace.name } };
      const path = `/api/v1/namespaces/${namespace.name}/pods/${name}/eviction`;
      const answer = await kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
      expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
      await namespace.untilReplaced(pod);
    }));

  it('loses no request when the router is rolled out', () =>
    losesNoRequest(async () => {
      const pod = await namespace.podOf('router');
      await namespace.kube('rollout', 'restart', 'deployment/language');
      await namespace.untilReplaced(pod);
    }));

  it('loses no request when the only pod of the router is deleted', () =>
    losesNoRequest(async () => {
      const pod = await namespace.podOf('router');
      await namespace.kube('delete', 'pod', pod.metadata.name, '--wait=false');
      await namespace.untilReplaced(pod);
    }));
});
