/** Objects of others and refused writes, on a real API server with its admission. */
import { type AddressInfo, createServer } from 'node:net';
import { describeWithTool } from '@equipoise/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { pageOf, written } from '../api/conformance/subject.test-support.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { childTypes, deployments } from '../cluster/observed-objects.js';
import { events } from '../deploy/events.js';
import { eventually } from './cluster-objects.test-support.js';
import { ClusterSuite, human, operatorUser } from './cluster-suite.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';
import { planWith } from './memory/pipeline-fixture.test-support.js';
import { SMALL, startOperator } from './operator-in-process.test-support.js';

const LARGE = 'shelf--detect--large';

const typed = (kind: string): ResourceType => {
  const type = childTypes[kind];
  if (type === undefined) throw new Error(`no child has the kind ${kind}`);
  return type;
};
const plain = (group: string, version: string, kind: string, plural: string, namespaced = true): ResourceType => ({
  ...{ group, version, kind, plural, namespaced },
});
const quotas = plain('', 'v1', 'ResourceQuota', 'resourcequotas');
const webhooks = plain(
  ...([
    'admissionregistration.k8s.io',
    'v1',
    'ValidatingWebhookConfiguration',
    'validatingwebhookconfigurations',
  ] as const),
  false,
);
const policies = plain(
  ...(['admissionregistration.k8s.io', 'v1', 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies'] as const),
  false,
);
const policyBindings = plain(
  ...([
    'admissionregistration.k8s.io',
    'v1',
    'ValidatingAdmissionPolicyBinding',
    'validatingadmissionpolicybindings',
  ] as const),
  false,
);

const ofOthers = (kind: string, namespace: string, name: string, rest: object): KubeObject =>
  ({
    apiVersion: kind === 'Deployment' ? 'apps/v1' : 'v1',
    kind,
    metadata: { name, namespace },
    ...rest,
  }) as KubeObject;

const foreignService = (namespace: string): KubeObject =>
  ofOthers('Service', namespace, 'shelf', { spec: { selector: { app: 'blog' }, ports: [{ port: 80 }] } });

const foreignDeployment = (namespace: string, name: string, labels: Record<string, string>): KubeObject => {
  const pod = { containers: [{ name: 'blog', image: 'blog:1' }] };
  const object = ofOthers('Deployment', namespace, name, {
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'blog' } },
      template: { metadata: { labels: { app: 'blog' } }, spec: pod },
    },
  });
  return { ...object, metadata: { ...object.metadata, labels } };
};

