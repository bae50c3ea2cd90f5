/**
 * The command of the operator as processes with the shipped rights, against a real control plane. The routers only
 * count requests.
 */
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject } from '../api/kube-object.js';
import { leases } from '../cluster/lease-elector.js';
import { deployments, isRouter, pipelines, pods } from '../cluster/observed-objects.js';
import { pipelineDefinition } from '../crd/pipeline-crd.js';
import {
  customResources,
  definitionServed,
  eventually,
  installOperatorManifests,
  installOperatorRights,
  namespaceOfOperator,
  operatorAccount,
} from './cluster-objects.test-support.js';
import { ControlPlane, serviceAccount } from './control-plane.test-support.js';
import { FakeKubelet } from './fake-kubelet.test-support.js';
import { controlPlane, kubeBinariesFolder } from './kube-binaries.test-support.js';
import { shelf } from './memory/pipeline-fixture.test-support.js';
import { OperatorCommand } from './operator-command.test-support.js';
import { StandInRouters } from './stand-in-routers.test-support.js';

const user = serviceAccount(operatorAccount.namespace, operatorAccount.name);
const human = { fieldManager: 'kubectl' };
const lease = { type: leases, namespace: operatorAccount.namespace, name: 'equipoise-operator' };

describeWithTool(controlPlane, 'equipoise operator on a real control plane', () => {
  let plane: ControlPlane;
  let admin: KubeApi;
  let kubelet: FakeKubelet;
  const routers = new StandInRouters();
  const started: OperatorCommand[] = [];

  beforeAll(async () => {
    plane = await ControlPlane.start(kubeBinariesFolder(), [user]);
    admin = await plane.api();
    const definition = pipelineDefinition() as KubeObject & { spec: unknown };
    written(await admin.apply(customResources, definition, human));
    await definitionServed(admin, definition.metadata.name);
    await installOperatorRights(admin);
    kubelet = new FakeKubelet(admin);
    kubelet.fateOf = () => ({ kind: 'hosted', host: routers });
    await kubelet.start();
  }, 300_000);

  afterEach(async () => {
    Object.assign(routers, { rps: 0, lateFraction: 0, showsMetrics: true });
    await Promise.all(started.splice(0).map((command) => command.remove()));
  });

  afterAll(async () => {
    await kubelet?.stop();
    await routers.close();
    await plane?.stop();
  }, 60_000);

  const run = (namespace: string, ...more: readonly string[]): OperatorCommand => {
    const flags = ['--namespace', namespace, '--lease-namespace', operatorAccount.namespace, ...more];
    const command = new OperatorCommand(plane.kubeconfig(user), ...flags);
    started.push(command);
    return command;
  };

  /** Pipeline in its own namespace, with helpers to read it. */
  async function pipeline(over: Parameters<typeof shelf>[0] = {}, arrivalRps = '20') {
    const namespace = await namespaceOfOperator(admin);
    const { metadata, ...rest } = shelf({ ...over, namespace });
    const annotations = { 'equipoise.dev/arrival-rps': arrivalRps, 'equipoise.dev/images': 'shelf:7 detect=detect:2' };
    const object = { ...rest, metadata: { name: metadata.name, namespace, annotations } };
    written(await admin.create(pipelines, object, human));
    const status = async () => (await admin.get({ type: pipelines, namespace, name: 'shelf' }))?.status;
    const condition = async (type: string) => (await status())?.conditions?.find((each) => each.type === type);
    const settled = () => eventually(async () => (await condition('Ready'))?.status === 'True', 120_000);
    const listed = async () => {
      const page = await admin.list({ type: deployments, namespace });
      return page.kind === 'page' ? page.objects : [];
    };
    const cores = async () => (await status())?.plan?.predicted.cpuCores ?? 0;
    const routerPods = async () => {
      const page = await admin.list({ type: pods, namespace });
      return page.kind === 'page' ? page.objects.filter(isRouter).map(({ metadata: { name } }) => name) : [];
    };
    return { namespace, status, condition, settled, listed, cores, routerPods };
  }

  it('plans for the load that is named, then for the one that its router shows, and applies both', async () => {
    const { namespace, status, condition, settled, listed, cores } = await pipeline();
    const command = run(namespace);
    await settled();
    expect(await status()).toMatchObject({ mode: 'auto', plannedForRps: 20 });
    const imagesOf = (await listed()).map(({ metadata, spec }) => [
      metadata.labels?.['equipoise.dev/stage'] ?? 'router',
      (spec.template as { spec?: { containers: { image: string }[] } }).spec?.containers[0]?.image,
    ]);
    expect(Object.fromEntries(imagesOf)).toEqual({ router: 'shelf:7', classify: 'shelf:7', detect: 'detect:2' });
    const calm = await cores();

    routers.rps = 150;
    await eventually(async () => (await cores()) > calm, 60_000);
    await settled();
    expect((await status())?.plannedForRps).toBeGreaterThan(140);
    const replicas = (await listed()).filter((each) => !isRouter(each)).map(({ spec }) => spec.replicas ?? 0);
    expect(replicas.reduce((sum, count) => sum + count, 0)).toBe((await status())?.replicas?.desired);
    await eventually(async () => (await condition('SLOMet'))?.status === 'True');
    await eventually(async () => ((await status())?.observed?.arrivalRps ?? 0) > 100, 90_000);
    expect((await status())?.observed).toMatchObject({
      percentile: 99,
      sloAttainmentFraction: 1,
      pas: expect.closeTo(0.72),
    });

    routers.lateFraction = 0.5;
    await eventually(async () => (await condition('SLOMet'))?.status === 'False', 30_000);
    expect(await condition('SLOMet')).toMatchObject({ reason: 'SloMissed' });

    expect(await command.asks('/livez')).toMatchObject({ status: 200 });
    expect(await command.asks('/readyz')).toMatchObject({ status: 200 });
    const { text = '' } = (await command.asks('/metrics')) ?? {};
    expect(text).toMatch(/^equipoise_operator_leads 1$/m);
    expect(text).toMatch(/^equipoise_operator_pipelines 1$/m);
    expect(text).toMatch(/^equipoise_operator_decisions_total\{kind="apply"\} [1-9]/m);
    expect(command.lines.filter(({ level }) => level === 'error')).toEqual([]);
  }, 300_000);

  it('is admitted as it is shipped, in the namespace that keeps to the restricted pod security standard', async () => {
    const ref = await installOperatorManifests(admin);
    await eventually(async () => (await admin.get({ type: deployments, ...ref }))?.status?.readyReplicas === 2);
    await admin.delete({ type: deployments, ...ref });
  }, 120_000);

  it('only advises where the pipeline does not say otherwise', async () => {
    const { namespace, condition, listed, status } = await pipeline({ mode: 'advise' });
    run(namespace);
    await eventually(async () => (await condition('Planned'))?.reason === 'Advised');
    expect(await listed()).toEqual([]);
    expect(await status()).toMatchObject({ mode: 'advise', plannedForRps: 20 });
  }, 120_000);

  it('keeps the plan and says so when the router shows no metrics', async () => {
    const { namespace, condition, settled, status } = await pipeline();
    run(namespace);
    await settled();
    routers.rps = 20;
    await eventually(async () => (await condition('SLOMet'))?.status === 'True');
    routers.showsMetrics = false;
    await eventually(async () => (await condition('Degraded'))?.reason === 'RouterUnreachable');
    const { plan } = (await status()) ?? {};
    expect(await condition('SLOMet')).toMatchObject({ status: 'Unknown', reason: 'RouterUnreachable' });
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    expect((await status())?.plan).toEqual(plan);
    routers.showsMetrics = true;
    await eventually(async () => (await condition('Degraded'))?.status === 'False');
  }, 180_000);

  it('says what is missing where a variant has no profile', async () => {
    const { spec } = shelf();
    const without = structuredClone(spec) as { stages: { module?: string; variants: { profile?: unknown }[] }[] };
    delete without.stages[0]?.variants[1]?.profile;
    Object.assign(without.stages[0] ?? {}, { module: './detect.js' });
    const namespace = await namespaceOfOperator(admin);
    const { metadata, ...rest } = shelf({ namespace });
    const object = { ...rest, spec: without, metadata: { name: metadata.name, namespace } };
    written(await admin.create(pipelines, object, human));
    run(namespace);
    const planned = async () =>
      (await admin.get({ type: pipelines, namespace, name: 'shelf' }))?.status?.conditions?.find(
        ({ type }) => type === 'Planned',
      );
    await eventually(async () => (await planned())?.reason === 'ProfilesMissing');
    expect((await planned())?.message).toContain('large');
  }, 120_000);

  it('hands over when the one that acts is killed: the data plane answers meanwhile, and the plan stays what it was', async () => {
    const { namespace, settled, cores, routerPods, status } = await pipeline();
    const first = run(namespace);
    await settled();
    routers.rps = 100;
    const calm = await cores();
    await eventually(async () => (await cores()) > calm);
    await settled();
    const second = run(namespace);
    await eventually(async () => second.has('another leads'));
    // Plans and pods no longer change.
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    await settled();
    const [before, podsBefore] = [(await status())?.plan?.stages, await routerPods()];
    const answers: number[] = [];
    const asking = setInterval(() => {
      const url = routers.urls.at(-1);
      void fetch(`${url}/v2/health/ready`).then(
        ({ status: code }) => answers.push(code),
        () => answers.push(0),
      );
    }, 50);
    const killedAtMs = performance.now();
    await first.stop('SIGKILL');
    await eventually(async () => second.has('leads'), 60_000);
    const tookMs = performance.now() - killedAtMs;
    // The lease lasts 15 s and is polled every 2 to 4 s.
    expect(tookMs).toBeLessThan(22_000);
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    clearInterval(asking);
    expect(answers.length).toBeGreaterThan(100);
    expect(answers.filter((code) => code !== 200)).toEqual([]);
    expect((await status())?.plan?.stages).toEqual(before);
    expect(await routerPods()).toEqual(podsBefore);

    routers.rps = 200;
    const held = await cores();
    await eventually(async () => (await cores()) > held);
    await settled();
  }, 300_000);

  it('runs once: brings the pipeline there, finds nothing to do the next time, and leaves it to another that leads', async () => {
    const { namespace, settled, condition } = await pipeline();
    const once = async () => {
      const command = run(namespace, '--once', '--json');
      await command.ended;
      return { exitCode: command.exitCode, document: command.document };
    };
    expect(await once()).toMatchObject({ exitCode: 0, document: { pipelines: [{ name: 'shelf', mode: 'auto' }] } });
    // Pods of the test are ready at once, so this run or the next one finishes the change.
    await once();
    await settled();
    routers.rps = 20;
    const last = await once();
    expect(last).toMatchObject({
      exitCode: 0,
      document: { pipelines: [{ phase: 'settled', replicas: { ready: expect.any(Number) } }] },
    });
    expect((await condition('Planned'))?.status).toBe('True');
    const other = run(namespace);
    await eventually(async () => other.has('leads'));
    expect(await once()).toMatchObject({ exitCode: 1, document: { error: { code: 'CONFLICT' } } });
  }, 300_000);

  it('gives the lease back when it is told to stop, and ends with 0', async () => {
    const { namespace, settled } = await pipeline();
    const first = run(namespace);
    await settled();
    const second = run(namespace);
    await eventually(async () => second.has('another leads'));
    const stoppedAtMs = performance.now();
    await first.stop('SIGTERM');
    expect(first.exitCode).toBe(0);
    expect(first.has('stopped')).toBe(true);
    await eventually(async () => second.has('leads'));
    expect(performance.now() - stoppedAtMs).toBeLessThan(8_000);
    await second.stop('SIGTERM');
    expect((await admin.get(lease))?.spec.holderIdentity).toBe('');
  }, 180_000);
});
