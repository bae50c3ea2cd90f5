/** What an endpoint answers, before it becomes bytes. */

/** A response: its status, headers beside the usual ones, a JSON text, and raw tensors behind it (left out: JSON is all there is). */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json: string;
  readonly raw?: readonly Uint8Array[];
}

/** A 200 with a JSON value. */
export function ok(value: unknown): Answer {
  return { status: 200, json: JSON.stringify(value) };
}
