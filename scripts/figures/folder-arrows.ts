/**
 * Circular imports between sibling folders. An arrow from folder A to folder B stands for all imports in files under A
 * of files under B. Folders form a circle if arrows lead from B back to A, directly or through other folders. The back
 * arrows of a circle are the fewest arrows (then those with the fewest imports) whose removal breaks the circle.
 */
import type { FileImport } from './import-graph.js';

/** Imports between two sibling folders, named by their paths. */
export interface FolderArrow {
  readonly from: string;
  readonly to: string;
  readonly imports: readonly FileImport[];
}

/**
 * Arrows between sibling folders at every depth below `packages/<name>/src`. Files next to the folders have no arrows.
 */
export function listArrows(imports: readonly FileImport[]): FolderArrow[] {
  const found = new Map<string, FolderArrow & { readonly imports: FileImport[] }>();
  for (const each of imports) {
    const [from, to] = siblings(each);
    if (from === undefined || to === undefined) continue;
    const arrow = found.get(`${from} ${to}`) ?? { from, to, imports: [] };
    arrow.imports.push(each);
    found.set(`${from} ${to}`, arrow);
  }
  return [...found.values()];
}

/** Back arrows of all circles. */
export function findBackArrows(arrows: readonly FolderArrow[]): FolderArrow[] {
  return listCircles(arrows).flatMap(fewestToRemove);
}

/** Depth of a folder below `src`: 1 for the folders of a package. */
export function depthOf(folder: string): number {
  return folder.split('/').length - 3;
}

function siblings({ from, to }: FileImport): [string?, string?] {
  const [one, other] = [from.split('/'), to.split('/')];
  const shared = one.findIndex((part, index) => part !== other[index]);
  const liesInFolder = shared < one.length - 1 && shared < other.length - 1;
  return liesInFolder && shared >= 3 ? [one.slice(0, shared + 1).join('/'), other.slice(0, shared + 1).join('/')] : [];
}

/** The arrows within each strongly connected set of folders. */
function listCircles(arrows: readonly FolderArrow[]): FolderArrow[][] {
  const reached = new Map<string, ReadonlySet<string>>();
  for (const { from } of arrows) reached.set(from, reachable(arrows, from));
  const circles = new Map<string, FolderArrow[]>();
  for (const arrow of arrows) {
    if (!reached.get(arrow.to)?.has(arrow.from)) continue;
    const folders = [...(reached.get(arrow.from) ?? [])].filter((folder) => reached.get(folder)?.has(arrow.from));
    const key = folders.toSorted().join(' ');
    circles.set(key, [...(circles.get(key) ?? []), arrow]);
  }
  return [...circles.values()];
}

function reachable(arrows: readonly FolderArrow[], start: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = [start];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop())
    for (const { from, to } of arrows) {
      if (from !== folder || seen.has(to)) continue;
      seen.add(to);
      open.push(to);
    }
  return seen;
}

/** The smallest set of arrows whose removal leaves no circle: sets are tried in the order of their size. */
function fewestToRemove(circle: readonly FolderArrow[]): FolderArrow[] {
  const byImports = circle.toSorted((one, other) => one.imports.length - other.imports.length);
  for (let size = 1; size < byImports.length; size += 1) {
    const best = bestSubset(byImports, size);
    if (best !== undefined) return best;
  }
  return [...byImports];
}

function bestSubset(arrows: readonly FolderArrow[], size: number): FolderArrow[] | undefined {
  let best: { readonly weight: number; readonly removed: FolderArrow[] } | undefined;
  const extend = (removed: FolderArrow[], next: number, weight: number): void => {
    if (best !== undefined && weight >= best.weight) return;
    if (removed.length === size) {
      const kept = arrows.filter((arrow) => !removed.includes(arrow));
      if (listCircles(kept).length === 0) best = { weight, removed };
      return;
    }
    for (const [index, arrow] of arrows.entries())
      if (index >= next) extend([...removed, arrow], index + 1, weight + arrow.imports.length);
  };
  extend([], 0, 0);
  return best?.removed;
}
