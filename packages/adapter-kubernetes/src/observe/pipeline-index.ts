/** Observed objects by pipeline, from one reflector for each resource. */
import { AppError } from '@equipoise/core/model';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { objectKey } from '../api/kube-object.js';
import { FieldTrees } from '../cluster/field-trees.js';
import { LABEL_PREFIX, labelValue } from '../cluster/object-names.js';
import {
  childTypes,
  engineTypes,
  hasEnded,
  type InferencePipeline,
  type ObservedPod,
  pipelines,
  pods,
} from '../cluster/observed-objects.js';
import { optionalResources } from '../cluster/optional-resources.js';
import { Reflector, type ReflectorDeps } from '../cluster/reflector.js';
import { targetOf } from './pipeline-target.js';

const PIPELINE_LABEL = `${LABEL_PREFIX}/pipeline`;

export interface IndexListener {
  /** Pipelines to keep, with their objects; by default all. */
  readonly owns?: ((key: string) => boolean) | undefined;
  /** Called when objects of a pipeline change; `key` joins its namespace and name. */
  onChange(key: string): void;
  /** Called with each version of a pipeline. */
  onPipeline?(key: string, pipeline: InferencePipeline): void;
  onFailure(resource: string, error: unknown): void;
}

export class PipelineIndex {
  readonly #pipelines: Reflector<InferencePipeline>;
  readonly #pods: Reflector<ObservedPod>;
  readonly #children: readonly Reflector<KubeObject>[];
  /** Objects of engines, by API group; followed once a pipeline names an engine. */
  readonly #engines: readonly { readonly group: string; readonly reflector: Reflector<KubeObject> }[];
  readonly #engineUse = new AbortController();
  /** Objects by pipeline, so that a pass looks only at its pipeline. */
  readonly #byPipeline = new Map<string, Map<string, KubeObject>>();
  readonly #owners = new Map<string, string>();
  /** Answers of the server that refuse a list or watch for a missing right, by resource. */
  readonly #refusals = new Map<string, string>();

