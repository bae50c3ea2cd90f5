/** Tells what an API server of Kubernetes answers from what anything else does that listens at its address, such as a proxy with a page to log in. */
import { AppError } from '@equipoise/core/model';

/** Characters of a foreign answer that are shown. */
const SHOWN_LENGTH = 80;

/** An answer, with the text that its JSON was read from. */
export interface TextAnswer {
  readonly status: number;
  readonly text: string;
  /** Undefined where the text is no JSON. */
  readonly body: unknown;
}

/**
 * Throws CLUSTER_REFUSED where the answer is none of Kubernetes. Whatever is busy or broken for now (429 and from 500 on) is let pass: such
 * answers come from what stands in front of an API server, too, and are asked for again.
 */
export function checkIsOfKubernetes(server: URL, { status, text, body }: TextAnswer): void {
  if (isObject(body) || status === 429 || status >= 500 || isUnknownPath(status, text)) return;
  const start = text.trim().replaceAll(/\s+/g, ' ');
  const shown = start.length > SHOWN_LENGTH ? `${start.slice(0, SHOWN_LENGTH)}…` : start;
  throw new AppError(
    'CLUSTER_REFUSED',
    `what answers at ${server.href} is no Kubernetes API server: status ${status}, ${shown === '' ? 'without a body' : `“${shown}”`}; check the server of the kubeconfig and its context`,
    { details: { server: server.href, answeredStatus: status } },
  );
}

/** All that an API server says of objects, lists and refusals names its kind and version. */
function isObject(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  const { kind, apiVersion } = body as { readonly kind?: unknown; readonly apiVersion?: unknown };
  return typeof kind === 'string' && typeof apiVersion === 'string';
}

/** What an API server says of a group that nobody has installed. */
const isUnknownPath = (status: number, text: string): boolean =>
  status === 404 && /^404:? page not found$/i.test(text.trim());
