import type { Family, Flow } from './draw-graph.js';
import type { CoreMode } from './draw-variants.js';

export interface Instance {
  readonly name: string;
  readonly family: Family;
  readonly small: boolean;
  readonly coreMode: CoreMode;
  /** A pipeline file as data. */
  readonly document: Record<string, unknown>;
  readonly arrivalRps: number;
  /** Cores of each node; the replicas must fit on these nodes. */
  readonly nodeCores?: readonly number[];
  readonly flow: Flow;
  /** Items of a request that reach the stage, and how many of them arrive together. */
  readonly loads: Readonly<Record<string, { readonly visits: number; readonly groupSize: number }>>;
}
