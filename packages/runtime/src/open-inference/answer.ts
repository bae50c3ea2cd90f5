/** What an endpoint answers, before it becomes bytes. */

/**
 * A response: its status, headers beside the usual ones, a text (JSON unless `contentType` says otherwise), and raw tensors behind it
 * (left out: the text is all there is).
 */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly text: string;
  readonly raw?: readonly Uint8Array[];
}

/** A 200 with a JSON value. */
export function ok(value: unknown): Answer {
  return { status: 200, text: JSON.stringify(value) };
}
