import type { ValuePath } from '../problem.js';

/** Entry of a mapping. Offsets count characters of the text. */
export interface LocatedEntry {
  readonly keyOffset: number;
  readonly node: LocatedNode;
}

/** Value with its position. `value` is undefined if it was unreadable, which is then already reported. */
export interface LocatedNode {
  readonly value: unknown;
  readonly offset: number;
  /** Offset of the first character after the value; absent if the value is not in the text. */
  readonly endOffset?: number;
  /** Scalar as written, such as `1.0` for the value 1. */
  readonly source?: string;
  readonly entries?: ReadonlyMap<string, LocatedEntry>;
  readonly items?: readonly LocatedNode[];
}

export function nodeAt(root: LocatedNode, path: ValuePath): LocatedNode | undefined {
  let node: LocatedNode | undefined = root;
  for (const step of path) node = typeof step === 'number' ? node?.items?.[step] : node?.entries?.get(step)?.node;
  return node;
}

/** Offset of the key or value at a path. If that is missing: offset of the nearest ancestor. */
export function offsetAt(root: LocatedNode, path: ValuePath, place: 'key' | 'value'): number {
  const last = path.at(-1);
  if (place === 'key' && typeof last === 'string') {
    const entry = nodeAt(root, path.slice(0, -1))?.entries?.get(last);
    if (entry !== undefined) return entry.keyOffset;
  }
  for (let length = path.length; length > 0; length--) {
    const node = nodeAt(root, path.slice(0, length));
    if (node !== undefined) return node.offset;
  }
  return root.offset;
}

/** A plain value as a node, without positions. */
export function locate(value: unknown): LocatedNode {
  if (Array.isArray(value)) return { value, offset: 0, items: value.map(locate) };
  if (typeof value !== 'object' || value === null) return { value, offset: 0 };
  const entries = Object.entries(value).map(([key, child]) => [key, { keyOffset: 0, node: locate(child) }] as const);
  return { value, offset: 0, entries: new Map(entries) };
}
