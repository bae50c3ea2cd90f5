/**
 * Owners of the fields of an object. An apply owns its fields, conflicts with other owners of different values, and
 * releases fields that it no longer has. Any other write owns what it changed.
 */
import type { Applier, RefusalCause, Writer } from '../kube-api.js';
import type { ManagedFields } from '../kube-object.js';
import {
  type FieldSet,
  fieldPaths,
  fieldTree,
  readField,
  removeField,
  textOf,
  writeField,
} from './field-paths.test-support.js';

export type Fields = Record<string, unknown>;
export type Subresource = 'status' | 'scale' | undefined;

/** A manager and its operation. `time` is that of its last write, missing during a write. */
interface Owner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly subresource: Subresource;
  readonly time?: string;
  readonly set: FieldSet;
}

export type Owners = readonly Owner[];

/** Written object with its owners, or the conflicting fields. */
export type Merge =
  | { readonly kind: 'merged'; readonly fields: Fields; readonly owners: Owners }
  | { readonly kind: 'conflict'; readonly causes: readonly RefusalCause[] };

/** Owners as `managedFields`. */
export function managedFieldsOf(owners: Owners): readonly ManagedFields[] {
  return owners.map(({ manager, operation, subresource, time, set }) => ({
    manager,
    operation,
    ...(subresource !== undefined && { subresource }),
    ...(time !== undefined && { time }),
    fieldsV1: fieldTree(set),
  }));
}

/** Owners with the date of a write for its manager. */
export const datedOwners = (owners: Owners, time: string): Owners =>
  owners.map((owner) => (owner.time === undefined ? { ...owner, time } : owner));

/** Owners after a client has replaced `managedFields`. Entries keep their fields; only operations may change. */
export function withEntries(owners: Owners, entries: readonly ManagedFields[]): Owners {
  return entries.flatMap(({ manager = '', operation = 'Update', subresource, fieldsV1 }) => {
    const before = owners.find(
      (owner) =>
        owner.manager === manager &&
        owner.subresource === subresource &&
        same(managedFieldsOf([owner])[0]?.fieldsV1, fieldsV1),
    );
    return before === undefined ? [] : [{ ...before, operation }];
  });
}

/** Applies the wanted fields to the existing ones. */
export function mergeApply(
  live: { readonly fields: Fields; readonly owners: Owners },
  wanted: Fields,
  { fieldManager, force = false }: Applier,
  subresource: Subresource,
): Merge {
  const isMine = (owner: Owner) =>
    owner.manager === fieldManager && owner.operation === 'Apply' && owner.subresource === subresource;
  const mine = live.owners.find(isMine);
  const others = live.owners.filter((owner) => owner !== mine);
  const set = fieldPaths(wanted);
  const contested = contestedFields(live.fields, wanted, set, others);
  if (contested.length > 0 && !force) return { kind: 'conflict', causes: contested.map(({ cause }) => cause) };

  const fields = structuredClone(live.fields);
  const givenUp = [...(mine?.set ?? [])].filter(
    ([text]) => !set.has(text) && !others.some((owner) => ownsAt(owner, text)),
  );
  // Whole items first: an item without its keys cannot be found.
  for (const whole of [true, false]) {
    for (const [, path] of givenUp) if ((path.at(-1) === '.') === whole) removeField(fields, path);
  }
  for (const path of set.values()) {
    const [value, present] = [readField(wanted, path), readField(fields, path)];
    // An empty map adds nothing; it does not remove existing entries.
    if (!(isEmpty(value) && present !== undefined)) writeField(fields, path, value);
  }
  const lost = new Set(contested.map(({ text }) => text));
  const kept = others.map((owner) => without(owner, lost)).filter((owner) => owner.set.size > 0);
  const owner: Owner = { manager: fieldManager, operation: 'Apply', subresource, set };
  return { kind: 'merged', fields, owners: set.size === 0 ? kept : [...kept, owner] };
}

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;

function contestedFields(live: Fields, wanted: Fields, set: FieldSet, others: Owners) {
  return [...set].flatMap(([text, path]) => {
    if (path.at(-1) === '.') return [];
    const owner = others.find((other) => other.set.has(text));
    if (owner === undefined || same(readField(live, path), readField(wanted, path))) return [];
    const field = `.${path.map((element) => (element.startsWith('f:') ? element.slice(2) : element)).join('.')}`;
    const message = `conflict with "${owner.manager}"`;
    return [{ text, cause: { reason: 'FieldManagerConflict', message, field } }];
  });
}

/** True if an owner has a field or, for a list item, any field inside. */
function ownsAt(owner: Owner, text: string): boolean {
  if (owner.set.has(text)) return true;
  if (!text.endsWith('\n.')) return false;
  return [...owner.set.keys()].some((other) => other.startsWith(text.slice(0, -1)));
}

/** Makes the writer the owner of all fields that it changed. */
export function ownChanges(
  before: { readonly fields: Fields; readonly owners: Owners },
  after: Fields,
  { fieldManager }: Writer,
  subresource: Subresource,
): Owners {
  const [old, now] = [fieldPaths(before.fields), fieldPaths(after)];
  const changed: FieldSet = new Map(
    [...now].filter(([, path]) => !same(readField(before.fields, path), readField(after, path))),
  );
  const gone = [...old.keys()].filter((text) => !now.has(text));
  const lost = new Set([...changed.keys(), ...gone]);
  const isMine = (owner: Owner) =>
    owner.manager === fieldManager && owner.operation === 'Update' && owner.subresource === subresource;
  const mine = before.owners.find(isMine);
  const others = before.owners.filter((owner) => owner !== mine).map((owner) => without(owner, lost));
  const kept: FieldSet = new Map([...(mine?.set ?? [])].filter(([text]) => now.has(text)));
  const owner: Owner = {
    manager: fieldManager,
    operation: 'Update',
    subresource,
    set: new Map([...kept, ...changed]),
  };
  return [...others, owner].filter(({ set }) => set.size > 0);
}

function without(owner: Owner, lost: ReadonlySet<string>): Owner {
  return { ...owner, set: new Map([...owner.set].filter(([text]) => !lost.has(text))) };
}

/** True if two values are equal as JSON, in any order of fields. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as Fields, b as Fields];
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => same(left[key], right[key]));
}

/** Owners as text, to detect changes. */
export function ownersText(owners: Owners): string {
  const lines = owners.map(
    ({ manager, operation, subresource, set }) =>
      `${manager} ${operation} ${subresource ?? ''} ${[...set.values()].map(textOf).sort().join(' ')}`,
  );
  return lines.sort().join('\n');
}
