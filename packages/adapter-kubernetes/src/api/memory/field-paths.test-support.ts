/**
 * Fields of an object as paths, in the terms of server-side apply: `f:NAME` a field, `k:{KEYS}` an item of a list that
 * is merged by keys, `v:VALUE` a member of a set, `.` the item itself. An API server reads from its schema which lists
 * merge, and by which keys. Here the name of the field decides; all other lists are owned as a whole.
 */
import type { FieldTree } from '../kube-object.js';

export type FieldPath = readonly string[];

/** Paths by their text, so that sets of them can be compared. */
export type FieldSet = Map<string, FieldPath>;

type Fields = Record<string, unknown>;

const MERGED_BY: Readonly<Record<string, readonly string[]>> = {
  conditions: ['type'],
  containers: ['name'],
  env: ['name'],
  initContainers: ['name'],
  items: ['name'],
  ownerReferences: ['uid'],
  stages: ['name'],
  variants: ['name'],
  volumeMounts: ['mountPath'],
  volumes: ['name'],
};
const SETS = new Set(['finalizers']);
const WHOLE = new Set(['selector']);
/** Marker of a leaf. */
const LEAF = true;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The paths of all leaves under `value`. */
export function fieldPaths(value: unknown, path: FieldPath = []): FieldSet {
  const set: FieldSet = new Map();
  collect(value, path, set);
  return set;
}

function collect(value: unknown, path: FieldPath, set: FieldSet): void {
  const inside = membersOf(value, path.at(-1) ?? '');
  if (inside === undefined) {
    set.set(textOf(path), path);
    return;
  }
  if (path.at(-1)?.startsWith('k:')) set.set(textOf([...path, '.']), [...path, '.']);
  for (const [element, member] of inside) collect(member, [...path, element], set);
}

/** Children of a value by path element; `undefined` for a leaf. */
function membersOf(value: unknown, element: string): readonly (readonly [string, unknown])[] | undefined {
  const name = element.slice(2);
  if (WHOLE.has(name) && element.startsWith('f:')) return undefined;
  if (isFields(value)) {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    return entries.length === 0 && element !== '' ? undefined : entries.map(([key, member]) => [`f:${key}`, member]);
  }
  if (!Array.isArray(value) || !element.startsWith('f:')) return undefined;
  if (SETS.has(name)) return value.map((member) => [`v:${JSON.stringify(member)}`, LEAF]);
  const keys = MERGED_BY[name];
  return keys && value.every(isFields) ? value.map((member) => [itemElement(member, keys), member]) : undefined;
}

function itemElement(item: Fields, keys: readonly string[]): string {
  return `k:${JSON.stringify(Object.fromEntries(keys.map((key) => [key, item[key]])))}`;
}

export function textOf(path: FieldPath): string {
  return path.join('\n');
}

/** Set in the form of `fieldsV1`. */
export function fieldTree(set: FieldSet): FieldTree {
  const root: Record<string, FieldTree> = {};
  for (const path of set.values()) {
    let at = root;
    for (const element of path) {
      at[element] ??= {};
      at = at[element] as Record<string, FieldTree>;
    }
  }
  return root;
}

/** Value at a path; `undefined` if there is none. */
export function readField(root: unknown, path: FieldPath): unknown {
  let at = root;
  for (const element of path) {
    if (at === undefined) return undefined;
    at = element === '.' ? LEAF : memberAt(at, element);
  }
  return at;
}

function memberAt(value: unknown, element: string): unknown {
  const text = element.slice(2);
  if (element.startsWith('f:')) return isFields(value) ? value[text] : undefined;
  if (!Array.isArray(value)) return undefined;
  if (element.startsWith('v:')) return value.includes(JSON.parse(text)) ? LEAF : undefined;
  const keys = JSON.parse(text) as Fields;
  return value.find((item) => Object.entries(keys).every(([key, wanted]) => (item as Fields)[key] === wanted));
}

/** Puts a value at a path; creates missing containers. */
export function writeField(root: Fields, path: FieldPath, value: unknown): void {
  let at: unknown = root;
  for (const [index, element] of path.entries()) {
    if (element === '.') return;
    const last = index === path.length - 1;
    const text = element.slice(2);
    if (element.startsWith('f:')) {
      const fields = at as Fields;
      if (last) fields[text] = structuredClone(value);
      else fields[text] ??= path[index + 1]?.startsWith('f:') ? {} : [];
    } else if (memberAt(at, element) === undefined) {
      (at as unknown[]).push(JSON.parse(text));
    }
    at = memberAt(at, element);
  }
}

/** Removes the value at a path, and containers that become empty. */
export function removeField(root: Fields, path: FieldPath): void {
  const target = path.at(-1) === '.' ? path.slice(0, -1) : path;
  const parentPath = target.slice(0, -1);
  const parent = readField(root, parentPath);
  const element = target.at(-1);
  if (parent === undefined || element === undefined) return;
  if (element.startsWith('f:')) delete (parent as Fields)[element.slice(2)];
  else removeMember(parent as unknown[], element);
  const empty = Array.isArray(parent) ? parent.length === 0 : Object.keys(parent as Fields).length === 0;
  if (empty && parentPath.length > 1) removeField(root, parentPath);
}

function removeMember(list: unknown[], element: string): void {
  const member = element.startsWith('v:') ? JSON.parse(element.slice(2)) : memberAt(list, element);
  const index = list.indexOf(member);
  if (index >= 0) list.splice(index, 1);
}
