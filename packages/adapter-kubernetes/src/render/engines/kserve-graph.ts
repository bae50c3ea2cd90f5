/**
 * KServe's InferenceGraph: its router walks the graph. Nested nodes are sequences and ensembles; a Switch takes one of
 * several branches, a condition in a Sequence ends it, and a Splitter gives a canary its share.
 */
import type { EdgeSpec, PipelineSpec, StageId } from '@equipoise/core/model';
import type { KubeObject } from '../../api/kube-object.js';
import { digestOf, labelsOf, objectName } from '../../cluster/object-names.js';
import { gjsonQuery, simpleCondition } from './engine-conditions.js';
import { firstStages, type GraphTree, graphTree, lastStages } from './graph-tree.js';

interface GraphStep {
  readonly name: string;
  readonly nodeName?: string;
  readonly serviceUrl?: string;
  readonly data?: '$request' | '$response';
  readonly weight?: number;
  readonly condition?: string;
  readonly dependency?: 'Hard';
}

interface GraphNode {
  readonly routerType: 'Sequence' | 'Ensemble' | 'Switch' | 'Splitter';
  readonly steps: readonly GraphStep[];
}

/** The used part of `serving.kserve.io/v1alpha1`. */
export interface InferenceGraph extends KubeObject {
  readonly kind: 'InferenceGraph';
  readonly spec: {
    readonly nodes: Readonly<Record<string, GraphNode>>;
    readonly minReplicas: number;
    readonly maxReplicas: number;
    readonly timeout: number;
    readonly routerTimeouts: { readonly serviceClient: number };
  };
}

export interface GraphInput {
  readonly spec: PipelineSpec;
  /** Address of a stage for requests. */
  readonly urlOf: (stage: StageId) => string;
  readonly runTimeoutMs: number;
}

const STANDARD = {
  'serving.kserve.io/deploymentMode': 'Standard',
  'serving.kserve.io/autoscalerClass': 'none',
};

/** Name of the node that is the pipeline, next to a Splitter in `root`. */
const SERVING = 'serving';
const PERCENT = 100;
const MOST_CHARACTERS = 63;
const DIGEST_CHARACTERS = 16;

/** The graph of a plan; the spec has no limits of KServe. */
export function inferenceGraph(input: GraphInput, part: 'router' | 'next' = 'router'): InferenceGraph {
  const { spec, runTimeoutMs } = input;
  const name = part === 'router' ? objectName(spec.name) : objectName(spec.name, 'next');
  const timeoutS = Math.ceil(runTimeoutMs / 1000);
  return {
    apiVersion: 'serving.kserve.io/v1alpha1',
    kind: 'InferenceGraph',
    metadata: { name, labels: labelsOf(spec.name, { kind: part }), annotations: STANDARD },
    spec: {
      nodes: nodesOf(input),
      minReplicas: 1,
      maxReplicas: 1,
      timeout: timeoutS,
      routerTimeouts: { serviceClient: timeoutS },
    },
  };
}

/** The same graph, which gives a fraction of its requests to that of a canary; a fraction of 0 removes the split. */
export function withSplit(
  graph: InferenceGraph,
  next: { readonly url: string; readonly fraction: number },
): InferenceGraph {
  const { [SERVING]: serving, root, ...others } = graph.spec.nodes;
  const own = serving ?? root;
  if (own === undefined) return graph;
  const weight = Math.round(PERCENT * next.fraction);
  const split: GraphNode = {
    routerType: 'Splitter',
    steps: [
      { name: SERVING, nodeName: SERVING, weight: PERCENT - weight },
      { name: 'next', serviceUrl: next.url, weight },
    ],
  };
  const nodes = weight === 0 ? { root: own, ...others } : { root: split, [SERVING]: own, ...others };
  return { ...graph, spec: { ...graph.spec, nodes } };
}

/** Fraction of the requests that a graph gives away. */
export function splitOf({ spec: { nodes } }: Pick<InferenceGraph, 'spec'>): number {
  const { root } = nodes;
  if (root?.routerType !== 'Splitter') return 0;
  return (root.steps.find(({ name }) => name === 'next')?.weight ?? 0) / PERCENT;
}

