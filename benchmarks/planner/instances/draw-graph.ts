/** Random graphs: chains, fan-out with join, diamonds, two entries, cascades and branches. */
import type { Draw } from './draw.js';

/** How a request passes the stages. The reference search composes latencies along it. */
export type Flow =
  | { readonly kind: 'stage'; readonly stage: string }
  | { readonly kind: 'series'; readonly parts: readonly Flow[] }
  | { readonly kind: 'parallel'; readonly parts: readonly Flow[] }
  | { readonly kind: 'chosen'; readonly probability: number; readonly taken: Flow; readonly otherwise?: Flow };

export interface DrawnStage {
  readonly name: string;
  readonly kind: 'model' | 'transform';
  /** Items per request. */
  readonly visits: number;
  /** Items of a request that arrive together. */
  readonly groupSize: number;
}

interface DrawnEdge {
  readonly from: string;
  readonly to: string;
  readonly fanOut?: { readonly expected: number };
  readonly join?: 'all';
  readonly when?: { readonly condition: string; readonly probability: number };
}

export type Family = 'chain' | 'fan-join' | 'diamond' | 'two-entries' | 'cascade' | 'branches';

export interface DrawnGraph {
  readonly family: Family;
  readonly stages: readonly DrawnStage[];
  readonly edges: readonly DrawnEdge[];
  readonly outputs?: readonly { readonly from: string; readonly unless?: string }[];
  readonly flow: Flow;
  /** Cheap and strong stage of a cascade, whose variants have a joint accuracy. */
  readonly joint?: readonly [string, string];
  readonly escalation?: number;
}

const at = (stage: string): Flow => ({ kind: 'stage', stage });
const inSeries = (names: readonly string[]): Flow => ({ kind: 'series', parts: names.map(at) });
const linked = (names: readonly string[]): DrawnEdge[] =>
  names.slice(1).map((to, i) => ({ from: names[i] as string, to }));
const once = (name: string, draw: Draw, transformChance = 0.12): DrawnStage => ({
  name,
  kind: draw.chance(transformChance) ? 'transform' : 'model',
  visits: 1,
  groupSize: 1,
});
const letters = (count: number): string[] => Array.from({ length: count }, (_, i) => String.fromCharCode(97 + i));

function chain(draw: Draw, small: boolean): DrawnGraph {
  const names = letters(small ? draw.integer(2, 3) : draw.integer(2, 5));
  const stages = names.map((name) => once(name, draw));
  return { family: 'chain', stages, edges: linked(names), flow: inSeries(names) };
}

function fanJoin(draw: Draw, small: boolean): DrawnGraph {
  const count = draw.pick([1.5, 2, 2, 2.5, 3, 4, 4, 6, 8]);
  const before = !small && draw.chance(0.3) ? ['before'] : [];
  const inside = !small && draw.chance(0.35) ? ['item', 'refine'] : ['item'];
  const names = [...before, 'split', ...inside, 'merge'];
  const isInside = (name: string): boolean => inside.includes(name);
  const stages = names.map((name) => ({
    ...once(name, draw, isInside(name) ? 0 : 0.2),
    visits: isInside(name) ? count : 1,
    groupSize: isInside(name) ? count : 1,
  }));
  const edges = linked(names).map((edge): DrawnEdge => {
    if (edge.from === 'split') return { ...edge, fanOut: { expected: count } };
    return edge.to === 'merge' ? { ...edge, join: 'all' } : edge;
  });
  return { family: 'fan-join', stages, edges, flow: inSeries(names) };
}

