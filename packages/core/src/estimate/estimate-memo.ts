/**
 * Remembers parts of estimates of one question, for plans that differ at few stages: estimates of stages, their laws, and
 * sums of laws. All queries must have the same pipeline and load.
 */
import type { StageId } from '../model/ids.js';
import { chainLaw, type LatencyLaw, lawOfSojourn } from './latency-law.js';
import type { StageEstimate } from './stage-sojourn.js';
import type { UpstreamBatches } from './upstream-batches.js';

export class EstimateMemo {
  readonly #estimates = new WeakMap<object, Map<string, StageEstimate>>();
  readonly #laws = new WeakMap<StageEstimate, LatencyLaw>();
  readonly #sums = new WeakMap<LatencyLaw, WeakMap<LatencyLaw, Map<number, LatencyLaw>>>();

  /** `configuration` is recognized by identity. */
  estimate(
    { id, configuration }: { readonly id: StageId; readonly configuration: object },
    upstream: UpstreamBatches | undefined,
    make: () => StageEstimate,
  ): StageEstimate {
    const key = upstream === undefined ? id : `${id} ${upstream.serviceMs} ${upstream.sizes.join()}`;
    return remember(
      remember(this.#estimates, configuration, () => new Map()),
      key,
      make,
    );
  }

  lawOf(estimate: StageEstimate): LatencyLaw {
    return remember(this.#laws, estimate, () => lawOfSojourn(estimate.law()));
  }

  readonly chain: typeof chainLaw = (a, b, together) => {
    const ofBoth = remember(
      remember(this.#sums, a, () => new WeakMap()),
      b,
      () => new Map(),
    );
    return remember(ofBoth, together, () => chainLaw(a, b, together));
  };
}

interface Memory<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): unknown;
}

function remember<Key, Value>(memory: Memory<Key, Value>, key: Key, make: () => Value): Value {
  const before = memory.get(key);
  if (before !== undefined) return before;
  const made = make();
  memory.set(key, made);
  return made;
}
