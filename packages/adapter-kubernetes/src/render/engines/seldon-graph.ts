/**
 * Seldon Core 1: one SeldonDeployment whose orchestrator walks the graph. Children of a MODEL run after it, a COMBINER
 * after its children, and an OUTPUT_TRANSFORMER after its child. A node has the name of its model and its container.
 */
import { invariant, type PipelineSpec, type StageId } from '@equipoise/core/model';
import type { KubeObject } from '../../api/kube-object.js';
import { type Labels, labelsOf, objectName } from '../../cluster/object-names.js';
import type { PodTemplate } from '../manifest-types.js';
import { type GraphTree, graphTree } from './graph-tree.js';

export interface SeldonNode {
  readonly name: string;
  readonly type: 'MODEL' | 'COMBINER' | 'OUTPUT_TRANSFORMER';
  readonly endpoint: { readonly type: 'REST'; readonly httpPort: number };
  readonly children: readonly SeldonNode[];
}

interface SeldonPredictor {
  readonly name: string;
  readonly replicas: number;
  readonly traffic?: number;
  readonly annotations: Labels;
  readonly labels: Labels;
  readonly componentSpecs: readonly (PodTemplate & { readonly replicas: number })[];
  readonly svcOrchSpec: { readonly replicas: number };
  readonly graph: SeldonNode;
}

/** The used part of `machinelearning.seldon.io/v1`. */
export interface SeldonGraphDeployment extends KubeObject {
  readonly kind: 'SeldonDeployment';
  readonly spec: {
    readonly protocol: 'v2';
    readonly transport: 'rest';
    readonly annotations: Labels;
    readonly predictors: readonly SeldonPredictor[];
  };
}

export interface SeldonGraphInput {
  readonly spec: PipelineSpec;
  readonly runTimeoutMs: number;
  readonly components: readonly (PodTemplate & { readonly replicas: number })[];
  /** Name and port of the model of a stage. */
  readonly modelOf: (stage: StageId) => { readonly name: string; readonly port: number };
}

/** The orchestrator has its own pods, so that stages scale on their own. */
const SEPARATE = { 'seldon.io/engine-separate-pod': 'true' };

/** The deployment of a plan; the spec has no limits of Seldon Core 1. */
export function seldonGraphDeployment(input: SeldonGraphInput): SeldonGraphDeployment {
  const { spec, runTimeoutMs, components } = input;
  const tree = graphTree(spec);
  invariant(tree !== undefined, 'a graph without a tree is refused before');
  const labels = labelsOf(spec.name, { kind: 'router' });
  return {
    apiVersion: 'machinelearning.seldon.io/v1',
    kind: 'SeldonDeployment',
    metadata: { name: objectName(spec.name), labels },
    spec: {
      protocol: 'v2',
      transport: 'rest',
      annotations: { ...SEPARATE, 'seldon.io/rest-timeout': String(runTimeoutMs) },
      predictors: [
        {
          name: 'default',
          replicas: 1,
          annotations: SEPARATE,
          labels,
          componentSpecs: components,
          svcOrchSpec: { replicas: 1 },
          graph: nodeOf(tree, input),
        },
      ],
    },
  };
}

function nodeOf(tree: GraphTree, input: SeldonGraphInput): SeldonNode {
  if (tree.kind === 'stage') return stageNode(tree.id, 'MODEL', [], input);
  invariant(tree.kind === 'sequence', 'branches without a combiner are refused before');
  return sequenceNode(tree.parts, input);
}

/** Stages before branches contain the rest; stages after the join contain the join. */
function sequenceNode(parts: readonly GraphTree[], input: SeldonGraphInput): SeldonNode {
  const [first, second, ...others] = parts;
  invariant(first !== undefined, 'a sequence has parts');
  if (first.kind === 'stage') {
    const rest = parts.slice(1);
    return stageNode(first.id, 'MODEL', rest.length === 0 ? [] : [sequenceNode(rest, input)], input);
  }
  invariant(first.kind === 'parallel' && second?.kind === 'stage', 'branches without a combiner are refused before');
  const branches = first.parts.map((part) => nodeOf(part, input));
  const joined = stageNode(second.id, 'COMBINER', branches, input);
  return others.reduce((inner, part) => {
    invariant(part.kind === 'stage', 'branches after a join are refused before');
    return stageNode(part.id, 'OUTPUT_TRANSFORMER', [inner], input);
  }, joined);
}

function stageNode(
  id: StageId,
  type: SeldonNode['type'],
  children: readonly SeldonNode[],
  { modelOf }: SeldonGraphInput,
): SeldonNode {
  const { name, port } = modelOf(id);
  return { name, type, endpoint: { type: 'REST', httpPort: port }, children };
}
