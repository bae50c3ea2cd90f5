/**
 * Stages that requests skip because the plan omits them. A change makes a new set, and a request keeps the set under
 * which it entered. So a stage is needed until the last request that may visit it has ended.
 *
 * The stages of a plan change one after another, so a set in between may belong to no plan. A set that would leave a
 * join or an output without a part never comes into force: requests enter under the previous one.
 */
import { omittedNodes } from '../model/omission.js';
import type { ServingGraph } from './serving-graph.js';

/** One set, with the number of requests that entered under it and have not ended. */
export class OmissionSet {
  readonly #isOmitted: readonly boolean[];
  #inFlight = 0;

  /** `isOmitted`: by node. */
  constructor(isOmitted: readonly boolean[]) {
    this.#isOmitted = isOmitted;
  }

  get isUsed(): boolean {
    return this.#inFlight > 0;
  }

  omits(node: number): boolean {
    return this.#isOmitted[node] === true;
  }

  requestEntered(): void {
    this.#inFlight += 1;
  }

  requestEnded(): void {
    this.#inFlight -= 1;
  }
}

export class OmissionsInForce {
  readonly #graph: Pick<ServingGraph, 'spec' | 'nodes' | 'stages'>;
  /** By stage: true if its plan has no replicas. */
  readonly #planned: boolean[];
  /** Earlier sets with requests in flight. */
  #earlier: readonly OmissionSet[] = [];
  #current: OmissionSet;
  #isClosed = false;

  constructor(graph: Pick<ServingGraph, 'spec' | 'nodes' | 'stages'>) {
    this.#graph = graph;
    this.#planned = graph.stages.map(() => false);
    this.#current = new OmissionSet(graph.nodes.map(() => false));
  }

  /** Set for new requests. */
  get current(): OmissionSet {
    return this.#current;
  }

  /** The plan of a stage omits it from now on, or no longer does. */
  plan(stage: number, isOmitted: boolean): void {
    if (this.#planned[stage] === isOmitted) return;
    this.#planned[stage] = isOmitted;
    const { spec, nodes, stages } = this.#graph;
    const planned = stages.filter(({ index }) => this.#planned[index]).map(({ id }) => id);
    const gone = omittedNodes(spec, planned);
    if (gone === undefined) return;
    this.#earlier = [...this.#earlier, this.#current].filter(({ isUsed }) => isUsed);
    this.#current = new OmissionSet(nodes.map(({ id }) => gone.has(id)));
  }

  /** True if requests may still visit a stage that its plan omits. */
  isNeeded(stage: number): boolean {
    if (this.#planned[stage] !== true) return false;
    const current = this.#current;
    if (!current.omits(stage) && (current.isUsed || !this.#isClosed)) return true;
    return this.#earlier.some((set) => set.isUsed && !set.omits(stage));
  }

  /** No request enters from now on. */
  close(): void {
    this.#isClosed = true;
  }
}
