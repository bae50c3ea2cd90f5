/** Reads fields of JSON objects. Messages name the field, never the value. */
import { AppError } from '@equipoise/core/model';

export type Fields = Readonly<Record<string, unknown>>;

/** Returns `value`; throws MALFORMED_REQUEST if it is not an object. */
export function objectOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new AppError('MALFORMED_REQUEST', `${what} must be a JSON object.`);
}

export function optionalObject(value: unknown, field: string): Fields {
  return value === undefined ? {} : objectOf(value, `The field ${field}`);
}

export function optionalString(value: unknown, field: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new AppError('MALFORMED_REQUEST', `The field ${field} must be a string.`);
}

export function optionalBoolean(value: unknown, field: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw new AppError('MALFORMED_REQUEST', `The parameter ${field} must be true or false.`);
}
