/** Requests to the admin port of a server. */
import { AppError } from '@equipoise/core/model';
import { tokenIn } from './admin-port.js';

export interface AdminAccess {
  readonly admin: string;
  readonly adminTokenFile?: string | undefined;
}

interface Asked {
  readonly url: string;
  readonly init: RequestInit;
}

const TIMEOUT_MS = 15_000;

/** The given name, or that of the only pipeline. Rejects with WRONG_USAGE if the server has several. */
export async function pipelineNamed(options: AdminAccess, name: string | undefined): Promise<string> {
  if (name !== undefined) return name;
  const { pipelines } = (await askAdmin(options, '/admin/pipelines')) as {
    readonly pipelines: readonly { readonly name: string }[];
  };
  const [first, ...more] = pipelines.map(({ name }) => name);
  if (first !== undefined && more.length === 0) return first;
  throw new AppError('WRONG_USAGE', `The server has several pipelines; name one of ${[first, ...more].join(', ')}.`);
}

/** Rejects with UNREACHABLE, or with the error of the server. */
export async function askAdmin(options: AdminAccess, path: string, body?: object): Promise<unknown> {
  const { url, init } = askedOf(options, path, body);
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    const message = `No admin port answers at ${options.admin}. Start the server, or name its admin port with --admin URL.`;
    throw new AppError('UNREACHABLE', message, { cause });
  }
  const answer = (await response.json().catch(() => ({}))) as { readonly error?: { readonly message?: string } };
  if (response.ok) return answer;
  const message = `${url} answers ${response.status}: ${answer.error?.message ?? 'this server has no such address; is it of an older version?'}`;
  throw new AppError(response.status === 404 ? 'NOT_FOUND' : 'WRONG_USAGE', message);
}

function askedOf({ admin, adminTokenFile }: AdminAccess, path: string, body: object | undefined): Asked {
  if (!URL.canParse(admin))
    throw new AppError('WRONG_USAGE', `--admin must be a URL such as http://127.0.0.1:8081, got ${admin}.`);
  const token = tokenIn(adminTokenFile);
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  };
  const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  return { url: new URL(path, admin).href, init: { headers, ...sent, signal: AbortSignal.timeout(TIMEOUT_MS) } };
}
