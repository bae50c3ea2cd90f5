/**
 * Elements of a pipeline that an engine cannot run when it walks the graph itself. `equipoise validate --target` and
 * rendering refuse them with the same words. Each rule names the file of the engine that decides it in its comment.
 */
import {
  closesFanOut,
  type EdgeSpec,
  type InferenceServerSpec,
  type PipelineSpec,
  type StageId,
  type StageSpec,
  type VariantSpec,
} from '@equipoise/core/model';
import type { Finding } from '@equipoise/pipeline-file';
import { isMlServerCommand } from '../stage-workload.js';
import { simpleCondition } from './engine-conditions.js';
import { firstStages, type GraphTree, graphTree, longestPath } from './graph-tree.js';
import { outputsJoin } from './seldon-pipeline.js';
import { type GraphEngine, graphEngineOf, type RenderTarget } from './targets.js';

export interface EngineLimits {
  /** Elements that the engine cannot run. */
  readonly refused: readonly Finding[];
  /** Functions of our router that the engine lacks; requests are served without them. */
  readonly without: readonly string[];
}

const NAMES: Readonly<Record<GraphEngine, string>> = {
  'seldon-v2': 'Seldon Core 2',
  'seldon-v1': 'Seldon Core 1',
  kserve: 'KServe',
};

/** Limits of a target; none if our router walks the graph. */
export function engineLimits(spec: PipelineSpec, target: RenderTarget): EngineLimits {
  const engine = graphEngineOf(target);
  if (engine === undefined) return { refused: [], without: [] };
  const remedy = `Use --target ${engine}, where Equipoise walks the graph`;
  const found = [...requestLimits(spec), ...edgeLimits(spec, engine), ...outputLimits(spec, engine)];
  const stages = spec.stages.flatMap((stage, index) => stageLimits(stage, index, { spec, engine }));
  const all = [...found, ...stages];
  const shape = all.length > 0 ? [] : shapeLimits(spec, engine);
  const refused = [...all, ...shape].map(({ path, lacks, fix }) => ({
    path,
    message: `${NAMES[engine]} ${lacks}. ${remedy}${fix === undefined ? '' : `, or ${fix}`}.`,
  }));
  return { refused, without: refused.length > 0 ? [] : functionsWithout(spec, engine) };
}

/** `lacks` continues a sentence whose subject is the engine; `fix` continues “or”. */
interface Limit {
  readonly path: Finding['path'];
  readonly lacks: string;
  readonly fix?: string;
}

function functionsWithout({ feedback, outputs }: PipelineSpec, engine: GraphEngine): readonly string[] {
  const name = NAMES[engine];
  return [
    `deadlines: ${name} keeps late requests in its queues and answers them late`,
    `early drops: no request is dropped before it is late, so an overload delays all requests`,
    `one queue per stage: each replica has its own queue, and each batch has requests of one replica`,
    `priorities: ${name} serves requests in order of arrival`,
    ...(engine === 'seldon-v1' ? [`canaries: ${name} gives a new variant all requests once it is ready`] : []),
    ...(feedback === undefined ? [] : ['feedback on answers']),
    ...(outputs.some(({ types }) => types !== undefined) ? ['checks of the declared types of outputs'] : []),
    ...(engine === 'kserve' && outputs.length > 1
      ? ['the form of the answer: it has one entry per branch, each with the answer of its last stage']
      : []),
  ];
}

function requestLimits({ sources, sourceJoin, combines = [], stages }: PipelineSpec): readonly Limit[] {
  return [
    ...(sources.length > 1 || sourceJoin !== undefined
      ? [{ path: ['spec', 'sources'], lacks: 'has no join of several sources', fix: 'send all tensors in one request' }]
      : []),
    ...combines.map(({ id }) => ({
      path: ['spec', 'stages'],
      lacks: `does not run combine stages, and ${id} is one`,
      fix: 'combine the answers in a stage with a module',
    })),
    ...stages.flatMap(({ optional }, index) =>
      optional
        ? [
            {
              path: ['spec', 'stages', index, 'optional'],
              lacks: 'cannot omit a member of an ensemble',
              fix: 'remove optional',
            },
          ]
        : [],
    ),
  ];
}

