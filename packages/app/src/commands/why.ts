/** `equipoise why`: the incident card of a served pipeline, from its admin port. */
import type { IncidentCard } from '@equipoise/core/diagnose';
import { AppError } from '@equipoise/core/model';
import { tokenIn } from '../compose/admin-port.js';
import { incidentText } from '../terminal/incident-text.js';
import type { CommandResult } from '../terminal/run-command.js';

export interface WhyOptions {
  readonly admin: string;
  readonly adminTokenFile?: string | undefined;
  /** Times in ms since 1970. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Length of the window in ms, up to `to` or now. */
  readonly last?: number | undefined;
}

interface Asked {
  readonly url: string;
  readonly init: RequestInit;
}

const TIMEOUT_MS = 15_000;

/** Exit code 1 if the window has an incident that does harm. */
export async function why(pipeline: string | undefined, options: WhyOptions): Promise<CommandResult> {
  checkWindow(options);
  const name = pipeline ?? (await onlyPipeline(options));
  const { from, to, last } = options;
  const end = to ?? (last === undefined ? undefined : Date.now());
  const fromEpochMs = from ?? (last === undefined || end === undefined ? undefined : end - last);
  const body = { ...(fromEpochMs !== undefined && { fromEpochMs }), ...(end !== undefined && { toEpochMs: end }) };
  const card = (await answerOf(options, `/admin/pipelines/${encodeURIComponent(name)}/why`, body)) as IncidentCard;
  return {
    json: { pipeline: name, card },
    text: incidentText(name, card),
    answerIsNo: card.verdict === 'incident' && card.harmful,
  };
}

function checkWindow({ from, last }: WhyOptions): void {
  if (from !== undefined && last !== undefined)
    throw new AppError('WRONG_USAGE', '--last and --from exclude each other.');
}

async function onlyPipeline(options: WhyOptions): Promise<string> {
  const { pipelines } = (await answerOf(options, '/admin/pipelines')) as {
    readonly pipelines: readonly { readonly name: string }[];
  };
  const [first, ...more] = pipelines.map(({ name }) => name);
  if (first !== undefined && more.length === 0) return first;
  throw new AppError('WRONG_USAGE', `The server has several pipelines; name one of ${[first, ...more].join(', ')}.`);
}

/** Rejects with UNREACHABLE, or with the error of the server. */
async function answerOf(options: WhyOptions, path: string, body?: object): Promise<unknown> {
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
  const message = `${url} answers ${response.status}: ${answer.error?.message ?? 'this server has no `why`; is it of an older version?'}`;
  throw new AppError(response.status === 404 ? 'NOT_FOUND' : 'WRONG_USAGE', message);
}

function askedOf({ admin, adminTokenFile }: WhyOptions, path: string, body: object | undefined): Asked {
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
