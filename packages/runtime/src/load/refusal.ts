/** What a server said where it refused a request. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
}

/** Longest message that is told. */
const LONGEST = 300;

/** The message of an answer by its body: that of an error of Equipoise or of the Open Inference Protocol, or else the text itself. */
export function refusalOf(status: number, body: string): Refusal {
  const message = (messageIn(body) ?? body).replaceAll(/\s+/g, ' ').trim();
  return { status, message: message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message };
}

function messageIn(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { readonly error?: string | { readonly message?: unknown } };
    const message = typeof error === 'object' ? error.message : error;
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
