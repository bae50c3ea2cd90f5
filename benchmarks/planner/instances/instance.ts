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
  /** Cores of each node that the replicas must fit on. */
  readonly nodeCores?: readonly number[];
  readonly flow: Flow;
  /** Items of a request that reach the stage, and that reach it together. */
  readonly loads: Readonly<Record<string, { readonly visits: number; readonly groupSize: number }>>;
}