function edgeLimits(spec: PipelineSpec, engine: GraphEngine): readonly Limit[] {
  const sourceNames = spec.sources.flatMap(({ tensors }) => tensors.map(({ name }) => name));
  return spec.edges.flatMap((edge, index) => {
    const { from, to, fanOut, onMissing } = edge;
    const at = (field: string): Finding['path'] => ['spec', 'edges', index, field];
    const on = `(edge ${from} → ${to})`;
    const inEdges = spec.edges.filter((other) => other.to === to).length;
    const join = joinLimit(edge, engine, inEdges);
    const input = inputLimit(edge, engine, sourceNames);
    const condition = conditionLimit(edge, engine);
    return [
      fanOut && { path: at('fanOut'), lacks: `has no fan-out by item ${on}`, fix: 'remove fanOut' },
      join && { path: at('join'), lacks: `${join} ${on}`, fix: 'remove join' },
      onMissing && { path: at('onMissing'), lacks: `has no partial joins ${on}`, fix: 'remove onMissing' },
      input && { path: at('inputs'), lacks: `${input} ${on}`, fix: 'remove inputs' },
      condition && { path: at('when'), lacks: `${condition} ${on}` },
    ].filter((limit) => limit !== undefined && limit !== '');
  });
}

function joinLimit({ join }: EdgeSpec, engine: GraphEngine, inEdges: number): string | undefined {
  if (join === undefined) return undefined;
  if (closesFanOut({ join }, inEdges)) return 'has no join by item';
  return join === 'any' && engine === 'seldon-v2' ? undefined : 'waits for all branches';
}

/** Seldon: scheduler/pkg/store/pipeline/validate.go has references to tensors, but no constants. */
function inputLimit({ inputs = [] }: EdgeSpec, engine: GraphEngine, sources: readonly string[]): string | undefined {
  if (inputs.length === 0) return undefined;
  if (engine !== 'seldon-v2') return 'passes on whole answers and does not choose or rename tensors';
  if (inputs.some((input) => 'constant' in input)) return 'does not pass on constants';
  const unknown = inputs.find((input) => 'source' in input && sources.length > 0 && !sources.includes(input.source));
  return unknown && `does not know the tensor ${unknown.name} of the request`;
}

/** KServe: cmd/router/main.go, pickupRouteByCondition. Seldon Core 1: executor/predictor/predictor_process.go, route. */
function conditionLimit({ when }: EdgeSpec, engine: GraphEngine): string | undefined {
  if (when === undefined) return undefined;
  if (engine === 'seldon-v1') return 'needs a component that answers which branch to take, and no stage is one';
  const condition = simpleCondition(when.condition, when.thresholds?.[0]);
  if (engine === 'kserve')
    return condition === undefined
      ? 'compares one tensor with a number or text, as `output.NAME < 0.8`, `output.NAME[0] == "dog"`, `output.NAME.exists(x, x > 0.9)`, `has(output.NAME)` or `true` do'
      : undefined;
  return condition?.kind === 'has'
    ? undefined
    : 'takes a branch only if the stage answers with a certain tensor, as the condition `has(output.NAME)` says';
}

function outputLimits({ outputs, edges }: PipelineSpec, engine: GraphEngine): readonly Limit[] {
  return outputs.flatMap(({ from, unless, tensors }, index) => {
    const at = (field: string): Finding['path'] => ['spec', 'outputs', index, field];
    const isCascade =
      engine === 'kserve' && edges.some((edge) => edge.from === from && edge.to === unless && edge.when);
    const found: Limit[] = [];
    if (unless !== undefined && !isCascade)
      found.push({ path: at('unless'), lacks: `cannot replace the answer of ${from} by that of ${unless}` });
    if (tensors !== undefined && engine !== 'seldon-v2')
      found.push({
        path: at('tensors'),
        lacks: `answers with all tensors of the last stage (output ${from})`,
        fix: 'remove tensors',
      });
    return found;
  });
}

interface StageInput {
  readonly spec: PipelineSpec;
  readonly engine: GraphEngine;
}

