/**
 * Stages that an engine runs behind our router, in the form of Deployments: so that one policy changes the plans of all
 * targets. A form carries the objects of the engine (`engine`); writes are translated back to them. A Server and a Model
 * of Seldon Core 2 are one form.
 */
import { type KubeObject, type ObjectRef, refTo } from '../api/kube-object.js';
import { deployments, isStage, type ObservedDeployment, renderedTypes } from '../cluster/observed-objects.js';
import { engineObjectState } from '../render/engines/engine-state.js';
import { ownPartOf } from './canary-router.js';
import { changedAtMs, podsOf, replicasOf, withReplicas } from './engine-objects.js';

/** A Deployment that stands for objects of an engine; of a pair the first counts. */
interface StageForm extends ObservedDeployment {
  readonly engine: readonly KubeObject[];
}

const KINDS = ['InferenceService', 'SeldonDeployment', 'Server', 'Model'];

const isEngineStage = (object: KubeObject): boolean => isStage(object) && KINDS.includes(object.kind);

export const isForm = (object: KubeObject): object is StageForm => 'engine' in object;

/** Seldon's status tells no generation, so it may still be that of the form before. */
const SETTLING_MS = 10_000;

const wantedForms = new WeakMap<readonly KubeObject[], readonly KubeObject[]>();

/** Wanted objects with the forms of stages. Cached to keep the identity of objects. */
export function withWantedForms(objects: readonly KubeObject[]): readonly KubeObject[] {
  const known = wantedForms.get(objects);
  if (known !== undefined) return known;
  const formed = withForms(objects, (engine) => formOf(engine));
  wantedForms.set(objects, formed);
  return formed;
}

/** Live objects with the forms of stages, whose status is that of the engine. */
export const withLiveForms = (objects: readonly KubeObject[], nowEpochMs: number): readonly KubeObject[] =>
  withForms(objects, (engine) => liveFormOf(engine, nowEpochMs));

function withForms(
  objects: readonly KubeObject[],
  form: (engine: readonly KubeObject[]) => KubeObject,
): readonly KubeObject[] {
  if (!objects.some(isEngineStage)) return objects;
  const names = new Set<string>();
  return objects.flatMap((object) => {
    if (!isEngineStage(object)) return [object];
    const { name } = object.metadata;
    if (names.has(name)) return [];
    names.add(name);
    return [form(objects.filter((each) => isEngineStage(each) && each.metadata.name === name))];
  });
}

function formOf(engine: readonly KubeObject[]): StageForm {
  const [first] = engine as readonly [KubeObject];
  const template = podsOf(engine.find(({ kind }) => kind !== 'Model') ?? first);
  return {
    ...{ apiVersion: 'apps/v1', kind: deployments.kind, metadata: first.metadata, engine },
    spec: { replicas: Math.min(...engine.map(replicasOf)), template },
  };
}

function liveFormOf(engine: readonly KubeObject[], nowEpochMs: number): StageForm {
  const form = formOf(engine);
  const { replicas: wanted = 1 } = form.spec;
  const states = engine.map((object) => ({ state: engineObjectState(object), isNew: isSettling(object, nowEpochMs) }));
  const failed = states.find(({ state }) => state?.kind === 'failed')?.state;
  const isWhole = states.every(({ state, isNew }) => state?.kind === 'ready' && !isNew);
  const ready = Math.min(wanted, ...states.map(({ state }) => state?.ready ?? 0));
  return {
    ...form,
    status: {
      observedGeneration: form.metadata.generation ?? 0,
      replicas: wanted,
      updatedReplicas: isWhole ? wanted : Math.min(ready, Math.max(0, wanted - 1)),
      readyReplicas: ready,
      ...(failed && {
        conditions: [
          { type: 'Progressing', status: 'False', reason: 'EngineFailed', message: failed.message ?? 'it has failed' },
        ],
      }),
    },
  };
}

const isSettling = (object: KubeObject, nowEpochMs: number): boolean => settlingLeftMs(object, nowEpochMs) > 0;

function settlingLeftMs(object: KubeObject, nowEpochMs: number): number {
  return object.kind === 'InferenceService' ? 0 : changedAtMs(object) + SETTLING_MS - nowEpochMs;
}

/** Time (ms) until the status of a changed stage counts, of which no event tells; undefined if all count. */
export function settledAfterMs(children: readonly KubeObject[], nowEpochMs: number): number | undefined {
  const leftMs = children.filter(isEngineStage).map((object) => settlingLeftMs(object, nowEpochMs));
  const open = leftMs.filter((each) => each > 0);
  return open.length === 0 ? undefined : Math.min(...open);
}

const translated = new WeakMap<KubeObject, readonly KubeObject[]>();

/**
 * Objects to apply for an object or a form. A Server grows before its Model, and the Model shrinks first, because each
 * replica of a Model needs one of its Server.
 */
export function engineObjectsOf(object: KubeObject, children: readonly KubeObject[]): readonly KubeObject[] {
  if (object.kind !== deployments.kind) return [object];
  const form = isForm(object) ? object : shrunkForm(object as ObservedDeployment, children);
  if (form === undefined) return [object];
  const known = translated.get(form);
  const engine = known ?? form.engine.map((each) => translatedOne(each, form));
  translated.set(form, engine);
  return engine.map((each) => inServerOrder(each, children));
}

function translatedOne(object: KubeObject, form: StageForm): KubeObject {
  const { namespace, ownerReferences } = form.metadata;
  const owned = { ...object, metadata: { ...object.metadata, namespace, ...(ownerReferences && { ownerReferences }) } };
  const { replicas } = form.spec;
  return replicas === undefined || replicas === replicasOf(object) ? owned : withReplicas(owned, replicas);
}

/** A write of fewer replicas for a form whose stage is not wanted any more: it has lost its engine's objects. */
function shrunkForm(object: ObservedDeployment, children: readonly KubeObject[]): StageForm | undefined {
  const engine = children.filter((child) => isEngineStage(child) && child.metadata.name === object.metadata.name);
  if (engine.length === 0) return undefined;
  return { ...object, metadata: { ...object.metadata }, engine: engine.map(ownPartOf) };
}

function inServerOrder(object: KubeObject, children: readonly KubeObject[]): KubeObject {
  const liveOf = (kind: string): KubeObject | undefined =>
    children.find((child) => child.kind === kind && child.metadata.name === object.metadata.name);
  const [server, model, wanted] = [liveOf('Server'), liveOf('Model'), replicasOf(object)];
  if (server === undefined || model === undefined) return object;
  if (object.kind === 'Model' && wanted > replicasOf(model)) {
    const isGrown = replicasOf(server) >= wanted && engineObjectState(server)?.kind === 'ready';
    return isGrown ? object : withReplicas(object, replicasOf(model));
  }
  if (object.kind === 'Server' && wanted < replicasOf(server)) {
    const isShrunk = replicasOf(model) <= wanted && engineObjectState(model)?.kind === 'ready';
    return isShrunk ? object : withReplicas(object, replicasOf(server));
  }
  return object;
}

/** References to the objects that a removed form stands for. */
export function engineRefsOf(ref: ObjectRef, children: readonly KubeObject[]): readonly ObjectRef[] {
  if (ref.type.kind !== deployments.kind) return [ref];
  const engine = children.filter((child) => isEngineStage(child) && child.metadata.name === ref.name);
  return engine.length === 0
    ? [ref]
    : engine.flatMap((child) => {
        const type = renderedTypes[child.kind];
        return type === undefined ? [] : [refTo(type, child)];
      });
}
