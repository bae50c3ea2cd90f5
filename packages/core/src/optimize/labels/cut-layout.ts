/**
 * Coordinates of a label at a cut between two nodes of the order:
 *
 * - one finish time per open node (one with an edge across the cut), or per set of nodes that lead to the same joins;
 * - the amounts used so far;
 * - one score per class of scenarios that are equal after the cut.
 *
 * Each coordinate is monotone in those of the previous cut, and nothing else depends on the past. So Pareto dominance
 * is valid.
 */
import type { LabelProblem } from './label-problem.js';

/** Slot: latest finish among the old slots `from` and, if `includesOwn`, the node itself. */
export interface Slot {
  readonly from: readonly number[];
  readonly includesOwn: boolean;
  readonly nodes: readonly number[];
}

/** Classes of the previous cut that merge here. `visitsNode`: they visit the node. */
export interface ScoreClass {
  readonly from: readonly { readonly index: number; readonly visitsNode: boolean }[];
}

export interface Step {
  readonly startSlots: readonly number[];
  readonly awaited: number;
  readonly slots: readonly Slot[];
  readonly classes: readonly ScoreClass[];
}

/** `firstClasses`: probabilities of the classes before the first node. */
export interface CutLayout {
  readonly steps: readonly Step[];
  readonly firstClasses: readonly number[];
}

const pendingOf = (problem: LabelProblem, node: number, after: number): readonly number[] =>
  (problem.graph.successors[node] ?? []).filter((w) => w > after);

const waitsForAll = ({ graph }: LabelProblem, node: number): boolean =>
  graph.awaited[node] === graph.predecessors[node]?.length;

function openGroups(problem: LabelProblem, after: number): readonly (readonly number[])[] {
  const groups = new Map<string, number[]>();
  for (let u = 0; u <= after; u++) {
    const pending = pendingOf(problem, u, after);
    if (pending.length === 0) continue;
    const mergeable = pending.every((w) => waitsForAll(problem, w));
    const key = mergeable ? [...pending].sort((a, b) => a - b).join(',') : `only ${u}`;
    groups.set(key, [...(groups.get(key) ?? []), u]);
  }
  return [...groups.values()];
}

function scenarioGroups(problem: LabelProblem, after: number): readonly (readonly number[])[] {
  const groups = new Map<string, number[]>();
  problem.scenarios.forEach(({ visited }, s) => {
    const key = visited.slice(after + 1).join(',');
    groups.set(key, [...(groups.get(key) ?? []), s]);
  });
  return [...groups.values()];
}

function indexOfGroup(groups: readonly (readonly number[])[], member: number): number {
  return groups.findIndex((group) => group.includes(member));
}

export function cutLayout(problem: LabelProblem): CutLayout {
  const timed = problem.latencyLimitMs < Number.POSITIVE_INFINITY;
  let open: readonly (readonly number[])[] = [];
  let alike = scenarioGroups(problem, -1);
  const firstClasses = alike.map((group) =>
    group.reduce((sum, s) => sum + (problem.scenarios[s]?.probability ?? 0), 0),
  );
  const steps = problem.nodes.map((_, v): Step => {
    const before = open;
    const alikeBefore = alike;
    open = timed ? openGroups(problem, v) : [];
    alike = scenarioGroups(problem, v);
    const startSlots = timed ? (problem.graph.predecessors[v] ?? []).map((p) => indexOfGroup(before, p)) : [];
    return {
      startSlots: [...new Set(startSlots)],
      awaited: waitsForAll(problem, v) ? new Set(startSlots).size : (problem.graph.awaited[v] as number),
      slots: open.map((nodes) => ({
        from: [...new Set(nodes.filter((u) => u !== v).map((u) => indexOfGroup(before, u)))],
        includesOwn: nodes.includes(v),
        nodes,
      })),
      classes: alike.map((group) => {
        const from = [...new Set(group.map((s) => indexOfGroup(alikeBefore, s)))];
        return { from: from.map((index) => ({ index, visitsNode: visits(problem, alikeBefore[index], v) })) };
      }),
    };
  });
  return { steps, firstClasses };
}

function visits(problem: LabelProblem, group: readonly number[] | undefined, node: number): boolean {
  return problem.scenarios[group?.[0] ?? 0]?.visited[node] ?? true;
}
