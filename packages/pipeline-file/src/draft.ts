/**
 * Well-formed part of a document, so that semantic checks run despite schema problems. A malformed property or list
 * entry is present with the value undefined; an omitted property is absent.
 */
import type { Finding, ValuePath } from './problem.js';
import type { PipelineFileInput } from './schema/pipeline-file-schema.js';

/** `T` with every part possibly missing or malformed. */
export type Draft<T> = T extends readonly (infer Item)[]
  ? readonly (Draft<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Draft<T[Key]> | undefined }
    : T;

export type SpecDraft = Draft<PipelineFileInput['spec']>;
export type StageDraft = Draft<PipelineFileInput['spec']['stages'][number]>;
export type VariantDraft = Draft<NonNullable<PipelineFileInput['spec']['stages'][number]['variants']>[number]>;

type Container = Record<string | number, unknown>;

/** Removes the values that findings name. For an unknown field, also marks the probably meant field as malformed. */
export function wellFormedPart(value: unknown, findings: readonly Finding[]): unknown {
  if (findings.length === 0) return value;
  const copy = { root: structuredClone(value) };
  for (const { path, place, suggestion } of findings) {
    const container = containerAt(copy, ['root', ...path]);
    const key = path.at(-1) ?? 'root';
    if (container === undefined || (!Object.hasOwn(container, key) && place !== 'key')) continue;
    if (place === 'key') {
      delete container[key];
      if (suggestion !== undefined && !Object.hasOwn(container, suggestion)) container[suggestion] = undefined;
    } else container[key] = undefined;
  }
  return copy.root;
}

/** True if a field is present but malformed, which is already reported. */
export function isMalformed<T extends object>(draft: T, field: keyof T): boolean {
  return Object.hasOwn(draft, field) && draft[field] === undefined;
}

export function* wellFormedEntries<T>(list: readonly (T | undefined)[] | undefined): Generator<readonly [number, T]> {
  for (const [index, entry] of (list ?? []).entries()) if (entry !== undefined) yield [index, entry];
}

/** Well-formed values of a map. */
export const definedValues = <T>(map: Readonly<Record<string, T | undefined>>): readonly T[] =>
  Object.values(map).filter((value): value is T => value !== undefined);

function containerAt(root: unknown, path: ValuePath): Container | undefined {
  let value = root;
  for (const step of path.slice(0, -1)) value = (value as Container | undefined)?.[step];
  return typeof value === 'object' && value !== null ? (value as Container) : undefined;
}
