/** Objects of the cluster itself that tests need. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { childTypes } from '../cluster/observed-objects.js';

interface Definition extends KubeObject {
  readonly spec: unknown;
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

export const customResources: ResourceType<Definition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

/** Namespaces of a cluster. */
export const namespaces: ResourceType = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
};

let made = 0;

/** A namespace that no other test uses. */
export async function newNamespace(api: KubeApi, labels: Readonly<Record<string, string>> = {}): Promise<string> {
  const name = `test-${++made}`;
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
  const result = await api.create(namespaces, namespace, { fieldManager: 'test' });
  if (result.kind === 'refused') throw new Error(result.message);
  return name;
}

/** Resolves when the server serves a defined resource. */
export async function definitionServed(api: KubeApi, name: string): Promise<void> {
  await eventually(async () => {
    const definition = await api.get({ type: customResources, name });
    return (
      definition?.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True') ?? false
    );
  });
}

/** Far more than any wait needs, because busy machines are slow. */
const PATIENCE_MS = 400_000;

/** Polls until `holds` is true; rejects after `limitMs`. */
export async function eventually(holds: () => Promise<boolean>, limitMs = PATIENCE_MS): Promise<void> {
  const untilMs = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > untilMs) throw new Error(`not so after ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const rbac = (
  kind: string,
  plural: string,
  namespaced = true,
): ResourceType<KubeObject & { readonly roleRef?: unknown; readonly subjects?: unknown }> => ({
  ...{ group: 'rbac.authorization.k8s.io', version: 'v1', kind, plural },
  namespaced,
});
const bindings = rbac('RoleBinding', 'rolebindings');
const clusterBindings = rbac('ClusterRoleBinding', 'clusterrolebindings', false);
const shippedTypes: readonly ResourceType[] = [
  namespaces,
  { group: '', version: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts', namespaced: true },
  rbac('ClusterRole', 'clusterroles', false),
  rbac('Role', 'roles'),
  bindings,
  clusterBindings,
];

const writer = { fieldManager: 'test' };
const shippedFolder = new URL('../../../../deploy/kubernetes/', import.meta.url);
const shipped = (file: string): readonly KubeObject[] =>
  parseAllDocuments(readFileSync(new URL(file, shippedFolder), 'utf8')).map(
    (document) => document.toJS() as KubeObject,
  );

/** The account that the shipped rights are for. */
export const operatorAccount = { namespace: 'equipoise', name: 'equipoise-operator' } as const;

/** Applies the shipped namespace and rights of the operator. */
export const installOperatorRights = (api: KubeApi): Promise<void> =>
  install(api, [...shipped('namespace.yaml'), ...shipped('rbac.yaml')]);

/** Applies the shipped right of the operator to read nodes. */
export const installNodeRights = (api: KubeApi): Promise<void> =>
  install(api, shipped('../kubernetes-nodes/rbac.yaml'));

async function install(api: KubeApi, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const type = shippedTypes.find(({ kind }) => kind === object.kind);
    if (type === undefined) throw new Error(`an object of the unexpected kind ${object.kind}`);
    const result = await api.apply(type, object, writer);
    if (result.kind === 'refused') throw new Error(result.message);
  }
}

/** Applies the shipped operator; returns the reference of its Deployment. */
export async function installOperatorManifests(
  api: KubeApi,
): Promise<{ readonly namespace: string; readonly name: string }> {
  for (const object of shipped('operator.yaml')) {
    const type = childTypes[object.kind];
    if (type === undefined) throw new Error(`an object of the unexpected kind ${object.kind}`);
    const result = await api.apply(type, object, writer);
    if (result.kind === 'refused') throw new Error(result.message);
  }
  return operatorAccount;
}

/** New namespace with the pod security of the shipped one, and with the rights of the operator. */
export async function namespaceOfOperator(api: KubeApi): Promise<string> {
  const [{ metadata } = { metadata: undefined }] = shipped('namespace.yaml');
  const name = await newNamespace(api, metadata?.labels ?? {});
  const binding = shipped('rbac.yaml').find(({ kind }) => kind === 'RoleBinding');
  if (binding === undefined) throw new Error('rbac.yaml has no RoleBinding');
  const result = await api.apply(bindings, { ...binding, metadata: { ...binding.metadata, namespace: name } }, writer);
  if (result.kind === 'refused') throw new Error(result.message);
  return name;
}
