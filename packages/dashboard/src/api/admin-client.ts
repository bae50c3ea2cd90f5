/** Calls of the admin API. A failure is a value, because the page shows it. */
export type ApiFailure =
  /** No answer: the server is stopped, or the network is. */
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'unauthenticated' }
  /** The route or the named thing is unknown; `isRoute` if the server is older than the page. */
  | { readonly kind: 'not-found'; readonly isRoute: boolean; readonly message: string }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string };

export type ApiResult<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly failure: ApiFailure };

const READ_MS = 30_000;
/** Plans take long, and a change with a canary answers after its verdict. */
const ACT_MS = 1_800_000;

export interface AdminClientDeps {
  readonly token: () => string | undefined;
  /** False while the page waits for a token. Then calls fail without a request, which the server would only refuse. */
  readonly mayAsk: () => boolean;
  /** Called with the token of the refused call. */
  readonly onUnauthenticated: (shown: string | undefined) => void;
}

export type AdminApi = Pick<AdminClient, 'get' | 'post' | 'stream'>;

export class AdminClient {
  readonly #deps: AdminClientDeps;

  constructor(deps: AdminClientDeps) {
    this.#deps = deps;
  }

  /** `isLong`: the answer takes planning. */
  get<Value>(path: string, { isLong = false } = {}): Promise<ApiResult<Value>> {
    return this.#call(path, { method: 'GET' }, isLong ? ACT_MS : READ_MS);
  }

  post<Value>(path: string, body: object): Promise<ApiResult<Value>> {
    const headers = { 'content-type': 'application/json' };
    return this.#call(path, { method: 'POST', headers, body: JSON.stringify(body) }, ACT_MS);
  }

  /** Response of a stream; undefined if it is refused. */
  async stream(path: string, signal: AbortSignal): Promise<Response | undefined> {
    const { mayAsk, token, onUnauthenticated } = this.#deps;
    if (!mayAsk()) return undefined;
    const shown = token();
    const response = await fetch(path, { headers: this.#headers(), signal, cache: 'no-store' });
    if (response.status === 401) onUnauthenticated(shown);
    return response.ok ? response : undefined;
  }

  #headers(): Record<string, string> {
    const token = this.#deps.token();
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async #call<Value>(path: string, init: RequestInit, timeoutMs: number): Promise<ApiResult<Value>> {
    const { mayAsk, token, onUnauthenticated } = this.#deps;
    if (!mayAsk()) return { ok: false, failure: { kind: 'unauthenticated' } };
    const shownToken = token();
    let response: Response;
    let text: string;
    try {
      const headers = { ...(init.headers as Record<string, string>), ...this.#headers() };
      response = await fetch(path, { ...init, headers, cache: 'no-store', signal: AbortSignal.timeout(timeoutMs) });
      text = await response.text();
    } catch {
      return { ok: false, failure: { kind: 'unreachable' } };
    }
    const { status } = response;
    if (status === 401) onUnauthenticated(shownToken);
    const document = parsed(text);
    if (response.ok && document !== undefined) return { ok: true, value: document as Value };
    return { ok: false, failure: document === undefined ? foreignAnswer(status) : failureOf(status, document) };
  }
}

/** Undefined if the text is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The server answers with JSON only. */
function foreignAnswer(status: number): ApiFailure {
  if (status === 401) return { kind: 'unauthenticated' };
  const message = `The answer (status ${status}) is not from Equipoise: a proxy or a sign-in page answers in its place.`;
  return { kind: 'refused', status, message };
}

interface ErrorDocument {
  readonly error?: string | { readonly message?: string; readonly details?: { readonly paths?: unknown } };
}

/** Failure of an answer with an error status. */
export function failureOf(status: number, document: unknown): ApiFailure {
  const { error } = (document ?? {}) as ErrorDocument;
  const message = (typeof error === 'string' ? error : error?.message) ?? `The server answered with status ${status}.`;
  if (status === 401) return { kind: 'unauthenticated' };
  if (status !== 404) return { kind: 'refused', status, message };
  const isRoute = message.startsWith('There is no such path');
  return { kind: 'not-found', isRoute, message };
}

export function failureText(failure: ApiFailure): string {
  switch (failure.kind) {
    case 'unreachable':
      return 'The server does not answer.';
    case 'unauthenticated':
      return 'The server asks for a token.';
    default:
      return failure.message;
  }
}
