/** Entry `@equipoise/core/graph`: the graph of a pipeline, as requests walk it. */
export { type ServingEdge, type ServingGraph, servingGraph } from './serve/serving-graph.js';
