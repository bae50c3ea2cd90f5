/** Checks of the operator's manifests that need no cluster. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

const folder = (name: string) => new URL(`../../../../deploy/${name}/`, import.meta.url);
const text = (place: string, file: string) => readFileSync(new URL(file, folder(place)), 'utf8');

interface Pods {
  readonly serviceAccountName: string;
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly { readonly image: string; readonly args: readonly string[]; readonly ports: unknown }[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly replicas: number;
    readonly selector: { readonly matchLabels: object };
    readonly podSelector: { readonly matchLabels: object };
    readonly egress: readonly { readonly to?: unknown; readonly ports: readonly { readonly port: number }[] }[];
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: Pods };
  };
}

const manifests = parseAllDocuments(text('kubernetes', 'operator.yaml')).map((each) => each.toJS() as Manifest);
const [deployment, budget, policy] = manifests as [Manifest, Manifest, Manifest];
const pods = deployment.spec.template;
const [container = { image: '', args: [] as readonly string[], ports: [] }] = pods.spec.containers;

const EQUIPOISE = fileURLToPath(new URL('../../../app/bin/equipoise.js', import.meta.url));
const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

/** Output of the command for arguments; a missing kubeconfig keeps the command from acting. */
function saysTo(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [EQUIPOISE, ...args, '--kubeconfig', 'none'], (_error, _stdout, stderr) =>
      resolve(stderr),
    );
  });
}

describe('the manifests of the operator', { timeout: 60_000 }, () => {
  it('are a Deployment of two, a bound on evictions and a network policy, all in the namespace of the base', () => {
    expect(manifests.map(({ kind }) => kind)).toEqual(['Deployment', 'PodDisruptionBudget', 'NetworkPolicy']);
    expect(manifests.every(({ metadata }) => metadata.namespace === 'equipoise')).toBe(true);
    expect(deployment.spec.replicas).toBe(2);
    for (const labels of [deployment.spec.selector.matchLabels, budget.spec.selector.matchLabels]) {
      expect(pods.metadata.labels).toMatchObject(labels);
    }
    expect(pods.metadata.labels).toMatchObject(policy.spec.podSelector.matchLabels);
    const { resources } = parse(text('kubernetes', 'kustomization.yaml')) as { readonly resources: readonly string[] };
    expect(resources).toEqual(['namespace.yaml', 'rbac.yaml', 'operator.yaml']);
    expect(text('kubernetes', 'rbac.yaml')).toContain(`name: ${pods.spec.serviceAccountName}`);
  });

  it('grant what the operator does and no more: it sets replicas with the rest of a Deployment, and deletes no event', () => {
    const rules = parseAllDocuments(text('kubernetes', 'rbac.yaml')).flatMap(
      (each) =>
        (each.toJS() as { rules?: readonly { resources: readonly string[]; verbs: readonly string[] }[] }).rules ?? [],
    );
    const verbsOn = (resource: string) => rules.find(({ resources }) => resources.includes(resource))?.verbs;
    expect([verbsOn('deployments/scale'), verbsOn('events')]).toEqual([undefined, ['create', 'patch']]);
    expect([verbsOn('secrets'), verbsOn('nodes')]).toEqual([undefined, undefined]);
  });

  it('let the operator read the metrics of routers in a mesh, and names from any address', () => {
    const ports = policy.spec.egress.map((rule) => rule.ports.map(({ port }) => port));
    expect(ports).toContainEqual([8080, 15_008, 15_020]);
    const names = policy.spec.egress.find((rule) => rule.ports.some(({ port }) => port === 53));
    expect(names?.to).toBeUndefined();
  });

  it('are not taken for a pipeline: the operator looks at what is managed by equipoise', () => {
    expect(text('kubernetes', 'operator.yaml')).not.toContain('managed-by');
  });

  it('start the command of this version with flags that it has', async () => {
    expect(container.image).toBe(`equipoise:${own.version}`);
    expect(container.args).toEqual(['operator', '--namespace=equipoise', '--host=0.0.0.0', '--port=8082']);
    expect(await saysTo(container.args)).toContain('there is no kubeconfig');
    expect(await saysTo([...container.args, '--unknown'])).toContain('unknown option');
    expect(container.ports).toEqual([{ name: 'http', containerPort: 8082 }]);
  });

  it('grant the leases of as many shards as the chart allows, and no others', () => {
    const rules = parseAllDocuments(text('kubernetes', 'rbac.yaml')).flatMap(
      (each) =>
        (each.toJS() as { rules?: readonly { resources: readonly string[]; resourceNames?: string[] }[] }).rules ?? [],
    );
    const named = rules
      .filter(({ resources }) => resources.includes('leases'))
      .flatMap((rule) => rule.resourceNames ?? []);
    const { properties } = JSON.parse(text('helm', 'equipoise/values.schema.json')) as {
      readonly properties: { readonly shards: { readonly maximum: number } };
    };
    const shards = Array.from({ length: properties.shards.maximum }, (_, shard) => `equipoise-operator-shard-${shard}`);
    expect(named).toEqual(['equipoise-operator', ...shards]);
  });

  it('become those of shards by one flag', async () => {
    const { patches } = parse(text('kubernetes-shards', 'kustomization.yaml')) as {
      readonly patches: readonly { readonly patch: string }[];
    };
    const flags = (parse(patches[0]?.patch ?? '') as readonly { readonly value: string }[]).map(({ value }) => value);
    expect(flags).toEqual(['--shards=8', '--no-admin-port']);
    expect(await saysTo([...container.args, ...flags])).toContain('there is no kubeconfig');
  });

  it('become those that name conditions of nodes by one flag, and the right to list and watch nodes', async () => {
    const { patches } = parse(text('kubernetes-nodes', 'kustomization.yaml')) as {
      readonly patches: readonly { readonly patch: string }[];
    };
    const flags = (parse(patches[0]?.patch ?? '') as readonly { readonly value: string }[]).map(({ value }) => value);
    expect(flags).toEqual(['--watch-nodes']);
    expect(await saysTo([...container.args, ...flags])).toContain('there is no kubeconfig');
    const rights = parseAllDocuments(text('kubernetes-nodes', 'rbac.yaml')).map(
      (each) => each.toJS() as { readonly kind: string; readonly rules?: unknown },
    );
    expect(rights.map(({ kind }) => kind)).toEqual(['ClusterRole', 'ClusterRoleBinding']);
    expect(rights[0]?.rules).toEqual([{ apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] }]);
  });

  it('become those for all namespaces by one flag', async () => {
    const { patches } = parse(text('kubernetes-all-namespaces', 'kustomization.yaml')) as {
      readonly patches: readonly { readonly patch: string }[];
    };
    const [operation] = parse(patches[0]?.patch ?? '') as readonly { readonly path: string; readonly value: string }[];
    const index = Number(operation?.path.split('/').at(-1));
    expect(container.args[index]).toMatch(/^--namespace=/);
    const args = container.args.with(index, operation?.value ?? '');
    expect(args).toContain('--all-namespaces');
    expect(await saysTo(args)).toContain('there is no kubeconfig');
  });
});