/** Webhook for one resource of a namespace, which fails closed. */
const webhookOf = (
  namespace: string,
  { url, group, resource, timeoutSeconds }: Record<'url' | 'group' | 'resource', string> & { timeoutSeconds: number },
): KubeObject =>
  ({
    ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration' },
    metadata: { name: `gate-${namespace}` },
    webhooks: [
      {
        name: 'gate.example.com',
        clientConfig: { url },
        rules: [{ apiGroups: [group], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: [resource] }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        ...{ failurePolicy: 'Fail', sideEffects: 'None', timeoutSeconds, admissionReviewVersions: ['v1'] },
      },
    ],
  }) as KubeObject;

describeWithTool(controlPlane, 'objects of others and refused writes', () => {
  const suite = new ClusterSuite();
  const stops: (() => Promise<void>)[] = [];
  const cleanUps: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    await Promise.all(cleanUps.splice(0).map((cleanUp) => cleanUp()));
    await Promise.all(stops.splice(0).map((stop) => stop()));
  });

  async function start(plan = planWith('small', 2)) {
    const operator = await startOperator(suite, plan);
    const running = { abort: new AbortController(), run: Promise.resolve() };
    const begin = () => {
      running.run = operator.run(running.abort.signal);
    };
    stops.push(async () => {
      running.abort.abort();
      await running.run;
    });
    const degraded = (reason: string) => async () => (await operator.condition('Degraded'))?.reason === reason;
    const eventsOf = async (reason: string) => {
      const page = pageOf(await suite.admin.list({ type: events, namespace: operator.namespace }));
      return page.objects.filter((event) => event.reason === reason);
    };
    return { ...operator, begin, degraded, eventsOf };
  }

  describe('objects of others', () => {
    it('leaves a Service of the name alone, and names its manager', async () => {
      const { namespace, create, begin, degraded, condition, eventsOf } = await start();
      const before = written(
        await suite.admin.create(typed('Service'), foreignService(namespace), { fieldManager: 'blog-deploy' }),
      );
      await create();
      begin();
      await eventually(degraded('NameTaken'));
      const { message = '' } = (await condition('Degraded')) ?? {};
      expect(message).toContain('The Service shelf belongs to blog-deploy');
      const after = await suite.admin.get({ type: typed('Service'), namespace, name: 'shelf' });
      expect(after).toEqual(before);
      await eventually(async () => (await eventsOf('NameTaken')).some(({ related }) => related?.kind === 'Service'));
    });

    it('writes the object once the other is gone', async () => {
      const { namespace, create, begin, degraded, condition } = await start();
      const ref = { type: typed('ConfigMap'), namespace, name: 'shelf' };
      written(
        await suite.admin.create(ref.type, ofOthers('ConfigMap', namespace, 'shelf', { data: { a: '1' } }), human),
      );
      await create();
      begin();
      await eventually(degraded('NameTaken'));
      expect(await suite.admin.get(ref)).toMatchObject({ data: { a: '1' } });
      await suite.admin.delete(ref);
      await eventually(async () => (await condition('Ready'))?.status === 'True');
      expect((await condition('Degraded'))?.status).toBe('False');
    });

    it('removes only objects that it owns, whatever their labels', async () => {
      const { namespace, create, begin, settled, source, find } = await start();
      await create();
      begin();
      await settled();
      const live = await find(SMALL);
      const labels = { ...live?.metadata.labels, 'equipoise.dev/variant': 'other' };
      written(await suite.admin.create(deployments, foreignDeployment(namespace, 'blog', labels) as never, human));
      source.decide(`${namespace}/shelf`, planWith('small', 1));
      await eventually(async () => (await find(SMALL))?.spec.replicas === 1);
      await settled();
      expect(await find('blog')).toMatchObject({ metadata: { labels } });
      expect((await find('blog'))?.metadata.deletionTimestamp).toBeUndefined();
    });

    it('takes an object over that a person hands over', async () => {
      const { namespace, create, begin, degraded, settled } = await start();
      const ref = { type: typed('ConfigMap'), namespace, name: 'shelf' };
      written(
        await suite.admin.create(ref.type, ofOthers('ConfigMap', namespace, 'shelf', { data: { a: '1' } }), human),
      );
      await create();
      begin();
      await eventually(degraded('NameTaken'));
      const annotations = { 'equipoise.dev/adopt': 'shelf' };
      const handed = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shelf', namespace, annotations } };
      written(await suite.admin.apply(ref.type, handed, { fieldManager: 'person' }));
      await settled();
      const found = await suite.admin.get(ref);
      expect(found?.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'InferencePipeline', controller: true });
    });

    it('removes fields of an object that it created', async () => {
      const { namespace, create, begin, settled, source } = await start();
      await create();
      begin();
      await settled();
      const name = 'shelf--classify--only';
      const service = () => suite.admin.get({ type: typed('Deployment'), namespace, name });
      const managers = async () => (await service())?.metadata.managedFields ?? [];
      expect((await managers()).filter(({ manager }) => manager === 'equipoise-operator')).toHaveLength(1);
      source.decide(`${namespace}/shelf`, planWith('small', 3));
      await eventually(async () => {
        const own =
          (await suite.admin.get({ type: deployments, namespace, name: SMALL }))?.metadata.managedFields ?? [];
        return (
          own
            .filter(({ manager }) => manager === 'equipoise-operator')
            .map(({ operation }) => operation)
            .join() === 'Apply'
        );
      });
    });
  });

  describe('refused writes', () => {
    it('names the message of a quota, for the object concerned, and goes on when there is room', async () => {
      const { namespace, create, begin, degraded, condition, eventsOf } = await start();
      const spec = { hard: { 'count/deployments.apps': '2' } };
      const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few', namespace }, spec };
      written(await suite.admin.create(quotas, quota as KubeObject, human));
      written(
        await suite.admin.applyStatus(
          quotas,
          { ...quota, spec: undefined, status: { ...spec, used: { 'count/deployments.apps': '0' } } } as never,
          { fieldManager: 'test', force: true },
        ),
      );
      await create();
      begin();
      await eventually(degraded('ApplyFailed'));
      const { message = '' } = (await condition('Degraded')) ?? {};
      expect(message).toMatch(/Deployment shelf\S*: .*exceeded quota: few/);
      expect((await condition('Planned'))?.status).toBe('True');
      await eventually(async () =>
        (await eventsOf('ApplyFailed')).some(({ related }) => related?.kind === 'Deployment'),
      );
      await suite.admin.delete({ type: quotas, namespace, name: 'few' });
      await eventually(async () => (await condition('Ready'))?.status === 'True');
      expect((await condition('Degraded'))?.status).toBe('False');
    });

    it('names a webhook that denies, or is away and fails closed', async () => {
      const { namespace, create, begin, degraded, condition } = await start();
      const webhook = webhookOf(namespace, {
        url: 'https://127.0.0.1:1/',
        ...{ group: 'apps', resource: 'deployments', timeoutSeconds: 2 },
      });
      written(await suite.admin.create(webhooks, webhook, human));
      cleanUps.push(() => suite.admin.delete({ type: webhooks, name: webhook.metadata.name }));
      await create();
      begin();
      await eventually(degraded('ApplyFailed'));
      expect((await condition('Degraded'))?.message).toMatch(/failed calling webhook "gate.example.com"/);
      await suite.admin.delete({ type: webhooks, name: webhook.metadata.name });
      await eventually(async () => (await condition('Ready'))?.status === 'True');
    });

    it('names the objects whose webhook hangs for longer than a request may take', async () => {
      const operator = await start();
      const silent = createServer();
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      const { port } = silent.address() as AddressInfo;
      const webhook = webhookOf(operator.namespace, {
        url: `https://127.0.0.1:${port}/`,
        ...{ group: '', resource: 'configmaps', timeoutSeconds: 30 },
      });
      written(await suite.admin.create(webhooks, webhook, human));
      cleanUps.push(async () => {
        silent.close();
        await suite.admin.delete({ type: webhooks, name: webhook.metadata.name });
      });
      operator.base.api = await suite.plane.api(operatorUser, { answerMs: 6_000 });
      await operator.create();
      operator.begin();
      await eventually(operator.degraded('ApplyFailed'));
      expect((await operator.condition('Degraded'))?.message).toContain('ConfigMap shelf: the API server answered 504');
      expect((await operator.condition('Planned'))?.status).toBe('True');
    });

    it('names the policy that denies one object, and writes the others', async () => {
      const { namespace, create, begin, degraded, condition, find } = await start();
      const name = `gate-${namespace}`;
      const policy = {
        ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', metadata: { name } },
        spec: {
          matchConstraints: {
            resourceRules: [
              {
                apiGroups: ['apps'],
                apiVersions: ['v1'],
                operations: ['CREATE', 'UPDATE'],
                resources: ['deployments'],
              },
            ],
          },
          validations: [
            { expression: "object.metadata.name != 'shelf--classify--only'", message: 'no classifiers here' },
          ],
        },
      } as KubeObject;
      const binding = {
        ...{
          apiVersion: 'admissionregistration.k8s.io/v1',
          kind: 'ValidatingAdmissionPolicyBinding',
          metadata: { name },
        },
        spec: {
          ...{ policyName: name, validationActions: ['Deny'] },
          matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
        },
      } as KubeObject;
      written(await suite.admin.create(policies, policy, human));
      written(await suite.admin.create(policyBindings, binding, human));
      cleanUps.push(
        () => suite.admin.delete({ type: policyBindings, name }),
        () => suite.admin.delete({ type: policies, name }),
      );
      // The API server compiles a policy in the background.
      const probe = foreignDeployment(namespace, 'shelf--classify--only', {});
      await eventually(async () => {
        const answer = await suite.admin.create(deployments, probe as never, human).catch(() => undefined);
        if (answer?.kind === 'written')
          await suite.admin.delete({ type: deployments, namespace, name: probe.metadata.name });
        return answer?.kind !== 'written';
      });
      await create();
      begin();
      await eventually(degraded('ApplyFailed'));
      expect((await condition('Degraded'))?.message).toMatch(/Deployment shelf--classify--only: .*no classifiers here/);
      expect(await find(SMALL)).toBeDefined();
    });

    it('names an immutable field', async () => {
      const { namespace, create, begin, degraded, condition, source, settled } = await start();
      await create();
      begin();
      await settled();
      // A workload of the next plan is there, written by Equipoise in another shape.
      const live = await suite.admin.get({ type: deployments, namespace, name: SMALL });
      const foreign = foreignDeployment(namespace, LARGE, live?.metadata.labels as Record<string, string>);
      written(await suite.admin.create(deployments, foreign as never, { fieldManager: 'equipoise-cli' }));
      source.decide(`${namespace}/shelf`, planWith('large', 1));
      await eventually(degraded('ApplyFailed'));
      expect((await condition('Degraded'))?.message).toMatch(/Deployment shelf--detect--large: .*field is immutable/);
      expect((await condition('Ready'))?.status).toBe('False');
    });
  });
});
