/** Compares only wanted fields, because the server adds others. Compares amounts as numbers. */
import { amountOf } from '../render/quantities.js';

/** `live` is missing if the object lacks the field. */
export interface FieldDifference {
  readonly path: string;
  readonly live?: unknown;
  readonly wanted: unknown;
}

type Mapping = Readonly<Record<string, unknown>>;

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function objectDifferences(wanted: unknown, live: unknown, path = ''): readonly FieldDifference[] {
  if (isMapping(wanted) && isMapping(live)) {
    return Object.entries(wanted).flatMap(([name, value]) =>
      objectDifferences(value, live[name], path === '' ? name : `${path}.${name}`),
    );
  }
  if (Array.isArray(wanted) && Array.isArray(live) && wanted.length === live.length) {
    return wanted.flatMap((value, index) => objectDifferences(value, live[index], `${path}[${index}]`));
  }
  if (isEmpty(wanted) && live === undefined) return [];
  if (wanted === live || (isAmount(path) && amountOf(String(wanted)) === amountOf(String(live)))) return [];
  return [{ path, ...(live === undefined ? {} : { live }), wanted }];
}

/** Servers leave out empty fields. */
const isEmpty = (value: unknown): boolean =>
  (Array.isArray(value) && value.length === 0) || (isMapping(value) && Object.keys(value).length === 0);

const isAmount = (path: string): boolean =>
  /\.(requests|limits)\.[^.]+(\.[^.]+)*$/.test(path) || path.endsWith('.memory');
