/**
 * Nodes under pressure, and nodes that are not ready. A node is large and reports every few minutes. So only its bad
 * conditions are kept, and only another status of one is reported.
 */
import { AppError } from '@equipoise/core/model';
import { nodes, type ObservedCondition, type ObservedNode, type ObservedPod } from '../cluster/observed-objects.js';
import { optionalResources } from '../cluster/optional-resources.js';
import { Reflector, type ReflectorDeps, usualReflectorLimits } from '../cluster/reflector.js';

/** Bad condition of a node. */
export interface NodeCondition {
  readonly node: string;
  readonly type: string;
  readonly reason: 'NodeNotReady' | 'NodePressure';
  readonly message: string;
}

export interface NodeListener {
  /** Called when a condition of a node becomes bad or good, or bad in another way. */
  onChange(node: string): void;
  /** A missing right is reported once. */
  onFailure(resource: string, error: unknown): void;
}

/** Statuses in which a condition is bad. A node that does not report has all conditions Unknown. */
const BAD: Readonly<Record<string, readonly string[]>> = {
  Ready: ['False', 'Unknown'],
  MemoryPressure: ['True'],
  DiskPressure: ['True'],
  PIDPressure: ['True'],
};

/** Nodes of a page, each up to some 30 kB. */
const PAGE = 100;

export class NodeWatch {
  readonly #reflector: Reflector<ObservedNode>;
  /** Types and statuses of the bad conditions, by node. */
  readonly #statuses = new Map<string, string>();
  /** Conditions of the last call of `newsOf`, by pipeline. */
  readonly #told = new Map<string, readonly NodeCondition[]>();
  #isRefused = false;

  constructor(base: ReflectorDeps, listener: NodeListener) {
    const onFailure = (error: unknown): void => listener.onFailure(nodes.plural, error);
    const onAbsent = (error: AppError): void => {
      if (!this.#isRefused) onFailure(withoutNodes(error));
      this.#isRefused = true;
    };
    const api = optionalResources(base.api, base.clock, { mayBeLost: true, onAbsent });
    this.#reflector = new Reflector(
      { ...base, api, limits: { ...usualReflectorLimits, pageSize: PAGE } },
      { type: nodes },
      { keep: badPart, onChange: (name, node) => this.#put(name, node, listener), onFailure },
    );
  }

  /** Resolves when `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#reflector.run(signal);
  }

  /** Bad conditions of the nodes of pods; those of nodes that are not ready come first. */
  conditionsOf(pods: readonly ObservedPod[]): readonly NodeCondition[] {
    const { objects } = this.#reflector;
    if (objects.size === 0) return [];
    const names = [...new Set(pods.map(({ spec }) => spec?.nodeName ?? ''))].sort();
    const all = names.flatMap((name) => badConditions(objects.get(name)));
    return all.toSorted((a, b) => Number(a.reason === 'NodePressure') - Number(b.reason === 'NodePressure'));
  }

  /** Those of the conditions that the last call for this pipeline did not have. */
  newsOf(key: string, conditions: readonly NodeCondition[]): readonly NodeCondition[] {
    const before = this.#told.get(key) ?? [];
    if (conditions.length === 0) this.#told.delete(key);
    else this.#told.set(key, conditions);
    return conditions.filter(({ node, type }) => !before.some((each) => each.node === node && each.type === type));
  }

  forget(key: string): void {
    this.#told.delete(key);
  }

  #put(name: string, node: ObservedNode | undefined, listener: NodeListener): void {
    const statuses = (node?.status?.conditions ?? []).map(({ type, status }) => `${type}=${status}`).join();
    if (statuses === (this.#statuses.get(name) ?? '')) return;
    if (statuses === '') this.#statuses.delete(name);
    else this.#statuses.set(name, statuses);
    listener.onChange(name);
  }
}

const isBad = ({ type, status }: ObservedCondition): boolean => BAD[type]?.includes(status) ?? false;

/** Name and bad conditions of a node; undefined without a bad one. */
export function badPart({ apiVersion, kind, metadata, status }: ObservedNode): ObservedNode | undefined {
  const conditions = (status?.conditions ?? []).filter(isBad);
  if (conditions.length === 0) return undefined;
  const { name, resourceVersion } = metadata;
  const version = resourceVersion !== undefined && { resourceVersion };
  return { apiVersion, kind, metadata: { name, ...version }, status: { conditions } };
}

function badConditions(node: ObservedNode | undefined): readonly NodeCondition[] {
  const name = node?.metadata.name ?? '';
  return (node?.status?.conditions ?? []).map(({ type, status, reason, message }) => ({
    node: name,
    type,
    reason: type === 'Ready' ? 'NodeNotReady' : 'NodePressure',
    message: [`node ${name}`, `${type}=${status}`, message || reason].filter(Boolean).join(': '),
  }));
}

function withoutNodes({ code, message, details }: AppError): AppError {
  return new AppError(
    code,
    `${message}; --watch-nodes needs the right to list and watch nodes, as deploy/kubernetes-nodes and the value watchNodes of the Helm chart grant it. The operator goes on without their conditions.`,
    { details, retryable: true },
  );
}