function stageLimits(stage: StageSpec, index: number, { spec, engine }: StageInput): readonly Limit[] {
  const isLater = spec.edges.some(({ to }) => to === stage.id);
  return stage.variants.flatMap((variant, position) => {
    const lacks = variantLimit(stage, variant, { engine, isLater });
    const path = ['spec', 'stages', index, 'variants', position, 'server'];
    return lacks === undefined ? [] : [{ path, lacks: `${lacks} (${stage.id}/${variant.id})` }];
  });
}

function variantLimit(
  stage: StageSpec,
  { server, artifact }: VariantSpec,
  { engine, isLater }: { readonly engine: GraphEngine; readonly isLater: boolean },
): string | undefined {
  const isMlServer = isMlServerCommand(server?.command);
  if (engine === 'seldon-v2') {
    if (!isMlServer) return 'runs only models on MLServer';
    return artifact === undefined ? 'fetches models itself, so the variant needs an artifact' : undefined;
  }
  return server === undefined ? undefined : serverLimit(stage, server, { engine, isLater, isMlServer });
}

function serverLimit(
  { bounds: { batchSizes } }: StageSpec,
  server: InferenceServerSpec,
  { engine, isLater, isMlServer }: { engine: GraphEngine; isLater: boolean; isMlServer: boolean },
): string | undefined {
  if (server.command === undefined) return 'runs all stages itself, and this server runs elsewhere';
  if (server.urls.some((url) => url.startsWith('grpc'))) return 'walks graphs over HTTP';
  if (!isMlServer && (batchSizes === undefined || batchSizes.some((size) => size > 1)))
    return 'forms no batches, and only those of MLServer can be set: give bounds.batchSizes: [1]';
  // cmd/router/main.go passes an answer on with its `outputs`; servers other than ours want `inputs`.
  if (engine === 'kserve' && isLater) return 'passes the answer of a stage on as it is, which only Equipoise reads';
  return undefined;
}

const isDnsLabel = (name: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name);

/** Limits of the whole graph. */
function shapeLimits(spec: PipelineSpec, engine: GraphEngine): readonly Limit[] {
  if (engine === 'seldon-v2') return joinedOutputs(spec);
  const tree = graphTree(spec);
  const path = ['spec', 'edges'];
  if (tree === undefined)
    return [{ path, lacks: `walks nested sequences and parallel branches only${crossing(spec)}` }];
  const last = spec.stages.filter(({ id }) => !spec.edges.some(({ from }) => from === id)).map(({ id }) => id);
  const early = spec.outputs.find(({ from, unless }) => !last.includes(from) && unless === undefined);
  if (early !== undefined)
    return [{ path: ['spec', 'outputs'], lacks: `answers with the last stages only, and ${early.from} is none` }];
  const unanswered = last.find((id) => !spec.outputs.some(({ from }) => from === id));
  if (unanswered !== undefined)
    return [{ path: ['spec', 'outputs'], lacks: `answers with all last stages, and ${unanswered} is no output` }];
  return engine === 'kserve' ? branchLimits(spec, tree) : combinerLimits(spec, tree);
}

/** Names an edge that is to blame: one that skips stages, or else one without which the graph would be a tree. */
function crossing({ stages, edges }: PipelineSpec): string {
  const next = (from: StageId): readonly StageId[] => edges.flatMap((each) => (each.from === from ? [each.to] : []));
  const skips = ({ from, to }: EdgeSpec): boolean => {
    const reached = new Set(next(from).filter((id) => id !== to));
    for (const id of reached) for (const later of next(id)) reached.add(later);
    return reached.has(to);
  };
  const edge =
    edges.find(skips) ??
    edges.find((each) => graphTree({ stages, edges: edges.filter((other) => other !== each) }) !== undefined);
  return `, and this graph has an edge between branches${edge === undefined ? '' : ` (${edge.from} → ${edge.to})`}`;
}

function joinedOutputs(spec: PipelineSpec): readonly Limit[] {
  if (spec.outputs.length < 2 || outputsJoin(spec) !== undefined) return [];
  const lacks = 'answers with all outputs or with the first one, and conditions decide about some of these';
  return [{ path: ['spec', 'outputs'], lacks }];
}

