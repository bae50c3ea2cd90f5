/**
 * Layered drawing from left to right. The rank of a node is the length of its longest path from a source. An edge over
 * several ranks has a lane in each rank between, so it crosses no node.
 */
import { escapeXml } from './markup/escape-xml.js';

export interface GraphNode {
  readonly kind: 'source' | 'model' | 'transform' | 'combine' | 'answer';
  readonly title: string;
  readonly lines: readonly string[];
}

/** `from` and `to` are positions in the list of nodes. */
export interface GraphEdge {
  readonly from: number;
  readonly to: number;
  readonly label: string;
}

export interface PipelineGraph {
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

const CHARACTER = 7;
const LINE = 17;
const PADDING = 12;
const MARGIN = 16;
const GAP = { x: 44, y: 26 } as const;
const FILLS = {
  source: '#fff4dd',
  model: '#e8f0fe',
  transform: '#f1f1f1',
  combine: '#e9f5ea',
  answer: '#fff4dd',
} as const;

/** Node, or lane of an edge, in the column of its rank. `before` are the cells in the rank before it. */
interface Cell {
  readonly node?: GraphNode;
  readonly rank: number;
  width: number;
  readonly height: number;
  readonly before: Cell[];
  x: number;
  y: number;
}

interface Route {
  readonly cells: readonly Cell[];
  readonly label: string;
}

export function drawGraphSvg(graph: PipelineGraph): string {
  const { columns, routes } = layered(graph);
  const [width, height] = place(columns, routes);
  const nodes = columns.flat().flatMap((cell) => (cell.node === undefined ? [] : [nodeSvg(cell, cell.node)]));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">
<title>${escapeXml(`Pipeline ${graph.name}`)}</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0,0L8,4L0,8z" fill="#555"/></marker></defs>
<rect width="${width}" height="${height}" fill="white"/>
${[...routes.map(edgeSvg), ...nodes, ...routes.flatMap(labelSvg)].join('\n')}
</svg>
`;
}

function layered({ nodes, edges }: PipelineGraph): { columns: Cell[][]; routes: readonly Route[] } {
  const ranks = nodes.map(() => 0);
  // The graph has no cycle, so a path has fewer edges than there are nodes.
  for (const _ of nodes) for (const { from, to } of edges) ranks[to] = Math.max(ranks[to] ?? 0, (ranks[from] ?? 0) + 1);
  const columns: Cell[][] = Array.from({ length: Math.max(...ranks) + 1 }, () => []);
  const add = (cell: Omit<Cell, 'x' | 'y' | 'before'>): Cell => {
    const added = { ...cell, before: [], x: 0, y: 0 };
    columns[cell.rank]?.push(added);
    return added;
  };
  const cells = nodes.map((node, index) => {
    const longest = Math.max(...[node.title, ...node.lines].map(textWidth));
    const height = (node.lines.length + 1) * LINE + PADDING;
    return add({ node, rank: ranks[index] ?? 0, width: longest + 2 * PADDING, height });
  });
  const routes = edges.map(({ from, to, label }) => {
    const [start, end] = [cells[from] as Cell, cells[to] as Cell];
    const lanes = Array.from({ length: end.rank - start.rank - 1 }, (_, index) =>
      add({ rank: start.rank + 1 + index, width: 0, height: LINE }),
    );
    const path = [start, ...lanes, end];
    for (const [index, cell] of path.entries()) if (index > 0) cell.before.push(path[index - 1] as Cell);
    return { cells: path, label };
  });
  return { columns, routes };
}

/** Sets the positions of all cells. Returns width and height of the drawing. */
function place(columns: readonly Cell[][], routes: readonly Route[]): readonly [number, number] {
  const heightOf = (cells: readonly Cell[]) => cells.reduce((sum, cell) => sum + cell.height + GAP.y, -GAP.y);
  const height = Math.max(...columns.map(heightOf));
  let x = MARGIN;
  for (const [rank, cells] of columns.entries()) {
    const middle = ({ before }: Cell) => before.reduce((sum, { y }) => sum + y, 0) / Math.max(1, before.length);
    cells.sort((a, b) => middle(a) - middle(b));
    const width = Math.max(...cells.map((cell) => cell.width));
    let top = MARGIN + (height - heightOf(cells)) / 2;
    for (const cell of cells) {
      if (cell.node === undefined) cell.width = width;
      cell.x = x + (width - cell.width) / 2;
      cell.y = top + cell.height / 2;
      top += cell.height + GAP.y;
    }
    const labels = routes.filter((route) => route.cells[0]?.rank === rank).map(({ label }) => textWidth(label));
    x += width + (rank === columns.length - 1 ? MARGIN : GAP.x + Math.max(0, ...labels));
  }
  return [Math.ceil(x), Math.ceil(height + 2 * MARGIN)];
}

function nodeSvg({ x, y, width, height }: Cell, { kind, title, lines }: GraphNode): string {
  const round = kind === 'source' || kind === 'answer' ? 14 : 4;
  const line = (text: string, index: number) =>
    `<text x="${x + width / 2}" y="${y - height / 2 + PADDING / 2 + LINE * (index + 0.75)}" text-anchor="middle"${index === 0 ? ' font-weight="bold"' : ''}>${escapeXml(text)}</text>`;
  return `<rect x="${x}" y="${y - height / 2}" width="${width}" height="${height}" rx="${round}" fill="${FILLS[kind]}" stroke="#888"/>${[title, ...lines].map(line).join('')}`;
}

function edgeSvg({ cells }: Route): string {
  const steps = cells.slice(1).map((cell, index) => {
    const before = cells[index] as Cell;
    const [from, middle] = [before.x + before.width, (before.x + before.width + cell.x) / 2];
    return `${index === 0 ? 'M' : 'L'}${from},${before.y}C${middle},${before.y} ${middle},${cell.y} ${cell.x},${cell.y}`;
  });
  return `<path d="${steps.join('')}" fill="none" stroke="#555" marker-end="url(#tip)"/>`;
}

/** The label is in the middle of the first step. A white outline keeps it legible over other edges. */
function labelSvg({ cells: [start, next], label }: Route): readonly string[] {
  if (label === '' || start === undefined || next === undefined) return [];
  const [x, y] = [(start.x + start.width + next.x) / 2, (start.y + next.y) / 2];
  return [
    `<text x="${x}" y="${y - 5}" text-anchor="middle" fill="#333" stroke="white" stroke-width="5" paint-order="stroke">${escapeXml(label)}</text>`,
  ];
}

const textWidth = (text: string): number => text.length * CHARACTER;
