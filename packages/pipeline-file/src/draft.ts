/**
 * The part of a document that is well-formed, so that semantic checks run beside schema problems. A malformed value is kept as
 * an own property (or list entry) that is undefined: a check can tell it from a field that was left out, and keeps silent on it.
 */
import type { Finding, ValuePath } from './problem.js';
import type { PipelineFileInput } from './schema/pipeline-file-schema.js';

/** `T` with every part possibly left out or malformed. */
export type Draft<T> = T extends readonly (infer Item)[]
  ? readonly (Draft<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Draft<T[Key]> | undefined }
    : T;

/** The `spec` of a file as far as it is well-formed. */
export type SpecDraft = Draft<PipelineFileInput['spec']>;
/** A stage as far as it is well-formed. */
export type StageDraft = Draft<PipelineFileInput['spec']['stages'][number]>;
/** A variant as far as it is well-formed. */
export type VariantDraft = Draft<PipelineFileInput['spec']['stages'][number]['variants'][number]>;

type Container = Record<string | number, unknown>;

/** Copies `value` and blanks what the findings name; an unknown field blanks the field that it is probably a misspelling of. */
export function wellFormedPart(value: unknown, findings: readonly Finding[]): unknown {
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

/** Whether a field is there but malformed, which is reported already. */
export function isMalformed<T extends object>(draft: T, field: keyof T): boolean {
  return Object.hasOwn(draft, field) && draft[field] === undefined;
}

/** The entries of a list with their indices, without the malformed ones. */
export function* wellFormedEntries<T>(list: readonly (T | undefined)[] | undefined): Generator<readonly [number, T]> {
  for (const [index, entry] of (list ?? []).entries()) if (entry !== undefined) yield [index, entry];
}

function containerAt(root: unknown, path: ValuePath): Container | undefined {
  let value = root;
  for (const step of path.slice(0, -1)) value = (value as Container | undefined)?.[step];
  return typeof value === 'object' && value !== null ? (value as Container) : undefined;
}
