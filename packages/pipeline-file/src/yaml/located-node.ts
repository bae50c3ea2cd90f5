/** A value of the document together with where it stands in the text. */
import type { ValuePath } from '../problem.js';

/** An entry of a mapping; `keyOffset` is where its key begins. */
export interface LocatedEntry {
  readonly keyOffset: number;
  readonly node: LocatedNode;
}

/** A value with its offset in the text. `value` is undefined where the text has no readable one, which is reported already. */
export interface LocatedNode {
  readonly value: unknown;
  readonly offset: number;
  /** The scalar as written. */
  readonly source?: string;
  readonly entries?: ReadonlyMap<string, LocatedEntry>;
  readonly items?: readonly LocatedNode[];
}

/** The node at `path`, or undefined where the document has none. */
export function nodeAt(root: LocatedNode, path: ValuePath): LocatedNode | undefined {
  let node: LocatedNode | undefined = root;
  for (const step of path) node = typeof step === 'number' ? node?.items?.[step] : node?.entries?.get(step)?.node;
  return node;
}

/** Offset of the entry at `path`: its key or its value; a missing one is placed at its nearest existing parent. */
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
