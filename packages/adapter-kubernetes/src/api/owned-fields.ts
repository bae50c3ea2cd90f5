/**
 * The part of an object that given managers own, for an apply that changes one field. An apply of the whole object would
 * take over the fields of all other managers; an apply without the owned fields would remove them.
 */
import type { FieldTree, KubeObject } from './kube-object.js';

type Mapping = Readonly<Record<string, unknown>>;

/** Owned fields, with the identity of the object; undefined if the managers own none. */
export function ownedFields<T extends KubeObject>(object: T, managers: readonly string[]): T | undefined {
  const trees = (object.metadata.managedFields ?? []).flatMap(({ manager = '', subresource, fieldsV1 }) =>
    fieldsV1 !== undefined && subresource === undefined && managers.includes(manager) ? [fieldsV1] : [],
  );
  if (trees.length === 0) return undefined;
  const { apiVersion, kind, metadata } = object;
  const { name, namespace } = metadata;
  const { metadata: owned, ...rest } = ownedMembers(object as unknown as Mapping, mergedTree(trees));
  const identity = { name, ...(namespace !== undefined && { namespace }) };
  return { ...rest, apiVersion, kind, metadata: { ...(owned as object | undefined), ...identity } } as unknown as T;
}

function mergedTree(trees: readonly FieldTree[]): FieldTree {
  const names = new Set(trees.flatMap((tree) => Object.keys(tree)));
  return Object.fromEntries(
    [...names].map((name) => [
      name,
      mergedTree(trees.flatMap((tree) => (tree[name] === undefined ? [] : [tree[name]]))),
    ]),
  );
}

function ownedMembers(value: Mapping, tree: FieldTree): Mapping {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([key, below]) => {
      const name = key.startsWith('f:') ? key.slice(2) : undefined;
      const member = name === undefined ? undefined : value[name];
      return name === undefined || member === undefined ? [] : [[name, ownedValue(member, below)]];
    }),
  );
}

/** An empty tree stands for the whole value. */
function ownedValue(value: unknown, tree: FieldTree): unknown {
  const keys = Object.keys(tree).filter((key) => key !== '.');
  if (keys.length === 0) return value;
  if (Array.isArray(value)) return ownedItems(value, tree);
  return typeof value === 'object' && value !== null ? ownedMembers(value as Mapping, tree) : value;
}

/** Items by their keys (`k:`) or by their value (`v:`), in the order of the list. */
function ownedItems(items: readonly unknown[], tree: FieldTree): readonly unknown[] {
  const entries = Object.entries(tree);
  return items.flatMap((item) => {
    const entry = entries.find(([key]) => isItemOf(item, key));
    if (entry === undefined) return [];
    const [key, below] = entry;
    return [key.startsWith('k:') ? { ...keysOf(key), ...(ownedValue(item, below) as object) } : item];
  });
}

const keysOf = (key: string): Mapping => JSON.parse(key.slice(2)) as Mapping;

function isItemOf(item: unknown, key: string): boolean {
  if (key.startsWith('v:')) return JSON.stringify(item) === JSON.stringify(JSON.parse(key.slice(2)));
  if (!key.startsWith('k:') || typeof item !== 'object' || item === null) return false;
  return Object.entries(keysOf(key)).every(([name, value]) => (item as Mapping)[name] === value);
}
