import { AppError } from '@equipoise/core/model';
import { COMMAND_MANAGER } from '../api/field-managers.js';
import type { KubeApi, ListPage, Refused } from '../api/kube-api.js';
import { type KubeObject, type ObjectRef, type ResourceType, refTo } from '../api/kube-object.js';
import { labelsOf } from '../cluster/object-names.js';
import {
  deployments,
  engineTypes,
  type ObservedDeployment,
  type ObservedPod,
  pods,
  renderedTypes,
} from '../cluster/observed-objects.js';
import { withKeptFiles } from '../reconcile/kept-templates.js';
import { digestOf } from '../reconcile/replica-groups.js';
import { fileDigest, fileOf, filesOf } from '../render/config-files.js';
import type { ConfigMap } from '../render/manifest-types.js';
import { FILE } from '../render/pod-template.js';
import { type FieldDifference, objectDifferences } from './object-differences.js';

export interface ObjectName {
  readonly kind: string;
  readonly name: string;
}

/** Difference between cluster and rendering. `leftOver`: objects that the rendering lacks. */
export interface DeploymentDiff {
  readonly missing: readonly ObjectName[];
  readonly changed: readonly (ObjectName & { readonly differences: readonly FieldDifference[] })[];
  readonly same: readonly ObjectName[];
  readonly leftOver: readonly ObjectName[];
}