function diamond(draw: Draw, small: boolean): DrawnGraph {
  const left = !small && draw.chance(0.3) ? ['left', 'left2'] : ['left'];
  const right = ['right'];
  const third = !small && draw.chance(0.2) ? ['third'] : [];
  const arms = [left, right, third].filter((arm) => arm.length > 0);
  const edges = arms.flatMap((arm) => linked(['fork', ...arm, 'meet']));
  const stages = ['fork', ...arms.flat(), 'meet'].map((name) => once(name, draw));
  const flow: Flow = {
    kind: 'series',
    parts: [at('fork'), { kind: 'parallel', parts: arms.map(inSeries) }, at('meet')],
  };
  return { family: 'diamond', stages, edges, flow };
}

function twoEntries(draw: Draw, small: boolean): DrawnGraph {
  const first = !small && draw.chance(0.35) ? ['text', 'embed'] : ['text'];
  const tail = !small && draw.chance(0.3) ? ['fuse', 'rank'] : ['fuse'];
  const edges = [...linked([...first, 'fuse']), ...linked(['image', 'fuse']), ...linked(tail)];
  const stages = [...first, 'image', ...tail].map((name) => once(name, draw));
  const entries: Flow = { kind: 'parallel', parts: [inSeries(first), at('image')] };
  return { family: 'two-entries', stages, edges, flow: { kind: 'series', parts: [entries, ...tail.map(at)] } };
}

function cascade(draw: Draw, small: boolean): DrawnGraph {
  const probability = draw.pick([0.05, 0.1, 0.2, 0.3, 0.4, 0.6]);
  const before = draw.chance(small ? 0.2 : 0.5) ? ['prepare'] : [];
  const edges: DrawnEdge[] = [
    ...linked([...before, 'cheap']),
    { from: 'cheap', to: 'strong', when: { condition: 'output.confidence < 0.8', probability } },
  ];
  const stages = [
    ...before.map((name) => once(name, draw, 1)),
    once('cheap', draw, 0),
    { ...once('strong', draw, 0), visits: probability },
  ];
  const strong: Flow = { kind: 'chosen', probability, taken: at('strong') };
  return {
    family: 'cascade',
    stages,
    edges,
    outputs: [{ from: 'cheap', unless: 'strong' }, { from: 'strong' }],
    flow: { kind: 'series', parts: [...before.map(at), at('cheap'), strong] },
    joint: ['cheap', 'strong'],
    escalation: probability,
  };
}

function branches(draw: Draw, small: boolean): DrawnGraph {
  const probability = draw.pick([0.02, 0.1, 0.25, 0.5, 0.7]);
  const condition = 'output.kind == 1.0';
  const rest = draw.chance(small ? 0.3 : 0.6);
  const edges: DrawnEdge[] = [{ from: 'sort', to: 'special', when: { condition, probability } }];
  if (rest)
    edges.push({
      from: 'sort',
      to: 'usual',
      when: { condition: 'output.kind == 0.0', probability: significant2(1 - probability) },
    });
  const stages = [once('sort', draw), { ...once('special', draw, 0), visits: probability }];
  if (rest) stages.push({ ...once('usual', draw, 0), visits: significant2(1 - probability) });
  const chosen: Flow = {
    kind: 'chosen',
    probability,
    taken: at('special'),
    ...(rest && { otherwise: at('usual') }),
  };
  return {
    family: 'branches',
    stages,
    edges,
    outputs: stages.map(({ name: from }) => ({ from })),
    flow: { kind: 'series', parts: [at('sort'), chosen] },
  };
}

const significant2 = (value: number): number => Number(value.toPrecision(2));

const families: Readonly<Record<Family, (draw: Draw, small: boolean) => DrawnGraph>> = {
  chain,
  'fan-join': fanJoin,
  diamond,
  'two-entries': twoEntries,
  cascade,
  branches,
};

/** `small` graphs have few stages, so that all their plans can be tried. */
export function drawGraph(draw: Draw, small: boolean): DrawnGraph {
  const family = draw.weighted({
    chain: 28,
    'fan-join': 20,
    diamond: 14,
    'two-entries': 10,
    cascade: 16,
    branches: 12,
  });
  return families[family](draw, small);
}
