/** Fields of JSON values whose form is checked; messages name the field, never the value. */
import { AppError } from '@equipoise/core/model';

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** `value` as an object; AppError MALFORMED_REQUEST says what must be one. */
export function objectOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new AppError('MALFORMED_REQUEST', `${what} must be a JSON object.`);
}

/** The same where the field may be left out. */
export function optionalObject(value: unknown, field: string): Fields {
  return value === undefined ? {} : objectOf(value, `The field ${field}`);
}

/** `value` as a string, if there is one. */
export function optionalString(value: unknown, field: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new AppError('MALFORMED_REQUEST', `The field ${field} must be a string.`);
}

/** `value` as a boolean, if there is one. */
export function optionalBoolean(value: unknown, field: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw new AppError('MALFORMED_REQUEST', `The parameter ${field} must be true or false.`);
}