const nameOf = ({ kind, metadata }: KubeObject): ObjectName => ({ kind, name: metadata.name });
const idOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.name}`;

/** Labels of all objects of a pipeline. */
const MARKS = ['app.kubernetes.io/managed-by', 'equipoise.dev/pipeline'];

/** An engine that is not installed, or that the user may not read, has no objects. */
export async function deployedObjects(
  api: KubeApi,
  pipeline: string,
  namespace: string,
): Promise<readonly KubeObject[]> {
  const all = await Promise.all(
    Object.values(renderedTypes).map((type) => allOf(api, { type, namespace, labelSelector: selectorOf(pipeline) })),
  );
  return all.flat();
}

/** Pods of a pipeline. */
export async function deployedPods(api: KubeApi, pipeline: string, namespace: string): Promise<readonly ObservedPod[]> {
  return (await allOf(api, { type: pods, namespace, labelSelector: selectorOf(pipeline) })) as readonly ObservedPod[];
}

function selectorOf(pipeline: string): string {
  const labels = labelsOf(pipeline);
  return MARKS.map((label) => `${label}=${labels[label]}`).join(',');
}

async function allOf(
  api: KubeApi,
  selection: { readonly type: ResourceType; readonly namespace: string; readonly labelSelector: string },
): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = [];
  for (let continueToken: string | undefined; ; ) {
    const page = await pageOf(api, selection, continueToken);
    if (page.kind === 'page') found.push(...page.objects);
    // The list has expired: start again.
    else found.length = 0;
    continueToken = page.kind === 'page' ? page.continueToken : undefined;
    if (page.kind === 'page' && continueToken === undefined) return found;
  }
}

async function pageOf(api: KubeApi, selection: Parameters<typeof allOf>[1], continueToken: string | undefined) {
  try {
    return await api.list(selection, continueToken === undefined ? {} : { continueToken });
  } catch (error) {
    if (!isWithoutObjects(error, selection.type)) throw error;
    return { kind: 'page', objects: [], resourceVersion: '' } as ListPage;
  }
}

/**
 * True for a resource that is not served. A server answers 403 about an engine that is not installed to users without
 * rights on it, because it checks rights first.
 */
const isWithoutObjects = (error: unknown, type: ResourceType): boolean =>
  error instanceof AppError &&
  error.code === 'CLUSTER_REFUSED' &&
  (error.details['httpStatus'] === 404 || (error.details['httpStatus'] === 403 && engineTypes.includes(type)));

export function deploymentDiff(wanted: readonly KubeObject[], live: readonly KubeObject[]): DeploymentDiff {
  const there = new Map(live.map((object) => [idOf(object), object]));
  const compared = wanted.map((object) => {
    const found = there.get(idOf(object));
    const workload = there.get(`${deployments.kind} ${object.metadata.name}`) as ObservedDeployment | undefined;
    return { object, found, differences: found === undefined ? [] : differencesOf(object, found, workload) };
  });
  const ids = new Set(wanted.map(idOf));
  return {
    missing: compared.filter(({ found }) => found === undefined).map(({ object }) => nameOf(object)),
    changed: compared
      .filter(({ differences }) => differences.length > 0)
      .map(({ object, differences }) => ({ ...nameOf(object), differences })),
    same: compared
      .filter(({ found, differences }) => found !== undefined && differences.length === 0)
      .map(({ object }) => nameOf(object)),
    leftOver: live.filter((object) => !ids.has(idOf(object))).map(nameOf),
  };
}

/** Compares the wanted file with the one that runs, whose keys differ. */
function differencesOf(
  wanted: KubeObject,
  live: KubeObject,
  workload: ObservedDeployment | undefined,
): readonly FieldDifference[] {
  const text = wanted.kind === 'ConfigMap' ? fileOf(wanted as ConfigMap) : undefined;
  if (text === undefined) return objectDifferences(wanted, live);
  const config = live as ConfigMap;
  const isThere = filesOf(config).get(fileDigest(text)) === text;
  const running = isThere ? text : fileOf(config, workload && digestOf(workload));
  return objectDifferences({ ...wanted, data: { [FILE]: text } }, { ...live, data: { [FILE]: running } });
}

/**
 * Applies objects in order, after a dry run of all of them: if the server refuses one, none is written. AppError CONFLICT
 * gives the reason of a refusal, CLUSTER_REFUSED a missing namespace or kind.
 */
export async function applyObjects(
  api: KubeApi,
  objects: readonly KubeObject[],
  { pipeline, force }: { readonly pipeline: string; readonly force: boolean },
): Promise<void> {
  if (!force) for (const object of objects) await requireOwn(api, object, pipeline);
  const complete: KubeObject[] = [];
  for (const object of objects) complete.push(await withRunningFile(api, object));
  for (const dryRun of [true, false]) {
    for (const object of complete) {
      const result = await api.apply(typeOf(object.kind), object, { fieldManager: COMMAND_MANAGER, force, dryRun });
      if (result.kind === 'refused') throw notWritten(object, result);
    }
  }
}

/** A ConfigMap keeps the file of the running template, because its pods may restart until the rollout ends. */
async function withRunningFile(api: KubeApi, object: KubeObject): Promise<KubeObject> {
  if (object.kind !== 'ConfigMap') return object;
  const live = await api.get(refTo(typeOf(object.kind), object));
  if (live === undefined) return object;
  const { name, namespace } = object.metadata;
  const workload = await api.get({ type: deployments, namespace, name });
  const digest = workload && digestOf(workload);
  return withKeptFiles(object, live, () => ({
    digests: new Set(digest === undefined ? [] : [digest]),
    // The objects of engines have no template that this could read.
    isChanging: digest === undefined,
  }));
}

/** Throws CONFLICT if an object of others has the name: an apply would mix the fields of both. */
async function requireOwn(api: KubeApi, object: KubeObject, pipeline: string): Promise<void> {
  const found = await api.get(refTo(typeOf(object.kind), object));
  if (found === undefined) return;
  const wanted = labelsOf(pipeline);
  if (MARKS.every((label) => found.metadata.labels?.[label] === wanted[label])) return;
  const { manager = 'somebody else' } = found.metadata.managedFields?.[0] ?? {};
  const { kind, metadata } = object;
  throw new AppError(
    'CONFLICT',
    `${kind} ${metadata.name} was not written: an object of this name belongs to ${manager}. Delete or rename it, choose another namespace, or take it over with --force. Nothing was written.`,
    { details: { kind, name: metadata.name, reason: 'name-taken', manager } },
  );
}

function notWritten({ apiVersion, kind, metadata }: KubeObject, { reason, message, causes }: Refused): AppError {
  const { name, namespace = 'default' } = metadata;
  const details = { kind, name, reason, causes };
  // An apply creates missing objects, so the namespace or kind is missing.
  if (reason === 'not-found') {
    const lack = message.startsWith('namespaces ')
      ? `there is no namespace ${namespace}; \`kubectl create namespace ${namespace}\` makes it`
      : `the cluster has no ${kind} of ${apiVersion}; install what brings that, or choose another --target`;
    return new AppError('CLUSTER_REFUSED', `${kind} ${name} was not written: ${lack}.`, { details });
  }
  const advice = reason === 'conflict' ? ' --force takes the fields that others own.' : '';
  return new AppError('CONFLICT', `${kind} ${name} was not written: ${message}.${advice}`, { details });
}

export async function removeObjects(api: KubeApi, objects: readonly ObjectName[], namespace: string): Promise<void> {
  for (const { kind, name } of objects) {
    const ref: ObjectRef = { type: typeOf(kind), namespace, name };
    const result = await api.delete(ref);
    if (result.kind === 'refused' && result.reason !== 'not-found')
      throw new AppError('CONFLICT', `${kind} ${name} was not removed: ${result.message}`, { details: { kind, name } });
  }
}

function typeOf(kind: string): ResourceType {
  const type = renderedTypes[kind];
  if (type === undefined) throw new AppError('NOT_FOUND', `Expected a kind that plans are rendered to, found ${kind}.`);
  return type;
}