function nodesOf(input: GraphInput): Readonly<Record<string, GraphNode>> {
  const tree = graphTree(input.spec);
  const nodes = new Map<string, GraphNode>();
  const builder = new NodeBuilder(input, nodes);
  if (tree !== undefined) builder.addRoot(tree);
  return Object.fromEntries(nodes);
}

class NodeBuilder {
  readonly #input: GraphInput;
  readonly #nodes: Map<string, GraphNode>;

  constructor(input: GraphInput, nodes: Map<string, GraphNode>) {
    this.#input = input;
    this.#nodes = nodes;
  }

  addRoot(tree: GraphTree): void {
    const sequence: GraphTree = tree.kind === 'stage' ? { kind: 'sequence', parts: [tree] } : tree;
    this.#addNode('root', sequence, undefined);
  }

  #addNode(name: string, tree: GraphTree, before: StageId | undefined): void {
    // Reserves the place, so that nodes are in the order of the walk.
    this.#nodes.set(name, { routerType: 'Sequence', steps: [] });
    if (tree.kind === 'parallel') this.#nodes.set(name, this.#branches(tree.parts, before));
    else if (tree.kind === 'sequence') this.#nodes.set(name, this.#sequence(tree.parts));
  }

  #sequence(parts: readonly GraphTree[]): GraphNode {
    const steps = parts.map((part, index): GraphStep => {
      const before = parts[index - 1];
      const step = this.#step(part, before?.kind === 'stage' ? before.id : undefined);
      if (index === 0) return step;
      const condition =
        before?.kind === 'stage' && part.kind === 'stage' ? this.#condition(before.id, part.id) : undefined;
      return { ...step, data: '$response', ...(condition !== undefined && { condition }) };
    });
    return { routerType: 'Sequence', steps };
  }

  /** Branches: all of them, or the first whose condition holds for the answer of the stage before. */
  #branches(parts: readonly GraphTree[], before: StageId | undefined): GraphNode {
    const conditions = parts.map((part) => {
      const [first] = firstStages(part);
      return before === undefined || first === undefined ? undefined : this.#condition(before, first);
    });
    const steps = parts.map((part) => this.#step(part, undefined));
    if (!conditions.every((condition) => condition !== undefined)) return { routerType: 'Ensemble', steps };
    return {
      routerType: 'Switch',
      steps: this.#inFileOrder(parts, before).map((index) => ({
        ...(steps[index] as GraphStep),
        condition: conditions[index] as string,
      })),
    };
  }

  /** Positions of the branches in the order of the edges, because the first true condition counts. */
  #inFileOrder(parts: readonly GraphTree[], before: StageId | undefined): readonly number[] {
    const place = (part: GraphTree): number =>
      this.#input.spec.edges.findIndex(({ from, to }) => from === before && to === firstStages(part)[0]);
    return parts
      .map((_, index) => index)
      .toSorted((a, b) => place(parts[a] as GraphTree) - place(parts[b] as GraphTree));
  }

  #step(part: GraphTree, before: StageId | undefined): GraphStep {
    if (part.kind === 'stage') return { name: part.id, serviceUrl: this.#input.urlOf(part.id), dependency: 'Hard' };
    const name = this.#nameOf(part);
    this.#addNode(name, part, before);
    // A join names equal tensors by the stage that they come from.
    const [origin = name] = part.kind === 'parallel' ? [] : lastStages(part);
    return { name: origin, nodeName: name, dependency: 'Hard' };
  }

  /** Joined names of stages may be too long, or those of another part. */
  #nameOf(part: GraphTree): string {
    const kind = part.kind === 'parallel' ? 'branches' : 'branch';
    const stages = firstStages(part);
    const name = `${kind}-${stages.join('-')}`;
    if (name.length <= MOST_CHARACTERS && !this.#nodes.has(name)) return name;
    return `${kind}-${digestOf(JSON.stringify(stages), DIGEST_CHARACTERS)}`;
  }

  #condition(from: StageId, to: StageId): string | undefined {
    const edge: EdgeSpec | undefined = this.#input.spec.edges.find((each) => each.from === from && each.to === to);
    if (edge?.when === undefined) return undefined;
    const condition = simpleCondition(edge.when.condition, edge.when.thresholds?.[0]);
    return condition && gjsonQuery(condition);
  }
}