/** KServe's Switch fails if no condition holds; in a Sequence, a condition ends the sequence. */
function branchLimits({ stages, edges, outputs }: PipelineSpec, tree: GraphTree): readonly Limit[] {
  return stages.flatMap(({ id }) => {
    const out = edges.filter(({ from }) => from === id);
    const conditional = out.filter(({ when }) => when !== undefined);
    if (conditional.length === 0) return [];
    const path = ['spec', 'edges'];
    if (!hasOwnBranches(tree, id))
      return [
        { path, lacks: `decides about whole branches, and one behind ${id} begins with several stages or a join` },
      ];
    const [only] = out;
    const isCascade = out.length === 1 && outputs.some(({ from, unless }) => from === id && unless === only?.to);
    const hasElse = conditional.at(-1)?.when?.condition.trim() === 'true';
    if (isCascade || (conditional.length === out.length && hasElse)) return [];
    if (conditional.length < out.length)
      return [{ path, lacks: `takes one of the branches of ${id}, and one of them has no condition` }];
    return [
      {
        path,
        lacks: `fails requests that take no branch of ${id}`,
        fix: 'end its edges with the condition `true`',
      },
    ];
  });
}

/** True if each branch behind a stage begins with one stage, which no other stage leads to. */
function hasOwnBranches(tree: GraphTree, id: StageId): boolean {
  if (tree.kind === 'stage') return false;
  const at = tree.kind === 'parallel' ? -1 : tree.parts.findIndex((part) => part.kind === 'stage' && part.id === id);
  if (at < 0) return tree.parts.some((part) => hasOwnBranches(part, id));
  const next = tree.parts[at + 1];
  if (next?.kind !== 'parallel') return next?.kind === 'stage';
  return next.parts.every((part) => firstStages(part).length === 1);
}

/** Seldon Core 1 answers with the first branch unless a combiner follows: predictor_process.go, aggregate. */
function combinerLimits({ stages, edges, outputs }: PipelineSpec, tree: GraphTree): readonly Limit[] {
  if (outputs.length > 1)
    return [{ path: ['spec', 'outputs'], lacks: 'answers with one stage', fix: 'join the branches in a stage' }];
  const names = stages.flatMap(({ id, variants }) => [...new Set(variants.map(({ server }) => server?.model ?? id))]);
  const odd = names.find((name) => !isDnsLabel(name));
  if (odd !== undefined)
    return [
      {
        path: ['spec', 'stages'],
        lacks: `names stages in lower-case letters, digits and dashes, and ${odd} is no such name`,
      },
    ];
  const taken = names.find((name, index) => names.indexOf(name) < index);
  if (taken !== undefined)
    return [
      {
        path: ['spec', 'stages'],
        lacks: `finds a stage by the name of its model, and two stages have the model ${taken}`,
      },
    ];
  const joins = stages.filter(({ id }) => edges.filter(({ to }) => to === id).length > 1);
  const foreign = joins.find(({ variants }) => variants.some(({ server }) => server !== undefined));
  if (foreign !== undefined)
    return [
      {
        path: ['spec', 'stages'],
        lacks: `joins branches in a combiner, which only Equipoise serves, and ${foreign.id} runs another server`,
      },
    ];
  if (!hasCombiners(tree))
    return [{ path: ['spec', 'edges'], lacks: 'joins branches in one stage, and after it runs single stages only' }];
  const longest = longestPath({ stages, edges }, () => 1);
  if (longest <= MOST_LEVELS) return [];
  const lacks = `has room for ${MOST_LEVELS} stages in a row, and the longest path has ${longest}`;
  return [{ path: ['spec', 'stages'], lacks }];
}

/** Levels of `graph.children` in the definition of SeldonDeployments. */
const MOST_LEVELS = 10;

/** True if each part with branches is joined by one stage, after which no branches follow. */
function hasCombiners(tree: GraphTree): boolean {
  if (tree.kind !== 'sequence') return tree.kind === 'stage';
  const { parts } = tree;
  const branches = parts.findIndex(({ kind }) => kind === 'parallel');
  if (branches < 0) return true;
  const after = parts.slice(branches + 1);
  const part = parts[branches];
  if (after.length === 0 || part?.kind !== 'parallel') return false;
  return after.every(({ kind }) => kind === 'stage') && part.parts.every(hasCombiners);
}
