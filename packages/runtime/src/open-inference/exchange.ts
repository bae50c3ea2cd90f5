/**
 * One HTTP request from its headers to its response: finds the endpoint, lets it read the body, writes what it answers. Whatever an
 * endpoint throws becomes a response.
 */
import { BINARY_MEDIA_TYPE, JSON_LENGTH_HEADER } from '@equipoise/open-inference-codec';
import { Cancellation, type CancelSignal } from '../data-plane/cancellation.js';
import type { Answer } from './answer.js';
import { isLargeAnswer, writeInPieces } from './answer-pieces.js';
import { type AnsweredCall, answeredCall, codeOf } from './answered-call.js';
import type { Call } from './endpoint.js';
import { pipelineByName } from './pipeline-by-name.js';
import { readBody } from './read-body.js';
import { dropError, refusal } from './refusal.js';
import { readRequestId } from './request-id.js';
import type { Purpose, RouteMatch, RouteTable } from './routes.js';
import { requireServing } from './serving-phase.js';
import { reportFailure, type ServingSetting } from './serving-setting.js';
import { admitWithinLimit, type Tenant } from './tenants/tenants.js';
import type { SharedAnswer, TrafficShare } from './traffic-share.js';
import type { Wire } from './wire.js';

/** What all exchanges of a server have in common. */
export interface ExchangeSetting extends ServingSetting {
  readonly table: RouteTable;
  /** Gives another server a share of the requests; undefined where all are answered here. */
  readonly share: TrafficShare | undefined;
}

/** Answers one request; never rejects. */
export async function exchange(setting: ExchangeSetting, wire: Wire): Promise<void> {
  const requestId = readRequestId(wire.request.headers['x-request-id']);
  const gone = new Cancellation();
  wire.onGone(() => gone.abort());
  const onReading = () => {
    if (wire.awaitsContinue) wire.response.writeContinue();
  };
  const written = await answerTo(setting, wire, { requestId, signal: gone, onReading });
  write(wire, written, { 'x-request-id': requestId, ...wire.headersOf(setting.phase()) });
  const left = () => {
    if (written.isCounted) setting.leaving.release(written.length);
  };
  if (wire.response.headersSent) wire.onLeft(left);
  else left();
}

/** An answer as it goes out: in parts, of so many bytes. */
interface WrittenAnswer {
  readonly answer: Answer;
  readonly parts: readonly Uint8Array[];
  readonly length: number;
  /** Whether its bytes are among those that are leaving. */
  readonly isCounted: boolean;
}

interface CallParts {
  readonly requestId: string;
  readonly signal: CancelSignal;
  readonly onReading: () => void;
}

async function answerTo(setting: ExchangeSetting, wire: Wire, parts: CallParts): Promise<WrittenAnswer> {
  const { request } = wire;
  const { requestId, signal, onReading } = parts;
  let purpose: Purpose | undefined;
  let tenant: Tenant | undefined;
  const count = (code: AnsweredCall['code']) => {
    if (purpose !== 'probe' && purpose !== 'metrics') setting.onAnswer(answeredCall('rest', code, tenant));
  };
  try {
    const [path = '', query] = splitOnce(request.url ?? '', '?');
    const match = setting.table.find(request.method ?? '', path);
    const { pipelineName } = match;
    purpose = match.purpose;
    if (purpose !== 'probe') tenant = setting.tenants?.identify(request.headers.authorization);
    const phase = setting.phase();
    if (purpose === 'inference') {
      // What is not there now will not be there later: it is no use to come again.
      if (phase !== 'serving') pipelineByName(setting.pipelines, pipelineName);
      requireServing(phase);
      if (tenant !== undefined) admitWithinLimit(tenant, performance.now());
    }
    const call: Call = {
      pipelines: setting.pipelines,
      pipelineName,
      requestId,
      mediaType: mediaTypeOf(request.headers['content-type']),
      query: new URLSearchParams(query),
      headers: request.headers,
      signal,
      phase,
      readBody: (layout) =>
        readBody(request, {
          maxBodyBytes: setting.maxBodyBytes,
          arriving: setting.arriving,
          timeoutMs: wire.bodyTimeoutMs,
          beforeReading: onReading,
          ...layout,
        }),
    };
    const { answer, isOwn } = await answered(setting, match, { request, call });
    const written = writtenAnswer(answer, purpose === 'inference');
    if (written.isCounted && !setting.leaving.take(written.length)) throw dropError('memory-full');
    // What another server has answered that server has counted.
    if (isOwn) count('OK');
    return written;
  } catch (error) {
    reportFailure(setting, error);
    count(codeOf(error));
    return writtenAnswer(refusal(error), false);
  }
}

function writtenAnswer(answer: Answer, isCounted: boolean): WrittenAnswer {
  const parts = [Buffer.from(answer.text), ...(answer.raw ?? [])];
  return { answer, parts, length: parts.reduce((length, bytes) => length + bytes.length, 0), isCounted };
}

/** The answer of the endpoint, or of the server that has a share of the requests. */
async function answered(
  { share }: ExchangeSetting,
  { endpoint, purpose }: RouteMatch,
  { request, call }: { readonly request: Wire['request']; readonly call: Call },
): Promise<SharedAnswer> {
  const { method = '', url = '' } = request;
  if (share === undefined || purpose !== 'inference') return { answer: await endpoint(call), isOwn: true };
  return share.answer({ method, target: url }, call, endpoint);
}

function write(wire: Wire, { answer, parts, length }: WrittenAnswer, headers: Readonly<Record<string, string>>): void {
  const { request, response } = wire;
  if (wire.isGone() || response.headersSent) return;
  const { contentType = 'application/json' } = answer;
  response.writeHead(answer.status, {
    'content-type': answer.raw === undefined ? contentType : BINARY_MEDIA_TYPE,
    'content-length': length,
    ...(answer.raw !== undefined && { [JSON_LENGTH_HEADER]: parts[0]?.length }),
    ...headers,
    ...answer.headers,
  });
  if (request.method === 'HEAD') response.end();
  else if (isLargeAnswer(length)) writeInPieces(response, parts);
  else writeBody(response, parts);
  if (!request.complete) wire.discardRest();
}

/** In one go, without putting the parts together. */
function writeBody(response: Wire['response'], parts: readonly Uint8Array[]): void {
  response.cork();
  for (const part of parts) response.write(part);
  response.end();
  response.uncork();
}

function mediaTypeOf(header: string | undefined): string | undefined {
  const [type = ''] = splitOnce(header ?? '', ';');
  return type.trim().toLowerCase() || undefined;
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
