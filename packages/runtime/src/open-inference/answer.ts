/** What an endpoint answers, before it becomes bytes. */

/** A response: its status, headers beside the usual ones, and a JSON text. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json: string;
}

/** A 200 with a JSON value. */
export function ok(value: unknown): Answer {
  return { status: 200, json: JSON.stringify(value) };
}