  constructor(base: ReflectorDeps, namespace: string | undefined, listener: IndexListener) {
    const trees = new FieldTrees();
    const optionalBase = { ...base, api: optionalResources(base.api, base.clock) };
    const reflector = <T extends KubeObject>(
      type: ResourceType<T>,
      keyOf: (object: T) => string,
      labelled: boolean,
      reflectorBase = base,
    ) =>
      new Reflector<T>(
        reflectorBase,
        {
          type,
          namespace,
          labelSelector: labelled ? PIPELINE_LABELLED : undefined,
        },
        {
          keep: (object) => ((listener.owns?.(keyOf(object)) ?? true) ? trees.shared(object) : undefined),
          onChange: (key, object) => this.#put(`${type.plural} ${key}`, object, object && keyOf(object), listener),
          onFailure: (error) => {
            if (error instanceof AppError && error.details['httpStatus'] === 403)
              this.#refusals.set(type.plural, error.message);
            listener.onFailure(type.plural, error);
          },
        },
      );
    this.#pipelines = reflector(pipelines, keyOfPipeline, false);
    this.#pods = reflector(pods, keyOfChild, true);
    this.#children = Object.values(childTypes).map((type) => reflector(type, keyOfChild, true));
    this.#engines = engineTypes.map((type) => ({
      group: type.group,
      reflector: reflector(type, keyOfChild, true, optionalBase),
    }));
  }

  /** True once everything is listed, including the objects of engines in use. */
  get isComplete(): boolean {
    const engines = this.#engineUse.signal.aborted ? this.#engines : [];
    return this.#hasCommonLists && engines.every(({ reflector }) => reflector.isListed);
  }

  /**
   * True once everything is listed that a view of this pipeline shows; earlier views would be incomplete. An engine that
   * cannot be listed concerns only its own pipelines.
   */
  isCompleteFor(pipeline: InferencePipeline | undefined): boolean {
    const group = pipeline && ENGINE_GROUPS[targetOf(pipeline).split(':')[0] ?? ''];
    const engines = this.#engines.filter((engine) => engine.group === group);
    return this.#hasCommonLists && engines.every(({ reflector }) => reflector.isListed);
  }

  /** Refusals of the lists without which there is no view of any pipeline. */
  get refusedLists(): readonly string[] {
    const missing = this.#commonLists.filter(({ isListed }) => !isListed);
    return missing.flatMap(({ plural }) => this.#refusals.get(plural) ?? []);
  }

  get #hasCommonLists(): boolean {
    return this.#commonLists.every(({ isListed }) => isListed);
  }

  get #commonLists(): readonly Pick<Reflector<KubeObject>, 'isListed' | 'plural'>[] {
    return [this.#pipelines, this.#pods, ...this.#children];
  }

  keys(): readonly string[] {
    return [...this.#pipelines.objects.values()].map(keyOfPipeline);
  }

  /** Keys of the pipelines with pods on a node. */
  keysOnNode(name: string): readonly string[] {
    const carried = [...this.#pods.objects.values()].filter((pod) => pod.spec?.nodeName === name && !hasEnded(pod));
    return [...new Set(carried.map(keyOfChild))];
  }

  /** A pipeline, its children, and its pods; `ended` are those that hold no resources any more. */
  view(key: string) {
    const objects = [...(this.#byPipeline.get(key)?.entries() ?? [])];
    const pipeline = objects.find(([id]) => id.startsWith(`${pipelines.plural} `))?.[1] as
      | InferencePipeline
      | undefined;
    if (pipeline === undefined) return undefined;
    const isPod = (id: string): boolean => id.startsWith(`${pods.plural} `);
    const all = objects.flatMap(([id, object]) => (isPod(id) ? [object as ObservedPod] : []));
    return {
      pipeline,
      pods: all.filter((pod) => !hasEnded(pod)),
      ended: all.filter(hasEnded),
      children: objects.filter(([id, object]) => !isPod(id) && object !== pipeline).map(([, object]) => object),
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const followed = [this.#pipelines, this.#pods, ...this.#children].map((reflector) => reflector.run(signal));
    await Promise.all([...followed, this.#followEngines(signal)]);
  }

  /** Runs from the first use of an engine on. */
  async #followEngines(signal: AbortSignal): Promise<void> {
    const use = this.#engineUse.signal;
    await new Promise<void>((resolve) => {
      for (const each of [use, signal]) each.addEventListener('abort', () => resolve(), { once: true });
      if (use.aborted || signal.aborted) resolve();
    });
    if (!signal.aborted) await Promise.all(this.#engines.map(({ reflector }) => reflector.run(signal)));
  }

  #put(id: string, object: KubeObject | undefined, key: string | undefined, listener: IndexListener): void {
    if (object?.kind === pipelines.kind && targetOf(object as InferencePipeline) !== 'deployment')
      this.#engineUse.abort();
    if (object?.kind === pipelines.kind && key !== undefined) listener.onPipeline?.(key, object as InferencePipeline);
    const before = this.#owners.get(id);
    if (before !== undefined && before !== key) {
      const objects = this.#byPipeline.get(before);
      objects?.delete(id);
      if (objects?.size === 0) this.#byPipeline.delete(before);
      this.#owners.delete(id);
      listener.onChange(before);
    }
    if (key === undefined || object === undefined) return;
    this.#owners.set(id, key);
    const objects = this.#byPipeline.get(key) ?? new Map<string, KubeObject>();
    this.#byPipeline.set(key, objects.set(id, object));
    listener.onChange(key);
  }
}

/** API group of the objects of each engine. */
const ENGINE_GROUPS: Readonly<Record<string, string>> = {
  kserve: 'serving.kserve.io',
  'seldon-v1': 'machinelearning.seldon.io',
  'seldon-v2': 'mlops.seldon.io',
};

const PIPELINE_LABELLED = 'app.kubernetes.io/name=equipoise,app.kubernetes.io/managed-by=equipoise';

export function keyOfPipeline({ metadata: { name, namespace } }: KubeObject): string {
  return objectKey({ name: labelValue(name), namespace });
}

function keyOfChild({ metadata: { labels = {}, namespace } }: KubeObject): string {
  return objectKey({ name: labels[PIPELINE_LABEL] ?? '', namespace });
}
