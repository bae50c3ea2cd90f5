/** Draws how requests pass through a pipeline: sources, stages with their variants, edges, the answer. */
import type { EdgeSpec, PipelineSpec, StageSpec, VariantSpec } from '@equipoise/core/model';
import { drawGraphSvg, type GraphNode, type PipelineGraph } from './graph-svg.js';

export type GraphFormat = 'text' | 'mermaid' | 'svg';

export function drawPipeline(spec: PipelineSpec, format: GraphFormat): string {
  const graph = printable(graphOf(spec));
  if (format === 'svg') return drawGraphSvg(graph);
  return format === 'mermaid' ? drawMermaid(graph) : drawText(graph);
}

/** Names may contain line breaks and control characters, which end a line or are not allowed in SVG. */
function printable({ name, nodes, edges }: PipelineGraph): PipelineGraph {
  const shown = (text: string) => text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ');
  return {
    name: shown(name),
    nodes: nodes.map((node) => ({ ...node, title: shown(node.title), lines: node.lines.map(shown) })),
    edges: edges.map((edge) => ({ ...edge, label: shown(edge.label) })),
  };
}

function graphOf({ name, sources, stages, combines = [], edges, outputs }: PipelineSpec): PipelineGraph {
  const inner = [...stages, ...combines];
  const stageAt = (id: string) => sources.length + inner.findIndex((stage) => stage.id === id);
  const answer = sources.length + inner.length;
  return {
    name,
    nodes: [
      ...sources.map((source) => ({
        kind: 'source' as const,
        title: source.name,
        lines: source.tensors.map((tensor) => `${tensor.name} ${tensor.datatype} [${tensor.shape.join(', ')}]`),
      })),
      ...stages.map(stageNode),
      ...combines.map(({ id, method, tensor, output }) => ({
        kind: 'combine' as const,
        title: id,
        lines: [`${method} of ${tensor}${output === tensor ? '' : ` as ${output}`}`],
      })),
      { kind: 'answer', title: 'answer', lines: [] },
    ],
    edges: [
      ...sources.flatMap(({ to, onMissing }, index) =>
        to.map((id) => ({ from: index, to: stageAt(id), label: onMissing ? 'may be missing' : '' })),
      ),
      ...edges.map((edge) => ({ from: stageAt(edge.from), to: stageAt(edge.to), label: edgeLabel(edge, edges) })),
      ...outputs.map(({ from, tensors, unless }) => ({
        from: stageAt(from),
        to: answer,
        label: [tensors?.join(', '), unless && `unless ${unless} ran`].filter(Boolean).join('; '),
      })),
    ],
  };
}

const stageNode = ({ id, kind, variants, optional }: StageSpec): GraphNode => ({
  kind,
  title: id,
  lines: [...variants.map(variantText), ...(optional ? ['optional'] : [])],
});

const variantText = ({ id, accuracy }: VariantSpec): string =>
  accuracy === undefined ? id : `${id} ${Number(accuracy.value.toFixed(3))}`;

function edgeLabel({ to, when, fanOut, join, onMissing, inputs }: EdgeSpec, edges: readonly EdgeSpec[]): string {
  const parts = edges.filter((edge) => edge.to === to).length === 1 || join === 'all' ? 'item' : 'result';
  const count =
    join === 'any' ? '1' : typeof join === 'object' ? (join.quorums ?? [join.quorum]).join(' or ') : undefined;
  return [
    when &&
      `if ${when.condition}${thresholdText(when.thresholds)} (${shareText(when.byVariant, when.probability, percent)})`,
    fanOut && `× ${shareText(fanOut.byVariant, fanOut.expected, String)} items`,
    join && (count === undefined ? `join all ${parts}s` : `first ${count === '1' ? parts : `${count} ${parts}s`}`),
    onMissing && 'missing parts allowed',
    inputs && `passes ${inputs.map(inputText).join(', ')}`,
  ]
    .filter(Boolean)
    .join('; ');
}

function inputText(input: NonNullable<EdgeSpec['inputs']>[number]): string {
  const { name } = input;
  if ('constant' in input) return `${name} (constant)`;
  const origin = 'source' in input ? `source.${input.source}` : input.output;
  return origin === name ? name : `${origin} as ${name}`;
}

const percent = (share: number): string => `${Number((share * 100).toFixed(1))} %`;

const thresholdText = (thresholds: readonly number[] | undefined): string =>
  thresholds === undefined ? '' : `, threshold ${thresholds.join(' or ')}`;

/** `90 % small, 25 % medium`, or one value for all variants. */
const shareText = (
  byVariant: Readonly<Record<string, number>> | undefined,
  value: number,
  text: (value: number) => string,
): string =>
  byVariant === undefined
    ? text(value)
    : Object.entries(byVariant)
        .map(([variant, own]) => `${text(own)} ${variant}`)
        .join(', ');

function drawText({ name, nodes, edges }: PipelineGraph): string {
  const lines = nodes
    .slice(0, -1)
    .flatMap(({ kind, title, lines: details }, index) => [
      `  ${kind === 'model' ? 'stage' : kind} ${title}${details.length === 0 ? '' : `: ${details.join(', ')}`}`,
      ...edges
        .filter(({ from }) => from === index)
        .map(({ to, label }) => `    → ${nodes[to]?.title}${label === '' ? '' : `: ${label}`}`),
    ]);
  return [`pipeline ${name}`, ...lines].join('\n');
}

function drawMermaid({ nodes, edges }: PipelineGraph): string {
  const shapes = {
    source: ['([', '])'],
    model: ['[', ']'],
    transform: ['[/', '/]'],
    combine: ['{{', '}}'],
    answer: ['([', '])'],
  } as const;
  const quoted = (lines: readonly string[]) => `"${lines.map(mermaidText).join('<br/>')}"`;
  return [
    'flowchart LR',
    ...nodes.map(({ kind, title, lines }, index) => {
      const [open, close] = shapes[kind];
      return `  n${index}${open}${quoted([title, ...lines])}${close}`;
    }),
    ...edges.map(({ from, to, label }) => `  n${from} -->${label === '' ? '' : `|${quoted([label])}|`} n${to}`),
  ].join('\n');
}

/** Numeric entities of Mermaid for the characters that end a label or begin a tag. */
const mermaidText = (text: string): string => text.replace(/["#&<>]/g, (sign) => `#${sign.charCodeAt(0)};`);
