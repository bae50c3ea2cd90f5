/** Writes changed objects. A write counts as done for some seconds, even if the watch does not show it yet. */
import { createHash } from 'node:crypto';
import { AppError, type Clock } from '@equipoise/core/model';
import { type Applier, type KubeApi, refusalError } from '../api/kube-api.js';
import { type KubeObject, type ObjectMeta, type ObjectRef, objectKey } from '../api/kube-object.js';
import { fewAtATime } from '../cluster/few-at-a-time.js';
import { childTypes, deployments } from '../cluster/observed-objects.js';

export interface ChildWriterDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly applier: Applier;
}

/** Outcome of the writes. `againAfterMs`: delay before checking objects that the watch has not shown. */
export interface WriteOutcome {
  readonly objects: readonly KubeObject[];
  readonly againAfterMs: number | undefined;
}

const AT_A_TIME = 4;
/** Maximum time until a watch shows a write. */
const SHOWN_WITHIN_MS = 5_000;

interface AppliedObject {
  readonly digest: string;
  readonly version: string;
  readonly before: string | undefined;
  readonly atMs: number;
  isShown: boolean;
}

export class ChildWriter {
  readonly #deps: ChildWriterDeps;
  readonly #applied = new Map<string, Map<string, AppliedObject>>();
  readonly #digests = new WeakMap<KubeObject, string>();

  constructor(base: ChildWriterDeps) {
    this.#deps = base;
  }

  /** Applies objects; `live` is keyed by `childId`. Workloads come last, after everything that their pods need. */
  async apply(
    pipeline: string,
    objects: readonly KubeObject[],
    live: ReadonlyMap<string, KubeObject>,
  ): Promise<WriteOutcome> {
    const known = this.#applied.get(pipeline) ?? new Map<string, AppliedObject>();
    this.#applied.set(pipeline, known);
    const due = objects.filter((object) => !this.#isDone(known.get(childId(object)), object, live));
    const isWorkload = ({ kind }: KubeObject): boolean => kind === deployments.kind;
    const write = (object: KubeObject) => this.#write(known, object, live.get(childId(object)));
    await fewAtATime(
      due.filter((object) => !isWorkload(object)),
      AT_A_TIME,
      write,
    );
    await fewAtATime(due.filter(isWorkload), AT_A_TIME, write);
    const isUnshown = objects.some((object) => known.get(childId(object))?.isShown === false);
    return { objects: due, againAfterMs: isUnshown ? SHOWN_WITHIN_MS : undefined };
  }

  async remove(pipeline: string, refs: readonly ObjectRef[], live: ReadonlyMap<string, KubeObject>): Promise<void> {
    await fewAtATime(refs, AT_A_TIME, async (ref) => {
      const id = childId({ kind: ref.type.kind, metadata: ref });
      const { uid } = live.get(id)?.metadata ?? {};
      const result = await this.#deps.api.delete(ref, uid === undefined ? {} : { uid });
      if (result.kind === 'refused' && result.reason !== 'not-found') throw refusalError(objectKey(ref), result);
      this.#applied.get(pipeline)?.delete(id);
    });
  }

  forget(pipeline: string): void {
    this.#applied.delete(pipeline);
  }

  #isDone(applied: AppliedObject | undefined, object: KubeObject, live: ReadonlyMap<string, KubeObject>): boolean {
    if (applied === undefined) return false;
    const seen = versionOf(live.get(childId(object)));
    applied.isShown ||= seen === applied.version;
    if (applied.digest !== this.#digestOf(object)) return false;
    if (applied.isShown) return seen === applied.version;
    return seen === applied.before && this.#deps.clock.nowMs() - applied.atMs < SHOWN_WITHIN_MS;
  }

  async #write(known: Map<string, AppliedObject>, object: KubeObject, live: KubeObject | undefined): Promise<void> {
    const type = childTypes[object.kind];
    if (type === undefined)
      throw new AppError('INTERNAL_ERROR', `the operator does not know objects of kind ${object.kind}`);
    const id = childId(object);
    const { api, applier, clock } = this.#deps;
    const result = await api.apply(type, object, applier);
    if (result.kind === 'refused') throw refusalError(id, result);
    const version = versionOf(result.object) ?? '';
    const before = versionOf(live);
    known.set(id, {
      digest: this.#digestOf(object),
      version,
      before,
      atMs: clock.nowMs(),
      isShown: version === before,
    });
  }

  #digestOf(object: KubeObject): string {
    const known = this.#digests.get(object);
    if (known !== undefined) return known;
    const digest = createHash('sha256').update(JSON.stringify(object)).digest('hex');
    this.#digests.set(object, digest);
    return digest;
  }
}

export function childId({
  kind,
  metadata,
}: {
  kind: string;
  metadata: Pick<ObjectMeta, 'namespace' | 'name'>;
}): string {
  return `${kind} ${objectKey(metadata)}`;
}

/** Version of an object without its status. */
function versionOf(object: KubeObject | undefined): string | undefined {
  if (object === undefined) return undefined;
  const { uid, generation, resourceVersion } = object.metadata;
  return generation === undefined ? `${uid} v${resourceVersion}` : `${uid} g${generation}`;
}
