/** Requests to the admin port of a server. */
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, type ErrorCode, type ErrorDetails, errorCodes } from '@equipoise/core/model';
import { tokenIn } from './admin-port.js';

export interface AdminAccess {
  readonly admin: string;
  readonly adminTokenFile?: string | undefined;
}

interface Asked {
  readonly url: string;
  readonly init: RequestInit;
}

/** Body of a refusal. A proxy may answer anything. */
interface RefusalBody {
  readonly error?: unknown;
  readonly code?: unknown;
  readonly details?: unknown;
}

const TIMEOUT_MS = 15_000;
/** A longer wait is an error at once. */
const MOST_WAIT_MS = 30_000;

/** The given name, or that of the only pipeline. Rejects with WRONG_USAGE if the server has several. */
export async function pipelineNamed(options: AdminAccess, name: string | undefined): Promise<string> {
  if (name !== undefined) return name;
  const { pipelines } = (await askAdmin(options, '/admin/pipelines')) as {
    readonly pipelines?: readonly { readonly name: string }[];
  };
  if (!Array.isArray(pipelines)) throw otherForm(`${options.admin}/admin/pipelines`);
  const [first, ...more] = pipelines.map(({ name }) => name);
  if (first !== undefined && more.length === 0) return first;
  if (first === undefined) throw new AppError('NOT_FOUND', `The server at ${options.admin} has no pipelines yet.`);
  throw new AppError('WRONG_USAGE', `The server has several pipelines; name one of ${[first, ...more].join(', ')}.`);
}

/** Time of the server: its clock may differ from the clock here. */
export async function serverNowMs(options: AdminAccess, pipeline: string): Promise<number> {
  const path = `/admin/pipelines/${encodeURIComponent(pipeline)}/counts`;
  const { atEpochMs } = (await askAdmin(options, path)) as { readonly atEpochMs?: unknown };
  if (typeof atEpochMs !== 'number') throw otherForm(`${options.admin}${path}`);
  return atEpochMs;
}

/**
 * Rejects with UNREACHABLE, or with the error of the server. If the server asks for a wait of at most `MOST_WAIT_MS`, the
 * request is sent once more after it.
 */
export async function askAdmin(options: AdminAccess, path: string, body?: object): Promise<unknown> {
  const asked = askedOf(options, path, body);
  const first = await answerTo(options, asked);
  const waitMs = waitMsOf(first);
  if (waitMs === undefined || waitMs > MOST_WAIT_MS) return acceptedBody(asked, first);
  await delay(waitMs);
  return acceptedBody(asked, await answerTo(options, asked));
}

interface AdminAnswer {
  readonly response: Response;
  /** Undefined if it is no JSON. */
  readonly body: unknown;
}

async function answerTo({ admin }: AdminAccess, { url, init }: Asked): Promise<AdminAnswer> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.text();
    return { response, body: parsed(text) };
  } catch (cause) {
    const isLate = (cause as Error).name === 'TimeoutError';
    const message = isLate
      ? `The admin port at ${admin} did not answer within ${TIMEOUT_MS / 1000} s. The server or its machine is busy; ask again.`
      : `No admin port answers at ${admin}. Start the server, or name its admin port with --admin URL.`;
    throw new AppError('UNREACHABLE', message, { cause });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Wait (ms) that the server asks for; undefined if it asks for none. */
function waitMsOf({ response: { status, headers }, body }: AdminAnswer): number | undefined {
  if (status !== 429 && status !== 503) return undefined;
  const exactMs = detailsOf(body)['retryAfterMs'];
  if (typeof exactMs === 'number' && exactMs >= 0) return exactMs;
  const header = headers.get('retry-after') ?? '';
  return /^\d+$/.test(header) ? 1000 * Number(header) : undefined;
}

/** Throws the refusal as an AppError with the code and the details of the server. */
function acceptedBody({ url }: Asked, { response: { ok, status }, body }: AdminAnswer): unknown {
  if (ok) {
    if (isObject(body)) return body;
    throw otherForm(url);
  }
  if (status === 404 && isOtherPort(body)) throw otherPort(url);
  const { error, code } = refusalOf(body);
  const text = typeof error === 'string' ? error : 'this server has no such address; is it of an older version?';
  const usual = status === 404 ? 'NOT_FOUND' : 'WRONG_USAGE';
  throw new AppError(isErrorCode(code) ? code : usual, `${url} answers ${status}: ${text}`, {
    details: detailsOf(body),
  });
}

/** Error of an answer that no admin port of this version gives. */
export const otherForm = (url: string): AppError =>
  new AppError(
    'UNREACHABLE',
    `${url} does not answer as an admin port of this version does. Name the admin port with --admin URL.`,
  );

/** True if the known paths of a port have none of an admin port. */
function isOtherPort(body: unknown): boolean {
  const { paths } = detailsOf(body);
  return Array.isArray(paths) && !paths.some((path) => String(path).includes(' /admin/'));
}

const otherPort = (url: string): AppError =>
  new AppError(
    'UNREACHABLE',
    `${new URL(url).origin} is another port of a server, such as the one for requests. Name the admin port with --admin URL; \`equipoise serve\` prints it, by default http://127.0.0.1:8081.`,
  );

const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(errorCodes, code);

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const refusalOf = (body: unknown): RefusalBody => (isObject(body) ? body : {});

function detailsOf(body: unknown): ErrorDetails {
  const { details } = refusalOf(body);
  return isObject(details) ? (details as ErrorDetails) : {};
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
  return { url: new URL(path, admin).href, init: { headers, ...sent } };
}
