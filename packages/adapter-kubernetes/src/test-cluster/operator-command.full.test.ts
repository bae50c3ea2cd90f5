/** The command of the operator as a process with the shipped rights, against a real control plane. */
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { deployments, isRouter, pipelines } from '../cluster/observed-objects.js';
import { eventually, installOperatorManifests, namespaceOfOperator } from './cluster-objects.test-support.js';
import { human } from './cluster-suite.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';
import { shelf } from './memory/pipeline-fixture.test-support.js';
import { OperatorSuite } from './operator-suite.test-support.js';

describeWithTool(controlPlane, 'equipoise operator on a real control plane', () => {
  const suite = new OperatorSuite();

  it('plans for the load that is named, then for the one that its router shows, and applies both', async () => {
    const { namespace, status, condition, settled, listed, cores } = await suite.pipeline();
    const command = suite.run(namespace);
    await settled();
    expect(await status()).toMatchObject({ mode: 'auto', plannedForRps: 20 });
    const imagesOf = (await listed()).map(({ metadata, spec }) => [
      metadata.labels?.['equipoise.dev/stage'] ?? 'router',
      (spec.template as { spec?: { containers: { image: string }[] } }).spec?.containers[0]?.image,
    ]);
    expect(Object.fromEntries(imagesOf)).toEqual({ router: 'shelf:7', classify: 'shelf:7', detect: 'detect:2' });
    const calm = await cores();

    suite.routers.rps = 150;
    await eventually(async () => (await cores()) > calm);
    await settled();
    expect((await status())?.plannedForRps).toBeGreaterThan(140);
    const replicas = (await listed()).filter((each) => !isRouter(each)).map(({ spec }) => spec.replicas ?? 0);
    expect(replicas.reduce((sum, count) => sum + count, 0)).toBe((await status())?.replicas?.desired);
    await eventually(async () => (await condition('SLOMet'))?.status === 'True');
    await eventually(async () => ((await status())?.observed?.arrivalRps ?? 0) > 100);
    expect((await status())?.observed).toMatchObject({
      percentile: 99,
      sloAttainmentFraction: 1,
      pas: expect.closeTo(0.72),
    });

    suite.routers.lateFraction = 0.5;
    await eventually(async () => (await condition('SLOMet'))?.status === 'False');
    expect(await condition('SLOMet')).toMatchObject({ reason: 'SloMissed' });

    expect(await command.asks('/livez')).toMatchObject({ status: 200 });
    expect(await command.asks('/readyz')).toMatchObject({ status: 200 });
    const { text = '' } = (await command.asks('/metrics')) ?? {};
    expect(text).toMatch(/^equipoise_operator_leads 1$/m);
    expect(text).toMatch(/^equipoise_operator_pipelines 1$/m);
    expect(text).toMatch(/^equipoise_operator_decisions_total\{kind="apply"\} [1-9]/m);
    expect(command.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('is admitted as it is shipped, in the namespace that keeps to the restricted pod security standard', async () => {
    const ref = await installOperatorManifests(suite.admin);
    await eventually(async () => (await suite.admin.get({ type: deployments, ...ref }))?.status?.readyReplicas === 2);
    await suite.admin.delete({ type: deployments, ...ref });
  });

  it('only advises where the pipeline does not say otherwise', async () => {
    const { namespace, condition, listed, status } = await suite.pipeline({ mode: 'advise' });
    suite.run(namespace);
    await eventually(async () => (await condition('Planned'))?.reason === 'Advised');
    expect(await listed()).toEqual([]);
    expect(await status()).toMatchObject({ mode: 'advise', plannedForRps: 20 });
  });

  it('keeps the plan and says so when the router shows no metrics', async () => {
    const { namespace, condition, settled, status } = await suite.pipeline();
    suite.run(namespace);
    await settled();
    suite.routers.rps = 20;
    await eventually(async () => (await condition('SLOMet'))?.status === 'True');
    suite.routers.showsMetrics = false;
    await eventually(async () => (await condition('Degraded'))?.reason === 'RouterUnreachable');
    const { plan } = (await status()) ?? {};
    expect(await condition('SLOMet')).toMatchObject({ status: 'Unknown', reason: 'RouterUnreachable' });
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    expect((await status())?.plan).toEqual(plan);
    suite.routers.showsMetrics = true;
    await eventually(async () => (await condition('Degraded'))?.status === 'False');
  });

  it('says what is missing where a variant has no profile', async () => {
    const { spec } = shelf();
    const without = structuredClone(spec) as { stages: { module?: string; variants: { profile?: unknown }[] }[] };
    delete without.stages[0]?.variants[1]?.profile;
    Object.assign(without.stages[0] ?? {}, { module: './detect.js' });
    const namespace = await namespaceOfOperator(suite.admin);
    const { metadata, ...rest } = shelf({ namespace });
    const object = { ...rest, spec: without, metadata: { name: metadata.name, namespace } };
    written(await suite.admin.create(pipelines, object, human));
    suite.run(namespace);
    const planned = async () =>
      (await suite.admin.get({ type: pipelines, namespace, name: 'shelf' }))?.status?.conditions?.find(
        ({ type }) => type === 'Planned',
      );
    await eventually(async () => (await planned())?.reason === 'ProfilesMissing');
    expect((await planned())?.message).toContain('large');
  });

  it('plans by measured service times, and says that the profile is off', async () => {
    const { namespace, condition, settled, cores } = await suite.pipeline();
    suite.run(namespace);
    await settled();
    suite.routers.rps = 20;
    await eventually(async () => (await condition('SLOMet'))?.status === 'True');
    const before = await cores();
    suite.routers.serviceMs = { 'detect/small': 60, 'detect/large': 150, 'classify/only': 60 };
    await eventually(async () => (await condition('Degraded'))?.reason === 'ProfileOff');
    expect((await condition('Degraded'))?.message).toMatch(/batches take \d+ ms, .* times the \d+ ms of the profile/);
    await eventually(async () => (await cores()) > before);
  });

  it('is not ready while the API server is away', async () => {
    const { namespace, settled } = await suite.pipeline();
    const command = suite.run(namespace);
    await settled();
    const readiness = async () => (await command.asks('/readyz'))?.status;
    await eventually(async () => (await readiness()) === 200);
    await suite.plane.killApiServer();
    await eventually(async () => (await readiness()) === 503);
    await suite.plane.startApiServer();
    await eventually(async () => (await readiness()) === 200);
  });
});
